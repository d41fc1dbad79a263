"""Another configuration within a run, over the Swiss sample: nothing twice, nothing missing, whoever restarts where."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest
from command_line import PANEL, SAMPLE

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import open_inputs, shipped_mapping
from earlywarn.adapters.kafka.wire import decode_change, encode_change, encode_rows
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.detector import LogFold, Progress, Published
from earlywarn.application.settings import load
from earlywarn.application.succession import Change, open_alerts
from earlywarn.domain.alert import Alert
from earlywarn.errors import LogError, SnapshotError

RECEIVED_MS = 1_767_225_600_000
BATCH = 49 * 4
"""Records a partial: four days of the sample."""
GAP = 5
"""Partials that the old detector had not folded when it was stopped."""
Log = Sequence[Partial | Change]


class Outputs(NamedTuple):
    """What one entry of the log made publishable."""

    offset: int
    outputs: tuple[Published, ...]


def run_with(**alerts: float) -> Run:
    settings = load(PANEL, {})
    return compose(msgspec.structs.replace(settings, alerts=msgspec.structs.replace(settings.alerts, **alerts)))


@pytest.fixture(scope="module")
def old() -> Run:
    return run_with()


@pytest.fixture(scope="module", params=[0.6, 1.6], ids=["more alerts", "fewer alerts"])
def new(request: pytest.FixtureRequest, old: Run) -> Run:
    return run_with(alarm_evidence=old.settings.alerts.alarm_evidence * request.param)


@pytest.fixture(scope="module")
def partials(old: Run) -> list[Partial]:
    inputs = open_inputs([str(SAMPLE)], shipped_mapping("swiss-cards"))
    block = old.block_fold(0, 1)
    found: list[Partial] = []
    for batch in feeds_of(inputs, old.panels[0].panel.calendar)[0].batches():
        for start in range(0, len(batch.outcomes), BATCH):
            outcomes = batch.outcomes[start : start + BATCH]
            sealed, _ = block.add(range(block.position, block.position + len(outcomes)), outcomes, RECEIVED_MS)
            found += [*sealed, *([] if (news := block.flush()) is None else [news])]
    last = block.flush(end=True)
    assert last is not None
    return [*found, last]


def fold(log: LogFold, entries: Log, start: int = 0) -> Iterator[Outputs]:
    """Fold a log from an offset on, and yield what is published of it."""
    for offset, entry in enumerate(entries[start:], start):
        given = tuple(log.change(offset, entry) if isinstance(entry, Change) else log.take(offset, entry))
        if given:
            yield Outputs(offset, given)


def alerts_of(published: Sequence[Outputs]) -> list[Alert]:
    return [each for outputs in published for each in outputs.outputs if isinstance(each, Alert)]


def rows_of(published: Sequence[Outputs]) -> dict[bytes, bytes]:
    """Return the rows by key, of which none may come twice."""
    found: dict[bytes, bytes] = {}
    for outputs in published:
        for each in outputs.outputs:
            for key, value in encode_rows(each) if isinstance(each, AggregateRows) else ():
                assert key not in found
                found[key] = value
    return found


def subjects(alerts: Sequence[Alert]) -> set[tuple[str, str, str]]:
    return {(alert.series_id, alert.kind, alert.direction) for alert in alerts}


def changed(old: Run, new: Run, partials: Sequence[Partial], at: int) -> tuple[list[Outputs], list[Partial | Change]]:
    """Return what the old detector published, and the log with the change at offset `at`."""
    published = list(fold(LogFold(compose_fold(old, 1), position=0, published=Progress(0)), partials[: at - GAP]))
    alerts = alerts_of(published)
    change = Change(
        number=1,
        fingerprint=new.fingerprint,
        published=at - GAP,
        sequence=max((alert.sequence for alert in alerts), default=0),
        open=open_alerts(alerts),
        revisions={alert.id: alert.revision for alert in alerts},
    )
    assert decode_change(encode_change(change)[1], "") == change
    return published, [*partials[:at], change, *partials[at:]]


@pytest.mark.parametrize("share", [0.5, 0.93])
def test_the_new_configuration_takes_over_at_the_control_record(
    old: Run, new: Run, partials: list[Partial], share: float
) -> None:
    at = int(share * len(partials))
    before, log = changed(old, new, partials, at)
    fresh = LogFold(compose_fold(new, 1, change=1), position=0, published=Progress(at - GAP))
    after = list(fold(fresh, log))
    assert {outputs.offset >= at for outputs in after if alerts_of([outputs])} == {True}
    assert at - GAP <= after[0].offset < at  # closed buckets that the old one had not come to, as they come

    undisturbed = list(fold(LogFold(compose_fold(old, 1), position=0, published=Progress(0)), partials))
    assert rows_of([*before, *after]) == rows_of(undisturbed)

    alerts = alerts_of([*before, *after])
    revisions = defaultdict(list)
    for alert in alerts:
        revisions[alert.id].append(alert)
    for each in revisions.values():
        assert [alert.revision for alert in each] == list(range(1, len(each) + 1))
        assert "superseded" not in [alert.status for alert in each[:-1]]
    assert all(one.sequence < other.sequence for one, other in pairwise(alerts))

    pure = list(fold(LogFold(compose_fold(new, 1), position=0, published=Progress(0)), partials))
    assert subjects(open_alerts(alerts)) == subjects(open_alerts(alerts_of(pure)))
    seen = subjects(open_alerts(alerts_of([each for each in pure if each.offset < at])))
    left = open_alerts(alerts_of(before))
    superseded = [alert for alert in alerts if alert.status == "superseded"]
    assert subjects(superseded) == subjects(left) - seen
    known = {alert.id for alert in alerts}
    assert all({*alert.children, alert.parent} - {None} <= known for alert in alerts if alert.status != "superseded")


def test_the_sample_shows_every_case(old: Run, partials: list[Partial]) -> None:
    """Else the test above would prove little: some are adopted, some superseded, some new."""
    found = set()
    for factor in (0.3, 0.6, 100.0):
        new = run_with(alarm_evidence=old.settings.alerts.alarm_evidence * factor)
        at = len(partials) // 2
        before, log = changed(old, new, partials, at)
        fresh = LogFold(compose_fold(new, 1, change=1), position=0, published=Progress(at - GAP))
        ids = {alert.id for alert in alerts_of(before)}
        taken = alerts_of([outputs for outputs in fold(fresh, log) if outputs.offset == at])
        found |= {(alert.status, alert.id in ids) for alert in taken}
    assert {("updated", True), ("superseded", True), ("open", False)} <= found


def test_a_restart_anywhere_changes_nothing(old: Run, new: Run, partials: list[Partial]) -> None:
    """From the start of the log before the change; from a snapshot, or the start, behind it."""
    at = int(0.5 * len(partials))
    _, log = changed(old, new, partials, at)
    undisturbed = LogFold(compose_fold(new, 1, change=1), position=0, published=Progress(at - GAP))
    whole = list(fold(undisturbed, log))
    end = undisturbed.fold.snapshot()
    for stop in (at - 2, at + 1):
        first = LogFold(compose_fold(new, 1, change=1), position=0, published=Progress(at - GAP))
        until = list(fold(first, log[:stop]))
        restored, start = compose_fold(new, 1, change=1), 0
        if first.fold.succession.in_force:
            restored.restore(first.fold.snapshot())
            start = stop
        for again, begins in ((restored, start), (compose_fold(new, 1, change=1), 0)):
            resumed = LogFold(again, position=begins, published=Progress(max(at - GAP, stop if until else 0)))
            rest = list(fold(resumed, log, begins))
            assert rows_of([*until, *rest]) == rows_of(whole)
            assert alerts_of([*until, *rest]) == alerts_of(whole)
            assert resumed.fold.snapshot() == end


def test_a_detector_of_the_configuration_before_stops_and_its_snapshots_are_passed_over(
    old: Run, new: Run, partials: list[Partial]
) -> None:
    at = len(partials) // 2
    _, log = changed(old, new, partials, at)
    stale = LogFold(compose_fold(old, 1), position=0, published=Progress(0))
    with pytest.raises(LogError, match=f"changed to configuration {new.fingerprint}"):
        list(fold(stale, log))
    with pytest.raises(SnapshotError, match="change 0 of the run"):
        compose_fold(old, 1, change=2).restore(compose_fold(old, 1).snapshot())


def test_back_to_the_first_configuration_is_a_change_like_any_other(old: Run, partials: list[Partial]) -> None:
    new = run_with(alarm_evidence=old.settings.alerts.alarm_evidence * 1.6)
    at, back = int(0.8 * len(partials)), int(0.93 * len(partials))
    before, log = changed(old, new, partials, at)
    middle = list(fold(LogFold(compose_fold(new, 1, change=1), position=0, published=Progress(at - GAP)), log[:back]))
    alerts = alerts_of([*before, *middle])
    again = Change(
        number=2,
        fingerprint=old.fingerprint,
        published=back,
        sequence=alerts[-1].sequence,
        open=open_alerts(alerts),
        revisions={alert.id: alert.revision for alert in alerts},
    )
    fresh = LogFold(compose_fold(old, 1, change=2), position=0, published=Progress(back))
    last = list(fold(fresh, [*log[:back], again, *log[back:]]))
    undisturbed = list(fold(LogFold(compose_fold(old, 1), position=0, published=Progress(0)), partials))
    assert rows_of([*before, *middle, *last]) == rows_of(undisturbed)
    alerts += alerts_of(last)
    assert subjects(open_alerts(alerts)) == subjects(open_alerts(alerts_of(undisturbed)))
    keys = [(alert.id, alert.revision) for alert in alerts]
    assert len(keys) == len(set(keys))
