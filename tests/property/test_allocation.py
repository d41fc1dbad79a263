"""Largest remainder keeps totals, whatever the totals and weights."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.domain.allocation import allocate, allocate_classes
from earlywarn.domain.sector import COICOP, NACE, SYSTEMS, Classification
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications import load_classification

MCC = load_classification("mcc")

totals = st.integers(min_value=-(10**18), max_value=10**18)
weight_lists = st.lists(st.integers(min_value=0, max_value=10_000), min_size=1, max_size=15).filter(any)
class_totals = st.dictionaries(st.sampled_from(sorted(MCC.classes)), totals)
regions = st.lists(class_totals, max_size=5)


@given(totals, weight_lists)
def test_the_parts_sum_to_the_total(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert len(parts) == len(weights)
    assert sum(parts) == total


@given(totals, weight_lists)
def test_a_part_is_less_than_one_unit_off_its_exact_share(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for part, weight in zip(allocate(total, weights), weights, strict=True):
        assert abs(part - Fraction(total * weight, whole)) < 1


@given(totals, weight_lists)
def test_no_unit_left_over_goes_to_a_smaller_remainder_or_a_later_part_of_the_same(
    total: int, weights: list[int]
) -> None:
    """The parts that were rounded up rank before those that were not, by remainder and then by place."""
    total = abs(total)
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = allocate(total, weights)
    ranks = [(-(share - int(share)), place) for place, share in enumerate(exact)]
    raised = [rank for rank, share, part in zip(ranks, exact, parts, strict=True) if part > int(share)]
    kept = [rank for rank, share, part in zip(ranks, exact, parts, strict=True) if part == int(share)]
    assert len(raised) + len(kept) == len(parts)
    assert not raised or not kept or max(raised) < min(kept)


@given(totals, weight_lists)
def test_a_negative_total_is_the_mirror_image(total: int, weights: list[int]) -> None:
    assert allocate(-total, weights) == [-part for part in allocate(total, weights)]


@given(totals, weight_lists)
def test_a_part_without_weight_gets_nothing(total: int, weights: list[int]) -> None:
    assert all(part == 0 for part, weight in zip(allocate(total, weights), weights, strict=True) if weight == 0)


@given(totals, weight_lists, st.integers(min_value=1, max_value=1000))
def test_only_the_proportions_of_the_weights_count(total: int, weights: list[int], factor: int) -> None:
    assert allocate(total, [factor * weight for weight in weights]) == allocate(total, weights)


def test_ties_go_to_the_earlier_part() -> None:
    assert allocate(2, [1, 1, 1, 1]) == [1, 1, 0, 0]
    assert allocate(-1, [5000, 5000]) == [-1, 0]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [3, -1], [-1]])
def test_weights_that_divide_nothing_are_an_error(weights: list[int]) -> None:
    with pytest.raises(ConfigError, match="one of them positive"):
        allocate(1, weights)


@given(class_totals, st.sampled_from(SYSTEMS))
def test_divisions_and_the_unallocated_part_sum_to_the_classes(by_class: dict[str, int], system: str) -> None:
    published = allocate_classes(by_class, MCC, system)
    assert sum(published.values()) == sum(by_class.values())
    assert tuple(published) == MCC.parts(system)


@given(regions)
def test_divided_by_region_each_division_sums_over_the_classes_of_all_regions(by_region: list[dict[str, int]]) -> None:
    """Divided at the finest level, the margins by region, by class and by division agree in integers."""
    published = [allocate_classes(by_class, MCC, COICOP) for by_class in by_region]
    cells = [
        allocate_classes({class_id: total}, MCC, COICOP)
        for by_class in by_region
        for class_id, total in by_class.items()
    ]
    for part in MCC.parts(COICOP):
        assert sum(region[part] for region in published) == sum(cell[part] for cell in cells)


def test_classes_are_divided_by_their_own_shares() -> None:
    published = allocate_classes({"grocery": 1_234_567, "cash-quasi-cash": 100, "restaurants": -7}, MCC, COICOP)
    assert {part: value for part, value in published.items() if value} == {
        "01": 864_197,
        "02": 123_457,
        "05": 61_729,
        "09": 61_728,
        "11": -6,
        "13": 61_728,
        "unallocated": 61_728 + 100 - 1,
    }


def test_an_open_classification_leaves_all_unallocated() -> None:
    assert allocate_classes({"5411": 5, "x": -2}, Classification.open(), NACE) == {"unallocated": 3}


def test_an_unknown_class_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match="'groceries' is not in classification mcc"):
        allocate_classes({"groceries": 1}, MCC, COICOP)
