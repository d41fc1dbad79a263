"""Regions whose mixes are judged alike have trees of one shape: restored ones are copies, and go on apart."""

import numpy as np

from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.mix_parameters import MixParameters
from earlywarn.detection.region_mix import RegionMixes
from earlywarn.domain.state import decode_state, encode_state

TREE = NodeTree([(region, sector) for region in ("CH01", "CH02", "CH03") for sector in ("05", "07", "11")])
"""`CH01` and `CH02` see the same days, `CH03` other ones."""
PARAMETERS = MixParameters(window_days=20, history_min_days=10)


def days(seed: int, count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(seed).uniform(0.2, 0.8, (count, 2, 3))
    return [np.concatenate([day[0], day[0], day[1]]) for day in noise]


def learned() -> RegionMixes:
    mixes = RegionMixes(PARAMETERS)
    mixes.lay_out(TREE)
    for shares in days(1, 70):
        mixes.learn(shares)
    return mixes


def test_a_restored_panel_goes_on_the_same() -> None:
    mixes, restored = learned(), RegionMixes(PARAMETERS)
    restored.lay_out(TREE)
    restored.restore(decode_state(encode_state({"mix": mixes.state()}))["mix"])
    ranks = []
    for shares in days(2, 45):
        found, again = mixes.learn(shares), restored.learn(shares)
        assert again.tobytes() == found.tobytes()
        ranks.append(found)
    assert encode_state(restored.state()) == encode_state(mixes.state())
    equal = np.array(ranks)
    assert (equal[:, 0] == equal[:, 1]).all()
    assert (equal[:, 0] != equal[:, 2]).any(), "copies are trees of their own"
