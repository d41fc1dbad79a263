"""The run's constants that both folds must agree on."""

import msgspec

from earlywarn.domain.ranges import Range, check_ranges

_MOST_BLOCKS = 1_000
_MOST_SECONDS = 31 * 86_400
_MOST_HORIZON_DAYS = 50_000  # more than the accepted times span
_HOUR = 3_600


class FoldParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The run's constants that both folds must agree on (they stand in its manifest).

    block_size: offsets of a source partition that are folded into one partial.
    lateness_seconds: how far a source may be behind the newest time it has sent; what is later is a revision.
    revision_horizon_days: what is later than so many days is rejected (`too_late`).
    future_tolerance_seconds: what is further ahead of its receipt is rejected.
    base_bucket_seconds: finest bucket; that of the panels holds.
    sources_limit: named sources that a block tells apart, the first in its order; what further ones deliver counts
        together, under the name (others).
    deduplicate_blocks: a transaction (id, kind, source) counts once within so many times `block_size` records of its
        partition, its own and those before; 0 counts every record. See docs/operations/delivery-in-practice.md.
    """

    block_size: int = 2000
    lateness_seconds: int = 3600
    revision_horizon_days: int = 45
    future_tolerance_seconds: int = 300
    base_bucket_seconds: int = 3600
    sources_limit: int = 128
    deduplicate_blocks: int = 0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "block_size": Range(1, 10_000_000),
                "lateness_seconds": Range(0, _MOST_SECONDS),
                "revision_horizon_days": Range(0, _MOST_HORIZON_DAYS),
                "future_tolerance_seconds": Range(0, _MOST_SECONDS),
                "base_bucket_seconds": Range(1, _HOUR),
                "sources_limit": Range(1, 10_000),
                "deduplicate_blocks": Range(
                    0, _MOST_BLOCKS, note="0 is off, and every worker remembers the ids of so many blocks of records"
                ),
            },
        )
