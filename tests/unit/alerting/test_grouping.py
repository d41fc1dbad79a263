"""Grouping: which alarms count, which totals take over, and who is whose child."""

from datetime import date

import numpy as np

from earlywarn.alerting.episode import Episode
from earlywarn.alerting.grouping import adopt, counting, membership, taken_over
from earlywarn.detection.hierarchy import NodeTree

# Two regions x two sectors; nodes: 0..3 cells (R x, R y, S x, S y), 4 R, 5 S, 6 x, 7 y, 8 panel.
NODES = NodeTree([("R", "x"), ("R", "y"), ("S", "x"), ("S", "y")]).nodes
MEMBERS = membership(NODES)
SHARE = 0.5


def counted(scores: dict[int, float], carried_by: dict[int, list[float]], standing: tuple[int, ...] = ()) -> list[int]:
    values = np.zeros(9)
    contributions = list(MEMBERS.astype(float))
    for node, score in scores.items():
        values[node] = score
    for node, shares in carried_by.items():
        contributions[node] = shares
    return counting(sorted(scores), values, MEMBERS, contributions, set(standing), SHARE)


def taking(alarming: set[int], weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)) -> dict[int, list[int]]:
    return taken_over(NODES, alarming, MEMBERS, np.array(weights), SHARE)


def episode(region: str | None, sector: str | None, score: float = 1.0) -> Episode:
    day = date(2020, 2, 27)
    return Episode(f"{region}/{sector}", region, sector, "down", day, day, day, day, score=score, children=[])


def test_membership_follows_the_tree() -> None:
    assert MEMBERS[:4].tolist() == np.eye(4, dtype=bool).tolist()
    assert MEMBERS[4:].astype(int).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]]


def test_the_parts_of_the_strongest_count() -> None:
    assert counted({4: 5.0, 0: 2.0, 1: 3.0}, {}) == [4, 1, 0]


def test_a_total_that_one_cell_carries_does_not_count() -> None:
    assert counted({0: 9.0, 4: 3.0, 8: 2.0}, {4: [9, 1, 0, 0], 8: [9, 1, 1, 1]}) == [0]


def test_a_total_with_evidence_of_its_own_counts_beside_its_cell() -> None:
    assert counted({0: 9.0, 4: 8.0}, {4: [1, 9, 0, 0]}) == [0, 4]


def test_a_standing_total_counts_whatever_carries_it() -> None:
    assert counted({0: 9.0, 4: 3.0}, {4: [9, 1, 0, 0]}, standing=(4,)) == [0, 4]


def test_alarms_inside_a_standing_total_count() -> None:
    assert counted({4: 9.0, 6: 8.0}, {6: [9, 0, 1, 0]}, standing=(8,)) == [4, 6]


def test_a_total_takes_over_when_its_alarms_hold_most_of_its_spending() -> None:
    assert taking({0, 1}, (3.0, 3.0, 9.0, 9.0)) == {4: [0, 1]}
    assert taking({0, 3}, (1.0, 1.0, 9.0, 1.0)) == {}


def test_the_panel_goes_before_its_parts() -> None:
    """Where the panel takes over, no region or sector does: there is one parent."""
    assert taking({0, 1, 2}) == {8: [0, 1, 2]}
    assert taking({4, 5}) == {8: [4, 5]}


def test_one_cell_is_no_region_however_large() -> None:
    assert taking({0}, (9.0, 1.0, 1.0, 1.0)) == {}


def test_a_container_adopts_what_is_open_inside_it() -> None:
    cells = [episode("R", "x"), episode("R", "y"), episode("S", "x")]
    region = episode("R", None)
    adopt([*cells, region])
    assert [each.parent for each in (*cells, region)] == [region.id, region.id, None, None]
    assert region.children == [cells[0].id, cells[1].id]
    assert [each.has_news for each in (*cells, region)] == [True, True, False, True]


def test_families_have_one_level() -> None:
    """When the panel opens, a region becomes its child, and so do the region's cells."""
    cell, region, panel = episode("R", "x"), episode("R", None), episode(None, None)
    adopt([cell, region])
    adopt([cell, region, panel])
    assert (cell.parent, region.parent, panel.parent) == (panel.id, panel.id, None)
    assert (region.children, panel.children) == ([], [region.id, cell.id])


def test_a_parent_is_kept_beside_a_stronger_one() -> None:
    """A cell of an open sector stays its child when its region opens as well; a new one goes to the stronger."""
    old, new = episode("R", "x"), episode("S", "x")
    sector = episode(None, "x")
    adopt([old, sector])
    regions = [episode("R", None, score=9.0), episode("S", None, score=9.0)]
    adopt([old, new, sector, *regions])
    assert old.parent == sector.id
    assert new.parent == regions[1].id


def test_nothing_is_news_twice() -> None:
    cell, region = episode("R", "x"), episode("R", None)
    adopt([cell, region])
    cell.has_news = region.has_news = False
    adopt([cell, region])
    assert not cell.has_news
    assert not region.has_news
