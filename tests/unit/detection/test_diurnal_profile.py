"""The usual course of a day: shares by hour, days of 23 and 25 hours, missing hours, cells too small to know theirs."""

import numpy as np
import pytest

from earlywarn.detection.day_scores import Floats
from earlywarn.detection.diurnal_profile import HOURS, KINDS, DiurnalParameters, DiurnalProfile, kinds_of
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.errors import ConfigError
from earlywarn.generate.options import HOURLY_PROFILE

CLOCK = np.ones(HOURS)
USUAL = np.array(HOURLY_PROFILE) / sum(HOURLY_PROFILE)
LATE = np.roll(USUAL, 3)
TREE = NodeTree([(region, sector) for region in ("R1", "R2", "R3") for sector in ("a", "b")])
CELLS = len(TREE.series)
WORKING = np.zeros(CELLS, dtype=np.int64)
HEARD = np.ones((CELLS, HOURS), dtype=bool)


def taught(shares: Floats, sizes: Floats, *, days: int = 60, noise: float = 0.0, seed: int = 1) -> DiurnalProfile:
    rng, profile = np.random.default_rng(seed), DiurnalProfile(DiurnalParameters(), TREE)
    for _ in range(days):
        wander = np.exp(noise * rng.standard_normal(HOURS))  # the same for all cells
        profile.learn(WORKING, CLOCK, rng.poisson(sizes[:, None] * shares * wander).astype(float), HEARD)
    return profile


def test_large_cells_know_their_own_course_and_tiny_ones_that_of_their_sector() -> None:
    shares = np.where((TREE.sector_of == 1)[:, None], LATE, USUAL)
    sizes = np.array([5e3, 5e3, 5e3, 5e3, 3.0, 3.0])
    found = taught(shares, sizes).shares(WORKING, CLOCK)
    assert np.abs(found - shares).max() < 0.01
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-12


def test_a_kind_of_day_never_seen_is_taken_as_the_others() -> None:
    found = taught(np.tile(USUAL, (CELLS, 1)), np.full(CELLS, 5e3)).shares(kinds_of(0, np.ones(CELLS, bool)), CLOCK)
    assert np.abs(found - USUAL).max() < 0.01


@pytest.mark.parametrize("times", [0.0, 2.0])
def test_an_hour_that_the_clock_leaves_out_or_shows_twice_leaves_the_course_as_it_was(times: float) -> None:
    shares, sizes = np.tile(np.full(HOURS, 1 / 24), (CELLS, 1)), np.full(CELLS, 24e3)
    profile, clock = taught(shares, sizes), CLOCK.copy()
    clock[2] = times
    before = profile.shares(WORKING, CLOCK)
    for _ in range(50):
        profile.learn(WORKING, clock, sizes[:, None] * shares * clock, HEARD)
    after = profile.shares(WORKING, CLOCK)
    assert np.abs(after - 1 / 24).max() < np.abs(before - 1 / 24).max() + 1e-6
    assert profile.shares(WORKING, clock)[0, 2] == pytest.approx(times / (23 + times), abs=1e-3)


def test_hours_that_were_not_heard_are_taken_as_usual() -> None:
    shares, sizes = np.tile(USUAL, (CELLS, 1)), np.full(CELLS, 5e3)
    profile, heard = taught(shares, sizes), HEARD.copy()
    heard[:, 12:16] = False
    for _ in range(100):
        profile.learn(WORKING, CLOCK, np.where(heard, sizes[:, None] * shares, 0.0), heard)
    assert np.abs(profile.shares(WORKING, CLOCK) - USUAL).max() < 0.005


def test_of_closed_cells_nothing_is_learned() -> None:
    profile = taught(np.tile(USUAL, (CELLS, 1)), np.full(CELLS, 5e3))
    before = profile.state()
    profile.learn(WORKING, CLOCK, np.zeros((CELLS, HOURS)), HEARD & False)
    assert all(np.array_equal(before[name], after) for name, after in profile.state().items())


def test_the_noise_of_poisson_counts_is_that_of_chance_alone() -> None:
    sizes = np.full(CELLS, 2e3)
    profile = taught(np.tile(USUAL, (CELLS, 1)), sizes, days=400)
    come = np.full(CELLS, USUAL[:12].sum())
    chance = (1 - come[0]) / (sizes.sum() * come[0])
    # The usual course is itself learned from some weeks, which adds about a quarter.
    assert 0.9 * chance < profile.variance(WORKING, sizes, come, 11)[-1] < 1.6 * chance


def test_what_all_cells_share_is_found_at_the_panel() -> None:
    sizes = np.full(CELLS, 1e5)
    profile = taught(np.tile(USUAL, (CELLS, 1)), sizes, days=300, noise=0.1)
    come, rng = np.full(CELLS, USUAL[:12].sum()), np.random.default_rng(9)
    course = USUAL * np.exp(0.1 * rng.standard_normal((5000, HOURS)))
    truth = np.var(np.log(course[:, :12].sum(axis=1) / course.sum(axis=1)))
    assert profile.variance(WORKING, sizes, come, 11)[-1] == pytest.approx(truth, rel=0.35)
    assert profile.variance(WORKING, sizes, np.ones(CELLS), 23)[-1] == 0.0


def test_a_state_goes_on_as_the_profile_and_a_grown_tree_keeps_what_it_knows() -> None:
    profile = taught(np.tile(LATE, (CELLS, 1)), np.full(CELLS, 5e3))
    other = DiurnalProfile(DiurnalParameters(), TREE)
    other.restore(profile.state())
    assert np.array_equal(other.shares(WORKING, CLOCK), profile.shares(WORKING, CLOCK))
    grown = NodeTree([("R0", "a"), *TREE.series])
    profile.embed(grown)
    found = profile.shares(np.zeros(CELLS + 1, dtype=np.int64), CLOCK)
    assert np.abs(found - LATE).max() < 0.01
    assert np.array_equal(profile.excess[grown.index[TREE.nodes[-1]]], other.excess[-1])


def test_kinds_and_ranges() -> None:
    assert [KINDS[kinds_of(day, np.zeros(1, bool))[0]] for day in (3, 4, 6)] == [
        "monday to thursday",
        "friday",
        "sunday",
    ]
    with pytest.raises(ConfigError, match="memory"):
        DiurnalParameters(memory=1.0)
