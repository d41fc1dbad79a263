"""The figures of one revision of an alert: today against the baseline before the shock, and what explains it."""

import math
from datetime import date

import numpy as np

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.contributors import shares_of_change
from earlywarn.alerting.episode import Episode, Told
from earlywarn.alerting.estimate import NEARER, Estimate, Sums, dispersion, interval_reach, is_nearer, total
from earlywarn.alerting.grouping import Flags, Floats
from earlywarn.alerting.remains import going_on
from earlywarn.detection.day_scores import MEASURES, DayScores
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import GOES_ON, Direction, Evidence, Outcome
from earlywarn.domain.series import Measure, Series

_TOP_CONTRIBUTORS, _TOP_PARTS = 3, 3


class DayReading:
    """A node's day against a baseline, on natural scales.

    Args:
        today: what was seen and expected.
        scores: today's.
        node: its place among the nodes.
        measure: which figures.

    Attributes:
        observed, expected, lower, upper: None where there is nothing; expected as if there were no shock.
        effect: the log deviation; z: the same in standard deviations of an undisturbed day.
    """

    def __init__(self, today: Sums, scores: DayScores, node: int, measure: Measure) -> None:
        self.observed, self.expected = _number(today.observed(measure)), _number(today.expected(measure))
        sd = float(scores.effects.usual_sd[MEASURES.index(measure), node])
        usual = today.expected(measure)
        self.lower, self.upper = (
            None if usual is None else _number(usual * float(np.exp(side * scores.reach * sd))) for side in (-1, 1)
        )
        self.effect = today.estimate(measure, 1.0).effect
        self.z = self.effect / max(sd, 1e-12)

    @property
    def change_pct(self) -> float | None:
        """Return observed against expected, in per cent with one decimal."""
        if self.observed is None or not self.expected:
            return None
        return round(100 * (self.observed / self.expected - 1), 1) + 0.0

    def is_outside(self, direction: Direction) -> bool:
        """Return whether the day lies beyond its usual range, in a direction."""
        if self.observed is None or self.lower is None or self.upper is None:
            return False
        return self.observed < self.lower if direction == "down" else self.observed > self.upper


class Reading:
    """An open episode on a day: what an alert says of it.

    Args:
        episode: today is added to its sums.
        scores: today's.
        baselines: today's.
        node: the episode's place among the nodes.
        interval: probability of the effect's interval.

    Attributes:
        day: today. node: whose episode it is. measure: what tells it.
        estimate: the effect since the episode's first day.
        today: the day alone.
    """

    def __init__(
        self,
        episode: Episode,
        scores: DayScores,
        baselines: CellBaselines,
        node: int,
        *,
        interval: float,
    ) -> None:
        self._episode, self._scores, self._baselines, self._place = episode, scores, baselines, node
        self._interval = interval
        self.day, self.node, self.measure = scores.day, scores.nodes[node], episode.measure
        self.estimate = self._estimate(episode.phase.sums, (scores.day - episode.phase.since).days + 1)
        self.today = DayReading(episode.phase.last_days[-1], scores, node, self.measure)

    def _estimate(self, sums: Sums, days: int) -> Estimate:
        return sums.estimate(self.measure, dispersion(self._scores.effects, self._place, self.measure, days))

    @property
    def last_days(self) -> Estimate:
        """Return the effect over the last days, as many as the episode keeps."""
        days = self._episode.phase.last_days
        return self._estimate(total(days), len(days))

    def moved_along(self) -> list[Node]:
        """Return the episode's node, and those in it that have moved about as far since its level began."""
        effects, nodes = self._scores.effects, self._scores.nodes
        age = min((self.day - self._episode.phase.since).days, len(effects.days) - 1)
        moved = effects.effect[MEASURES.index(self.measure), :, age].tolist()
        inside = (at for at, node in enumerate(nodes) if self._episode.holds(node.region, node.sector))
        return [nodes[at] for at in inside if at == self._place or is_nearer(moved[at], self.estimate.effect)]

    @property
    def weight(self) -> float:
        """Return what was usually spent at the node before, by that at the mean node of its level (four decimals)."""
        place, first = self._baselines.members[self._place], self._episode.phase.since.toordinal()
        usual = self._baselines.since(first, self._episode.baseline_day)[1][1]
        # The nodes of a level hold each cell once.
        mean = float(usual.sum()) / sum(each.level == self.node.level for each in self._scores.nodes)
        return round(float(usual[place].sum()) / mean, 4) if mean > 0 else 0.0

    def told(self, probability: float) -> Told:
        """Return the estimate as it is published."""
        low, high = self.estimate.interval_pct(self._interval)
        return Told(self.estimate.effect_pct, low, high, probability, self._episode.phase.sums.days)

    def evidence(self, told: Told, panel: str, *, last_as_extreme: date | None) -> tuple[Evidence, ...]:
        """Return the figures of an open episode in the order of their weight."""
        found = effect_evidence(told)
        found.append(Evidence(name="deviation_on_day", value=round(self.today.z, 2) + 0.0, unit="sd"))
        found.append(Evidence(name="spending_by_mean", value=self.weight, unit="times"))
        return (
            *found,
            self._record(last_as_extreme),
            *self._levels(),
            *self._led_back(),
            *self._unheard(),
            *self._neighbours(),
            *self._contributors(panel),
            *self._mix(),
        )

    def _record(self, last_as_extreme: date | None) -> Evidence:
        """Say since when nothing was as extreme; what the node did within an alert around it is not known."""
        wider = self._episode.wider_until
        if wider is not None and (last_as_extreme is None or last_as_extreme < wider):
            return Evidence(name="days_since_wider_alert", value=float((self.day - wider).days), unit="days")
        if last_as_extreme is None:
            return Evidence(name="days_on_record", value=float(self._episode.record_days), unit="days")
        return Evidence(name="days_since_as_extreme", value=float((self.day - last_as_extreme).days), unit="days")

    def _unheard(self) -> list[Evidence]:
        """Count the cells that today's figures of a total are without."""
        members = self._baselines.members
        count = int((members[self._place] & ~self._scores.heard[: members.shape[1]]).sum())
        return [Evidence(name="cells_unheard", value=float(count), unit="cells")] if count else []

    @property
    def is_there_today(self) -> bool:
        """Return whether the day alone is nearer to the effect since the first day than to nothing."""
        return self.today.effect * self.estimate.effect > NEARER * self.estimate.effect**2

    @property
    def outcome(self) -> Outcome | None:
        """Return how an episode without alarms ends; None if it has to wait for another day.

        Accepted: over the last days the effect was still there, and today is nearer to it than to nothing, so what is
        usual has changed. Recovered: it was not, and today is within its usual range and nearer to nothing than to what
        was published last, or beyond nothing on the other side. Faded: today is within its usual range, and the last
        days are nearer to the effect that was published last than to nothing. What goes on in some parts of a total is
        recovered as the total's.
        """
        if self._episode.goes_on_in_parts:
            return "recovered"
        last = self.last_days
        published = math.log1p(max(self._episode.told.effect_pct / 100, -0.999))
        if last.distance(self._episode.direction) > interval_reach(self._interval):
            return "accepted" if self.today.effect / last.effect >= NEARER else None
        if self.today.is_outside(self._episode.direction):
            return None
        if last.effect / published >= NEARER:
            return "faded"
        return None if self.today.effect / published >= NEARER else "recovered"

    def ending(self, outcome: Outcome, panel: str) -> tuple[Evidence, ...]:
        """Return the figures of an episode that is over: as published last, its largest, and its last days."""
        found = effect_evidence(self._episode.told)
        since = (self.day - self._episode.last_revised_on).days
        found.append(Evidence(name="days_since_effect", value=float(since), unit="days"))
        found.append(Evidence(name="largest_effect", value=self._episode.largest_pct, unit="pct"))
        last = self.last_days
        low, high = last.interval_pct(self._interval)
        found += [
            Evidence(name="last_days", value=float(len(self._episode.phase.last_days)), unit="days"),
            Evidence(name="last_days_effect", value=last.effect_pct, unit="pct"),
            Evidence(name="last_days_effect_lower", value=low, unit="pct"),
            Evidence(name="last_days_effect_upper", value=high, unit="pct"),
        ]
        usual = self._episode.phase.last_days[-1].expected(self.measure)
        if outcome == "accepted" and usual is not None:
            unit = "transactions" if self.measure == "transactions" else "minor units"
            value = round(usual * (1 + last.change_pct / 100), 2)
            found.append(Evidence(name="new_baseline", value=value, unit=unit))
        return (*found, *self._going_on(panel), *self._led_back(), *self._unheard())

    def _going_on(self, panel: str) -> list[Evidence]:
        """Name the parts in which a total's shock goes on that is over elsewhere, with the effect there since."""
        if not self._episode.goes_on_in_parts:
            return []
        found = []
        for at, effect in going_on(self._episode, self._place, self._scores, self._baselines).items():
            node = self._scores.nodes[at]
            series_id = Series(panel, node.region, node.sector).series_id
            found.append(Evidence(name=GOES_ON, value=effect.effect_pct, unit="pct", series_id=series_id))
        return found[:_TOP_PARTS]

    def _levels(self) -> list[Evidence]:
        """Say since when an episode is at its level, if it is not its first, and in whose place it is, if in any's."""
        episode, found = self._episode, []
        for name, since in (("days_at_level", episode.phase.since), ("days_since_usual", episode.usual_until)):
            if since != episode.opened_on:
                found.append(Evidence(name=name, value=float((self._scores.day - since).days), unit="days"))
        return found

    def _led_back(self) -> list[Evidence]:
        """Say of an episode that leads back from a level taken as usual when that began."""
        began = self._episode.leads_back_from
        if began is None:
            return []
        return [Evidence(name="days_since_level_began", value=float((self._scores.day - began).days), unit="days")]

    def _cells(self) -> tuple[Floats, Floats]:
        """Return today's transactions and amounts [2, K] of all cells, and what the episode's baseline expects."""
        heard = self._scores.heard[: self._baselines.members.shape[1]]
        seen = np.where(heard, self._baselines.seen, 0.0)  # of what was not heard nothing is expected either
        return seen, self._baselines.today(self._episode.baseline_day)

    def _neighbours(self) -> list[Evidence]:
        """Compare with the cells outside the node: what was spent there today against what was expected there."""
        node = self.node
        outside = ~self._baselines.members[self._place]
        cells = self._scores.nodes[: len(outside)]
        groups: dict[str, Flags] = {}
        if node.level == "cell":
            groups["same_sector_elsewhere"] = outside & np.array([cell.sector == node.sector for cell in cells])
            groups["other_sectors_here"] = outside & np.array([cell.region == node.region for cell in cells])
        elif node.level != "panel":
            groups["rest_of_panel"] = outside
        seen, usual = self._cells()
        found = []
        for name, chosen in groups.items():
            share = _ratio(seen[:, chosen].sum(axis=1), usual[:, chosen].sum(axis=1), self.measure)
            if share is not None:
                found.append(Evidence(name=name, value=round(100 * (share - 1), 1) + 0.0, unit="pct"))
        return found

    def _contributors(self, panel: str) -> list[Evidence]:
        """Name the cells that carry most of a total's change at its level, with their share of it."""
        if self.node.level == "cell":
            return []
        episode = self._episode
        seen, usual = self._baselines.since(episode.phase.since.toordinal(), episode.baseline_day)
        members = self._baselines.members[self._place]
        ticket = episode.phase.sums.expected("mean_ticket") or 0.0
        shares = shares_of_change(seen, usual, members, self.measure, episode.direction, usual_ticket=ticket)
        found = []
        for cell in np.argsort(-shares, kind="stable")[:_TOP_CONTRIBUTORS].tolist():
            share = round(100 * float(shares[cell]), 1)
            if share > 0:
                node = self._scores.nodes[cell]
                series = Series(panel, node.region, node.sector)
                found.append(Evidence(name="contribution", value=share, unit="pct", series_id=series.series_id))
        return found

    def _mix(self) -> list[Evidence]:
        region = self.node.region
        if region is None or region not in self._scores.mix_regions:
            return []
        rank = float(self._scores.mix_rank[self._scores.mix_regions.index(region)])
        return [Evidence(name="sector_mix_rank", value=round(rank, 4), unit="p")] if np.isfinite(rank) else []


def effect_evidence(told: Told) -> list[Evidence]:
    """Return an effect with its interval and the days it rests on."""
    return [
        Evidence(name="effect", value=told.effect_pct, unit="pct"),
        Evidence(name="effect_lower", value=told.lower_pct, unit="pct"),
        Evidence(name="effect_upper", value=told.upper_pct, unit="pct"),
        Evidence(name="days_of_evidence", value=float(told.days), unit="days"),
    ]


def _ratio(seen: Floats, usual: Floats, measure: Measure) -> float | None:
    """Return observed by expected of sums [2]; None where nothing is expected, or no ticket was seen."""
    if min(usual) <= 0:
        return None
    if measure == "mean_ticket":
        return float(seen[1] / seen[0] / (usual[1] / usual[0])) if seen[0] > 0 else None
    place = 0 if measure == "transactions" else 1
    return float(seen[place] / usual[place])


def _number(value: float | None) -> float | None:
    return round(value, 2) if value is not None and np.isfinite(value) else None
