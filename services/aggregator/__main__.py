"""The aggregator: folds transactions into partials. `python services/aggregator`; settings as in docs/settings.md."""

import asyncio
import os
from functools import partial

from earlywarn.adapters.stream.early_stop import stop_at_once_when_told

stop_at_once_when_told()

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.filling import FilledUntilSent, check_filled
from earlywarn.adapters.kafka.manifest import check_manifest
from earlywarn.adapters.kafka.outbox import Outbox
from earlywarn.adapters.kafka.published_blocks import read_published
from earlywarn.adapters.kafka.run_logs import logs_of_run
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import topic_identities
from earlywarn.adapters.stream.aggregator_service import AggregatorService
from earlywarn.adapters.stream.command_line import settings_file
from earlywarn.adapters.stream.faust_app import batch_topic, faust_app
from earlywarn.adapters.stream.lifecycle import Assembled, live, run
from earlywarn.adapters.stream.logs import configure_logs
from earlywarn.adapters.stream.probes import UNPUBLISHED_SECONDS
from earlywarn.application.aggregator import Aggregator
from earlywarn.application.compose import compose_from

_COUNTING = "counting: every partition that it has is lost (docs/delivery.md, A lost partition)"


CONFIG = settings_file("aggregator", "The aggregator: folds the run's transactions into partials.")


async def main() -> None:
    """Compose the service and live its life."""
    _, ready = compose_from(CONFIG, os.environ)
    settings = ready.settings
    service, kafka = settings.service, settings.kafka
    configure_logs(service.log_level)
    topics = RunTopics(settings.run, settings.topics.prefix)

    async def assemble() -> Assembled:
        manifest = await asyncio.to_thread(check_manifest, ready, only_fold=True)
        if not manifest.replay:
            await asyncio.to_thread(check_filled, kafka, topics)
        logs = await asyncio.to_thread(logs_of_run, kafka, topics, manifest, "transactions", "partials")
        await asyncio.to_thread(topic_identities, kafka, [topics.dead_letters])  # else the first letter would find out
        outbox = Outbox(confluent_connection(kafka), gated=True)
        worker = AggregatorService(
            Aggregator(
                ready,
                arrow_batch.decode,
                flush_seconds=service.flush_seconds,
                idle_seconds=service.idle_seconds,
                finite=manifest.replay,
            ),
            outbox,
            logs,
            topics,
            partial(read_published, kafka, topics.partials, settings.fold.block_size),
            panels_of=manifest.panels_of,
            unacknowledged_bytes=service.unacknowledged_bytes,
            letter_bytes=settings.topics.dead_letter_bytes,
        )
        if not manifest.replay:
            logs.besides = FilledUntilSent(lambda: check_filled(kafka, topics), lambda: outbox.has_sent)
        app = faust_app(f"{topics.prefix}{topics.run}.aggregator", kafka, service, worker)
        worker.attach(app, batch_topic(app, topics.transactions))
        conditions = {
            "assigned": lambda: worker.assigned,
            _COUNTING: lambda: worker.counting,
            "publishing": lambda: outbox.waiting_seconds < UNPUBLISHED_SECONDS,
        }
        return Assembled(app, worker, conditions)

    await live(kafka, service, assemble)


run(main)
