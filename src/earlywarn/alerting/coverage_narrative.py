"""A coverage alert in words: what was not reported, by whom, and what that holds back."""

from collections.abc import Sequence
from datetime import date

from earlywarn.alerting.words import THIN, Names, day, days_of, figure, joined, place, size_pct, subject
from earlywarn.domain.alert import BEHIND, LOST, SILENT_REGIONS, Alert, Evidence
from earlywarn.domain.series import ALL

_PLACES = 3
"""So many are named, those of which most is missing."""


def narrate_coverage(alert: Alert, names: Names) -> str:
    """Say what was not reported, whether that holds economic alerts back, and how it ended."""
    lost = [item.name.removeprefix(LOST) for item in alert.evidence if item.name.startswith(LOST)]
    if lost:
        return _loss(alert, lost[0], names)
    if alert.direction == "up":
        return _new_sources(alert, names)
    if any(item.name.startswith(BEHIND) for item in alert.evidence):
        return _behind(alert, names)
    if alert.region is not None or figure(alert, SILENT_REGIONS) is not None:
        return _silent_regions(alert, names) if alert.region is None else _silent_region(alert, names)
    return _silent_feeds(alert, names)


def _silent_feeds(alert: Alert, names: Names) -> str:
    missing = figure(alert, "missing_volume") or 0.0
    silent, gone = _listed(alert, "silent: ", names), _listed(alert, "expected no more: ", names)
    if gone and not round(missing, 1):
        return (
            f"{names.panel(alert.panel)}: nothing is expected any more of {', '.join(gone)}, silent for so long. "
            "Nothing is missing without it; economic alerts go by all others."
        )
    text = f"{names.panel(alert.panel)}: {_unreported(alert, missing)}"
    if silent and not is_all(missing):
        text += f" (silent: {', '.join(silent)})"
    if alert.status != "resolved":
        forgotten = [f"From now on nothing is expected of {', '.join(gone)}, silent for so long."] if gone else []
        return " ".join([f"{text}.", _held_back(alert, names), *forgotten])
    still = _listed(alert, "still silent: ", names)
    rest = f"; still silent: {', '.join(still)}" if still else ""
    if gone:
        return f"{text}. Nothing is expected any more of {', '.join(gone)}; economic alerts go by all others{rest}."
    if not still and 1 < _missing_days(alert)[0] < _span_days(alert):
        return f"{text}. After {day(alert.resolved_on)} what is expected is reported again."
    what = "Enough is reported" if still else "Reporting is complete"
    return f"{text}. {what} again after {day(alert.resolved_on)}{rest}."


def _held_back(alert: Alert, names: Names) -> str:
    """Say which economic alerts are held back."""
    if figure(alert, "alerts_held_back"):
        return "This says nothing about spending, which it may hide; economic alerts are held back meanwhile."
    places = places_of(alert, "missing_volume")
    if not places:
        return "Economic alerts are not held back: enough is heard without it."
    where = (
        f"Where it comes from, more is missing: {told_places(places, names)}. This says nothing about spending there; "
        f"{held_back_in_part('heard')}"
    )
    closed = [item.series_id or "" for item in places if is_all(item.value) and _is_sector(item.series_id or "")]
    return " ".join([where, *(f"Nobody else reports {place(at, names)}: it may also be closed." for at in closed[:1])])


def held_back_in_part(done: str) -> str:
    """Return which economic alerts are held back where some is not `heard`, or not `read`."""
    return (
        f"alerts about what is {done} in part are held back meanwhile, all others are not, and totals are judged "
        "without it."
    )


def places_of(alert: Alert, name: str) -> list[Evidence]:
    """Return the evidence of that name that is about parts of the panel."""
    return [item for item in alert.evidence if item.name == name and item.series_id is not None]


def told_places(places: Sequence[Evidence], names: Names) -> str:
    """Return how much it is in which places, in words; the first few are named."""
    told = [f"{size_pct(item.value)} in {place(item.series_id or '', names)}" for item in places[:_PLACES]]
    more = [f"as much or less in {len(places) - _PLACES} more"] if len(places) > _PLACES else []
    return ", ".join(told + more)


def _unreported(alert: Alert, missing: float) -> str:
    """Say what was not reported of the days that the alert is about: of its last one, and since its first."""
    days, empty = _missing_days(alert)
    if days == 1 and is_all(missing):
        return f"{_nothing(alert)} was reported of {day(alert.as_of)}"
    less = size_pct(missing) if round(missing, 1) else f"less than 0.1{THIN}%"
    if days == 1:
        return f"{less} of the expected volume of {day(alert.as_of)} was not reported"
    if empty >= days:
        return f"nothing {_reported(alert)}"
    told = [f"nothing at all on {empty} of these days"] if empty else []
    told += [] if is_all(missing) else [f"{less} less than expected on the last of them"]
    told = told or ["next to nothing on the last of them"]
    return f"too little {_reported(alert)}, {' and '.join(told)}"


def _loss(alert: Alert, lost: str, names: Names) -> str:
    needed, begins = figure(alert, "needed") or 0.0, figure(alert, "log_begins") or 0.0
    return (
        f"{names.panel(alert.panel)}: nothing is counted any more of source {lost}. Retention removed transactions "
        f"before they were folded: offset {needed:.0f} is needed, the log begins at {begins:.0f}. What is published of "
        f"{day(alert.opened_on)} and later lacks them. This does not mend itself: go on in another run "
        "(docs/delivery.md, A lost partition)."
    )


def _silent_region(alert: Alert, names: Names) -> str:
    about, days, none = subject(alert, names), _missing_days(alert)[0], _nothing(alert)
    if alert.status == "resolved":
        when = f"was reported on {day(alert.resolved_on)}" if days == 1 else _reported(alert)
        return f"{about}: {none} {when}. It is heard again; its alerts are no longer held back."
    what = f"was reported of {day(alert.as_of)}" if days == 1 else _reported(alert)
    return (
        f"{about}: {none} {what}, in any sector. All of them at once, this is taken for missing data and not for a "
        "fall of spending, which it would hide; alerts of this region are held back meanwhile, all others are not, and "
        "totals are judged without it."
    )


def _silent_regions(alert: Alert, names: Names) -> str:
    """Say of several regions that fell silent together what is said of one."""
    count, days, none = round(figure(alert, SILENT_REGIONS) or 0), _missing_days(alert)[0], _nothing(alert)
    named = [place(item.series_id or "", names) for item in places_of(alert, "missing_volume")[:_PLACES]]
    regions = joined([*named, *([_more_regions(count - len(named))] if count > len(named) else [])])
    about = names.panel(alert.panel)
    if alert.status == "resolved":
        when = f"was reported on {day(alert.resolved_on)}" if days == 1 else _reported(alert)
        return f"{about}: {none} {when} for {regions}. They are heard again; their alerts are no longer held back."
    what = f"was reported of {day(alert.as_of)}" if days == 1 else _reported(alert)
    share = size_pct(figure(alert, "missing_volume") or 0.0)
    return (
        f"{about}: {none} {what} for {regions}, in any sector: {share} of the expected volume. So many at once, this "
        "is taken for missing data and not for a fall of spending, which it would hide; alerts of these regions are "
        "held back meanwhile, all others are not, and totals are judged without them."
    )


def _nothing(alert: Alert) -> str:
    """Return whether nothing at all came on all the days, or next to nothing on some (below what counts as heard)."""
    days, empty = _missing_days(alert)
    return "nothing" if empty >= days else "next to nothing"


def _missing_days(alert: Alert) -> tuple[int, int]:
    """Return on how many days something was missing, and on how many of them all of it."""
    return round(figure(alert, "days_missing") or 1), round(figure(alert, "days_of_nothing") or 0)


def _reported(alert: Alert) -> str:
    """Return the days of a coverage alert of several, with the verb; of a span with others between, how many it has."""
    days, span, first = _missing_days(alert)[0], _span_days(alert), day(alert.opened_on)
    some = f" on {days} of the {span} days" if days < span else ""
    if alert.status == "resolved":
        return f"was reported{some} from {first} to {day(alert.resolved_on)}{'' if some else f' ({days_of(days)})'}"
    all_of = "" if some else f"{days_of(days)}, "
    return f"has been reported{some} since {first} ({all_of}to {day(alert.as_of)})"


def _span_days(alert: Alert) -> int:
    """Return how many days there are from the first to the last on which something was missing, both among them."""
    last = alert.resolved_on if alert.status == "resolved" else alert.as_of
    return (date.fromisoformat(last or alert.as_of) - date.fromisoformat(alert.opened_on)).days + 1


def _new_sources(alert: Alert, names: Names) -> str:
    who, when = ", ".join(_listed(alert, "new: ", names)), day(alert.opened_on)
    told = f"{names.panel(alert.panel)}: since about {when} payments come that had not in the weeks before: of {who}."
    if alert.status == "resolved":
        return f"{told} What a source adds is no rise of spending."
    return (
        f"{told} What a source adds is no rise of spending; what is usual there is learned anew, for about a week "
        "before it is judged again."
    )


def lacking(alert: Alert) -> str:
    """Say of a fall which sources lack so much that it may be theirs."""
    told = joined(_less(alert))
    return f"{told[0].upper()}{told[1:]} than the others let expect: that may be no spending." if told else ""


def _less(alert: Alert) -> list[str]:
    """Return how much less sources have brought."""
    brought = "brought" if alert.status == "resolved" else "has brought"
    return [
        f"{feed_name(item.name.removeprefix(BEHIND))} {brought} {size_pct(item.value)} less"
        for item in alert.evidence
        if item.name.startswith(BEHIND)
    ]


def _behind(alert: Alert, names: Names) -> str:
    about, first = names.panel(alert.panel), day(alert.opened_on)
    what = f"{joined(_less(alert))} than the others let expect, in the same regions and sectors"
    if alert.status == "resolved":
        last = day(alert.resolved_on)
        return f"{about}: from {first} to {last} {what}. Since then that has become usual, or it is over."
    return (
        f"{about}: since {first} {what}. Most falls of spending are seen by all: merchants may be lost, or a part of a "
        "delivery; or its customers spend less, and not those of the others. Nothing is held back for it; of a fall "
        "that is told from then on, so much may be no spending."
    )


def _listed(alert: Alert, kind: str, names: Names) -> list[str]:
    """Return the feeds of some evidence, with the regions that it is about; without regions, it is about all."""
    found: dict[str, list[str]] = {}
    for item in alert.evidence:
        if item.name.startswith(kind):
            regions = found.setdefault(feed_name(item.name.removeprefix(kind)), [])
            regions += [] if item.series_id is None else [place(item.series_id, names)]
    return [_of_regions(feed, regions) for feed, regions in sorted(found.items())]


def _of_regions(feed: str, regions: list[str]) -> str:
    """Return a feed and where it is what is said of it.

    >>> _of_regions("acquirer A", ["Ticino", "Jura"]), _of_regions("acquirer A", ["A", "B", "C", "D"])
    ('acquirer A in Jura and Ticino', 'acquirer A in A, B and 2 more regions')
    """
    if not regions:
        return feed
    told = sorted(regions)
    if len(told) > _PLACES:
        told = [*told[: _PLACES - 1], _more_regions(len(told) - _PLACES + 1)]
    return f"{feed} in {joined(told)}"


def _more_regions(count: int) -> str:
    return f"{count} more region{'' if count == 1 else 's'}"


def feed_name(name: str) -> str:
    """Return what a feed is called; what comes without a source's name is known by its partition, if it is another.

    >>> feed_name("partition 0"), feed_name("partition 3"), feed_name("acquirer A")
    ('input that names no source', 'input that names no source (partition 3)', 'acquirer A')
    """
    if not name.startswith("partition "):
        return name
    return "input that names no source" + ("" if name == "partition 0" else f" ({name})")


def _is_sector(series_id: str) -> bool:
    _, region, sector = series_id.split("/")
    return region == ALL and sector != ALL


def is_all(missing: float) -> bool:
    """Return whether a share in per cent is told as all."""
    return round(missing, 1) >= 100  # per cent
