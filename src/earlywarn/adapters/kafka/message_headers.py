"""The headers of a record that confluent-kafka has read, whatever their names are."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import aclosing
from operator import methodcaller
from typing import Any

from earlywarn.adapters.kafka.topic_reader import read_partition
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

Header = tuple[str, bytes | None]
_headers = methodcaller("headers")
"""Of a message. The client returns with an error set if a name is no UTF-8, which only a call from C always looks for:
a plain call that Python has specialised goes on with a broken list, and the error comes up anywhere."""


def headers_of(message: Any, kafka: KafkaSettings) -> Sequence[Header]:  # noqa: ANN401  # its fields may be None in an error alone
    """Return the headers of a record. In a thread that runs no loop: it may have to read the record once more.

    Raises:
        LogError: the record is gone meanwhile.
    """
    try:
        found: Sequence[Header] = _headers(message) or ()
    except SystemError:  # of a name that is no UTF-8, which the client cannot tell; aggregators read such a record
        place = message.topic(), message.partition(), message.offset()
        return asyncio.run(_read_again(kafka, *place))
    return found


async def _read_again(kafka: KafkaSettings, topic: str, partition: int, offset: int) -> Sequence[Header]:
    async with aclosing(read_partition(kafka, topic, partition, offset, to_end=True)) as reading:
        async for batches in reading:
            for batch in batches:
                at = bisect_left(batch.offsets, offset)
                if at < len(batch) and batch.offsets[at] == offset:
                    return batch.headers[at] if batch.headers else ()
    raise LogError(f"{topic}-{partition}-{offset}: cannot be read again; has retention removed it?")
