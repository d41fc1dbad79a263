"""What a service sends: through librdkafka, idempotent, acknowledged by all replicas, counted until it is.

A `Parcel` is some messages that belong together; it has arrived when all of them are acknowledged. A message that
can finally not be delivered ends the process: what it was folded from is read again by whoever comes next.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_LARGEST_MESSAGE_BYTES = 16 << 20
_POLL_SECONDS = 0.005
_QUEUE_FULL_SECONDS = 0.1

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


class Outbox:
    """Sends messages in order; `unacknowledged_bytes` is what is under way."""

    def __init__(self, connection: Mapping[str, object]) -> None:
        self._producer = Producer({**connection, **SENDING}, logger=_log)
        self.unacknowledged_bytes = 0
        self.failure: LogError | None = None

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
        """Hand one message over; it is on its way when this returns.

        Raises:
            LogError: an earlier message could finally not be delivered, or this one is too large.
        """
        self.check()
        size = len(value or b"") + len(key)

        def delivered(error: KafkaError | None, message: Message) -> None:
            self.unacknowledged_bytes -= size
            if error is None:
                parcel.acknowledge()
            else:
                self.failure = LogError(f"a message to {message.topic()} could not be delivered: {error}")

        while True:
            try:
                self._producer.produce(
                    topic, value, key=key, partition=partition, headers=list(headers), on_delivery=delivered
                )
            except BufferError:
                self._producer.poll(_QUEUE_FULL_SECONDS)
            except KafkaException as error:
                raise LogError(f"a message of {size} bytes cannot be sent to {topic}: {error}") from error
            else:
                break
        parcel.add()
        self.unacknowledged_bytes += size

    def check(self) -> None:
        """Raise what went wrong with an earlier message.

        Raises:
            LogError: it could finally not be delivered.
        """
        if self.failure is not None:
            raise self.failure

    def poll(self) -> None:
        """Take acknowledgements in."""
        self._producer.poll(0)

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
