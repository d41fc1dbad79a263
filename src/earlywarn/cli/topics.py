"""`earlywarn topics create` and `earlywarn topics delete`."""

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from earlywarn.adapters.kafka.change import change_configuration
from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.lost_beginnings import lost_beginnings
from earlywarn.adapters.kafka.manifest import check_manifest, read_manifest, write_manifest
from earlywarn.adapters.kafka.remade_manifest import remade_manifest
from earlywarn.adapters.kafka.run_logs import check_logs
from earlywarn.adapters.kafka.run_topics import PUBLISHED, RunTopics
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics, survey_topics
from earlywarn.adapters.snapshots.choice import snapshot_store
from earlywarn.application.compose import compose
from earlywarn.application.environment import source_of_panels
from earlywarn.application.settings import Settings
from earlywarn.application.snapshots import SnapshotStore
from earlywarn.cli.run_settings import Config, RunId, as_called, run_id_checked, run_settings, with_config
from earlywarn.errors import EarlywarnError

topics_app = typer.Typer(help="Make, check and delete the Kafka topics of a run.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print what was done and what does not fit as JSON.")]


@topics_app.callback()
def _group() -> None:
    """Make, check and delete the Kafka topics of a run."""


@topics_app.command()
def create(
    run: RunId = None,
    config: Config = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; say what is missing or does not fit.")
    ] = False,
    grow: Annotated[
        bool, typer.Option("--grow", help="Raise the partitions of transactions to topics.transactions_partitions.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="The run is a replay: its transactions are kept until it is deleted.")
    ] = False,
    accept_published: Annotated[
        bool,
        typer.Option(
            "--accept-published",
            help="Go on with aggregates and alerts that were deleted or made anew: what stood there is gone for good.",
        ),
    ] = False,
    remake_manifest: Annotated[
        bool,
        typer.Option(
            "--remake-manifest",
            help="Of a run that has data, and whose topic meta was deleted: write it anew. The settings must be those "
            "that the run has had.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Create the topics of a run and its manifest; check those that exist. Nothing that exists is changed.

    Examples:

        earlywarn topics create --config panel.toml

        earlywarn topics create --check --json

        EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS=16 earlywarn topics create --grow
    """
    if check and (grow or accept_published or remake_manifest):
        raise typer.BadParameter(
            "--check changes nothing, --grow, --accept-published and --remake-manifest do; give one of them"
        )
    settings = run_settings(config, run)
    accepted = PUBLISHED if accept_published else ()
    needs_panels = bool(settings.panels) or accept_published or remake_manifest
    composed = compose(settings, source_of_panels(config, os.environ)) if needs_panels else None
    with as_called(config), kafka_admin(settings.kafka) as admin:
        known = read_manifest(settings)
        settings = _with_replay(settings, replay=replay or (known is not None and known.replay))
        before = survey_topics(admin, settings, known)
        shown: dict[str, Any] = {
            "run": settings.run,
            "missing": [each.name for each in before.missing],
            "misfits": [dataclasses.replace(each, mend=with_config(each.mend, config)) for each in before.misfits],
            "remarks": before.remarks,
            "created": [],
            "grown": {},
            "manifest": known,
            "problems": [],
        }
        if composed is not None:
            composed = dataclasses.replace(
                composed, settings=_with_replay(composed.settings, replay=settings.topics.replay)
            )
        names, remade = RunTopics(settings.run, settings.topics.prefix), None
        try:
            if known is None and remake_manifest and composed is not None:
                remade = remade_manifest(composed, _snapshots_of(settings), accepted=accepted)
            elif not before.closed:  # else each right that lacks is told first
                check_logs(settings, known, accepted)  # before anything is made
            done = ensure_topics(admin, settings, known, create=not check, grow=grow)
            lost = [*lost_beginnings(settings.kafka, names), *(remade.remarks if remade else ())]
            shown |= {"created": done.created, "grown": done.grown, "remarks": [*before.remarks, *lost]}
            if composed is not None and check:
                shown["manifest"] = check_manifest(composed)
            elif composed is not None:
                found = remade.manifest if remade else None
                shown["manifest"] = write_manifest(composed, accepted=accepted, remade=found)
        except EarlywarnError as error:
            if not json:
                raise
            shown["problems"] = with_config(str(error), config).split("\n")
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n")
        raise typer.Exit(1 if shown["problems"] else 0)
    _show(shown, settings)


@topics_app.command()
def change(
    run: RunId = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Give a run other models, or other settings of [coverage], [detection] or [alerts], from here on.

    Its detectors stop; start them with the new settings. Aggregators go on. Open alerts go on under the new settings or
    are superseded.

    Example:

        earlywarn topics change --config new.toml
    """
    composed = compose(run_settings(config, run), source_of_panels(config, os.environ))
    with as_called(config):
        before = read_manifest(composed.settings)
        manifest = change_configuration(composed)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2).decode() + "\n")
        return
    if manifest == before:
        typer.echo(f"run {manifest.run!r}: has this configuration already")
        return
    typer.echo(
        f"run {manifest.run!r}: configuration {manifest.fingerprint} from here on (change {manifest.change}); "
        "start its detectors with these settings"
    )


@topics_app.command()
def delete(
    run: Annotated[str, typer.Option("--run", help="Id of the run.", callback=run_id_checked)],
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete the topics of a run with all they hold. What Redis and the snapshots keep of it stays.

    Example:

        earlywarn topics delete --run replay-2020
    """
    settings = run_settings(config, run)
    names = RunTopics(run, settings.topics.prefix)
    if not yes:
        typer.confirm(
            f"Delete {names.transactions} and the other {len(names.all) - 1} topics of run {run!r} "
            f"at {settings.kafka.brokers}, with all they hold?",
            abort=True,
            err=True,
        )
    with kafka_admin(settings.kafka) as admin:
        deleted = delete_topics(admin, run, settings.topics.prefix)
    if json:
        sys.stdout.write(msgspec.json.encode({"run": run, "deleted": deleted}).decode() + "\n")
        return
    for name in deleted:
        typer.echo(f"{name}: deleted")
    if not deleted:
        typer.echo(f"run {run!r} has no topics at {settings.kafka.brokers}")


def _with_replay(settings: Settings, *, replay: bool) -> Settings:
    if not replay:
        return settings
    return msgspec.structs.replace(settings, topics=msgspec.structs.replace(settings.topics, replay=True))


def _snapshots_of(settings: Settings) -> Callable[[str], SnapshotStore]:
    return lambda log: snapshot_store(settings.snapshots, settings.run, settings.redis, log)


def _show(shown: dict[str, Any], settings: Settings) -> None:
    for name in shown["created"]:
        typer.echo(f"{name}: created")
    for name, partitions in shown["grown"].items():
        typer.echo(f"{name}: has {partitions} partitions now")
    if shown["grown"]:
        typer.echo(
            "Workers take the new partitions when they next look at the topic (within 5 minutes, or on a restart). "
            "The watermark waits until each has been heard; an empty one says that it is idle after "
            f"{settings.service.idle_seconds:g} s, in a replay at its end mark."
        )
    for remark in shown["remarks"]:
        typer.echo(f"note: {remark}")
    if shown["manifest"] is None:
        typer.echo(
            "note: no manifest, since the settings name no panels, and no worker starts without one; run this again "
            "with those of its workers (--config FILE, or EARLYWARN_CONFIG)"
        )
    typer.echo(f"run {settings.run!r}: topics fit")
