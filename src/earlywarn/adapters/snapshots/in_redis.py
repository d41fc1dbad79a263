"""Snapshots in Redis: a hash for each partition of a log, in which a snapshot appears and old ones go in one step.

What Redis has lost the log still has: without a snapshot a detector folds it from its start.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis
from redis.exceptions import RedisError

from earlywarn.adapters.redis.layout import RunLayout
from earlywarn.adapters.redis.outage import explained
from earlywarn.adapters.snapshots.names import too_old
from earlywarn.errors import ConfigError, SnapshotError


class RedisSnapshots:
    """Keeps the newest `kept` snapshots of each partition.

    Args:
        client: of `connection.connect_blocking`.
        server: its address, for people.
        run: id of the run.
        log: identity of the log.
        kept: snapshots of each partition.
    """

    def __init__(self, client: redis.Redis, server: str, run: str, log: str, *, kept: int) -> None:
        self._client = client
        self._server = server
        self._layout = RunLayout(run)
        self._log = log
        self._kept = kept

    def offsets(self, partition: int) -> Sequence[int]:
        """Return the offsets of what is kept, highest first.

        Raises:
            SnapshotError: Redis does not answer.
        """
        with self._explained(partition):
            return sorted(map(int, self._client.hkeys(self._key(partition))), reverse=True)

    def load(self, partition: int, offset: int) -> bytes:
        """Return a snapshot.

        Raises:
            SnapshotError: it cannot be read.
        """
        with self._explained(partition):
            found = self._client.hget(self._key(partition), str(offset))
        if not isinstance(found, bytes):
            raise SnapshotError(f"{self._key(partition)}: has no {offset} any more")
        return found

    def save(self, partition: int, offset: int, snapshot: bytes) -> None:
        """Keep a snapshot if there is none of its offset, and remove those that are too old.

        Raises:
            SnapshotError: it cannot be written.
        """
        key = self._key(partition)
        old = too_old({offset, *self.offsets(partition)}, self._kept, offset)
        with self._explained(partition), self._client.pipeline(transaction=True) as step:
            step.hsetnx(key, str(offset), snapshot)
            if old:
                step.hdel(key, *map(str, old))
            step.execute()

    def probe(self) -> None:
        """Write a small hash and remove it.

        Raises:
            SnapshotError: it cannot be written.
        """
        key = f"{self._layout.snapshots}{self._log}:probe"
        with self._explained(0), self._client.pipeline(transaction=True) as step:
            step.hsetnx(key, "0", b"probe")
            step.hdel(key, "0")
            step.execute()

    def strangers(self) -> Sequence[str]:
        """Return the keys of snapshots of the run that are of other logs.

        Raises:
            SnapshotError: Redis does not answer.
        """
        with self._explained(0):
            keys = [key.decode() for key in self._client.scan_iter(match=f"{self._layout.snapshots}*")]
        return sorted(key for key in keys if not key.startswith(f"{self._layout.snapshots}{self._log}:"))

    def _key(self, partition: int) -> str:
        return f"{self._layout.snapshots}{self._log}:{partition}"

    @contextmanager
    def _explained(self, partition: int) -> Iterator[None]:
        try:
            yield
        except (RedisError, ConfigError) as error:
            reason = explained(error, self._server) if isinstance(error, RedisError) else error
            raise SnapshotError(f"{self._key(partition)}: {reason}") from error
