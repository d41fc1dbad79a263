"""The workload of `make bench-stream`: the same bytes for the same seed, and counts that can be relied on."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from earlywarn.aggregation.intake import decode
from earlywarn.domain.transaction import Transaction
from earlywarn.reference.classifications import load_classification

FOLDER = Path(__file__).resolve().parents[2] / "bench" / "stream"
EVENTS = 20_000


@pytest.fixture(scope="module")
def job() -> Iterator[ModuleType]:
    """The module as its scripts see it: beside them on the path, which other tests must not notice."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import job as module  # noqa: PLC0415  # it is on the path here alone

        yield module
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_bytes_are_the_same_in_every_run_and_version(job: ModuleType) -> None:
    digest = hashlib.sha256()
    for partition, value, _, _ in job.transactions(job.Workload(EVENTS, shares=job.UNEVEN)):
        digest.update(b"%d %b\n" % (partition, value))
    assert digest.hexdigest() == "00c1ab4178ccdc98db9a13ab0744609f94191cda11a5faf542921145d3133bff"


def test_another_seed_gives_other_transactions(job: ModuleType) -> None:
    one = [value for _, value, _, _ in job.transactions(job.Workload(100))]
    other = [value for _, value, _, _ in job.transactions(job.Workload(100, seed=1))]
    assert not set(one) & set(other)


@pytest.mark.parametrize("shares", ["EVEN", "UNEVEN"])
def test_partitions_hold_their_share_in_the_order_of_time(job: ModuleType, shares: str) -> None:
    workload = job.Workload(EVENTS, shares=getattr(job, shares))
    newest = [0] * len(workload.shares)
    held: Counter[int] = Counter()
    for partition, value, _, _ in job.transactions(workload):
        ts = msgspec.json.decode(value)["ts"]
        held[partition] += 1
        assert ts >= newest[partition] - job.JITTER_MS
        newest[partition] = max(newest[partition], ts)
    assert tuple(held[partition] for partition in range(8)) == workload.per_partition
    assert sum(workload.per_partition) == EVENTS
    last_hour = job.START_MS + workload.days * job.DAY_MS - 3_600_000
    assert all(time > last_hour for time in newest), "every partition reaches the end of the history"


def test_the_plain_count_is_what_the_product_reads_from_the_bytes(job: ModuleType) -> None:
    workload = job.Workload(EVENTS)
    classification = load_classification("mcc")
    totals: dict[tuple[str, str, int], list[int]] = {}
    for transaction in decode([value for _, value, _, _ in job.transactions(workload)]):
        assert isinstance(transaction, Transaction)
        sector = classification.class_of(transaction.mcc, None, None)
        entry = totals.setdefault((transaction.region, sector, transaction.ts // 3_600_000 * 3_600_000), [0, 0])
        entry[0] += 1
        entry[1] += transaction.amount_minor
    assert job.expected(workload) == {cell: tuple(entry) for cell, entry in totals.items()}


def test_the_job_is_of_the_size_that_was_promised(job: ModuleType) -> None:
    rows = list(job.transactions(job.Workload(EVENTS)))
    assert 190 < sum(len(value) for _, value, _, _ in rows) / EVENTS < 220
    assert len({region for _, _, (region, _, _), _ in rows}) == 7
    assert len({msgspec.json.decode(value)["mcc"] for _, value, _, _ in rows}) == 25
    assert len({sector for _, _, (_, sector, _), _ in rows}) == 16
