"""What commands over a running system share: its settings, as its services take them."""

import logging
import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from earlywarn.application.settings import Settings, load

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings (TOML). Without: the file that EARLYWARN_CONFIG names, else the environment alone.",
        exists=True,
        dir_okay=False,
    ),
]
RunId = Annotated[str | None, typer.Option("--run", help="Id of the run. Default: the settings'.")]


def run_settings(config: Path | None, run: str | None) -> Settings:
    """Return the settings of a run: file, environment over it, and the run's id if it is given.

    Raises:
        ConfigError: one line for each problem.
    """
    logging.getLogger("kafka").addHandler(logging.NullHandler())  # its errors come as ours, one line each
    settings = load(config, os.environ)
    return settings if run is None else msgspec.structs.replace(settings, run=run)
