"""A run as a terminal shows it: its alerts, and what was counted."""

import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earlywarn.adapters.run_files import RunResult
from earlywarn.cli.terminal import print_table, remark, result_console, results, wrapped
from earlywarn.domain.alert import Alert

_HEAD_COLUMNS = 34
"""Of a table of alerts: a date, the longest severity and status, and what is between columns."""
_LEAST_ROOM = 40
"""Columns that the texts of alerts need to stand beside all that."""
_REASONS_SHOWN = 6


def show_run(result: RunResult, *, json: bool) -> None:
    """Print what a run gave: what it assumed and warns of on standard error, alerts and counts on standard output."""
    for line in (*(each.in_words() for each in result.assumed), *result.warnings):
        remark(line)
    with results():
        if json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(result.summary), indent=2).decode() + "\n")
        else:
            _print(result)


def _print(result: RunResult) -> None:
    console = result_console()
    if result.alerts:
        _print_alerts(console, result.alerts)
    else:
        console.print("No alert was raised.", highlight=False)
    summary = result.summary
    within = sum(alert.parent is not None for alert in result.alerts)
    told = (
        f"{summary['records']:,} records, {summary['transactions']:,} transactions, "
        f"{summary['first_day']} to {summary['last_day']}; {len(result.alerts)} alerts"
        f"{f', {within} of them within wider ones' if within else ''}; rejected: {_rejected(result)}; "
        f"{summary['seconds']} s"
    )
    lines = [told, *_first_rejects(result)]
    console.print(
        *(part for line in lines for part in wrapped(line, console.width)),
        sep="\n",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    where = f"Results: {result.out.resolve()}" if result.report is None else f"Report: {result.report.resolve()}"
    console.print(where, highlight=False, markup=False, soft_wrap=True)


def _rejected(result: RunResult) -> str:
    counts = result.summary["rejected"]
    if not isinstance(counts, dict) or not counts:
        return "none"
    told = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    unplaced = result.summary["rejected_unplaced"]
    without = f"; {unplaced:,} of them do not say where they count, and no coverage lacks them" if unplaced else ""
    return f"{told} (see {result.out / 'rejects.jsonl'}{without})"


def _first_rejects(result: RunResult) -> list[str]:
    """Return the first reject of each reason, the commonest first and the first few of them, but what warnings tell."""
    found = result.summary["rejected_first"]
    firsts = [first for first in found.values() if first not in result.warnings] if isinstance(found, dict) else []
    if len(firsts) < 2:
        return [f"the first reject: {first}" for first in firsts]
    more = [f"and of {len(firsts) - _REASONS_SHOWN} more reasons"] if len(firsts) > _REASONS_SHOWN else []
    return ["the first reject of each reason, the commonest first:", *firsts[:_REASONS_SHOWN], *more]


def _print_alerts(console: Console, alerts: Sequence[Alert]) -> None:
    """Print the alerts without a parent as a table; where it leaves too little room for texts, one below the other."""
    table = Table(title="Alerts, newest last", title_justify="left", box=None, pad_edge=False)
    for name in ("Detected", "Severity", "Status"):
        table.add_column(name, no_wrap=True, vertical="top")
    rows = []
    for alert in alerts:
        if alert.parent is None:
            head = (alert.detected_on, alert.severity, alert.status)
            rows.append((head, alert.text + (f" [{len(alert.children)} more within]" if alert.children else "")))
    room = console.width - _HEAD_COLUMNS
    if room < _LEAST_ROOM:
        lines = (line for head, text in rows for line in ("", " ".join(head), *wrapped(text, console.width)))
        console.print("Alerts, newest last", *lines, sep="\n", highlight=False, markup=False, soft_wrap=True)
        return
    table.add_column("What happened")
    for head, text in rows:
        table.add_row(*head, Text("\n".join(wrapped(text, room))))
    print_table(console, table)
