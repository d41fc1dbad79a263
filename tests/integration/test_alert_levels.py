"""Cell, region, sector or panel: a shock is told of the node that it struck, in small and uneven panels too."""

import msgspec
import pytest
from lasting_fall import calm, change
from shocked_panel import composed, played
from uneven_panel import LEVELS, told

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.application.compose import compose


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
