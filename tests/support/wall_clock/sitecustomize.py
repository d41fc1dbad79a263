"""A wall clock of Python that a test can move: what a process imports first whose PYTHONPATH begins with this folder.

Every way in which Python code asks for the time of day gives the true one and what stands in the file that
`TEST_WALL_CLOCK` names, which all its readers share, so a jump is seen at once. Clocks that only measure
stay as they are, as they do when a machine's clock is set. What libraries in C ask themselves (librdkafka) is true.
"""

import datetime as dt
import gc
import mmap
import os
import struct
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any


def live_by(file: Path) -> None:
    """Move the wall clock of this process by the nanoseconds that stand in a file."""
    with file.open("rb") as opened:
        offset = mmap.mmap(opened.fileno(), 8, access=mmap.ACCESS_READ)
    true_ns, true_clock, true_clock_ns = time.time_ns, time.clock_gettime, time.clock_gettime_ns

    def now_ns() -> int:
        return true_ns() + int(struct.unpack_from("<q", offset)[0])

    def now() -> float:
        return now_ns() / 1e9

    def of_now(true: Callable[..., Any], place: int, *given: Any) -> Any:  # noqa: ANN401  # whatever it takes and gives
        """Call a function of `time` that takes the moment at a place, and by default the present one."""
        if len(given) > place and given[place] is not None:
            return true(*given)
        return true(*given[:place], now() if true not in {true_asctime, true_strftime} else time.localtime())

    true_asctime, true_strftime = time.asctime, time.strftime
    time.time_ns, time.time = now_ns, now
    time.clock_gettime = lambda clock: now() if clock == time.CLOCK_REALTIME else true_clock(clock)
    time.clock_gettime_ns = lambda clock: now_ns() if clock == time.CLOCK_REALTIME else true_clock_ns(clock)
    for name, place in {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}.items():
        setattr(time, name, partial(of_now, getattr(time, name), place))

    # A class in C cannot be set, and another in its place would be no datetime to what is written in C.
    methods = gc.get_referents(dt.datetime.__dict__)[0]
    methods["now"] = classmethod(lambda cls, tz=None: cls.fromtimestamp(now(), tz))
    methods["utcnow"] = classmethod(
        lambda cls: cls.fromtimestamp(now(), dt.UTC).replace(tzinfo=None)
    )  # `today` asks time.time


if os.environ.get("TEST_WALL_CLOCK"):  # else it is only looked at, say for doctests
    live_by(Path(os.environ["TEST_WALL_CLOCK"]))
