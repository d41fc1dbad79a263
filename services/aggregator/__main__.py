"""The aggregator: folds transactions into partials. `python services/aggregator`; settings as in docs/settings.md."""

import os
from pathlib import Path

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.outbox import Outbox
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.stream.aggregator_service import AggregatorService
from earlywarn.adapters.stream.faust_app import batch_topic, faust_app
from earlywarn.adapters.stream.lifecycle import Broker, live, run
from earlywarn.adapters.stream.logs import configure_logs
from earlywarn.adapters.stream.probes import Probes
from earlywarn.application.aggregator import Aggregator
from earlywarn.application.compose import compose
from earlywarn.application.settings import load


async def main() -> None:
    """Compose the service and live its life."""
    path = os.environ.get("EARLYWARN_CONFIG")
    ready = compose(load(Path(path) if path else None, os.environ))
    settings = ready.settings
    service = settings.service
    configure_logs(service.log_level)
    topics = RunTopics(settings.run, settings.topics.prefix)
    worker = AggregatorService(
        Aggregator(ready, flush_seconds=service.flush_seconds, idle_seconds=service.idle_seconds),
        Outbox(confluent_connection(settings.kafka)),
        topics,
        panels_of=(frozenset(each.panel.id for each in ready.panels),),
        unacknowledged_bytes=service.unacknowledged_bytes,
    )
    app = faust_app(f"{settings.topics.prefix}{settings.run}.aggregator", settings.kafka, service, worker)
    worker.attach(app, batch_topic(app, topics.transactions))
    broker = Broker(settings.kafka)
    conditions = {"assigned": lambda: worker.assigned, "connected to a broker": lambda: broker.answers}
    await live(app, worker, broker, Probes(service.host, service.port, conditions))


run(main)
