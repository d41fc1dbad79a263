"""The Swiss sample through the command line: aggregates against an independent count, alerts against themselves."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import duckdb
import jsonschema
import msgspec
import pytest
from alert_rules import broken_rules
from command_line import SAMPLE, Command, read_alerts

from earlywarn.domain.alert import Alert

REGIONS = {
    "Lake Geneva": "CH01",
    "Espace Mittelland": "CH02",
    "Northwestern": "CH03",
    "Zurich": "CH04",
    "Eastern": "CH05",
    "Central": "CH06",
    "Ticino": "CH07",
    "9999": "9999",
}


def test_daily_cells_equal_the_input(swiss_run: Path) -> None:
    """Every cell of every day of the input stands in aggregates.parquet with its exact count and amount."""
    known = ", ".join(f"('{name}', '{code}')" for name, code in REGIONS.items())
    differences = duckdb.sql(f"""
        with input as (
            select "Date"::varchar as day, code as region, "Merchant category" as category,
                   "Number of transactions"::bigint as n,
                   round_even("Amount CHF"::decimal(18, 4) * 100, 0)::bigint as amount
            from read_csv('{SAMPLE}', all_varchar = true)
            join (values {known}) as names(name, code) on names.name = "Region"
        ),
        ours as (
            select start[:10] as day, region, sum(transactions) as n, sum(amount_minor) as amount, count(*) as cells
            from '{swiss_run}/aggregates.parquet'
            where level = 'cell' and bucket = 'day' and latest group by all
        ),
        theirs as (select day, region, sum(n) as n, sum(amount) as amount from input group by all)
        select * from theirs full join ours using (day, region)
        where theirs.n is distinct from ours.n or theirs.amount is distinct from ours.amount
    """).fetchall()
    assert differences == []


def test_totals_are_the_sums_of_their_parts(swiss_run: Path) -> None:
    """Regions, sectors and the panel equal the sum of their cells in every bucket and every window."""
    columns = [
        "transactions",
        "amount_minor",
        *(f"{m}_{w}" for m in ("transactions", "amount_minor") for w in ("7d", "28d")),
    ]
    sums = ", ".join(f"sum({name}) as {name}" for name in columns)
    file = f"'{swiss_run}/aggregates.parquet'"
    for level, keys in (("region", "region"), ("sector", "sector"), ("panel", "panel")):
        differing = " or ".join(f"t.{name} is distinct from c.{name}" for name in columns)
        rows = duckdb.sql(f"""
            with cells as (select start, {keys}, {sums} from {file} where level = 'cell' and vintage = 0 group by all),
            totals as (select * from {file} where level = '{level}' and vintage = 0)
            select count(*), sum(({differing})::int) from totals t join cells c using (start, {keys})
        """).fetchall()[0]
        assert rows[0] >= 425
        assert rows[1] == 0


def test_windows_are_rolling_sums(swiss_run: Path) -> None:
    """The 7 and 28 day windows equal SQL's own rolling sums; the year-on-year change compares 364 days."""
    rows = duckdb.sql(f"""
        with days as (select *, row_number() over (partition by series_id order by start) as place
                      from '{swiss_run}/aggregates.parquet' where level = 'panel' and vintage = 0),
        rolled as (
            select *, sum(transactions) over seven as n7, sum(amount_minor) over month as a28,
                   lag(transactions_7d, 364) over (order by start) as year_ago
            from days window seven as (order by start rows 6 preceding), month as (order by start rows 27 preceding))
        select place, transactions_7d, n7, amount_minor_28d, a28, transactions_yoy, transactions_7d / year_ago - 1
        from rolled order by place
    """).fetchall()
    assert len(rows) == 425
    for at, week, own_week, month, own_month, change, own_change in rows:
        assert week == (own_week if at >= 7 else None)
        assert month == (own_month if at >= 28 else None)
        if own_change is None:
            assert change is None
        else:
            assert change == pytest.approx(own_change, abs=1e-6)


def test_no_revision_contradicts_itself(swiss_run: Path) -> None:
    """Effect, interval, probability, severity, day, words, ends and families of every revision agree."""
    lines = (swiss_run / "alerts.jsonl").read_bytes().splitlines()
    alerts = [msgspec.json.decode(line, type=Alert) for line in lines]
    assert len([alert for alert in alerts if alert.kind == "economic" and alert.status == "resolved"]) > 10
    assert broken_rules(alerts) == []


def test_every_alert_explains_itself(swiss_run: Path) -> None:
    """Each revision says what, how large, since when, against what, and its text repeats its own figures."""
    alerts = [alert for alert in read_alerts(swiss_run) if alert["kind"] == "economic"]
    assert alerts
    for alert in alerts:
        text = str(alert["text"])
        change = float(str(alert["change_pct"]))
        size = f"{abs(change):.0f}" if round(abs(change)) else f"{abs(change):.1f}"
        assert f"{size}\u202f% {'below' if change < 0 else 'above'} expected" in re.sub(
            r"(?<=\d)\u202f(?=\d)", "", text
        )
        assert len(text) > 80
        assert alert["observed"] is not None
        assert alert["expected"]
        assert change == pytest.approx(100 * (alert["observed"] / alert["expected"] - 1), abs=0.06)  # type: ignore[operator]
        assert alert["lower"] < alert["expected"] < alert["upper"]  # type: ignore[operator]
        assert alert["evidence"]
        assert alert["opened_on"] <= alert["detected_on"]  # type: ignore[operator]
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(alert["id"]))


def test_revisions_and_families_are_consistent(swiss_run: Path) -> None:
    """Revisions are numbered without gap, an episode opens first and resolves last, and families name each other."""
    revisions = defaultdict(list)
    for alert in read_alerts(swiss_run):
        revisions[alert["id"]].append(alert)
    assert [alert["sequence"] for alert in read_alerts(swiss_run)] == list(range(1, len(read_alerts(swiss_run)) + 1))
    for history in revisions.values():
        assert [alert["revision"] for alert in history] == list(range(1, len(history) + 1))
        assert history[0]["status"] == "open"
        assert "resolved" not in [alert["status"] for alert in history[:-1]]
        parent = history[-1]["parent"]
        if parent is not None:
            assert any(history[0]["id"] in alert["children"] for alert in revisions[parent])


def test_summary_counts_what_the_files_hold(swiss_run: Path) -> None:
    """summary.json agrees with the other files."""
    summary = json.loads((swiss_run / "summary.json").read_text())
    assert summary["records"] == 22_458
    assert summary["rejected"] == {}
    assert (summary["first_day"], summary["last_day"]) == ("2019-01-01", "2020-02-29")
    assert summary["assumed"] == summary["warnings"] == []
    latest = list({alert["id"]: alert for alert in read_alerts(swiss_run)}.values())
    within = [alert for alert in latest if alert["parent"] is not None]
    assert within, "the sample has alerts within wider ones, or the counts below show nothing"
    counts = summary["alerts"]
    assert counts["within_wider"] == len(within)
    tops = [alert for alert in latest if alert["parent"] is None]
    for part, alerts in ((counts, latest), (counts["without_parent"], tops)):
        assert part["episodes"] == len(alerts)
        assert part["open"] == sum(alert["status"] != "resolved" for alert in alerts)
        for key, field in (("by_kind", "kind"), ("by_severity", "severity")):
            assert part[key] == Counter(alert[field] for alert in alerts)
    counted = duckdb.sql(f"select count(*) from '{swiss_run}/aggregates.parquet'").fetchall()[0]
    assert counted == (summary["aggregate_rows"],)


def test_divisions_keep_the_panels_total(swiss_run: Path) -> None:
    """The divisions of each system sum to the panel's total, unallocated included, day by day."""
    rows = duckdb.sql(f"""
        with parts as (select system, start, sum(transactions) as n, sum(amount_minor) as amount
                       from '{swiss_run}/divisions.parquet' where region is null group by all),
        panel as (select start, transactions as n, amount_minor as amount
                  from '{swiss_run}/aggregates.parquet' where level = 'panel' and latest)
        select count(*), sum((parts.n <> panel.n or parts.amount <> panel.amount)::int)
        from parts join panel using (start)
    """).fetchall()[0]
    assert rows == (2 * 425, 0)


def test_divisions_have_the_coverage_of_their_region(swiss_run: Path) -> None:
    """That of the region's row of all sectors, and of the panel's row where there is no region."""
    rows = duckdb.sql(f"""
        select count(*), count(distinct parts.region), bool_and(
            (parts.coverage, parts.coverage_partitions, parts.coverage_volume)
            = (totals.coverage, totals.coverage_partitions, totals.coverage_volume))
        from '{swiss_run}/divisions.parquet' as parts
        join '{swiss_run}/aggregates.parquet' as totals
        on parts.start = totals.start and parts.region is not distinct from totals.region
        where totals.sector is null and totals.bucket = 'day' and totals.latest
    """).fetchall()[0]
    assert rows == (duckdb.sql(f"select count(*) from '{swiss_run}/divisions.parquet'").fetchall()[0][0], 8, True)


def test_the_forecast_is_of_every_series_and_its_totals_are_sums(swiss_run: Path) -> None:
    """Of the seven regions all have 28 days of three measures; of the small one beside them not every cell is known."""
    file = f"'{swiss_run}/forecast.parquet'"
    published = f"'{swiss_run}/aggregates.parquet'"
    missing, days, made_on = duckdb.sql(f"""
        select count(*) filter (where n is distinct from 84), max(last), max(made_on) from (
            select series_id, count(*) as n, max(day) as last, max(made_on) as made_on from {file} group by all
        ) full join (select distinct series_id from {published} where bucket = 'day' and region is distinct from '9999')
        using (series_id)
    """).fetchall()[0]
    assert (missing, f"{made_on}", f"{days}") == (0, "2020-02-29", "2020-03-28")
    [(most,)] = duckdb.sql(f"""
        with sums as (
            select day, measure, sum(expected) filter (where level = 'cell') as cells,
                   max(expected) filter (where level = 'panel') as panel
            from {file} where measure <> 'mean_ticket' group by all
        )
        select max(abs(cells / panel - 1)) from sums
    """).fetchall()
    assert most < 1e-6
    assert (
        duckdb.sql(f"""
        select * from {file} where not (0 <= lower_95 and lower_95 <= lower_80 and lower_80 <= expected
            and expected <= upper_80 and upper_80 <= upper_95) or horizon_days <> datediff('day', made_on, day)
    """).fetchall()
        == []
    )


def test_the_same_run_gives_the_same_bytes(swiss_run: Path, earlywarn: Command, tmp_path: Path) -> None:
    """Replaying gives the same alerts and aggregates, byte for byte."""
    panel = SAMPLE.parent / "panel.toml"
    finished = earlywarn(
        "run", SAMPLE, "--config", panel, "--mapping", "swiss-cards", "--out", tmp_path, "--no-report", "--json"
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["records"] == 22_458
    for name in ("alerts.jsonl", "aggregates.parquet", "divisions.parquet", "forecast.parquet"):
        assert (tmp_path / name).read_bytes() == (swiss_run / name).read_bytes()


def test_alerts_fit_their_schema(swiss_run: Path) -> None:
    """Every revision is valid against docs/alert.schema.json."""
    schema = json.loads((Path(__file__).parents[2] / "docs/alert.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for alert in read_alerts(swiss_run):
        validator.validate(alert)
