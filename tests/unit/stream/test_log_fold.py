"""What one partial makes publishable comes in pieces: whoever goes on behind a piece gives exactly the rest."""

import json

import pytest

from earlywarn.adapters.kafka.wire import encode_alert, encode_rows
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.detector import LogFold, Progress, Published
from earlywarn.application.settings import PanelSettings, Settings

DAYS = 120
START_MS = 1_551_702_896_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def run() -> Run:
    return compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",), resolution="day"),)))


@pytest.fixture(scope="module")
def log(run: Run) -> list[Partial]:
    """Return a log in which nothing closes until the other partition says its end; then all of it does."""
    block = run.block_fold(0, 2)
    records = [
        json.dumps(
            {
                "id": f"{day}-{region}", "ts": START_MS + day * DAY_MS, "amount_minor": 100 * count, "currency": "CHF",
                "mcc": "5411", "region": region, "country": "CH", "count": count,
            }
        ).encode()
        for day in range(DAYS)
        for region in ("CH01", "CH04", "CH05")
        for count in (1_000 + day % 7 if day < DAYS - 10 else 300,)
    ]  # fmt: skip
    partials, rejected = block.add(range(len(records)), decode(records), 4_000_000_000_000)
    assert not rejected
    return [*partials, *block.end(len(records)), *run.block_fold(1, 2).end(0)]


def given(fold: LogFold, log: list[Partial]) -> list[tuple[Progress, Published]]:
    return [(fold.reached, each) for offset, partial in enumerate(log) for each in fold.take(offset, partial)]


def encoded(outputs: list[tuple[Progress, Published]]) -> list[object]:
    return [list(encode_rows(each)) if isinstance(each, AggregateRows) else encode_alert(each) for _, each in outputs]


def test_a_successor_gives_exactly_the_rest(run: Run, log: list[Partial]) -> None:
    whole = given(LogFold(compose_fold(run, 2), position=0, published=Progress(0)), log)
    last = len(log) - 1
    assert len(whole) > DAYS
    assert {progress.offset for progress, _ in whole} == {last}
    assert [progress.outputs for progress, _ in whole] == list(range(1, len(whole) + 1))
    for cut in (1, len(whole) // 3, len(whole) - 1):
        reached, _ = whole[cut - 1]
        rest = given(LogFold(compose_fold(run, 2), position=0, published=reached), log)
        assert encoded(rest) == encoded(whole[cut:])
    assert given(LogFold(compose_fold(run, 2), position=0, published=Progress(last + 1)), log) == []


def test_outputs_come_as_buckets_close(run: Run, log: list[Partial]) -> None:
    """Not all at once: the fold has closed no more than was taken; and its state is then of no place in the log."""
    fold = LogFold(compose_fold(run, 2), position=0, published=Progress(0))
    for offset, partial in enumerate(log[:-1]):
        assert list(fold.take(offset, partial)) == []
    outputs = fold.take(len(log) - 1, log[-1])
    next(outputs)
    assert (fold.closed_buckets, fold.reached) == (1, Progress(len(log) - 1, 1))
    assert len(list(outputs)) > DAYS
    assert fold.reached == Progress(len(log))
