"""What is expected of the next days of a panel, with intervals: see `forecast`.

Everything is an array over the G nodes of the tree, in the canonical order of `hierarchy.NodeTree` (cells first).
"""

from datetime import date

import msgspec

from earlywarn.detection.day_scores import Flags, Floats
from earlywarn.detection.hierarchy import Node

PROBABILITIES = (0.8, 0.95)
"""Of the intervals."""


class PanelForecast(msgspec.Struct, frozen=True):
    """The next H days of G nodes, by MEASURES (amounts and tickets in minor units); NaN where nothing is expected.

    Attributes:
        made_on: the last day that was known; days: H local days, the next one first.
        nodes: the G nodes. ready: bool[G], whether the node's warm-up is over.
        expected: float64[3, G, H], mean (of the ticket: expected amount by expected transactions).
        lower_80, upper_80, lower_95, upper_95: float64[3, G, H], ends of the central intervals.
    """

    made_on: date
    days: tuple[date, ...]
    nodes: tuple[Node, ...]
    ready: Flags
    expected: Floats
    lower_80: Floats
    upper_80: Floats
    lower_95: Floats
    upper_95: Floats
