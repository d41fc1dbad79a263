"""A table of known events: CSV `name,first_day,last_day,effect,region,sector`, and `spread_pct` if wanted.

`*` stands for all regions, or all sectors, as in the id of a series. A region is a code of NUTS or of the panel's own,
or a name that is known (`Places`); it holds all within it. A sector is a class of the panel's classification, or a code
that leads to one: then the class is meant. See docs/calendars.md.
"""

from collections.abc import Callable
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from earlywarn.domain.calendar import FIRST_YEAR, LAST_YEAR
from earlywarn.domain.card_number import has_card_number
from earlywarn.domain.known_event import EVENT_EFFECTS, USUAL_SPREAD_PCT, EventEffect, KnownEvent, KnownEvents
from earlywarn.domain.ranges import up_to
from earlywarn.domain.region import ONLINE, RegionResolver
from earlywarn.domain.reject import RejectReason
from earlywarn.domain.sector import Classification
from earlywarn.domain.series import ALL
from earlywarn.errors import ConfigError
from earlywarn.reference.table import read_table

EVENT_COLUMNS = ("name", "first_day", "last_day", "effect", "region", "sector")
MOST_EVENTS = 10_000
MOST_EVENT_DAYS = 366
MOST_NAME_LETTERS = 100
_SPREAD_PCT = up_to(1_000)


def load_known_events(
    table: Path,
    regions: RegionResolver,
    classification: Classification,
    find: Callable[[str], str | None] = lambda _: None,
) -> KnownEvents:
    """Return the events of a panel.

    Args:
        table: the CSV; days as ISO 8601 dates, both included.
        regions: what regions the panel has.
        classification: what sectors it has.
        find: the NUTS code that a region's name means (`Places.find`); None for what is no known name.

    Raises:
        ConfigError: one line for each problem: file, line, field, value, and what would do.
    """
    reader = _Reader(regions, classification, find)
    events: dict[KnownEvent, int] = {}
    problems: list[str] = []
    rows = list(read_table(table, EVENT_COLUMNS))
    if len(rows) > MOST_EVENTS:
        raise ConfigError(f"{table}: {len(rows):,} events; give {MOST_EVENTS:,} at most, those that are long over go")
    for line, row in rows:
        found: list[str] = []
        event = reader.event(row, found)
        if event is not None and event in events:
            found.append(f"the same event stands in line {events[event]}; remove one")
        problems += [f"{table}:{line}: {problem}" for problem in found]
        if event is not None:
            events.setdefault(event, line)
    if problems:
        raise ConfigError("\n".join(problems))

    def inside(region: str, above: str) -> bool:
        return above in regions.tree.lineage(reader.code(region))

    return KnownEvents(events, inside)


class _Reader:
    """Reads rows, for one panel."""

    def __init__(
        self, regions: RegionResolver, classification: Classification, find: Callable[[str], str | None]
    ) -> None:
        self._regions, self._classification, self._find = regions, classification, find

    def code(self, region: str) -> str:
        """Return the tree's code of a region; one that has none as it is."""
        return self._find(region) or self._regions.tree.recode(region)

    def event(self, row: dict[str, str], problems: list[str]) -> KnownEvent | None:
        """Return the event of a row; None after its problems have been listed."""
        known = len(problems)
        name = row["name"]
        if len(name) > MOST_NAME_LETTERS or not name.isprintable() or has_card_number(name):
            problems.append(f"name: give {MOST_NAME_LETTERS} letters at most, on one line, without a long number")
        first, last = (_day(row, column, problems) for column in ("first_day", "last_day"))
        if first is not None and last is not None:
            _check_days(first, last, problems)
        effect = _effect(row["effect"], problems)
        region = None if row["region"] == ALL else self._region(row["region"], problems)
        sector = None if row["sector"] == ALL else self._sector(row["sector"], problems)
        spread_pct = _spread(row.get("spread_pct", ""), effect, problems)
        if len(problems) > known or first is None or last is None or effect is None:
            return None
        return KnownEvent(
            name=name,
            first_day=first,
            last_day=last,
            effect=effect,
            region=region,
            sector=sector,
            spread_pct=spread_pct,
        )

    def _region(self, text: str, problems: list[str]) -> str:
        regions, tree = self._regions, self._regions.tree
        if text in regions.declared or (text == ONLINE and regions.online):
            return text
        code = self.code(text)
        if code not in tree:
            if not regions.accepts_any:
                problems.append(
                    f"region {text!r} is neither NUTS nor of the panel; correct or declare it, or give {ALL} for all"
                )
            return text
        if regions.countries and tree.country(code) not in regions.countries:
            problems.append(f"region {text!r} is in {tree.country(code)}, and no country of the panel; remove the row")
        above = None if regions.level is None else tree.at_level(code, regions.level)
        if above is None or not regions.declared.isdisjoint(tree.lineage(code)):
            return code
        while code != above and tree.children(tree.parent(code) or "") == (code,):
            code = tree.parent(code) or above  # Ticino is CH070, and all of CH07
        if code != above:
            problems.append(
                f"region {text!r} is a part of {above}, which is judged as one; give {above} if it matters there"
            )
        return code

    def _sector(self, text: str, problems: list[str]) -> str:
        classes = self._classification.classes
        found = text if text in classes else self._classification.class_of(None, text, None)
        if isinstance(found, RejectReason):
            near = get_close_matches(text, classes, n=1)
            meant = f"did you mean {near[0]}?" if near else f"its classes are {', '.join(sorted(classes))}"
            problems.append(
                f"sector {text!r} is neither class nor code of classification {self._classification.name}; {meant} "
                f"({ALL}: all)"
            )
            return text
        return found


def _day(row: dict[str, str], column: str, problems: list[str]) -> date | None:
    try:
        day = date.fromisoformat(row[column])
    except ValueError:
        problems.append(f"{column} {row[column]!r:.40} is no date; write it as 2019-12-31")
        return None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        problems.append(f"{column} {day}: give a day between {FIRST_YEAR} and {LAST_YEAR}")
        return None
    return day


def _check_days(first: date, last: date, problems: list[str]) -> None:
    days = (last - first).days + 1
    if days < 1:
        problems.append(f"last_day {last} is before first_day {first}; swap them")
    elif days > MOST_EVENT_DAYS:
        problems.append(
            f"last_day {last}: the event goes on for {days:,} days; give {MOST_EVENT_DAYS} at most: what lasts longer "
            "becomes the usual level by itself"
        )


def _effect(text: str, problems: list[str]) -> EventEffect | None:
    for effect in EVENT_EFFECTS:
        if text == effect:
            return effect
    problems.append(
        f"effect {text!r:.40}: give {' or '.join(EVENT_EFFECTS)}; school holidays are a table of their own "
        "(school_holidays)"
    )
    return None


def _spread(text: str, effect: EventEffect | None, problems: list[str]) -> float:
    """Return the spread of an event that widens; nothing is spread by one that mutes."""
    if not text:
        return USUAL_SPREAD_PCT
    if effect == "mute":
        problems.append(f"spread_pct {text!r:.40}: an event that mutes has none; leave it empty")
    try:
        spread_pct = float(text)
    except ValueError:
        spread_pct = 0.0
    if spread_pct not in _SPREAD_PCT:
        problems.append(f"spread_pct {text!r:.40}: give a number {_SPREAD_PCT}")
    return spread_pct
