"""A panel for inputs that come without a configuration: what their first records say of themselves."""

from collections.abc import Sequence
from itertools import islice

import msgspec

from earlywarn.adapters.files import Batch, CellBatch, InputFile, JsonBatch
from earlywarn.aggregation.intake import decode
from earlywarn.application.settings import PanelSettings
from earlywarn.domain.cell import Cell
from earlywarn.domain.country import nuts_country
from earlywarn.domain.region import RegionTree
from earlywarn.domain.reject import RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.reference.classifications import available, load_classification
from earlywarn.reference.nuts import load_regions
from earlywarn.reference.zones import country_defaults

_BATCHES_LOOKED_AT = 3
_MOST = 0.9


class _Look(msgspec.Struct):
    """What the first records hold."""

    countries: list[str] = []
    currencies: list[str] = []
    regions: list[str] = []
    sectors: list[str] = []
    mccs: int = 0
    records: int = 0


def infer_panel(
    inputs: Sequence[InputFile],
    *,
    country: str | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
    region_level: int | None = None,
) -> PanelSettings:
    """Return the settings of one panel that takes everything in `inputs`; what is given is not guessed.

    Inputs without a readable record give a panel that takes anything, so that the run can say why it took nothing.
    """
    look = _look(inputs)
    if not look.records:
        return PanelSettings(
            id="panel",
            currency=currency or "EUR",
            time_zone=time_zone or "UTC",
            region_level=None,
            any_region=True,
            classification="open",
        )
    tree = load_regions()
    nuts = bool(look.regions) and _share_of_nuts(look.regions, tree) >= _MOST
    countries = [country] if country else _countries(look, tree, nuts=nuts)
    first = countries[0] if countries else None
    defaults = country_defaults(first) if first else None
    cells = all(each.kind == "cells" for each in inputs)
    level = region_level
    if nuts and level is None:
        levels = [tree.level_of(tree.recode(code)) for code in look.regions]
        level = min((deep for deep in levels if deep is not None), default=2)
        level = min(level, 2) if not cells else level
    return PanelSettings(
        id=nuts_country(first) if first and len(countries) == 1 else "panel",
        countries=(),
        name=tree.name(nuts_country(first)) if first and nuts_country(first) in tree and len(countries) == 1 else "",
        currency=currency or _most_common(look.currencies) or (defaults.currency if defaults else "EUR"),
        time_zone=time_zone or (defaults.time_zone if defaults else "UTC"),
        holiday_countries=tuple(countries),
        region_level=level if nuts and not cells else None,  # type: ignore[arg-type]  # 0..3 by construction
        any_region=cells or not nuts,
        classification=_classification(look),
        resolution="day" if cells else "hour",
    )


def _look(inputs: Sequence[InputFile]) -> _Look:
    look = _Look()
    for each in inputs:
        for batch in islice(each.batches(), _BATCHES_LOOKED_AT):
            for record in _records(batch):
                look.records += 1
                if record.country:
                    look.countries.append(record.country)
                look.currencies.append(record.currency)
                if record.region:
                    look.regions.append(record.region)
                if record.sector:
                    look.sectors.append(record.sector)
                if isinstance(record, Transaction) and record.mcc:
                    look.mccs += 1
        if look.records:
            break
    return look


def _records(batch: Batch) -> list[Transaction | Cell]:
    if isinstance(batch, JsonBatch):
        return [outcome for outcome in decode(batch.values) if isinstance(outcome, Transaction)]
    if isinstance(batch, CellBatch):
        return [cell for cell in batch.cells if isinstance(cell, Cell)]
    return [record for record in batch.records if isinstance(record, Transaction)]


def _countries(look: _Look, tree: RegionTree, *, nuts: bool) -> list[str]:
    found = {nuts_country(country) for country in look.countries}
    if not found and nuts:
        found = {tree.country(tree.recode(code)) or "" for code in look.regions} - {""}
    return sorted(found)


def _classification(look: _Look) -> str:
    if look.mccs >= look.records / 2:
        return "mcc"
    for name in available():
        classification = load_classification(name)
        known = [
            sector
            for sector in look.sectors
            if not isinstance(classification.class_of(None, sector, None), RejectReason)
        ]
        if look.sectors and name != "mcc" and len(known) == len(look.sectors):
            return name
    return "open"


def _most_common(values: Sequence[str]) -> str:
    return max(sorted(set(values)), key=values.count, default="")


def _share_of_nuts(codes: Sequence[str], tree: RegionTree) -> float:
    return sum(tree.recode(code) in tree for code in codes) / len(codes)
