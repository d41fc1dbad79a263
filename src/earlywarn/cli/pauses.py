"""SIGUSR1 pauses a replay and SIGUSR2 lets it go on, from its first moment: its modules take seconds to load."""

import signal
from types import FrameType

SIGNALS = {signal.SIGUSR1: True, signal.SIGUSR2: False}
"""By signal, whether it pauses."""


class Asked:
    """Whether a pause was asked for last, before there was anything to pause."""

    paused = False


def note_pauses() -> None:
    """Take note of the signals from now on, which would else end the process."""

    def note(number: int, _: FrameType | None) -> None:
        Asked.paused = SIGNALS[signal.Signals(number)]

    for number in SIGNALS:
        signal.signal(number, note)
