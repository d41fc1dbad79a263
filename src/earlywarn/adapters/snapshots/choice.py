"""The store of snapshots that the settings name."""

from pathlib import Path

from earlywarn.adapters.redis.connection import connect_blocking
from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.adapters.snapshots.in_redis import RedisSnapshots
from earlywarn.application.service_settings import RedisSettings, SnapshotSettings
from earlywarn.application.snapshots import SnapshotStore


def snapshot_store(snapshots: SnapshotSettings, run: str, redis: RedisSettings, log: str) -> SnapshotStore:
    """Return the store of a run's snapshots of one log; `redis` has the address of the Redis that is used.

    Raises:
        ConfigError: a setting of Redis cannot be used.
    """
    if snapshots.url.startswith("s3://"):
        from earlywarn.adapters.snapshots.bucket import BucketSnapshots  # noqa: PLC0415  # its client takes a second

        return BucketSnapshots(snapshots.url, run, log, kept=snapshots.kept)
    if snapshots.url.startswith("redis://"):
        return RedisSnapshots(connect_blocking(redis), redis.url, run, log, kept=snapshots.kept)
    return FolderSnapshots(Path(snapshots.url) / run, log, kept=snapshots.kept)
