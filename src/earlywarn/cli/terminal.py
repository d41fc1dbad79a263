"""What commands print: results on standard output, remarks on standard error; in a pipe nothing is cut or coloured."""

import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from earlywarn.cli.pauses import tell

_PIPE_COLUMNS = 10_000
_SIGNAL_EXIT = 128


def result_console() -> Console:
    """Return a console for results: as wide as the terminal; in a pipe lines are as long as they need."""
    return Console(emoji=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


def wrapped(text: str, columns: int) -> list[str]:
    r"""Return a text in lines of at most so many columns, broken at plain spaces alone: numbers and dates stay whole.

    Rich breaks at the narrow spaces between thousands too. A word that is longer than a line stays whole as well.

    >>> wrapped("EUR 1\u202f112\u202f737 to 2020-02-29", 14)
    ['EUR 1\u202f112\u202f737', 'to 2020-02-29']
    """
    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)


def print_table(console: Console, table: Table) -> None:
    """Print a table without the blanks that fill its last column."""
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def remark(line: str) -> None:
    """Tell people something beside the results."""
    text = f"earlywarn: {line}"
    lines = wrapped(text, Console(stderr=True).width) if sys.stderr.isatty() else [text]
    print(*lines, sep="\n", file=sys.stderr)  # noqa: T201  # this is the command line


@contextmanager
def results() -> Iterator[None]:
    """Print results within, so that a reader of the pipe that has left is noticed now and not when Python ends."""
    yield
    sys.stdout.flush()


def end_without_reader() -> NoReturn:
    """End without error, and without a complaint of Python's when it flushes what nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def end_in_order_when_terminated(told: str = "") -> None:
    """Let SIGTERM unwind the program as an interrupt does, so that drafts are removed; say a line of it, if any."""

    def stop(number: int, _: FrameType | None) -> None:
        if told:
            tell(told)
        raise SystemExit(_SIGNAL_EXIT + number)

    signal.signal(signal.SIGTERM, stop)
