"""A source partition whose log has lost what was not yet counted: told as missing data, while the others go on."""

import msgspec

from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import RunFold
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.alert import LOST, Alert

START_MS = 1_551_700_800_000  # 2019-03-04 13:00 in Zurich
DAY_MS = 86_400_000
PANELS = tuple(PanelSettings(id=country, countries=(country,)) for country in ("CH", "DE"))
SETTINGS = Settings(panels=PANELS)
RUN = compose(msgspec.structs.replace(SETTINGS, fold=msgspec.structs.replace(SETTINGS.fold, block_size=10)))


def partials(partition: int, days: range) -> list[Partial]:
    """Return what an aggregator sends of a payment an hour in each panel."""
    block = RUN.block_fold(partition, 2)
    values = [
        b'{"id":"x","ts":%d,"amount_minor":5,"currency":"%s","mcc":"5411","region":"%s"}' % (ts, currency, region)
        for day in days
        for ts in range(START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS, 3_600_000)
        for currency, region in ((b"CHF", b"CH04"), (b"EUR", b"DE21"))
    ]
    sealed, _ = block.add(range(len(values)), decode(values), START_MS + 99 * DAY_MS)
    last = block.flush()
    return sealed if last is None else [*sealed, last]


def loss(position: int = 0, event_time_ms: int | None = None, begins: int = 77) -> Partial:
    [lost] = RUN.block_fold(0, 2, position=position, event_time_ms=event_time_ms).lose(begins)
    return lost


def applied(fold: RunFold, given: list[Partial]) -> list[Alert | AggregateRows]:
    return [each for partial in given for each in fold.apply(partial) if isinstance(each, Alert | AggregateRows)]


def losses(outputs: list[Alert | AggregateRows]) -> list[Alert]:
    """Return the alerts that are of lost partitions: what is missing in closed days is told besides."""
    return [each for each in outputs if isinstance(each, Alert) and each.evidence[0].name.startswith(LOST)]


def test_a_loss_is_an_open_alert_of_every_panel_told_once() -> None:
    """It names the partition, what is needed and where the log begins; who comes to it later says nothing new."""
    fold = compose_fold(RUN, 2)
    applied(fold, partials(0, range(2)))
    applied(fold, partials(1, range(3)))
    alerts = losses(applied(fold, [loss(90, START_MS + 2 * DAY_MS), loss(90, begins=99)]))
    assert [(each.panel, each.kind, each.status) for each in alerts] == [
        ("CH", "coverage", "open"),
        ("DE", "coverage", "open"),
    ]
    first = alerts[0]
    assert (first.opened_on, first.as_of, first.severity, first.sequence) == ("2019-03-06", "2019-03-07", "severe", 1)
    assert "nothing is counted any more of source partition 0" in first.text
    assert "offset 90 is needed, the log begins at 77" in first.text
    assert "of 6 Mar 2019 and later" in first.text


def test_the_other_partitions_go_on() -> None:
    """The watermark leaves the lost one out for good, and its buckets say that it was not heard."""
    fold = compose_fold(RUN, 2)
    assert applied(fold, partials(1, range(3))) == []
    assert fold.fold.watermark_seconds() is None
    found = applied(fold, [loss()])
    rows = [each for each in found if isinstance(each, AggregateRows) and each.bucket == "day"]
    assert len(rows) == 2 * 3
    assert {each.coverage.partitions for each in rows} == {0.5}
    found = applied(fold, partials(1, range(6)))
    assert [each for each in found if isinstance(each, AggregateRows)]


def test_a_loss_before_any_event_is_told_with_the_first() -> None:
    """No day is known before; a snapshot in between forgets nothing."""
    fold, again = compose_fold(RUN, 2), compose_fold(RUN, 2)
    assert applied(fold, [loss(), loss()]) == []
    again.restore(fold.snapshot())
    found = applied(again, partials(1, range(1)))
    alerts = losses(found)
    assert [(each.panel, each.opened_on) for each in alerts] == [("CH", "2019-03-04"), ("DE", "2019-03-04")]
    assert applied(again, [loss()]) == []


def test_several_losses_are_alerts_of_their_own() -> None:
    fold = compose_fold(RUN, 2)
    applied(fold, partials(0, range(1)))
    other = msgspec.structs.replace(loss(), partition=1)
    assert len({each.id for each in losses(applied(fold, [loss(), other]))}) == 4


def test_a_finite_run_ends_without_what_is_lost() -> None:
    """The others' end marks close every bucket; nobody waits for the lost partition's."""
    fold = compose_fold(RUN, 2)
    block = RUN.block_fold(1, 2)
    applied(fold, [loss(), *block.end(0)])
    assert fold.fold.watermark_seconds() is not None


def test_what_comes_of_a_lost_partition_after_all_still_counts_once() -> None:
    """A worker that had the open block in mind goes on where its successor could not."""
    fold = compose_fold(RUN, 2)
    first, second, third = partials(0, range(1))[:3]
    applied(fold, [first, loss(10), second, second, third])
    assert fold.transactions == 30
