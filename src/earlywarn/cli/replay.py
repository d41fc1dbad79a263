"""`earlywarn replay`."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NamedTuple, Unpack

import msgspec
import typer

from earlywarn.adapters.disk_room import told_when_full
from earlywarn.adapters.files import InputFile, open_inputs
from earlywarn.adapters.inference import Assumption, Stated, guessed_mappings
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.replay import FileSource, Pace, Replay, RunSource, Standing, Window, fill, play
from earlywarn.adapters.replay.environment import worker_environment
from earlywarn.adapters.replay.packing import BATCHED_BLOCK
from earlywarn.adapters.replay.published import latest_alerts
from earlywarn.application.compose import Run, compose
from earlywarn.application.environment import CONFIG_NAME
from earlywarn.application.settings import Settings
from earlywarn.cli.pauses import ENDED, SIGNALS, Asked, pauses
from earlywarn.cli.preparing import (
    Config,
    Country,
    Currency,
    EventTable,
    Exercise,
    Json,
    Mapping,
    SchoolTable,
    SectorCodes,
    TimeZone,
    defaults_of,
    mapping_of,
    open_and_infer,
    refuse_panel_options,
)
from earlywarn.cli.ranges import COUNTING, day, ranged
from earlywarn.cli.replay_view import print_summary, shown, summary_of, waiting_told
from earlywarn.cli.run_settings import RunId, run_settings, source_of
from earlywarn.cli.terminal import end_in_order_when_terminated, remark, results


def _speed(text: str) -> str:
    if text != "max":
        try:
            good = 0 < float(text) < float("inf")
        except ValueError:
            good = False
        if not good:
            raise typer.BadParameter(f"{text!r} is neither max nor a number above 0, such as 3600 (an hour a second)")
    return text


def _window(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    begin, end = (None if text is None else day(text, name) for text, name in ((first, "--from"), (last, "--to")))
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter(
            f"{begin} is after {end}; no day is from the one to the other", param_hint="--from, --to"
        )
    return begin, end


def replay(
    inputs: Annotated[
        list[str] | None, typer.Argument(help="Files or globs, all that `earlywarn run` reads.", show_default=False)
    ] = None,
    run_id: RunId = None,
    speed: Annotated[
        str, typer.Option(help="N times real time by event time, or max: as fast as it goes.", callback=_speed)
    ] = "max",
    config: Config = None,
    mapping: Mapping = None,
    country: Country = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    classification: SectorCodes = None,
    school_holidays: SchoolTable = None,
    known_events: EventTable = None,
    workers: Annotated[int, ranged(allowed=COUNTING, help="Aggregators to start, besides one detector.")] = 1,
    no_workers: Annotated[bool, typer.Option("--no-workers", help="The run's workers run already.")] = False,
    first_day: Annotated[str | None, typer.Option("--from", help="First local day, such as 2019-06-01.")] = None,
    last_day: Annotated[str | None, typer.Option("--to", help="Last local day.")] = None,
    from_run: Annotated[
        str | None, typer.Option(help="Replay the recorded transactions of another run in place of files.")
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Put transactions in time order first (for files that are not).")
    ] = False,
    batched: Annotated[
        bool, typer.Option("--batched", help="Thousands of transactions in one message (Arrow), for long histories.")
    ] = False,
    leaves_open: Annotated[
        bool,
        typer.Option("--open", help="Fill a run that goes on: no end marks, and no workers before this has ended."),
    ] = False,
    exercise: Exercise = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for rejects and logs. Default: out/RUN.")
    ] = None,
    probes: Annotated[
        bool,
        typer.Option("--probes", help="Answer /livez, /readyz and /metrics on service.host:service.port meanwhile."),
    ] = False,
    json: Json = False,
) -> None:
    """Replay a history through Kafka: topics, workers, records and end marks; ends when all is folded.

    Where it was killed or stopped, the same command goes on behind the last record that stands in the topic.
    SIGUSR1 pauses it, SIGUSR2 lets it go on.

    Examples:

        earlywarn replay region_sector_daily.csv --mapping swiss-cards --config panel.toml --run replay-2020

        earlywarn replay 'days/*.jsonl.zst' --config panel.toml --run fast --workers 4 --batched

        earlywarn replay cells.csv --speed 86400 --from 2020-02-01 --to 2020-04-30 --run spring

        earlywarn replay --from-run live --config panel.toml --run what-if

        earlywarn replay --from-run live --config panel.toml --run live-2 --open
    """
    end_in_order_when_terminated(ENDED)
    window = _window(first_day, last_day)
    _check_usage(inputs, from_run, speed=speed, seeks=any(window), batched=batched, sort=sort, leaves_open=leaves_open)
    ready = _prepared(
        inputs or [],
        config,
        mapping=mapping,
        country=country,
        currency=currency,
        time_zone=time_zone,
        classification=classification,
        school_holidays=school_holidays,
        known_events=known_events,
        run_id=run_id,
        exercise=exercise,
        leaves_open=leaves_open,
    )
    if (no_workers or leaves_open) and (ready.inferred or exercise is not None):
        raise typer.BadParameter(
            "workers that run elsewhere have settings of their own; give them as --config too",
            param_hint="--open" if leaves_open else "--no-workers",
        )
    pace = Pace(None if speed == "max" else float(speed), clock=time.monotonic, sleep=time.sleep)
    folder = out or Path("out") / ready.run.settings.run
    with ExitStack() as stack:
        stack.enter_context(told_when_full(folder))
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(waiting_told())
        source: FileSource | RunSource
        settings = ready.run.settings
        standing = Standing()
        if probes:
            stack.enter_context(_probed(settings, standing, pace))
        if from_run is None:
            sort_in = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder))) if sort else None
            source = FileSource(
                ready.run,
                ready.inputs,
                window=Window.of_days(*window, ready.run.panels[0].panel.calendar),
                sort_in=sort_in,
                batched=batched,
                rejects=folder / "rejects.jsonl",
            )
            settings = _batched(settings) if batched else settings
        else:
            source = RunSource(settings.kafka, RunTopics(from_run, settings.topics.prefix), leaves_open=leaves_open)
            partitions = source.partition_count(RunTopics(settings.run, settings.topics.prefix))
            settings = _with_topics(settings, transactions_partitions=partitions)
        stack.enter_context(paused_by_signals(pace))
        tell, tell_folded = stack.enter_context(shown(ready.inputs))
        began = time.monotonic()
        asked = Replay(
            run=compose(settings),
            source=source,
            pace=pace,
            aggregators=0 if no_workers else workers,
            environment=worker_environment(os.environ, ready.config, settings, inferred=ready.inferred),
            logs=folder / "logs",
            standing=standing,
        )
        played = fill(asked, tell) if leaves_open else play(asked, tell, tell_folded)
    for line in (each.in_words() for each in ready.assumed):
        remark(line)
    topics = RunTopics(settings.run, settings.topics.prefix)
    alerts = [] if leaves_open else latest_alerts(settings, topics)
    summary = summary_of(settings, source, played, alerts, folder, seconds=time.monotonic() - began)
    with results():
        if json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n")
        else:
            print_summary(summary, settings, topics, played)


# --- what is replayed, and with which settings


class _Prepared(NamedTuple):
    run: Run
    inputs: list[InputFile]
    config: Path | None
    inferred: bool
    assumed: tuple[Assumption, ...]


def _check_usage(
    inputs: list[str] | None,
    from_run: str | None,
    *,
    speed: str,
    seeks: bool,
    batched: bool,
    sort: bool,
    leaves_open: bool,
) -> None:
    if bool(inputs) == bool(from_run):
        raise typer.BadParameter("give files, or --from-run and no files", param_hint="INPUTS, --from-run")
    if from_run and (speed != "max" or seeks or batched or sort):
        raise typer.BadParameter(
            "a recorded run is copied whole and at full speed, in its own order and form", param_hint="--from-run"
        )
    if leaves_open and (speed != "max" or batched):
        raise typer.BadParameter("a run that goes on is filled at full speed, record by record", param_hint="--open")


def _prepared(
    patterns: list[str],
    config: Path | None,
    *,
    mapping: str | None,
    run_id: str | None,
    exercise: bool | None,
    leaves_open: bool,
    **stated: Unpack[Stated],
) -> _Prepared:
    """Open the inputs and compose the run: by settings with panels, else by a panel inferred from the inputs."""
    if config is None and os.environ.get(CONFIG_NAME):
        config = Path(os.environ[CONFIG_NAME])
    settings = _with_topics(run_settings(config, run_id), replay=not leaves_open)
    chosen = mapping_of(mapping)
    inputs: list[InputFile] = []
    assumed: tuple[Assumption, ...] = ()
    has_panels = bool(settings.panels) or not patterns or leaves_open
    if has_panels:
        refuse_panel_options(**stated)
        inputs = open_inputs(patterns, chosen, defaults_of(settings, source_of(config))) if patterns else []
    else:
        inputs, inferred = open_and_infer(patterns, chosen, **stated)
        assumed = inferred.assumed
        if exercise is None and not settings.exercise:
            exercise = True
            assumed += (Assumption("exercise", "true", "a replay of files without settings (--no-exercise)"),)
        settings = msgspec.structs.replace(settings, panels=(inferred.panel,))
    if exercise is not None:
        settings = msgspec.structs.replace(settings, exercise=exercise)
    guessed = () if mapping is not None else tuple(guessed_mappings(inputs))
    return _Prepared(compose(settings, source_of(config)), inputs, config, not has_panels, (*assumed, *guessed))


def _with_topics(settings: Settings, **fields: Any) -> Settings:
    return msgspec.structs.replace(settings, topics=msgspec.structs.replace(settings.topics, **fields))


def _batched(settings: Settings) -> Settings:
    """Return settings with blocks so small that one holds at most 100,000 transactions."""
    size = min(settings.fold.block_size, BATCHED_BLOCK)
    return msgspec.structs.replace(settings, fold=msgspec.structs.replace(settings.fold, block_size=size))


@contextmanager
def _probed(settings: Settings, standing: Standing, pace: Pace) -> Iterator[None]:
    from earlywarn.adapters.replay.probed import probed  # noqa: PLC0415  # a web server, which other commands need not load

    with probed(settings.kafka, settings.service, standing, pace) as probes:
        remark(f"probes on http://{probes.host}:{probes.port}")
        yield


# --- signals


@contextmanager
def paused_by_signals(pace: Pace) -> Iterator[None]:
    """Pause on SIGUSR1 and go on on SIGUSR2, within; a pause that was asked for before begins at once."""

    def obey(number: int, _: FrameType | None) -> None:
        pace.paused = pauses(number)

    before = {number: signal.signal(number, obey) for number in SIGNALS}
    pace.paused = Asked.paused
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
