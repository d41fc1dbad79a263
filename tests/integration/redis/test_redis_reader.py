"""What a feed reads: the same alerts a plain search through all of them finds, page by page, and the stream."""

import asyncio
import random
from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from redis_records import REGIONS, SECTORS, alert_records, make_alert, make_row, row_records

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.redis import reader as reading
from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RedisProjection
from earlywarn.adapters.redis.reader import AlertCursor, AlertFilter, RedisReader
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.redis.server import LocalRedis
from earlywarn.application.service_settings import RedisSettings
from earlywarn.domain.alert import SEVERITIES, Alert
from earlywarn.domain.series import Series

RECORDS = alert_records(51, count=1500)


def newest(records: list[Record]) -> dict[str, Alert]:
    alerts: dict[str, Alert] = {}
    for _, value in records:
        alert = msgspec.json.decode(value or b"", type=Alert)
        if alert.id not in alerts or alerts[alert.id].revision < alert.revision:
            alerts[alert.id] = alert
    return alerts


def project(url: str, run: str, kind: TopicKind, records: list[Record], stream_length: int = 10_000) -> None:
    async def scenario() -> None:
        async with connect(RedisSettings(url=url)) as client:
            one = RedisProjection(client, RunTopics(run), stream_length=stream_length, outages=Outages("test"))
            since = (await one.positions(0))[kind]
            await one.apply(0, kind, records, since=since)

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def filled(server: LocalRedis) -> str:
    project(server.url, "filled", "alerts", RECORDS)
    return "filled"


days = st.none() | st.integers(0, 25).map(lambda days: date(2020, 2, 28) + timedelta(days=days))
filters = st.builds(
    AlertFilter,
    first_day=days,
    last_day=days,
    panel=st.sampled_from([None, "CH", "AT"]),
    kind=st.sampled_from([None, "economic", "coverage"]),
    region=st.sampled_from([*REGIONS, "CH", "CH0", "CH05", "99"]),
    sector=st.sampled_from(SECTORS),
    severities=st.frozensets(st.sampled_from(SEVERITIES)),
    statuses=st.frozensets(st.sampled_from(["open", "updated", "resolved", "superseded"])),
)


def passes(alert: Alert, chosen: AlertFilter) -> bool:
    """Say in plain words what a filter means."""
    region = alert.region or ""
    below = region.startswith(chosen.region or "") if region.startswith("CH") else region == chosen.region
    return all(
        (
            chosen.first_day is None or alert.detected_on >= chosen.first_day.isoformat(),
            chosen.last_day is None or alert.detected_on <= chosen.last_day.isoformat(),
            chosen.panel in {None, alert.panel},
            chosen.kind in {None, alert.kind},
            chosen.region is None or below,
            chosen.sector in {None, alert.sector},
            not chosen.severities or alert.severity in chosen.severities,
            not chosen.statuses or alert.status in chosen.statuses,
        )
    )


@examples(max_examples=80)
@given(chosen=filters, limit=st.sampled_from([1, 7, 40, 1000]), page_entries=st.sampled_from([3, 250]))
def test_a_filter_finds_what_a_search_through_all_alerts_finds(
    server: LocalRedis, filled: str, chosen: AlertFilter, limit: int, page_entries: int
) -> None:
    expected = [alert for alert in newest(RECORDS).values() if passes(alert, chosen)]
    expected.sort(key=lambda alert: (alert.detected_on, alert.id), reverse=True)

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader = RedisReader(client, filled)
            found: list[Alert] = []
            after = None
            while True:
                page = await reader.alerts(chosen, limit=limit, after=after)
                assert len(page.alerts) <= limit
                found += page.alerts
                if page.following is None:
                    break
                assert after is None or page.following < after
                after = page.following
            assert found == expected

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_INDEX_PAGE", page_entries)
        asyncio.run(scenario())


def test_a_page_looks_at_a_bounded_number_and_goes_on_from_there(
    server: LocalRedis, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_EXAMINED_MOST", 50)
    chosen = AlertFilter(severities=frozenset(("high", "severe")), statuses=frozenset(("resolved", "superseded")))
    expected = {alert.id for alert in newest(RECORDS).values() if passes(alert, chosen)}

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader, found, after, pages = RedisReader(client, filled), set(), None, 0
            while pages == 0 or after is not None:
                page = await reader.alerts(chosen, limit=1000, after=after)
                assert len(page.alerts) <= 50
                found |= {alert.id for alert in page.alerts}
                after, pages = page.following, pages + 1
            assert found == expected
            assert pages == -(-len(newest(RECORDS)) // 50)

    asyncio.run(scenario())


def test_new_alerts_do_not_shift_the_pages(server: LocalRedis, new_run: Callable[[], str]) -> None:
    run = new_run()
    values = [
        msgspec.json.encode(make_alert(f"a{n:03}", 1, n + 1, detected_on=f"2020-03-{n % 28 + 1:02}")) for n in range(90)
    ]
    random.Random(1).shuffle(values)
    values = [
        msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(value, type=Alert), sequence=n + 1))
        for n, value in enumerate(values)
    ]
    project(server.url, run, "alerts", list(enumerate(values))[:60])

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader = RedisReader(client, run)
            first = await reader.alerts(AlertFilter(), limit=20)
            await asyncio.to_thread(project, server.url, run, "alerts", list(enumerate(values)))
            second = await reader.alerts(AlertFilter(), limit=1000, after=first.following)
            seen = [AlertCursor(int(a.detected_on.replace("-", "")), a.id) for a in (*first.alerts, *second.alerts)]
            assert seen == sorted(set(seen), reverse=True)
            at_first = {msgspec.json.decode(value, type=Alert).id for value in values[:60]}
            assert at_first <= {cursor.alert_id for cursor in seen}

    asyncio.run(scenario())


def test_one_alert_and_the_latest_rows(server: LocalRedis, new_run: Callable[[], str]) -> None:
    run = new_run()
    rows = row_records(52, buckets=10)
    project(server.url, run, "aggregates", rows)
    project(server.url, run, "alerts", RECORDS[:50])

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader = RedisReader(client, run)
            for alert_id, alert in newest(RECORDS[:50]).items():
                assert await reader.alert(alert_id) == alert
            assert await reader.alert("none") is None
            latest = await reader.latest("CH52", "hour")
            assert sorted(latest) == [f"CH52/CH0{n}/grocery" for n in (1, 2, 3)]
            assert all(value in {value for _, value in rows} for value in latest.values())
            assert await reader.latest("Région 52:2", "hour")
            assert await reader.latest("AT", "hour") == {}

    asyncio.run(scenario())


def test_revisions_resume_after_any_sequence(server: LocalRedis, new_run: Callable[[], str]) -> None:
    run = new_run()
    project(server.url, run, "alerts", RECORDS)

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader = RedisReader(client, run)
            last = await reader.last_sequence(0)
            assert await reader.last_sequence(1) == 0
            for after in (0, 1, last - 1, last):
                seen, position = [], after
                while (found := await reader.revisions(0, position, limit=100)).entries:
                    assert found.complete
                    seen += [entry.sequence for entry in found.entries]
                    position = seen[-1]
                    assert all(
                        msgspec.json.decode(entry.value, type=Alert).sequence == entry.sequence
                        for entry in found.entries
                    )
                assert seen == list(range(after + 1, last + 1))
            assert (await reader.revisions(0, last, limit=5)).complete

    asyncio.run(scenario())


def test_what_has_left_the_stream_is_said(server: LocalRedis, new_run: Callable[[], str]) -> None:
    run = new_run()
    values = [msgspec.json.encode(make_alert("a", n, n)) for n in range(1, 601)]
    project(server.url, run, "alerts", list(enumerate(values)), stream_length=100)

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader = RedisReader(client, run)
            assert not (await reader.revisions(0, 0, limit=5)).complete
            assert not (await reader.revisions(0, 300, limit=5)).complete
            found = await reader.revisions(0, 500, limit=5)
            assert found.complete
            assert [entry.sequence for entry in found.entries] == [501, 502, 503, 504, 505]

    asyncio.run(scenario())


def test_a_reader_waits_for_the_next_revision_also_across_a_wipe(
    server: LocalRedis, new_run: Callable[[], str]
) -> None:
    run = new_run()
    values = [msgspec.json.encode(make_alert("a", n, n)) for n in range(1, 5)]
    project(server.url, run, "alerts", list(enumerate(values))[:3])

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            reader = RedisReader(client, run)
            waiting = asyncio.create_task(reader.revisions(0, 3, limit=5, wait_milliseconds=4000))
            async with asyncio.timeout(30):
                while not (await client.info("clients"))["blocked_clients"]:
                    pass
                await client.flushall()
                await asyncio.to_thread(project, server.url, run, "alerts", list(enumerate(values)))
                found = await waiting
            assert [entry.sequence for entry in found.entries] == [4]
            assert found.complete
            assert (await reader.revisions(0, 4, limit=5, wait_milliseconds=1)).entries == ()

    asyncio.run(scenario())


def test_the_newest_row_of_a_panel_tells_how_fresh_it_is(server: LocalRedis, new_run: Callable[[], str]) -> None:
    run = new_run()
    series = Series("CH", None, None)
    records: list[Record] = [
        (n, make_row(series, "day", f"2020-03-{n + 1:02}T00:00:00+01:00", 0, n)) for n in range(20)
    ]
    project(server.url, run, "aggregates", records)

    async def scenario() -> None:
        async with connect(RedisSettings(url=server.url)) as client:
            row = msgspec.json.decode((await RedisReader(client, run).latest("CH", "day"))["CH/*/*"])
            assert (row["start"], row["transactions"]) == ("2020-03-20T00:00:00+01:00", 19)

    asyncio.run(scenario())
