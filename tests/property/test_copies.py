"""De-duplication: however a log is cut, batched, interrupted and read again, copies are those of a plain look back."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from random import Random
from typing import NamedTuple

import msgspec
from fold_oracle import HOUR_MS
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.adapters import arrow_batch
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.application.aggregator import Aggregator, BlockStart, DeadLetter
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.transaction import Transaction

START_MS = 1_553_900_400_000
RECEIVED_MS = START_MS + 60 * HOUR_MS
PANEL = PanelSettings(id="CH", countries=("CH",), any_region=True, region_level=None, classification="open")
BLOCK = 3
LATENESS_HOURS, HORIZON_DAYS = 2, 2


class Record(NamedTuple):
    """A transaction of a log; `hour` after the start, or beyond the time of receipt where it is None."""

    name: str
    hour: int | None
    amount_minor: int
    kind: str
    source: str | None

    def transaction(self) -> Transaction:
        at = RECEIVED_MS + 24 * HOUR_MS if self.hour is None else START_MS + self.hour * HOUR_MS
        return Transaction(
            id=self.name, ts=at, amount_minor=self.amount_minor, currency="CHF", sector="x", region="R", country="CH",
            kind=self.kind, source=self.source,  # type: ignore[arg-type]  # one of the three
        )  # fmt: skip


Message = list[Record]
RECORDS = st.builds(
    Record,
    name=st.sampled_from("abcde"),
    hour=st.sampled_from([0, 0, 1, 2, 3, 5, 30, 60, -50, None]),
    amount_minor=st.sampled_from([1, 10, 100, 1_000, -7]),
    kind=st.sampled_from(["purchase", "purchase", "purchase", "refund", "reversal"]),
    source=st.sampled_from([None, None, "", "s"]),
)
LOGS = st.lists(st.lists(RECORDS, min_size=1, max_size=4), max_size=20)


@cache
def run(blocks: int) -> Run:
    settings = Settings(panels=(PANEL,))
    fold = msgspec.structs.replace(
        settings.fold,
        block_size=BLOCK,
        lateness_seconds=LATENESS_HOURS * 3600,
        revision_horizon_days=HORIZON_DAYS,
        deduplicate_blocks=blocks,
    )
    return compose(msgspec.structs.replace(settings, fold=fold))


@dataclass
class Found:
    """Accepted transactions and amount, and reasons by place in the log."""

    transactions: int = 0
    amount_minor: int = 0
    reasons: dict[tuple[int, int], str] = field(default_factory=dict)


def looked_back(log: list[Message], blocks: int) -> Found:
    """Look back from every record through those before it: the definition, word for word."""
    found = Found()
    acceptable: list[tuple[int, tuple[str, str, str]]] = []
    newest: int | None = None
    for offset, message in enumerate(log):
        for index, record in enumerate(message):
            place, mark = (offset, index), (record.name, record.kind, record.source or "")
            if record.hour is None:
                found.reasons[place] = "time_in_future"
                continue
            end = record.hour + 1
            too_late = newest is not None and end <= newest - HORIZON_DAYS * 24
            if record.kind == "purchase" and record.amount_minor < 0:
                found.reasons[place] = "too_late" if too_late else "amount_out_of_range"
                continue
            is_copy = any(mark == each and at > offset - blocks * BLOCK for at, each in acceptable)
            acceptable.append((offset, mark))
            if is_copy or too_late:
                found.reasons[place] = "duplicate" if is_copy else "too_late"
                continue
            newest = record.hour if newest is None else max(newest, record.hour)
            found.transactions += {"purchase": 1, "refund": 0, "reversal": -1}[record.kind]
            found.amount_minor += abs(record.amount_minor) * (1 if record.kind == "purchase" else -1)
    return found


@dataclass
class Batch:
    """Neighbouring records as the service hands them over."""

    start: int
    next: int
    offsets: list[int]
    values: list[bytes | None]
    headers: list[list[tuple[str, bytes | None]]] | None
    timestamps_ms: int = RECEIVED_MS


def folded(log: list[Message], blocks: int, rng: Random, holes: list[int] | None = None) -> tuple[Found, list[Partial]]:
    """Fold as workers do that die now and then: what they say twice must be the same.

    Before each record lies a hole of so many offsets, as transactions leave them; places found are numbers of records.
    """
    offsets = [at + sum((holes or [])[: at + 1]) for at in range(len(log))]
    end = offsets[-1] + 1 if offsets else 0
    values: list[bytes | None] = []
    headers: list[list[tuple[str, bytes | None]]] = []
    for message in log:
        single = len(message) == 1 and rng.random() < 0.7
        values.append(msgspec.json.encode(message[0].transaction()) if single else _arrow(message))
        headers.append([] if single else [(CONTENT_TYPE_HEADER, ARROW_STREAM)])
    worker = Aggregator(run(blocks), arrow_batch.decode, flush_seconds=1.0, idle_seconds=1.0)
    worker.assign({0: BlockStart()}, 1, now_seconds=0.0)
    found, sent, sealed = Found(), [], {}
    crashes = 4
    while worker.partitions[0].position < end:
        each = worker.partitions[0]
        if crashes and rng.random() < 0.3:
            crashes -= 1
            worker.assign({0: each.block_start}, 1, now_seconds=0.0)
            each = worker.partitions[0]
        first = bisect_left(offsets, each.position)
        last = min(first + rng.randint(1, 5), len(log))
        stop = rng.randint(offsets[last - 1] + 1, offsets[last] if last < len(log) else end)
        batch = Batch(each.position, stop, offsets[first:last], values[first:last], headers[first:last])
        if not any(batch.headers or []):
            batch.headers = None
        emission = each.take(batch, 0.0)
        if rng.random() < 0.4:
            emission.partials += each.flush().partials
        for partial in emission.partials:
            if partial.sealed:
                whole = (partial.rejected, partial.event_time_ms)
                assert sealed.setdefault(partial.block, whole) == whole
        sent += emission.partials
        _note([*emission.dead_letters, *chain.from_iterable(emission.batched_letters)], found, offsets)
    sent += [] if (last := worker.partitions[0].fold.flush(end=True)) is None else [last]
    merge = PartialsFold(partitions=1, lateness_seconds=LATENESS_HOURS * 3600)
    rejected: Counter[str] = Counter()
    for partial in sent:
        applied = merge.apply(partial)
        rejected.update(applied.rejected)
        for row in applied.differences:
            found.transactions += row.transactions
            found.amount_minor += row.amount_minor
    assert rejected == Counter(found.reasons.values())
    return found, sent


def _arrow(message: Message) -> bytes:
    return arrow_batch.encode([record.transaction() for record in message])


def _note(letters: list[DeadLetter], found: Found, offsets: list[int]) -> None:
    for letter in letters:
        reason, place = letter.reject.reason.value, (offsets.index(letter.offset), letter.index)
        assert found.reasons.setdefault(place, reason) == reason


@given(log=LOGS, blocks=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_copies_are_those_of_a_plain_look_back(log: list[Message], blocks: int, seed: int) -> None:
    """JSON and Arrow, any cuts, flushes and crashes: the same copies, sums and reasons, and blocks that agree."""
    found, _ = folded(log, blocks, Random(seed))
    assert found == looked_back(log, blocks)


@given(
    log=LOGS, blocks=st.integers(1, 4), holes=st.lists(st.integers(0, 9), min_size=20, max_size=20), seed=st.integers()
)
def test_copies_do_not_depend_on_offsets(log: list[Message], blocks: int, holes: list[int], seed: int) -> None:
    """A log and its replay hold the same records at other offsets: whoever takes over looks back far enough."""
    found, _ = folded(log, blocks, Random(seed), holes)
    assert found == looked_back(log, blocks)


@given(log=LOGS, seed=st.integers(0, 2**32))
def test_off_nothing_is_a_copy(log: list[Message], seed: int) -> None:
    found, _ = folded(log, 0, Random(seed))
    assert found == looked_back(log, 0)
    assert "duplicate" not in found.reasons.values()


@given(
    names=st.lists(st.integers(0, 30), min_size=1, max_size=60),
    copies=st.integers(1, 3),
    order=st.randoms(use_true_random=False),
    seed=st.integers(0, 2**32),
)
def test_sent_three_times_in_any_order_counts_once(names: list[int], copies: int, order: Random, seed: int) -> None:
    """Within the window any producer that repeats itself gives the sums of one that does not."""
    once = [Record(f"r{name}", 0, 10 + name, "purchase", None) for name in sorted(set(names))]
    log = [[record] for record in once * copies]
    order.shuffle(log)
    found, _ = folded(log, len(log), Random(seed))
    assert (found.transactions, found.amount_minor) == (len(once), sum(record.amount_minor for record in once))
    assert Counter(found.reasons.values()) == (Counter(duplicate=len(once) * (copies - 1)) if copies > 1 else Counter())
