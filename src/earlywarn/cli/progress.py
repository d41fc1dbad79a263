"""Progress on a terminal, silence in a pipe."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from earlywarn.adapters.files import InputFile


def _progress() -> Progress:
    console = Console(stderr=True, emoji=False)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def reading(inputs: Sequence[InputFile], verb: str = "Folding") -> Iterator[Callable[[int], None]]:
    """Show how far the inputs are read, in bytes; the caller tells the records done."""
    total = sum(each.size_bytes for each in inputs)
    with _progress() as progress:
        task = progress.add_task(verb, total=total, note="")
        records = 0

        def advance(count: int) -> None:
            nonlocal records
            records += count
            done = sum(each.position_bytes for each in inputs)
            progress.update(task, completed=done, note=f"{records:,} records")

        yield advance


@contextmanager
def counting(verb: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` steps are done."""
    with _progress() as progress:
        task = progress.add_task(verb, total=total, note="")

        def advance(count: int) -> None:
            progress.advance(task, count)

        yield advance


@contextmanager
def stepping(verb: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many steps are done, where the number may become known on the way."""
    with _progress() as progress:
        task = progress.add_task(verb, total=None, note="")

        def step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield step
