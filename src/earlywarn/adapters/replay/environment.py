"""What the workers of a replay are told: the settings of the replay itself, as variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from earlywarn.application.environment import CONFIG_NAME
from earlywarn.application.settings import Settings


def worker_environment(
    environ: Mapping[str, str], config: Path | None, settings: Settings, *, inferred: bool
) -> dict[str, str]:
    """Return the environment of workers that compose the same run as `settings`.

    Args:
        environ: what this process was given.
        config: the file of settings, if there is one.
        settings: of the run.
        inferred: its panels were made up from the input, and so are handed on.
    """
    topics = settings.topics
    told = {
        "EARLYWARN_RUN": settings.run,
        "EARLYWARN_EXERCISE": as_toml(settings.exercise),
        "EARLYWARN_FOLD__BLOCK_SIZE": str(settings.fold.block_size),
        "EARLYWARN_TOPICS__REPLAY": "true",
        "EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS": str(topics.transactions_partitions),
        "EARLYWARN_SERVICE__PORT": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    if config is not None:
        told[CONFIG_NAME] = str(config.absolute())
    if inferred:
        panels = [_without_nothing(msgspec.to_builtins(each)) for each in settings.panels]
        told["EARLYWARN_PANELS"] = as_toml(panels)
    return {**environ, **told}


def as_toml(value: Any) -> str:  # noqa: ANN401  # any plain value
    """Return a plain value as TOML on one line.

    >>> as_toml([{"id": "CH", "level": 2, "any": True}])
    '[{ "id" = "CH", "level" = 2, "any" = true }]'
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{as_toml(str(key))} = {as_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return msgspec.json.encode(value).decode()  # texts, numbers, true and false are written alike


def _without_nothing(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if value is not None and value != {}}
