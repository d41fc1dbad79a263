"""Snapshots in S3, or what speaks its protocol: one object each, which is there whole or not at all.

Credentials, region and endpoint are those of the standard environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL), of ~/.aws, or of the machine's role.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyarrow import fs

from earlywarn.adapters.snapshots.names import offset_of, snapshot_name
from earlywarn.errors import SnapshotError

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 20.0
_ATTEMPTS = 3
_WAY_OUT = (
    "see that the bucket exists, that AWS_REGION and AWS_ENDPOINT_URL lead to it, and that the credentials of the "
    "environment may list, read, write and delete there"
)


class BucketSnapshots:
    """Keeps the newest `kept` snapshots of each partition under a prefix of the run.

    Args:
        url: s3://bucket, or s3://bucket/prefix.
        run: id of the run.
        kept: snapshots of each partition.
    """

    def __init__(self, url: str, run: str, *, kept: int) -> None:
        self._place = f"{url.removeprefix('s3://').rstrip('/')}/{run}"
        self._bucket = self._place.partition("/")[0]
        self._kept = kept
        self._files = fs.S3FileSystem(
            region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_ANSWER_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
            background_writes=False,
        )

    def offsets(self, partition: int) -> Sequence[int]:
        """Return the offsets of what is kept, highest first.

        Raises:
            SnapshotError: the store cannot be listed.
        """
        with self._explained(self._place, "listed"):
            found = self._files.get_file_info(fs.FileSelector(self._place, allow_not_found=True))
            if not found and self._files.get_file_info(self._bucket).type is fs.FileType.NotFound:
                raise FileNotFoundError(f"there is no bucket {self._bucket}")
        offsets = [offset_of(each.base_name, partition) for each in found]
        return sorted((offset for offset in offsets if offset is not None), reverse=True)

    def load(self, partition: int, offset: int) -> bytes:
        """Return a snapshot.

        Raises:
            SnapshotError: it cannot be read.
        """
        path = self._path(partition, offset)
        with self._explained(path, "read"), self._files.open_input_file(path) as file:
            snapshot: bytes = file.read()
            return snapshot

    def save(self, partition: int, offset: int, snapshot: bytes) -> None:
        """Keep a snapshot, and remove those that are too old.

        Raises:
            SnapshotError: it cannot be written. What is cut short is passed over when it is read.
        """
        path = self._path(partition, offset)
        with self._explained(path, "written"):
            with self._files.open_output_stream(path) as file:
                file.write(snapshot)
            for old in self.offsets(partition)[self._kept :]:
                self._files.delete_file(self._path(partition, old))

    def _path(self, partition: int, offset: int) -> str:
        return f"{self._place}/{snapshot_name(partition, offset)}"

    @contextmanager
    def _explained(self, path: str, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            first_line = str(error).split("\n", maxsplit=1)[0]
            raise SnapshotError(f"s3://{path}: cannot be {done}: {first_line}; {_WAY_OUT}") from error
