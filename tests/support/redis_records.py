"""What tests of the Redis adapter share: records of both topics, what Redis must hold after them, and what it holds.

The expected state is written out here once more, key by key and without the package's own layout, so that a
change of what users read cannot go unnoticed.
"""

import json
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
from redis.asyncio import Redis

from earlywarn.adapters.redis.layout import TopicKind
from earlywarn.adapters.redis.projection import RecordSource
from earlywarn.adapters.redis.records import Record
from earlywarn.domain.alert import SEVERITIES, Alert
from earlywarn.domain.series import Series

REGIONS = (None, "CH01", "CH011", "CH053", "9999", "online", "Zürich: Stadt")
SECTORS = (None, "grocery", "accommodation", "food & drink")
Dump = dict[str, Any]
Topics = Mapping[tuple[TopicKind, int], Sequence[Record]]


def make_alert(alert_id: str, revision: int, sequence: int, **changes: Any) -> Alert:
    """Return a revision of an alert, as it comes from the desk."""
    region, sector = changes.get("region"), changes.get("sector")
    series = Series("CH", region, sector)
    fields = {
        "id": alert_id, "revision": revision, "sequence": sequence, "run": "live", "kind": "economic",
        "status": "open" if revision == 1 else "updated", "panel": "CH", "level": series.level,
        "series_id": series.series_id, "region": region, "sector": sector, "measure": "amount", "direction": "down",
        "severity": "medium", "probability": 0.94, "opened_on": "2020-03-01", "detected_on": "2020-03-08",
        "resolved_on": None, "as_of": "2020-03-08", "observed": 1.0, "expected": 2.0, "lower": 1.5, "upper": 2.5,
        "change_pct": -50.0, "score": 1.2, "evidence": (), "parent": None, "children": (), "supersedes": None,
        "provisional": False, "exercise": True, "text": "Zürich: 50 % below", "model_version": "1", "config_hash": "0",
    }  # fmt: skip
    return Alert(**(fields | changes))


def alert_records(seed: int, count: int, *, first_offset: int = 0, repeats: float = 0.2) -> list[Record]:
    """Return records of `alerts`: episodes that open, are revised and resolve; some records are sent twice.

    What a successor sends again stands in the topic again: the same revisions in the same order.
    """
    random_ = random.Random(seed)
    records: list[Record] = []
    sent: list[bytes] = []
    open_alerts: dict[str, Alert] = {}
    offset = first_offset
    sequence = 0
    while len(records) < count:
        if sent and random_.random() < repeats:
            back = random_.randint(1, min(3, len(sent)))
            values = sent[-back:]
        else:
            sequence += 1
            if open_alerts and random_.random() < 0.6:
                before = open_alerts[random_.choice(sorted(open_alerts))]
                resolved = random_.random() < 0.3
                alert = msgspec.structs.replace(
                    before,
                    revision=before.revision + 1,
                    sequence=sequence,
                    status="resolved" if resolved else "updated",
                    severity=random_.choice(SEVERITIES),
                    text=before.text + " …",
                )
            else:
                detected = date(2020, 3, 1) + timedelta(days=random_.randint(0, 20))
                alert = make_alert(
                    f"{seed:08x}-0000-5000-8000-{sequence:012x}",
                    1,
                    sequence,
                    severity=random_.choice(SEVERITIES),
                    region=random_.choice(REGIONS),
                    sector=random_.choice(SECTORS),
                    detected_on=detected.isoformat(),
                )
            open_alerts[alert.id] = alert
            if alert.status == "resolved":
                del open_alerts[alert.id]
            values = [msgspec.json.encode(alert)]
            sent += values
        for value in values:
            records.append((offset, value))
            offset += random_.choice((1, 1, 1, 2))  # a marker of a transaction takes an offset
    return records[:count]


def make_row(series: Series, bucket: str, start: str, vintage: int, transactions: int) -> bytes:
    """Return a row of `aggregates` with every column."""
    row: dict[str, object] = {
        "series_id": series.series_id, "panel": series.panel, "level": series.level, "region": series.region,
        "sector": series.sector, "bucket": bucket, "start": start, "coverage": 1.0, "coverage_partitions": 1.0,
        "coverage_volume": 1.0, "vintage": vintage, "transactions": transactions, "amount_minor": 1234 * transactions,
    }  # fmt: skip
    for window in ("1h", "24h", "7d", "28d"):
        row |= {f"transactions_{window}": 7 * transactions, f"amount_minor_{window}": 7 * 1234 * transactions}
    for window in ("24h_mean_hour", "7d_mean_day", "28d_mean_day"):
        row |= {f"transactions_{window}": transactions + 0.25, f"amount_minor_{window}": 1234 * transactions + 0.5}
    row |= {"transactions_yoy": -0.0312, "amount_yoy": 0.0101}
    return msgspec.json.encode(row)


def row_records(seed: int, buckets: int, series: int = 5, *, first_offset: int = 0) -> list[Record]:
    """Return records of `aggregates`: hours across the end of summer time, days, later vintages of older hours.

    Panels of different seeds differ, for a panel lives in one partition.
    """
    random_ = random.Random(seed)
    names = [Series(f"CH{seed}" if n % 4 else f"Région {seed}:2", f"CH0{n}", "grocery") for n in range(series)]
    begin = datetime(2020, 10, 24, 20, tzinfo=UTC)
    change = datetime(2020, 10, 25, 1, tzinfo=UTC)
    records: list[Record] = []
    offset = first_offset
    for hour in range(buckets):
        for back, vintage in ((0, 0), (random_.randint(1, 3), random_.randint(1, 12))):
            at = begin + timedelta(hours=hour - back)
            local = at.astimezone(timezone(timedelta(hours=2 if at < change else 1)))
            for one in names:
                if vintage and random_.random() < 0.6:
                    continue
                bucket = "day" if random_.random() < 0.2 else "hour"
                records.append((offset, make_row(one, bucket, local.isoformat(), vintage, random_.randint(0, 99))))
                offset += random_.choice((1, 1, 1, 3))
    return records


def source_of(topics: Topics, step: int) -> RecordSource:
    """Return what reads topics to their end, so many records at a time."""

    async def read(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
        records = [record for record in topics[kind, partition] if record[0] >= position]
        for first in range(0, len(records), step):
            yield records[first : first + step]

    return read


def expected_dump(run: str, topics: Topics) -> Dump:
    """Return what Redis holds after the records of each (kind, q), but for ranks and trimmed streams."""
    prefix = f"earlywarn:{run}:"
    dump: Dump = defaultdict(dict)
    for (kind, partition), records in topics.items():
        if not records:
            continue
        dump[f"{prefix}positions"] |= {f"{kind}:{partition}": str(records[-1][0] + 1), "layout": "1"}
        if kind == "aggregates":
            _expect_rows(dump, prefix, records)
        else:
            _expect_alerts(dump, prefix, partition, records)
    return dict(dump)


def _expect_rows(dump: Dump, prefix: str, records: Sequence[Record]) -> None:
    newest: dict[tuple[str, str, str], tuple[datetime, int]] = {}
    for _, value in records:
        assert value is not None
        row = json.loads(value)
        key = (row["panel"], row["bucket"], row["series_id"])
        rank = (datetime.fromisoformat(row["start"]), row["vintage"])
        if key not in newest or rank > newest[key]:
            newest[key] = rank
            panel = row["panel"].replace("é", "%C3%A9").replace(" ", "%20").replace(":", "%3A")
            dump[f"{prefix}latest:{panel}:{row['bucket']}"][row["series_id"]] = value.decode()


def _expect_alerts(dump: Dump, prefix: str, partition: int, records: Sequence[Record]) -> None:
    current: dict[str, tuple[dict[str, Any], str]] = {}
    stream = []
    for _, value in records:
        assert value is not None
        alert = json.loads(value)
        if alert["id"] in current and current[alert["id"]][0]["revision"] >= alert["revision"]:
            continue
        current[alert["id"]] = (alert, value.decode())
        entry = {"id": alert["id"], "revision": str(alert["revision"]), "json": value.decode()}
        stream.append([f"{alert['sequence']}-0", entry])
        dump[f"{prefix}positions"][f"sequence:{partition}"] = str(alert["sequence"])
    dump[f"{prefix}revisions:{partition}"] = stream
    for alert, text in current.values():
        copied = (
            "revision", "sequence", "kind", "status", "severity", "panel", "region", "sector", "series_id",
            "detected_on", "as_of",
        )  # fmt: skip
        fields = {name: "" if alert[name] is None else str(alert[name]) for name in copied}
        dump[f"{prefix}alert:{alert['id']}"] = fields | {"partition": str(partition), "json": text}
        score = float(alert["detected_on"].replace("-", ""))
        for index in _indexes(alert):
            dump[f"{prefix}alerts{index}"][alert["id"]] = score


def _indexes(alert: dict[str, Any]) -> list[str]:
    found = ["", f":panel:{alert['panel']}", f":kind:{alert['kind']}"]
    found += [f":severity:{alert['severity']}", f":status:{alert['status']}"]
    if alert["status"] in {"open", "updated"}:
        found.append(":open")
    if alert["sector"] is not None:
        found.append(":sector:" + alert["sector"].replace("&", "%26").replace(" ", "%20"))
    region = alert["region"]
    if region is not None and region.startswith("CH"):
        found += [f":region:{region[:length]}" for length in range(2, len(region) + 1)]
    elif region is not None:
        found.append(":region:" + region.replace("ü", "%C3%BC").replace(":", "%3A").replace(" ", "%20"))
    return found


async def dump_of(client: Redis, run: str, *, ranks: bool = False) -> Dump:
    """Return all that Redis holds under a run's prefix, by key; without the ranks unless asked."""
    dump: Dump = {}
    async for key in client.scan_iter(match=f"earlywarn:{run}:*", count=1000):
        name = key.decode()
        if name.startswith(f"earlywarn:{run}:ranks:") and not ranks:
            continue
        kind = (await client.type(key)).decode()
        if kind == "hash":
            dump[name] = {field.decode(): value.decode() for field, value in (await client.hgetall(key)).items()}
        elif kind == "zset":
            dump[name] = {member.decode(): score for member, score in await client.zrange(key, 0, -1, withscores=True)}
        else:
            entries = await client.xrange(key)
            dump[name] = [
                [entry.decode(), {field.decode(): value.decode() for field, value in fields.items()}]
                for entry, fields in entries
            ]
    return dump
