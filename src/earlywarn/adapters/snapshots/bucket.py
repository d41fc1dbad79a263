"""Snapshots in S3, or what speaks its protocol: one object each, which is there whole or not at all.

Credentials and endpoint are those of the standard environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL), of ~/.aws, or of the machine's role. A snapshot is
written under the condition that none has its key (`If-None-Match: *`), so that none is ever replaced.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from earlywarn.adapters.snapshots.names import offset_of, other_folders, snapshot_name, too_old
from earlywarn.errors import ConfigError, SnapshotError

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 10.0
_ATTEMPTS = 2
"""Few and short: one more bridges a connection that died in the pool. What fails is tried again at the next point."""
_IS_THERE = {"PreconditionFailed", "ConditionalRequestConflict"}
"""What a condition says that is not met: an object has the key, or is being written under it."""
_WAY_OUT = (
    "see that the bucket exists, that AWS_REGION and AWS_ENDPOINT_URL lead to it, and that the credentials of the "
    "environment may list, read, write and delete there"
)


class BucketSnapshots:
    """Keeps the newest `kept` snapshots of each partition of a log, under a prefix of its own below that of the run.

    Args:
        url: s3://bucket, or s3://bucket/prefix.
        run: id of the run.
        log: identity of the log.
        kept: snapshots of each partition.
    """

    def __init__(self, url: str, run: str, log: str, *, kept: int) -> None:
        self._bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
        self._run = f"{prefix}/{run}/" if prefix else f"{run}/"
        self._log = log
        self._kept = kept
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_ANSWER_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            request_checksum_calculation="when_required",  # not everything that speaks S3 knows the newer ones
            response_checksum_validation="when_required",
        )
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        try:
            self._client: Any = get_session().create_client("s3", region_name=region, config=config)
        except (BotoCoreError, ValueError) as error:  # the latter for an endpoint that is no URL
            raise ConfigError(
                f"snapshots.url = {url!r}: {error}; mend the environment's AWS_* variables (docs/settings.md)"
            ) from error

    def offsets(self, partition: int) -> Sequence[int]:
        """Return the offsets of what is kept, highest first.

        Raises:
            SnapshotError: the store cannot be listed.
        """
        keys = self._keys(f"{self._run}{self._log}/{partition}-")
        offsets = [offset_of(key.rpartition("/")[2], partition) for key in keys]
        return sorted((offset for offset in offsets if offset is not None), reverse=True)

    def load(self, partition: int, offset: int) -> bytes:
        """Return a snapshot.

        Raises:
            SnapshotError: it cannot be read.
        """
        key = self._key(partition, offset)
        with self._explained(key, "read"):
            snapshot: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return snapshot

    def save(self, partition: int, offset: int, snapshot: bytes) -> None:
        """Keep a snapshot if none has its key, and remove those that are too old.

        Raises:
            SnapshotError: it cannot be written.
        """
        key = self._key(partition, offset)
        with self._explained(key, "written"):
            try:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=snapshot, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] not in _IS_THERE:
                    raise
            for old in too_old(self.offsets(partition), self._kept, offset):
                self._client.delete_object(Bucket=self._bucket, Key=self._key(partition, old))

    def probe(self) -> None:
        """Write a small object and remove it; always the same, so that one is left at most where none may be removed.

        Raises:
            SnapshotError: it cannot be written or removed.
        """
        key = f"{self._run}{self._log}/.probe"
        with self._explained(key, "written and removed"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=b"probe")
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def strangers(self) -> Sequence[str]:
        """Return the prefixes of the run with snapshots of other logs.

        Raises:
            SnapshotError: the store cannot be listed.
        """
        paths = (key.removeprefix(self._run) for key in self._keys(self._run))
        return [f"s3://{self._bucket}/{self._run}{folder}" for folder in other_folders(paths, self._log)]

    def _keys(self, prefix: str) -> list[str]:
        with self._explained(prefix, "listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def _key(self, partition: int, offset: int) -> str:
        return f"{self._run}{self._log}/{snapshot_name(partition, offset)}"

    @contextmanager
    def _explained(self, key: str, done: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise SnapshotError(f"s3://{self._bucket}/{key}: cannot be {done}: {error}; {_WAY_OUT}") from error
