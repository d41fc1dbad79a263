"""From the settings of a panel to the panel itself, its calendar features and its names."""

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

import msgspec

from earlywarn.application.reach import reach
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.country import nuts_country
from earlywarn.domain.day_features import DayFeatures
from earlywarn.domain.known_event import NO_EVENTS, KnownEvents
from earlywarn.domain.money import CURRENCY_CODES, RateTable
from earlywarn.domain.panel import Panel, called
from earlywarn.domain.region import ONLINE, RegionResolver, RegionTree
from earlywarn.domain.sector import Classification
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications import load_classification
from earlywarn.reference.country_names import country_name
from earlywarn.reference.holiday import HolidayShares, SchoolHolidays
from earlywarn.reference.known_events import load_known_events
from earlywarn.reference.nuts import load_regions
from earlywarn.reference.nuts.postal import postal_lookup
from earlywarn.reference.zones import country_defaults

_T = TypeVar("_T")
_RATE_COLUMNS = ["currency", "since", "rate"]


@dataclass(frozen=True, slots=True)
class EquippedPanel:
    """A panel with what detection and alerts need of it."""

    panel: Panel
    features: DayFeatures
    events: KnownEvents
    settings: PanelSettings
    tree: RegionTree
    described: object


class PanelNames:
    """What the codes of the run's panels are called (`alerting.words.Names`).

    `parts` are what panels are called that hold a part of the countries that they are named after.
    """

    def __init__(self, panels: Sequence[EquippedPanel], parts: Mapping[str, str] | None = None) -> None:
        self._panels = {each.panel.id: each for each in panels}
        self._parts = dict(parts or {})
        self._over: dict[tuple[str, frozenset[str]], PanelNames] = {}  # the last

    def panel(self, panel: str) -> str:
        """Return the name of a panel; of one that goes by countries of which it holds a part, what part that is."""
        named = self._parts.get(panel) or self._panels[panel].settings.name
        return named or ", ".join(map(country_name, self._panels[panel].panel.countries)) or panel

    def is_part(self, panel: str) -> bool:
        """Return whether that name is of a part of its countries."""
        return panel in self._parts

    def over(self, panel: str, regions: Iterable[str]) -> "PanelNames":
        """Return the same names where the panel is known to hold these regions; unknown, it holds its countries."""
        asked = panel, frozenset(regions)
        if asked not in self._over:
            self._over = {asked: self._told_over(*asked)}
        return self._over[asked]

    def _told_over(self, panel: str, regions: Iterable[str]) -> "PanelNames":
        others = {known: part for known, part in self._parts.items() if known != panel}
        bare = PanelNames(list(self._panels.values()), others)
        name = bare.panel(panel)
        whole = reach(name, regions, self._panels[panel].tree).whole
        return bare if whole == name else PanelNames(list(self._panels.values()), {**others, panel: whole})

    def currency(self, panel: str) -> str:
        """Return the currency of a panel."""
        return self._panels[panel].panel.currency

    def region(self, code: str) -> str:
        """Return the name of a region, a country's in English; its code where it has none."""
        if code == ONLINE:
            return "Online"
        for each in self._panels.values():
            if code in each.settings.regions:
                return each.settings.regions[code] or code
        tree = next(iter(self._panels.values())).tree
        return country_name(code) if tree.level_of(code) == 0 else tree.name(code)

    def sector(self, code: str) -> str:
        """Return the title of a sector; its code where it has none."""
        for each in self._panels.values():
            classes = each.panel.classification.classes
            if code in classes:
                return classes[code].title
        return code


def equip(settings: PanelSettings) -> EquippedPanel:
    """Build a panel from its settings and the reference tables.

    Raises:
        ConfigError: one line for each problem.
    """
    problems: list[str] = []
    countries = tuple(nuts_country(country) for country in settings.countries)
    defaults = country_defaults(countries[0]) if countries else None
    currency = settings.currency or (defaults.currency if defaults else "")
    time_zone = settings.time_zone or (defaults.time_zone if defaults else "")
    if currency not in CURRENCY_CODES:
        problems.append(f"currency = {currency!r}: give an ISO 4217 code such as EUR")
    if not time_zone:
        problems.append("time_zone: give an IANA name such as Europe/Zurich, or a country")
    calendar = _tried(lambda: LocalCalendar(time_zone or "UTC", settings.base_bucket_seconds), problems)
    at_home = countries or settings.holiday_countries
    tree = _tried(lambda: load_regions(Path(settings.nuts_recoding) if settings.nuts_recoding else None), problems)
    resolver = holidays = school = None
    if tree is not None:
        holidays = _tried(lambda: HolidayShares(tree, at_home), problems)
        named = holidays.places.find if holidays is not None else None
        resolver = _tried(lambda: _resolver(settings, tree, countries, named), problems)
        if settings.school_holidays:
            declared = tuple(settings.regions)
            find = named or (lambda _: None)
            school = _tried(lambda: SchoolHolidays(Path(settings.school_holidays), tree, declared, find), problems)
    classification = _tried(
        lambda: (
            Classification.open() if settings.classification == "open" else load_classification(settings.classification)
        ),
        problems,
    )
    rates = _read_rates(Path(settings.rates), problems) if settings.rates else {}
    events: KnownEvents | None = NO_EVENTS
    if settings.known_events and resolver is not None and holidays is not None and classification is not None:
        events = _events(Path(settings.known_events), resolver, classification, holidays, problems)
    if problems or calendar is None or tree is None or resolver is None or holidays is None or classification is None:
        raise ConfigError("\n".join(f"{called(settings.id)}: {line}" for text in problems for line in text.split("\n")))
    features = DayFeatures(
        holidays,
        school.share if school else None,
        orthodox=holidays.orthodox_share,
        pay_day=settings.pay_day,
    )
    panel = Panel(
        id=settings.id,
        currency=currency,
        countries=countries,
        calendar=calendar,
        regions=resolver,
        classification=classification,
        rates=RateTable(currency, rates),
        resolution=settings.resolution,
    )
    described: list[object] = [
        panel.describe(),
        holidays.describe(),
        school.describe() if school else None,
        settings.pay_day,
    ]
    if events:
        described.append(events.describe())  # a panel without any keeps the fingerprint that it had
    return EquippedPanel(panel, features, events or NO_EVENTS, settings, tree, described)


def _events(
    table: Path,
    regions: RegionResolver,
    classification: Classification,
    holidays: HolidayShares,
    problems: list[str],
) -> KnownEvents | None:
    return _tried(lambda: load_known_events(table, regions, classification, holidays.places.find), problems)


def _resolver(
    settings: PanelSettings,
    tree: RegionTree,
    countries: tuple[str, ...],
    named: Callable[[str], str | None] | None,
) -> RegionResolver:
    table = Path(settings.postal_codes) if settings.postal_codes else None
    return RegionResolver(
        tree,
        level=None if settings.region_level == "none" else settings.region_level,
        countries=countries,
        declared=settings.regions,
        online=settings.online_region,
        postal=postal_lookup(tree, table, tercet=settings.tercet),
        accepts_any=settings.any_region,
        named=named,
    )


def _tried(make: Callable[[], _T], problems: list[str]) -> _T | None:
    """Return what is made, or None after what is wrong with it has been listed."""
    try:
        return make()
    except ConfigError as error:
        problems += str(error).split("\n")
        return None


def fingerprint(settings: Settings, panels: Sequence[EquippedPanel], model_version: str) -> str:
    """Return a short hash of everything that decides what a run publishes, except the data."""
    plain = {
        "model": model_version,
        "fold": _fold_rules(settings),
        "coverage": msgspec.to_builtins(settings.coverage),
        "detection": msgspec.to_builtins(settings.detection),
        "alerts": msgspec.to_builtins(settings.alerts),
        "panels": [each.described for each in panels],
    }
    return _hash(plain)


def fold_fingerprint(settings: Settings, panels: Sequence[EquippedPanel]) -> str:
    """Return a short hash of what decides the partials of a log: which records count, where, and with what amount.

    It is what aggregators must agree on; models and alerts are not their business.
    """
    return _hash({"fold": _fold_rules(settings), "panels": [each.panel.describe() for each in panels]})


def _fold_rules(settings: Settings) -> dict[str, object]:
    """Return the rules of the first fold.

    The size of a block decides only how the log is cut, so that a run in one process and one over Kafka agree; but
    where copies are looked for in blocks.
    """
    rules: dict[str, object] = msgspec.to_builtins(settings.fold)
    if not settings.fold.deduplicate_blocks:
        del rules["block_size"], rules["deduplicate_blocks"]
    return rules


def _hash(plain: object) -> str:
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()[:16]


def _read_rates(path: Path, problems: list[str]) -> dict[str, list[tuple[date, Decimal]]]:
    """Read `currency,since,rate`: units of the panel's currency for one unit of the foreign one, from a day on."""
    rates: dict[str, list[tuple[date, Decimal]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            if reader.fieldnames != _RATE_COLUMNS:
                problems.append(f"{path}:1: columns {reader.fieldnames}; expected {','.join(_RATE_COLUMNS)}")
                return {}
            for row in reader:
                try:
                    rate = Decimal(row["rate"])
                    since = date.fromisoformat(row["since"])
                except (InvalidOperation, ValueError, TypeError):
                    problems.append(f"{path}:{reader.line_num}: {row}: expected a date and a number")
                    continue
                if row["currency"] not in CURRENCY_CODES or not (rate.is_finite() and rate > 0):
                    problems.append(f"{path}:{reader.line_num}: {row}: expected an ISO 4217 code and a rate above 0")
                    continue
                dated = rates.setdefault(row["currency"], [])
                if any(day == since for day, _ in dated):
                    problems.append(
                        f"{path}:{reader.line_num}: {row}: a rate of this currency from this day on is above"
                    )
                    continue
                dated.append((since, rate))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    return rates
