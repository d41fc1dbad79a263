"""What a service sends: through librdkafka, idempotent, acknowledged by all replicas, counted until it is.

A `Parcel` is some messages that belong together; it has arrived when all of them are acknowledged. A message that
can finally not be delivered ends the process: what it was folded from is read again by whoever comes next.

Sending never waits. What librdkafka has no room for is kept here, in order, until it has; back-pressure is `settle`,
which lets the loop go on. A gated outbox keeps everything here until it is released.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from earlywarn.adapters.kafka.refusals import MISSING, Absence, undelivered
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_LARGEST_MESSAGE_BYTES = 16 << 20
_POLL_SECONDS = 0.005
_MESSAGE_BYTES, _HEADER_BYTES = 800, 150
"""What a message takes besides its key, value and headers, and each of these (measured); of small ones that is most."""

SENDING = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 5,
    "compression.type": "lz4",
    "message.max.bytes": _LARGEST_MESSAGE_BYTES,
    "message.timeout.ms": 0,  # a broker that is gone is waited for; the limit is what may be unacknowledged
    "queue.buffering.max.kbytes": 256 << 10,
    "log.connection.close": False,
}


class Parcel:
    """Messages that belong together."""

    __slots__ = ("_open", "_under_way")

    def __init__(self) -> None:
        self._under_way = 0
        self._open = True

    def close(self) -> None:
        """Say that nothing more comes into it."""
        self._open = False

    @property
    def arrived(self) -> bool:
        """Return whether it is closed and all of it is acknowledged."""
        return not self._open and not self._under_way

    def add(self) -> None:
        """Count a message in."""
        self._under_way += 1

    def acknowledge(self) -> None:
        """Count a message as arrived."""
        self._under_way -= 1


class _Line:
    """What is under way to one partition of a topic, and since when nothing of it has moved."""

    __slots__ = ("count", "moved_seconds")

    def __init__(self) -> None:
        self.count = 0
        self.moved_seconds = 0.0


class _Message(NamedTuple):
    topic: str
    value: bytes | None
    key: bytes
    partition: int
    headers: list[tuple[str, str | bytes | None]]
    size: int
    on_delivery: Callable[[KafkaError | None, Message], None]


class Outbox:
    """Sends messages in order; `unacknowledged_bytes` is what is under way, with what waits for its turn.

    Args:
        connection: to the brokers.
        gated: send what is released alone.

    Attributes:
        has_sent: something is acknowledged.
    """

    def __init__(self, connection: Mapping[str, object], *, gated: bool = False) -> None:
        self._producer = Producer({**connection, **SENDING}, logger=_log)
        self._waiting: deque[_Message] = deque()
        self._gated = gated
        self._given = self._released = 0
        self._news = asyncio.Event()
        self._lines: defaultdict[tuple[str, int], _Line] = defaultdict(_Line)
        self._absence = Absence()  # of the topic of what is next
        self.unacknowledged_bytes = 0
        self.has_sent = False
        self.failure: LogError | None = None

    @property
    def waiting_seconds(self) -> float:
        """Return for how long a partition has taken nothing of what is under way to it; 0 while there is nothing."""
        now = time.monotonic()
        return max((now - line.moved_seconds for line in self._lines.values() if line.count), default=0.0)

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes,
        partition: int = -1,
        headers: Sequence[tuple[str, bytes]] = (),
        parcel: Parcel,
    ) -> None:
        """Send one message after all that were sent before; returns at once.

        Raises:
            LogError: an earlier message could finally not be delivered, or one is too large.
        """
        self.check()
        size = len(value or b"") + len(key) + sum(len(name) + len(text) + _HEADER_BYTES for name, text in headers)
        size += _MESSAGE_BYTES
        line = self._lines[topic, partition]

        def delivered(error: KafkaError | None, message: Message) -> None:
            self.unacknowledged_bytes -= size
            line.count -= 1
            line.moved_seconds = time.monotonic()
            if error is None:
                self.has_sent = True
                parcel.acknowledge()
            elif self.failure is None:  # what comes after it is only in the way of the first reason
                self.failure = LogError(undelivered(str(message.topic()), error))

        parcel.add()
        self.unacknowledged_bytes += size
        if not line.count:
            line.moved_seconds = time.monotonic()
        line.count += 1
        self._waiting.append(_Message(topic, value, key, partition, list(headers), size, delivered))
        self._given += 1
        self._news.set()
        self._hand_over()

    async def more(self, seconds: float) -> int:
        """Wait until something is to be released, at most so long; return how many messages it was given so far."""
        if self._released == self._given:
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
        return self._given

    def release(self, given: int) -> None:
        """Let go the first so many messages that it was given (`more`)."""
        self._released = given
        self._hand_over()

    def _hand_over(self) -> None:
        """Hand to librdkafka what it has room for, and may have."""
        held = self._given - self._released if self._gated else 0
        while len(self._waiting) > held:
            each = self._waiting[0]
            try:
                self._producer.produce(
                    each.topic, each.value, key=each.key, partition=each.partition, headers=each.headers,
                    on_delivery=each.on_delivery,
                )  # fmt: skip
            except BufferError:
                return
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if reason.code() not in MISSING:
                    raise LogError(f"a message of {each.size} bytes cannot be sent to {each.topic}: {error}") from error
                if not self._absence.is_sure():
                    return  # brokers that are being restarted say so, too
                raise LogError(undelivered(each.topic, reason)) from error
            self._absence.end()
            self._waiting.popleft()

    def check(self) -> None:
        """Raise what went wrong with an earlier message.

        Raises:
            LogError: it could finally not be delivered.
        """
        if self.failure is not None:
            raise self.failure

    def poll(self) -> None:
        """Take acknowledgements in, and hand over what waits.

        Raises:
            LogError: as `send`.
        """
        self._producer.poll(0)
        self._hand_over()

    async def settle(self, below_bytes: int = 1, *, deadline_seconds: float | None = None) -> bool:
        """Wait until less than so many bytes are under way; False if the deadline passes first."""
        loop = asyncio.get_running_loop()
        end = None if deadline_seconds is None else loop.time() + deadline_seconds
        while self.unacknowledged_bytes >= below_bytes:
            self.poll()
            self.check()
            if end is not None and loop.time() >= end:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True
