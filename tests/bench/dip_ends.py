"""How alerts tell the end of a dip: 66 dips of the real sample, of five days and of two weeks, on one panel.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests/support python tests/bench/dip_ends.py

A dip is of the panel or of one of two regions, -40 % for five days or -20 % for two weeks, and begins every second week
from July to December 2019. It is told if an alert of the place opens while it lasts; its end is told if that alert
ends as recovered, with a last alarm no more than `DAY_ERR` days off the dip's last day. False are alerts of regions,
sectors or the panel, not within others, that open within `AFTER_DAYS` of the end and would not have without the dip
(within `ERR_DAYS` of their first day), but for what is told as the way back from a level that had been accepted.
"""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

from alert_rules import figure
from shocked_panel import ShockedPanel, composed
from swiss_sample import sample

from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

FIRST, STARTS, EVERY_DAYS = date(2019, 7, 1), 11, 14
PLACES = ("CH01", "CH04", None)
DIPS = ((5, 0.6), (14, 0.8))
DAY_ERR, AFTER_DAYS, ERR_DAYS = 2, 28, 10


def histories(change: Callable[[Cell], float]) -> list[list[Alert]]:
    """Return the revisions of each economic alert of a changed sample."""
    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    return panel.histories()


def is_known(alert: Alert, untouched: list[list[Alert]]) -> bool:
    """Return whether about the same alert opens without the dip."""
    opened = date.fromisoformat(alert.opened_on)
    return any(
        (each[0].series_id, each[0].direction) == (alert.series_id, alert.direction)
        and abs((date.fromisoformat(each[0].opened_on) - opened).days) < ERR_DAYS
        for each in untouched
    )


def judge(found: list[list[Alert]], series_id: str, first: date, end: date, untouched: list[list[Alert]]) -> list[str]:
    """Return what the alerts make of a dip from `first` to before `end`."""
    begun = [each for each in found if first.isoformat() <= each[0].as_of < end.isoformat()]
    falls = [each for each in begun if each[0].direction == "down" and each[0].series_id == series_id]
    words = ["told"] if falls else []
    if falls:
        last = falls[0][-1]
        off = abs((date.fromisoformat(last.resolved_on or last.as_of) - end).days + 1)
        words.append("end told" if last.outcome == "recovered" and off <= DAY_ERR else f"end {last.outcome}, not so")
    until = (end + timedelta(AFTER_DAYS)).isoformat()
    for opening, *later in found:
        is_after = end.isoformat() < opening.as_of < until and opening.level != "cell"
        is_top = (later[-1] if later else opening).parent is None
        is_way_back = figure(opening, "days_since_level_began") is not None
        if is_after and is_top and not is_way_back and not is_known(opening, untouched):
            words.append(f"false {opening.direction}")
    return words


def main() -> None:
    untouched = histories(lambda _: 1.0)
    for days, factor in DIPS:
        counted = Counter[str]()
        for start in range(STARTS):
            for place in PLACES:
                first = FIRST + timedelta(EVERY_DAYS * start)
                end = first + timedelta(days)

                def change(
                    cell: Cell, place: str | None = place, first: date = first, end: date = end, factor: float = factor
                ) -> float:
                    return factor if first <= cell.day < end and place in (None, cell.region) else 1.0

                counted["dips"] += 1
                counted.update(judge(histories(change), f"CH/{place or '*'}/*", first, end, untouched))
        print(f"{days} days at {factor - 1:+.0%}: " + ", ".join(f"{name} {counted[name]}" for name in sorted(counted)))


if __name__ == "__main__":
    main()
