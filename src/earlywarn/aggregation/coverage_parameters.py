"""When a feed counts as silent, for how long silence is followed, and how much of a panel is told apart."""

import msgspec

from earlywarn.domain.ranges import MOST_DAYS, Range, check_ranges


class CoverageParameters(msgspec.Struct, frozen=True, kw_only=True):
    """When a feed counts as silent, and for how long silence is followed.

    silent_share: of its expected transactions, below which a feed is quiet.
    sizeable_transactions: a feed is silent once so many were expected of it since it last spoke.
    forget_days: after so many days of silence on which others spoke, a feed is expected no more; the last never.
    feeds_limit: named sources of a panel that are told apart; further ones count together.
    cells_limit: cells that a panel with regions or sectors of any code tells apart, the first in the order of its
        partials; what further ones bring counts together, as region or sector (others).
    fill_days: days without any transaction that a panel publishes as zeros; then it rests until it is heard again.
    """

    silent_share: float = 0.02
    sizeable_transactions: int = 50
    forget_days: int = 28
    feeds_limit: int = 64
    cells_limit: int = 20_000
    fill_days: int = 400

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "silent_share": Range(0, 1, most_in=False),
                "sizeable_transactions": Range(1, 1_000_000_000),
                "feeds_limit": Range(1, 10_000),
                "cells_limit": Range(1, 1_000_000),
                "forget_days": Range(7, MOST_DAYS, note="a feed may rest for a week"),
                "fill_days": Range(28, MOST_DAYS, note="28 is the longest rolling window"),
            },
        )
