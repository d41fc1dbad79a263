"""Cell, region, sector or panel: a shock is told of the node that it struck, in small and uneven panels too."""

from datetime import date, timedelta

import msgspec
import pytest
from lasting_fall import calm, change
from shocked_panel import SHOCK, cells, composed, played
from uneven_panel import LEVELS, told

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.application.compose import compose
from earlywarn.domain.cell import Cell


@pytest.mark.parametrize("noise", [0.04, 0.15])
def test_a_shock_is_told_of_the_node_that_it_struck(noise: float) -> None:
    """`tests/bench/level_attribution.py` has more of them; of these seeds nothing was learned."""
    found = [(level, how) for seed in range(1_000, 1_004) for level, how, _ in told(composed(), seed, noise, -40)]
    assert {level for level, _ in found} == set(LEVELS)
    assert sum(how == "right" for _, how in found) >= 0.9 * len(found), found


def test_less_than_the_first_severity_asks_for_opens_and_revises_nothing() -> None:
    """The fall begins with 30 per cent and goes on; it is told when it has come to the 45 that are asked for."""
    grave = AlertParameters(severity_probabilities=(0.98, 0.99, 0.999), severity_change_pct=(45.0, 60.0, 75.0))
    found = {}
    for name, parameters in (("usual", AlertParameters()), ("grave", grave)):
        settings = msgspec.structs.replace(composed().settings, alerts=parameters)
        found[name] = [
            (alert, next(each.value for each in alert.evidence if each.name == "effect"))
            for alert in played(compose(settings), calm(163), change).alerts
            if alert.kind == "economic" and alert.direction == "down"
        ]
    assert found["grave"]
    first = {name: next(alert for alert, _ in alerts) for name, alerts in found.items()}
    assert first["usual"].series_id == first["grave"].series_id == "CH/CH01/retail-fuel"
    assert first["usual"].detected_on < first["grave"].detected_on
    assert min(abs(effect) for _, effect in found["usual"]) < 45
    for alert, effect in found["grave"]:
        assert abs(effect) >= 45
        assert alert.probability >= 0.98


def test_an_open_part_carries_its_totals_on_its_quiet_days_too() -> None:
    """Three payments of a sector become one: payments fall, the mean payment rises, which is not the panel's."""

    def merged(cell: Cell) -> tuple[float, float]:
        hit = cell.sector == "Food and beverage services" and cell.day >= SHOCK
        return (1 / 3, 1.0) if hit else (1.0, 1.0)

    told = {
        (alert.series_id, alert.measure, alert.direction) for alert in played(composed(), cells(), merged).tops(days=30)
    }
    assert told == {("CH/*/food-beverage-services", "transactions", "down")}


def test_a_fall_everywhere_is_told_as_such_from_its_first_day() -> None:
    """A cell may tell it before the panel does; it never stands alone, on the last day of the data either."""
    for days in (1, 2):
        panel = [cell for cell in calm(131) if cell.day < SHOCK]
        last = max(cell.day for cell in panel)

        def change(cell: Cell, first: date = last - timedelta(days=days - 1)) -> float:
            return 0.5 if cell.day >= first else 1.0

        alerts = [alert for alert in played(composed(), panel, change).alerts if alert.direction == "down"]
        new = [alert for alert in alerts if alert.detected_on > (last - timedelta(days=days)).isoformat()]
        assert [each.level for each in new if each.status == "open" and each.parent is None] in ([], ["panel"])
        if days == 2:
            assert new


def test_one_bad_day_is_no_alarm_on_the_day_after() -> None:
    """What was seen since the bad day is still far below; the day itself is as usual."""
    panel = calm(140)
    bad = max(cell.day for cell in panel) - timedelta(days=1)

    def change(cell: Cell) -> float:
        return 0.4 if cell.day == bad and cell.region == "CH02" else 1.0

    alerts = played(composed(), panel, change).alerts
    assert not [alert for alert in alerts if alert.status == "open" and alert.detected_on > bad.isoformat()]
