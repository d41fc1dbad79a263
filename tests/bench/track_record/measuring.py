"""Measures a track record: contestants and parts are jobs of their own, shared among processes."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context

import msgspec
from command_line import SAMPLE

from earlywarn.detection import MODEL_VERSION
from track_record.ablation import ABLATIONS, difference
from track_record.contestants import CONTESTANTS, PRODUCT, Contestant
from track_record.measured import Point, detections, point, thresholds
from track_record.record import Basis, Cost, Part, Record
from track_record.river_scorers import RIVER
from track_record.sample import WARM_UP_DAYS, Sample, closed_days, composed, sample_of
from track_record.shocks import SHOCKS, Shock
from track_record.trials import Start, Trial, run_trials, schedule
from track_record.untouched import RATES, Rate, Untouched, judge_untouched, lowest_threshold, settled, span_of

PARTS = {**ABLATIONS, **RIVER}
ABLATED_SHOCKS = tuple(
    shock for shock in SHOCKS if shock.name in {"step -20 %", "step -10 %", "amounts only -20 %", "a region -20 %"}
)
Progress = Callable[[int, int, str], None]


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: `starts` of a cell and of a group for each seed; how many parts of the ablation."""

    seeds: tuple[int, ...] = (1, 2)
    starts_of_cells: int = 10
    starts_of_groups: int = 20
    parts: int = len(PARTS)


QUICK = Plan(seeds=(1,), starts_of_cells=1, starts_of_groups=1, parts=1)


class Job(msgspec.Struct, frozen=True):
    """A contestant at one rate of false episodes, or a part of the ablation (at the first rate)."""

    name: str
    rate: Rate
    is_part: bool = False


def jobs(plan: Plan) -> list[Job]:
    """Return all of them, in the order of the tables."""
    found = [Job(name, rate) for name in CONTESTANTS for rate in RATES]
    return [*found, *(Job(name, RATES[0], is_part=True) for name in list(PARTS)[: plan.parts])]


@cache
def the_sample() -> Sample:
    """Return the sample, once a process."""
    run = composed()
    return sample_of(run, closed_days(run))


def _trials_of(
    make: Callable[[Sample], Contestant], untouched: Untouched, shocks: Sequence[Shock], plan: Plan, enough: float
) -> tuple[list[Start], list[Trial]]:
    sample = the_sample()
    starts = schedule(shocks, sample, plan.seeds, of_cells=plan.starts_of_cells, of_groups=plan.starts_of_groups)
    return starts, run_trials(make, sample, untouched, shocks, starts, enough)


def measure_contestant(job: Job, plan: Plan) -> list[Point]:
    """Return a contestant's two points at a rate: its threshold chosen by the first half, and by all."""
    sample, make = the_sample(), CONTESTANTS[job.name]
    untouched = settled(make, sample, job.rate)
    chosen = thresholds(untouched, (job.rate,), sample)
    starts, trials = _trials_of(make, untouched, SHOCKS, plan, max(chosen.values()))
    planned = Counter[str](start.where for start in starts)
    return [
        msgspec.structs.replace(
            point(job.name, untouched, rate, span, threshold, sample),
            detections=tuple(detections(trials, SHOCKS, planned, threshold)),
        )
        for (rate, span), threshold in chosen.items()
    ]


@cache
def _whole_product(rate: Rate, plan: Plan) -> tuple[float, list[Trial]]:
    return _at_first_half(CONTESTANTS[PRODUCT], rate, plan)[:2]


def _at_first_half(
    make: Callable[[Sample], Contestant], rate: Rate, plan: Plan
) -> tuple[float, list[Trial], Counter[str]]:
    sample = the_sample()
    untouched = settled(make, sample, rate)
    threshold = lowest_threshold(untouched, rate, span_of("first half", sample))
    starts, trials = _trials_of(make, untouched, ABLATED_SHOCKS, plan, threshold)
    return threshold, trials, Counter[str](start.where for start in starts)


def measure_part(job: Job, plan: Plan) -> Part:
    """Return the product without a part, against the whole product (measured once a process)."""
    whole_threshold, whole = _whole_product(job.rate, plan)
    threshold, trials, planned = _at_first_half(PARTS[job.name], job.rate, plan)
    found = detections(trials, ABLATED_SHOCKS, planned, threshold)
    differences = {
        shock.name: difference(trials, threshold, whole, whole_threshold, shock.name) for shock in ABLATED_SHOCKS
    }
    return Part(
        part=job.name,
        rate=job.rate.name,
        threshold=round(threshold, 4),
        shares={each.shock: each.within["7"] for each in found},
        differences={shock: each for shock, each in differences.items() if each is not None},
    )


def _do(job: Job, plan: Plan) -> list[Point] | Part:
    return measure_part(job, plan) if job.is_part else measure_contestant(job, plan)


def measure(plan: Plan, processes: int, progress: Progress) -> Record:
    """Return the record of a plan; it does not depend on the number of processes."""
    todo = jobs(plan)
    results: dict[int, list[Point] | Part] = {}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        # The slow ones first, so that no process waits long at the end.
        slow_first = sorted(range(len(todo)), key=lambda at: (todo[at].name != PRODUCT, not todo[at].is_part, at))
        waiting = {pool.submit(_do, todo[at], plan): at for at in slow_first}
        for done in as_completed(waiting):
            at = waiting[done]
            results[at] = done.result()
            progress(len(results), len(todo), todo[at].name)
    ordered = [results[at] for at in range(len(todo))]
    run = composed()
    return Record(
        model_version=MODEL_VERSION,
        config_hash=run.fingerprint,
        basis=basis(plan),
        points=tuple(each for found in ordered if isinstance(found, list) for each in found),
        ablation=tuple(each for each in ordered if isinstance(each, Part)),
        cost=tuple(_cost(name) for name in CONTESTANTS),
    )


def basis(plan: Plan) -> Basis:
    """Return what a plan is measured on."""
    sample = the_sample()
    return Basis(
        sample_sha256=hashlib.sha256(SAMPLE.read_bytes()).hexdigest(),
        first_day=sample.days[0].isoformat(),
        last_day=sample.days[-1].isoformat(),
        second_half_from=sample.days[sample.middle].isoformat(),
        warm_up_days=WARM_UP_DAYS,
        cells=len(sample.series),
        seeds=plan.seeds,
        starts_of_cells=plan.starts_of_cells,
        starts_of_groups=plan.starts_of_groups,
    )


def _cost(name: str) -> Cost:
    sample, began = the_sample(), time.process_time()
    judge_untouched(CONTESTANTS[name], sample, float("inf"))
    spent_ms = 1000 * (time.process_time() - began)
    return Cost(name, round(spent_ms / len(sample.days) / len(sample.series), 4))
