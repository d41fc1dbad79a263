"""What is told when a disk is full: a write fails then without the name of what was written."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earlywarn.errors import InputError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Errors of writing alone: whatever is read meanwhile never ends so."""


def without_room(error: BaseException | None, folder: Path) -> InputError | None:
    """Return what is told of an error that means that no more can be written below a folder; None of any other."""
    if not isinstance(error, OSError) or error.errno not in _NO_ROOM:
        return None
    return InputError(
        f"{folder}: cannot be written to: {os.strerror(error.errno)}; make room there, or choose another folder (--out)"
    )


@contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """Say which folder is full when what is written below it within does not find room.

    Raises:
        InputError: it does not.
    """
    try:
        yield
    except OSError as error:
        if (told := without_room(error, folder)) is not None:
            raise told from error
        raise
