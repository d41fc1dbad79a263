"""How a snapshot lays its state out is known by version: who changes the layout of a layer raises its STATE_VERSION."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from command_line import PANEL, SAMPLE

from earlywarn import aggregation, alerting, detection
from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import open_inputs, shipped_mapping
from earlywarn.application import fold
from earlywarn.application.compose import compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.settings import load
from earlywarn.domain.state import decode_state

DAYS = 400
KNOWN = {
    "aggregation": (4, "86450712ee68"),
    "alerting": (7, "3925301c36e2"),
    "application": (1, "fb7ed83173bc"),
    "detection": (6, "03c7066573f0"),
}
"""By layer: its STATE_VERSION, and the shape of its state after the sample's first 400 days, amid a shock."""


def state() -> dict[str, Any]:
    run = compose(load(PANEL, {}))
    second, block = compose_fold(run, 1), run.block_fold(0, 1)
    inputs = open_inputs([str(SAMPLE)], shipped_mapping("swiss-cards"))
    batches = feeds_of(inputs, run.panels[0].panel.calendar)[0].batches()
    outcomes = [each for batch in batches for each in batch.outcomes][: 49 * DAYS]
    sealed, _ = block.add(range(len(outcomes)), outcomes, 1_767_225_600_000)
    last = block.flush()
    assert last is not None
    for partial in [*sealed, last]:
        for _ in second.apply(partial):
            pass
    return decode_state(second.snapshot())


def by_layer(saved: dict[str, Any]) -> dict[str, Any]:
    panels, merged = saved.pop("panels"), saved.pop("fold")
    layers: dict[str, Any] = {"aggregation": [merged], "alerting": [], "application": saved, "detection": []}
    for panel in panels.values():
        for layer, part in (("aggregation", "ledger"), ("alerting", "desk"), ("detection", "detector")):
            layers[layer].append(panel.pop(part))
        assert not panel
    return layers


def shape(value: object, place: str = "") -> Iterator[str]:
    """Yield every place of a state with the kinds of values there; what is told apart by data is one place."""
    if isinstance(value, dict):
        for key, item in value.items():
            name = key if isinstance(key, str) and key.isidentifier() else "*"
            yield from shape(item, f"{place}.{name}")
    elif isinstance(value, list):
        yield f"{place}: list"
        for item in value:
            yield from shape(item, f"{place}[]")
    elif isinstance(value, np.ndarray):
        yield f"{place}: {value.dtype.kind}{value.dtype.itemsize} {value.ndim}"
    elif value is not None:
        yield f"{place}: {type(value).__name__}"


def test_a_layer_that_lays_its_state_out_otherwise_has_another_version() -> None:
    """If only what the models find has changed, and with it which places are filled, write the new shape here."""
    versions = {
        "aggregation": aggregation.STATE_VERSION,
        "alerting": alerting.STATE_VERSION,
        "application": fold.STATE_VERSION,
        "detection": detection.STATE_VERSION,
    }
    places = {layer: sorted(set(shape(part))) for layer, part in by_layer(state()).items()}
    found = {
        layer: (versions[layer], sha256(msgspec.json.encode(each)).hexdigest()[:12]) for layer, each in places.items()
    }
    assert found == KNOWN, "raise STATE_VERSION of the layer, and note its shape here"
