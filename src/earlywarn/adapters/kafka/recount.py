"""Verifying a run from its topics: `aggregates` is read first, then all that it can have been made of."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.dead_letters import read_letters
from earlywarn.adapters.kafka.manifest import Manifest, read_manifest
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import Extent, TopicScan
from earlywarn.adapters.kafka.wire import decode_partial, is_change
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.application.closings import Closings, PanelClosings
from earlywarn.application.compose import Run
from earlywarn.application.recount import Recount
from earlywarn.application.verification import Publication, PublishedRow, Verification, verify
from earlywarn.domain.reject import Reject
from earlywarn.errors import LogError

_decode_row = msgspec.json.Decoder(PublishedRow).decode

Progress = Callable[[str, int, int], None]
"""Told what is being read, offsets passed, offsets in all."""


def verify_run(run: Run, tell: Progress = lambda _what, _done, _total: None) -> Verification:
    """Recount the transactions of a run, and compare with what it has published.

    Raises:
        ConfigError: no broker answers, or a topic is missing.
        LogError: `aggregates` holds what is no row.
    """
    kafka, topics = run.settings.kafka, RunTopics(run.settings.run, run.settings.topics.prefix)
    publication = _read_publication(TopicScan(kafka, topics.aggregates), tell)
    manifest = read_manifest(run.settings)
    partials = TopicScan(kafka, topics.partials)
    closings = {} if manifest is None else _closings(run, manifest, partials, publication, tell)
    scan = TopicScan(kafka, topics.transactions)
    finite = run.settings.topics.replay if manifest is None else manifest.replay
    recount, first_ms = _count(Recount(run, unpacked, finite=finite, closings=closings), scan, tell)
    letters, remark = _count_letters(run, topics, scan.extents, tell)
    whole_from = _whole_from(run, scan, first_ms)
    outcome = verify(run, recount, publication, letters, partitions=len(scan.extents), whole_from=whole_from)
    remarks = [remark] if remark else []
    if whole_from != float("-inf") and not outcome.compared:
        remarks.append(
            f"{topics.transactions}: retention has removed its beginning, and no published bucket is whole in what "
            "is left; keep topics.transactions_retention_hours for some days at least"
        )
    elif whole_from != float("-inf"):
        remarks.append(
            f"retention has removed the beginning of {topics.transactions}: {outcome.cut_off:,} buckets of series that "
            "began before what is left are not compared, nor dead letters for being too_late or a duplicate"
        )
    return msgspec.structs.replace(outcome, remarks=remarks)


def unpacked(value: bytes | None) -> Sequence[bytes] | Reject:
    """Return the JSON records that a batched record stands for, or why it holds none."""
    batch = arrow_batch.decode(value)
    return batch if isinstance(batch, Reject) else batch.records(range(len(batch.columns.ts)))


def _read_publication(scan: TopicScan, tell: Progress) -> Publication:
    publication = Publication()
    for read, record in enumerate(scan, 1):
        try:
            row = _decode_row(record.value or b"")
        except msgspec.DecodeError as error:
            place = f"{scan.topic}-{record.partition}-{record.offset}"
            raise LogError(f"{place}: no row: {error}; nothing but detectors may write to this topic") from error
        publication.add(row)
        tell("Reading aggregates", read, scan.records)
    return publication


def _closings(
    run: Run, manifest: Manifest, scan: TopicScan, publication: Publication, tell: Progress
) -> Mapping[str, PanelClosings]:
    """Return by panel how far was folded when what it has published last closed."""
    ends: dict[int, dict[str, Iterable[int]]] = {q: {} for q in range(manifest.partials_partitions)}
    for panel in (each.panel for each in run.panels):
        last_ends = list(publication.last_ends(panel))
        if last_ends:
            ends[manifest.panels[panel.id]][panel.id] = last_ends
    closings = Closings(
        lambda: PartialsFold(
            partitions=manifest.transactions_partitions, lateness_seconds=run.settings.fold.lateness_seconds
        ),
        ends,
    )
    for read, record in enumerate(scan, 1):
        if not is_change(record.headers):
            place = f"{scan.topic}-{record.partition}-{record.offset}"
            closings.take(record.partition, decode_partial(record.value, place))
        tell("Reading partials", read, scan.records)
    return closings.panels


def _count(recount: Recount, scan: TopicScan, tell: Progress) -> tuple[Recount, Mapping[int, int]]:
    """Return the count, and by partition when its first record came in."""
    first_ms: dict[int, int] = {}
    for record in scan:
        first_ms.setdefault(record.partition, record.timestamp_ms)
        recount.take(record.partition, record.offset, record.value, record.headers, record.timestamp_ms)
        tell("Counting transactions", recount.records, scan.records)
    return recount, first_ms


def _count_letters(
    run: Run, topics: RunTopics, extents: Mapping[int, Extent], tell: Progress
) -> tuple[Counter[str] | None, str]:
    """Return dead letters by reason of the records that were counted; None and a remark if some are gone."""
    scan = TopicScan(run.settings.kafka, topics.dead_letters)
    if any(extent.low for extent in scan.extents.values()):
        scan.close()
        return None, f"retention has removed the beginning of {topics.dead_letters}: they are not compared"
    reasons: Counter[str] = Counter()
    for read, letter in enumerate(read_letters(scan), 1):
        extent = extents.get(letter.partition)
        if extent is not None and extent.low <= letter.offset < extent.high:
            reasons[letter.reason] += 1
        tell("Reading dead letters", read, scan.records)
    return reasons, ""


def _whole_from(run: Run, scan: TopicScan, first_ms: Mapping[int, int]) -> float:
    """Return from which epoch second on buckets are whole in what retention has left.

    What is gone came in before what is left, and no accepted event lies further after its receipt than the
    tolerance. Of a partition of which nothing is left, all may have come in until now.
    """
    cut = [partition for partition, extent in scan.extents.items() if extent.low]
    if not cut:
        return float("-inf")
    newest_ms = max(first_ms.get(partition, int(time.time() * 1000)) for partition in cut)
    return newest_ms / 1000 + run.settings.fold.future_tolerance_seconds
