"""SIGUSR1 pauses a replay and SIGUSR2 lets it go on, from its first moment: its modules take seconds to load."""

import os
import signal
from contextlib import suppress
from types import FrameType

SIGNALS = {signal.SIGUSR1: True, signal.SIGUSR2: False}
"""By signal, whether it pauses."""
ENDED = "SIGTERM: ends (exit code 143); the same command goes on behind the last record that stands in the topic"
_TOLD = {True: "SIGUSR1: paused; SIGUSR2 lets it go on", False: "SIGUSR2: goes on"}


class Asked:
    """Whether a pause was asked for last, before there was anything to pause."""

    paused = False


def note_pauses() -> None:
    """Take note of the signals from now on, which would else end the process."""

    def note(number: int, _: FrameType | None) -> None:
        Asked.paused = pauses(number)

    for number in SIGNALS:
        signal.signal(number, note)


def pauses(number: int) -> bool:
    """Return whether a signal pauses, and say what it does."""
    paused = SIGNALS[signal.Signals(number)]
    tell(_TOLD[paused])
    return paused


def tell(line: str) -> None:
    """Say a line on standard error from a signal's handler, which may have broken into another one that is written."""
    with suppress(OSError):
        os.write(2, f"earlywarn: {line}\n".encode())
