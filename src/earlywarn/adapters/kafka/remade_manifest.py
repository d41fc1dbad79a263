"""A manifest that is written a second time, since the topic `.meta` of a run with data was deleted.

Nobody can say any more what stood there, so that the settings are the run's on the word of whoever gives them. What
else names settings is held against them: every partial (its rows, its block, and the fold's fingerprint in a header),
the control records, and the newest snapshots. What only the old manifest knew otherwise is taken from there.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from earlywarn.adapters.kafka.begun_run import begun_logs, replayed_anew
from earlywarn.adapters.kafka.manifest import Manifest, manifest_of
from earlywarn.adapters.kafka.run_logs import RunLogs
from earlywarn.adapters.kafka.run_topics import WAY_ON, LogKind, RunTopics, way_on
from earlywarn.adapters.kafka.topic_identity import Identities
from earlywarn.adapters.kafka.topic_scan import ScannedRecord, TopicScan
from earlywarn.adapters.kafka.wire import FOLD_HEADER, decode_change, decode_partial, is_change
from earlywarn.aggregation.partial import Partial
from earlywarn.application.compose import Run
from earlywarn.application.snapshots import SnapshotStore, configuration_of
from earlywarn.application.succession import Change
from earlywarn.errors import LogError, SnapshotError


class Remade(NamedTuple):
    """The manifest, and what of it could not be held against anything, one line each."""

    manifest: Manifest
    remarks: tuple[str, ...]


def remade_manifest(
    run: Run, new_store: Callable[[str], SnapshotStore], *, accepted: tuple[LogKind, ...] = ()
) -> Remade:
    """Return the manifest of a run that has data and lost its own, as these settings and its topics give it.

    Args:
        run: as the settings have it.
        new_store: gives the store of the snapshots of a log.
        accepted: logs that may be missing.

    Raises:
        LogError: it is a replay, a log is gone, or the settings are not the run's: one line for each difference.
        SnapshotError: it cannot be said which snapshots there are.
        ConfigError: no broker answers, or something may not be read.
    """
    settings, own = run.settings, manifest_of(run)
    kafka, topics = settings.kafka, RunTopics(settings.run, settings.topics.prefix)
    if own.replay:
        raise LogError(f"{topics.meta}: {replayed_anew(topics.run)}")
    kinds = [kind for kind in topics.log_kinds if kind not in accepted]
    log = RunLogs(Identities(kafka), topics, {}, kinds).check()["partials"]
    begun = begun_logs(kafka, topics)
    evidence, scan = _Evidence(own, topics), TopicScan(kafka, topics.partials)
    evidence.is_cut = any(extent.low > 0 for extent in scan.extents.values())
    for record in scan:
        evidence.take(record)
    store = new_store(log)
    for q in range(own.partials_partitions) if not evidence.changes else ():
        evidence.compare_snapshot(q, _newest(store, q))
    if evidence.is_none and (made := [kind for kind in begun if kind not in {"transactions", "partials"}]):
        raise LogError(
            f"{topics.partials}: is empty, and what was made of it stands in {', '.join(map(topics.of, made))}: it was "
            f"deleted as well, or retention has removed it. Go on in another run: {way_on(topics.run)} ({WAY_ON})"
        )
    if evidence.problems:
        last = (
            f"{topics.meta}: the settings are not those of run {topics.run!r}; give its own, or go on in another run: "
            f"{way_on(topics.run)} ({WAY_ON})"
        )
        raise LogError("\n".join([*evidence.problems.values(), last]))
    return Remade(evidence.manifest, evidence.remarks)


class _Evidence:
    """What the partials and snapshots of a run say of its settings.

    Attributes:
        problems: by what differs, the first line that shows it.
        changes: the last control record of each partition q.
        is_cut: whether retention has removed partials, and with them control records.
    """

    def __init__(self, own: Manifest, topics: RunTopics) -> None:
        self.problems: dict[str, str] = {}
        self.changes: dict[int, Change] = {}
        self._own = own
        self._topics = topics
        self._partitions: int | None = None
        self._signed = self._with_snapshots = self.is_cut = False

    def take(self, record: ScannedRecord) -> None:
        """Hold a record of the partials against the settings.

        Raises:
            LogError: it is none that this version can read.
        """
        place = f"{self._topics.partials}-{record.partition}-{record.offset}"
        if is_change(record.headers):
            self.changes[record.partition] = change = decode_change(record.value, place)
            self.problems.pop("fingerprint", None)  # the last one holds
            if change.fingerprint != self._own.fingerprint:
                self._differ("fingerprint", place, self._fingerprints(change.fingerprint))
            return
        partial = decode_partial(record.value, place)
        least = partial.partitions if self._partitions is None else min(self._partitions, partial.partitions)
        self._partitions = least  # when the run was made, as far as anybody knows: it only grows
        self._compare(partial, record.partition, place)
        fold = dict(record.headers).get(FOLD_HEADER)
        if fold is not None:
            self._signed = True
            if fold.decode(errors="replace") != self._own.fold_fingerprint:
                self._differ(
                    "fold",
                    place,
                    f"was made under fold fingerprint {fold.decode(errors='replace')}, here it is "
                    f"{self._own.fold_fingerprint}: a mapping, rate or setting of [fold] or [[panels]] that decides "
                    "where a transaction counts differs",
                )

    def compare_snapshot(self, q: int, configuration: str | None) -> None:
        """Hold what the newest snapshot of a partition was written under against the settings; None: there is none."""
        if configuration is None:
            return
        self._with_snapshots = True
        if configuration != self._own.fingerprint:
            self._differ("fingerprint", f"{self._topics.partials}-{q}", self._fingerprints(configuration))

    @property
    def is_none(self) -> bool:
        """Return whether there is nothing that the settings could be held against."""
        return self._partitions is None and not self.changes and not self._with_snapshots

    @property
    def manifest(self) -> Manifest:
        """Return the manifest: what the settings give, and what was changed in the run."""
        number = max((change.number for change in self.changes.values()), default=0)
        return msgspec.structs.replace(
            self._own,
            transactions_partitions=self._partitions or self._own.transactions_partitions,
            change=number,
            published={q: each.published for q, each in self.changes.items() if each.number == number},
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what nothing was found of that the settings could be held against."""
        found = []
        if self._partitions is not None and not self._signed:
            found.append(
                f"{self._topics.partials}: an earlier version sent what stands there, which does not say under which "
                "settings it was made; that [fold], mappings and rates are those of the run is your word alone"
            )
        if self._partitions is not None and not self.changes and not self._with_snapshots:
            found.append(
                f"{self._topics.partials}: no snapshot of it is found; that models and the settings of [coverage], "
                "[detection] and [alerts] are those of the run is your word alone"
            )
        if self.is_cut and not self.changes:
            found.append(
                f"{self._topics.partials}: its beginning is removed; that `topics change` was never run, or that these "
                "settings are those of the last one, is your word alone"
            )
        return tuple(found)

    def _compare(self, partial: Partial, q: int, place: str) -> None:
        size, own = self._own.block_size, self._own
        begins = partial.block * size
        if partial.lost is None and partial.last >= 0 and not begins <= partial.last + 1 <= begins + size:
            self._differ(
                "block_size",
                place,
                f"is of block {partial.block} up to offset {partial.last}, which is none of {size} offsets; "
                "fold.block_size differs",
            )
        if partial.end:
            self._differ("replay", place, f"ends a replay. {replayed_anew(self._topics.run)}")
        for panel in {row.panel for row in partial.rows}:
            if own.panels.get(panel) != q:
                where = f"here it is of partition {own.panels[panel]}" if panel in own.panels else "here is none such"
                self._differ(
                    f"panel {panel}", place, f"counts for panel {panel!r}, {where}; the panels of the run differ"
                )

    def _fingerprints(self, found: str) -> str:
        return (
            f"the run's fingerprint is {found}, here it is {self._own.fingerprint}: a model, a holiday or a setting of "
            "[fold], [coverage], [detection], [alerts] or [[panels]] differs, or the version of earlywarn"
        )

    def _differ(self, what: str, place: str, line: str) -> None:
        self.problems.setdefault(what, f"{place}: {line}")


def _newest(store: SnapshotStore, q: int) -> str | None:
    """Return the configuration of the newest snapshot of a partition that can be read."""
    for offset in store.offsets(q):
        try:
            return configuration_of(store.load(q, offset))
        except SnapshotError:  # the next older one says it as well
            continue
    return None
