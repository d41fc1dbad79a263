"""Records that cannot be read, in a generated panel: what was rejected was spent, and is told as not understood."""

from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest
from panel_run import RECEIVED_MS
from sourced_panel import FIRST, SHOCK, SOURCES, Collected, folded

from earlywarn.aggregation.intake import Outcome, decode_one
from earlywarn.alerting.words import THIN
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.alert import Alert
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction

ONE_SOURCE = {"": 1.0}
"""A file of cells: nobody is named, and one row stands for all of a cell."""
Broken = Callable[[Transaction, date], list[Outcome]]


@pytest.fixture(scope="module")
def run() -> Run:
    panel = PanelSettings(id="CH", name="Testland", countries=("CH",), classification="swiss-mcs", resolution="day")
    return compose(Settings(run="test", exercise=True, panels=(panel,)))


class Spoilt(Collected):
    """A panel some of whose records are not what they were, and may be rejected."""

    def __init__(self, broken: Broken, sources: dict[str, float]) -> None:
        super().__init__(lambda *_: 1.0, sources)
        self.rejected = 0
        whole, self.outcomes = self.outcomes, []
        for each in whole:
            assert isinstance(each, Transaction)
            self.outcomes += broken(each, date(1970, 1, 1) + timedelta(days=each.ts // 86_400_000))

    def reject(self, _batch: object, _index: int, reject: Reject) -> None:  # noqa: ARG002  # any
        self.rejected += 1


def spoilt(run: Run, broken: Broken, sources: dict[str, float]) -> Spoilt:
    found = Spoilt(broken, sources)
    found.play(run)
    assert found.rejected
    return found


def unread(record: Transaction, **changes: object) -> Outcome:
    """Return what a record becomes whose provider writes a currency that is none."""
    fields = {**msgspec.to_builtins(record), "currency": "FRANC", **changes}
    outcome = decode_one(msgspec.json.encode(fields))
    assert isinstance(outcome, Reject)
    return outcome


def within(day: date, days: int) -> bool:
    return SHOCK <= day < SHOCK + timedelta(days=days)


def named(alerts: list[Alert]) -> list[str]:
    """Return the evidence that speaks of feeds or silent regions."""
    return [
        each.name
        for alert in alerts
        for each in alert.evidence
        if each.name.startswith(("silent", "expected no more", "quiet", "still", "missing_volume"))
    ]


def test_one_row_that_cannot_be_read_is_a_notice_and_no_collapse(run: Run) -> None:
    """Its cell is missing on that day, as if nobody knew: no alert, and the notice ends with the next day."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        is_it = day == SHOCK and (record.region, record.sector) == ("CH04", "Food and beverage services")
        return [unread(record, count=-record.count)] if is_it else [record]

    found = spoilt(run, broken, ONE_SOURCE)
    calm, _ = folded(run, lambda *_: 1.0, ONE_SOURCE)
    assert [alert.id for alert in found.economic(days=7)] == [alert.id for alert in calm.economic(days=7)]
    opened, resolved = found.of_kind("coverage")
    assert (opened.status, opened.detected_on, opened.region) == ("open", "2022-07-04", None)
    assert (resolved.status, resolved.resolved_on) == ("resolved", "2022-07-04")
    [panel, _, place, days] = opened.evidence
    assert (place.name, place.value, place.series_id) == ("unread_volume", 100.0, "CH/CH04/food-beverage-services")
    assert (days.name, days.value) == ("days_unread", 1.0)
    assert opened.text == (
        f"Testland: {panel.value:.0f}{THIN}% of the expected volume of 4 Jul 2022 came in records that could not be "
        f"read: 100{THIN}% in Food and beverage services in Zürich. It came, and is no fall of spending; alerts "
        "about what is read in part are held back meanwhile, all others are not, and totals are judged without it."
    )
    assert resolved.text.endswith("After 4 Jul 2022 no more than usual could not be read.")
    assert named(found.of_kind("coverage")) == []


def test_a_region_of_which_nothing_can_be_read_is_not_called_silent(run: Run) -> None:
    """A provider's bad release of a week: no alert of the region, no silence of it or of a source."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        return [unread(record)] if within(day, 7) and record.region == "CH04" else [record]

    found = spoilt(run, broken, SOURCES)
    assert found.economic(days=28) == []
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", "resolved"]
    assert named(coverage) == []
    assert f"100{THIN}% in Zürich" in coverage[0].text
    assert "records could not be read from 4 Jul 2022 to 10 Jul 2022 (on 7 days)" in coverage[1].text
    week = [each for each in found.judged if within(each.closed.day, 7)]
    assert all(each.scores.usable for each in week)
    assert {each.closed.coverage.volume for each in week} == {1.0}
    assert {each.closed.coverage.gap.regions for each in week} == {()}
    assert all(each.closed.coverage.share < 0.9 for each in week)
    rows = next(each for each in found.rows if each.bucket == "day" and each.start.startswith("2022-07-05"))
    heard = {each.series_id: share for each, share in zip(rows.series, rows.heard.tolist(), strict=True)}
    assert heard["CH/CH04/*"] == 0
    assert heard["CH/CH01/*"] == 1
    assert 0.5 < heard["CH/*/*"] < 0.9


def test_rows_that_do_not_say_for_how_many_they_stand_are_heard_as_well(run: Run) -> None:
    """Each counts as one transaction, which is next to nothing of its region: that speaks all the same."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        return [unread(record, count=-1)] if within(day, 7) and record.region == "CH04" else [record]

    found = spoilt(run, broken, ONE_SOURCE)
    assert found.economic(days=28) == []
    assert [alert.status for alert in found.of_kind("coverage")] == ["open", "resolved"]
    assert named(found.of_kind("coverage")) == []


def test_a_day_of_which_nothing_can_be_read_was_reported(run: Run) -> None:
    """Of a file whose numbers cannot be read on two days: not one word of silence, and nothing is judged."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        return [unread(record, count=-1)] if within(day, 2) else [record]

    found = spoilt(run, broken, ONE_SOURCE)
    opened, resolved = found.of_kind("coverage")
    assert "all of the expected volume of 4 Jul 2022 came in records that could not be read." in opened.text
    assert opened.text.endswith("economic alerts are held back meanwhile.")
    assert "from 4 Jul 2022 to 5 Jul 2022 (on 2 days)" in resolved.text
    assert named([opened, resolved]) == []
    assert found.economic(days=14) == []


def test_a_source_that_cannot_be_read_is_neither_silent_nor_forgotten(run: Run) -> None:
    """For forty days: after four weeks that is usual, and the rest is judged; when it counts again it is no rise."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        return [unread(record)] if within(day, 40) and record.source == "small" else [record]

    found = spoilt(run, broken, SOURCES)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", *["updated"] * 4, "resolved"]
    assert len({alert.id for alert in coverage}) == 1
    assert named(coverage) == []
    assert coverage[1].text == (
        "Testland: records could not be read from 4 Jul 2022 and still on 11 Jul 2022 (on 8 days), on the last of them "
        f"37{THIN}% of the expected volume. It came, and is no fall of spending; economic alerts are held back "
        "meanwhile."
    )
    assert coverage[4].as_of == (SHOCK + timedelta(days=28)).isoformat()
    assert (
        f"(on 29 days), on the last of them 37{THIN}% of what came. As far as is known that is usual, so a change "
        in (coverage[4].text)
    )
    unusable = [each.closed.day for each in found.judged if within(each.closed.day, 60) and not each.scores.usable]
    assert unusable == [SHOCK + timedelta(days=at) for at in (*range(28), 40)]
    calm, _ = folded(run, lambda *_: 1.0)
    assert len(found.economic(days=90)) <= len(calm.economic(days=90)) + 1


@pytest.mark.parametrize("sources", [ONE_SOURCE, SOURCES])
def test_a_sector_under_another_name_is_a_notice_and_no_collapse(run: Run, sources: dict[str, float]) -> None:
    """Unless nothing came that could be it: what closes falls, whatever else never has a sector."""
    name = "Food and beverage services"

    def renamed(record: Transaction, day: date) -> list[Outcome]:
        is_it = day >= SHOCK and record.sector == name
        return [msgspec.structs.replace(record, sector="Restaurants")] if is_it else [record]

    def closed(record: Transaction, day: date) -> list[Outcome]:
        lost = msgspec.structs.replace(record, sector="Restaurants", count=max(record.count // 10, 1))
        return [lost] if day >= SHOCK and record.sector == name else [record, lost]

    found = spoilt(run, renamed, sources)
    assert found.economic() == []
    notices = [alert for alert in found.of_kind("coverage") if alert.detected_on >= SHOCK.isoformat()]
    assert "could not be read" in notices[0].text
    assert "no fall of spending, unless this fell on the day on which another sector was new; " in notices[0].text
    assert notices[0].detected_on == SHOCK.isoformat()
    assert notices[-1].status == "resolved"
    assert notices[-1].resolved_on == (SHOCK + timedelta(days=27)).isoformat()
    fallen = [each for each in spoilt(run, closed, sources).economic() if each.sector == "food-beverage-services"]
    assert fallen[0].direction == "down"
    assert fallen[0].detected_on <= (SHOCK + timedelta(days=4)).isoformat()


def test_a_missing_day_of_a_sector_under_another_name_is_missing_and_no_collapse(run: Run) -> None:
    """One notice of what could not be read, over that day, and one of what was not reported on it."""
    name, missing = "Food and beverage services", SHOCK + timedelta(days=9)

    def renamed(record: Transaction, day: date) -> list[Outcome]:
        if day < SHOCK or record.sector != name:
            return [record]
        return [] if day == missing else [msgspec.structs.replace(record, sector="Restaurants")]

    found = spoilt(run, renamed, ONE_SOURCE)
    assert found.economic() == []
    notices = [alert for alert in found.of_kind("coverage") if alert.detected_on >= SHOCK.isoformat()]
    assert len({alert.id for alert in notices}) == 2
    [opened, resolved] = [alert for alert in notices if alert.detected_on == missing.isoformat()]
    assert "of the expected volume of 13 Jul 2022 was not reported" in opened.text
    assert f"100{THIN}% in {name}. This says nothing about spending there" in opened.text
    assert resolved.resolved_on == missing.isoformat()
    assert notices[-1].resolved_on == (SHOCK + timedelta(days=28)).isoformat()
    assert "(on 28 days)" in notices[-1].text


def in_part(share: float, fallen: str = "") -> Broken:
    """Return what leaves a share of each cell unread on every day, while a region falls by half."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        spent = 0.5 if day >= SHOCK and record.region == fallen else 1.0
        count = round(spent * record.count)
        lost = round(share * count)
        if not 0 < lost < count:
            return [record]
        amount_minor = round(record.amount_minor * (count - lost) / record.count)
        return [
            unread(record, count=lost),
            msgspec.structs.replace(record, count=count - lost, amount_minor=amount_minor),
        ]

    return broken


def test_a_tenth_that_never_can_be_read_is_told_once_and_a_change_is_judged(run: Run) -> None:
    """Coverage beside every figure is what could be read of it, from the first day on."""
    fallen = spoilt(run, in_part(0.1, fallen="CH04"), ONE_SOURCE)
    [told] = fallen.of_kind("coverage")
    assert (told.status, told.severity, told.opened_on) == ("open", "medium", FIRST.isoformat())
    assert told.text == (
        f"Testland: 10{THIN}% of what came on 1 Jan 2022 could not be read. As far as is known that is usual, so a "
        "change is judged all the same, against what can usually be read; figures lack it, and their coverage says so."
    )
    assert ("CH04", "down") in {(each.region, each.direction) for each in fallen.economic(days=5)}
    for rows in fallen.rows:
        if rows.start < SHOCK.isoformat():
            assert rows.heard[-1] == pytest.approx(0.9, abs=0.01)
            assert ((rows.heard > 0.7) & (rows.heard < 1)).all()


def test_of_what_hardly_ever_can_be_read_nothing_is_made(run: Run) -> None:
    """No day of it is judged, however long it lasts, and that is told once."""
    found = spoilt(run, in_part(0.95), ONE_SOURCE)
    [told] = found.of_kind("coverage")
    assert (told.severity, told.opened_on) == ("severe", FIRST.isoformat())
    assert told.text.endswith(
        "Of what little can be read there nothing is made: economic alerts are held back, until more can be."
    )
    assert found.economic(FIRST) == []
    assert not any(each.scores.usable for each in found.judged)
    assert all(rows.heard[-1] < 0.1 for rows in found.rows)


def test_single_rows_on_many_days_are_one_notice(run: Run) -> None:
    """As grave as what the panel lacks; each is held back in its cell alone. A whole region is a notice of its own."""
    cells = [("CH01", "Accommodation"), ("CH02", "Food and beverage services"), ("CH03", "Accommodation")]

    def broken(record: Transaction, day: date) -> list[Outcome]:
        age = (day - SHOCK).days
        is_row = age >= 0 and age % 3 == 0 and (record.region, record.sector) == cells[age // 3 % 3]
        return [unread(record)] if is_row or (age in range(30, 33) and record.region == "CH04") else [record]

    found = spoilt(run, broken, ONE_SOURCE)
    whole = [each for each in found.of_kind("coverage") if "in Zürich" in each.text]
    assert [each.status for each in whole] == ["open", "resolved"]
    rows = [each for each in found.of_kind("coverage") if each not in whole]
    assert len({each.id for each in rows}) == 1
    assert len(rows) <= 6
    assert {each.severity for each in rows} == {"medium"}
    assert "single records could not be read from 4 Jul 2022 and still on " in rows[-1].text
    assert "in 3 sectors of regions), most often " in rows[-1].text
    held = {each.closed.day: each.closed.cells_heard for each in found.judged}
    assert all((held[SHOCK + timedelta(days=at)] == 0).sum() == (at % 3 == 0) for at in range(30))


def test_one_bad_transaction_changes_nothing(run: Run) -> None:
    """Every day one of the largest cell: no notice, and alert for alert what there is without."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        is_it = day > FIRST and (record.region, record.sector) == ("CH04", "Food and beverage services")
        bad = unread(record, count=1)
        return [bad, record] if is_it else [record]

    found = spoilt(run, broken, ONE_SOURCE)
    calm, _ = folded(run, lambda *_: 1.0, ONE_SOURCE)
    assert found.of_kind("coverage") == []
    assert [(each.id, each.revision, each.text) for each in found.alerts] == [
        (each.id, each.revision, each.text) for each in calm.alerts
    ]


def test_a_fold_that_goes_on_from_a_snapshot_tells_the_same(run: Run) -> None:
    """Amid an episode, with rejected records in open buckets: nothing of it is lost, and nothing told twice."""

    def broken(record: Transaction, day: date) -> list[Outcome]:
        return [unread(record)] if within(day, 9) and record.region == "CH04" else [record]

    outcomes = Spoilt(broken, ONE_SOURCE).outcomes
    block = run.block_fold(0, 1)
    partials = []
    for start in range(0, len(outcomes), 500):
        batch = outcomes[start : start + 500]
        partials += block.add(range(start, start + len(batch)), batch, RECEIVED_MS)[0]
        news = block.flush()
        partials += [] if news is None else [news]
    last = block.flush(end=True)
    assert last is not None
    calm, restarted = compose_fold(run, 1), compose_fold(run, 1)
    told: list[list[Alert]] = [[], []]
    for partial in [*partials, last]:
        told[0] += [each for each in calm.apply(partial) if isinstance(each, Alert)]
        told[1] += [each for each in restarted.apply(partial) if isinstance(each, Alert)]
        saved = restarted.snapshot()
        restarted = compose_fold(run, 1)
        restarted.restore(saved)
    assert [alert.status for alert in told[0] if alert.kind == "coverage"] == ["open", "updated", "resolved"]
    assert told[0] == told[1]
    assert calm.snapshot() == restarted.snapshot()
