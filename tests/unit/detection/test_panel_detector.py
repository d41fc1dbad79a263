"""The panel's detector as a whole: nothing from the future, nothing poisons it, its state is all there is."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.hierarchy import Node
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.day_features import DayFeatures
from earlywarn.domain.state import decode_state, encode_state

SERIES = tuple((region, sector) for region in ("A", "B", "C") for sector in ("x", "y", "z"))
FIRST = date(2021, 1, 4)
DAYS = 200
Counts = npt.NDArray[np.int64]
Change = Callable[[int, Counts, Counts], tuple[Counts, Counts]]


def history() -> list[tuple[Counts, Counts]]:
    """Return counts and amounts of nine cells with weekdays and common noise."""
    rng = np.random.default_rng(3)
    level = np.exp(rng.uniform(5.5, 9.0, len(SERIES)))
    found = []
    common = 0.0
    for day in range(DAYS):
        common = 0.6 * common + 0.03 * rng.standard_normal()
        weekday = [0.0, 0.0, 0.05, 0.05, 0.2, 0.1, -0.6][day % 7]
        counts = rng.poisson(level * np.exp(weekday + common + 0.03 * rng.standard_normal(len(SERIES))))
        amounts = np.round(counts * 4000 * np.exp(0.02 * rng.standard_normal(len(SERIES))))
        found.append((counts.astype(np.int64), amounts.astype(np.int64)))
    return found


HISTORY = history()


def detector() -> PanelDetector:
    return PanelDetector(DetectorParameters(), DayFeatures(lambda _region, _day: 0.0))


def run(change: Change | None = None, days: int = DAYS, model: PanelDetector | None = None) -> list[DayScores]:
    model = model or detector()
    found = []
    for at, (counts, amounts) in enumerate(HISTORY[:days]):
        if change is not None:
            counts, amounts = change(at, counts.copy(), amounts.copy())
        found.append(model.step(FIRST + timedelta(days=at), SERIES, counts, amounts, usable=True))
    return found


def same(one: DayScores, other: DayScores) -> bool:
    return all(
        getattr(getattr(one, part), name).tobytes() == getattr(getattr(other, part), name).tobytes()
        for part, names in (
            ("down", ("score", "effect", "effect_sd", "onset_age_days")),
            ("up", ("score", "effect")),
            ("transactions", ("expected", "lower", "upper", "z")),
            ("amount", ("expected", "z")),
        )
        for name in names
    )


def evidence(scores: DayScores, region: str, sector: str) -> float:
    return float(scores.down.score[scores.nodes.index(Node("cell", region, sector))])


UNTOUCHED = run()


def test_the_output_on_a_cut_input_is_the_cut_output() -> None:
    """Nothing comes from the future: the scores of 150 days are the first 150 scores of 200 days."""
    assert all(same(one, other) for one, other in zip(run(days=150), UNTOUCHED[:150], strict=True))


@pytest.mark.parametrize("cut", [1, 70, 150])
def test_a_restored_detector_goes_on_bit_for_bit(cut: int) -> None:
    model = detector()
    run(days=cut, model=model)
    restored = detector()
    restored.restore(decode_state(encode_state(model.state())))
    for at in range(cut, DAYS):
        counts, amounts = HISTORY[at]
        scores = restored.step(FIRST + timedelta(days=at), SERIES, counts, amounts, usable=True)
        assert same(scores, UNTOUCHED[at])


def test_a_large_panel_is_restored_bit_for_bit_and_grows_out_of_all_pairs() -> None:
    """Beyond the switch to blocks and factors, reached by growing: what comes after a snapshot is the same."""
    rng = np.random.default_rng(6)
    series = tuple((f"{region:02}", f"{sector}") for region in range(20) for sector in range(9))
    before = tuple(key for key in series if key[1] < "5")
    limit = DetectorParameters().whitening.full_up_to_series
    assert 2 * len(before) <= limit < 2 * len(series)
    level = np.exp(rng.uniform(4.0, 9.0, len(series)))
    model, restored = detector(), detector()
    for at in range(130):
        counts = rng.poisson(level * np.exp(0.05 * rng.standard_normal() + 0.04 * rng.standard_normal(len(series))))
        counts[(at + np.arange(len(series))) % 37 == 0] = 0
        amounts = np.round(counts * 3000 * np.exp(0.03 * rng.standard_normal(len(series)))).astype(np.int64)
        present = np.array([at >= 80 or key in before for key in series])
        day, keys = FIRST + timedelta(days=at), tuple(key for key in series if at >= 80 or key in before)
        scores = model.step(day, keys, counts[present], amounts[present])
        if at == 115:
            state = encode_state(model.state())
            restored.restore(decode_state(state))
            assert encode_state(restored.state()) == state
        if at > 115:
            assert same(scores, restored.step(day, keys, counts[present], amounts[present]))
    assert encode_state(restored.state()) == encode_state(model.state())
    assert len(model.state()["evidence"]["correlation"]["pairs"]) == 20 * 9 * 19
    assert scores.down.score.max() > 0


def test_a_step_down_is_seen_in_its_cell_and_sized_by_sign() -> None:
    def change(at: int, counts: Counts, amounts: Counts) -> tuple[Counts, Counts]:
        if at >= 150:
            counts[4], amounts[4] = counts[4] * 6 // 10, amounts[4] * 6 // 10
        return counts, amounts

    shocked = run(change)[153]
    assert evidence(shocked, *SERIES[4]) > 10
    place = shocked.nodes.index(Node("cell", *SERIES[4]))
    assert shocked.down.effect[place] < -0.1
    assert shocked.down.onset_age_days[place] in {2, 3, 4}
    others = [at for at, node in enumerate(shocked.nodes) if node.level == "cell" and at != place]
    assert max(shocked.down.score[others]) < 10


def test_one_wild_day_raises_little_and_is_soon_forgotten() -> None:
    """A 100-fold outlier on one day is bounded evidence, and the expectation of the next weeks hardly moves."""

    def change(at: int, counts: Counts, amounts: Counts) -> tuple[Counts, Counts]:
        if at == 150:
            counts[2], amounts[2] = counts[2] * 100, amounts[2] * 100
        return counts, amounts

    wild = run(change)
    assert np.isfinite(wild[150].up.score).all()
    for at in (151, 157, 170):
        ratio = wild[at].transactions.expected[2] / UNTOUCHED[at].transactions.expected[2]
        assert 0.85 < ratio < 1.2


@pytest.mark.parametrize("what", ["zeros", "gap", "unusable"])
def test_nothing_poisons_the_models(what: str) -> None:
    """Sixty days of zeros in a cell, of no days at all, or of days that may not be used leave finite, sane scores."""
    model = detector()
    last = None
    for at, (counts, amounts) in enumerate(HISTORY):
        hit = 100 <= at < 160
        if hit and what == "gap":
            continue
        counts, amounts = counts.copy(), amounts.copy()
        if hit and what == "zeros":
            counts[1] = amounts[1] = 0
        usable = not (hit and what == "unusable")
        last = model.step(FIRST + timedelta(days=at), SERIES, counts, amounts, usable=usable)
    assert last is not None
    for part in (last.down, last.up):
        assert np.isfinite(part.score).all()
    healthy = [at for at in range(len(SERIES)) if at != 1]
    ratio = last.transactions.expected[healthy] / np.array(HISTORY[-1][0])[healthy]
    assert (np.abs(np.log(ratio)) < 0.4).all()


def test_a_series_that_appears_later_does_not_disturb_the_others() -> None:
    model = detector()
    for at, (counts, amounts) in enumerate(HISTORY[:120]):
        known = 8 if at < 60 else 9
        scores = model.step(FIRST + timedelta(days=at), SERIES[:known], counts[:known], amounts[:known], usable=True)
    assert len([node for node in scores.nodes if node.level == "cell"]) == 9
    assert not scores.ready[scores.nodes.index(Node("cell", *SERIES[8]))]
    assert scores.ready[0]
    assert np.isfinite(scores.transactions.expected).all()


def test_the_running_day_is_expected_to_be_as_at_its_close_and_asking_teaches_nothing() -> None:
    model, day = detector(), FIRST + timedelta(days=150)
    run(days=150, model=model)
    before = encode_state(model.state())
    expected, evidence_before = model.expected(day)
    assert encode_state(model.state()) == before
    assert evidence_before.footprint.max() <= 1.0
    scores = model.step(day, SERIES, *HISTORY[150])
    # At the close the ratio of means to medians has learned the day itself.
    assert np.allclose(expected.means[: len(SERIES)], scores.transactions.expected[: len(SERIES)], rtol=0.005)
    with pytest.raises(ValueError, match="expected of days after"):
        model.expected(day)


def test_days_must_ascend() -> None:
    model = detector()
    counts, amounts = HISTORY[0]
    model.step(FIRST, SERIES, counts, amounts, usable=True)
    with pytest.raises(ValueError, match=str(FIRST)):
        model.step(FIRST, SERIES, counts, amounts, usable=True)


def heard_but(region: str) -> npt.NDArray[np.bool_]:
    return np.array([key[0] != region for key in SERIES])


def test_cells_that_were_not_heard_are_missing_and_totals_go_on_without_them() -> None:
    """A silent region gives no evidence of a fall, is not told, and does not pull the panel down; its models keep."""
    model, calm = detector(), detector()
    run(model=model, days=150)
    run(model=calm, days=150)
    for at, (counts, amounts) in enumerate(HISTORY[150:160], start=150):
        day, heard = FIRST + timedelta(days=at), heard_but("B")
        scores = model.step(day, SERIES, counts * heard, amounts * heard, heard=heard)
        calm_scores = calm.step(day, SERIES, counts, amounts)
        region, panel = scores.nodes.index(Node("region", region="B")), scores.nodes.index(Node("panel"))
        assert not scores.heard[[3, 4, 5, region]].any()
        assert np.isnan(scores.amount.expected[[3, 4, 5, region]]).all()
        assert scores.down.score[[3, 4, 5, region]].max() < 3
        others = calm_scores.amount.expected[[0, 1, 2, 6, 7, 8]].sum()
        assert scores.amount.expected[panel] == pytest.approx(others, rel=0.05)
        assert scores.amount.observed[panel] == amounts[heard].sum()
        assert abs(float(scores.effects.effect[1, panel, 0])) < 0.2
    counts, amounts = HISTORY[160]
    again = model.step(FIRST + timedelta(days=160), SERIES, counts, amounts)
    undisturbed = calm.step(FIRST + timedelta(days=160), SERIES, counts, amounts)
    assert again.amount.expected == pytest.approx(undisturbed.amount.expected, rel=0.1)
    assert again.heard.all()


def test_models_that_begin_anew_take_what_comes_as_usual() -> None:
    """Four tenths of the volume are gone for good: after a new beginning that is no evidence of a fall."""

    def lost(anew: bool) -> float:  # noqa: FBT001  # the two cases
        model = detector()
        run(model=model, days=150)
        if anew:
            model.begin_anew(np.ones(len(SERIES), dtype=bool))
        highest = 0.0
        for at, (counts, amounts) in enumerate(HISTORY[150:175], start=150):
            part = (0.6 * counts).astype(np.int64), (0.6 * amounts).astype(np.int64)
            scores = model.step(FIRST + timedelta(days=at), SERIES, *part)
            highest = max(highest, float(scores.down.score.max()))
        assert scores.amount.expected[-1] == pytest.approx(scores.amount.observed[-1], rel=0.3)
        return highest

    calm = max(float(each.down.score.max()) for each in UNTOUCHED[150:175])
    assert lost(anew=True) < calm
    assert lost(anew=False) > 4 * calm


def test_a_new_level_is_that_of_the_days_on_which_a_cell_was_heard() -> None:
    """A region falls to four tenths, and half of the days that its new level is taken from are unheard."""
    model, level = detector(), 0.4
    run(model=model, days=150)
    for at, (counts, amounts) in enumerate(HISTORY[150:165], start=150):
        inside = np.array([region == "A" for region, _ in SERIES])
        part = [np.where(inside, level * values, values).astype(np.int64) for values in (counts, amounts)]
        heard = ~inside if at in {156, 158, 160, 161, 163} else np.ones(len(SERIES), dtype=bool)
        scores = model.step(FIRST + timedelta(days=at), SERIES, part[0], part[1], heard=heard)
    model.accept([Node("region", "A")], FIRST + timedelta(days=150))
    counts, amounts = HISTORY[165]
    scores = model.step(FIRST + timedelta(days=165), SERIES, counts, amounts)
    place = scores.nodes.index(Node("region", "A"))
    assert scores.amount.expected[place] == pytest.approx(level * UNTOUCHED[165].amount.expected[place], rel=0.08)


@pytest.mark.parametrize("days", [12, 30])
def test_a_shock_that_is_over_is_unlearned(days: int) -> None:
    """A region falls to half for days that the models know the baselines of, or for longer, and nothing is left."""
    model = detector()
    run(model=model, days=150)
    before = model.step(FIRST + timedelta(days=150), SERIES, *HISTORY[150])
    inside = np.array([region == "A" for region, _ in SERIES])
    for at, (counts, amounts) in enumerate(HISTORY[151 : 151 + days], start=151):
        part = [np.where(inside, values // 2, values).astype(np.int64) for values in (counts, amounts)]
        scores = model.step(FIRST + timedelta(days=at), SERIES, part[0], part[1])
    place = scores.nodes.index(Node("region", "A"))
    assert scores.amount.expected[place] < 0.8 * UNTOUCHED[150 + days].amount.expected[place]
    since = FIRST + timedelta(days=151)
    usual = np.stack([UNTOUCHED[150 + days].transactions.expected, UNTOUCHED[150 + days].amount.expected])
    step = np.log(usual[:, : len(SERIES)] / scores.effects.today[:, : len(SERIES), 0])
    model.take_back(inside, since, step)
    after = model.step(FIRST + timedelta(days=151 + days), SERIES, *HISTORY[151 + days])
    assert after.amount.expected[place] == pytest.approx(UNTOUCHED[151 + days].amount.expected[place], rel=0.08)
    assert max(after.down.score[place], after.up.score[place]) < 3
    usual_width, width = (np.log(each.amount.upper / each.amount.lower)[place] for each in (before, after))
    assert width < (1.3 if days == 12 else 2.0) * usual_width, "how it varied is kept for 21 days"


@pytest.mark.parametrize("open_sunday", [None, 97])
def test_a_weekday_without_transactions_is_no_evidence(open_sunday: int | None) -> None:
    """A sector that never sells on Sundays, one before Christmas aside, is expected to sell nothing then."""

    def change(at: int, counts: Counts, amounts: Counts) -> tuple[Counts, Counts]:
        if at % 7 == 6 and at != open_sunday:
            for cell in (0, 3, 6):
                counts[cell] = amounts[cell] = 0
        if at >= 150:  # what is usual grows, and what is expected of such a day with it
            counts[:], amounts[:] = 2 * counts, 2 * amounts
        return counts, amounts

    found = run(change)
    sector = found[-1].nodes.index(Node("sector", sector="x"))
    for at in range(62, DAYS, 7):
        if at == open_sunday:
            continue
        assert found[at].transactions.observed[[0, 3, 6, sector]].tolist() == [0.0] * 4
        assert found[at].transactions.expected[[0, 3, 6, sector]].tolist() == [0.0] * 4
        assert found[at].heard.all()
        assert found[at].transactions.expected[-1] > 0
    assert max(float(found[at].down.score[sector]) for at in range(70, 140) if at != open_sunday) < 3
    assert found[99].transactions.expected[sector] > 0


def test_a_sector_that_closes_on_every_day_is_news_on_each() -> None:
    """Weekdays on which it sold before are no closing days, however often they are empty."""

    def change(at: int, counts: Counts, amounts: Counts) -> tuple[Counts, Counts]:
        if at >= 150:
            counts[0] = amounts[0] = 0
        return counts, amounts

    assert all(each.transactions.expected[0] > 0 for each in run(change)[150:170])
