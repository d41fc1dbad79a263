"""Where a record that cannot be used would have counted: the same of JSON, columns and files, and never guessed."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fold_oracle import small_panel

from earlywarn.adapters.arrow_batch import ArrowBatch, encode_table
from earlywarn.adapters.arrow_batch import decode as decode_arrow
from earlywarn.adapters.files import InputDefaults, RowBatch, open_inputs
from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.intake import decode, decode_one
from earlywarn.aggregation.partial import SourceRow
from earlywarn.aggregation.route import Router
from earlywarn.aggregation.sectorless import NO_SECTOR
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.money import RateTable
from earlywarn.domain.panel import Panel
from earlywarn.domain.region import RegionResolver
from earlywarn.domain.reject import Place, Reject, Whereabouts
from earlywarn.reference.classifications import load_classification
from earlywarn.reference.nuts import load_regions

GOOD: dict[str, Any] = {
    "id": "t1", "ts": 1_551_702_896_000, "amount_minor": 1234, "currency": "CHF", "mcc": "5411", "region": "CH040",
    "channel": "pos", "source": "acquirer A", "card": "secret-token",
}  # fmt: skip
RECEIVED_MS = 1_551_703_000_000
BUCKET = GOOD["ts"] // 3_600_000 * 3600
PLACE = Place(region="CH040", channel="pos", mcc="5411")
LONG = "x" * 257


def about(changes: dict[str, Any]) -> Whereabouts | None:
    """Return the whereabouts of a rejected record that differs from the good one."""
    outcome = decode_one(json.dumps({**GOOD, **changes}).encode())
    assert isinstance(outcome, Reject)
    assert outcome.about is None or isinstance(outcome.about, Whereabouts)
    return outcome.about


def swiss(*, online: bool = True) -> Router:
    """Return a router of one panel by NUTS level 2, which keeps apart what is bought online, or does not."""
    panel = Panel(
        id="CH",
        currency="CHF",
        countries=("CH",),
        calendar=LocalCalendar("Europe/Zurich"),
        regions=RegionResolver(load_regions(), level=2, countries=("CH",), online=online),
        classification=load_classification("mcc"),
        rates=RateTable("CHF", {}),
    )
    return Router([panel])


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "XXX"},
        {"currency": 756},
        {"amount_minor": 10**16},
        {"amount_minor": 1e300},
        {"amount_minor": "12.34"},
        {"amount_minor": None},
        {"card": LONG},
        {"id": ""},
        {"kind": "gift"},
        {"v": 2},
        {"merchant": LONG},
        {"count": -1},
        {"country": "Switzerland"},
    ],
)
def test_a_field_that_says_nothing_of_the_place_hides_no_place(changes: dict[str, Any]) -> None:
    assert about(changes) == Whereabouts(ts=GOOD["ts"], place=PLACE, source="acquirer A")


def test_the_time_may_be_text_and_a_record_may_stand_for_many() -> None:
    told = about({"currency": "XXX", "ts": "2019-03-04T13:34:56.789+01:00", "count": 17, "source": None})
    assert told == Whereabouts(ts=1_551_702_896_789, place=PLACE, count=17)


@pytest.mark.parametrize(
    "changes",
    [
        {"region": LONG},
        {"region": 40},
        {"ts": "yesterday"},
        {"ts": 5},
        {"ts": "2019-03-04T13:34:56"},
        {"kind": "refund", "currency": "XXX"},
    ],
)
def test_a_place_that_hangs_on_what_cannot_be_read_is_not_told(changes: dict[str, Any]) -> None:
    """Neither is that of a refund, which adds no transaction."""
    assert about({"currency": "XXX", **changes}) is None


@pytest.mark.parametrize("changes", [{"mcc": "541"}, {"mcc": 5411}, {"sector": 7}, {"mcc": None, "merchant": LONG}])
def test_what_was_bought_may_be_all_that_cannot_be_read(changes: dict[str, Any]) -> None:
    """No field that decides less speaks for one that decides and cannot be read."""
    found = about(changes)
    assert found is not None
    assert swiss().locate(found.place) == ("CH", "CH04", NO_SECTOR)


def test_of_several_fields_that_cannot_be_read_each_is_left_out() -> None:
    told = about({"currency": "?", "count": -1, "source": LONG, "channel": "fax", "country": "CHE", "merchant": 5})
    assert told == Whereabouts(ts=GOOD["ts"], place=PLACE._replace(channel=None, any_channel=True))


@pytest.mark.parametrize("value", [b"[1]", b"null", b"no json", b'{"id":"a","currency":"XXX","ts":1551702896000', None])
def test_what_is_no_record_has_no_place(value: bytes | None) -> None:
    outcome = decode_one(value)
    assert isinstance(outcome, Reject)
    assert outcome.about is None


def test_a_sector_goes_before_a_code_that_cannot_be_read() -> None:
    told = about({"mcc": "54", "sector": "mcc:5912"})
    assert told is not None
    assert swiss().locate(told.place) == swiss().locate(PLACE._replace(mcc="5912"))


def test_a_channel_that_cannot_be_read_matters_where_it_decides() -> None:
    """A region is the same in the shop and online, unless the panel keeps what is bought online apart."""
    place = PLACE._replace(channel=None, any_channel=True)
    assert swiss(online=False).locate(place) == swiss().locate(PLACE) == ("CH", "CH04", "grocery")
    assert swiss().locate(place) is None


def test_a_place_is_that_of_the_panels_own_routing_or_none() -> None:
    assert swiss().locate(PLACE._replace(region="DE212")) is None
    assert swiss().locate(PLACE._replace(region=None)) is None
    assert swiss().locate(PLACE._replace(mcc=None)) == ("CH", "CH04", NO_SECTOR)
    assert swiss().locate(PLACE._replace(country="DE")) is None


FIELDS = (
    "id",
    "ts",
    "amount_minor",
    "currency",
    "mcc",
    "sector",
    "region",
    "channel",
    "source",
    "country",
    "count",
    "kind",
)
BAD: list[dict[str, Any]] = [
    {"currency": "XXX"},
    {"amount_minor": 10**16},
    {"currency": "XXX", "count": 12},
    {"currency": "XXX", "source": None},
    {"currency": "XXX", "mcc": "54"},
    {"currency": "XXX", "ts": 5},
    {"currency": "XXX", "country": "CHE"},
    {"count": -3},
    {"kind": "gift"},
    {"kind": "refund", "currency": "XXX"},
    {"channel": "fax"},
    {"amount_minor": -5},
    {"currency": "EUR"},
    {"region": "CH99"},
    {"sector": "mcc:groceries", "source": None},
    {"ts": RECEIVED_MS + 10**9, "currency": "XXX"},
    {"ts": GOOD["ts"] - 30 * 3_600_000, "currency": "XXX"},
]


def records() -> list[dict[str, Any]]:
    """Return good records, and behind each one that is not accepted."""
    return [{**GOOD, **changes} for bad in BAD for changes in ({}, bad)]


def folded_rows(outcomes: list[Any]) -> tuple[SourceRow, ...]:
    fold = BlockFold(swiss(), FoldParameters())
    _, rejected = fold.add(range(len(outcomes)), outcomes, RECEIVED_MS)
    assert len(rejected) == len(BAD)
    partial = fold.flush()
    assert partial is not None
    return tuple(sorted(partial.unread))


def test_json_columns_and_files_lose_the_same(tmp_path: Path) -> None:
    """Late ones, those of the future and those of no region of the panel are not missed."""
    values = [json.dumps({name: each for name, each in record.items() if each is not None}) for record in records()]
    expected = folded_rows(decode([value.encode() for value in values]))
    assert expected == (
        SourceRow("CH", "CH04", NO_SECTOR, "", BUCKET, 1),
        SourceRow("CH", "CH04", NO_SECTOR, "acquirer A", BUCKET, 1),
        SourceRow("CH", "CH04", "grocery", "", BUCKET, 1),
        SourceRow("CH", "CH04", "grocery", "acquirer A", BUCKET, 19),
    )
    names = [name for name in FIELDS if name != "count"]
    columns = {name: [record.get(name) for record in records()] for name in (*names, "count")}
    batch = decode_arrow(encode_table(pa.table(columns)))
    assert isinstance(batch, ArrowBatch)
    fold = BlockFold(swiss(), FoldParameters())
    fold.add_columns(0, batch.columns, RECEIVED_MS)
    partial = fold.flush()
    assert partial is not None
    assert tuple(sorted(partial.unread)) == expected

    lines = [",".join(FIELDS)]
    lines += [
        ",".join("" if record.get(name) is None else str(record[name]) for name in FIELDS) for record in records()
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    [file] = open_inputs([str(path)], defaults=InputDefaults())
    outcomes = [each for batch in file.batches() if isinstance(batch, RowBatch) for each in batch.records]
    assert folded_rows(outcomes) == expected


def test_no_source_passes_for_what_could_not_be_read() -> None:
    """What is not accepted travels in a list of its own, so no name of a source means it."""
    fold = BlockFold(Router([small_panel()]), FoldParameters())
    record = {"id": "a", "ts": GOOD["ts"], "amount_minor": 5, "currency": "CHF", "region": "R", "sector": "x"}
    values = [json.dumps({**record, "source": name}).encode() for name in ("(rejected)", "(unread)", "(others)")]
    fold.add(range(3), decode(values), RECEIVED_MS)
    partial = fold.flush()
    assert partial is not None
    assert partial.unread == ()
    assert sum(row.transactions for row in partial.sources) == 3


def test_a_flood_of_sources_is_bounded() -> None:
    """Of a block as many sources are told apart as of what is accepted, and these lose none of their places."""
    limit = FoldParameters().sources_limit
    fold = BlockFold(Router([small_panel()]), FoldParameters())
    record = {"id": "a", "ts": GOOD["ts"], "amount_minor": 5, "region": "R", "sector": "x"}
    bad = [json.dumps({**record, "source": f"s{at}", "currency": "?"}).encode() for at in range(1_500)]
    good = json.dumps({**record, "source": "late in the block", "currency": "CHF"}).encode()
    fold.add(range(1_501), decode([*bad, good]), RECEIVED_MS)
    partial = fold.flush()
    assert partial is not None
    assert len(partial.unread) == limit + 1
    assert sum(row.transactions for row in partial.unread) == 1_500
    assert [row.source for row in partial.sources] == ["late in the block"]
