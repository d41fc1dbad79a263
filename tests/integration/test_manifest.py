"""The manifest of a run on a real broker: written once, agreed on by every worker, refused with every difference."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import KafkaAdminClient
from kafka_broker import KafkaBroker
from kafka_clients import changed, produce
from typer.testing import CliRunner

from earlywarn.adapters.kafka.change import change_configuration
from earlywarn.adapters.kafka.manifest import (
    Manifest,
    check_manifest,
    deal_panels,
    manifest_of,
    read_manifest,
    write_manifest,
)
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import topic_identity
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics
from earlywarn.adapters.replay.position import ReplayPosition
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.application.compose import Run, compose
from earlywarn.application.service_settings import KafkaSettings, TopicSettings
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.cli.app import app
from earlywarn.errors import ConfigError, LogError

PANELS = (PanelSettings(id="CH", countries=("CH",)), PanelSettings(id="AT", countries=("AT",)))


@pytest.fixture
def settings(kafka: KafkaBroker, admin: KafkaAdminClient) -> Iterator[Settings]:
    run = f"run-{uuid4().hex[:8]}"
    topics = TopicSettings(transactions_partitions=3, partials_partitions=2)
    yield Settings(run=run, kafka=KafkaSettings(brokers=kafka.address), topics=topics, panels=PANELS)
    delete_topics(admin, run, topics.prefix)


def test_the_manifest_is_written_once_and_read_by_all(admin: KafkaAdminClient, settings: Settings) -> None:
    run = compose(settings)
    assert read_manifest(settings) is None
    with pytest.raises(ConfigError, match=r"meta: does not exist; run: earlywarn topics create"):
        write_manifest(run)
    ensure_topics(admin, settings)
    with pytest.raises(LogError, match="has no manifest"):
        check_manifest(run)
    written = write_manifest(run)
    assert written == write_manifest(run) == check_manifest(run) == read_manifest(settings)
    assert written.panels == {"AT": 0, "CH": 1}
    assert written.panels_of == (frozenset({"AT"}), frozenset({"CH"}))
    assert (written.transactions_partitions, written.partials_partitions, written.block_size) == (3, 2, 2000)
    assert written.fingerprint == run.fingerprint
    topics = RunTopics(settings.run)
    assert written.logs == {kind: topic_identity(settings.kafka, topics.of(kind)) for kind in topics.log_kinds}


@pytest.mark.parametrize("command", ["verify", "dlq list", "dlq replay --mend region=CH04", "rebuild-redis"])
def test_who_looks_at_a_run_that_is_not_there_is_not_told_to_make_it(kafka: KafkaBroker, command: str) -> None:
    """A wrong id would make a stray run."""
    environment = {"EARLYWARN_KAFKA": kafka.address, "EARLYWARN_RUN": "live"}
    result = CliRunner().invoke(app, [*command.split(), "--run", "lvie"], env=environment)
    assert isinstance(result.exception, LogError)
    assert str(result.exception) == (
        "earlywarn.lvie.meta: run 'lvie' has no manifest; give the run's own id and topics.prefix"
    )


def test_a_manifest_of_an_earlier_version_gets_the_logs_that_are_there(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    ensure_topics(admin, settings)
    topics, run = RunTopics(settings.run), compose(settings)
    earlier = msgspec.json.encode(manifest_of(run)).replace(b'"logs":{},', b"")
    assert b"logs" not in earlier
    assert produce(settings.kafka, topics.meta, earlier, b"manifest") is None
    assert check_manifest(run).logs == {}
    written = write_manifest(run)
    assert written.logs["alerts"] == topic_identity(settings.kafka, topics.alerts)
    assert written.logs.keys() == set(topics.log_kinds)
    assert written == read_manifest(settings) == write_manifest(run)


def test_a_worker_that_differs_is_told_every_difference_and_growth_is_none(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    ensure_topics(admin, settings)
    write_manifest(compose(settings))
    assert check_manifest(compose(changed(settings, topics__transactions_partitions=9))).transactions_partitions == 3
    panels = (PANELS[0], PanelSettings(id="DE", countries=("DE",), base_bucket_seconds=3600))
    other = changed(
        msgspec.structs.replace(settings, panels=panels),
        topics__partials_partitions=3,
        fold__block_size=1000,
        fold__lateness_seconds=60,
    )
    with pytest.raises(LogError) as caught:
        check_manifest(compose(other))
    meta = RunTopics(settings.run).meta
    lines = [line.removeprefix(f"{meta}: ") for line in str(caught.value).splitlines()]
    assert lines[:5] == [
        "topics.partials_partitions = 3 here, 2 in the run; set 2",
        "fold.block_size = 1000 here, 2000 in the run; set 2000",
        "fold.lateness_seconds = 60 here, 3600 in the run; set 3600",
        "panel 'AT' is in the run, not here; add it",
        "panel 'DE' is here, not in the run; take it out",
    ]
    assert lines[5].startswith("fold fingerprint ")
    with pytest.raises(LogError, match=r"fold\.block_size = 1000 here"):
        write_manifest(compose(other))


def test_a_threshold_alone_stops_a_detector_and_no_aggregator(admin: KafkaAdminClient, settings: Settings) -> None:
    ensure_topics(admin, settings)
    written = write_manifest(compose(settings))
    other = compose(changed(settings, alerts__alarm_evidence=8.5))
    with pytest.raises(LogError, match=r"a model, a holiday or a setting of \[coverage\]") as caught:
        check_manifest(other)
    [line] = str(caught.value).splitlines()
    assert line.endswith("To change the run: earlywarn topics change")
    assert check_manifest(other, only_fold=True) == written
    change_configuration(other)
    with pytest.raises(LogError) as caught:
        check_manifest(compose(settings))
    [line] = str(caught.value).splitlines()
    assert "(change 1): start with the settings of that change" in line


def test_what_decides_where_a_transaction_counts_stops_an_aggregator_too(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    ensure_topics(admin, settings)
    write_manifest(compose(settings))
    level = msgspec.structs.replace(PANELS[0], region_level=1)
    for other in (
        msgspec.structs.replace(settings, panels=(level, PANELS[1])),
        changed(settings, fold__future_tolerance_seconds=7),
    ):
        with pytest.raises(LogError, match="decides where a transaction counts") as caught:
            check_manifest(compose(other), only_fold=True)
        assert len(str(caught.value).splitlines()) == 2


def test_of_writers_at_the_same_time_one_wins_and_the_others_agree_or_are_refused(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    ensure_topics(admin, settings)
    runs = [compose(changed(settings, fold__block_size=2000 + at % 3)) for at in range(6)]

    def write(run: Run) -> Manifest | LogError:
        try:
            return write_manifest(run)
        except LogError as error:
            return error

    with ThreadPoolExecutor(len(runs)) as pool:
        outcomes = list(pool.map(write, runs))
    stands = read_manifest(settings)
    assert stands is not None
    for run, outcome in zip(runs, outcomes, strict=True):
        if run.settings.fold.block_size == stands.block_size:
            assert outcome == stands == msgspec.structs.replace(manifest_of(run), logs=stands.logs)
        else:
            assert isinstance(outcome, LogError)


def test_a_topic_with_something_else_in_it_is_no_manifest(admin: KafkaAdminClient, settings: Settings) -> None:
    ensure_topics(admin, settings)
    meta = RunTopics(settings.run).meta
    assert produce(settings.kafka, meta, b"of another kind") is None
    assert read_manifest(settings) is None
    assert produce(settings.kafka, meta, b'{"run": 7}', b"manifest") is None
    with pytest.raises(LogError, match=f"{meta}: holds no manifest that version"):
        read_manifest(settings)


@given(
    st.sets(st.text("abc", min_size=1, max_size=3), max_size=12), st.sets(st.text("xyz", max_size=2)), st.integers(1, 5)
)
def test_panels_are_dealt_evenly_and_stay_where_they_are(first: set[str], later: set[str], partitions: int) -> None:
    dealt = deal_panels(first, partitions)
    grown = deal_panels(first | later, partitions, dealt)
    assert grown.items() >= dealt.items()
    assert set(grown) == first | later
    for panels in (dealt, grown):
        counts = [list(panels.values()).count(q) for q in range(partitions)]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == len(panels)


def test_a_manifest_among_compressed_records_is_read(admin: KafkaAdminClient, settings: Settings) -> None:
    """A replay writes its position to the same topic, compressed as everything that librdkafka sends here is."""
    ensure_topics(admin, settings)
    written = write_manifest(compose(settings))
    topics = RunTopics(settings.run)
    log = ReplayLog(settings.kafka, topics)
    position = ReplayPosition(source="x" * 5_000, described="a file", partitions=3, records=7)
    assert log.open() is None
    log.commit(position)
    assert read_manifest(settings) == written
    assert ReplayLog(settings.kafka, topics).open() == position
