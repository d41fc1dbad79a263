"""A closed day before the models: how much of it was heard decides what they may judge and learn."""

import numpy as np

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.desk import AlertDesk
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.panel_detector import PanelDetector


def scored(closed: ClosedDay, detector: PanelDetector, desk: AlertDesk) -> DayScores:
    """Let a panel's models judge a day and learn it, as far as it was heard.

    Where feeds are expected no more from the next day on, what the rest delivers starts a new level.
    """
    least = desk.parameters.coverage_share
    usable = closed.heard and not desk.mutes(closed)
    scores = detector.step(
        closed.day,
        closed.cells,
        closed.transactions,
        closed.amount_minor,
        usable=usable,
        heard=closed.heard_cells(least),
    )
    if closed.coverage.forgotten:
        in_part = closed.heard_in_part(least) if usable else np.ones(len(closed.cells), dtype=np.bool_)
        detector.begin_anew(in_part)
    return scores
