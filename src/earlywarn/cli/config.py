"""`earlywarn config check`."""

from pathlib import Path
from typing import Annotated

import typer

from earlywarn.application.compose import compose
from earlywarn.application.settings import load_settings

config_app = typer.Typer(help="Look at settings.", no_args_is_help=True)


@config_app.callback()
def _group() -> None:
    """Look at settings."""


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Settings (TOML).", exists=True, dir_okay=False)],
) -> None:
    """Check settings and every table they name; all problems at once.

    Example:

        earlywarn config check panel.toml
    """
    run = compose(load_settings(file))
    for each in run.panels:
        panel = each.panel
        typer.echo(
            f"{panel.id}: {run.names.panel(panel.id)}, {panel.currency}, {panel.calendar.time_zone}, "
            f"classification {panel.classification.name} {panel.classification.version}, "
            f"published by {panel.resolution}"
        )
    typer.echo(f"{file}: no problems; fingerprint {run.fingerprint}")
