"""Grouping: which alarm explains the day, and which others it explains."""

import numpy as np

from earlywarn.alerting.grouping import group

# Two regions x two sectors; nodes: 0..3 cells (R x, R y, S x, S y), 4 R, 5 S, 6 x, 7 y, 8 panel.
MEMBERS = np.array(
    [
        *np.eye(4, dtype=bool),
        [True, True, False, False],
        [False, False, True, True],
        [True, False, True, False],
        [False, True, False, True],
        [True, True, True, True],
    ]
)


def grouped(scores: dict[int, float], carried_by: dict[int, list[float]], standing: tuple[int, ...] = ()) -> object:
    values = np.zeros(9)
    contributions = MEMBERS.astype(float)
    for node, score in scores.items():
        values[node] = score
    for node, shares in carried_by.items():
        contributions[node] = shares
    return group(sorted(scores), values, MEMBERS, contributions, standing, 0.5)


def test_the_strongest_is_the_top_and_its_parts_are_children() -> None:
    assert grouped({4: 5.0, 0: 2.0, 1: 3.0}, {}) == {4: None, 1: 4, 0: 4}


def test_a_total_that_one_cell_carries_is_no_alarm_of_its_own() -> None:
    assert grouped({0: 9.0, 4: 3.0, 8: 2.0}, {4: [9, 1, 0, 0], 8: [9, 1, 1, 1]}) == {0: None}


def test_a_total_with_evidence_of_its_own_takes_over_its_cell() -> None:
    assert grouped({0: 9.0, 4: 8.0}, {4: [1, 9, 0, 0]}) == {0: 4, 4: None}


def test_two_shocks_apart_are_two_tops() -> None:
    assert grouped({0: 3.0, 3: 4.0}, {}) == {3: None, 0: None}


def test_new_alarms_inside_a_standing_episode_are_its_children() -> None:
    assert grouped({0: 3.0}, {}, standing=(4,)) == {0: 4}


def test_children_have_one_level() -> None:
    """When the panel takes over a region, the region's cells become the panel's children too."""
    found = grouped({4: 5.0, 0: 3.0, 8: 4.9}, {8: [1, 1, 9, 9]})
    assert found == {4: 8, 0: 8, 8: None}
