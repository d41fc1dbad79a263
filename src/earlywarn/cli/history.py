"""`earlywarn backtest` and `earlywarn score`."""

import math
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.series_csv import score_file
from earlywarn.application.backtest import CHANGE_PCT, BacktestPlan, collect_history, run_backtest
from earlywarn.application.score import ScoreSummary
from earlywarn.cli.backtest_view import show_backtest
from earlywarn.cli.preparing import (
    Config,
    Country,
    Currency,
    EventTable,
    Inputs,
    Json,
    Mapping,
    SchoolTable,
    SectorCodes,
    TimeZone,
    prepare,
)
from earlywarn.cli.progress import reading, stepping
from earlywarn.cli.ranges import COUNTING, day, ranged
from earlywarn.cli.terminal import remark, result_console, results
from earlywarn.detection.hierarchy import LEVELS
from earlywarn.domain.ranges import Range
from earlywarn.errors import ConfigError, InputError


def _levels(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        if name not in LEVELS:
            raise typer.BadParameter(f"{name!r}: give some of {', '.join(LEVELS)}")
    return names


def backtest(
    inputs: Inputs,
    config: Config = None,
    mapping: Mapping = None,
    country: Country = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    classification: SectorCodes = None,
    school_holidays: SchoolTable = None,
    known_events: EventTable = None,
    change: Annotated[
        list[float] | None,
        ranged(allowed=CHANGE_PCT, help="Size of a step in per cent, not 0; may stand several times.", number=float),
    ] = None,
    days: Annotated[int, ranged(allowed=COUNTING, help="Length of a step in days.")] = 28,
    ramp_days: Annotated[
        int, ranged(allowed=Range(0, math.inf), help="Days over which a step grows to its size; at most its length.")
    ] = 0,
    measure: Annotated[Literal["both", "amount", "transactions"], typer.Option(help="What steps.")] = "both",
    level: Annotated[
        list[str] | None, typer.Option(help=f"What is shocked: {', '.join(LEVELS)}.", callback=_levels)
    ] = None,
    region: Annotated[list[str] | None, typer.Option(help="Shock targets of this region only.")] = None,
    sector: Annotated[list[str] | None, typer.Option(help="Shock targets of this sector only.")] = None,
    starts: Annotated[int, ranged(allowed=COUNTING, help="Random starts of each target.")] = 5,
    seed: Annotated[
        list[int] | None,
        ranged(allowed=Range(0, 2**63 - 1), help="Seeds of the starts; may stand several times."),
    ] = None,
    warm_up_days: Annotated[int, ranged(allowed=Range(7, math.inf), help="Days before the first start.")] = 120,
    false_per_series_year: Annotated[
        float,
        ranged(
            allowed=Range(0, math.inf),
            help="Rate to which a second threshold is calibrated; 0 for none.",
            number=float,
        ),
    ] = 1.0,
    until: Annotated[str | None, typer.Option(help="Last day of the history that is used.")] = None,
    jobs: Annotated[int, ranged(allowed=COUNTING, help="Processes; the result does not depend on them.")] = 1,
    json: Json = False,
) -> None:
    """Inject steps into a history and measure how soon they are seen, beside the false alarms.

    Examples:

        earlywarn backtest cells.csv --change -20 --change -50

        earlywarn backtest cells.csv --level region --change -20 --starts 10 --json
    """
    if change and 0 in change:
        raise typer.BadParameter(
            "a step of 0 % injects nothing; what chance finds stands beside every size ('by chance')",
            param_hint="--change",
        )
    if ramp_days > days:
        raise typer.BadParameter(
            f"{ramp_days}: give from 0 to the length of the step, {days} (--days)", param_hint="--ramp-days"
        )
    try:
        plan = BacktestPlan(
            changes_pct=tuple(change or (-20.0, -30.0, -50.0)),
            days=days,
            ramp_days=ramp_days,
            measure=measure,
            levels=tuple(level or ("cell",)),  # type: ignore[arg-type]  # the plan checks the names
            regions=tuple(region or ()),
            sectors=tuple(sector or ()),
            starts_per_target=starts,
            seeds=tuple(seed or (1,)),
            warm_up_days=warm_up_days,
            false_per_series_year=false_per_series_year or None,
            until=None if until is None else day(until, "--until"),
        )
    except ConfigError as error:  # every value of the plan was given on the command line
        raise typer.BadParameter(str(error)) from error
    ready = prepare(
        inputs,
        config=config,
        mapping=mapping,
        country=country,
        currency=currency,
        time_zone=time_zone,
        classification=classification,
        school_holidays=school_holidays,
        known_events=known_events,
    )
    for each in ready.assumed:
        remark(each.in_words())
    feeds = feeds_of(ready.inputs, ready.run.panels[0].panel.calendar)
    with reading(ready.inputs) as progress:
        history = collect_history(ready.run, feeds, received_ms=time.time_ns() // 1_000_000, progress=progress)
    with stepping("Backtesting") as step:
        result = run_backtest(ready.run, history.days, plan, jobs=jobs, progress=step)
    with results():
        if json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
        else:
            show_backtest(result, result_console())


def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV of one series: two columns of any name, or more of which two are called timestamp and value."
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV to write; without: standard output.")] = None,
    decimal: Annotated[
        Literal[".", ","] | None,
        typer.Option(
            help="The sign before decimals. Default: a point, with semicolons between columns also a comma, but not "
            "where it may stand between thousands as well (1,234)."
        ),
    ] = None,
) -> None:
    """Score one univariate series, online: timestamp,value in, timestamp,value,score out.

    The score is in 0..1: above 0.5 is worth a look. The score of a row depends on the rows up to it alone. Rows that
    cannot be used keep their places without a score; they are listed, and the command then exits with 1.

    Few rows cannot say how rare something is, so scores have a ceiling: 0.41 after 100 rows, 0.89 after 250, 0.95 after
    365, 0.995 after 1,000; a row with fewer than 115 before it stays below 0.5. An outlier of a hundred times the usual
    is at the ceiling of its row, and so may be one of three times; a later day of a lasting step may be at a higher
    one. How large something is say the values, not their scores.

    Example:

        earlywarn score series.csv --out scored.csv
    """
    if out is None:
        with results():
            summary = score_file(file, sys.stdout, tell=remark, decimal=decimal or "")
    else:
        summary = _score_to(out, file, decimal or "")
    for problem in summary.problems:
        remark(problem)
    if summary.bad > len(summary.problems):
        remark(f"{file}: {summary.bad - len(summary.problems):,} more rows cannot be used")
    if summary.bad:
        raise typer.Exit(1)


def _score_to(out: Path, file: Path, decimal: str) -> ScoreSummary:
    """Write the scores beside their place and move them there: what breaks off leaves no half of a file."""
    if out.resolve() == file.resolve():
        raise typer.BadParameter("the scores would replace their input; name another file", param_hint="--out")
    draft = out.with_name(f".{out.name}.draft")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("w", encoding="utf-8", newline="") as stream:
                summary = score_file(file, stream, tell=remark, decimal=decimal)
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}; choose another place for the scores") from error
    return summary
