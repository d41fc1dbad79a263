"""From trials to figures: shares that alarmed within a week and two, with errors clustered by series, and delays."""

from collections.abc import Sequence

import msgspec
import numpy as np

from earlywarn.application.backtest.result import share_with_errors
from track_record.sample import Sample
from track_record.shocks import WATCHED_DAYS, Shock
from track_record.trials import Trial
from track_record.untouched import Chosen, FalseRate, Per, Rate, Untouched, false_rate, lowest_threshold, span_of

WITHIN_DAYS = (7, 14)
TERCILES = ("small", "middle", "large")


class Share(msgspec.Struct, frozen=True):
    """A share of trials, its standard error (clustered by series), and how many there were."""

    share: float
    standard_error: float
    trials: int


class Detection(msgspec.Struct, frozen=True):
    """What became of one shock.

    Attributes:
        shock: its name.
        trials, excluded, series: how many were run, were in alarm before, and of how many targets.
        within: by days from the first shocked day.
        chance: by days, the share in which the untouched history alarms.
        median_delay_days: 0 is an alarm at the close of the first shocked day; None where fewer than half alarmed.
        delays: of each age the trials that alarmed then; the last one is those that did not.
        by_size: within 7 days, by third of the cells' size.
        cells_within: of a group the share of its cells that alarmed within 14 days.
    """

    shock: str
    trials: int
    excluded: int
    series: int
    within: dict[str, Share]
    chance: dict[str, float]
    median_delay_days: int | None
    delays: tuple[int, ...]
    by_size: dict[str, Share]
    cells_within: float | None


class Point(msgspec.Struct, frozen=True):
    """A contestant at one threshold, `chosen` by the first half of the days or by all (in sample)."""

    contestant: str
    rate: str
    chosen: Chosen
    threshold: float
    accepted_at: float
    false_first_half: FalseRate
    false_second_half: FalseRate
    false_whole: FalseRate
    detections: tuple[Detection, ...] = ()


def thresholds(untouched: Untouched, rates: Sequence[Rate], sample: Sample) -> dict[tuple[Rate, Chosen], float]:
    """Return the thresholds of some rates, each chosen twice."""
    spans: tuple[Chosen, ...] = ("first half", "whole")
    return {
        (rate, chosen): lowest_threshold(untouched, rate, span_of(chosen, sample)) for rate in rates for chosen in spans
    }


def point(name: str, untouched: Untouched, rate: Rate, chosen: Chosen, threshold: float, sample: Sample) -> Point:
    """Return a point without its detections."""
    first, second, whole = (
        _false(untouched, threshold, rate.per, sample, span)
        for span in (
            span_of("first half", sample),
            slice(sample.middle, len(sample.days)),
            span_of("whole", sample),
        )
    )
    return Point(name, rate.name, chosen, round(threshold, 4), round(untouched.level, 4), first, second, whole)


def _false(untouched: Untouched, threshold: float, per: Per, sample: Sample, span: slice) -> FalseRate:
    return false_rate(untouched, threshold, per, sample, span)


def detections(
    trials: Sequence[Trial], shocks: Sequence[Shock], planned: dict[str, int], threshold: float
) -> list[Detection]:
    """Return what became of each shock at a threshold; `planned` is how many trials there were to be, by where."""
    found = []
    for shock in shocks:
        mine = [each for each in trials if each.shock == shock.name]
        run = [each for each in mine if each.before <= threshold]
        if run:
            found.append(_detection(shock, run, planned[shock.where], threshold))
    return found


def _detection(shock: Shock, run: Sequence[Trial], planned: int, threshold: float) -> Detection:
    delays = [each.delay(threshold) for each in run]
    chances = [each.chance_delay(threshold) for each in run]
    ages = np.array([WATCHED_DAYS if delay is None else delay for delay in delays])
    median = int(np.sort(ages)[len(ages) // 2])
    return Detection(
        shock=shock.name,
        trials=len(run),
        excluded=planned - len(run),
        series=len({each.target for each in run}),
        within={str(days): share(run, delays, days) for days in WITHIN_DAYS},
        chance={str(days): round(sum(_soon(each, days) for each in chances) / len(run), 4) for days in WITHIN_DAYS},
        median_delay_days=median if median < WATCHED_DAYS else None,
        delays=tuple(np.bincount(ages, minlength=WATCHED_DAYS + 1).tolist()),
        by_size=_by_size(run, delays),
        cells_within=_cells_within(run, threshold),
    )


def share(trials: Sequence[Trial], delays: Sequence[int | None], days: int) -> Share:
    """Return the share with a delay below so many days."""
    found, error, _ = share_with_errors([_soon(each, days) for each in delays], [each.target for each in trials])
    return Share(round(found, 4), round(error, 4), len(trials))


def _by_size(trials: Sequence[Trial], delays: Sequence[int | None]) -> dict[str, Share]:
    found = {}
    for third, name in enumerate(TERCILES):
        mine = [at for at, each in enumerate(trials) if each.tercile == third]
        if mine:
            found[name] = share([trials[at] for at in mine], [delays[at] for at in mine], WITHIN_DAYS[0])
    return found


def _cells_within(trials: Sequence[Trial], threshold: float) -> float | None:
    shares = [float((np.array(each.cells) > threshold).any(axis=0).mean()) for each in trials if each.cells]
    return round(float(np.mean(shares)), 4) if shares else None


def _soon(delay: int | None, days: int) -> bool:
    return delay is not None and delay < days
