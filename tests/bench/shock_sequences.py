"""How alerts follow a shock that changes its level: sequences of levels in the real sample, on one panel.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests/support python tests/bench/shock_sequences.py [--each]

A sequence is a place (the panel, a region, a sector) and its levels, each for some days; then all is usual again. A
level other than the usual one is told if within `TOLD_DAYS` of its first day, and while it lasts, an alert of the place
and of its direction is published with an effect no further than `ERR_LOG` (natural log) from it. A return is told if
within `OVER_DAYS` every alert of the place from before it has ended, as recovered, with a last alarm no more than
`DAY_ERR` days off the return; from a level of `USUAL_DAYS`, which may have become the usual one, also by an alert of
the other direction. False are alerts of the place that open in a direction in which nothing changed in the last
`TOLD_DAYS`.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from math import log1p
from typing import NamedTuple

from alert_rules import figure
from shocked_panel import ShockedPanel, composed, one_after_another
from swiss_sample import sample

from earlywarn.domain.alert import Alert

FOOD = ("Food and beverage services", "food-beverage-services")
PLACES = ((None, None), ("CH01", None), ("CH04", None), (None, FOOD))
STARTS = (date(2019, 8, 12), date(2019, 9, 23))
SEQUENCES = (
    ((10, 0.6), (4, 1.0), (21, 0.6)),
    ((9, 0.75), (21, 0.35)),
    ((7, 0.5), (7, 1.0), (7, 0.5), (7, 1.0), (7, 0.5)),
    ((8, 0.8), (14, 0.4)),
    ((14, 1.5), (14, 1.0), (14, 0.5)),
    ((21, 0.5), (10, 1.0), (14, 0.5)),
    ((5, 0.6), (21, 1.5)),
    ((14, 0.4), (14, 0.7)),
    ((14, 0.7), (21, 1.3)),
    ((7, 0.5), (7, 1.3), (7, 0.5), (7, 1.3)),
)
TOLD_DAYS, OVER_DAYS, ERR_LOG, DAY_ERR = 10, 14, 0.15, 2
USUAL_DAYS = 14
LEAST_DAYS = 7
"""Levels that last less are not asked for: a weekend is no end."""


class Level(NamedTuple):
    """A level of a sequence: its first day, the one behind its last, and its factor."""

    first: date
    end: date
    factor: float


def levels(first: date, sequence: tuple[tuple[int, float], ...]) -> Iterator[Level]:
    for days, factor in sequence:
        yield Level(first, first + timedelta(days), factor)
        first += timedelta(days)
    yield Level(first, first + timedelta(28), 1.0)


def played(place: tuple[str | None, tuple[str, str] | None], steps: list[Level]) -> list[list[Alert]]:
    """Return the histories of the economic alerts of a place."""
    region, sector = place
    spans = [((end - first).days, factor) for first, end, factor in steps]
    change = one_after_another(steps[0].first, spans, region, sector and sector[0])
    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    key = (region, sector and sector[1])
    return [each for each in panel.histories() if (each[0].region, each[0].sector) == key]


def judge(steps: list[Level], histories: list[list[Alert]], found: Counter[str]) -> list[str]:
    """Count what the alerts make of each level, and say it in words."""
    words: list[str] = []
    for at, (first, end, factor) in enumerate(steps):
        if (end - first).days < LEAST_DAYS or (at and factor == steps[at - 1].factor):
            continue
        if factor == 1.0:
            lasted = (first - steps[at - 1].first).days
            kind, word = "returns", _over(first, histories)
            if (
                word.split()[0] != "told"
                and lasted >= USUAL_DAYS
                and _is_turned(first, steps[at - 1].factor, histories)
            ):
                word = "told"
        else:
            kind, word = "levels", _told(first, end, 100 * (factor - 1.0), histories)
        found[kind] += 1
        found[f"{kind} {word.split()[0]}"] += 1
        words.append(f"{first:%d %b} x{factor}: {word}")
    for history in histories:
        day = date.fromisoformat(history[0].detected_on)
        changes = {
            "down" if after < before else "up"
            for (_, end, before), (_, _, after) in pairwise([Level(steps[0].first, steps[0].first, 1.0), *steps])
            if 0 <= (day - end).days < TOLD_DAYS
        }
        if steps[0].first <= day and history[0].direction not in changes:
            found["false"] += 1
            words.append(f"false: {day:%d %b} {history[0].direction}")
    return words


def _told(first: date, end: date, change_pct: float, histories: list[list[Alert]]) -> str:
    until = min(end, first + timedelta(TOLD_DAYS))
    direction = "down" if change_pct < 0 else "up"
    revisions = [
        each
        for history in histories
        for each in history
        if each.direction == direction
        and each.status != "resolved"
        and first.isoformat() <= each.as_of < until.isoformat()
    ]
    effects = [(each.as_of, figure(each, "effect") or 0.0) for each in revisions]
    level = log1p(change_pct / 100)
    right = [as_of for as_of, effect in effects if abs(log1p(max(effect, -99.0) / 100) - level) <= ERR_LOG]
    if right:
        return f"told on {right[0]}"
    return f"wrong: {[round(effect) for _, effect in effects]}" if effects else "missed"


def _over(first: date, histories: list[list[Alert]]) -> str:
    before = [history for history in histories if history[0].as_of < first.isoformat()]
    standing = [each for each in before if each[-1].status != "resolved" or each[-1].as_of >= first.isoformat()]
    until = (first + timedelta(OVER_DAYS)).isoformat()
    for history in standing:
        last = history[-1]
        if last.status != "resolved" or last.as_of >= until or last.outcome != "recovered":
            return f"missed ({last.status} {last.outcome} {last.as_of})"
        off = (date.fromisoformat(last.resolved_on or last.as_of) - first).days + 1
        if abs(off) > DAY_ERR:
            return f"wrong by {off} days"
    return "told" if standing else "nothing"


def _is_turned(first: date, factor: float, histories: list[list[Alert]]) -> bool:
    """Return whether a return from a level is told by an alert of the other direction."""
    until, direction = first + timedelta(TOLD_DAYS), "up" if factor < 1 else "down"
    opened = [history[0].as_of for history in histories if history[0].direction == direction]
    return any(first.isoformat() <= as_of < until.isoformat() for as_of in opened)


def main() -> None:
    parser = argparse.ArgumentParser(description="Sequences of levels in the real sample.")
    parser.add_argument("--each", action="store_true", help="print each sequence")
    asked = parser.parse_args()
    found = Counter[str]()
    for start in STARTS:
        for place in PLACES:
            for sequence in SEQUENCES:
                steps = list(levels(start, sequence))
                words = judge(steps, played(place, steps), found)
                if asked.each:
                    name = "/".join(each if isinstance(each, str) else each[0] if each else "*" for each in place)
                    print(f"{name} {start} {sequence}: {'; '.join(words)}", flush=True)
    for name in sorted(found):
        print(f"{name:18}{found[name]:5}")


if __name__ == "__main__":
    main()
