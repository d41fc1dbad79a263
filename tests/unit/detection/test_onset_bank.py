"""The onset bank: evidence is what the definition says, bounded, sized, forgotten and restored."""

import numpy as np
import pytest

from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.onset_bank import OnsetBank, OnsetParameters
from earlywarn.detection.symmetric_form import DenseForm
from earlywarn.domain.state import decode_state, encode_state
from earlywarn.errors import ConfigError

TREE = NodeTree([(region, sector) for region in ("A", "B") for sector in ("x", "y", "z")])
CELLS, WINDOW = 6, 10
PARAMETERS = OnsetParameters(window_days=WINDOW)
USUAL = np.zeros(len(TREE.nodes), dtype=bool)
SD = 0.1
RESPONSE = np.exp(-0.05 * np.arange(WINDOW))[None, :] * np.ones((2 * CELLS, 1)) / SD


def fed(days: int = 30, step: float = 0.0, cells: slice = slice(0, 0), *, ticket: bool = False) -> OnsetBank:
    """Feed standard normal innovations, with a step in some cells over the last five days."""
    rng, bank = np.random.default_rng(8), OnsetBank(PARAMETERS, TREE)
    for day in range(days):
        innovations = rng.normal(size=2 * CELLS)
        if (age := day - (days - 5)) >= 0:
            shift = np.zeros(CELLS)
            shift[cells] = step * RESPONSE[0, age]
            innovations += np.concatenate([shift * (not ticket), shift])
        bank.learn(innovations, DenseForm(np.eye(2 * CELLS)), RESPONSE, USUAL)
    return bank


def test_the_evidence_of_a_day_is_its_definition() -> None:
    """A = h f'w and B = h f'Pf over the node's members, for a full precision and each level of the tree."""
    rng, bank = np.random.default_rng(1), OnsetBank(PARAMETERS, TREE)
    root = rng.normal(size=(12, 12))
    precision, response = root @ root.T / 12 + np.eye(12), rng.uniform(0.0, 9.0, (12, WINDOW))
    whitened = 0.1 * rng.normal(size=12)
    bank.learn(whitened, DenseForm(precision), response, USUAL)
    for node in range(len(TREE.nodes)):
        member = TREE.cells_of(node)
        for shape, weights in enumerate(([1.0, 1.0], [0.0, 1.0])):
            for age in range(WINDOW):
                step = response[:, age] * np.repeat(weights, CELLS) * np.tile(member, 2)
                information = step @ precision @ step
                linear = step @ whitened
                weight = min(1.0, PARAMETERS.clip**2 * information / linear**2)
                assert bank.information[shape, node, age] == pytest.approx(weight * information)
                assert bank.linear[shape, node, age] == pytest.approx(weight * linear)


def test_what_is_settled_scores_no_more() -> None:
    """Of one node and one direction; what lies within it, around it, or speaks for the other side stays.

    A step from the next day on is found, and with its own first day.
    """
    bank, untouched = (fed(step=-0.5, cells=slice(0, 3)) for _ in range(2))
    node = [(each.region, each.sector) for each in TREE.nodes].index(("A", None))
    others = [place for place in range(len(TREE.nodes)) if place != node]
    bank.settle(node, -1.0)
    (down, up), (down_before, up_before) = bank.scores(), untouched.scores()
    assert (down_before.score[node] > 9, down.score[node]) == (True, 0.0)
    assert down.score[others].tolist() == down_before.score[others].tolist()
    assert up.score.tolist() == up_before.score.tolist()
    for days in range(1, 5):
        innovations = np.tile(np.repeat([-0.5 * RESPONSE[0, days - 1], 0.0], 3), 2)
        bank.learn(innovations, DenseForm(np.eye(2 * CELLS)), RESPONSE, USUAL)
        down, _ = bank.scores()
        assert down.onset_age_days[node] <= max(days - 1, PARAMETERS.youngest_age_days)
    assert down.score[node] > 9


def test_a_step_many_times_the_clip_keeps_its_size() -> None:
    """A day says at most c^2 / 2 nats, yet a precise node sees a large step as large, and two days of it as a shock."""
    bank = OnsetBank(PARAMETERS, TREE)
    precise = np.full((2 * CELLS, WINDOW), 100.0)
    for _ in range(2):
        bank.learn(np.full(2 * CELLS, -30.0), DenseForm(np.eye(2 * CELLS)), precise, USUAL)
    estimate = bank.linear[0, :, 1] / bank.information[0, :, 1]
    assert estimate == pytest.approx(np.full(len(TREE.nodes), -0.3))
    nats = bank.linear[0, :, 1] ** 2 / bank.information[0, :, 1] / 2
    assert nats == pytest.approx(np.full(len(TREE.nodes), 2 * PARAMETERS.clip**2 / 2))
    assert (bank.scores()[0].score > 9).all()


def test_a_step_in_a_cell_is_found_with_its_onset_and_size() -> None:
    down, up = fed(step=-0.4, cells=slice(2, 3)).scores()
    assert int(np.argmax(down.score[:CELLS])) == 2
    assert down.score[2] > 20 * max(up.score[2], 1.0)
    assert down.onset_age_days[2] in {3, 4, 5}
    assert down.effect[2] == pytest.approx(-0.4, abs=3 * down.effect_sd[2])


def test_a_step_of_a_whole_region_is_the_regions() -> None:
    down, _ = fed(step=-0.15, cells=slice(0, 3)).scores()
    region = TREE.nodes.index(next(node for node in TREE.nodes if node.level == "region" and node.region == "A"))
    assert int(np.argmax(down.score)) == region


def test_a_step_of_the_ticket_alone_has_a_shape_of_its_own() -> None:
    _, up = fed(step=0.5, cells=slice(1, 2), ticket=True).scores()
    _, joint = fed(step=0.5, cells=slice(1, 2)).scores()
    assert (up.shape[1], joint.shape[1]) == (1, 0)


def test_a_special_day_may_say_little() -> None:
    wild = np.full(2 * CELLS, -4.0)
    usual, special = fed(), fed()
    usual.learn(wild, DenseForm(np.eye(2 * CELLS)), RESPONSE, USUAL)
    special.learn(wild, DenseForm(np.eye(2 * CELLS)), RESPONSE, ~USUAL)
    little, much = special.scores()[0].score, usual.scores()[0].score
    assert (little <= much).all()
    assert (little < much)[:6].all()


def test_days_without_news_age_the_evidence_out() -> None:
    bank = fed(step=-0.4, cells=slice(2, 3))
    onset = int(bank.scores()[0].onset_age_days[2])
    bank.age(2)
    assert int(bank.scores()[0].onset_age_days[2]) == onset + 2
    bank.age(60)
    assert not bank.scores()[0].score.any()


def test_forgotten_nodes_start_anew_and_the_others_go_on() -> None:
    """What a forgotten cell has said is gone from its totals as well; what others have said stays."""
    bank, calm = fed(step=-0.4, cells=slice(2, 3)), fed()
    before = bank.scores()[0].score.copy()
    flags = np.zeros(len(TREE.nodes), dtype=bool)
    flags[2] = True
    bank.forget(flags)
    after = bank.scores()[0].score
    totals = np.array([TREE.cells_of(node)[2] for node in range(len(TREE.nodes))])
    assert after[2] == 0.0
    assert after[~totals].tolist() == before[~totals].tolist()
    assert before[totals].max() > 9
    assert after[totals].max() <= max(calm.scores()[0].score[totals].max(), 1.0)


def test_over_dispersion_is_pooled() -> None:
    """One wild node of twelve raises its own phi more than the others', and each by far less than its excess."""
    rng, bank = np.random.default_rng(8), OnsetBank(PARAMETERS, TREE)
    for _ in range(400):
        innovations = rng.normal(size=2 * CELLS)
        innovations[0] *= 4.0
        bank.learn(innovations, DenseForm(np.eye(2 * CELLS)), RESPONSE, USUAL)
    phi = bank.over_dispersion()[0]
    assert phi[0] > phi[1] > 0.5
    assert phi[0] < 4.0


def test_a_restored_bank_goes_on_bit_for_bit() -> None:
    bank, restored = fed(), OnsetBank(PARAMETERS, TREE)
    restored.restore(decode_state(encode_state(bank.state())))
    for each in (bank, restored):
        each.learn(np.full(2 * CELLS, -1.0), DenseForm(np.eye(2 * CELLS)), RESPONSE, USUAL)
    assert bank.scores()[0].score.tobytes() == restored.scores()[0].score.tobytes()


def test_a_grown_tree_keeps_the_evidence_of_its_nodes() -> None:
    bank = fed(step=-0.4, cells=slice(2, 3))
    before = dict(zip(TREE.nodes, bank.scores()[0].effect_sd.tolist(), strict=True))
    grown = NodeTree([*TREE.series, ("B", "zz")])
    raw = {node: bank.information[0, place].copy() for place, node in enumerate(TREE.nodes)}
    bank.embed(grown)
    assert set(before) <= set(grown.nodes)
    for node, information in raw.items():
        assert np.array_equal(bank.information[0, grown.index[node]], information)


@pytest.mark.parametrize(
    "wrong",
    [{"youngest_age_days": 21}, {"effect_min_down": 0.0}, {"dispersion_memory": 1.0}, {"clip": 0.0}],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        OnsetParameters(**wrong)
