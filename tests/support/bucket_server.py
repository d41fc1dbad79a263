"""moto_server: S3 over HTTP in a process of its own, in memory."""

import os
import sys
import time
from pathlib import Path
from typing import Self

from detached_process import DetachedProcess, StackError
from pyarrow import fs

BUCKET = "earlywarn-tests"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.1


class BucketServer:
    """One server with one bucket. Use it as a context manager."""

    def __init__(self, folder: Path, *, port: int) -> None:
        self._process = DetachedProcess("s3", folder)
        self._port = port

    @property
    def environment(self) -> dict[str, str]:
        """Return the standard variables with which a client finds it."""
        return {
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",  # any will do
            "AWS_REGION": "eu-central-2",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
        }

    def files(self) -> fs.S3FileSystem:
        """Return what it holds, to look at and to damage."""
        environment = self.environment
        return fs.S3FileSystem(
            access_key=environment["AWS_ACCESS_KEY_ID"],
            secret_key=environment["AWS_SECRET_ACCESS_KEY"],
            region=environment["AWS_REGION"],
            endpoint_override=environment["AWS_ENDPOINT_URL"],
            allow_bucket_creation=True,
        )

    def suspend(self) -> None:
        """Let it stand still: connections are taken, and nothing answers."""
        self._process.suspend()

    def resume(self) -> None:
        """Let it go on."""
        self._process.resume()

    def __enter__(self) -> Self:
        self._process.start(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            environment=dict(os.environ),
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.files().create_dir(BUCKET)
            except OSError as error:
                if time.monotonic() > deadline or not self._process.running:
                    raise StackError(f"moto_server does not answer: {error}; {self._process.last_words()}") from error
                time.sleep(_POLL_SECONDS)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
