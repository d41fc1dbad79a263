"""The figures that decided an alert, read off the day's scores."""

from datetime import date

import numpy as np

from earlywarn.alerting.grouping import Flags
from earlywarn.alerting.recent import RecentDeviations
from earlywarn.detection.day_scores import MEASURES, DayScores, Deviation
from earlywarn.domain.alert import Direction, Evidence
from earlywarn.domain.series import Measure, Series

_TOP_CONTRIBUTORS = 3
_CONFIDENCE = 1.96


class Reading:
    """One node on one day, in one direction: what an alert says of it, on natural scales."""

    def __init__(
        self, scores: DayScores, members: Flags, node: int, direction: Direction, recent: RecentDeviations
    ) -> None:
        self._scores = scores
        self._members = members
        self.node = node
        self.direction = direction
        side = scores.down if direction == "down" else scores.up
        self.effect_sd = float(side.effect_sd[node])
        self.onset_age_days = int(side.onset_age_days[node])
        measure = int(side.measure[node])
        self.measure: Measure = MEASURES[measure]
        deviation: Deviation = getattr(scores, self.measure)
        absorbed = float(scores.absorbed[0 if direction == "down" else 1, node])
        step = recent.step(node, measure, self.onset_age_days + 1, absorbed)
        estimated = float(side.effect[node])
        agrees = step is not None and step * estimated > 0
        self.effect = step if step is not None and agrees else estimated
        without = float(np.exp(-absorbed * estimated)) if np.isfinite(absorbed) else 1.0
        self.observed = _number(deviation.observed[node])
        self.expected = _number(deviation.expected[node], without)
        self.lower = _number(deviation.lower[node], without)
        self.upper = _number(deviation.upper[node], without)
        self.z = float(deviation.z[node])

    @property
    def change_pct(self) -> float | None:
        """Return observed against expected, in per cent with one decimal."""
        if self.observed is None or not self.expected:
            return None
        return round(100 * (self.observed / self.expected - 1), 1)

    @property
    def effect_pct(self) -> float:
        """Return the estimated step since the onset, in per cent."""
        return _percent(self.effect)

    def evidence(self, panel: str, *, last_as_extreme: date | None, days_on_record: int) -> tuple[Evidence, ...]:
        """Return the figures in the order of their weight."""
        low, high = self.effect - _CONFIDENCE * self.effect_sd, self.effect + _CONFIDENCE * self.effect_sd
        found = [
            Evidence(name="effect", value=self.effect_pct, unit="pct"),
            Evidence(name="effect_lower", value=_percent(low), unit="pct"),
            Evidence(name="effect_upper", value=_percent(high), unit="pct"),
            Evidence(name="days_of_evidence", value=float(self.onset_age_days + 1), unit="days"),
            Evidence(name="deviation_on_day", value=round(self.z, 2), unit="sd"),
        ]
        if last_as_extreme is None:
            found.append(Evidence(name="days_on_record", value=float(days_on_record), unit="days"))
        else:
            since = (self._scores.day - last_as_extreme).days
            found.append(Evidence(name="days_since_as_extreme", value=float(since), unit="days"))
        found += self._neighbours()
        found += self._contributors(panel)
        found += self._mix()
        return tuple(found)

    def _neighbours(self) -> list[Evidence]:
        """Compare with the cells outside the node: the day's median deviation, same measure."""
        node = self._scores.nodes[self.node]
        outside = ~self._members[self.node]
        cells = self._scores.nodes[: len(outside)]
        groups: dict[str, Flags] = {}
        if node.level == "cell":
            groups["same_sector_elsewhere"] = outside & np.array([cell.sector == node.sector for cell in cells])
            groups["other_sectors_here"] = outside & np.array([cell.region == node.region for cell in cells])
        elif node.level != "panel":
            groups["rest_of_panel"] = outside
        deviation: Deviation = getattr(self._scores, self.measure)
        observed, expected = deviation.observed[: len(outside)], deviation.expected[: len(outside)]
        known = (observed > 0) & (expected > 0)
        return [
            Evidence(
                name=name,
                value=_percent(float(np.median(np.log(observed[chosen & known] / expected[chosen & known])))),
                unit="pct",
            )
            for name, chosen in groups.items()
            if (chosen & known).any()
        ]

    def _contributors(self, panel: str) -> list[Evidence]:
        """Name the cells that carry most of a total's evidence, with their share of it."""
        if self._scores.nodes[self.node].level == "cell":
            return []
        support = np.clip(self._scores.contributions[self.node], 0.0, None)
        total = float(support.sum())
        if total <= 0:
            return []
        found = []
        for cell in sorted(range(len(support)), key=lambda at: (-support[at], at))[:_TOP_CONTRIBUTORS]:
            node = self._scores.nodes[cell]
            series = Series(panel, node.region, node.sector)
            share = round(100 * float(support[cell]) / total, 1)
            if share > 0:
                found.append(Evidence(name="contribution", value=share, unit="pct", series_id=series.series_id))
        return found

    def _mix(self) -> list[Evidence]:
        region = self._scores.nodes[self.node].region
        if region is None or region not in self._scores.mix_regions:
            return []
        rank = float(self._scores.mix_rank[self._scores.mix_regions.index(region)])
        if not np.isfinite(rank):
            return []
        return [Evidence(name="sector_mix_rank", value=round(rank, 4), unit="p")]


def _percent(log_step: float) -> float:
    return round(100 * float(np.expm1(np.clip(log_step, -10.0, 5.0))), 1)


def _number(value: float, factor: float = 1.0) -> float | None:
    number = float(value) * factor
    return round(number, 2) if np.isfinite(number) else None
