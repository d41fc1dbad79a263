"""Scores of one univariate series, online: a row's score depends on it and on the rows before it alone."""

from collections.abc import Iterable, Iterator

import msgspec

from earlywarn.detection.univariate import UnivariateAnomaly

PROBLEMS_KEPT = 100


class SeriesRow(msgspec.Struct, frozen=True):
    """One row of a series as it was read.

    `timestamp` and `value` are the texts of the row; `seconds` (epoch, of the local time that the text shows) and
    `number` what they say; `problem` is the field and why the row cannot be used, empty if it can.
    """

    line: int
    timestamp: str
    value: str
    seconds: float = 0.0
    number: float = 0.0
    problem: str = ""


class ScoreSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows were read and scored, and the first problems, one line each: file:line: field: reason."""

    rows: int
    scored: int
    bad: int
    problems: tuple[str, ...]


def score_rows(
    rows: Iterable[SeriesRow], model: UnivariateAnomaly | None = None
) -> Iterator[tuple[SeriesRow, float | None]]:
    """Yield each row with its score in 0..1, None for a row that cannot be used; the model sees only those that can.

    Args:
        rows: in the order of the series.
        model: a fresh one by default; it is learned as the rows go by.

    >>> rows = [SeriesRow(2, "0", "1", 0.0, 1.0), SeriesRow(3, "60", "x", problem="value: 'x' is no number")]
    >>> [score if score is None else score < 0.5 for _, score in score_rows(rows)]
    [True, None]
    """
    model = model or UnivariateAnomaly()
    for row in rows:
        if row.problem:
            yield row, None
        else:
            yield row, model.score_and_learn_one({model.timestamp: row.seconds, model.value: row.number})


class ProblemCounter:
    """Counts the rows of a series and keeps the first problems. `name` is the file's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = self._bad = 0
        self._problems: list[str] = []

    def add(self, row: SeriesRow) -> None:
        """Count a row."""
        self._rows += 1
        if row.problem:
            self._bad += 1
            if len(self._problems) < PROBLEMS_KEPT:
                self._problems.append(f"{self._name}:{row.line}: {row.problem}")

    def summary(self) -> ScoreSummary:
        """Return what was counted so far."""
        return ScoreSummary(
            rows=self._rows, scored=self._rows - self._bad, bad=self._bad, problems=tuple(self._problems)
        )
