"""A run's topics on a real broker: made once, checked, grown, deleted; what does not fit is said, one line each."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka_broker import KafkaBroker
from kafka_clients import SECONDS, changed
from typer.testing import CliRunner, Result

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.run_topics import LogKind, RunTopics
from earlywarn.adapters.kafka.topic_specifications import topic_specifications
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics, survey_topics
from earlywarn.application.service_settings import KafkaSettings, TopicSettings
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.cli.app import app
from earlywarn.errors import ConfigError

PANELS = (PanelSettings(id="CH", countries=("CH",)), PanelSettings(id="AT", countries=("AT",)))


@pytest.fixture
def settings(kafka: KafkaBroker, admin: KafkaAdminClient) -> Iterator[Settings]:
    run = f"run-{uuid4().hex[:8]}"
    topics = TopicSettings(transactions_partitions=3, partials_partitions=2)
    yield Settings(run=run, kafka=KafkaSettings(brokers=kafka.address), topics=topics, panels=PANELS)
    delete_topics(admin, run, topics.prefix)


def configs_of(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: entry["value"] for name, entry in found["topic"][topic].items()}


def partitions_of(admin: KafkaAdminClient, names: RunTopics) -> list[int]:
    counts = {each["name"]: len(each["partitions"]) for each in admin.describe_topics(list(names.all))}
    return [counts[name] for name in names.all]


# --- creating and checking


def test_topics_are_made_as_the_delivery_contract_wants_them(admin: KafkaAdminClient, settings: Settings) -> None:
    names = RunTopics(settings.run)
    done = ensure_topics(admin, settings)
    assert done.created == names.all
    assert partitions_of(admin, names) == [3, 3, 2, 2, 2, 1, 1]
    found = {name: configs_of(admin, name) for name in names.all}
    source, dead, partials = found[names.transactions], found[names.dead_letters], found[names.partials]
    assert {each["message.timestamp.type"] for each in found.values()} == {"LogAppendTime"}
    assert (source["retention.ms"], dead["retention.ms"]) == (str(14 * 86_400_000), str(30 * 86_400_000))
    assert int(source["max.message.bytes"]) == 4 << 20 < int(dead["max.message.bytes"])
    for name in (names.partials, names.aggregates, names.alerts):
        kept = [found[name][key] for key in ("cleanup.policy", "retention.ms", "retention.bytes")]
        assert kept == ["delete", "-1", "-1"]
    assert int(partials["max.message.bytes"]) >= 16 << 20
    assert {found[name]["cleanup.policy"] for name in (names.actions, names.meta)} == {"compact"}
    assert {each["unclean.leader.election.enable"] for each in found.values()} == {"false"}
    assert ensure_topics(admin, settings) == ensure_topics(admin, settings, create=False)
    assert survey_topics(admin, settings).problems == []


def test_a_replay_keeps_its_transactions_and_a_short_retention_has_short_segments(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    names = RunTopics(settings.run)
    ensure_topics(admin, changed(settings, topics__replay=True, topics__dead_letter_retention_hours=2))
    assert configs_of(admin, names.transactions)["retention.ms"] == "-1"
    dead = configs_of(admin, names.dead_letters)
    assert (dead["retention.ms"], dead["segment.ms"]) == ("7200000", "1800000")


@given(st.integers(1, 20_000))
def test_a_record_is_gone_at_most_a_quarter_or_a_day_after_its_retention(hours: int) -> None:
    topics = TopicSettings(transactions_retention_hours=hours)
    source = topic_specifications(Settings(topics=topics))[0].configs
    kept_ms, segment_ms = int(source["retention.ms"]), int(source["segment.ms"])
    assert kept_ms == hours * 3_600_000
    assert 0 < segment_ms <= min(kept_ms / 4, 86_400_000)


def test_several_copies_demand_two_before_a_record_counts() -> None:
    for replication, least in ((1, "1"), (2, "2"), (3, "2"), (5, "2")):
        specifications = topic_specifications(Settings(topics=TopicSettings(replication=replication)))
        found = {(each.replication, each.configs["min.insync.replicas"]) for each in specifications}
        assert found == {(replication, least)}


def test_what_exists_and_does_not_fit_is_one_line_each_with_what_mends_it_and_nothing_is_made(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    names = RunTopics(settings.run)
    admin.create_topics(
        {
            names.partials: {"num_partitions": 2, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}},
            names.aggregates: {"num_partitions": 5, "replication_factor": 1, "configs": {"retention.ms": "-1"}},
            names.meta: {"num_partitions": 2, "replication_factor": 1, "configs": {"cleanup.policy": "compact"}},
            names.transactions: {"num_partitions": 1, "replication_factor": 1},
        },
        wait_for_metadata=True,
    )
    with pytest.raises(ConfigError) as caught:
        ensure_topics(admin, settings)
    lines = str(caught.value).splitlines()

    def mend(topic: str, config: str) -> str:
        command = f"run: kafka-configs.sh --bootstrap-server {settings.kafka.brokers} --alter --entity-type topics"
        return f"{command} --entity-name {topic} --add-config {config}"

    never = "it never changes in a run: set topics.partials_partitions = 5, or start another run"
    for line in (
        f"{names.transactions}: partitions is 1, wanted 3; run: earlywarn topics create --run {settings.run} --grow",
        f"{names.transactions}: message.timestamp.type is CreateTime, wanted LogAppendTime; "
        + mend(names.transactions, "message.timestamp.type=LogAppendTime"),
        f"{names.partials}: cleanup.policy is compact, wanted delete; " + mend(names.partials, "cleanup.policy=delete"),
        f"{names.partials}: retention.ms is 604800000, wanted -1; " + mend(names.partials, "retention.ms=-1"),
        f"{names.aggregates}: partitions is 5, wanted 2; {never}",
    ):
        assert line in lines
    assert any(line.startswith(f"{names.meta}: partitions is 2, wanted 1; it has one in every run") for line in lines)
    assert not any(line.startswith(f"{names.alerts}:") for line in lines)
    assert {each.name for each in survey_topics(admin, settings).missing} == {
        names.dead_letters,
        names.alerts,
        names.actions,
    }


def test_the_commands_that_mend_do(admin: KafkaAdminClient, settings: Settings) -> None:
    """Setting what the lines say to set, through the broker, leaves nothing to say."""
    ensure_topics(admin, settings)
    other = changed(settings, topics__transactions_retention_hours=48, topics__message_bytes=1 << 19)
    misfits = survey_topics(admin, other).misfits
    assert {each.setting for each in misfits} == {"retention.ms", "segment.ms", "max.message.bytes"}
    for each in misfits:
        name, _, value = each.mend.rpartition(" ")[2].partition("=")
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, each.topic, {name: value})])
    deadline = time.monotonic() + SECONDS  # a broker says what it has altered when its own copy of it has followed
    while problems := survey_topics(admin, other).problems:
        assert time.monotonic() < deadline, problems


def test_more_copies_than_brokers_are_refused_with_the_brokers_words(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    with pytest.raises(ConfigError, match="only 1 broker.s. are registered") as caught:
        ensure_topics(admin, changed(settings, topics__replication=3))
    assert len(str(caught.value).splitlines()) == 7
    ensure_topics(admin, settings)
    problems = survey_topics(admin, changed(settings, topics__replication=3)).problems
    assert len(problems) == 7  # more copies first, and only then two of them for every record
    assert all("replication is 1, wanted 3" in line for line in problems)


def test_transactions_grow_in_a_running_system_and_nothing_else_does(
    admin: KafkaAdminClient, settings: Settings
) -> None:
    names = RunTopics(settings.run)
    ensure_topics(admin, settings)
    more = changed(settings, topics__transactions_partitions=5)
    with pytest.raises(ConfigError, match="--grow"):
        ensure_topics(admin, more)
    assert ensure_topics(admin, more, grow=True).grown == {names.transactions: 5, names.dead_letters: 5}
    assert partitions_of(admin, names) == [5, 5, 2, 2, 2, 1, 1]
    remarks = ensure_topics(admin, settings, grow=True).remarks  # older settings go on
    assert any(f"{names.transactions}: has 5 partitions" in remark for remark in remarks)
    with pytest.raises(ConfigError, match="it never changes in a run: set topics.partials_partitions = 2"):
        ensure_topics(admin, changed(more, topics__partials_partitions=4), grow=True)


def test_of_several_who_make_the_same_topics_each_makes_its_part_and_none_fails(settings: Settings) -> None:
    def make(_: int) -> tuple[str, ...]:
        with kafka_admin(settings.kafka) as admin:
            return ensure_topics(admin, settings).created

    with ThreadPoolExecutor(4) as pool:
        made = [name for created in pool.map(make, range(4)) for name in created]
    assert sorted(made) == sorted(RunTopics(settings.run).all)


def test_a_run_whose_id_names_no_topic_is_refused(admin: KafkaAdminClient, settings: Settings) -> None:
    with pytest.raises(ConfigError, match="letters, digits, - and _ only"):
        ensure_topics(admin, msgspec.structs.replace(settings, run="a run"))


# --- the command line


def run_command(settings: Settings, folder: Path, *words: str, **environ: str) -> Result:
    path = folder / "panel.toml"
    path.write_text('[[panels]]\nid = "CH"\ncountries = ["CH"]\n[topics]\ntransactions_partitions = 3\n')
    base = {"EARLYWARN_KAFKA": settings.kafka.brokers, "EARLYWARN_CONFIG": str(path), "EARLYWARN_RUN": settings.run}
    return CliRunner().invoke(app, ["topics", *words], env=base | environ)


def test_topics_create_check_grow_and_delete_from_the_command_line(settings: Settings, tmp_path: Path) -> None:
    names = RunTopics(settings.run)
    missing = run_command(settings, tmp_path, "create", "--check", "--json")
    assert missing.exit_code == 1
    assert json.loads(missing.output)["missing"] == list(names.all)
    path = str(tmp_path / "panel.toml")
    told = run_command(settings, tmp_path, "create", "--check", "--config", path)
    assert {line.partition("; run: ")[2] for line in str(told.exception).splitlines()} == {
        f"earlywarn topics create --config {path} --run {settings.run}"
    }
    made = run_command(settings, tmp_path, "create", "--replay", "--json")
    assert (made.exit_code, json.loads(made.output)["created"]) == (0, list(names.all))
    assert json.loads(made.output)["manifest"]["panels"] == {"CH": 0}
    fits = run_command(settings, tmp_path, "create", "--check")  # that it is a replay stands in the manifest
    assert (fits.exit_code, fits.output.splitlines()[-1]) == (0, f"run {settings.run!r}: topics fit")

    more = {"EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS": "4"}
    small = run_command(settings, tmp_path, "create", "--json", "--config", path, **more)
    assert small.exit_code == 1
    grow = f"earlywarn topics create --config {path} --run {settings.run} --grow"
    assert grow in json.loads(small.output)["problems"][0]
    assert grow in json.loads(small.output)["misfits"][0]["mend"]
    assert [each["topic"] for each in json.loads(small.output)["misfits"]] == [names.transactions, names.dead_letters]
    grown = run_command(settings, tmp_path, "create", "--grow", **more)
    assert grown.exit_code == 0
    assert f"{names.transactions}: has 4 partitions now" in grown.output
    assert "The watermark waits until each has been heard" in grown.output

    assert run_command(settings, tmp_path, "create", "--grow", "--check").exit_code == 2
    other = run_command(settings, tmp_path, "create", "--check", "--json", EARLYWARN_FOLD__BLOCK_SIZE="1000", **more)
    assert other.exit_code == 1
    assert any("fold.block_size = 1000 here, 2000 in the run" in line for line in json.loads(other.output)["problems"])

    assert run_command(settings, tmp_path, "delete", "--run", settings.run).exit_code == 1  # nobody says yes
    assert run_command(settings, tmp_path, "create", "--check", **more).exit_code == 0
    gone = run_command(settings, tmp_path, "delete", "--run", settings.run, "--yes", "--json")
    assert (gone.exit_code, set(json.loads(gone.output)["deleted"])) == (0, set(names.all))
    again = run_command(settings, tmp_path, "delete", "--run", settings.run, "--yes")
    assert (again.exit_code, "has no topics" in again.output) == (0, True)


def test_transactions_that_were_deleted_alone_are_not_made_anew(
    admin: KafkaAdminClient, settings: Settings, tmp_path: Path
) -> None:
    """Neither when they are gone nor when somebody else has made them; growing keeps the log what it is."""
    names = RunTopics(settings.run)
    more = {"EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS": "4"}
    assert run_command(settings, tmp_path, "create", "--replay").exit_code == 0
    assert run_command(settings, tmp_path, "create", "--grow", **more).exit_code == 0
    assert run_command(settings, tmp_path, "create", "--check", **more).exit_code == 0

    admin.delete_topics([names.transactions, names.alerts])
    wait_until_gone(admin, {names.transactions, names.alerts})
    for options in (("create",), ("create", "--grow"), ("create", "--check"), ("create", "--json")):
        gone = run_command(settings, tmp_path, *options, **more)
        assert gone.exit_code == 1
        said = json.loads(gone.output)["problems"] if "--json" in options else str(gone.exception).splitlines()
        assert [line.partition("; ")[0] for line in said] == [f"{names.transactions}: was deleted"]
        assert not {names.transactions, names.alerts} & set(admin.list_topics())

    payment = '{"id":"t1","ts":1551702896000,"amount_minor":1,"currency":"CHF","mcc":"5411","region":"CH04"}'
    (tmp_path / "one.jsonl").write_text(payment)
    command = ["replay", str(tmp_path / "one.jsonl"), "--run", settings.run, "--out", str(tmp_path), "--no-workers"]
    kafka = {"EARLYWARN_KAFKA": settings.kafka.brokers, **more}
    replayed = CliRunner().invoke(app, [*command, "--config", str(tmp_path / "panel.toml")], env=kafka)
    assert (replayed.exit_code, str(replayed.exception).partition("; ")[0]) == (1, f"{names.transactions}: was deleted")
    assert names.transactions not in admin.list_topics()

    admin.create_topics({names.transactions: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
    for options in (("create",), ("create", "--check")):
        anew = run_command(settings, tmp_path, *options, **more)
        assert anew.exit_code == 1
        [line] = str(anew.exception).splitlines()
        assert line.startswith(f"{names.transactions}: was deleted and made anew (its id is ")
        assert f"Go on in another run: earlywarn replay FILES --run {settings.run}-2 --open, or --from-run" in line
        assert names.alerts not in admin.list_topics()

    assert run_command(settings, tmp_path, "delete", "--run", settings.run, "--yes").exit_code == 0
    wait_until_gone(admin, set(names.all))
    assert run_command(settings, tmp_path, "create").exit_code == 0  # as a whole it can be made anew


@pytest.mark.parametrize("kind", ["partials", "aggregates", "alerts"])
def test_what_workers_wrote_is_not_made_anew_either(
    admin: KafkaAdminClient, settings: Settings, tmp_path: Path, kind: LogKind
) -> None:
    """What stood there is not written a second time; the way out that is told is another run."""
    name = RunTopics(settings.run).of(kind)
    assert run_command(settings, tmp_path, "create").exit_code == 0
    admin.delete_topics([name])
    wait_until_gone(admin, {name})
    way_on = f"Go on in another run: earlywarn replay --from-run {settings.run} --run {settings.run}-2 --open"
    for options in (("create",), ("create", "--check")):
        gone = run_command(settings, tmp_path, *options)
        [line] = str(gone.exception).splitlines()
        assert (gone.exit_code, line.startswith(f"{name}: was deleted; "), way_on in line) == (1, True, True)
        assert name not in admin.list_topics()
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    anew = run_command(settings, tmp_path, "create")
    [line] = str(anew.exception).splitlines()
    assert (line.startswith(f"{name}: was deleted and made anew (its id is "), way_on in line) == (True, True)
    accepted = run_command(settings, tmp_path, "create", "--accept-published")
    again = run_command(settings, tmp_path, "create", "--check")
    if kind == "partials":
        assert f"{name}: was deleted and made anew" in str(accepted.exception)
        return
    assert f"earlywarn topics create --run {settings.run} --accept-published" in line
    assert (accepted.exit_code, again.exit_code) == (1, 1), accepted.output  # it was made without our configuration
    admin.delete_topics([name])
    wait_until_gone(admin, {name})
    accepted = run_command(settings, tmp_path, "create", "--accept-published")
    assert (accepted.exit_code, f"{name}: created" in accepted.output) == (0, True), accepted.output
    assert run_command(settings, tmp_path, "create", "--check").exit_code == 0


def test_partials_that_somebody_has_grown_are_told_with_a_way_out(
    admin: KafkaAdminClient, settings: Settings, tmp_path: Path
) -> None:
    """The number that stands in the manifest holds, whatever the settings say."""
    names = RunTopics(settings.run)
    assert run_command(settings, tmp_path, "create").exit_code == 0
    admin.create_partitions({names.partials: 3})
    deadline = time.monotonic() + SECONDS
    while len(admin.describe_topics([names.partials])[0]["partitions"]) < 3:
        assert time.monotonic() < deadline
    for partitions in ("1", "3"):
        told = run_command(settings, tmp_path, "create", EARLYWARN_TOPICS__PARTIALS_PARTITIONS=partitions)
        assert told.exit_code == 1
        line = str(told.exception).splitlines()[0]
        assert line == (
            f"{names.partials}: partitions is 3, wanted 1; Q is 1 in the manifest and never changes in a run; go on in "
            f"another one: earlywarn replay --from-run {settings.run} --run {settings.run}-2 --open "
            "(docs/operations/topics.md, Go on in another run)"
        )


def wait_until_gone(admin: KafkaAdminClient, topics: set[str]) -> None:
    deadline = time.monotonic() + SECONDS
    while topics & set(admin.list_topics()):
        assert time.monotonic() < deadline, "the topics are not deleted"
        time.sleep(0.1)


def test_without_panels_topics_are_made_and_the_manifest_waits(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    made = run_command(settings, tmp_path, "create", EARLYWARN_CONFIG=str(tmp_path / "empty.toml"))
    assert made.exit_code == 0
    assert "no manifest, since the settings name no panels" in made.output
