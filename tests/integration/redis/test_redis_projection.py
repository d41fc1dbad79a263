"""Redis is a function of the topics' beginnings up to its positions, however it was fed."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis_records import alert_records, dump_of, expected_dump, make_alert, make_row, row_records

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import CallLimits, RedisProjection
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.application.service_settings import RedisSettings
from earlywarn.domain.series import Series
from earlywarn.errors import LogError

NewRun = Callable[[], str]


def projection(
    client: Redis, run: str, *, stream_length: int = 10_000, limits: CallLimits | None = None
) -> RedisProjection:
    return RedisProjection(client, RunTopics(run), stream_length=stream_length, outages=Outages("test"), limits=limits)


TOPICS: dict[tuple[TopicKind, int], list[Record]] = {
    ("aggregates", 0): row_records(1, buckets=12),
    ("alerts", 0): alert_records(1, count=40),
    ("aggregates", 1): row_records(2, buckets=6, first_offset=17),
    ("alerts", 1): alert_records(2, count=25, first_offset=9),
}

delivery = st.tuples(st.sampled_from(sorted(TOPICS)), st.integers(0, 2), st.integers(1, 60), st.integers(0, 25))
"""Which topic, which of three projectors, how many records it reads, how far it first falls back."""


@examples(max_examples=25)
@given(deliveries=st.lists(delivery, max_size=40), limits=st.sampled_from([None, (1, 1, 1), (3, 900, 2)]))
def test_any_chopping_interleaving_and_redelivery_gives_the_same(
    server: LocalRedis, new_run: NewRun, deliveries: list, limits: tuple[int, int, int] | None
) -> None:
    run = new_run()
    call_limits = limits and CallLimits(rows=limits[0], value_bytes=limits[1], revisions=limits[2])

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            projectors = [projection(client, run, limits=call_limits) for _ in range(3)]
            positions = [dict.fromkeys(TOPICS, 0) for _ in projectors]

            async def step(topic: tuple[TopicKind, int], who: int, count: int, back: int) -> None:
                kind, partition = topic
                offsets = [offset for offset, _ in TOPICS[topic]]
                since = positions[who][topic]
                reached = sum(offset < since for offset in offsets)
                if back and reached:
                    reached = max(0, reached - back)
                    since = offsets[reached]
                records = TOPICS[topic][reached : reached + count]
                positions[who][topic] = await projectors[who].apply(partition, kind, records, since=since)

            for each in deliveries:
                await step(*each)
            so_far = {
                topic: [record for record in records if record[0] < max(each[topic] for each in positions)]
                for topic, records in TOPICS.items()
            }
            assert await dump_of(client, run) == expected_dump(run, so_far)
            for topic, records in TOPICS.items():
                await step(topic, 0, len(records), 0)
            assert await dump_of(client, run) == expected_dump(run, TOPICS)

    asyncio.run(scenario())


def test_two_projectors_at_once_write_what_one_would(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()
    topics = {("aggregates", 0): row_records(5, buckets=40), ("alerts", 0): alert_records(5, count=300)}

    async def follow(client: Redis, kind: TopicKind, step: int) -> None:
        one, position, records = projection(client, run), 0, topics[kind, 0]
        for first in range(0, len(records), step):
            position = await one.apply(0, kind, records[first : first + step], since=position)

    async def scenario() -> None:
        async with connect(settings) as client:
            await asyncio.gather(*(follow(client, kind, step) for kind, _ in topics for step in (7, 10, 10)))
            assert await dump_of(client, run) == expected_dump(run, topics)

    asyncio.run(scenario())


def test_a_stale_revision_and_a_repeat_change_nothing(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()
    values = [
        msgspec.json.encode(make_alert("a", revision, revision, severity=severity, status=status))
        for revision, severity, status in ((1, "medium", "open"), (2, "severe", "updated"), (3, "high", "resolved"))
    ]

    async def scenario() -> None:
        async with connect(settings) as client:
            one = projection(client, run)
            await one.apply(0, "alerts", list(enumerate(values)), since=0)
            before = await dump_of(client, run)
            # A zombie of the detector sends them once more, at later offsets.
            position = await one.apply(0, "alerts", [(3, values[0]), (4, values[2]), (5, values[1])], since=3)
            assert position == 6
            after = await dump_of(client, run)
            assert after.pop(f"earlywarn:{run}:positions")["alerts:0"] == "6"
            assert before.pop(f"earlywarn:{run}:positions")["alerts:0"] == "3"
            assert after == before
            assert after[f"earlywarn:{run}:alerts:severity:high"] == {"a": 20200308.0}
            assert f"earlywarn:{run}:alerts:severity:severe" not in after
            assert f"earlywarn:{run}:alerts:open" not in after

    asyncio.run(scenario())


def test_the_hour_after_the_clock_went_back_is_newer(settings: RedisSettings, new_run: NewRun) -> None:
    run, series = new_run(), Series("CH", None, None)
    first = make_row(series, "hour", "2020-10-25T02:00:00+02:00", 0, 1)
    second = make_row(series, "hour", "2020-10-25T02:00:00+01:00", 0, 2)
    late = make_row(series, "hour", "2020-10-25T02:00:00+02:00", 9, 3)
    vintage_10 = make_row(series, "hour", "2020-10-25T02:00:00+01:00", 10, 4)
    vintage_9 = make_row(series, "hour", "2020-10-25T02:00:00+01:00", 9, 5)

    async def scenario() -> None:
        async with connect(settings) as client:
            one = projection(client, run)
            for offset, (value, expected) in enumerate(
                ((first, first), (second, second), (late, second), (vintage_10, vintage_10), (vintage_9, vintage_10))
            ):
                await one.apply(0, "aggregates", [(offset, value)], since=offset)
                assert await client.hget(f"earlywarn:{run}:latest:CH:hour", "CH/*/*") == expected

    asyncio.run(scenario())


def test_thousands_of_rows_collapse_to_one_call(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()
    series = [Series("CH", f"R{n}", "grocery") for n in range(500)]
    records: list[Record] = [
        (hour * 500 + n, make_row(one, "hour", f"2020-03-{1 + hour // 24:02}T{hour % 24:02}:00:00+01:00", 0, hour))
        for hour in range(40)
        for n, one in enumerate(series)
    ]

    async def scenario() -> None:
        async with connect(settings) as client:
            await client.config_resetstat()
            assert await projection(client, run).apply(0, "aggregates", records, since=0) == 20_000
            calls = await client.info("commandstats")
            # A second one only where the server did not know the script yet.
            assert calls["cmdstat_evalsha"]["calls"] - calls.get("cmdstat_script|load", {"calls": 0})["calls"] == 1
            assert calls["cmdstat_hset"]["calls"] == 3
            dump = await dump_of(client, run)
            assert dump == expected_dump(run, {("aggregates", 0): records})

    asyncio.run(scenario())


def test_a_flushed_script_cache_is_filled_again(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()

    async def scenario() -> None:
        async with connect(settings) as client:
            one, position = projection(client, run), {"aggregates": 0, "alerts": 0}
            for turn in range(4):
                for kind, step in (("aggregates", 20), ("alerts", 10)):
                    records = TOPICS[kind, 0][turn * step :][:step]
                    position[kind] = await one.apply(0, kind, records, since=position[kind])
                await client.script_flush()
            expected = {("aggregates", 0): TOPICS["aggregates", 0][:80], ("alerts", 0): TOPICS["alerts", 0][:40]}
            assert await dump_of(client, run) == expected_dump(run, expected)

    asyncio.run(scenario())


def test_values_are_data_and_never_part_of_a_script(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()
    hostile = "'\"]] return redis.call('FLUSHALL') --\r\n*1\r\n$8\r\nFLUSHALL\r\n\x00 %s {} \\"
    alert = make_alert(hostile, 1, 1, region=hostile, sector=hostile, text=hostile)
    row = make_row(Series(hostile, hostile, hostile), "day", "2020-03-01T00:00:00+01:00", 0, 1)

    async def scenario() -> None:
        async with connect(settings) as client:
            one = projection(client, run)
            await one.apply(0, "alerts", [(0, msgspec.json.encode(alert))], since=0)
            await one.apply(0, "aggregates", [(0, row)], since=0)
            dump = await dump_of(client, run)
            keys = [key for key in dump if key.startswith(f"earlywarn:{run}:alert:")]
            assert len(keys) == 1
            assert msgspec.json.decode(dump[keys[0]]["json"], type=type(alert)) == alert
            assert dump[f"earlywarn:{run}:alerts"] == {hostile: 20200308.0}
            [latest] = [key for key in dump if key.startswith(f"earlywarn:{run}:latest:")]
            assert list(dump[latest].values()) == [row.decode()]

    asyncio.run(scenario())


GOOD_ROW = make_row(Series("CH", None, None), "day", "2020-03-01T00:00:00+01:00", 0, 1)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("aggregates", b"{not json", "malformed"),
        ("aggregates", None, "truncated"),
        ("aggregates", b"[]", "Expected `object`"),
        ("aggregates", GOOD_ROW.replace(b'"panel":"CH"', b'"panel":7'), "`$.panel`"),
        ("aggregates", GOOD_ROW.replace(b"+01:00", b""), "no offset"),
        ("aggregates", GOOD_ROW.replace(b"2020-03-01T00", b"2020-13-01T00"), "month"),
        ("aggregates", GOOD_ROW.replace(b"2020-03-01T00", b"0001-01-01T00"), "range"),
        ("aggregates", GOOD_ROW.replace(b'"vintage":0', b'"vintage":-1'), "`$.vintage`"),
        ("alerts", b"\xff", "malformed"),
        ("alerts", None, "truncated"),
        ("alerts", msgspec.json.encode(make_alert("a", 1, 1, detected_on="8 March")), "isoformat"),
        ("alerts", msgspec.json.encode(make_alert("a", 1, 0)), "sequence 0"),
        ("alerts", msgspec.json.encode(make_alert("a", 1, 1)).replace(b'"open"', b'"shut"'), "`$.status`"),
    ],
)
def test_a_foreign_record_stops_it_and_names_its_place(
    settings: RedisSettings, new_run: NewRun, kind: TopicKind, value: bytes | None, reason: str
) -> None:
    run = new_run()
    good = GOOD_ROW if kind == "aggregates" else msgspec.json.encode(make_alert("g", 1, 1))

    async def scenario() -> None:
        async with connect(settings) as client:
            one = projection(client, run)
            await one.apply(3, kind, [(40, good)], since=0)
            with pytest.raises(LogError) as raised:
                await one.apply(3, kind, [(41, good), (57, value), (58, good)], since=41)
            assert str(raised.value).startswith(f"earlywarn.{run}.{kind}-3-57: ")
            assert reason in str(raised.value)
            assert (await one.positions(3))[kind] <= 57

    asyncio.run(scenario())


def test_a_new_revision_with_an_old_sequence_is_a_defect_of_the_log(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()

    async def scenario() -> None:
        async with connect(settings) as client:
            one = projection(client, run)
            await one.apply(0, "alerts", [(5, msgspec.json.encode(make_alert("a", 1, 7)))], since=0)
            with pytest.raises(LogError, match=f"earlywarn.{run}.alerts-0-9: revision 1 is new.* sequence 7"):
                await one.apply(0, "alerts", [(9, msgspec.json.encode(make_alert("b", 1, 7)))], since=6)
            assert await one.positions(0) == {"aggregates": 0, "alerts": 6}

    asyncio.run(scenario())


def test_records_out_of_order_are_refused(settings: RedisSettings, new_run: NewRun) -> None:
    async def scenario() -> None:
        async with connect(settings) as client:
            with pytest.raises(LogError, match="aggregates-0-4: read after offset 4"):
                await projection(client, new_run()).apply(0, "aggregates", [(4, GOOD_ROW), (4, GOOD_ROW)], since=0)

    asyncio.run(scenario())


def test_state_of_another_layout_is_refused(settings: RedisSettings, new_run: NewRun) -> None:
    run = new_run()

    async def scenario() -> None:
        async with connect(settings) as client:
            await client.hset(f"earlywarn:{run}:positions", mapping={"layout": "0", "alerts:0": "12"})
            with pytest.raises(LogError, match="layout 0.*rebuild-redis"):
                await projection(client, run).positions(0)

    asyncio.run(scenario())


@pytest.mark.parametrize("length", [1, 50, 400])
def test_the_stream_keeps_what_was_set_and_little_more(settings: RedisSettings, new_run: NewRun, length: int) -> None:
    run = new_run()
    values = [msgspec.json.encode(make_alert(f"a{n % 3}", n // 3 + 1, n + 1)) for n in range(1500)]

    async def scenario() -> None:
        async with connect(settings) as client:
            node_entries = int((await client.config_get("stream-node-max-entries"))["stream-node-max-entries"])
            one, position = projection(client, run, stream_length=length), 0
            for first in range(0, len(values), 100):
                records: list[Record] = list(enumerate(values))[first : first + 100]
                position = await one.apply(0, "alerts", records, since=position)
                kept = await client.xlen(f"earlywarn:{run}:revisions:0")
                assert min(position, length) <= kept <= length + node_entries
            entries = [entry.decode() for entry, _ in await client.xrange(f"earlywarn:{run}:revisions:0")]
            assert entries == [f"{sequence}-0" for sequence in range(1501 - len(entries), 1501)]

    asyncio.run(scenario())
