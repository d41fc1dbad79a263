"""The command line: `earlywarn demo | run | backtest | score | generate | config check | topics create ...`.

Exit codes: 0 success, 1 bad input (one line per problem on standard error), 2 bad usage, 3 nothing could be compared
(verify), 130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
A reader of the pipe that leaves early, as `head` does, is no failure: 0, without a word.
"""

import os
import signal
import sys
from types import FrameType

from earlywarn.cli.pauses import note_pauses

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; errors become lines and exit codes."""
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:  # else somebody ignores it, or handles it already
        signal.signal(signal.SIGINT, _leave)
    if sys.argv[1:2] == ["replay"]:
        note_pauses()
    from earlywarn.cli.app import run_app  # noqa: PLC0415  # importing the package costs nothing until it is used

    try:
        signal.signal(signal.SIGINT, interrupt)
        run_app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _leave(_: int, __: FrameType | None) -> None:
    """End at once: nothing has begun while modules are being loaded, and an exception could get lost among them."""
    os._exit(_INTERRUPTED)
