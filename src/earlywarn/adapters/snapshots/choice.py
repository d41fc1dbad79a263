"""The store of snapshots that the settings name."""

from pathlib import Path

from earlywarn.adapters.redis.connection import connect_blocking
from earlywarn.adapters.snapshots.bucket import BucketSnapshots
from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.adapters.snapshots.in_redis import RedisSnapshots
from earlywarn.application.detector import SnapshotStore
from earlywarn.application.service_settings import RedisSettings, SnapshotSettings


def snapshot_store(snapshots: SnapshotSettings, run: str, redis: RedisSettings) -> SnapshotStore:
    """Return the store of a run's snapshots; `redis` has the address of the Redis that is used.

    Raises:
        ConfigError: a setting of Redis cannot be used.
    """
    if snapshots.url.startswith("s3://"):
        return BucketSnapshots(snapshots.url, run, kept=snapshots.kept)
    if snapshots.url.startswith("redis://"):
        return RedisSnapshots(connect_blocking(redis), redis.url, run, kept=snapshots.kept)
    return FolderSnapshots(Path(snapshots.url) / run, kept=snapshots.kept)
