"""Whitening by blocks and factors: the same maths as all pairs, positive definite, exactly inverted, bounded."""

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from earlywarn.detection.block_factor_form import BlockFactorForm
from earlywarn.detection.factor_correlation import FactorCorrelation
from earlywarn.detection.factor_layout import BLOCK_CELLS, FACTOR_GROUPS, FactorLayout
from earlywarn.detection.grouping import Grouping
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.symmetric_form import DenseForm, SymmetricForm, node_forms
from earlywarn.detection.whitening import InnovationCorrelation, pair_kinds
from earlywarn.detection.whitening_parameters import WhiteningParameters
from earlywarn.domain.state import decode_state, encode_state

Floats = npt.NDArray[np.float64]
AT_ONCE = WhiteningParameters(delay_days=0, use_after_days=0)


def grid(regions: int, sectors: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return np.repeat(np.arange(regions), sectors), np.tile(np.arange(sectors), regions)


def matrix(form: SymmetricForm, size: int) -> Floats:
    return np.array([form.apply(row) for row in np.eye(size)]).T


def planted(regions: int, sectors: int, days: int, seed: int = 4) -> Floats:
    """Draw innovations of unit variance: one factor a sector and measure, pairs alike in a cell, regions alike."""
    rng, (region_of, sector_of) = np.random.default_rng(seed), grid(regions, sectors)
    found = np.empty((days, 2 * regions * sectors))
    for day in range(days):
        sector, region = rng.standard_normal((2, sectors)), rng.standard_normal(regions)
        cell, own = rng.standard_normal(len(region_of)), rng.standard_normal((2, len(region_of)))
        measures = 0.55 * sector[:, sector_of] + 0.45 * region[region_of] + 0.5 * cell + 0.5 * own
        found[day] = measures.ravel()
    return found


def fed(innovations: Floats, layout: FactorLayout, parameters: WhiteningParameters = AT_ONCE) -> FactorCorrelation:
    model = FactorCorrelation(parameters, layout)
    for today in innovations:
        model.learn(today, np.ones(len(today), dtype=bool))
    return model


def test_one_block_is_the_full_form() -> None:
    """A panel of one region has nothing across blocks: every entry is that of the form of all pairs."""
    region_of, sector_of = grid(1, 5)
    innovations, seen = planted(1, 5, 200), np.ones(10, dtype=bool)
    layout = FactorLayout(region_of, sector_of)
    model = fed(innovations, layout)
    full = InnovationCorrelation(
        WhiteningParameters(
            delay_days=0, use_after_days=0, shrinkage_days=max(AT_ONCE.shrinkage_days, float(layout.numbers[0]))
        ),
        pair_kinds(region_of, sector_of),
    )
    for today in innovations:
        full.learn(today, seen)
    assert matrix(model.correlation(), 10) == pytest.approx(full.correlation().matrix)
    assert matrix(model.precision(seen), 10) == pytest.approx(full.precision(seen).matrix)


def test_within_blocks_pairs_are_learned_as_in_the_full_form() -> None:
    innovations, (region_of, sector_of) = planted(6, 3, 150), grid(6, 3)
    layout = FactorLayout(region_of, sector_of)
    model, full = fed(innovations, layout), InnovationCorrelation(AT_ONCE, pair_kinds(region_of, sector_of))
    for today in innovations:
        full.learn(today, np.ones(36, dtype=bool))
    for pair, place in zip(model.pairs, layout.places, strict=True):
        for block, series in zip(pair, place, strict=True):
            assert np.array_equal(block, full.moment[np.ix_(series, series)])
    member = (layout.factor_sets[0][:, None] == np.arange(layout.factors)) / 6
    assert model.cross == pytest.approx(full.moment @ member)
    assert model.scores == pytest.approx(member.T @ full.moment @ member)


def truth(regions: int, sectors: int) -> Floats:
    """Return the covariance that `planted` draws from."""
    region_of, sector_of = grid(regions, sectors)
    region, sector, cell = (which[:, None] == which for which in (region_of, sector_of, np.arange(len(region_of))))
    shared = 0.45**2 * region + 0.5**2 * cell
    alone = shared + 0.55**2 * sector + 0.5**2 * cell
    return np.block([[alone, shared], [shared, alone]]).astype(np.float64)


@pytest.mark.parametrize("regions", [10, 40, 80])
def test_where_factors_are_all_there_is_both_forms_agree(regions: int) -> None:
    """Of a planted structure, known exactly, both say the same but for 1 / R: a factor is the mean of R regions."""
    region_of, sector_of = grid(regions, 3)
    size = 2 * len(region_of)
    full = InnovationCorrelation(AT_ONCE, pair_kinds(region_of, sector_of))
    full.moment, full.days = truth(regions, 3), np.full(size, 10**7)
    model = FactorCorrelation(AT_ONCE, FactorLayout(region_of, sector_of))
    model.take_full(full, np.arange(size))
    one, other = (each.precision(np.ones(size, dtype=bool)) for each in (model, full))
    for today in planted(regions, 3, 5):
        theirs = other.apply(today)
        assert np.linalg.norm(one.apply(today) - theirs) < 1.5 / regions * np.linalg.norm(theirs)
    tree = NodeTree([(f"{region:03}", f"{sector}") for region in range(regions) for sector in range(3)])
    ours, theirs = (node_forms(tree, each, np.ones((size, 1))) for each in (one, other))
    cells = slice(0, len(region_of))
    assert ours[cells] == pytest.approx(theirs[cells], rel=1.5 / regions)
    assert ours == pytest.approx(theirs, rel=7.0 / regions)


def test_a_few_days_of_many_series_are_whitened_better_than_by_all_pairs() -> None:
    """The information that is really there (effect squared by true variance), of 400 series after 300 days."""
    regions, sectors = 20, 10
    region_of, sector_of = grid(regions, sectors)
    innovations, seen = planted(regions, sectors, 300), np.ones(400, dtype=bool)
    covariance = truth(regions, sectors)
    full = InnovationCorrelation(AT_ONCE, pair_kinds(region_of, sector_of))
    for today in innovations:
        full.learn(today, seen)

    def information(form: SymmetricForm) -> float:
        rows = matrix(form, 400)
        weights = rows[:200] + rows[200:]
        effect = weights[:, :200].diagonal() + weights[:, 200:].diagonal()
        return float(np.mean(np.log(effect**2 / np.einsum("ij,ij->i", weights @ covariance, weights))))

    model = fed(innovations, FactorLayout(region_of, sector_of))
    assert information(model.precision(seen)) > information(full.precision(seen)) + 0.3


@settings(max_examples=60, deadline=None)
@given(
    seed=some.integers(0, 10_000),
    regions=some.integers(1, 6),
    sectors=some.integers(1, 6),
    gaps=some.floats(0.0, 0.9),
    scale=some.sampled_from([0.0, 0.1, 1.0, 30.0]),
)
def test_it_is_positive_definite_and_exactly_inverted(
    seed: int, regions: int, sectors: int, gaps: float, scale: float
) -> None:
    """Whatever was seen of which series, of whatever size: X is positive definite, and P is its inverse."""
    rng = np.random.default_rng(seed)
    present = rng.uniform(size=regions * sectors) > 0.2
    present[0] = True
    region_of, sector_of = (which[present] for which in grid(regions, sectors))
    size = 2 * int(present.sum())
    parameters = WhiteningParameters(delay_days=0, use_after_days=3, memory=0.9, shrinkage_days=0.5)
    model = FactorCorrelation(parameters, FactorLayout(region_of, sector_of))
    root = rng.normal(size=(size, 3))
    for _ in range(40):
        today = scale * (root @ rng.normal(size=3) + 0.01 * rng.normal(size=size))
        seen = rng.uniform(size=size) > gaps
        model.learn(np.where(seen, today, 0.0), seen)
    dense = matrix(model.correlation(), size)
    assert dense == pytest.approx(dense.T)
    assert np.linalg.eigvalsh(dense).min() > 1e-4
    seen = rng.uniform(size=size) > gaps
    inverse = matrix(model.precision(seen), size)
    assert inverse[np.ix_(seen, seen)] == pytest.approx(np.linalg.inv(dense[np.ix_(seen, seen)]), rel=1e-6, abs=1e-6)
    assert not inverse[~seen].any()


@settings(max_examples=40, deadline=None)
@given(seed=some.integers(0, 10_000), factors=some.integers(0, 5))
def test_both_shapes_of_a_form_answer_as_the_matrix_does(seed: int, factors: int) -> None:
    """Products, diagonals and quadratic forms of every level, of B + F F' and of its inverse (Woodbury)."""
    rng = np.random.default_rng(seed)
    tree = NodeTree([(region, sector) for region in "ABCD" for sector in "xyz" if (region, sector) != ("B", "z")])
    cells = len(tree.series)
    layout = FactorLayout(tree.region_of, tree.sector_of)
    blocks = []
    for place in layout.places:
        root = rng.normal(size=(*place.shape, place.shape[1]))
        blocks.append(np.matmul(root, root.transpose(0, 2, 1)) + np.eye(place.shape[1]))
    form = BlockFactorForm(tuple(blocks), layout.places, rng.normal(size=(2 * cells, factors)))
    dense = matrix(form, 2 * cells)
    steps = rng.normal(size=(2 * cells, 3))
    inverse = form.inverse(np.ones(2 * cells, dtype=bool))
    assert matrix(inverse, 2 * cells) == pytest.approx(np.linalg.inv(dense), abs=1e-8)
    for ours, whole in ((form, dense), (inverse, np.linalg.inv(dense))):
        assert ours.diagonal() == pytest.approx(whole.diagonal(), abs=1e-8)
        for found in (node_forms(tree, ours, steps), node_forms(tree, DenseForm(whole), steps)):
            for node in range(len(tree.nodes)):
                inside = steps * np.tile(tree.cells_of(node), 2)[:, None]
                assert found[node] == pytest.approx(np.einsum("mw,mn,nw->w", inside, whole, inside), abs=1e-7)
    with pytest.raises(ValueError, match="inverse itself"):
        inverse.inverse(np.ones(2 * cells, dtype=bool))


def test_a_restored_model_goes_on_bit_for_bit() -> None:
    innovations, (region_of, sector_of) = planted(8, 5, 160), grid(8, 5)
    rng = np.random.default_rng(2)
    seen = rng.uniform(size=innovations.shape) > 0.1
    model = FactorCorrelation(AT_ONCE, FactorLayout(region_of, sector_of))
    restored = FactorCorrelation(AT_ONCE, FactorLayout(region_of, sector_of))
    for day, today in enumerate(innovations):
        if day == 100:
            state = encode_state(model.state())
            restored.restore(decode_state(state))
            assert encode_state(restored.state()) == state
        for each in (model, restored)[: 1 + (day >= 100)]:
            each.learn(np.where(seen[day], today, 0.0), seen[day])
    one, other = (each.precision(seen[-1]) for each in (model, restored))
    assert one.apply(innovations[-1]).tobytes() == other.apply(innovations[-1]).tobytes()


def test_a_grown_panel_keeps_what_it_knows() -> None:
    """A new region, a new sector and a new cell leave the entries between known series as they were, but for shares."""
    innovations = planted(8, 5, 200)
    region_of, sector_of = grid(8, 5)
    model = fed(innovations, FactorLayout(region_of, sector_of))
    grown_region, grown_sector = grid(9, 6)
    known = (grown_region < 8) & (grown_sector < 5)
    places = np.concatenate([np.flatnonzero(known), np.flatnonzero(known) + 54])
    grown = FactorCorrelation(AT_ONCE, FactorLayout(grown_region, grown_sector))
    grown.take(model, places)
    before, after = matrix(model.correlation(), 80), matrix(grown.correlation(), 108)
    assert after[np.ix_(places, places)] == pytest.approx(before, abs=0.02)
    new = np.setdiff1d(np.arange(108), places)
    assert not after[np.ix_(new, places)].any()
    assert np.array_equal(grown.days[places], model.days)


def test_the_full_form_of_a_panel_that_outgrows_it_is_taken_over() -> None:
    """What all pairs knew is what blocks, and series with factors, would have learned from the same days."""
    innovations, (region_of, sector_of) = planted(8, 5, 200), grid(8, 5)
    full = InnovationCorrelation(AT_ONCE, pair_kinds(region_of, sector_of))
    for today in innovations:
        full.learn(today, np.ones(80, dtype=bool))
    layout = FactorLayout(region_of, sector_of)
    taken, learned = FactorCorrelation(AT_ONCE, layout), fed(innovations, layout)
    taken.take_full(full, np.arange(80))
    assert matrix(taken.correlation(), 80) == pytest.approx(matrix(learned.correlation(), 80))
    assert np.array_equal(taken.scores, taken.scores.T)


def test_blocks_and_factors_are_bounded_whatever_the_panel() -> None:
    """One region of a thousand sectors, a thousand regions of one sector, and a thousand of each."""
    many, one = np.arange(1000), np.zeros(1000, dtype=np.int64)
    for region_of, sector_of in ((one, many), (many, one), (many, many), (np.repeat(many, 2), np.tile([0, 1], 1000))):
        layout = FactorLayout(region_of, sector_of)
        assert max(place.shape[1] for place in layout.places) <= 2 * BLOCK_CELLS
        assert layout.factors <= 4 * FACTOR_GROUPS
        everywhere = np.sort(np.concatenate([place.ravel() for place in layout.places]))
        assert np.array_equal(everywhere, np.arange(2 * layout.cells))


def test_no_array_over_all_pairs_is_made() -> None:
    """Learning and whitening 3,000 cells takes less memory than a third of one matrix over 6,000 series."""
    region_of, sector_of = grid(150, 20)
    innovations = np.random.default_rng(1).normal(size=(3, 6000))
    seen = np.ones(6000, dtype=bool)
    tracemalloc.start()
    model = fed(innovations, FactorLayout(region_of, sector_of))
    model.precision(seen).within(np.ones((6000, 21)), Grouping(region_of, 150))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 8 / 3
