"""How far what is usual has moved where there is no shock."""

from collections.abc import Iterator
from datetime import date

import msgspec
import numpy as np
import pytest
from lasting_fall import FALLS_ON, judged_days
from shocked_panel import ShockedPanel, composed
from swiss_sample import sample

from earlywarn.alerting.season import Season, movements
from earlywarn.detection.day_scores import DayScores, Floats
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.domain.state import decode_state, encode_state

SERIES = [(region, sector) for region in ("A", "B", "C") for sector in ("food", "fuel")]
SECTORS = np.array([0, 1] * 3)
CALM = np.full(6, 9)


def usual(last: float, *, days: int = 4, cells: int = 6) -> Floats:
    """Return what is expected of a day by what was known 0 .. W - 1 days before, rising to `last` times as much."""
    path = np.linspace(100.0 * last, 100.0, days)
    return np.broadcast_to(path, (2, cells, days)).copy()


def test_what_all_cells_have_learned_is_the_seasons() -> None:
    moved = movements(usual(1.2), SECTORS, CALM)
    assert moved.shape == (2, 2, 3)
    assert moved.sum(axis=2) == pytest.approx(np.full((2, 2), np.log(1.2)))


def test_cells_in_a_shock_say_nothing() -> None:
    """From its first day on; what they had learned before counts."""
    found = usual(1.2)
    found[:, 0, 0] = 10.0
    calm = CALM.copy()
    calm[0] = 1
    moved = movements(found, SECTORS, calm)
    assert moved[:, 0] == pytest.approx(movements(usual(1.2), SECTORS, CALM)[:, 0])


def test_a_sector_in_shock_moves_with_the_rest_of_the_panel() -> None:
    found = usual(1.2)
    found[:, [0, 2, 4]] *= np.array([0.3, 0.5, 0.7, 1.0])
    moved = movements(found, SECTORS, np.where(SECTORS == 0, 0, 9))
    assert moved.sum(axis=2) == pytest.approx(np.full((2, 2), np.log(1.2)))


def test_of_a_panel_in_shock_no_season_is_known() -> None:
    assert not movements(usual(0.5), SECTORS, np.zeros(6, dtype=int)).any()


def test_a_day_on_which_nothing_was_heard_moves_nothing() -> None:
    found = usual(1.2)
    found[:, 1:] = np.nan
    assert movements(found, SECTORS, CALM)[:, 0].sum() == pytest.approx(2 * np.log(1.2))
    assert not movements(np.full((2, 6, 4), np.nan), SECTORS, CALM).any()


def test_a_window_of_one_day_knows_no_movement() -> None:
    assert movements(usual(1.0, days=1), SECTORS, CALM).shape == (2, 2, 0)


def played(season: Season, days: list[DayScores], first: int) -> Iterator[Floats]:
    for day in days:
        season.step(day, [first])
        yield season.since(first)


def test_a_snapshot_goes_on_alike() -> None:
    days, first = judged_days(), FALLS_ON.toordinal()
    whole, half = Season(), Season()
    expected = list(played(whole, days, first))
    list(played(half, days[:-5], first))
    back = Season()
    back.restore(decode_state(encode_state(half.state())))
    assert np.array_equal(np.stack(list(played(back, days[-5:], first))), np.stack(expected[-5:]))
    assert encode_state(back.state()) == encode_state(whole.state())


def test_a_sector_that_comes_later_has_not_moved() -> None:
    days, first = judged_days()[-30:], judged_days()[-28].day.toordinal()
    season = Season()
    list(played(season, days[:-1], first))
    before = season.since(first)
    cells = [(node.region or "", node.sector or "") for node in days[-1].nodes if node.level == "cell"]
    grown = NodeTree(sorted([*cells, ("CH01", "zoo")]))
    place = grown.index[next(node for node in grown.nodes if node.sector == "zoo" and node.level == "cell")]
    keep = np.delete(np.arange(len(grown.series)), place)

    def widened(values: Floats) -> Floats:
        found = np.ones((*values.shape[:-2], len(grown.nodes), values.shape[-1]))
        found[..., keep, :] = values[..., : len(cells), :]
        return found

    effects = days[-1].effects
    wide = msgspec.structs.replace(
        effects,
        today=widened(effects.today),
        fading=widened(effects.fading[..., None])[..., 0],
        calm_days=np.full(len(grown.nodes), len(effects.days) + 1),
    )
    season.step(msgspec.structs.replace(days[-1], nodes=grown.nodes, effects=wide), [first])
    assert season.since(first).shape == (2, before.shape[1] + 1)
    assert np.isfinite(season.since(first)).all()


def test_an_alert_follows_the_season() -> None:
    """A region is halved for six weeks in August: at the holidays' end payments rise, and the alert knows that.

    Its last days are told nearer to -50 % by 0.03 and more (log units) than with a baseline that stands still.
    """
    first, ended = date(2019, 8, 5), date(2019, 9, 16)

    def far_off() -> float:
        panel = ShockedPanel(sample(), lambda cell: 0.5 if cell.region == "CH03" and first <= cell.day < ended else 1.0)
        panel.play(composed())
        ends = [each for each in panel.alerts if each.series_id == "CH/CH03/*" and each.status == "resolved"]
        [end] = [each for each in ends if each.direction == "down" and each.opened_on == first.isoformat()]
        [effect] = [each.value for each in end.evidence if each.name == "last_days_effect"]
        return abs(float(np.log1p(effect / 100) - np.log(0.5)))

    followed = far_off()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Season, "since", lambda *_: np.zeros((2, 1)))
        assert followed < far_off() - 0.03
