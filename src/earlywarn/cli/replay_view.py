"""What `earlywarn replay` shows: progress on a terminal, and its summary."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from earlywarn.adapters.files import InputFile
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.replay import FileSource, Played, RunSource, Told
from earlywarn.adapters.run_files import alert_counts
from earlywarn.adapters.stream.logs import RateLimit
from earlywarn.application.settings import Settings
from earlywarn.cli.terminal import result_console
from earlywarn.domain.alert import Alert


@contextmanager
def shown(inputs: Sequence[InputFile]) -> Iterator[tuple[Callable[[Told], None], Callable[[int, int], None]]]:
    """Show on a terminal how far the inputs are read, events a second and event time; then how far they are folded."""
    console = Console(stderr=True, emoji=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        total = sum(each.size_bytes for each in inputs) or None
        task = progress.add_task("Replaying", total=total, note="")
        began = time.monotonic()

        def tell(told: Told) -> None:
            rate = told.records / max(time.monotonic() - began, 1e-3)
            event = "" if told.event_time_ms is None else f", {_moment(told.event_time_ms)}"
            done = sum(each.position_bytes for each in inputs)
            progress.update(task, completed=done, note=f"{told.records:,} records, {rate:,.0f}/s{event}")

        def tell_folded(done: int, total: int) -> None:
            progress.update(task, description="Folding", completed=done, total=total, note=f"{done:,} of {total:,}")

        yield tell, tell_folded


@contextmanager
def waiting_told() -> Iterator[None]:
    """Tell on standard error, now and then, what the replay waits for: a broker that is away."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("earlywarn: %(message)s"))
    handler.addFilter(RateLimit())
    logger = logging.getLogger("earlywarn.adapters")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _moment(event_ms: int) -> str:
    return datetime.fromtimestamp(event_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def summary_of(
    settings: Settings,
    source: FileSource | RunSource,
    played: Played,
    alerts: list[Alert],
    folder: Path,
    *,
    seconds: float,
) -> dict[str, Any]:
    """Return what a replay tells at its end, for people and machines."""
    topics = RunTopics(settings.run, settings.topics.prefix)
    return {
        "run": settings.run,
        "replayed": played.position.described,
        "records": played.position.records,
        "sent": played.position.sent,
        "resumed_behind": played.resumed,
        "rejected": dict(source.rejected) if isinstance(source, FileSource) else {},
        "rejects": str(folder / "rejects.jsonl") if isinstance(source, FileSource) else None,
        "dead_letters": dict(played.dead_letters),
        "alerts": alert_counts(alerts),
        "topics": list(topics.all),
        "redis": settings.redis.url or None,
        "in_redis": played.projected,
        "seconds": round(seconds, 1),
    }


def print_summary(summary: dict[str, Any], settings: Settings, topics: RunTopics, played: Played) -> None:
    """Print the summary for people."""

    def counts(found: dict[str, int], where: str) -> str:
        told = ", ".join(f"{count:,} {reason}" for reason, count in found.items())
        return f"{told} (see {where})" if told else "none"

    resumed = f" ({played.resumed:,} of them stood there)" if played.resumed else ""
    lines = [
        f"{summary['records']:,} records read, {summary['sent']:,} sent{resumed}; {summary['seconds']} s",
        f"rejected by the readers: {counts(summary['rejected'], str(summary['rejects']))}",
        f"dead letters: {counts(summary['dead_letters'], topics.dead_letters)}",
        f"alerts: {summary['alerts']['episodes']}, {summary['alerts']['open']} of them open",
        f"Alerts: topic {topics.alerts} at {settings.kafka.brokers}; aggregates: {topics.aggregates}",
    ]
    if settings.redis.url:
        state = "" if played.projected else " (not yet up to date: start a detector of the run, or rebuild it)"
        lines.append(f"Redis: {settings.redis.url}, keys earlywarn:{settings.run}:{state}")
    if not settings.topics.replay:
        goes_on = f"stands in {topics.transactions}, which goes on: start its workers, then point senders to it"
        lines[2:] = [f"run {settings.run!r}: all that could be read of {summary['replayed']} {goes_on}"]
    console = result_console()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
