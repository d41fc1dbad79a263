"""The run's constants that both folds must agree on."""

import msgspec

from earlywarn.errors import ConfigError

_MOST_BLOCKS = 1_000


class FoldParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The run's constants that both folds must agree on (they stand in its manifest).

    deduplicate_blocks: a transaction (id, kind, source) counts once within so many blocks of its partition, its own
        and those before; 1 is its own block alone, 0 counts every record. See docs/operations/delivery-in-practice.md.
    """

    block_size: int = 2000
    lateness_seconds: int = 3600
    revision_horizon_days: int = 45
    future_tolerance_seconds: int = 300
    base_bucket_seconds: int = 3600
    deduplicate_blocks: int = 0

    def __post_init__(self) -> None:
        """Check the range of what takes memory.

        Raises:
            ConfigError: a value out of range.
        """
        if not 0 <= self.deduplicate_blocks <= _MOST_BLOCKS:
            raise ConfigError(
                f"deduplicate_blocks = {self.deduplicate_blocks}: from 0 (off) to {_MOST_BLOCKS}, since every worker "
                "remembers the ids of so many blocks"
            )
