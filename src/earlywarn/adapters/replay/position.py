"""How far a replay has come: kept in the run's topic `.meta`, written in one transaction with the records."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from earlywarn.adapters.files import InputFile
from earlywarn.adapters.kafka.filling import REPLAY_KEY
from earlywarn.errors import InputError, LogError

KEY = REPLAY_KEY


class ReplayPosition(msgspec.Struct, frozen=True, kw_only=True):
    """All before it stands in the topic, nothing behind it does.

    source: fingerprint of what is replayed and of the options that decide its records and their order.
    described: the same for people.
    log: which log the recorded topic is (`topic_identity`); empty for files.
    partitions: P by which cells were dealt; it stays when the topic grows meanwhile.
    records: records read, whether sent or not.
    sent: transactions, or records of another run, that stand in the topic.
    offsets: of the other run's partitions, where to read on; empty for files.
    ended: the end marks stand there too, or all is sent to a log that is left open.
    """

    source: str
    described: str
    log: str = ""
    partitions: int
    records: int = 0
    sent: int = 0
    offsets: dict[int, int] = {}
    ended: bool = False


def encode_position(position: ReplayPosition) -> bytes:
    """Return the bytes of a position."""
    return msgspec.json.encode(position)


def decode_position(value: bytes) -> ReplayPosition:
    """Return a position from its bytes.

    Raises:
        LogError: they are none that this version can read.
    """
    try:
        return msgspec.json.decode(value, type=ReplayPosition)
    except msgspec.DecodeError as error:
        raise LogError(f"the run's position of replay cannot be read by this version: {error}") from error


def file_fingerprint(inputs: Sequence[InputFile], options: Mapping[str, object]) -> str:
    """Return a short hash of names, contents and form of the inputs, and of the options.

    Of all that they hold: when a replay goes on, as many records are passed over as were sent, and a change anywhere in
    it would make one topic of two histories. It takes a second or two for each GB.

    Raises:
        InputError: a file has gone.
    """
    digest = hashlib.sha256(msgspec.json.encode(options, order="deterministic", enc_hook=repr))
    for each in inputs:
        try:
            with each.path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise InputError(f"{each.name}: cannot be read: {error.strerror}") from error
        digest.update(repr((each.path.name, each.size_bytes, each.layout, each.defaults)).encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def run_fingerprint(topic: str, partitions: int, log: str) -> str:
    """Return a short hash of a recorded topic, which is another one when it was made anew."""
    return hashlib.sha256(f"{topic}/{partitions}/{log}".encode()).hexdigest()[:16]
