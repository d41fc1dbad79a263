"""`earlywarn rebuild-redis`."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated

import msgspec
import typer
from aiokafka.errors import KafkaError

from earlywarn.adapters.kafka.lost_beginnings import lost_beginnings
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import check_server, connect, memory_limits
from earlywarn.adapters.redis.dropped_keys import DroppedKeys
from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RecordSource, RedisProjection
from earlywarn.adapters.redis.rebuild import Rebuilt, rebuild
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.stream.projector import logs_of, records_of
from earlywarn.application.settings import Settings
from earlywarn.cli.run_settings import Config, RunId, manifest_there, run_settings
from earlywarn.cli.stages import stages
from earlywarn.errors import ConfigError

_PATIENCE_SECONDS = 30.0

Json = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]


def rebuild_redis(config: Config = None, run_id: RunId = None, json: Json = False) -> None:
    """Remove a run's keys from Redis, and fill them again from its topics; nothing is published.

    The run's detectors may go on meanwhile. Cut short, it is finished by the next one.

    Examples:

        earlywarn rebuild-redis --config panel.toml

        REDIS_URL=redis://localhost:6379/0 earlywarn rebuild-redis --run live
    """
    settings = run_settings(config, run_id)
    topics = RunTopics(settings.run, settings.topics.prefix)
    manifest = manifest_there(settings)
    with stages() as tell:
        done = asyncio.run(_rebuild(settings, topics, range(manifest.partials_partitions), tell))
    lost = lost_beginnings(settings.kafka, topics)
    if json:
        shown = {"run": settings.run, "removed": done.removed, "records": done.records, "remarks": lost}
        sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
        return
    typer.echo(
        f"run {settings.run!r}: {done.removed:,} keys removed, {done.records:,} records of aggregates and alerts "
        f"projected into Redis at {settings.redis.url}"
    )
    for each in lost:
        typer.echo(f"note: {each}")


async def _rebuild(
    settings: Settings, topics: RunTopics, partitions: Sequence[int], tell: Callable[[str, int, int], None]
) -> Rebuilt:
    redis = settings.redis
    client = connect(redis)
    try:
        facts = await check_server(client, redis.url)
        outages = Outages(redis.url, patience_seconds=_PATIENCE_SECONDS, memory=lambda: memory_limits(client))
        projection = RedisProjection(client, topics, stream_length=redis.stream_length, outages=outages)
        read = _counted(records_of(settings.kafka, topics, to_end=True), tell)
        logs = await asyncio.to_thread(logs_of, settings.kafka, topics)
        done = await rebuild(client, projection, partitions, read, logs)
        await outages.wait_out(lambda: DroppedKeys(client, projection.layout, redis.url).note(facts))
    except KafkaError as error:
        raise ConfigError(
            f"kafka.brokers = {settings.kafka.brokers!r}: {error}; Redis is not complete: run this again"
        ) from error
    else:
        return done
    finally:
        await client.aclose()


def _counted(read: RecordSource, tell: Callable[[str, int, int], None]) -> RecordSource:
    """Return a source that tells how many records it has given."""
    done = 0

    async def counted(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
        nonlocal done
        async with aclosing(read(kind, partition, position)) as batches:
            async for records in batches:
                yield records
                done += len(records)
                tell("Projecting", done, 0)

    return counted
