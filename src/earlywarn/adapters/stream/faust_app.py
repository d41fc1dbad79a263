"""The Faust application of a service: a group of workers over one topic, read through the batch transport."""

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp

import faust

from earlywarn.adapters.kafka.batch_transport import BatchSchema, Positions, Transport
from earlywarn.adapters.kafka.connection import broker_list, faust_connection
from earlywarn.application.service_settings import KafkaSettings, ServiceSettings

TRANSPORT = "earlywarn-batch"
_MESSAGES_LIMIT = 1 << 20  # none: the transport counts bytes, and a partition that Faust rests may be amid a batch
_METADATA_AGE_MS = 10_000  # after which a topic that has grown is noticed
_LONGEST_FOLD_SECONDS = 86_400.0
"""A batch may take long: one partial may close years of a large panel. By Faust's 1,000 s the worker would leave its
group then, and whoever came next as well, for ever. Whether a worker lives is told by its heartbeats and probes."""


def faust_app(group: str, kafka: KafkaSettings, service: ServiceSettings, positions: Positions) -> faust.App:
    """Return an application that reads from where `positions` says. It stores nothing and serves nothing itself."""
    folder = Path(mkdtemp(prefix="earlywarn-"))  # Faust makes folders for tables, which it has none of here
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    app = faust.App(
        group,
        broker=[f"{TRANSPORT}://{broker}" for broker in broker_list(kafka)],
        broker_request_timeout=float(kafka.request_timeout_seconds),
        broker_session_timeout=float(kafka.session_timeout_seconds),
        **faust_connection(kafka),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        datadir=folder,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_buffer_maxsize=_MESSAGES_LIMIT,
        consumer_max_fetch_size=kafka.fetch_bytes,
        consumer_group_instance_id=None,
        consumer_metadata_max_age_ms=_METADATA_AGE_MS,
        broker_commit_interval=service.commit_seconds,
        broker_heartbeat_interval=kafka.session_timeout_seconds / 6,
        broker_max_poll_interval=_LONGEST_FOLD_SECONDS,
        broker_rebalance_timeout=float(kafka.session_timeout_seconds),
    )
    transport = app.transport
    if not isinstance(transport, Transport):
        raise TypeError(f"{TRANSPORT} is {type(transport)}: the package's entry points are not installed")
    transport.positions = positions
    return app


def batch_topic(app: faust.App, name: str) -> faust.TopicT:
    """Return a topic whose messages are lists of record batches."""
    return app.topic(name, schema=BatchSchema())
