"""The episode of models that drift: so many at once are no shock of a cell."""

from datetime import date, timedelta

import msgspec

from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import NoticeWriter
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Alert, Evidence, Status
from earlywarn.domain.state import State


class DriftNotice:
    """At most one open episode of a panel."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._episode: Episode | None = None
        self._drifted: dict[tuple[str, str], date] = {}

    def step(self, scores: DayScores) -> list[Alert]:
        """Open an episode when many cells' models have drifted lately; resolve it when few have."""
        parameters = self._writer.parameters
        for series, _ in scores.drifting:
            self._drifted[series] = scores.day
        oldest = scores.day - timedelta(days=parameters.drift_days)
        self._drifted = {series: day for series, day in self._drifted.items() if day > oldest}
        cells = sum(node.level == "cell" for node in scores.nodes)
        share = len(self._drifted) / cells if cells else 0.0
        if self._episode is None and share >= parameters.drift_share:
            self._episode = self._writer.episode("model", scores.day)
            return [self._notice(self._episode, share, scores.day, "open")]
        if self._episode is not None and share < parameters.drift_share / 2:
            episode, self._episode = self._episode, None
            return [self._notice(episode, share, scores.day, "resolved")]
        if self._episode is not None:
            self._episode.last_alarm_on = scores.day
        return []

    def _notice(self, episode: Episode, share: float, day: date, status: Status) -> Alert:
        evidence = (Evidence(name="drifting_series", value=round(100 * share, 1), unit="pct"),)
        score = share / self._writer.parameters.drift_share
        return self._writer.notice(episode, "model", status, day, "medium", score, evidence)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episode": None if self._episode is None else msgspec.to_builtins(self._episode),
            "drifted": [[*series, day.isoformat()] for series, day in sorted(self._drifted.items())],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episode = None if saved["episode"] is None else msgspec.convert(saved["episode"], Episode)
        self._drifted = {(region, sector): date.fromisoformat(day) for region, sector, day in saved["drifted"]}
