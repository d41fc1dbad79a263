"""What commands print: results on standard output, remarks on standard error; in a pipe nothing is cut or coloured."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer
from rich.console import Console
from rich.table import Table

_PIPE_COLUMNS = 10_000
_SIGNAL_EXIT = 128


def result_console() -> Console:
    """Return a console for results: as wide as the terminal; in a pipe lines are as long as they need."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


def print_table(console: Console, table: Table) -> None:
    """Print a table without the blanks that fill its last column."""
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def remark(line: str) -> None:
    """Tell people something beside the results."""
    print(f"earlywarn: {line}", file=sys.stderr)  # noqa: T201  # this is the command line


@contextmanager
def results() -> Iterator[None]:
    """Print results within; a reader of the pipe that leaves early, as `head` does, ends the command without error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it flushes at exit
        raise typer.Exit(0) from error


def end_in_order_when_terminated() -> None:
    """Let SIGTERM unwind the program as an interrupt does, so that drafts are removed."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(_SIGNAL_EXIT + number)

    signal.signal(signal.SIGTERM, stop)
