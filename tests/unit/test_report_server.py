"""The report over HTTP: what the root shows, what is not shown, and a port that somebody else has."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from earlywarn.cli.report_server import listening
from earlywarn.errors import InputError


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve a folder with a report and a folder in it."""
    (tmp_path / "report.html").write_text("<h1>the report</h1>")
    (tmp_path / "inner").mkdir()
    with listening(tmp_path, 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def answer(port: int, path: str) -> tuple[int, str | None, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    found = (response.status, response.getheader("Location"), response.read())
    connection.close()
    return found


def test_the_root_leads_to_the_report_and_no_folder_is_listed(port: int) -> None:
    assert answer(port, "/") == (302, "/report.html", b"")
    assert answer(port, "/report.html") == (200, None, b"<h1>the report</h1>")
    assert answer(port, "/inner/")[0] == 404


def test_a_port_that_is_taken_is_named(port: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"port {port} of localhost cannot be used: .* \(--port\)"):
        listening(tmp_path, port)
