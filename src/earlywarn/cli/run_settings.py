"""How every command reads settings: the file, the environment over it, then its own options. See docs/settings.md."""

import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from earlywarn.adapters.kafka.manifest import Manifest, check_manifest, read_manifest
from earlywarn.adapters.kafka.run_logs import logs_of_run
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.application.compose import Run, compose
from earlywarn.application.environment import CONFIG_NAME, source_of_panels
from earlywarn.application.settings import RUN_ID, Settings, load
from earlywarn.errors import EarlywarnError, LogError

_TOPICS_COMMAND = re.compile(r"earlywarn topics (create|change|delete)\b")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings (TOML). Without: the file that EARLYWARN_CONFIG names, else the environment alone.",
    ),
]


def run_id_checked(name: str | None) -> str | None:
    """Return a run's id that an option gives; bad usage if it can be none."""
    if name is not None and not RUN_ID.fullmatch(name):
        raise typer.BadParameter(f"{name!r:.120}: give letters, digits, - and _ only, at most 100; it names topics")
    return name


RunId = Annotated[
    str | None, typer.Option("--run", help="Id of the run. Default: the settings'.", callback=run_id_checked)
]


def run_settings(config: Path | None, run: str | None) -> Settings:
    """Return the settings of a run: file, environment over it, and the run's id if it is given.

    Raises:
        ConfigError: one line for each problem.
    """
    logging.getLogger("kafka").addHandler(logging.NullHandler())  # its errors come as ours, one line each
    settings = load(config, os.environ)
    return settings if run is None else msgspec.structs.replace(settings, run=run)


@contextmanager
def as_called(config: Path | None) -> Iterator[None]:
    """Let the commands that an error of what is done within suggests have the settings that this one was given."""
    try:
        yield
    except EarlywarnError as error:
        error.args = (with_config(str(error), config),)
        raise


def with_config(text: str, config: Path | None) -> str:
    """Return a text in which every command on topics that is suggested has `--config`, if it was given.

    >>> with_config("t: does not exist; run: earlywarn topics create --run r", Path("my panel.toml"))
    "t: does not exist; run: earlywarn topics create --config 'my panel.toml' --run r"
    """
    if config is None:
        return text
    return _TOPICS_COMMAND.sub(lambda found: f"{found[0]} --config {shlex.quote(str(config))}", text)


def source_of(config: Path | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return where settings come from, in words: their file, else the environment."""
    return str(config or environ.get(CONFIG_NAME) or "environment")


def manifest_there(settings: Settings) -> Manifest:
    """Return the manifest of a run that must be there: nobody who looks at one wants to make it.

    Raises:
        ConfigError: no broker answers.
        LogError: there is none of that id and prefix.
    """
    manifest = read_manifest(settings)
    if manifest is None:
        meta = RunTopics(settings.run, settings.topics.prefix).meta
        raise LogError(f"{meta}: run {settings.run!r} has no manifest; give the run's own id and topics.prefix")
    return manifest


def running(config: Path | None, run: str | None) -> Run:
    """Return a run as its workers have it, with the block size of its manifest (a batched replay has its own).

    Raises:
        ConfigError: a setting cannot be used, or no broker answers.
        LogError: the run has no manifest, or the settings differ from it: one line for each difference; or its
            logs were deleted.
    """
    settings = run_settings(config, run)
    fold = msgspec.structs.replace(settings.fold, block_size=manifest_there(settings).block_size)
    settings = msgspec.structs.replace(settings, fold=fold)
    composed = compose(settings, source_of_panels(config, os.environ))
    with as_called(config):
        manifest = check_manifest(composed)
        logs_of_run(settings.kafka, RunTopics(settings.run, settings.topics.prefix), manifest)
    return composed
