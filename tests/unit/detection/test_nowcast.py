"""The running day before it closes: early scores, the whole day, and the budget of false provisional alerts."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from earlywarn.detection.day_scores import Floats
from earlywarn.detection.diurnal_profile import HOURS
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.nowcast import Before, Expectation, Nowcast
from earlywarn.detection.nowcast_parameters import NowcastParameters
from earlywarn.detection.symmetric_form import DenseForm
from earlywarn.errors import ConfigError
from earlywarn.generate.options import HOURLY_PROFILE

COURSE = np.array(HOURLY_PROFILE) / sum(HOURLY_PROFILE)
TREE = NodeTree([(region, sector) for region in ("R1", "R2") for sector in ("a", "b")])
CELLS, SIZES, SD = 4, np.array([4000.0, 1000.0, 200.0, 2.0]), 0.05
KINDS, CLOCK, HEARD = np.zeros(CELLS, dtype=np.int64), np.ones(HOURS), np.ones((CELLS, HOURS), dtype=bool)
EXPECTED = Expectation(np.tile(SIZES, 2), np.full(2 * CELLS, SD), DenseForm(np.eye(2 * CELLS)))


def drawn(rng: np.random.Generator, factor: float = 1.0) -> Floats:
    """Return the hours of a day: its levels vary as expected."""
    levels = SIZES * factor * np.exp(SD * rng.standard_normal(CELLS))
    return rng.poisson(levels[:, None] * COURSE).astype(np.float64)


def day(nowcast: Nowcast, hours: Floats, hour: int = 23) -> float:
    """Let a day pass up to an hour and return its largest score."""
    nowcast.begin(EXPECTED, KINDS, CLOCK)
    return max(max(early.down.max(), early.up.max()) for early in looks(nowcast, hours, hour))


def looks(nowcast: Nowcast, hours: Floats, last: int) -> Iterator[object]:
    for hour in range(last + 1):
        yield nowcast.look(hour, hours, HEARD)


def taught(days: int = 200, seed: int = 1, **changed: float) -> tuple[Nowcast, int]:
    """Return a nowcast after so many undisturbed days, and on how many of them it alarmed."""
    rng, nowcast, false = np.random.default_rng(seed), Nowcast(NowcastParameters(**changed), TREE), 0
    for _ in range(days):
        hours, threshold = drawn(rng), nowcast.threshold
        false += day(nowcast, hours) > threshold
        nowcast.close(hours, HEARD)
    return nowcast, false


@pytest.fixture(scope="module")
def known() -> Nowcast:
    return taught()[0]


def fresh(known: Nowcast) -> Nowcast:
    nowcast = Nowcast(known.parameters, TREE)
    nowcast.restore(known.state())
    nowcast.begin(EXPECTED, KINDS, CLOCK)
    return nowcast


def test_a_fall_by_half_is_told_by_noon_where_enough_is_expected(known: Nowcast) -> None:
    nowcast = fresh(known)
    early = nowcast.look(12, drawn(np.random.default_rng(5), 0.5), HEARD)
    assert (early.down > nowcast.threshold)[[0, 1, 4, 8]].all()
    assert not early.up.any()
    assert early.down[3] == 0
    assert np.isnan(early.total[3])  # two payments a day say nothing by noon


def test_a_day_of_which_the_calendar_knows_little_says_little(known: Nowcast) -> None:
    nowcast, special = fresh(known), np.zeros(len(TREE.nodes), dtype=bool)
    special[0] = True
    nowcast.begin(msgspec.structs.replace(EXPECTED, special=special), KINDS, CLOCK)
    early = nowcast.look(12, drawn(np.random.default_rng(5), 0.5), HEARD)
    assert early.down[0] <= 0.5 * nowcast.parameters.clip_special**2
    assert early.down[1] > nowcast.threshold


def test_a_rise_is_told_as_one(known: Nowcast) -> None:
    nowcast = fresh(known)
    early = nowcast.look(15, drawn(np.random.default_rng(5), 1.6), HEARD)
    assert early.up[8] > nowcast.threshold
    assert early.down[8] == 0


def test_the_budget_of_false_days_holds_without_any_tuning() -> None:
    days, budget = 1500, 24.0
    false = taught(days, seed=3, false_days_year=budget)[1]
    expected = budget * days / 365
    assert false < expected + 3 * np.sqrt(expected)
    assert false > expected - 4 * np.sqrt(expected)


def test_there_is_no_alarm_before_the_budget_can_be_kept() -> None:
    nowcast, false = taught(28 + 59)
    assert nowcast.threshold == np.inf
    assert false == 0
    assert taught(28 + 60)[0].threshold < np.inf


def test_scores_that_the_close_confirms_are_no_errors(known: Nowcast) -> None:
    nowcast, hours = fresh(known), drawn(np.random.default_rng(5), 0.5)
    largest = max(known.maxima)
    assert day(nowcast, hours) > largest
    nowcast.close(hours, HEARD, confirmed=np.ones((2, len(TREE.nodes)), dtype=bool))
    assert max(nowcast.maxima) == largest


def test_the_whole_day_lies_in_its_interval_and_is_what_was_seen_at_its_end(known: Nowcast) -> None:
    nowcast, rng, inside = fresh(known), np.random.default_rng(7), []
    for _ in range(300):
        hours = drawn(rng)
        early, truth = nowcast.look(12, hours, HEARD), TREE.sums(hours.sum(axis=1))
        inside.append(((early.lower <= truth) & (truth <= early.upper))[[0, 1, 8]])
    assert 0.92 < np.mean(inside) < 0.99
    last = nowcast.look(23, hours, HEARD)
    assert last.total[[0, 1, 8]] == pytest.approx(truth[[0, 1, 8]], rel=1e-9)
    assert last.upper[0] - last.lower[0] == pytest.approx(0.0, abs=1e-6)


def test_hours_that_were_not_heard_are_not_expected(known: Nowcast) -> None:
    nowcast, hours, heard = fresh(known), drawn(np.random.default_rng(5)), HEARD.copy()
    heard[:, 9:12] = False
    early = nowcast.look(14, np.where(heard, hours, 0.0), heard)
    assert max(early.down.max(), early.up.max()) < nowcast.threshold
    assert early.total[0] == pytest.approx(SIZES[0], rel=0.15)


def test_evidence_of_the_days_before_adds_to_that_of_today(known: Nowcast) -> None:
    hours, nodes = drawn(np.random.default_rng(5), 0.85), len(TREE.nodes)
    information = np.full((nodes, 3), 400.0)
    before = Before(-0.16 * information, information, np.full((nodes, 3), 0.9))
    alone, together = fresh(known).look(12, hours, HEARD), fresh(known).look(12, hours, HEARD, before)
    assert (together.down >= alone.down).all()
    assert together.down[8] > alone.down[8] + 2


def test_a_snapshot_amid_a_day_goes_on_to_the_same_future(known: Nowcast) -> None:
    one, rng = fresh(known), np.random.default_rng(11)
    hours = drawn(rng, 0.8)
    for _ in looks(one, hours, 10):
        pass
    other = Nowcast(known.parameters, TREE)
    other.restore(one.state(), (EXPECTED, KINDS, CLOCK))
    for nowcast in (one, other):
        for hour in range(11, HOURS):
            nowcast.look(hour, hours, HEARD)
        nowcast.close(hours, HEARD)
    assert one.maxima == other.maxima
    assert np.array_equal(one.dispersion, other.dispersion)
    assert np.array_equal(one.profile.payments, other.profile.payments)


def test_a_day_of_23_hours_is_no_fall(known: Nowcast) -> None:
    nowcast, clock, heard = fresh(known), CLOCK.copy(), HEARD.copy()
    clock[2], heard[:, 2] = 0.0, False
    nowcast.begin(EXPECTED, KINDS, clock)
    hours = drawn(np.random.default_rng(5)) * clock
    scores = [nowcast.look(hour, hours, heard) for hour in range(HOURS)]
    assert max(max(early.down.max(), early.up.max()) for early in scores) < nowcast.threshold


def test_a_grown_tree_keeps_what_is_known(known: Nowcast) -> None:
    nowcast = fresh(known)
    grown = NodeTree([("R0", "a"), *TREE.series])
    nowcast.embed(grown)
    assert nowcast.dispersion[grown.index[TREE.nodes[-1]]] == known.dispersion[-1]
    assert nowcast.threshold == known.threshold


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(RuntimeError, match="begin"):
        Nowcast(NowcastParameters(), TREE).look(1, np.zeros((CELLS, HOURS)), HEARD)
    with pytest.raises(ConfigError, match="effect_min"):
        NowcastParameters(effect_min=2.0)
    assert msgspec.convert({"false_days_year": 12}, NowcastParameters).false_days_year == 12
