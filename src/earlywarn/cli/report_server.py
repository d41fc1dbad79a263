"""The report over HTTP, on this machine alone: what `earlywarn demo --port` serves."""

import http.server
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from earlywarn.errors import InputError

REPORT = "/report.html"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the files of a folder, and the report at its root; it lists nothing."""

    def send_head(self) -> BinaryIO | None:
        """Lead from the root to the report."""
        if urlsplit(self.path).path != "/":
            return super().send_head()
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", REPORT)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def list_directory(self, path: object) -> None:
        """Refuse to list a folder."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND, "No such file")


def listening(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server that holds the port from now on; it answers once it is told to (`serve_forever`).

    Raises:
        InputError: the port is taken, or not ours to take.
    """
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        problem = f"port {port} of localhost cannot be used: {error.strerror}"
        raise InputError(f"{problem}; give another one (--port)") from error
