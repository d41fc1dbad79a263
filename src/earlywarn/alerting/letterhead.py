"""What every alert of a run carries."""

import msgspec


class Letterhead(msgspec.Struct, frozen=True, kw_only=True):
    """The run, whether it is an exercise (a replay, a backtest), and what decided: model and configuration."""

    run: str
    exercise: bool
    model_version: str
    config_hash: str
