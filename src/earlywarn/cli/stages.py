"""Progress of work in stages that read topics, on a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_SHOWN_SECONDS = 0.1


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Show what is done now, how many records of it, and of how many (0 if nobody knows); in a pipe nothing."""
    console = Console(stderr=True, emoji=False)
    if not console.is_terminal:
        yield lambda _what, _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, note="")
        due = 0.0

        def tell(what: str, done: int, total: int) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due:
                due = now + _SHOWN_SECONDS
                progress.update(task, description=what, completed=done, total=total or None, note=f"{done:,} records")

        yield tell
