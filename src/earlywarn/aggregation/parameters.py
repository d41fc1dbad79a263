"""The run's constants that both folds must agree on."""

import msgspec


class FoldParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The run's constants that both folds must agree on (they stand in its manifest)."""

    block_size: int = 2000
    lateness_seconds: int = 3600
    revision_horizon_days: int = 45
    future_tolerance_seconds: int = 300
    base_bucket_seconds: int = 3600
