"""A run of the real services over a real Kafka and Redis, and what it must have published.

The input is a list of logs, one for each source partition. What is expected of it is folded in this process, from
the very same logs (`expected`), and counted by a plain loop (`plain_count`).
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.adapters.kafka.manifest import write_manifest
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topics import ensure_topics
from earlywarn.adapters.kafka.wire import encode_alert, encode_rows
from earlywarn.aggregation.intake import Outcome, decode
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run, compose
from earlywarn.application.embedded import run_embedded
from earlywarn.application.fold import Output
from earlywarn.application.settings import load
from earlywarn.domain.alert import Alert
from earlywarn.domain.reject import Reject

REPOSITORY = Path(__file__).resolve().parents[2]
RECEIVED_MS = 4_000_000_000_000
_NO_PROMISE_SECONDS = 60
Log = list[bytes | None]
"""Values of a source partition's records, in order."""


class Port(NamedTuple):
    """Where a worker's probes answer."""

    number: int

    def ask(self, path: str) -> int:
        """Return the status of a probe; 0 if nobody answers."""
        return self.answer(path)[0]

    def answer(self, path: str) -> tuple[int, str]:
        """Return the status of a probe and what it says."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.number}{path}", timeout=5) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)


@dataclass
class Worker:
    """A process of a service."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        """Return what it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def assignments(self) -> int:
        """Return how often it was given partitions."""
        return self.text.count(": assigned ") + self.text.count("of the partials: reading from")

    @property
    def port(self) -> Port | None:
        """Return where its probes answer, once it has said so."""
        for line in self.text.splitlines():
            if "probes on http://" in line:
                return Port(int(line.rpartition(":")[2]))
        return None

    def ready(self) -> bool:
        """Return whether it says that it is ready."""
        return self.port is not None and self.port.ask("/readyz") == 200

    def missing(self) -> str:
        """Return what /readyz says is missing; nothing if it is ready."""
        assert self.port is not None
        status, text = self.port.answer("/readyz")
        return "" if status == 200 else text

    def metrics(self) -> dict[str, float]:
        """Return what /metrics says, by name and labels."""
        assert self.port is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port.number}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def memory_mib(self, figure: str = "VmHWM") -> float:
        """Return its memory: the most that it has had, or `VmRSS`, what it has now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith(figure)).split()[1]) / 1024

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it, as a machine does that loses power."""
        self.process.kill()
        self.process.wait(10)

    def terminate(self) -> float:
        """Ask it to end, and return the seconds it took."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(30)
        return time.monotonic() - began


@dataclass
class Published:
    """What readers of committed records find: values by key, and how often each key stands there."""

    alerts: dict[str, bytes] = field(default_factory=dict)
    aggregates: dict[str, bytes] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)

    @property
    def essence(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Return, by series and bucket, the rows of vintage 0 and of the last vintage, whatever its number.

        How many vintages lie between depends on how late records met the flushes; these two do not.
        """
        first: dict[str, dict[str, Any]] = {}
        last: dict[str, dict[str, Any]] = {}
        for value in self.aggregates.values():
            row = msgspec.json.decode(value)
            key = f"{row['series_id']}|{row['bucket']}|{row['start']}"
            if not row["vintage"]:
                first[key] = row
            if key not in last or last[key]["vintage"] < row["vintage"]:
                last[key] = row
        return {key: (first.get(key, {}), {**row, "vintage": None}) for key, row in last.items()}

    @property
    def repeated(self) -> list[str]:
        """Return the keys that stand there more than once."""
        return [key for key, times in self.times.items() if times > 1]


def without_ids(published: Published) -> list[dict[str, Any]]:
    """Return the alerts in their order, each with a number of its own in place of its id."""
    alerts = sorted(map(msgspec.json.decode, published.alerts.values()), key=lambda alert: alert["sequence"])
    numbers = {each: at for at, each in enumerate(dict.fromkeys(alert["id"] for alert in alerts))}
    return [
        alert
        | {"run": "", "id": numbers[alert["id"]], "supersedes": numbers.get(alert["supersedes"])}
        | {"parent": numbers.get(alert["parent"]), "children": sorted(map(numbers.__getitem__, alert["children"]))}
        for alert in alerts
    ]


class StreamRun:
    """One run: topics, workers, input, output. Use it as a context manager; its workers end with it."""

    def __init__(self, brokers: str, redis_url: str, folder: Path, toml: str, *, name: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "run.toml"
        config.write_text(f'run = "{name}"\n{toml}\n[snapshots]\nurl = "{folder / "snapshots"}"\n', encoding="utf-8")
        self.environment = {
            "EARLYWARN_CONFIG": str(config),
            "EARLYWARN_KAFKA": brokers,
            "EARLYWARN_SERVICE__PORT": "0",
            "EARLYWARN_SNAPSHOTS__LEAST_SECONDS": "0.5",
            "REDIS_URL": redis_url,
        }
        self.run: Run = compose(load(config, self.environment))
        self.settings = self.run.settings
        self.topics = RunTopics(name, self.settings.topics.prefix)
        self.workers: list[Worker] = []
        self._producer = Producer(
            {**confluent_connection(self.settings.kafka), "linger.ms": 5, "metadata.max.age.ms": 1_000}
        )

    def __enter__(self) -> Self:
        with kafka_admin(self.settings.kafka) as admin:
            ensure_topics(admin, self.settings)
        write_manifest(self.run)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.send(signal.SIGCONT)
                worker.kill()

    # --- workers

    def start(self, service: str, **environment: str) -> Worker:
        """Start a worker of a service."""
        name = f"{service}-{len(self.workers)}"
        log = self.folder / f"{name}.log"
        with log.open("wb") as lines:
            process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "services" / service)],
                env={**os.environ, **self.environment, **environment},
                stdout=lines,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        worker = Worker(name, process, log)
        self.workers.append(worker)
        return worker

    def start_ready(self, service: str, **environment: str) -> Worker:
        """Start a worker and wait until it is ready."""
        worker = self.start(service, **environment)

        def ready() -> bool:
            assert worker.process.poll() is None, f"{worker.name} has ended:\n{worker.text}"
            return worker.ready()

        wait_until(ready, 60, f"{worker.name} is ready; its log:\n{worker.log}")
        return worker

    # --- input

    def produce(self, logs: Sequence[Log], *, start: int = 0, stop: int | None = None) -> None:
        """Append the records [start:stop] of every log to its partition."""
        for partition, log in enumerate(logs):
            for value in log[start:stop]:
                self._send(partition, value, [])
        self._producer.flush()

    def end(self, partitions: int) -> None:
        """Append the mark that ends a finite log to every partition."""
        for partition in range(partitions):
            self._send(partition, None, [("earlywarn-control", b"end")])
        self._producer.flush()

    def _send(self, partition: int, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        while True:
            try:
                self._producer.produce(self.topics.transactions, value, partition=partition, headers=headers)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise
                self._producer.poll(0.1)  # until it has heard that the topic has grown
            else:
                return

    # --- output

    def read(self, topic: str) -> Iterator[Any]:
        """Yield the committed records that stand in a topic now."""
        consumer = Consumer(
            {
                **confluent_connection(self.settings.kafka),
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,  # a topic that is written all the time has an end as well
            }
        )
        try:
            partitions = consumer.list_topics(topic, 10).topics[topic].partitions
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            left = len(partitions)
            while left:
                message = consumer.poll(10)
                if message is None:
                    raise TimeoutError(f"{topic} cannot be read to its end")
                if message.error():
                    left -= 1
                else:
                    yield message
        finally:
            consumer.close()

    def published(self) -> Published:
        """Return what stands in `alerts` and `aggregates`."""
        found = Published()
        for topic, values in ((self.topics.alerts, found.alerts), (self.topics.aggregates, found.aggregates)):
            for message in self.read(topic):
                key = message.key().decode()
                found.times[key] += 1
                values[key] = message.value()
        return found

    def wait_for(self, expected: Published, seconds: float = 270) -> Published:
        """Wait until the last of what is expected stands there, and return all that does."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.published()
            if len(found.alerts) >= len(expected.alerts) and found.essence == expected.essence:
                return found
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {each.name}\n{each.text[-1500:]}" for each in self.workers)
                raise TimeoutError(
                    f"{len(found.essence)} of {len(expected.essence)} buckets, "
                    f"{len(found.alerts)} of {len(expected.alerts)} alerts after {seconds} s\n{logs}"
                )
            time.sleep(0.3)


# --- what must come out


@dataclass
class _Batch:
    outcomes: Sequence[Outcome]


class _Feed:
    def __init__(self, log: Log) -> None:
        self._log = log

    def batches(self) -> Iterator[_Batch]:
        for start in range(0, len(self._log), 500):
            yield _Batch(decode(self._log[start : start + 500]))


class _Sink:
    def __init__(self) -> None:
        self.published = Published()
        self.rejected: Counter[str] = Counter()

    def publish(self, output: Output) -> None:
        if isinstance(output, AggregateRows):
            self.published.aggregates.update((key.decode(), value) for key, value in encode_rows(output))
        elif isinstance(output, Alert):
            key, value = encode_alert(output)
            self.published.alerts[key.decode()] = value

    def reject(self, batch: _Batch, index: int, reject: Reject) -> None:  # noqa: ARG002  # the protocol's
        self.rejected[reject.reason.value] += 1

    def advance(self, records: int) -> None:
        pass


def expected(run: Run, logs: Sequence[Log]) -> tuple[Published, Counter[str]]:
    """Return what a run over these logs publishes in one undisturbed process, and its rejects by reason."""
    sink = _Sink()
    run_embedded(run, [_Feed(log) for log in logs], sink, received_ms=RECEIVED_MS)
    return sink.published, sink.rejected


def final_days(published: Published) -> dict[tuple[str, str], tuple[int, int]]:
    """Return (transactions, amount) of every cell and day, in its latest vintage."""
    newest: dict[tuple[str, str], tuple[int, tuple[int, int]]] = {}
    for value in published.aggregates.values():
        row = msgspec.json.decode(value)
        if row["bucket"] == "day" and row["level"] == "cell":
            key = (row["series_id"], row["start"][:10])
            if key not in newest or newest[key][0] < row["vintage"]:
                newest[key] = (row["vintage"], (row["transactions"], row["amount_minor"]))
    return {key: sums for key, (_, sums) in newest.items()}


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition.

    A wait of a minute or more promises nothing but an end: on a busy machine it lasts up to three times as long.
    """
    deadline = time.monotonic() + (seconds if seconds < _NO_PROMISE_SECONDS else 3 * seconds)
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.1)
