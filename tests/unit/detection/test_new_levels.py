"""Levels that are looked for: of the days with payments alone, whatever one of them was, and kept over a restart."""

import numpy as np

from earlywarn.detection.new_levels import NewLevels
from earlywarn.domain.state import decode_state, encode_state

CELLS, DAYS = 3, 7
LEVELS = np.log([100.0, 40.0, 7.0, 5_000.0, 2_000.0, 350.0])
NOISE = np.full(2 * CELLS, 0.01)


def looking(cells: list[bool]) -> NewLevels:
    levels = NewLevels(DAYS)
    levels.embed(np.zeros(0, dtype=np.int64), CELLS)
    levels.begin(np.array(cells))
    return levels


def test_one_day_that_is_like_no_other_moves_no_level() -> None:
    levels = looking([True, False, True])
    for day in range(DAYS):
        assert levels.looking.tolist() == [True, False, True]
        assert not levels.found.any()
        weekday = np.full(2 * CELLS, 0.1 * day)
        assert levels.look(LEVELS + weekday + (1.6 if day == 0 else 0.0), weekday).tolist() == [True, False, True]
    assert levels.found.tolist() == [True, False, True]
    kept = np.tile([True, False, True], 2)
    found, variance = levels.levels(NOISE)
    assert np.allclose(found, np.where(kept, LEVELS, 0.0))
    assert (variance[kept] > np.pi / 2 * NOISE[kept] / DAYS).all()  # the days were further apart than one is uncertain
    assert (variance[~kept] == 0).all()
    assert not levels.look(LEVELS, np.zeros(2 * CELLS)).any()  # found: it is expected again from the next day on
    levels.end(np.array([True, True, True]))
    assert not levels.looking.any()


def test_days_without_payments_are_not_counted() -> None:
    levels = looking([True, True, True])
    for day in range(2 * DAYS):
        closed = np.tile([False, day % 2 == 0, False], 2)
        levels.look(np.where(closed, -np.inf, LEVELS), np.zeros(2 * CELLS))
        assert levels.found.tolist() == [day >= DAYS - 1, day >= 2 * DAYS - 1, day >= DAYS - 1]
    assert np.allclose(levels.levels(NOISE)[0], LEVELS)


def test_what_was_seen_is_kept_and_laid_out_anew() -> None:
    levels = looking([True, False, True])
    for _ in range(4):
        levels.look(LEVELS, np.zeros(2 * CELLS))
    restored = NewLevels(DAYS)
    restored.embed(np.zeros(0, dtype=np.int64), CELLS)
    restored.restore(decode_state(encode_state(levels.state())))
    restored.embed(np.array([0, 2, 3]), 4)
    assert restored.looking.tolist() == [True, False, False, True]
    wider = np.insert(LEVELS, [1, 4], 3.0)
    for _ in range(3):
        restored.look(wider, np.zeros(8))
    assert np.allclose(
        restored.levels(np.full(8, 0.01))[0], np.where(np.tile([True, False, False, True], 2), wider, 0.0)
    )


def test_a_fall_in_the_midst_of_the_days_is_no_part_of_the_level() -> None:
    """From the fourth day on everything halves; a rise, or one day that is lower, is none of that."""
    for step, first, expected in ((-0.7, 3, 0.0), (-0.7, 6, 0.0), (0.7, 3, 0.7), (-0.2, 3, -0.2)):
        levels = looking([True, True, True])
        for day in range(DAYS):
            levels.look(LEVELS + (step if day >= first else 0.0), np.zeros(2 * CELLS))
        assert np.allclose(levels.levels(NOISE)[0], LEVELS + expected)
