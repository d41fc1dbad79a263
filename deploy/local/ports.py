"""TCP ports on the loopback address for servers that are stopped and started again on the same one.

They come from below the range that the system hands out to outgoing connections (from 32768 on Linux, 49152 on
macOS), so that none is taken between two starts of a server; and each is reserved against our other processes.
"""

import errno
import fcntl
import os
import secrets
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from detached_process import StackError

_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS = 1_000

_reserved: list[ExitStack] = []
"""Files that are open and locked as long as this process lives."""


def reserve_port() -> int:
    """Return a free port that no other process takes from here as long as this one lives.

    Raises:
        StackError: none is free.
    """
    return reserve_ports(1)[0]


def reserve_ports(count: int) -> range:
    """Return consecutive free ports, as `reserve_port` does one.

    Raises:
        StackError: there are no such ports.
    """
    folder = Path(tempfile.gettempdir(), f"earlywarn-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for _ in range(_ATTEMPTS):
        first = _FIRST + secrets.randbelow(_LAST - _FIRST - count)
        ports = range(first, first + count)
        with ExitStack() as taken:
            if all(_take(folder / str(port), taken) and port_is_free(port) for port in ports):
                _reserved.append(taken.pop_all())
                return ports
    raise StackError(f"no {count} free ports in a row from {_FIRST} to {_LAST}; what listens there? ss -ltn")


def _take(path: Path, taken: ExitStack) -> bool:
    file = taken.enter_context(path.open("wb"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on a port of the loopback address now."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                # As servers do: a connection that has just ended keeps no port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
                probe.listen(1)
        except OSError as error:
            if family is socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                continue  # a machine without IPv6
            return False
    return True
