"""The backtest on a small synthetic panel: four cells of weekly rhythm and noise, half a year, no real data."""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pytest
from rich.console import Console

from earlywarn.aggregation.rows import ClosedDay, Coverage, FeedVolume
from earlywarn.application.backtest import BacktestPlan, BacktestResult, collect_history, run_backtest
from earlywarn.application.backtest.judge import Replay, judge_of
from earlywarn.application.backtest.plan import ShockMeasure
from earlywarn.application.backtest.result import share_with_errors
from earlywarn.application.backtest.trials import Delays, run_trials, schedule, shocked
from earlywarn.application.backtest.untouched import RateLimit, episode_starts, judge_untouched
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.cli.backtest_view import show_backtest
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.series import CellKey
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import ConfigError, InputError

CELLS = tuple(CellKey(region, sector) for region in ("R1", "R2") for sector in ("food", "fuel"))
FIRST = date(2021, 1, 4)
CELL = Node("cell", "R1", "food")
PLAN = BacktestPlan(changes_pct=(-50.0,), starts_per_target=3, warm_up_days=100, days=14)


def closed_days(count: int, seed: int = 1) -> tuple[ClosedDay, ...]:
    random = np.random.default_rng(seed)
    days = []
    for age in range(count):
        weekday = (FIRST + timedelta(age)).weekday()
        mean = np.array([900.0, 700.0, 1200.0, 500.0]) * (0.6 if weekday == 6 else 1.0 + 0.05 * weekday)
        counts = random.poisson(mean * np.exp(random.normal(0.0, 0.05, 4))).astype(np.int64)
        amounts = np.rint(counts * 3000 * np.exp(random.normal(0.0, 0.05, 4))).astype(np.int64)
        days.append(
            ClosedDay(
                "T",
                FIRST + timedelta(age),
                CELLS,
                counts,
                amounts,
                Coverage(),
                complete=True,
                cells_heard=np.ones(4),
                cells_new=np.zeros(4, dtype=bool),
            )
        )
    return tuple(days)


@pytest.fixture(scope="module")
def run() -> Run:
    panel = PanelSettings(
        id="T", currency="EUR", time_zone="UTC", region_level="none", any_region=True, classification="open"
    )
    return compose(Settings(run="backtest", panels=(panel,)))


@pytest.fixture(scope="module")
def days() -> tuple[ClosedDay, ...]:
    return closed_days(190)


def replay_of(run: Run, days: Sequence[ClosedDay], plan: BacktestPlan) -> Replay:
    return Replay(judge_of(run, "T"), days, plan, run.settings.coverage)


@pytest.fixture(scope="module")
def found(run: Run, days: tuple[ClosedDay, ...]) -> BacktestResult:
    plan = msgspec.structs.replace(PLAN, changes_pct=(-50.0, 0.0), false_per_series_year=12.0, calibrate_on="whole")
    return run_backtest(run, {"T": days}, plan)


def test_a_step_of_half_is_found_within_a_week(found: BacktestResult) -> None:
    for point in found.panels[0].points:
        step = point.detections[0]
        assert step.change_pct == -50.0
        assert step.trials + step.excluded == 12
        assert step.trials >= 6
        assert step.within[0].share >= 0.9
        assert step.median_delay_days is not None
        assert step.median_delay_days <= 3


def test_no_shock_finds_what_the_untouched_history_has_and_no_more(run: Run, days: tuple[ClosedDay, ...]) -> None:
    replay = replay_of(run, days, msgspec.structs.replace(PLAN, changes_pct=(0.0,), starts_per_target=10))
    untouched = judge_untouched(replay, 1.0)
    trials = run_trials(replay, untouched, schedule(replay.plan, replay.plan.targets(untouched.nodes), len(days)))
    run_through = [trial for trial in trials if not trial.excluded]
    assert any(trial.seen.alarm_days is not None for trial in run_through)
    assert any(trial.seen.alarm_days is None for trial in run_through)
    assert any(trial.seen.alert_days is not None for trial in run_through)
    assert [trial.seen for trial in run_through] == [trial.by_chance for trial in run_through]


def test_calibration_keeps_the_rate_and_one_step_lower_does_not(run: Run, found: BacktestResult) -> None:
    point = found.panels[0].points[1]
    cells = point.false_alarms[0]
    assert (point.chosen, cells.of, cells.series) == ("whole", "cell", 4)
    assert cells.whole.per_year is not None
    assert 0 < cells.whole.per_year <= 12.0
    replay = replay_of(run, closed_days(190), PLAN)
    limit = RateLimit(judge_untouched(replay, point.threshold), slice(100, None), 12.0, PLAN.quiet_days)
    lowest = limit.lowest()
    assert limit.holds(lowest)
    assert not limit.holds(lowest - 0.05)


def test_the_two_halves_make_the_whole(found: BacktestResult) -> None:
    for each in found.panels[0].points[1].false_alarms:
        assert each.first_half.episodes + each.second_half.episodes == each.whole.episodes
        assert each.first_half.years + each.second_half.years == pytest.approx(each.whole.years, abs=0.01)


def test_a_series_in_alarm_the_week_before_is_excluded_and_others_are_not(
    run: Run, days: tuple[ClosedDay, ...]
) -> None:
    shocks = replay_of(run, days, msgspec.structs.replace(PLAN, days=70))
    burning = [
        closed if place < 120 else shocked(closed, shocks, CELL, -60.0, place - 120)
        for place, closed in enumerate(days)
    ]
    replay = replay_of(run, burning, PLAN)
    untouched = judge_untouched(replay, 7.0)
    starts = {118: [CELL], 125: [CELL, Node("cell", "R2", "fuel")]}
    trials = run_trials(replay, untouched, starts)
    assert [trial.excluded for trial in trials] == [False, True, False]
    assert trials[1].seen == Delays()


def test_a_series_that_is_not_ready_is_excluded(run: Run, days: tuple[ClosedDay, ...]) -> None:
    replay = replay_of(run, days, msgspec.structs.replace(PLAN, warm_up_days=10))
    assert run_trials(replay, judge_untouched(replay, 7.0), {30: [CELL]})[0].excluded


def test_a_trial_sees_nothing_from_beyond_its_watch(run: Run, days: tuple[ClosedDay, ...]) -> None:
    start, plan = 120, msgspec.structs.replace(PLAN, changes_pct=(-12.0,))
    other = (*days[: start + plan.watched_days], *closed_days(190, seed=2)[start + plan.watched_days :])
    outcomes = []
    for history in (days, other):
        replay = replay_of(run, history, plan)
        outcomes.append(run_trials(replay, judge_untouched(replay, 3.0), {start: [CELL]}))
    assert outcomes[0] == outcomes[1]


def test_a_shock_of_a_region_is_found_at_its_region(run: Run, days: tuple[ClosedDay, ...]) -> None:
    plan = msgspec.structs.replace(PLAN, levels=("region",), regions=("R1",), false_per_series_year=None)
    (point,) = run_backtest(run, {"T": days}, plan).panels[0].points
    (step,) = point.detections
    assert (step.level, step.targets) == ("region", 1)
    assert step.within[0].share >= 0.9


def test_processes_do_not_change_the_result(run: Run, days: tuple[ClosedDay, ...]) -> None:
    plan = msgspec.structs.replace(PLAN, false_per_series_year=None, starts_per_target=2)
    told: list[tuple[int, int]] = []
    alone = run_backtest(run, {"T": days}, plan, progress=lambda done, total: told.append((done, total)))
    assert run_backtest(run, {"T": days}, plan, jobs=2) == alone
    assert (told[0], told[-1]) == ((0, 8), (8, 8))


@pytest.mark.parametrize(
    ("measure", "counts", "amounts"),
    [("both", [90, 50], [810, 500]), ("amount", [100, 50], [810, 500]), ("transactions", [90, 50], [900, 500])],
)
def test_a_shock_moves_its_measure_in_its_cells_alone(
    run: Run,
    measure: ShockMeasure,
    counts: list[int],
    amounts: list[int],
) -> None:
    closed = ClosedDay(
        "T",
        FIRST,
        CELLS[:2],
        np.array([100, 50]),
        np.array([900, 500]),
        Coverage(),
        complete=True,
        cells_heard=np.ones(2),
        cells_new=np.zeros(2, dtype=bool),
    )
    replay = replay_of(run, [closed], BacktestPlan(measure=measure))
    after = shocked(closed, replay, CELL, -10.0, 0)
    assert (after.transactions.tolist(), after.amount_minor.tolist()) == (counts, amounts)
    assert closed.transactions.tolist() == [100, 50]
    assert shocked(closed, replay, CELL, -10.0, replay.plan.days).transactions.tolist() == [100, 50]


def fed_days(count: int) -> tuple[ClosedDay, ...]:
    """Return the history as two sources delivered it, each half, and half a year of the past behind them."""
    return tuple(
        dataclasses.replace(
            closed,
            feeds=tuple(
                FeedVolume(
                    name, float(closed.transactions.sum() / 2), int(closed.transactions.sum() / 2), 0.0, young=False
                )
                for name in ("source a", "source b")
            ),
        )
        for closed in closed_days(count)
    )


def test_a_shock_takes_its_part_of_the_coverage(run: Run) -> None:
    """What a run could not tell from an outage lowers the coverage of the shocked day as it would there."""
    replay = replay_of(run, fed_days(190), PLAN)
    closed = replay.days[120]
    fallen = shocked(closed, replay, Node("panel"), -50.0, 0)
    assert fallen.coverage == closed.coverage
    collapsed = shocked(closed, replay, Node("panel"), -99.0, 0)
    assert (collapsed.coverage.volume, collapsed.coverage.silent) == (0.0, ("source a", "source b"))
    cell = shocked(closed, replay, CELL, -100.0, 0)
    assert cell.coverage.share == 1.0


@pytest.mark.parametrize("change_pct", [-99.0, -100.0])
def test_what_a_run_takes_for_an_outage_is_no_detection(run: Run, change_pct: float) -> None:
    """A panel of which next to nothing is left is muted; one that falls by half is found, and told."""
    plan = msgspec.structs.replace(PLAN, levels=("panel",), changes_pct=(change_pct, -50.0), starts_per_target=2)
    replay = replay_of(run, fed_days(190), plan)
    untouched = judge_untouched(replay, 7.0)
    trials = run_trials(replay, untouched, {130: [Node("panel")]})
    assert trials[0].seen == Delays()
    assert trials[1].seen.alarm_days is not None
    assert trials[1].seen.alert_days is not None


def test_a_day_without_anything_is_not_judged_whatever_is_muted(run: Run, days: tuple[ClosedDay, ...]) -> None:
    replay = replay_of(run, days, PLAN)
    judge = judge_of(run, "T")(7.0)
    for closed in days[:120]:
        judge.step(closed)
    assert not judge.step(shocked(days[120], replay, Node("panel"), -100.0, 0)).ready.any()
    assert judge.step(days[121]).ready.all()


def test_alarms_and_alerts_are_counted_apart(found: BacktestResult) -> None:
    """A node may stand above the threshold and be explained by its parent: the alert that is published counts."""
    for point in found.panels[0].points:
        for each in point.detections:
            for within in each.within:
                assert 0 <= within.published_chance <= within.published <= 1
                assert within.published_error > 0
    step = found.panels[0].points[0].detections[0]
    assert step.within[-1].published >= 0.9


def test_starts_follow_from_the_seed_and_lie_within_the_history() -> None:
    plan = BacktestPlan(starts_per_target=20, seeds=(1, 2), warm_up_days=100, days=28)
    starts = plan.starts(CELL, 190)
    assert starts == plan.starts(CELL, 190)
    assert starts != plan.starts(Node("cell", "R2", "food"), 190)
    assert len(starts) == 40
    assert min(starts) >= 100
    assert max(starts) + 28 <= 190


def test_an_episode_bridges_gaps_of_quiet_days_and_no_longer_ones() -> None:
    alarm = np.zeros((30, 1), dtype=bool)
    alarm[[0, 8, 17]] = True
    assert np.flatnonzero(episode_starts(alarm, 7)[:, 0]).tolist() == [0, 17]


def test_clustered_errors_are_those_of_the_clusters() -> None:
    """Four targets that always or never see the shock are four observations, however many trials there are."""
    hits = [target < 2 for target in range(4) for _ in range(25)]
    share, clustered, binomial = share_with_errors(hits, [target for target in range(4) for _ in range(25)])
    assert share == 0.5
    assert clustered == pytest.approx(0.2887, abs=1e-4)  # sqrt(4/3 x 4 x 12.5^2) / 100
    assert binomial == pytest.approx(0.05, abs=1e-3)


def test_a_history_too_short_says_what_it_needs(run: Run, days: tuple[ClosedDay, ...]) -> None:
    with pytest.raises(InputError, match=r"has 190 complete days.*need 214"):
        run_backtest(run, {"T": days}, msgspec.structs.replace(PLAN, warm_up_days=200))
    with pytest.raises(InputError, match="has 50 complete days"):
        run_backtest(run, {"T": days}, msgspec.structs.replace(PLAN, until=FIRST + timedelta(49)))


def test_a_plan_that_matches_nothing_says_what_there_is(run: Run, days: tuple[ClosedDay, ...]) -> None:
    with pytest.raises(ConfigError, match=r"regions \['R9'\].*the history has regions \['R1', 'R2'\]"):
        run_backtest(run, {"T": days}, msgspec.structs.replace(PLAN, regions=("R9",)))


def test_a_plan_reports_every_value_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError) as caught:
        BacktestPlan(changes_pct=(-120.0,), days=5, ramp_days=6, false_per_series_year=0.0)
    assert [line.split(" = ")[0] for line in str(caught.value).split("\n")] == [
        "backtest: changes_pct",
        "backtest: ramp_days",
        "backtest: false_per_series_year",
    ]


def test_the_table_holds_the_figures_and_json_takes_the_result(found: BacktestResult) -> None:
    text = io.StringIO()
    show_backtest(found, Console(file=text, width=160))
    step = found.panels[0].points[0].detections[0]
    assert f"{step.within[0].share:.3f} ±{step.within[0].standard_error:.3f}" in text.getvalue()
    assert f"{step.within[0].published:.3f} ±{step.within[0].published_error:.3f}" in text.getvalue()
    assert "in sample" in text.getvalue()
    assert msgspec.json.decode(msgspec.json.encode(found), type=BacktestResult) == found


@dataclasses.dataclass(frozen=True)
class Batch:
    outcomes: Sequence[Transaction]


class Feed:
    def __init__(self, currency: str) -> None:
        self._currency = currency

    def batches(self) -> Iterator[Batch]:
        for age in range(5):
            noon = datetime(2021, 1, 4, 12, tzinfo=UTC) + timedelta(age)
            yield Batch(
                [
                    Transaction(
                        id=f"{age}/{cell}",
                        ts=int(noon.timestamp() * 1000),
                        amount_minor=1000,
                        currency=self._currency,
                        sector=cell.sector,
                        region=cell.region,
                        count=10 + age,
                    )
                    for cell in CELLS
                ]
            )


def test_the_history_is_the_complete_days_that_a_run_judges(run: Run) -> None:
    history = collect_history(run, [Feed("EUR")], received_ms=int(datetime(2021, 2, 1, tzinfo=UTC).timestamp() * 1000))
    days = history.days["T"]
    # The first day begins at noon, and the end of the input cuts the last one short.
    assert [closed.transactions.tolist() for closed in days] == [[10 + age] * 4 for age in (1, 2, 3)]
    assert (history.records, dict(history.rejected)) == (20, {})


def test_a_history_of_rejects_alone_is_an_input_error_with_the_reasons(run: Run) -> None:
    seen: list[str] = []
    with pytest.raises(InputError, match=r"20 records give not one complete day .*currency_no_rate 20"):
        collect_history(
            run,
            [Feed("CHF")],
            received_ms=int(datetime(2021, 2, 1, tzinfo=UTC).timestamp() * 1000),
            reject=lambda _batch, _index, reject: seen.append(reject.reason.value),
        )
    assert seen == ["currency_no_rate"] * 20
