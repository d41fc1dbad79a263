"""`earlywarn config check`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from earlywarn.adapters.redis.connection import check_address
from earlywarn.application.compose import Run, compose_from
from earlywarn.application.environment import PUBLIC_NAMES, remarks, variables
from earlywarn.application.settings import Settings, read
from earlywarn.cli.run_settings import Config, source_of
from earlywarn.errors import ConfigError

config_app = typer.Typer(help="Look at settings.", no_args_is_help=True)


@config_app.callback()
def _group() -> None:
    """Look at settings."""


@config_app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="Settings (TOML), as with --config."),
    ] = None,
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print the effective settings as JSON, secrets masked.")] = False,
) -> None:
    """Check the effective settings (file, environment, secret files) and every table they name; all problems at once.

    Examples:

        earlywarn config check panel.toml

        EARLYWARN_SERVICE__FLUSH_SECONDS=0.5 earlywarn config check panel.toml --json
    """
    if file is not None and config is not None:
        raise typer.BadParameter(f"{file} and --config {config} are both settings; give one of them")
    file = file or config
    place = source_of(file)
    of_redis = _problem_of_redis(file)
    try:
        settings, run = compose_from(file, os.environ)
    except ConfigError as error:
        raise ConfigError("\n".join([str(error), *of_redis])) from error
    if of_redis:
        raise ConfigError(*of_redis)
    from_environment = {name: where for name, (where, _) in variables(Settings).items() if _is_given(name)}
    if json:
        shown = {
            "source": place,
            "environment": from_environment,
            "settings": effective(run.settings),
            "panels": [_panel(run, each.panel.id) for each in run.panels],
            "fingerprint": run.fingerprint,
            "remarks": remarks(settings),
        }
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n")
        return
    for each in run.panels:
        panel = _panel(run, each.panel.id)
        typer.echo(
            f"{panel['id']}: {panel['name']}, {panel['currency']}, {panel['time_zone']}, "
            f"classification {panel['classification']}, published by {panel['resolution']}"
        )
    for name, where in from_environment.items():
        typer.echo(f"{name} sets {where}")
    for remark in remarks(settings):
        typer.echo(f"note: {remark}")
    typer.echo(f"{place}: no problems; fingerprint {run.fingerprint}")


def _problem_of_redis(file: Path | None) -> list[str]:
    """Return what the client of Redis has against its address, and where that stands; nothing of one read as faulty."""
    settings, _ = read(file, os.environ)
    if settings is None or not settings.redis.url:
        return []
    try:
        check_address(settings.redis.url)
    except ConfigError as error:
        names = [name for name, (where, _) in variables(Settings).items() if where == "redis.url" and _is_given(name)]
        return [f"environment ({names[0]}): {error}" if names else f"{source_of(file)}: {error}"]
    return []


def _is_given(name: str) -> bool:
    return name in os.environ and (name not in PUBLIC_NAMES or os.environ[name] != "")


def effective(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values, every secret as `***`."""
    plain: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=str)
    return plain


def _panel(run: Run, panel_id: str) -> dict[str, str]:
    panel = next(each.panel for each in run.panels if each.panel.id == panel_id)
    return {
        "id": panel.id,
        "name": run.names.panel(panel.id),
        "currency": panel.currency,
        "time_zone": panel.calendar.time_zone,
        "classification": f"{panel.classification.name} {panel.classification.version}",
        "resolution": panel.resolution,
    }
