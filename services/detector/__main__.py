"""The detector: folds partials into aggregates and alerts. `python services/detector`; settings: docs/settings.md."""

import asyncio
import os
from pathlib import Path

from earlywarn.adapters.stream.early_stop import stop_at_once_when_told

stop_at_once_when_told()

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.manifest import check_manifest, check_partials
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.run_logs import RunLogs, logs_of_run
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import Identities, topic_identities
from earlywarn.adapters.kafka.topic_scan import partition_count
from earlywarn.adapters.redis.connection import connect, memory_limits
from earlywarn.adapters.redis.dropped_keys import DroppedKeys
from earlywarn.adapters.redis.layout import TOPIC_KINDS
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RedisProjection
from earlywarn.adapters.redis.server import choose_redis
from earlywarn.adapters.snapshots.choice import snapshot_store
from earlywarn.adapters.stream import detector_metrics
from earlywarn.adapters.stream.command_line import settings_file
from earlywarn.adapters.stream.detector_partition import DetectorParts
from earlywarn.adapters.stream.detector_service import DetectorService
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.faust_app import batch_topic, faust_app
from earlywarn.adapters.stream.lifecycle import Assembled, live, run
from earlywarn.adapters.stream.logs import configure_logs
from earlywarn.adapters.stream.projector import Projector, records_of
from earlywarn.adapters.stream.store_trial import StoreTrial
from earlywarn.application.compose import compose_from
from earlywarn.application.compose_fold import compose_fold

CONFIG = settings_file("detector", "The detector: folds partials into aggregates and alerts.")


async def main() -> None:
    """Compose the service and live its life."""
    _, ready = compose_from(CONFIG, os.environ)
    settings = ready.settings
    service, kafka = settings.service, settings.kafka
    configure_logs(service.log_level)
    topics = RunTopics(settings.run, settings.topics.prefix)
    group = f"{topics.prefix}{topics.run}.detector"

    published = (topics.aggregates, topics.alerts)
    for each in published:
        detector_metrics.PUBLISHED.labels(each)  # there at 0

    trial = StoreTrial()

    async def assemble() -> Assembled:
        manifest = await asyncio.to_thread(check_manifest, ready)
        logs = await asyncio.to_thread(logs_of_run, kafka, topics, manifest, "partials")
        await asyncio.to_thread(topic_identities, kafka, published)  # who writes to one that is gone finds out late
        partitions = await asyncio.to_thread(partition_count, kafka, topics.partials)
        check_partials(topics, manifest.partials_partitions, partitions)
        client, failure, identities = connect(redis.settings), Failure(), Identities(kafka)
        outages = Outages(redis.settings.url, memory=lambda: memory_limits(client))
        projection = RedisProjection(client, topics, stream_length=settings.redis.stream_length, outages=outages)
        projector = Projector(
            projection,
            DroppedKeys(client, projection.layout, redis.settings.url).check,
            records_of(kafka, topics),
            lambda: RunLogs(identities, topics, {}, TOPIC_KINDS),
            failure,
        )
        parts = DetectorParts(
            new_fold=lambda q: compose_fold(
                ready, manifest.transactions_partitions, manifest.panels_of[q], change=manifest.change
            ),
            new_publisher=lambda q, log: Publisher(
                confluent_connection(kafka), topics.published_group, topics.partials, q, log
            ),
            published_before=lambda q: manifest.published.get(q, 0),
            topics=topics,
            partitions=manifest.partials_partitions,
            snapshots=settings.snapshots,
        )
        worker = DetectorService(
            parts,
            logs=logs,
            new_store=lambda log: snapshot_store(settings.snapshots, topics.run, redis.settings, log),
            on_assigned=projector.own,
            failure=failure,
        )
        trial.start(lambda: snapshot_store(settings.snapshots, topics.run, redis.settings, logs.check()["partials"]))
        app = faust_app(group, kafka, service, worker)
        worker.attach(app, batch_topic(app, topics.partials))
        conditions = {
            "assigned": lambda: worker.assigned,
            "caught up": lambda: worker.caught_up,
            "publishing": lambda: worker.publishes,
            "writing Redis": lambda: projector.works,
            "able to keep snapshots": lambda: not trial.failed,
        }
        return Assembled(app, worker, conditions)

    kept_at = settings.snapshots.url
    beside = Path() if "://" in kept_at else Path(kept_at).parent
    with choose_redis(settings.redis, beside / "redis") as redis:
        await live(kafka, service, assemble)


run(main)
