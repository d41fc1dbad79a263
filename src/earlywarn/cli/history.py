"""`earlywarn backtest` and `earlywarn score`."""

import sys
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.series_csv import score_file
from earlywarn.application.backtest import BacktestPlan, collect_history, run_backtest
from earlywarn.cli.backtest_view import show_backtest
from earlywarn.cli.progress import reading, stepping
from earlywarn.cli.running import Config, Country, Currency, Inputs, Json, Mapping, TimeZone, prepare
from earlywarn.errors import ConfigError


def backtest(
    inputs: Inputs,
    config: Config = None,
    mapping: Mapping = None,
    country: Country = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    change: Annotated[
        list[float] | None, typer.Option(help="Size of a step in per cent; may stand several times.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Length of a step in days.")] = 28,
    ramp_days: Annotated[int, typer.Option(min=0, help="Days over which a step grows to its size.")] = 0,
    measure: Annotated[Literal["both", "amount", "transactions"], typer.Option(help="What steps.")] = "both",
    level: Annotated[list[str] | None, typer.Option(help="What is shocked: cell, region, sector, panel.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="Shock targets of this region only.")] = None,
    sector: Annotated[list[str] | None, typer.Option(help="Shock targets of this sector only.")] = None,
    starts: Annotated[int, typer.Option(min=1, help="Random starts of each target.")] = 5,
    seed: Annotated[list[int] | None, typer.Option(help="Seeds of the starts; may stand several times.")] = None,
    warm_up_days: Annotated[int, typer.Option(min=7, help="Days before the first start.")] = 120,
    false_per_series_year: Annotated[
        float, typer.Option(min=0, help="Rate to which a second threshold is calibrated; 0 for none.")
    ] = 1.0,
    until: Annotated[str | None, typer.Option(help="Last day of the history that is used.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the result does not depend on them.")] = 1,
    json: Json = False,
) -> None:
    """Inject steps into a history and measure how soon they are seen, beside the false alarms.

    Examples:

        earlywarn backtest cells.csv --change -20 --change -50

        earlywarn backtest cells.csv --level region --change -20 --starts 10 --json
    """
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
        until=None if until is None else _day(until),
    )
    run, files = prepare(
        inputs, config=config, mapping=mapping, country=country, currency=currency, time_zone=time_zone
    )
    feeds = feeds_of(files, run.panels[0].panel.calendar)
    with reading(files) as progress:
        history = collect_history(run, feeds, received_ms=time.time_ns() // 1_000_000, progress=progress)
    with stepping("Backtesting") as step:
        result = run_backtest(run, history.days, plan, jobs=jobs, progress=step)
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
    else:
        show_backtest(result, Console())


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--until {text!r}: is no date; the form is 2020-02-23") from error


def score(
    file: Annotated[Path, typer.Argument(help="CSV of one series: timestamp,value.", exists=True, dir_okay=False)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV to write; without: standard output.")] = None,
) -> None:
    """Score one univariate series, online: timestamp,value in, timestamp,value,score out.

    The score is in 0..1: above 0.5 is worth a look. The score of a row depends on the rows up to it alone.

    Example:

        earlywarn score series.csv --out scored.csv
    """
    if out is None:
        summary = score_file(file, sys.stdout)
    else:
        with out.open("w", encoding="utf-8", newline="") as stream:
            summary = score_file(file, stream)
    for problem in summary.problems:
        print(f"earlywarn: {problem}", file=sys.stderr)  # noqa: T201  # this is the command line
