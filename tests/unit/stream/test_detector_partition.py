"""When a detector's partition is caught up: with what was there when it began, once and for all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import encode_partial
from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.adapters.stream import detector_partition
from earlywarn.adapters.stream.detector_partition import DetectorPartition, DetectorParts
from earlywarn.aggregation.intake import decode
from earlywarn.application.compose import compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.detector import Progress
from earlywarn.application.service_settings import SnapshotSettings
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.application.snapshots import LogExtent
from earlywarn.errors import SnapshotError

START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000
AT_BEGINNING = 3
"""Partials that stand in the log when the partition is opened."""


class Readiness:
    """A publisher that notes whether the partition is caught up while it publishes."""

    def __init__(self) -> None:
        self.partition: DetectorPartition | None = None
        self.seen: list[tuple[Progress, bool]] = []

    def open(self) -> Progress:
        return Progress(0)

    def publish(self, _messages: Sequence[Any], progress: Progress) -> None:
        assert self.partition is not None
        self.seen.append((progress, self.partition.caught_up))


def partials() -> list[bytes]:
    """Return a log of partials that each close some hours."""
    run = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
    block = run.block_fold(0, 1)
    record = {"amount_minor": 100, "currency": "CHF", "mcc": "5411", "region": "CH04", "country": "CH"}
    records = [json.dumps(record | {"id": f"t{at}", "ts": START_MS + at * HOUR_MS}).encode() for at in range(60)]
    found = []
    for start in range(0, len(records), 10):
        offsets = range(start, start + 10)
        sealed, _ = block.add(offsets, decode(records[start : start + 10]), 4_000_000_000_000)
        news = block.flush()
        found += [*sealed, *([news] if news else [])]
    return [value for partial in found for _, value in encode_partial(partial) if value is not None]


class Away(FolderSnapshots):
    """A store that can keep nothing for a while."""

    away = True

    def save(self, partition: int, offset: int, snapshot: bytes) -> None:
        if self.away:
            raise SnapshotError("no room")
        super().save(partition, offset, snapshot)


def opened(publisher: object, store: FolderSnapshots, extent: LogExtent, *, least_seconds: float) -> DetectorPartition:
    run = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
    parts = DetectorParts(
        new_fold=lambda _: compose_fold(run, 1),
        new_publisher=lambda _q, _log: cast("Publisher", publisher),
        published_before=lambda _: 0,
        topics=RunTopics("test", "earlywarn."),
        partitions=1,
        snapshots=SnapshotSettings(least_seconds=least_seconds),
    )
    return DetectorPartition(parts, store, extent)


def test_a_snapshot_that_failed_is_tried_again_while_nothing_comes(tmp_path: Path) -> None:
    """A run may rest from then on, and has no other word of what is published when the broker forgets it."""
    publisher, log, store = Readiness(), partials(), Away(tmp_path, "log", kept=2)
    partition = publisher.partition = opened(publisher, store, LogExtent("log", 0, 0, 0), least_seconds=0.0)
    for offset, value in enumerate(log):
        partition.fold(RecordBatch("partials", 0, offset, offset + 1, [offset], [value], 0))
    partition.saved.result(10)
    assert not store.offsets(0)
    store.away = False
    partition.save_due()
    partition.saved.result(10)
    assert list(store.offsets(0)) == [len(log)]
    partition.save_due()  # there is nothing new
    assert partition.saved.done()


def test_what_is_being_folded_later_makes_nobody_unready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each output is published by itself here, so the publisher looks in the midst of a partial."""
    monkeypatch.setattr(detector_partition, "_MESSAGES_PER_TRANSACTION", 1)
    publisher, log = Readiness(), partials()
    store = FolderSnapshots(tmp_path, "log", kept=2)
    partition = opened(publisher, store, LogExtent("log", 0, 0, AT_BEGINNING), least_seconds=10.0)
    publisher.partition = partition
    assert not partition.caught_up
    for offset, value in enumerate(log):
        partition.fold(RecordBatch("partials", 0, offset, offset + 1, [offset], [value], 0))
        assert partition.caught_up == (offset + 1 >= AT_BEGINNING)
    assert publisher.seen
    assert all(ready == (progress.offset >= AT_BEGINNING) for progress, ready in publisher.seen)
    assert {(bool(progress.outputs), ready) for progress, ready in publisher.seen} > {(True, False), (True, True)}
