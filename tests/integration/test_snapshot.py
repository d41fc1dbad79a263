"""A snapshot holds all there is: small, and restored to the same future outputs, byte for byte."""

from bisect import bisect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from command_line import PANEL, SAMPLE

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import open_inputs, shipped_mapping
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import JudgedDay, Output, RunFold
from earlywarn.application.settings import Settings, load
from earlywarn.detection import MODEL_VERSION
from earlywarn.domain.reject import Reject
from earlywarn.domain.state import decode_state, encode_state
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import SnapshotError
from earlywarn.generate import GenerateOptions, generate, synthetic_cells

RECEIVED_MS = 1_767_225_600_000
SNAPSHOT_LIMIT_BYTES = 4_000_000


def plain(output: Output) -> object:
    """Return an output as values that compare bit for bit."""
    if isinstance(output, AggregateRows):
        arrays = [output.vintage, output.transactions, output.amount_minor, *output.windows.values()]
        return (output.bucket, output.start, output.series, [each.tobytes() for each in arrays], output.coverage)
    if isinstance(output, JudgedDay):
        scores = output.scores
        return (
            scores.day,
            scores.down.score.tobytes(),
            scores.up.score.tobytes(),
            scores.transactions.expected.tobytes(),
        )
    return msgspec.json.encode(output)


def swiss() -> tuple[Run, list[Partial]]:
    """Return the run of the 49 Swiss series (without 9999) and its partials."""
    run = compose(load(PANEL, {}))
    inputs = open_inputs([str(SAMPLE)], shipped_mapping("swiss-cards"))
    block = run.block_fold(0, 1)
    partials: list[Partial] = []
    for batch in feeds_of(inputs, run.panels[0].panel.calendar)[0].batches():
        outcomes = [each for each in batch.outcomes if isinstance(each, Reject) or each.region != "9999"]
        sealed, _ = block.add(range(block.position, block.position + len(outcomes)), outcomes, RECEIVED_MS)
        partials += sealed
    last = block.flush()
    assert last is not None
    return run, [*partials, last]


def hourly() -> tuple[Run, list[Partial]]:
    """Return a run of 49 series by the hour over 14 months, with late rows, and its partials."""
    panel = msgspec.structs.replace(load(PANEL, {}).panels[0], resolution="hour")
    run = compose(Settings(run="hourly", panels=(panel,)))
    options = GenerateOptions(seed=5, transactions=60_000, late_share=0.01)
    block = run.block_fold(0, 1)
    partials: list[Partial] = []
    for lines in generate(synthetic_cells(seed=5, days=425), options):
        sealed, _ = block.add(range(block.position, block.position + len(lines)), decode(lines), RECEIVED_MS)
        partials += sealed
    last = block.flush()
    assert last is not None
    return run, [*partials, last]


def played(factor: Callable[[Transaction], float], *, rows: int) -> tuple[Run, list[Partial]]:
    """Return the Swiss run with every record times a factor, and a partial for every so many rows."""
    run = compose(load(PANEL, {}))
    inputs = open_inputs([str(SAMPLE)], shipped_mapping("swiss-cards"))
    block = run.block_fold(0, 1)
    partials: list[Partial] = []
    for batch in feeds_of(inputs, run.panels[0].panel.calendar)[0].batches():
        for at, outcome in enumerate(batch.outcomes):
            assert isinstance(outcome, Transaction)
            times = factor(outcome)
            count, amount_minor = round(times * outcome.count), round(times * outcome.amount_minor)
            changed = msgspec.structs.replace(outcome, count=count, amount_minor=amount_minor)
            sealed, _ = block.add([block.position], [changed], RECEIVED_MS)
            news = block.flush() if at % rows == 0 else None
            partials += sealed if news is None else [*sealed, news]
    last = block.flush()
    return run, partials if last is None else [*partials, last]


def starts(*days: tuple[int, int]) -> list[float]:
    return [datetime(2019, month, day, tzinfo=UTC).timestamp() for month, day in days]


def shocked() -> tuple[Run, list[Partial]]:
    """Return a history of shocks that follow each other, each taken back with its end, and a partial a week."""
    days = starts((9, 9), (9, 23), (10, 14), (10, 28))
    return played(lambda each: (1.0, 0.7, 1.3, 0.6, 1.0)[bisect(days, each.ts / 1000)], rows=350)


def nested() -> tuple[Run, list[Partial]]:
    """Return a history of a shock of one region within one of all, which is over before it, and a partial a day."""
    nation, region = starts((8, 26), (9, 9)), starts((9, 2), (9, 23))

    def factor(each: Transaction) -> float:
        own = (1.0, 0.25, 1.0)[bisect(region, each.ts / 1000)] if each.region == "CH05" else 1.0
        return own if own < 1 else (1.0, 0.65, 1.0)[bisect(nation, each.ts / 1000)]

    return played(factor, rows=50)


@pytest.mark.parametrize(("history", "times"), [(swiss, 3), (hourly, 3), (shocked, 24), (nested, 90)])
def test_a_restored_fold_gives_the_same_future(history: object, times: int) -> None:
    """Wherever the log is cut, a fold restored there publishes what the undisturbed one does, and stands the same."""
    run, partials = history()  # type: ignore[operator]  # one of those above
    cuts = sorted(np.random.default_rng(3).choice(len(partials), times, replace=False).tolist())
    undisturbed, restored = compose_fold(run, 1), compose_fold(run, 1)
    for at, partial in enumerate(partials):
        if at in cuts:
            snapshot = undisturbed.snapshot()
            restored = compose_fold(run, 1)
            restored.restore(snapshot)
            assert restored.snapshot() == snapshot
        for one, other in zip(undisturbed.apply(partial), _all(restored, partial), strict=True):
            assert plain(one) == plain(other)
    assert undisturbed.snapshot() == restored.snapshot()
    assert len(undisturbed.snapshot()) < SNAPSHOT_LIMIT_BYTES


def _all(fold: RunFold, partial: Partial) -> Iterator[Output]:
    yield from fold.apply(partial)


def test_a_foreign_snapshot_is_refused() -> None:
    """A snapshot of another configuration, or bytes that are none, raise an error that says what to do."""
    settings = load(PANEL, {})
    run = compose(settings)
    other = compose(msgspec.structs.replace(settings, fold=msgspec.structs.replace(settings.fold, lateness_seconds=60)))
    with pytest.raises(SnapshotError, match="fold the log from its start"):
        compose_fold(other, 1).restore(compose_fold(run, 1).snapshot())
    with pytest.raises(SnapshotError):
        compose_fold(run, 1).restore(b"rubbish")


@pytest.mark.parametrize(("models", "named"), [("1", "version 1,"), (None, "version before 2,")])
def test_a_snapshot_of_another_state_layout_is_refused(models: str | None, named: str) -> None:
    """Older models' state under the very same configuration is not misread: the error names both versions."""
    run = compose(load(PANEL, {}))
    saved = decode_state(compose_fold(run, 1).snapshot())
    del saved["models"]
    older = encode_state(saved if models is None else {**saved, "models": models})
    with pytest.raises(SnapshotError, match=f"{named} this program has version {MODEL_VERSION} .* fold the log from"):
        compose_fold(run, 1).restore(older)


def test_the_sample_is_where_the_tests_expect_it() -> None:
    """The sample and its panel are in the repository, with their source beside them."""
    assert SAMPLE.is_file()
    assert "Monitoring Consumption Switzerland" in Path(SAMPLE.parent / "NOTICE.md").read_text()
