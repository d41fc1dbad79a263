"""Commands with the rights of docs/operations/security.md: a row is enough for its user, and what lacks is named."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from every_listener import EveryListener
from kafka_rights import called, grant, run_made, take

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.application.service_settings import KafkaSettings

PAGE = "(docs/operations/security.md)"
JOIN = f"this user may not take part in it; give it READ on the group {PAGE}"


@pytest.fixture(scope="module")
def broker(every_listener: EveryListener) -> EveryListener:
    return every_listener


@pytest.fixture
def run(broker: EveryListener, tmp_path: Path) -> Iterator[str]:
    """Return a run of the test's own, a replay, with all rights of the table."""
    (tmp_path / "made").mkdir()
    with run_made(broker, f"commands-{uuid4().hex[:8]}", tmp_path / "made", replay=True) as run:
        yield run


def test_another_configuration_comes_with_the_row_of_who_changes_it(
    broker: EveryListener, run: str, tmp_path: Path
) -> None:
    """Without the group of what is published it waits for nobody, and says what it lacks."""
    group = f"earlywarn.{run}.detector.published"
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        take(admin, "changer", "READ", "GROUP", group)
        refused = called(
            broker, run, "changer", tmp_path / "own", "topics", "change", EARLYWARN_ALERTS__ALARM_EVIDENCE="7.5"
        )
        assert (refused.returncode, refused.stderr.splitlines()) == (1, [f"earlywarn: consumer group {group}: {JOIN}"])
        grant(admin, "changer", "READ", "GROUP", group)
    done = called(broker, run, "changer", tmp_path / "own", "topics", "change", EARLYWARN_ALERTS__ALARM_EVIDENCE="7.5")
    assert done.returncode == 0, done.stderr
    assert "(change 1)" in done.stdout
