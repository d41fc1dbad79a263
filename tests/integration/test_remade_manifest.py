"""A manifest whose topic was deleted: no other is written over a run with data, and its own only if nothing differs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka_broker import KafkaBroker
from kafka_clients import changed
from plain_topics import producer, sent
from stream_run import wait_until

from earlywarn.adapters.kafka.change import change_configuration
from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.manifest import Manifest, read_manifest, write_manifest
from earlywarn.adapters.kafka.remade_manifest import Remade, remade_manifest
from earlywarn.adapters.kafka.run_topics import LogKind, RunTopics
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics
from earlywarn.adapters.kafka.wire import encode_partial, fold_headers
from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.aggregation.partial import Partial, Row
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.service_settings import KafkaSettings, TopicSettings
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.application.snapshots import LogPlace, encode_snapshot
from earlywarn.errors import LogError

PANELS = (PanelSettings(id="CH", countries=("CH",)), PanelSettings(id="AT", countries=("AT",)))
WHOLE = Partial(partition=0, partitions=3, block=1, since=1999, last=2400, sealed=False, event_time_ms=1)


class Began:
    """A run with a manifest, into whose topics a test puts what it likes."""

    def __init__(self, admin: KafkaAdminClient, settings: Settings, folder: Path) -> None:
        self.admin, self.settings, self.run = admin, settings, compose(settings)
        self.topics, self.folder = RunTopics(settings.run), folder
        ensure_topics(admin, settings)
        self.manifest = write_manifest(self.run)

    def put(
        self, kind: LogKind, value: bytes = b"{}", q: int = 0, headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        sender = producer(self.settings.kafka)
        sender.produce(self.topics.of(kind), value, partition=q, headers=list(headers or ()))
        sent(sender)

    def put_partial(self, partial: Partial = WHOLE, q: int = 0, *, signed: str = "") -> None:
        [(_, value)] = encode_partial(partial)
        self.put("partials", value, q, fold_headers(signed or self.run.fold_fingerprint))

    def lose_manifest(self) -> None:
        self.admin.delete_topics([self.topics.meta])
        wait_until(lambda: self.topics.meta not in self.admin.list_topics(), 60, "the topic is gone")
        assert read_manifest(self.settings) is None

    def remade(self, run: Run | None = None, accepted: tuple[LogKind, ...] = ()) -> Remade:
        new_store: Callable[[str], FolderSnapshots] = lambda log: FolderSnapshots(self.folder, log, kept=2)  # noqa: E731
        return remade_manifest(run or self.run, new_store, accepted=accepted)

    def refusal(self, **fields: Any) -> str:  # values of settings
        with pytest.raises(LogError) as caught:
            self.remade(compose(changed(self.settings, **fields)))
        return str(caught.value)

    def written(self) -> Manifest:
        remade = self.remade().manifest
        ensure_topics(self.admin, self.settings)
        return write_manifest(self.run, remade=remade)


@pytest.fixture
def began(kafka: KafkaBroker, tmp_path: Path) -> Iterator[Began]:
    topics = TopicSettings(transactions_partitions=3, partials_partitions=2)
    name = f"run-{uuid4().hex[:8]}"
    settings = Settings(run=name, kafka=KafkaSettings(brokers=kafka.address), topics=topics, panels=PANELS)
    with kafka_admin(settings.kafka) as admin:
        yield Began(admin, settings, tmp_path)
        delete_topics(admin, name, topics.prefix)


def test_transactions_that_were_sent_before_there_was_a_manifest_are_in_the_way_of_a_replay_alone(began: Began) -> None:
    began.lose_manifest()
    ensure_topics(began.admin, began.settings)
    began.put("transactions")
    with pytest.raises(LogError, match=rf"topics delete --run {began.topics.run}; then earlywarn rebuild-redis"):
        write_manifest(compose(changed(began.settings, topics__replay=True)))
    write_manifest(began.run)
    assert read_manifest(began.settings) is not None


@pytest.mark.parametrize("kind", [kind for kind in RunTopics.log_kinds if kind != "transactions"])
def test_no_first_manifest_is_written_where_anything_was_counted(began: Began, kind: LogKind) -> None:
    began.lose_manifest()
    ensure_topics(began.admin, began.settings)
    began.put(kind)
    for other in (began.run, compose(changed(began.settings, fold__lateness_seconds=60))):
        with pytest.raises(LogError) as caught:
            write_manifest(other)
        [line] = str(caught.value).splitlines()
        name = began.topics.run
        assert (
            f"{began.topics.meta}: run {name!r} has no manifest, and records stand in {began.topics.of(kind)}: " in line
        )
        assert f"earlywarn topics create --run {name} --remake-manifest" in line
    with pytest.raises(LogError, match=rf"topics delete --run {began.topics.run}; then earlywarn rebuild-redis"):
        write_manifest(compose(changed(began.settings, topics__replay=True)))
    assert read_manifest(began.settings) is None


def test_the_settings_of_the_run_give_its_manifest_again(began: Began) -> None:
    began.put_partial(msgspec.structs.replace(WHOLE, rows=(Row("AT", "AT11", "retail", 0, False, 1, 100),)))  # noqa: FBT003  # late
    began.put_partial(msgspec.structs.replace(WHOLE, partitions=5))
    began.put_partial(q=1)
    began.lose_manifest()
    assert began.written() == began.manifest == read_manifest(began.settings)
    assert len(began.remade().remarks) == 1
    assert "no snapshot of it is found" in began.remade().remarks[0]


def test_what_was_changed_in_the_run_is_read_from_its_control_records(began: Began) -> None:
    began.put_partial()
    other = compose(changed(began.settings, alerts__alarm_evidence=8.5))
    expected = change_configuration(other)
    assert expected.change == 1
    began.lose_manifest()
    assert began.remade(other) == Remade(msgspec.structs.replace(expected, logs={}), ())
    assert f"the run's fingerprint is {other.fingerprint}, here it is {began.run.fingerprint}" in began.refusal()


def test_settings_under_which_the_partials_were_not_made_are_refused(began: Began) -> None:
    began.put_partial()
    began.put_partial(msgspec.structs.replace(WHOLE, rows=(Row("CH", "CH01", "retail", 0, False, 1, 100),)), q=1)  # noqa: FBT003
    began.lose_manifest()
    first, last = began.refusal(fold__lateness_seconds=60).splitlines()
    assert first.startswith(
        f"{began.topics.partials}-0-0: was made under fold fingerprint {began.run.fold_fingerprint}, "
    )
    assert f"earlywarn replay --from-run {began.topics.run} " in last
    first, _ = began.refusal(fold__block_size=1000).splitlines()
    assert "is of block 1 up to offset 2400, which is none of 1000 offsets; fold.block_size differs" in first
    one_panel = msgspec.structs.replace(began.settings, panels=PANELS[:1])
    with pytest.raises(LogError, match=r"counts for panel 'CH', here it is of partition 0") as caught:
        began.remade(compose(one_panel))
    assert "was made under fold fingerprint" in str(caught.value)


def test_a_replay_gets_no_manifest_again(began: Began) -> None:
    """Its position stood there as well: it would send all of its input a second time."""
    began.put_partial(msgspec.structs.replace(WHOLE, end=True))
    began.lose_manifest()
    for said in (began.refusal(), began.refusal(topics__replay=True)):
        assert f"delete it and replay again: earlywarn topics delete --run {began.topics.run}" in said


def test_a_run_whose_logs_are_gone_as_well_gets_no_manifest_again(began: Began) -> None:
    began.put("alerts")
    began.lose_manifest()
    assert (
        f"{began.topics.partials}: is empty, and what was made of it stands in {began.topics.alerts}" in began.refusal()
    )
    began.put_partial()
    assert began.remade().manifest.change == 0
    began.admin.delete_topics([began.topics.aggregates])
    wait_until(lambda: began.topics.aggregates not in began.admin.list_topics(), 60, "the topic is gone")
    assert f"{began.topics.aggregates}: was deleted; what run" in began.refusal()
    assert began.remade(accepted=("aggregates", "alerts")).manifest.change == 0


def test_the_newest_snapshot_that_can_be_read_tells_models_of_other_settings(began: Began) -> None:
    began.put_partial()
    log, run = began.manifest.logs["partials"], began.run
    fold = compose_fold(run, 3, began.manifest.panels_of[0])
    began.lose_manifest()
    assert began.remade().remarks
    store = FolderSnapshots(began.folder, log, kept=2)
    store.save(0, 1, encode_snapshot(fold, LogPlace(log, 0, 1)))
    store.save(0, 2, b"damaged")
    assert began.remade().remarks == ()
    assert f"the run's fingerprint is {run.fingerprint}, here it is" in began.refusal(alerts__alarm_evidence=8.5)


def test_partials_of_an_earlier_version_leave_the_fold_to_whoever_asks(began: Began) -> None:
    [(_, value)] = encode_partial(WHOLE)
    began.put("partials", value)
    began.lose_manifest()
    assert "does not say under which settings it was made" in began.remade().remarks[0]


def test_partials_that_retention_has_removed_say_nothing_of_the_settings(began: Began) -> None:
    """Whatever is given would be taken: only a snapshot can say that it is the run's."""
    began.put_partial()
    began.put("alerts")
    began.admin.delete_records({TopicPartition(began.topics.partials, 0): 1})
    began.lose_manifest()
    assert "is empty, and what was made of it stands in" in began.refusal()
