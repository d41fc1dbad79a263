"""A closed day before the models: how much of it was heard decides what they may judge and learn."""

import numpy as np

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.desk import AlertDesk
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.panel_detector import PanelDetector


def scored(closed: ClosedDay, detector: PanelDetector, desk: AlertDesk) -> DayScores:
    """Let a panel's models judge a day and learn it, as far as it was heard.

    Where feeds are expected no more from the next day on, what the rest delivers starts a new level; so does what a
    cell brings from the day on that a new source adds to it.
    """
    least = desk.parameters.coverage_share
    heard = closed.heard_cells(least) & ~closed.cells_new
    usable = closed.heard and bool(heard.any()) and not desk.mutes(closed)
    scores = detector.step(
        closed.day,
        closed.cells,
        closed.transactions,
        closed.amount_minor,
        usable=usable,
        heard=heard,
    )
    changed = closed.cells_new
    if closed.coverage.begins_anew:
        changed = changed | (closed.heard_in_part(least) if usable else np.ones(len(closed.cells), dtype=np.bool_))
    if changed.any():
        detector.begin_anew(changed)
    return scores
