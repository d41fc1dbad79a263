"""A stream as it may be in production, made from logs: chopping, flushes, crashes, zombies, repeats, interleaving.

Partials of a worker that chops may travel in parts, between which it may die.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from fold_oracle import Cell, Payment

from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.ledger import PanelLedger
from earlywarn.aggregation.merge import Applied, Difference, PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import cut
from earlywarn.aggregation.route import Router
from earlywarn.aggregation.rows import AggregateRows, ClosedDay
from earlywarn.domain.panel import Panel
from earlywarn.domain.state import decode_state, encode_state

RECEIVED_MS = 4_000_000_000_000


def undisturbed(
    panels: Sequence[Panel], parameters: FoldParameters, logs: Sequence[Sequence[Payment]]
) -> list[Partial]:
    """Return the partials of one worker for each partition, in batches of one log, one after the other."""
    return [
        partial
        for partition, log in enumerate(logs)
        for partial in _worker(panels, parameters, partition, logs, Random(0), 0, None, batch=len(log) or 1, end=True)
    ]


def disturbed(
    panels: Sequence[Panel],
    parameters: FoldParameters,
    logs: Sequence[Sequence[Payment]],
    rng: Random,
    *,
    idle: bool = False,
) -> list[Partial]:
    """Return the partials as several workers may send them, with crashes, zombies, repeats and interleaving."""
    streams = [_partition(panels, parameters, partition, logs, rng, idle=idle) for partition in range(len(logs))]
    merged = _interleave(streams, rng)
    for _ in range(rng.randrange(4)):
        if merged:
            at = rng.randrange(len(merged))
            merged.insert(rng.randint(at, len(merged)), merged[at])
    return merged


def _partition(
    panels: Sequence[Panel],
    parameters: FoldParameters,
    partition: int,
    logs: Sequence[Sequence[Payment]],
    rng: Random,
    *,
    idle: bool,
) -> list[Partial]:
    """Return a partition's partials from a worker that may die, its successor, and what the dead still sends."""
    first = list(_worker(panels, parameters, partition, logs, rng, 0, None, end=True, idle=idle))
    if rng.random() < 0.4:
        return first
    cut = rng.randint(0, len(first))
    sent, zombie = first[:cut], first[cut : cut + rng.randint(0, 3)]
    block = max((partial.block for partial in sent), default=0)
    position = block * parameters.block_size
    newest = None
    probe = BlockFold(Router(panels), parameters, partition=partition, partitions=len(logs))
    before = [each.transaction() for each in logs[partition][:position]]
    if before:
        probe.add(range(position), before, RECEIVED_MS)
        newest = probe.event_time_ms
    successor = list(_worker(panels, parameters, partition, logs, rng, position, newest, end=True, idle=idle))
    return sent + _interleave([zombie, successor], rng)


def _worker(
    panels: Sequence[Panel],
    parameters: FoldParameters,
    partition: int,
    logs: Sequence[Sequence[Payment]],
    rng: Random,
    position: int,
    newest: int | None,
    *,
    batch: int | None = None,
    end: bool,
    idle: bool = False,
) -> Iterator[Partial]:
    """Yield what one worker sends of a partition's log from `position` on."""
    fold = BlockFold(
        Router(panels),
        parameters,
        partition=partition,
        partitions=len(logs),
        position=position,
        event_time_ms=newest,
    )
    log = logs[partition]
    rows_at_most = 1_000 if batch else rng.choice([1, 2, 1_000])

    def parts(partial: Partial) -> list[Partial]:
        return cut(partial, lambda piece: max(len(piece.rows), len(piece.unread)) <= rows_at_most)

    while position < len(log):
        size = batch or rng.randint(1, 7)
        part = [each.transaction() for each in log[position : position + size]]
        sealed, _ = fold.add(range(position, position + len(part)), part, RECEIVED_MS)
        for partial in sealed:
            yield from parts(partial)
        position += len(part)
        if rng.random() < 0.5:
            news = fold.flush(idle=idle and rng.random() < 0.3)
            if news is not None:
                yield from parts(news)
    if end:
        last = fold.flush(end=True)
        assert last is not None
        yield from parts(last)


def _interleave(streams: Sequence[Sequence[Partial]], rng: Random) -> list[Partial]:
    queues = [list(stream) for stream in streams if stream]
    merged = []
    while queues:
        queue = rng.choice(queues)
        merged.append(queue.pop(0))
        queues = [each for each in queues if each]
    return merged


COVERAGE = CoverageParameters(sizeable_transactions=2, fill_days=28)
"""So small that a handful of payments can fall silent, and a month of silence is a rest."""


class SecondFold:
    """Merge and the ledgers of all panels together, restarted from a snapshot wherever `rng` says.

    `uncounted` holds what came too late for any bucket, `unread` by panel, cell and bucket what was not accepted.
    """

    def __init__(
        self, panels: Panel | Sequence[Panel], parameters: FoldParameters, partitions: int, rng: Random | None = None
    ) -> None:
        self.panels = (panels,) if isinstance(panels, Panel) else tuple(panels)
        self.parameters, self.partitions = parameters, partitions
        self.rows: list[AggregateRows] = []
        self.days: list[ClosedDay] = []
        self.rejected: dict[str, int] = {}
        self.unread: Counter[tuple[str, Cell, int]] = Counter()
        self.uncounted: list[Difference] = []
        self._rng = rng
        self.fold, self.ledgers = self._new()

    def _new(self) -> tuple[PartialsFold, dict[str, PanelLedger]]:
        fold = PartialsFold(partitions=self.partitions, lateness_seconds=self.parameters.lateness_seconds)
        horizon = self.parameters.revision_horizon_days
        return fold, {
            panel.id: PanelLedger(panel, revision_horizon_days=horizon, coverage=COVERAGE) for panel in self.panels
        }

    def apply(self, partials: Sequence[Partial]) -> None:
        """Apply partials; crash and restore between any two of them, now and then."""
        for partial in partials:
            self._take(self.fold.apply(partial), partial.partition)
            for ledger in self.ledgers.values():
                for output in ledger.close(self.fold):
                    if isinstance(output, AggregateRows):
                        self.rows.append(output)
                    else:
                        self.days.append(output)
            if self._rng is not None and self._rng.random() < 0.15:
                self._restart()

    def _take(self, applied: Applied, partition: int) -> None:
        for reason, count in applied.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for difference in applied.differences:
            if not self.ledgers[difference.panel].add(difference, partition):
                self.uncounted.append(difference)
        for each in applied.delivered:
            self.ledgers[each.panel].deliver(each, partition)
        for each in applied.unread:
            self.ledgers[each.panel].miss(each, partition)
            self.unread[each.panel, (each.region, each.sector), each.bucket] += each.transactions

    def _restart(self) -> None:
        ledgers = {name: ledger.state() for name, ledger in self.ledgers.items()}
        saved = decode_state(encode_state({"fold": self.fold.state(), "ledgers": ledgers}))
        self.fold, self.ledgers = self._new()
        self.fold.restore(saved["fold"])
        for name, ledger in self.ledgers.items():
            ledger.restore(saved["ledgers"][name])
