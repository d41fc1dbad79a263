"""Kafka and Redis for the benches: those that the environment names, or some of their own, which end with them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "deploy" / "local")]

from kafka_broker import KafkaBroker  # its folder is known only now
from kafka_runtime import find_runtime  # as above
from keeper import kept  # as above
from ports import reserve_port  # as above
from redis_server import RedisServer  # as above


@contextmanager
def own_broker(folder: Path) -> Iterator[str]:
    """Yield the address of EARLYWARN_KAFKA's broker, or of one that is started in a folder."""
    if named := os.environ.get("EARLYWARN_KAFKA"):
        yield named
        return
    ports = {"port": reserve_port(), "controller_port": reserve_port()}
    with kept(folder / "kafka"), KafkaBroker(find_runtime(), folder / "kafka", **ports) as broker:
        yield broker.address


@contextmanager
def own_redis(folder: Path) -> Iterator[str]:
    """Yield the address of REDIS_URL's Redis, or of one that is started in a folder."""
    if named := os.environ.get("REDIS_URL"):
        yield named
        return
    with kept(folder / "redis"), RedisServer(folder / "redis") as redis:
        yield redis.url
