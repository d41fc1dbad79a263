"""Which snapshot is taken: the newest that is of this log, this program and this configuration, and lies within."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import RunFold
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.application.snapshots import LogExtent, LogPlace, encode_snapshot, recover
from earlywarn.domain.state import State, decode_state, encode_state
from earlywarn.errors import LogError

LOG = "this-log"
EXTENT = LogExtent(LOG, 0, 0, 20)


@pytest.fixture(scope="module")
def run() -> Run:
    return compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))


@pytest.fixture
def store(tmp_path: Path) -> FolderSnapshots:
    return FolderSnapshots(tmp_path, LOG, kept=9)


def new_fold(run: Run) -> Callable[[], RunFold]:
    return lambda: compose_fold(run, 1, frozenset({"CH"}))


def saved(run: Run, place: LogPlace, change: Callable[[State], object] = lambda _: None) -> bytes:
    """Return the snapshot of an empty fold, its state changed."""
    line, _, state = encode_snapshot(new_fold(run)(), place).partition(b"\n")
    values = decode_state(state)
    change(values)
    return line + b"\n" + encode_state(values)


def without_leaps(state: State) -> None:
    del state["panels"]["CH"]["ledger"]["leaps"]


def of_another_shape(state: State) -> None:
    state["panels"]["CH"]["ledger"]["leaps"] = 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (without_leaps, "KeyError: 'leaps'"),
        (of_another_shape, "TypeError"),
        (lambda state: state.pop("fold"), "KeyError: 'fold'"),
        (lambda state: state.update(layout={**state["layout"], "aggregation": 0}), "'aggregation': 0"),
        (lambda state: state.pop("layout"), "no version"),
    ],
)
def test_a_state_of_another_program_is_refused_and_the_one_before_taken(
    run: Run, store: FolderSnapshots, change: Callable[[State], object], named: str
) -> None:
    store.save(0, 5, saved(run, LogPlace(LOG, 0, 5)))
    store.save(0, 9, saved(run, LogPlace(LOG, 0, 9), change))
    recovered = recover(EXTENT, store, new_fold(run))
    assert recovered.position == 5
    [problem] = recovered.problems
    assert problem.startswith("snapshot 9 of partition 0 is refused:")
    assert named in problem


@pytest.mark.parametrize(
    "place",
    [LogPlace("another-log", 0, 9), LogPlace(LOG, 1, 9), LogPlace(LOG, 0, 8)],
    ids=["log", "partition", "offset"],
)
def test_a_snapshot_of_another_place_is_refused(run: Run, store: FolderSnapshots, place: LogPlace) -> None:
    """Whatever it is called: copied from another run or cluster, or renamed."""
    store.save(0, 5, saved(run, LogPlace(LOG, 0, 5)))
    store.save(0, 9, saved(run, place))
    recovered = recover(EXTENT, store, new_fold(run))
    assert recovered.position == 5
    assert f"it is of log {place.log}, partition {place.partition}, offset {place.offset}" in recovered.problems[0]


def test_a_snapshot_beyond_the_end_of_the_log_is_refused(run: Run, store: FolderSnapshots) -> None:
    for offset in (5, 20, 21):
        store.save(0, offset, saved(run, LogPlace(LOG, 0, offset)))
    recovered = recover(EXTENT, store, new_fold(run))
    assert recovered.position == 20
    assert "snapshot 21 of partition 0 is refused: the log ends at 20" in recovered.problems[0]


def test_a_log_without_its_beginning_needs_a_snapshot_that_reaches_over_the_hole(
    run: Run, store: FolderSnapshots
) -> None:
    shortened = LogExtent(LOG, 0, 7, 20)
    store.save(0, 5, saved(run, LogPlace(LOG, 0, 5)))
    with pytest.raises(LogError, match="begins at offset 7, and 0 is needed") as caught:
        recover(shortened, store, new_fold(run))
    assert "snapshot 5 of partition 0 is refused: the log begins at 7 only" in str(caught.value)
    store.save(0, 7, saved(run, LogPlace(LOG, 0, 7)))
    assert recover(shortened, store, new_fold(run)).position == 7
