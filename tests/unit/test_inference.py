"""A panel from inputs alone: what they say is taken, what they do not say is assumed aloud."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import InputDefaults, InputFile, ReadLimits, RowBatch, open_inputs
from earlywarn.adapters.inference import Assumption, guessed_mappings, infer_panel
from earlywarn.application.compose import compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.cli.preparing import prepare
from earlywarn.cli.replay import _prepared as prepared_replay
from earlywarn.domain.country import nuts_country
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.reference.nuts import load_regions

FABLE = "TxnDate,SpendIn,SpendOut,txnCurrency,Tag,fdUserKey,UserLAName\n"
CELLS = "date,region,sector,transactions,amount\n2019-01-01,North,own food,10,100.5\n"
RECORD = '{{"id":"{id}","ts":1551702896000,"amount_minor":100,"currency":"CHF","mcc":"5411","region":"{region}"}}\n'
SPARKOV = "trans_date_trans_time,cc_num,merchant,category,amt,state,trans_num\n"


def opened(path: Path, text: str, country: str | None = None) -> list[InputFile]:
    path.write_text(text)
    return open_inputs([str(path)], defaults=InputDefaults(currency="EUR", country=country))


def settings_assumed(assumed: tuple[Assumption, ...]) -> dict[str, str]:
    return {each.setting: each.value for each in assumed}


def test_bare_cells_assume_currency_and_name_and_know_no_country(tmp_path: Path) -> None:
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", CELLS))
    assert settings_assumed(assumed) == {"country": "", "currency": "EUR", "time zone": "UTC", "name": "cells.csv"}
    assert all("(--" in each.reason for each in assumed), "each says how to state it"
    assert (panel.currency, panel.holiday_countries, panel.name) == ("EUR", (), "cells.csv")


def test_no_text_calls_an_unnamed_panel_by_its_id(tmp_path: Path) -> None:
    one = infer_panel(opened(tmp_path / "cells.csv", CELLS)).panel
    run = compose(Settings(panels=(one,)))
    assert run.names.panel(one.id) == "cells.csv"
    (tmp_path / "more.csv").write_text(CELLS.replace("2019-01-01", "2019-01-02"))
    inputs = open_inputs([str(tmp_path / "*.csv")], defaults=InputDefaults(currency="EUR"))
    assert infer_panel(inputs).panel.name == "cells.csv and 1 more file"
    assert infer_panel(inputs, name="My region").panel.name == "My region"


def test_what_is_given_is_not_assumed(tmp_path: Path) -> None:
    inputs = opened(tmp_path / "cells.csv", CELLS, "CH")
    panel, assumed = infer_panel(inputs, country="CH", currency="CHF")
    assert assumed == ()
    assert panel.holiday_countries == ("CH",)
    assert (panel.name, panel.countries) == ("Switzerland", ("CH",))


def test_the_currency_is_the_countrys_where_the_file_names_only_the_country(tmp_path: Path) -> None:
    text = "date,region,sector,transactions,amount,country\n2019-01-01,CH01,own food,10,100.5,CH\n"
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", text))
    assert panel.currency == "CHF"
    assert settings_assumed(assumed) == {"currency": "CHF"}


def test_a_stated_currency_is_no_assumption(tmp_path: Path) -> None:
    text = "date,region,sector,transactions,amount,currency,country\n2019-01-01,A,own food,10,100.5,SEK,SE\n"
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", text))
    assert (panel.currency, assumed) == ("SEK", ())


def test_one_wrong_region_among_few_does_not_let_any_region_in(tmp_path: Path) -> None:
    """With a country the regions are NUTS codes although one in five is none; that one is rejected."""
    lines = [RECORD.format(id=at, region=region) for at, region in enumerate(["CH01", "CH02", "CH03", "CH04", "XX9"])]
    inputs = opened(tmp_path / "tx.jsonl", "".join(lines))
    panel = infer_panel(inputs, country="CH").panel
    assert (panel.any_region, panel.region_level) == (False, 2)
    block = compose(Settings(panels=(panel,))).block_fold(0, 1)
    records = [Transaction(id="1", ts=1551702896000, amount_minor=1, currency="CHF", mcc="5411", region="XX9")]
    _, rejected = block.add([0], records, 1551702897000)
    assert [each.reject.reason for each in rejected] == [RejectReason.REGION_UNKNOWN]


def test_codes_that_look_like_nuts_of_another_country_are_none(tmp_path: Path) -> None:
    """Delaware is DE, Montana is MT: with the country stated they are no NUTS codes."""
    lines = [
        RECORD.format(id=at, region=region).replace('"mcc"', '"country":"US","mcc"')
        for at, region in enumerate(["DE", "MT", "AL"])
    ]
    panel = infer_panel(opened(tmp_path / "tx.jsonl", "".join(lines))).panel
    assert (panel.id, panel.any_region) == ("US", True)


def folded(path: Path, text: str, country: str) -> tuple[dict[str, int], list[str]]:
    """Return what a file counts by region in the panel of a country, and the fields and reasons of the rest."""
    path.write_text(text)
    ready = prepare([str(path)], config=None, country=country)
    block = ready.run.block_fold(0, 1)
    rejects = []
    for feed in feeds_of(ready.inputs, ready.run.panels[0].panel.calendar):
        for batch in feed.batches():
            start = block.position
            _, rejected = block.add(range(start, start + len(batch.outcomes)), batch.outcomes, 1_800_000_000_000)
            rejects += [f"{each.reject.field}: {each.reject.reason}" for each in rejected]
    partial = block.flush()
    return {row.region: row.transactions for row in partial.rows} if partial else {}, rejects


HEADER = CELLS.splitlines()[0] + "\n"
AUSTRIAN, GERMAN = (
    "".join(f"2021-01-01,{code},own food,10,100.5\n" for code in codes)
    for codes in (("AT11", "AT12", "AT13"), ("DE30", "DE21"))
)


@pytest.mark.parametrize(
    ("name", "text", "country", "regions", "rejected"),
    [
        ("a.csv", HEADER + AUSTRIAN, "AT", {"AT11": 10, "AT12": 10, "AT13": 10}, []),
        ("a.csv", HEADER + AUSTRIAN + GERMAN, "AT", {"AT11": 10, "AT12": 10, "AT13": 10}, ["region"] * 2),
        ("a.csv", HEADER + AUSTRIAN, "DE", {}, ["region"] * 3),
        ("a.csv", HEADER.strip() + ",country\n2021-01-01,North,own food,10,1,DE\n", "AT", {}, ["country"]),
        ("a.csv", HEADER + "2021-01-01,FR,own food,10,1\n2021-01-01,BE,own food,5,1\n", "CH", {"FR": 10, "BE": 5}, []),
        ("a.jsonl", RECORD.format(id=1, region="DE1").replace('"mcc"', '"country":"DE","mcc"'), "AT", {}, ["country"]),
        ("a.jsonl", RECORD.format(id=1, region="DE1"), "AT", {}, ["region"]),
        ("a.jsonl", RECORD.format(id=1, region="AT13").replace("CHF", "EUR"), "AT", {"AT13": 1}, []),
    ],
)
def test_a_country_that_is_given_rejects_what_is_of_others(
    tmp_path: Path, name: str, text: str, country: str, regions: dict[str, int], rejected: list[str]
) -> None:
    """By the country that a record states, else by its NUTS code; two letters may be a canton (Fribourg, Bern)."""
    counted, rejects = folded(tmp_path / name, text, country)
    assert (counted, rejects) == (regions, [f"{field}: panel_unknown" for field in rejected])


@pytest.mark.parametrize(
    ("country", "name"),
    [("CH", "Switzerland"), ("AT", "Austria"), ("DE", "Germany"), ("GR", "Greece"), ("US", "United States")],
)
def test_texts_are_english_and_so_are_the_names_of_countries(tmp_path: Path, country: str, name: str) -> None:
    """Of the panel that is inferred, of one whose settings give no name, and of countries as regions."""
    text = f"date,region,sector,transactions,amount,country\n2019-01-01,X,own food,10,100.5,{country}\n"
    assert infer_panel(opened(tmp_path / "cells.csv", text)).panel.name == name
    names = compose(Settings(panels=(PanelSettings(id="P", countries=(country,)),))).names
    assert names.panel("P") == name
    code = nuts_country(country)
    assert names.region(code) == (name if code in load_regions() else code)
    assert names.region("AT13") == "Wien"


@pytest.mark.parametrize(("stated", "exercise"), [(None, True), (True, True), (False, False)])
def test_a_replay_without_settings_is_an_exercise_unless_it_is_said_to_be_none(
    tmp_path: Path, *, stated: bool | None, exercise: bool
) -> None:
    (tmp_path / "cells.csv").write_text(CELLS)
    ready = prepared_replay(
        [str(tmp_path / "cells.csv")], None, mapping=None, country="CH", currency=None, time_zone=None, run_id=None,
        exercise=stated,
        leaves_open=False,
    )  # fmt: skip
    assert ready.run.settings.exercise is exercise
    assert ("exercise" in settings_assumed(ready.assumed)) is (stated is None)


def test_times_without_offset_are_local_in_the_inferred_zone(tmp_path: Path) -> None:
    """A minute before and after New York's midnight lie on two local days, and not on one of UTC."""
    times = ["2019-01-01 23:59:00", "2019-01-02 00:01:00"]
    rows = "".join(f"{ts},42,shop,grocery_pos,1.00,NY,t{at}\n" for at, ts in enumerate(times))
    (tmp_path / "sparkov.csv").write_text(SPARKOV + rows)
    ready = prepare([str(tmp_path / "sparkov.csv")], config=None, mapping="sparkov")
    assert ready.run.panels[0].panel.calendar.time_zone == "America/New_York"
    records = [
        record
        for batch in ready.inputs[0].batches()
        if isinstance(batch, RowBatch)
        for record in batch.records
        if not isinstance(record, Reject)
    ]
    zone = ZoneInfo("America/New_York")
    assert [datetime.fromtimestamp(record.ts / 1000, zone).strftime("%Y-%m-%d %H:%M:%S") for record in records] == times
    assert settings_assumed(ready.assumed) == {"time zone": "America/New_York"}


@pytest.mark.parametrize(
    ("times", "resolution"),
    [
        pytest.param(["2023-06-09", "2023-06-10"], "day", id="dates"),
        pytest.param(["2023-06-09"], "day", id="one date"),
        pytest.param(["2023-06-09T00:00:00+01:00", "2023-06-10 00:00"], "hour", id="midnights of no one zone"),
        pytest.param(["2023-06-09T00:00:00+01:00", "2023-12-10T00:00:00+00:00"], "day", id="local midnights"),
        pytest.param(["2023-06-09", "2023-06-10", "2023-06-10 13:05"], "hour", id="a time of day"),
        pytest.param(["2023-06-09"] * 9 + ["2023-06-09 01:00"], "hour", id="a first batch of one hour"),
    ],
)
def test_no_hours_are_published_of_records_that_have_none(tmp_path: Path, times: list[str], resolution: str) -> None:
    (tmp_path / "in.csv").write_text(FABLE + "".join(f"{at},0,10.97,GBP,Groceries,u,Leeds\n" for at in times))
    inputs = open_inputs([str(tmp_path / "in.csv")], limits=ReadLimits(batch_rows=4))
    panel, assumed = infer_panel(inputs, country="UK")
    assert panel.resolution == resolution
    assert settings_assumed(assumed) == ({"resolution": "day"} if resolution == "day" else {})


def test_days_without_hours_are_days_where_the_clock_is_half_an_hour_off(tmp_path: Path) -> None:
    record = (
        RECORD.format(id="t", region="Goa")
        .replace("CHF", "INR")
        .replace("1551702896000", '"2019-03-04T00:00:00+05:30"')
    )
    panel = infer_panel(opened(tmp_path / "in.jsonl", record), country="IN").panel
    assert (panel.resolution, panel.base_bucket_seconds) == ("day", 1800)


@pytest.mark.parametrize(
    ("country", "zone", "reason"),
    [
        ("BV", "UTC", "none is known of BV; the days of the cells are days there (--time-zone)"),
        ("JP", "Asia/Tokyo", None),
        ("AU", "Australia/Sydney", "the usual one of AU, which has several; the days of the cells are days there"),
        ("US", "America/New_York", "the usual one of US, which has several; the days of the cells are days there"),
        ("CH", "Europe/Zurich", None),
    ],
)
def test_a_time_zone_that_a_country_does_not_decide_is_told_of_cells_too(
    tmp_path: Path, country: str, zone: str, reason: str | None
) -> None:
    text = CELLS.splitlines()[0] + "\n2023-01-01,Kanto,food,1,2\n"
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", text), country=country)
    told = {each.setting: each for each in assumed}.get("time zone")
    assert panel.time_zone == zone
    assert (told is None) if reason is None else (told is not None and told.reason.startswith(reason))
    stated = infer_panel(opened(tmp_path / "cells.csv", text), country=country, time_zone=zone).assumed
    assert "time zone" not in settings_assumed(stated)


def test_a_classification_that_recodes_is_told_with_what_it_makes_of_codes(tmp_path: Path) -> None:
    """Codes of one's own may happen to be words that a shipped classification knows."""
    rows = "".join(f"2019-01-01,North,{sector},10,100.5\n" for sector in ("food", "hotels", "fuel"))
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", CELLS.splitlines()[0] + "\n" + rows))
    [told] = [each for each in assumed if each.setting == "classification"]
    assert (panel.classification, told.value) == ("fable", "fable")
    assert "'food' becomes grocery (Food shops and supermarkets), 'hotels' becomes accommodation (" in told.reason
    assert "(--classification open keeps them as they are)" in told.reason
    own = CELLS + "2019-01-01,North,my own sector,10,100.5\n"
    panel, assumed = infer_panel(opened(tmp_path / "own.csv", own))
    assert (panel.classification, "classification" in settings_assumed(assumed)) == ("open", False)


@pytest.mark.parametrize(
    ("codes", "classification"),
    [
        ("CP01 CP11", "coicop-2018"),
        ("01 08 13", "coicop-2018"),
        ("CP00 CP01 CP11", "open"),
        ("CP01 CP111", "open"),
        ("01 14", "open"),
        ("1 2", "open"),
    ],
)
def test_sectors_that_are_all_divisions_of_coicop_are_known_as_such(
    tmp_path: Path, codes: str, classification: str
) -> None:
    rows = "".join(f"2019-01-01,North,{code},10,100.5\n" for code in codes.split())
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", HEADER + rows))
    assert panel.classification == classification
    told = [each.reason for each in assumed if each.setting == "classification"]
    assert len(told) == (classification != "open")
    assert all("all sector codes are in it: " in each and "becomes cp01 (Food and non-" in each for each in told)
    assert all("; in COICOP 1999, which has no 13, codes 08, 09 and 12 mean something else (" in each for each in told)


@pytest.mark.parametrize(
    ("codes", "classification"), [("5411 5812 0742", "mcc"), ("5411 4711", "open"), ("5411 742", "open")]
)
def test_sectors_of_cells_that_are_all_mcc_are_known_as_such(tmp_path: Path, codes: str, classification: str) -> None:
    """Which is told: four digits may be codes of one's own."""
    rows = "".join(f"2019-01-01,North,{code},10,100.5\n" for code in codes.split())
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", HEADER + rows))
    assert panel.classification == classification
    told = [each.reason for each in assumed if each.setting == "classification"]
    assert len(told) == (classification == "mcc")
    assert all("'5411' becomes grocery (Food shops and supermarkets), '5812' becomes rest" in each for each in told)


@pytest.mark.parametrize("classification", ["open", "fable"])
def test_a_classification_that_is_given_is_taken_and_not_assumed(tmp_path: Path, classification: str) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(CELLS.splitlines()[0] + "\n2019-01-01,North,food,10,100.5\n")
    ready = prepare([str(path)], config=None, classification=classification)
    taken = ready.run.panels[0].panel.classification
    assert taken.class_of(None, "food", None) == ("food" if classification == "open" else "grocery")
    assert "classification" not in settings_assumed(ready.assumed)
    replayed = prepared_replay(
        [str(path)], None, mapping=None, country=None, currency=None, time_zone=None, classification=classification,
        run_id="replay", exercise=None, leaves_open=False,
    )  # fmt: skip
    assert replayed.run.panels[0].panel.classification.class_of(None, "food", None) == taken.class_of(
        None, "food", None
    )
    assert "classification" not in settings_assumed(replayed.assumed)


def test_a_mistyped_region_of_cells_is_rejected(tmp_path: Path) -> None:
    """Among NUTS codes of one level another code is an error; where levels are mixed each code is as it is."""
    rows = "".join(f"2019-01-{day:02},AT{at},food,10,100.5\n" for day in range(1, 5) for at in (11, 12, 13, 21, 22))
    header = CELLS.splitlines()[0] + "\n"
    path = tmp_path / "cells.csv"
    path.write_text(header + rows + "2019-01-05,AT99,food,10,100.5\n")
    ready = prepare([str(path)], config=None, country="AT")
    resolver = ready.run.panels[0].panel.regions
    assert resolver.resolve("AT13", None, None) == "AT13"
    assert resolver.resolve("AT99", None, None) is RejectReason.REGION_UNKNOWN
    path.write_text(header + rows.replace("AT13", "AT130").replace("AT21", "AT2"))
    mixed = prepare([str(path)], config=None, country="AT").run.panels[0].panel.regions
    assert [mixed.resolve(code, None, None) for code in ("AT130", "AT2")] == ["AT130", "AT2"]


@pytest.mark.parametrize(
    ("codes", "level", "taken", "reason"),
    [
        (
            "NO01 NO02 NO03 NO04 NO05",
            None,
            "as written",
            "no one region of NUTS 2021 holds NO03, NO04 (--region-level 1 ",
        ),
        (
            "HR03 HR04",
            None,
            "as written",
            "no one region of NUTS 2021 holds HR04 (--region-level 1 adds all up to it; ",
        ),
        ("HR03 HR04", 1, None, ""),
        ("AT99 XX99", None, "as written", "NUTS 2021 has no AT99, XX99 (correct the codes, or --country "),
        ("AT11 at12", None, "as written", "NUTS 2021 has no at12 ("),
        ("AT11 AT2", None, "as written", "they are of several NUTS levels, such as AT11, AT2 ("),
        ("PT15 PT16 PT17", None, None, ""),
        ("EE006 EE007", None, None, ""),
        ("NORD OST 8001 Z9", None, None, ""),
    ],
)
def test_regions_of_cells_that_are_taken_as_written_are_told_where_they_look_like_nuts(
    tmp_path: Path, codes: str, level: int | None, taken: str | None, reason: str
) -> None:
    rows = "".join(f"2021-01-01,{code},own food,10,100.5\n" for code in codes.split())
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", HEADER + rows), region_level=level)
    told = [each for each in assumed if each.setting == "regions"]
    assert [each.value for each in told] == ([taken] if taken else [])
    assert all(each.reason.startswith(reason) for each in told)
    assert not taken or panel.any_region


@pytest.mark.parametrize(
    ("codes", "known"),
    [
        ("EL30 EL52 GR30", ("EL", "Europe/Athens", ("EL",))),
        ("GR30 GR52", ("EL", "Europe/Athens", ("EL",))),
        ("EL30 GB", ("panel", "Europe/Athens", ("EL", "UK"))),
        ("GR30 GR99", ("panel", "UTC", ())),
    ],
)
def test_codes_with_the_letters_of_iso_leave_no_doubt_of_their_country(
    tmp_path: Path, codes: str, known: tuple[str, str, tuple[str, ...]]
) -> None:
    """They are still no regions of NUTS, which is told; but the country's currency, clock and holidays are known."""
    rows = "".join(f"2021-01-01,{code},own food,10,100.5\n" for code in codes.split())
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", HEADER + rows))
    assert (panel.id, panel.time_zone, panel.holiday_countries) == known
    [told] = [each.reason for each in assumed if each.setting == "regions"]
    assert told.startswith("NUTS 2021 has no G")


@pytest.mark.parametrize(
    ("codes", "countries"),
    [
        ("AT11 AT12 AT13 AT21 AT22 AT31 AT32 AT33 AT99", ("AT",)),
        ("AT11 AT12 ITC1 unknown", ("AT", "IT")),
        ("AT11 AT12 XX11 XX12", ()),
        ("AT BE FR unknown", ()),
    ],
)
def test_a_country_is_known_of_most_regions_though_one_is_none(
    tmp_path: Path, codes: str, countries: tuple[str, ...]
) -> None:
    """The holidays of the others are no falls; which code is none is told, and it counts as it is written."""
    rows = "".join(f"2021-01-01,{code},own food,10,100.5\n" for code in codes.split())
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", HEADER + rows))
    assert (panel.holiday_countries, panel.any_region) == (countries, True)
    assert ("country" in settings_assumed(assumed)) == (not countries)
    [told] = [each.reason for each in assumed if each.setting == "regions"] or [""]
    assert ("NUTS 2021 has no AT99 (" in told) == ("AT99" in codes)


def test_transactions_at_a_place_of_a_higher_level_are_told_as_it_decides_for_all(tmp_path: Path) -> None:
    lines = [RECORD.format(id=at, region=region) for at, region in enumerate(["NO020", "NO060", "NO071", "NO022"])]
    inputs = opened(tmp_path / "tx.jsonl", "".join(lines))
    panel, assumed = infer_panel(inputs)
    [told] = [each for each in assumed if each.setting == "regions"]
    assert (panel.region_level, told.value) == (1, "of level 1")
    assert told.reason == "of NO022 no deeper one is known (--region-level 2 rejects it)"
    assert "regions" not in settings_assumed(infer_panel(inputs, region_level=2).assumed)


@pytest.mark.parametrize("mapping", [None, "sparkov"])
def test_a_mapping_that_nobody_named_is_an_assumption(tmp_path: Path, mapping: str | None) -> None:
    (tmp_path / "a.csv").write_text(SPARKOV + "2019-01-01 12:00:00,42,shop,grocery_pos,1.00,NY,t1\n")
    ready = prepare([str(tmp_path / "a.csv")], config=None, mapping=mapping, time_zone="America/New_York")
    assert settings_assumed(ready.assumed) == ({} if mapping else {"mapping": "sparkov"})
    assert [each.value for each in guessed_mappings(opened(tmp_path / "b.csv", CELLS))] == []


def test_a_country_beyond_nuts_has_its_own_currency_and_clock(tmp_path: Path) -> None:
    """A fall of yen is none of euros, and where days begin at half past an hour of UTC buckets are shorter."""
    text = "date,region,sector,transactions,amount\n2023-01-01,Kanto,food,1,2\n"
    panel, assumed = infer_panel(opened(tmp_path / "cells.csv", text), country="JP")
    assert (panel.currency, panel.time_zone, panel.base_bucket_seconds) == ("JPY", "Asia/Tokyo", 3600)
    assert settings_assumed(assumed) == {"currency": "JPY", "classification": "fable"}
    (tmp_path / "in.jsonl").write_text(RECORD.format(id="t", region="Goa").replace("CHF", "INR"))
    ready = prepare([str(tmp_path / "in.jsonl")], config=None, country="IN")
    assert ready.run.panels[0].panel.calendar.time_zone == "Asia/Kolkata"
    assert ready.run.panels[0].panel.calendar.base_bucket_seconds == 1800


@pytest.mark.parametrize("kind", ["cells", "transactions"])
def test_rows_that_cannot_be_read_do_not_hide_what_the_others_are(tmp_path: Path, kind: str) -> None:
    """Rejects of cells come before all cells, and may be more than is looked at."""
    days = [f"2024-{1 + at // 28:02}-{1 + at % 28:02}" for at in range(90)]
    if kind == "cells":
        head = "date,region,sector,transactions,amount"
        row = "{day},ITC{region},own food,10,{amount}"
    else:
        head = "id,ts,amount_minor,region,sector"
        row = "t,{day}T12:00:00,{amount},ITC{region},own food"
    rows = [row.format(day=day, region=at, amount=amount) for amount in ("n/a", "100") for day in days for at in "1234"]
    path = tmp_path / "input.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    inputs = open_inputs([str(path)], defaults=InputDefaults(currency="EUR"), limits=ReadLimits(batch_rows=64))
    panel, assumed = infer_panel(inputs, country="IT")
    assert (panel.id, panel.countries, panel.region_level, panel.time_zone) == ("IT", ("IT",), 2, "Europe/Rome")
    assert panel.resolution == ("day" if kind == "cells" else "hour")
    assert settings_assumed(assumed) == {"currency": "EUR"}


def test_of_an_input_without_a_readable_record_what_is_given_holds(tmp_path: Path) -> None:
    inputs = opened(tmp_path / "cells.csv", CELLS.replace("100.5", "n/a"))
    panel, assumed = infer_panel(inputs, country="CH")
    assert (panel.id, panel.countries, panel.currency, panel.classification) == ("CH", ("CH",), "CHF", "open")
    assert settings_assumed(assumed) == {"currency": "CHF"}
    assert infer_panel(inputs).panel.any_region
