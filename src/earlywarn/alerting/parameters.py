"""Everything an office would want to set about its alerts, with units."""

import msgspec

from earlywarn.domain.ranges import INNER_SHARE, SHARE, SOME_DAYS, UNBOUNDED, Range, check_ranges, up_to


class AlertParameters(msgspec.Struct, frozen=True, kw_only=True):
    """When an episode opens, is revised and ends, and how grave it is.

    alarm_evidence: log-likelihood ratio (over-dispersion removed) at which a node alarms: score 1, if the effect is
        there as well (effect_confidence).
    effect_confidence: an alarm's effect is told apart from zero with at least this probability.
    spillover_confidence: the same beside a stronger alarm of the other direction, which distorts what peers say.
    effect_interval: probability of the published interval around an effect.
    resolve_ratio: an open episode is quiet on a day whose score stays below this.
    quiet_days: quiet days in a row after which an episode is resolved (and may open anew).
    hold_days: alarm days in a row after which the new level is accepted as normal.
    revise_days: an open episode, or coverage notice, without other news is revised this often.
    parent_share: a total takes over when the alarms inside it hold this share of its spending.
    explained_share: a node whose evidence comes by this share from cells of graver alarms is no alarm of its own.
    parting_log_change: a region or sector that moves on by so much more than an open total around it (natural log, 0.2:
        18 % further down or 22 % further up), days after it, has a shock of its own; less is a part that is hit harder.
    parts_limit: of a total so many cells at most are told beside it because they moved along, those with most of the
        change; what alarms by itself is told in any case.
    severity_probabilities: least probability for medium, high, severe; below that for medium nothing is told.
    severity_change_pct: least size of the effect, in per cent, for medium, high, severe; below that for medium nothing
        is told.
    severity_spending_pct: how much that must be of what is usually spent in the mean series of its level (region,
        sector, cell): a shop that closes in a small region is surely true, and no severe shock of an economy. All three
        must be reached.
    probability_at_alarm: probability of a shock that a score of exactly 1 stands for.
    coverage_share: where less than that of the expected volume was heard of a day, it has no economic alerts.
    drift_share: share of a panel's cells whose models drifted within `drift_days` that makes a model notice.
    """

    alarm_evidence: float = 9.0
    effect_confidence: float = 0.90
    spillover_confidence: float = 0.999
    effect_interval: float = 0.95
    resolve_ratio: float = 0.6
    quiet_days: int = 7
    hold_days: int = 10
    revise_days: int = 7
    parent_share: float = 0.5
    explained_share: float = 0.5
    parting_log_change: float = 0.2
    parts_limit: int = 24
    severity_probabilities: tuple[float, float, float] = (0.90, 0.95, 0.99)
    severity_change_pct: tuple[float, float, float] = (0.0, 8.0, 15.0)
    severity_spending_pct: tuple[float, float, float] = (0.0, 1.0, 10.0)
    probability_at_alarm: float = 0.90
    coverage_share: float = 0.95
    drift_share: float = 0.5
    drift_days: int = 28

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        ascending = [
            (list(values) == sorted(values), f"{name} = {list(values)}: must ascend")
            for name, values in (
                ("severity_probabilities", self.severity_probabilities),
                ("severity_change_pct", self.severity_change_pct),
                ("severity_spending_pct", self.severity_spending_pct),
            )
        ]
        check_ranges(
            self,
            {
                "alarm_evidence": up_to(UNBOUNDED),
                "effect_confidence": INNER_SHARE,
                "spillover_confidence": INNER_SHARE,
                "effect_interval": INNER_SHARE,
                "probability_at_alarm": INNER_SHARE,
                "resolve_ratio": up_to(1),
                "quiet_days": SOME_DAYS,
                "hold_days": SOME_DAYS,
                "revise_days": SOME_DAYS,
                "parent_share": up_to(1),
                "explained_share": SHARE,
                "parting_log_change": Range(0, UNBOUNDED),
                "parts_limit": Range(0, 10_000),
                "severity_probabilities": SHARE,
                "severity_change_pct": Range(0, UNBOUNDED),
                "severity_spending_pct": Range(0, UNBOUNDED),
                "coverage_share": SHARE,
                "drift_share": up_to(1),
                "drift_days": SOME_DAYS,
            },
            *ascending,
        )
