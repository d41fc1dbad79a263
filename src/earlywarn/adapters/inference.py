"""A panel for inputs that come without a configuration: what their first readable records say of themselves.

What they do not say is assumed, and each assumption is handed out, so that it can be told.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import msgspec

from earlywarn.adapters.files import Batch, CellBatch, InputFile, JsonBatch
from earlywarn.adapters.inferred_regions import countries_of, infer_regions
from earlywarn.aggregation.intake import decode
from earlywarn.application.settings import PanelSettings
from earlywarn.domain.calendar import LocalCalendar, finest_bucket_seconds
from earlywarn.domain.cell import Cell
from earlywarn.domain.country import nuts_country
from earlywarn.domain.panel import UNNAMED
from earlywarn.domain.region import ONLINE, RegionTree
from earlywarn.domain.sector import COICOP
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications import available, load_classification
from earlywarn.reference.country_names import country_name
from earlywarn.reference.nuts import load_regions
from earlywarn.reference.zones import country_defaults

FALLBACK_CURRENCY = "EUR"
FALLBACK_TIME_ZONE = "UTC"
_BATCHES_LOOKED_AT = 3
_RECORDS_LOOKED_AT = 10_000
"""Readable ones, of a file; batches without any do not count, since rejects may come before all else."""
_COUNTRIES_NAMED = 3
_RECODINGS_TOLD = 3
_OTHER_EDITION = {COICOP: "; in COICOP 1999, which has no 13, codes 08, 09 and 12 mean something else"}


class Assumption(msgspec.Struct, frozen=True):
    """Something a run takes for granted: which setting, the value taken (empty: none), and why, in words."""

    setting: str
    value: str
    reason: str

    def in_words(self) -> str:
        """Return the assumption as one line.

        >>> Assumption("currency", "EUR", "the input names none (--currency)").in_words()
        'assumed: currency EUR; the input names none (--currency)'
        """
        return f"assumed: {self.setting} {self.value or 'unknown'}; {self.reason}"


class Inferred(NamedTuple):
    """The settings of a panel, and what of them was assumed."""

    panel: PanelSettings
    assumed: tuple[Assumption, ...]


class _Look(msgspec.Struct):
    """What the first records hold. `places` are region codes with the countries that the records state."""

    countries: list[str] = []
    currencies: list[str] = []
    places: list[tuple[str, str]] = []
    sectors: list[str] = []
    mccs: int = 0
    records: int = 0

    def add(self, record: Transaction | Cell, *, has_currency: bool) -> None:
        """Look at one record; `has_currency`: its currency is its own."""
        self.records += 1
        if record.country:
            self.countries.append(record.country)
        if has_currency:
            self.currencies.append(record.currency)
        if record.region and record.region != ONLINE:
            self.places.append((record.region, record.country or ""))
        if record.sector:
            self.sectors.append(record.sector)
        if isinstance(record, Transaction) and record.mcc:
            self.mccs += 1


class Stated(TypedDict, total=False):
    """What somebody states of a panel that is inferred; None of what nobody does. The names are those of options."""

    country: str | None
    currency: str | None
    time_zone: str | None
    region_level: int | None
    classification: str | None
    name: str | None
    school_holidays: str | None
    known_events: str | None


def infer_panel(
    inputs: Sequence[InputFile],
    *,
    country: str | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
    region_level: int | None = None,
    classification: str | None = None,
    name: str | None = None,
    school_holidays: str | None = None,
    known_events: str | None = None,
) -> Inferred:
    """Return the settings of one panel for `inputs`; what is given is not guessed.

    A country that is given has a panel of its own, which rejects what is of others; else the panel takes everything.
    Inputs without a readable record are read to their end, and give a panel of what is stated, so that the run can say
    why it took nothing.
    They are opened without a default country, so that it is known what their records themselves state.
    """
    look = _look(inputs)
    tree = load_regions()
    cells = all(each.kind == "cells" for each in inputs)
    regions = infer_regions(look.places, tree, country=country, level=region_level, cells=cells)
    countries = [country] if country else _countries(look, tree, nuts=regions.nuts)
    first = countries[0] if countries else None
    defaults = country_defaults(first) if first else None
    scheme = classification or _classification(look)
    known = [nuts_country(code) for code in countries]
    zone = time_zone or (defaults.time_zone if defaults else FALLBACK_TIME_ZONE)
    panel = PanelSettings(
        id=known[0] if len(known) == 1 else UNNAMED,
        countries=(country,) if country else (),
        name=name or _name_of_countries(known) or _name_of(inputs),
        currency=currency or _most_common(look.currencies) or (defaults.currency if defaults else FALLBACK_CURRENCY),
        time_zone=zone,
        base_bucket_seconds=_bucket_seconds(zone),
        holiday_countries=tuple(countries),
        region_level="none" if regions.level is None else regions.level,  # type: ignore[arg-type]  # 0..3 by construction
        any_region=regions.level is None,
        classification=scheme,
        school_holidays=school_holidays or "",
        known_events=known_events or "",
        resolution="day" if cells or _knows_days_only(inputs, zone) else "hour",
    )
    usual = f"the usual one of {first}" if defaults else f"none is known of {first}" if first else "no country is known"
    assumed = []
    if not countries:
        reason = "the input names none, so no public holiday is known and each looks like a fall (--country)"
        assumed.append(Assumption("country", "", reason))
    if not currency and not look.currencies:
        assumed.append(Assumption("currency", panel.currency, f"the input names none; {usual} (--currency)"))
    if not time_zone and (not defaults or len(known) > 1 or defaults.has_several_zones):
        several = bool(defaults and defaults.has_several_zones)
        assumed.append(Assumption("time zone", panel.time_zone, _zone_reason(usual, several=several, cells=cells)))
    if regions.reason:
        taken = "as written" if regions.level is None else f"of level {regions.level}"
        assumed.append(Assumption("regions", taken, regions.reason))
    if panel.resolution == "day" and not cells:
        reason = "no record looked at has a time of day, so no hours are published (in settings, a panel's resolution)"
        assumed.append(Assumption("resolution", panel.resolution, reason))
    known_codes = scheme == "open" or _are_mcc(look) or all(each.has_shipped_mapping for each in inputs)
    if not classification and not known_codes:
        assumed.append(Assumption("classification", scheme, _recoded(look, scheme)))
    if not name and not countries:
        assumed.append(Assumption("name", panel.name, "what texts call the panel (--name)"))
    return Inferred(panel, tuple(assumed))


def _bucket_seconds(time_zone: str) -> int:
    """Return the base bucket, of an hour where the days of the zone allow it; what is no zone is told later."""
    try:
        return finest_bucket_seconds(time_zone)
    except (KeyError, ValueError, OSError):
        return PanelSettings.base_bucket_seconds


def _zone_reason(usual: str, *, several: bool, cells: bool) -> str:
    """Return why a time zone was taken, what hangs on it, and the way out."""
    why = f"{usual}, which has several" if several else usual
    # Days of cells stay the days that they are: the zone says when they begin, and so their times in results.
    return f"{why}; {'the days of the cells are days there' if cells else 'days begin at its midnight'} (--time-zone)"


def guessed_mappings(inputs: Sequence[InputFile]) -> Iterator[Assumption]:
    """Yield the shipped mappings that were taken for files of foreign columns, each once."""
    files: dict[str, list[str]] = {}
    for each in inputs:
        if each.guessed_mapping:
            files.setdefault(each.guessed_mapping, []).append(each.name)
    for mapping, names in files.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Assumption("mapping", mapping, f"its columns are all in {names[0]}{more} (--mapping)")


def _look(inputs: Sequence[InputFile]) -> _Look:
    """Return what the first readable records of the first file that has any hold."""
    look = _Look()
    for each in inputs:
        has_currency = each.states("currency")
        batches = 0
        for batch in each.batches():
            records = _records(batch)
            batches += bool(records)
            for record in records:
                look.add(record, has_currency=has_currency)
            if batches >= _BATCHES_LOOKED_AT and look.records >= _RECORDS_LOOKED_AT:
                break
        if look.records:
            break
    return look


def _records(batch: Batch) -> list[Transaction | Cell]:
    if isinstance(batch, JsonBatch):
        return [outcome for outcome in decode(batch.values) if isinstance(outcome, Transaction)]
    if isinstance(batch, CellBatch):
        return [cell for cell in batch.cells if isinstance(cell, Cell)]
    return [record for record in batch.records if isinstance(record, Transaction)]


def _knows_days_only(inputs: Sequence[InputFile], time_zone: str) -> bool:
    """Return whether all times in the first batch of each input are midnights: there, or in UTC as dates are read here.

    Fewer than two days say nothing, since a file may begin with all that one hour brought: then it is read on.
    """
    try:
        zones = dict.fromkeys((FALLBACK_TIME_ZONE, time_zone))
        calendars = [LocalCalendar(zone, _bucket_seconds(zone)) for zone in zones]
    except ConfigError:  # what is no zone is told later
        return False
    days: set[int] = set()
    for each in inputs:
        for batch in each.batches():
            moments = {record.ts for record in _records(batch) if isinstance(record, Transaction)}
            calendars = [calendar for calendar in calendars if all(_begins_a_day(at, calendar) for at in moments)]
            if not calendars:
                return False
            days |= moments
            if len(days) > 1:
                break
    return bool(days)


def _begins_a_day(moment_ms: int, calendar: LocalCalendar) -> bool:
    return calendar.day_bounds(calendar.day_of(moment_ms // 1000))[0] * 1000 == moment_ms


def _countries(look: _Look, tree: RegionTree, *, nuts: bool) -> list[str]:
    found = {nuts_country(country) for country in look.countries}
    return sorted(found or countries_of(look.places, tree, nuts=nuts))


def _name_of_countries(codes: Sequence[str]) -> str:
    return ", ".join(map(country_name, codes)) if len(codes) <= _COUNTRIES_NAMED else f"{len(codes)} countries"


def _name_of(inputs: Sequence[InputFile]) -> str:
    """Return what to call a panel of which only the files are known."""
    names = [Path(each.name).name for each in inputs]
    more = f" and {len(names) - 1} more {'file' if len(names) == 2 else 'files'}" if len(names) > 1 else ""
    return f"{names[0]}{more}"


def _are_mcc(look: _Look) -> bool:
    """Return whether most records state an MCC as such, so that their codes can mean nothing else."""
    return 0 < look.records <= 2 * look.mccs


def _classification(look: _Look) -> str:
    if _are_mcc(look):
        return "mcc"
    for name in available():
        classification = load_classification(name)
        if look.sectors and all(classification.lists(sector) for sector in set(look.sectors)):
            return name
    return "open"


def _recoded(look: _Look, name: str) -> str:
    """Return why a classification was taken, what it makes of the codes, and the way out."""
    classification = load_classification(name)
    classes = {sector: classification.class_of(None, sector, None) for sector in dict.fromkeys(look.sectors)}
    told = [
        f"{sector!r} becomes {found} ({classification.title(str(found))})"
        for sector, found in classes.items()
        if found != sector
    ]
    examples = f": {', '.join(told[:_RECODINGS_TOLD])}{', ...' if len(told) > _RECODINGS_TOLD else ''}" if told else ""
    edition = _OTHER_EDITION.get(name, "")
    return f"all sector codes are in it{examples}{edition} (--classification open keeps them as they are)"


def _most_common(values: Sequence[str]) -> str:
    return max(sorted(set(values)), key=values.count, default="")
