"""Which records are sent, in which order, to which partition, and what workers are told."""

import json
import resource
import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from stream_run import wait_until

from earlywarn.adapters.arrow_batch import ArrowBatch, decode
from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import InputFile, open_inputs
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.replay import Pace, Replay, Standing
from earlywarn.adapters.replay.cells import CellPartitioner
from earlywarn.adapters.replay.environment import as_toml, worker_environment
from earlywarn.adapters.replay.files import FileSource, Window
from earlywarn.adapters.replay.ordering import merged
from earlywarn.adapters.replay.packing import BATCH_RECORDS, as_arrow
from earlywarn.adapters.replay.play import send
from earlywarn.adapters.replay.position import ReplayPosition, decode_position, encode_position
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.adapters.replay.workers import Workers
from earlywarn.aggregation.columns import ARROW_STREAM
from earlywarn.application.compose import Run, compose
from earlywarn.application.service_settings import ServiceSettings
from earlywarn.application.settings import PanelSettings, Settings, load
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError, LogError


@pytest.fixture(scope="module")
def run() -> Run:
    return compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))


def transaction(number: int, **fields: object) -> Transaction:
    given = {"region": "CH040", "mcc": "5411", "country": "CH", **fields}
    return Transaction(id=f"t{number}", ts=1_551_702_896_000 + number, amount_minor=100, currency="CHF", **given)  # type: ignore[arg-type]


def written(path: Path, lines: list[object]) -> InputFile:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines))
    return open_inputs([str(path)])[0]


def record(name: str, second: int) -> dict[str, object]:
    return {"id": name, "ts": 1_551_702_896_000 + second * 1000, "amount_minor": 1, "currency": "CHF"}


def test_a_cell_has_one_partition_however_it_is_written(run: Run) -> None:
    """NUTS 3 and NUTS 2, two MCCs of one class: one cell; another region is another one. It never changes."""
    dealt = CellPartitioner(run.router, 64)
    same = [transaction(1), transaction(2, region="CH04"), transaction(3, mcc="5422", channel="pos")]
    assert len({dealt.of(each) for each in same}) == 1
    assert dealt.of(same[0]) == 37
    assert dealt.of(transaction(4, region="CH01")) != dealt.of(same[0])


def test_what_belongs_to_no_cell_is_sent_as_well(run: Run) -> None:
    dealt = CellPartitioner(run.router, 8)
    assert 0 <= dealt.of(transaction(1, region="XX", mcc=None, merchant="somebody")) < 8


def test_files_go_on_together_and_each_keeps_its_order(run: Run, tmp_path: Path) -> None:
    """A late record is as late as in its file; a broken one keeps its line."""
    inputs = [
        written(tmp_path / "a.jsonl", [record("a0", 0), record("a9", 9), record("a1", 1), "broken", record("a10", 10)]),
        written(tmp_path / "b.jsonl", [record("b5", 5), record("b9", 9), record("b20", 20)]),
    ]
    calendar = run.panels[0].panel.calendar
    found = [
        (outcome.id if isinstance(outcome, Transaction) else outcome.reason.value, batch.place(at).line)
        for batch in merged(feeds_of(inputs, calendar))
        for at, outcome in enumerate(batch.outcomes)
        if isinstance(outcome, Transaction | Reject)
    ]
    assert found == [
        ("a0", 1), ("b5", 1), ("a9", 2), ("a1", 3), ("not_json", 4), ("b9", 2), ("a10", 5), ("b20", 3),
    ]  # fmt: skip


def test_a_window_is_of_local_days(run: Run) -> None:
    """Both days included, whole, summer time or not."""
    calendar = run.panels[0].panel.calendar
    window = Window.of_days(date(2019, 3, 31), date(2019, 3, 31), calendar)
    assert window.first_ms is not None
    assert window.until_ms is not None
    assert window.until_ms - window.first_ms == 23 * 3_600_000
    assert window.admits(window.first_ms)
    assert not window.admits(window.until_ms)
    assert Window().admits(0)


def test_the_same_replay_is_known_by_its_inputs_and_options(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", [record("a0", 0)])

    def fingerprint(each: InputFile, window: Window = Window()) -> str:  # noqa: B008  # it is frozen
        source = FileSource(run, [each], window=window, sort_in=None, batched=False, rejects=tmp_path / "rejects")
        return source.beginning(4).source

    assert fingerprint(file) == fingerprint(file)
    others = [
        fingerprint(file, Window(first_ms=1)),
        fingerprint(written(tmp_path / "b.jsonl", [record("a0", 0)])),
        fingerprint(written(tmp_path / "a.jsonl", [record("a1", 0)])),
    ]
    assert len({fingerprint(file), *others}) == 3  # the file a.jsonl is the changed one by now

    long = tmp_path / "long.jsonl"
    records = [record(f"r{number}", number) for number in range(3_000)]
    before = fingerprint(written(long, records))
    size = long.stat().st_size
    after = fingerprint(written(long, [*records[:-1], {**records[-1], "currency": "EUR"}]))
    assert long.stat().st_size == size > 1 << 17
    assert before != after  # in its last record alone


def test_a_position_is_itself_again_and_rubbish_is_none() -> None:
    position = ReplayPosition(source="s", described="d", partitions=8, records=5, sent=4, offsets={1: 7})
    assert decode_position(encode_position(position)) == position
    with pytest.raises(LogError, match="cannot be read by this version"):
        decode_position(b"{}")


def test_batches_hold_all_in_order_and_fit_in_a_message() -> None:
    transactions = [transaction(number, card="x" * 200 + str(number)) for number in range(BATCH_RECORDS + 10)]
    messages = list(as_arrow(transactions, 300_000))
    assert len(messages) > 4
    ids: list[str] = []
    for value, headers in messages:
        assert len(value) <= 300_000
        assert dict(headers) == {"content-type": ARROW_STREAM}
        batch = decode(value)
        assert isinstance(batch, ArrowBatch)
        ids += [msgspec.json.decode(each)["id"] for each in batch.records(range(len(batch.columns.ts)))]
    assert ids == [each.id for each in transactions]


def test_workers_compose_the_run_that_was_inferred(tmp_path: Path) -> None:
    """What was made up from the input reaches them by their environment; one from a file by its name."""
    panel = PanelSettings(
        id="CH",
        name='Sw"itz',
        holiday_countries=("CH",),
        regions={"9999": "x"},
        currency="CHF",
        time_zone="Europe/Zurich",
    )
    settings = Settings(run="r", exercise=True, panels=(panel,))
    told = worker_environment({}, None, settings, inferred=True)
    assert compose(load(None, told)).fingerprint == compose(settings).fingerprint
    assert load(None, told).panels == (panel,)
    assert load(None, told).exercise
    assert load(None, told).topics.replay
    filed = worker_environment({}, tmp_path / "a.toml", settings, inferred=False)
    assert filed["EARLYWARN_CONFIG"] == str(tmp_path / "a.toml")
    assert filed["EARLYWARN_EXERCISE"] == "true"
    assert "EARLYWARN_PANELS" not in filed


def test_plain_values_are_written_as_toml() -> None:
    plain = {"a": [1, 2.5, True, 'te"x\\t\n'], "b": {"c d": []}}
    assert tomllib.loads(f"value = {as_toml(plain)}")["value"] == plain


def test_who_is_told_to_stop_within_a_commit_stops_whatever_the_client_says(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has ended the transaction, and calls it a fatal error to take it back: it is none of the replay."""
    log = ReplayLog(run.settings.kafka, RunTopics("x"))

    def told_to_stop(*_: object, **__: object) -> None:
        raise SystemExit(143)

    def refuse() -> None:
        raise LogError("cannot be written any more")

    monkeypatch.setattr(log, "send", told_to_stop)
    monkeypatch.setattr(log, "take_back", refuse)
    inputs = [written(tmp_path / "a.jsonl", [record("a", 0)])]
    source = FileSource(run, inputs, window=Window(), sort_in=None, batched=False, rejects=tmp_path / "rejects.jsonl")
    pace = Pace(None, clock=float, sleep=print)
    replay = Replay(run=run, source=source, pace=pace, aggregators=0, environment={}, logs=tmp_path)
    with pytest.raises(SystemExit):
        send(replay, log, source.beginning(8), lambda _: None, lambda: None)


class Written:
    """A log that keeps what is sent of transactions, and forgets what is not committed."""

    def __init__(self) -> None:
        self.standing = Standing()
        self.records: list[tuple[int, object]] = []
        self.positions: list[tuple[ReplayPosition, int]] = []

    def send(self, partition: int, value: bytes | None, *, headers: object) -> None:  # noqa: ARG002  # as a log
        self.records.append((partition, msgspec.json.decode(value or b"")["id"]))

    def tell_time(self, partition: int, event_ms: int) -> None:
        self.records.append((partition, event_ms - 1_551_702_896_000))

    def commit(self, position: ReplayPosition) -> None:
        self.positions.append((position, len(self.records)))


def test_silent_partitions_of_a_paced_replay_are_told_the_time_whatever_the_clock_says(
    run: Run, tmp_path: Path
) -> None:
    """Killed at any commit and started again it sends the same; one wrong time stamp makes nothing of others late."""
    regions = ["CH01", "CH01", "CH04"]
    lines: list[object] = [
        {**record(f"r{at}", at * 60), "country": "CH", "mcc": "5411", "region": regions[at % 3] if at < 60 else "CH01"}
        for at in range(120)
    ]
    lines[50] = {**record("leap", 9_000_000), "country": "CH", "mcc": "5411", "region": "CH01"}
    settings = msgspec.structs.replace(run.settings, service=ServiceSettings(idle_seconds=10.0))
    inputs = [written(tmp_path / "a.jsonl", lines)]

    def sent(position: ReplayPosition | None, hiccup: int) -> Written:
        clock = [0.0]

        def sleep(seconds: float) -> None:
            clock[0] += seconds * (hiccup if int(clock[0]) % 3 else 1)

        log = Written()
        source = FileSource(
            compose(settings), inputs, window=Window(), sort_in=None, batched=False, rejects=tmp_path / "rejects.jsonl",
            now_seconds=lambda: clock[0],
        )  # fmt: skip
        pace = Pace(120.0, clock=lambda: clock[0], sleep=sleep)
        source.send(cast("ReplayLog", log), position or source.beginning(8), pace, lambda _: None)
        return log

    whole = sent(None, 1)
    dealt = {name: partition for partition, name in whole.records if isinstance(name, str)}
    busy, stopped = dealt["r0"], dealt["r2"]
    marks = [(partition, told) for partition, told in whole.records if isinstance(told, int)]
    assert {partition for partition, _ in marks} == set(range(8)) - {busy}
    told = [at // 1000 for partition, at in marks if partition == stopped]
    assert told == list(range(80 * 60, 119 * 60, 120))  # heard last in its 59th minute
    assert [at // 1000 for partition, at in marks if partition == (busy + 1) % 8][:2] == [1200, 1320]

    def by_partition(records: list[tuple[int, object]]) -> list[list[object]]:
        return [[each for partition, each in records if partition == p] for p in range(8)]

    again = sent(None, 40)
    assert by_partition(again.records) == by_partition(whole.records)
    for position, count in whole.positions[::7]:
        rest = sent(position, 1)
        assert by_partition(whole.records[:count] + rest.records) == by_partition(whole.records)


@pytest.mark.parametrize("paused", [False, True])
def test_a_replay_whose_worker_has_ended_sends_no_more(run: Run, tmp_path: Path, *, paused: bool) -> None:
    """It looks while it waits for the next record and while it is paused; its probes can ask as well."""
    inputs = [written(tmp_path / "a.jsonl", [record("a", 0), record("b", 86_400)])]
    source = FileSource(run, inputs, window=Window(), sort_in=None, batched=False, rejects=tmp_path / "rejects.jsonl")
    pace = Pace(1.0, clock=float, sleep=lambda _: None)
    pace.paused = paused
    replay = Replay(run=run, source=source, pace=pace, aggregators=0, environment={}, logs=tmp_path)
    looks = iter(range(3))

    def check() -> None:
        if next(looks, None) is None:
            raise LogError("aggregator-0 has ended with 1")

    log = Written()
    log.take_back = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(LogError, match="aggregator-0 has ended"):
        send(replay, cast("ReplayLog", log), source.beginning(8), lambda _: None, check)
    assert len(log.records) == (0 if paused else 1)


def test_a_replay_without_room_for_the_logs_of_its_workers_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once where not even the first line can be written; where a worker has ended since, beside its last words."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # of a whole process: put back at once
    try:
        with Workers({}, tmp_path) as workers, pytest.raises(InputError, match=r"cannot be written to: .*; make room"):
            workers.start("detector")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with Workers({"EARLYWARN_CONFIG": str(tmp_path / "nowhere.toml")}, tmp_path) as workers:
        workers.start("detector")
        wait_until(lambda: not workers.run(), 60, "it has ended")
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
        with pytest.raises(LogError, match=r"the end of .*detector-0.log \(its disk is full, so the reason may be"):
            workers.check()


def test_a_worker_that_has_ended_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Workers({"EARLYWARN_CONFIG": str(tmp_path / "nowhere.toml")}, tmp_path) as workers:
        assert workers.run()
        workers.start("detector")
        wait_until(lambda: not workers.run(), 60, "it has ended")
        with pytest.raises(LogError, match=r"detector-0 has ended with 1; the end of .*:\n(.*\n)*.*nowhere.toml"):
            workers.check()
