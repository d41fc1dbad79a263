"""Whitening: given all the others, whatever is missing, and always invertible."""

import numpy as np
import pytest

from earlywarn.detection.whitening import InnovationCorrelation, Whitening, pair_kinds
from earlywarn.detection.whitening_parameters import WhiteningParameters
from earlywarn.domain.state import decode_state, encode_state
from earlywarn.errors import ConfigError

REGION_OF, SECTOR_OF = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
KINDS = pair_kinds(REGION_OF, SECTOR_OF)
RNG = np.random.default_rng(5)
INNOVATIONS = RNG.normal(size=(300, 8)) + 1.5 * RNG.normal(size=(300, 1))
SEEN = np.ones(8, dtype=bool)


def learned(days: int = 300) -> InnovationCorrelation:
    model = InnovationCorrelation(WhiteningParameters(), KINDS)
    for today in INNOVATIONS[:days]:
        model.learn(today, SEEN)
    return model


def test_pairs_of_each_kind_share_a_target() -> None:
    """Both measures of a cell, the same sector, the same region, neither: distinct, and symmetric."""
    assert np.array_equal(KINDS, KINDS.T)
    assert KINDS[0, 4] == KINDS[3, 7] == 1
    assert KINDS[0, 1] == KINDS[2, 3] == 2
    assert KINDS[0, 3] == KINDS[1, 2] == 5
    assert KINDS[0, 2] != KINDS[1, 3]
    assert (np.diag(KINDS) == 0).all()


def test_before_anything_is_known_nothing_is_whitened() -> None:
    assert np.allclose(learned(days=40).precision(SEEN).matrix, np.eye(8), atol=2e-3)


def test_a_common_fall_is_no_news_and_a_lone_one_is() -> None:
    precision = learned().precision(SEEN).matrix
    common, lone = precision @ np.full(8, -2.0), precision @ np.array([-2.0, *[0.0] * 7])
    assert abs(common).max() < 0.6
    assert lone[0] < -2.0


def test_missing_series_are_integrated_out() -> None:
    """The precision of those seen is the inverse of their own correlation, and zero elsewhere."""
    model = learned()
    seen = np.array([True, False, True, True, True, False, True, True])
    expected = np.linalg.inv(model.correlation().matrix[np.ix_(seen, seen)])
    reduced = model.precision(seen).matrix
    assert np.allclose(reduced[np.ix_(seen, seen)], expected)
    assert not reduced[~seen].any()
    assert not model.precision(np.zeros(8, dtype=bool)).matrix.any()


def test_pairs_seen_on_different_days_still_invert() -> None:
    """Perfectly correlated series, seen in turns, would give an indefinite matrix."""
    model = InnovationCorrelation(WhiteningParameters(delay_days=0, memory=0.8, shrinkage_days=0.01), KINDS)
    for day in range(400):
        seen = np.array([(day >> place) % 3 != 0 for place in range(8)])
        model.learn(np.where(seen, 3.0 * (-1.0) ** day * (-1.0) ** np.arange(8), 0.0) * (day % 5 - 2), seen)
        assert np.linalg.eigvalsh(model.correlation().matrix).min() > 0
        assert np.isfinite(model.precision(SEEN).matrix).all()


def test_an_outlier_counts_as_its_clip() -> None:
    small, large = learned(), learned()
    small.learn(np.array([3.0, *[1.0] * 7]), SEEN)
    large.learn(np.array([1e6, *[1.0] * 7]), SEEN)
    assert np.array_equal(small.moment, large.moment)


def test_a_restored_correlation_goes_on_bit_for_bit() -> None:
    model, restored = learned(200), InnovationCorrelation(WhiteningParameters(), KINDS)
    restored.restore(decode_state(encode_state(model.state())))
    for today in INNOVATIONS[200:]:
        model.learn(today, SEEN)
        restored.learn(today, SEEN)
    assert model.precision(SEEN).matrix.tobytes() == restored.precision(SEEN).matrix.tobytes()


def test_a_new_series_is_alone_until_it_is_known() -> None:
    model = learned()
    grown = pair_kinds(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2]))
    places = np.array([0, 1, 2, 3, 5, 6, 7, 8])
    known = model.correlation().matrix.copy()
    model.embed(places, grown)
    assert np.allclose(model.correlation().matrix[np.ix_(places, places)], known)
    assert model.correlation().matrix[4, [0, 1, 2, 3, 5, 6, 7, 8, 9]].tolist() == [0.0] * 9


def test_the_dict_face_is_the_array_face() -> None:
    model, array = Whitening(), InnovationCorrelation(WhiteningParameters(), 1 - np.eye(3, dtype=np.int64))
    for today in INNOVATIONS[:, :3]:
        model.learn_one(dict(zip("abc", today.tolist(), strict=True)))
        array.learn(today, SEEN[:3])
    expected = array.precision(SEEN[:3]).matrix @ INNOVATIONS[0, :3]
    assert model.transform_one(dict(zip("abc", INNOVATIONS[0, :3].tolist(), strict=True))) == pytest.approx(
        dict(zip("abc", expected.tolist(), strict=True))
    )
    restored = Whitening()
    restored.restore(decode_state(encode_state(model.state())))
    assert restored.transform_one({"a": 1.0, "c": -1.0}) == model.transform_one({"a": 1.0, "c": -1.0})


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError):
        WhiteningParameters(memory=1.0)
