"""`earlywarn verify`."""

import sys
from typing import Annotated

import msgspec
import typer

from earlywarn.adapters.kafka.recount import verify_run
from earlywarn.application.verification import Verification
from earlywarn.cli.run_settings import Config, RunId, running
from earlywarn.cli.stages import stages
from earlywarn.cli.terminal import remark, results

_NOTHING_COMPARED = 3

Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


def verify(config: Config = None, run_id: RunId = None, json: Json = False) -> None:
    """Recount a run's transactions by a plain loop, and compare with its aggregates, to the unit.

    Reads `transactions`, `aggregates` and the dead letters; writes nothing. Exit code 1 if anything differs, or is
    complete in the log and not published yet; the first 20 differences are listed. Exit code 3 if nothing could be
    compared: no bucket has closed yet, or retention has left none whole.

    Examples:

        earlywarn verify --config panel.toml

        earlywarn verify --config panel.toml --run replay-2020 --json
    """
    run = running(config, run_id)
    with stages() as tell:
        outcome = verify_run(run, tell)
    with results():
        if json:
            shown = msgspec.to_builtins(outcome) | {"equal": outcome.equal and bool(outcome.compared)}
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n")
        else:
            _show(outcome)
    if not outcome.equal:
        raise typer.Exit(1)
    if not outcome.compared:
        raise typer.Exit(_NOTHING_COMPARED)


def _show(outcome: Verification) -> None:
    for line in outcome.remarks:
        remark(line)
    if outcome.behind:
        typer.echo(
            f"run {outcome.run!r}: {outcome.behind:,} buckets of series or dead letters are complete in transactions "
            "and not published: its workers are behind or stopped; start them, wait, and verify again"
        )
    left_out = [
        f"{count:,} {what}"
        for count, what in (
            (outcome.still_open, "not closed yet"),
            (outcome.revised_later, "with late records that the next close of a day publishes"),
            (outcome.capped, "with sums that are capped"),
            (0 if outcome.compared else outcome.cut_off, "begun before what is left of the log"),
        )
        if count
    ]
    apart = f"; left out: {', '.join(left_out)}" if left_out else ""
    read = (
        f"{outcome.transactions:,} transactions in {outcome.accepted:,} records, and {outcome.rejected:,} rejects, of "
        f"{outcome.messages:,} messages"
    )
    if outcome.found:
        for difference in outcome.differences:
            typer.echo(str(difference))
        more = outcome.found - len(outcome.differences)
        listed = f", {more:,} of them not listed" if more else ""
        typer.echo(
            f"run {outcome.run!r}: {outcome.found:,} differences{listed}, in {outcome.compared:,} buckets of series "
            f"({read}{apart}); see docs/operations/verify.md"
        )
    elif not outcome.behind and not outcome.compared:
        typer.echo(f"run {outcome.run!r}: nothing could be compared, so nothing is verified: {read}{apart}")
    elif not outcome.behind:
        typer.echo(
            f"run {outcome.run!r}: what is published equals the count: {outcome.compared:,} buckets of series, "
            f"{read}{apart}"
        )
