"""A backlog of fourteen months on eight partitions of very different size, read as fast as it goes, loses nothing.

An engine whose lateness is judged by one watermark over all partitions drops most of such a backlog: the partitions
that are read faster make the others late. Here the final aggregates and the alerts are those of the same records in
one partition, in the order of time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Log, Published, StreamRun, expected
from swiss_logs import PANEL, swiss_logs

SHARES = (30, 21, 15, 12, 9, 7, 4, 2)
SETTINGS = f"[topics]\ntransactions_partitions = {len(SHARES)}\nreplay = true\n{PANEL}"


def spread(log: Log) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a log, each split into those of eight acquirers by their shares, the larger into more."""
    for value in log:
        record = msgspec.json.decode(value or b"")
        left = {name: record[name] for name in ("count", "amount_minor")}
        for partition, share in reversed(list(enumerate(SHARES))):
            pieces = 1 + share // 10
            for piece in range(pieces):
                rest = partition == 0 and piece == pieces - 1
                part = {name: left[name] if rest else record[name] * share // (100 * pieces) for name in left}
                if part["count"]:
                    left = {name: left[name] - part[name] for name in left}
                    name = f"{record['id']}-{partition}-{piece}"
                    yield partition, msgspec.json.encode({**record, **part, "id": name})


def final(published: Published) -> dict[str, dict[str, Any]]:
    """Return the last vintage of every row; what share of the partitions reported is another matter."""
    return {
        key: {name: value for name, value in last.items() if not name.startswith("coverage")}
        for key, (_, last) in published.essence.items()
    }


def test_a_backlog_of_uneven_partitions_is_counted_like_one_log(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path
) -> None:
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        records = list(spread(swiss_logs(run.run, 1).logs[0]))
        logs: list[Log] = [[value for of, value in records if of == partition] for partition in range(len(SHARES))]
        assert len(logs[0]) > 2 * len(logs[-1]) > 0
        truth, rejected = expected(run.run, [[value for _, value in records]])
        run.produce(logs)
        run.end(len(SHARES))
        run.start("aggregator")
        run.start("aggregator")
        run.start("detector")
        found = run.wait_for(expected(run.run, logs)[0], 180)
        assert not rejected
        assert found.alerts == truth.alerts
        assert final(found) == final(truth)
        assert found.repeated == []
        assert found.alerts
