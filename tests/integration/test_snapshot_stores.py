"""Where snapshots are kept: a folder, a bucket of S3, Redis. One contract, each on the real thing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from bucket_server import BUCKET, BucketServer
from command_line import PANEL
from ports import reserve_port
from redis_server import RedisServer

from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.layout import RunLayout
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.rebuild import remove_run
from earlywarn.adapters.snapshots.bucket import BucketSnapshots
from earlywarn.adapters.snapshots.choice import snapshot_store
from earlywarn.application.compose import compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.service_settings import RedisSettings, SnapshotSettings
from earlywarn.application.settings import load
from earlywarn.application.snapshots import LogExtent, LogPlace, SnapshotStore, encode_snapshot, recover
from earlywarn.errors import SnapshotError

LOG = "one-log"
LARGE = 12_000_000
"""Bytes: more than one part of an upload in parts."""


@dataclass
class Place:
    """A store that is shared: `of_log` is how a detector of a log sees it, `damage` cuts what is kept at an offset."""

    of_log: Callable[[str], SnapshotStore]
    damage: Callable[[int], None]

    def again(self) -> SnapshotStore:
        """Return the store as another detector sees it."""
        return self.of_log(LOG)


@pytest.fixture(params=["folder", "bucket", "redis"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    bucket_server: BucketServer,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    run = f"run-{uuid4().hex[:8]}"
    redis = RedisSettings(url=redis_server.url)
    url = {"folder": str(tmp_path), "bucket": f"s3://{BUCKET}/some/prefix", "redis": "redis://"}[request.param]
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)

    def damage(offset: int) -> None:
        name = f"{run}/{LOG}/0-{offset:020d}.snapshot"
        if request.param == "folder":
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-20])
        elif request.param == "bucket":
            files, path = bucket_server.files(), f"{BUCKET}/some/prefix/{name}"
            whole = files.open_input_file(path).read()
            with files.open_output_stream(path) as cut:
                cut.write(whole[:-20])
        else:
            with redis_server.client() as client:
                key = f"{RunLayout(run).snapshots}{LOG}:0"
                whole = client.hget(key, str(offset))
                assert isinstance(whole, bytes)
                client.hset(key, str(offset), whole[:-20])  # type: ignore[arg-type]  # its stubs know texts alone

    return Place(lambda log: snapshot_store(SnapshotSettings(url=url, kept=2), run, redis, log), damage)


def test_the_newest_are_kept_and_seen_by_all(place: Place) -> None:
    """Highest first, each partition apart, as many as are kept; what is read is what was written."""
    store = place.again()
    assert store.offsets(0) == []
    for offset in (7, 1_000, 30):
        store.save(0, offset, b"%d" % offset)
    store.save(1, 5, b"\x00" * LARGE)
    store.save(11, 6, b"another")
    other = place.again()
    assert other.offsets(0) == [1_000, 30]
    assert (other.offsets(1), other.offsets(11), other.offsets(2)) == ([5], [6], [])
    assert [other.load(0, offset) for offset in (1_000, 30)] == [b"1000", b"30"]
    assert other.load(1, 5) == b"\x00" * LARGE
    with pytest.raises(SnapshotError):
        other.load(0, 7)


def test_what_is_kept_stays_as_it_is(place: Place) -> None:
    """Write-once: a second writer of the same offset, of other code, changes nothing."""
    place.again().save(0, 1_000, b"first")
    place.again().save(0, 1_000, b"second")
    assert place.again().offsets(0) == [1_000]
    assert place.again().load(0, 1_000) == b"first"


def test_the_one_just_written_stays_below_those_of_other_code(place: Place) -> None:
    """A log that is folded anew begins below them; a restart then goes on from the newest of its own."""
    store = place.again()
    for offset in (800, 900, 10, 20):
        store.save(0, offset, b"%d" % offset)
    assert store.offsets(0) == [900, 800, 20]


def test_snapshots_of_another_log_are_out_of_the_way_and_told(place: Place) -> None:
    """They are neither read nor replaced nor removed: they may be of another cluster that is at work."""
    place.of_log("another-log").save(0, 7, b"of another")
    store = place.again()
    assert store.offsets(0) == []
    for offset in (7, 8, 9):
        store.save(0, offset, b"own")
    [stranger] = store.strangers()
    assert "another-log" in stranger
    assert place.of_log("another-log").load(0, 7) == b"of another"


def test_a_damaged_snapshot_is_passed_over(place: Place) -> None:
    run = compose(load(PANEL, {}))
    store, fold = place.again(), compose_fold(run, 1)
    for offset in (10, 20):
        store.save(0, offset, encode_snapshot(fold, LogPlace(LOG, 0, offset)))
    place.damage(20)
    extent = LogExtent(LOG, 0, 0, 30)
    recovered = recover(extent, place.again(), lambda: compose_fold(run, 1))
    assert recovered.position == 10
    assert len(recovered.problems) == 1
    assert recovered.fold.snapshot() == fold.snapshot()
    place.damage(10)
    assert recover(extent, place.again(), lambda: compose_fold(run, 1)).position == 0


@pytest.mark.parametrize("name", ["bucket", "redis"])
def test_a_store_that_is_away_is_not_taken_for_an_empty_one(
    name: str, bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for one that can be written: the error says what to look at, and the address."""
    for variable, value in bucket_server.environment.items():
        monkeypatch.setenv(variable, value)
    port = reserve_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    url = {"bucket": f"s3://{BUCKET}/prefix", "redis": "redis://"}[name]
    store = snapshot_store(SnapshotSettings(url=url), "live", RedisSettings(url=f"redis://127.0.0.1:{port}/0"), LOG)
    said = {"bucket": "AWS_ENDPOINT_URL", "redis": str(port)}[name]
    with pytest.raises(SnapshotError, match=said):
        recover(LogExtent(LOG, 0, 0, 9), store, lambda: compose_fold(compose(load(PANEL, {})), 1))
    with pytest.raises(SnapshotError, match=said):
        store.save(0, 1, b"")
    with pytest.raises(SnapshotError, match=said):
        store.strangers()


def test_a_bucket_that_is_missing_is_named(bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in bucket_server.environment.items():
        monkeypatch.setenv(variable, value)
    store = snapshot_store(SnapshotSettings(url="s3://no-such-bucket/x"), "live", RedisSettings(), LOG)
    with pytest.raises(SnapshotError, match=r"s3://no-such-bucket/x/live.*see that the bucket exists"):
        store.offsets(0)


async def remove(url: str, run: str) -> int:
    client = connect(RedisSettings(url=url))
    try:
        return await remove_run(client, RunLayout(run), Outages(url))
    finally:
        await client.aclose()


def test_rebuilding_redis_leaves_snapshots(redis_server: RedisServer) -> None:
    run = f"run-{uuid4().hex[:8]}"
    store = snapshot_store(SnapshotSettings(url="redis://"), run, RedisSettings(url=redis_server.url), LOG)
    store.save(0, 3, b"kept")
    with redis_server.client() as client:
        client.set(f"{RunLayout(run).prefix}alerts", "projected")
    assert asyncio.run(remove(redis_server.url, run)) == 2  # and the positions
    assert store.load(0, 3) == b"kept"


def test_a_bucket_in_which_nothing_may_be_removed_gets_one_object_of_trials(
    bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is tried; and no snapshot is taken for it."""
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    run = f"run-{uuid4().hex[:8]}"
    store = BucketSnapshots(f"s3://{BUCKET}", run, LOG, kept=2)
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObject")
    with monkeypatch.context() as without_right:
        without_right.setattr(store._client, "delete_object", Mock(side_effect=denied))
        for _ in range(3):
            with pytest.raises(SnapshotError, match=r"cannot be written and removed: .*AccessDenied"):
                store.probe()
    assert store._keys(f"{run}/") == [f"{run}/{LOG}/.probe"]
    assert store.offsets(0) == []
    store.probe()
    assert store._keys(f"{run}/") == []
