"""`earlywarn dlq list` and `earlywarn dlq replay`."""

import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from earlywarn.adapters.kafka.dead_letters import Letter, Marks, Reentry, read_letters, read_marks
from earlywarn.adapters.kafka.lost_partitions import LostPartitions
from earlywarn.adapters.kafka.manifest import read_manifest
from earlywarn.adapters.kafka.reentered import Reentered
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.compose import Run
from earlywarn.application.mending import parse_mend
from earlywarn.application.settings import Settings
from earlywarn.cli.mended_letters import UNTOLD, MendedLetters, Unmendable, read_edits
from earlywarn.cli.ranges import COUNTING, ranged
from earlywarn.cli.run_settings import Config, RunId, manifest_there, run_settings, running
from earlywarn.cli.stages import stages
from earlywarn.cli.terminal import print_table, remark, result_console, results
from earlywarn.domain.reject import RejectReason
from earlywarn.errors import InputError

_LISTED = 50
_UNMENDABLE_LISTED = 20

dlq_app = typer.Typer(help="Show what was rejected, and re-enter mended records.", no_args_is_help=True)

Reason = Annotated[RejectReason | None, typer.Option("--reason", help="Only those of one reason.", metavar="REASON")]


@dlq_app.callback()
def _group() -> None:
    """Show what was rejected, and re-enter mended records."""


@dlq_app.command("list")
def list_letters(
    config: Config = None,
    run_id: RunId = None,
    reason: Reason = None,
    field: Annotated[str | None, typer.Option("--field", help="Only those in which this field is wrong.")] = None,
    limit: Annotated[
        int | None, ranged(allowed=COUNTING, help=f"At most so many. Default: {_LISTED}; with --json all.")
    ] = None,
    show_values: Annotated[
        bool,
        typer.Option(
            "--show-values",
            help="Print the records' own bytes. WARNING: they may hold card tokens; guard what you print.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the dead letters of a run that are not re-entered, with the reasons; each record once.

    Examples:

        earlywarn dlq list --config panel.toml

        earlywarn dlq list --reason region_unknown --field region

        (umask 077; earlywarn dlq list --reason time_invalid --show-values --json > letters.jsonl)
    """
    settings = run_settings(config, run_id)
    manifest_there(settings)
    topics = RunTopics(settings.run, settings.topics.prefix)
    marks = read_marks(TopicScan(settings.kafka, topics.dead_letters)).keys
    letters = _open_letters(settings, topics, marks)
    most = limit or (None if json else _LISTED)
    with results():
        if json:
            left = most
            for letter in letters:
                if left == 0:
                    break
                if _wanted(letter, reason, field):
                    left = None if left is None else left - 1
                    sys.stdout.write(msgspec.json.encode(_shown(letter, with_value=show_values)).decode() + "\n")
            return
        reasons: Counter[str] = Counter()
        listed: list[Letter] = []
        for letter in letters:
            reasons[letter.reason] += 1
            if (most is None or len(listed) < most) and _wanted(letter, reason, field):
                listed.append(letter)
        _print_counts(reasons, marks)
        if listed:
            _print_letters(listed, show_values=show_values)


@dlq_app.command("replay")
def replay_letters(
    config: Config = None,
    run_id: RunId = None,
    reason: Reason = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="Only this one (partition/offset/index).")] = None,
    mend: Annotated[
        list[str] | None,
        typer.Option("--mend", metavar="FIELD=VALUE", help="Set a field in each; with no value it is removed."),
    ] = None,
    edit: Annotated[
        Path | None,
        typer.Option(
            "--edit",
            help="Mended records: lines of `dlq list --show-values --json`, their `value` changed.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be done.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Re-enter mended records into a run's transactions, each once; what would be rejected again is left and listed.

    A record keeps its first time of receipt, and counts in the bucket of its own time, in a later vintage if that is
    closed. What is re-entered is marked in the same step: a second call passes it over.

    Examples:

        earlywarn dlq replay --config panel.toml --reason region_unknown --mend region=CH04 --dry-run

        earlywarn dlq replay --config panel.toml --key 3/1042/0 --mend ts=2020-03-01T12:00:00+01:00

        earlywarn dlq replay --config panel.toml --edit letters.jsonl
    """
    if not (mend or edit):
        raise typer.BadParameter("a record is rejected again as it is; mend it", param_hint="--mend, --edit")
    try:
        mends = dict(map(parse_mend, mend or []))
    except InputError as error:  # it was given on the command line
        raise typer.BadParameter(str(error), param_hint="--mend") from error
    edits = read_edits(edit) if edit else None
    run = running(config, run_id)
    settings = run.settings
    topics = RunTopics(settings.run, settings.topics.prefix)
    wanted_keys = None if key is None else set(key)

    def chosen(marks: Marks) -> Iterator[Letter]:
        for letter in _open_letters(settings, topics, marks.keys):
            asked = (edits is None or letter.key in edits) and (wanted_keys is None or letter.key in wanted_keys)
            if asked and _wanted(letter, reason, None):
                yield letter

    if dry_run:
        marks = read_marks(TopicScan(settings.kafka, topics.dead_letters))
        letters = _judged(run, chosen(marks), mends, edits, marks, wanted_keys)
        done = sum(1 for _ in letters)
    else:
        reentry = Reentry(settings.kafka, topics)
        marks = reentry.open()
        letters = _judged(run, chosen(marks), mends, edits, marks, wanted_keys)
        with stages() as tell:
            done = reentry.reenter(letters, lambda count: tell("Re-entering", count, 0))
    asked = set(wanted_keys or ()) | set(edits or ())
    missing = sorted(asked - letters.seen - marks.keys)
    reentered = 0 if dry_run else done
    passed_over = len(asked & marks.keys if asked else marks.keys) + letters.passed_over
    with results():
        if json:
            shown: dict[str, Any] = {
                "run": settings.run,
                "reentered": reentered,
                "mendable": done,
                "reentered_before": passed_over,
                "unmendable": letters.refused,
                "unmendable_listed": letters.unmendable[:_UNMENDABLE_LISTED],
                "before_copy": letters.held,
                "before_copy_listed": letters.before_copy[:_UNMENDABLE_LISTED],
                "no_such_letter": missing,
            }
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n")
        else:
            _print_outcome(settings.run, done, passed_over, letters.refused, letters.unmendable, dry_run=dry_run)
            _tell_before_copy(letters)
            for each in missing:
                remark(f"{each}: there is no dead letter of this key")
        _tell_who_counts(settings, reentered, planned=done - reentered)
    if letters.refused or missing:
        raise typer.Exit(1)


def _judged(
    run: Run,
    letters: Iterator[Letter],
    mends: dict[str, Any],
    edits: dict[str, bytes | None] | None,
    marks: Marks,
    by_key: Collection[str] | None,
) -> MendedLetters:
    """Return letters as they are to be re-entered; those chosen by key also where a copy may hold what they became."""
    before = Reentered(run.settings, marks)

    def copied(letter: Letter) -> bool:
        return letter.key not in (by_key or ()) and before.before_copy(letter)

    return MendedLetters(run, letters, mends, edits, before, LostPartitions(run.settings), copied)


def _tell_before_copy(letters: MendedLetters) -> None:
    """Say which letters are left since the run's copy may hold what they became, and the way out."""
    if letters.held:
        keys = ", ".join(letters.before_copy[:_UNMENDABLE_LISTED])
        more = f" and {letters.held - _UNMENDABLE_LISTED:,} more" if letters.held > _UNMENDABLE_LISTED else ""
        remark(
            f"{letters.held:,} dead letters are left: this run is a copy, what was re-entered in the run before was "
            f"copied with it, and they may be among that, so they could count twice: {keys}{more}. Look at what counts "
            "(docs/operations/dead-letters.md), and choose by --key those that are not"
        )


def _tell_who_counts(settings: Settings, reentered: int, *, planned: int) -> None:
    """Say where what was re-entered may find no workers, and of what is planned what is not known."""
    if planned:
        remark(UNTOLD)
    manifest = read_manifest(settings) if reentered else None
    if manifest is not None and manifest.replay:
        remark(
            f"run {settings.run!r} is a replay: its workers count what is re-entered, and a replay that has ended has "
            "none; give its `earlywarn replay` command again, which starts them and waits for them"
        )


def _open_letters(settings: Settings, topics: RunTopics, marks: Collection[str]) -> Iterator[Letter]:
    """Yield the letters that are not re-entered."""
    for letter in read_letters(TopicScan(settings.kafka, topics.dead_letters)):
        if letter.key not in marks:
            yield letter


def _wanted(letter: Letter, reason: RejectReason | None, field: str | None) -> bool:
    return (reason is None or letter.reason == reason.value) and (field is None or letter.field == field)


def _shown(letter: Letter, *, with_value: bool) -> dict[str, Any]:
    """Return a letter for machines; its bytes as text, or as base64 if they are none."""
    shown: dict[str, Any] = {
        "key": letter.key,
        "reason": letter.reason,
        "field": letter.field,
        "detail": letter.detail,
        "received": _moment(letter.received_ms),
        "bytes": None if letter.value is None else len(letter.value),
    }
    if with_value:
        try:
            shown["value"] = None if letter.value is None else letter.value.decode()
        except UnicodeDecodeError:
            shown["value_base64"] = b64encode(letter.value or b"").decode()
    return shown


def _moment(epoch_ms: int) -> str:
    try:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return f"{epoch_ms} ms"  # a header may hold any number


def _print_counts(reasons: Counter[str], marks: Collection[str]) -> None:
    table = Table("reason", "dead letters", box=None, pad_edge=False)
    for name, count in reasons.most_common():
        table.add_row(name, f"{count:,}")
    table.add_row("in all", f"{reasons.total():,}")
    print_table(result_console(), table)
    if marks:
        typer.echo(f"{len(marks):,} more are re-entered")


def _print_letters(letters: list[Letter], *, show_values: bool) -> None:
    names = ("key", "reason", "field", "detail", "received", "bytes", *(("value",) if show_values else ()))
    table = Table(*names, box=None, pad_edge=False)
    for letter in letters:
        shown = _shown(letter, with_value=False)
        cells = ["" if shown[name] is None else str(shown[name]) for name in names[:6]]
        if show_values:
            cells.append(ascii(letter.value) if letter.value is not None else "none")
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    sys.stdout.write("\n")
    print_table(result_console(), table)


def _print_outcome(
    run: str, done: int, passed_over: int, refused: int, unmendable: list[Unmendable], *, dry_run: bool
) -> None:
    for each in unmendable[:_UNMENDABLE_LISTED]:
        typer.echo(str(each))
    if refused > _UNMENDABLE_LISTED:
        typer.echo(f"... and {refused - _UNMENDABLE_LISTED:,} more")
    verb = "would be re-entered" if dry_run else "re-entered"
    typer.echo(
        f"run {run!r}: {done:,} records {verb}; {refused:,} would be rejected again and are left; "
        f"{passed_over:,} were re-entered before"
    )
