"""earlywarn's own aggregator as one more contestant."""

import subprocess
import sys
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition
from contract import Task
from measure import Contestant
from topics import Parts, delete, read

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import decode_partial

_ROOT = Path(__file__).resolve().parents[3]
_COMMAND = [sys.executable, str(_ROOT / "services" / "aggregator")]
_BATCH = 1000
_POLL_SECONDS = 0.05

_CONFIG = """run = "{run}"
[topics]
prefix = "{prefix}"
transactions_partitions = {partitions}
replay = true
[fold]
lateness_seconds = {lateness_seconds}
[service]
port = 0
log_level = "info"
[[panels]]
id = "CH"
countries = ["CH"]
currency = "CHF"
time_zone = "Europe/Zurich"
"""
_LATENESS_SECONDS = 3600
PREFIX = "bench."


class _Reached(msgspec.Struct):
    """Of a partial, how far it goes."""

    p: int
    last: int


class PartialsRead:
    """Follows the partials of a run, and knows how many transactions they hold."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": brokers, "group.id": "none", "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(topic, 0, 0)])
        self._decode = msgspec.json.Decoder(_Reached).decode
        self._last: dict[int, int] = {}

    def __call__(self) -> int:
        """Return the number so far."""
        for message in self._consumer.consume(_BATCH, _POLL_SECONDS):
            if message.error() is None:
                reached = self._decode(message.value())
                self._last[reached.p] = max(reached.last, self._last.get(reached.p, -1))
        return sum(last + 1 for last in self._last.values())


def create_run(
    brokers: str, run: str, partitions: int, folder: Path, lateness_seconds: int = _LATENESS_SECONDS
) -> Path:
    """Create a run's topics, if they are missing, and return its settings.

    Raises:
        subprocess.CalledProcessError: `earlywarn topics create` failed; what it said stands above.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{run}.toml"
    config.write_text(_CONFIG.format(run=run, prefix=PREFIX, partitions=partitions, lateness_seconds=lateness_seconds))
    create = [sys.executable, "-m", "earlywarn", "topics", "create", "--config", str(config)]
    subprocess.run(create, check=True, env={"EARLYWARN_KAFKA": brokers}, stdout=subprocess.DEVNULL)
    return config


def earlywarn_contestant(name: str, task: Task) -> Contestant:
    """Return `services/aggregator`, whose results are the partials that it publishes.

    It reads `task.input`, which is the transactions topic of a run, with a fresh group and a fresh partials topic.
    It says nothing and ends never, so the partials are followed until they hold every event.
    """
    run = task.input.removeprefix(PREFIX).removesuffix(".transactions")
    topics = RunTopics(run, PREFIX)
    partitions = 8
    for used in (topics.meta, topics.partials, topics.dead_letters, f"{PREFIX}{run}.aggregator"):
        delete(task.brokers, used)
    config = create_run(task.brokers, run, partitions, Path(task.state), task.grace_seconds or _LATENESS_SECONDS)
    return Contestant(
        name,
        _COMMAND,
        task,
        lambda: read(task.brokers, topics.partials, _fold_partial),
        late=lambda: sum(count for count, _ in read(task.brokers, topics.partials, _fold_late_rows).values()),
        seen=PartialsRead(task.brokers, topics.partials),
        begins="assigned 8 of 8 partitions",
        environment={"EARLYWARN_KAFKA": task.brokers, "EARLYWARN_CONFIG": str(config), "EARLYWARN_RUN": run},
    )


def _fold_partial(parts: Parts, message: Message) -> None:
    """Take a partial: cumulative rows of a block, late ones apart."""
    place = f"{message.topic()}-{message.partition()}-{message.offset()}"
    partial = decode_partial(message.value(), place)
    for row in partial.rows:
        key = f"{partial.partition}|{partial.block}|{row.region}|{row.sector}|{row.bucket}|{row.late}"
        cell = (row.region, row.sector, row.bucket * 1000)
        parts[key.encode()] = (cell, row.transactions, row.amount_minor)


def _fold_late_rows(parts: Parts, message: Message) -> None:
    """Take a partial's late rows alone."""
    _fold_partial(parts, message)
    for key in [key for key in parts if key.endswith(b"|False")]:
        del parts[key]
