"""A backtest as tables for a terminal; without colours and cut to no width, the same text goes through a pipe."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from earlywarn.application.backtest import (
    BacktestPlan,
    BacktestResult,
    Detection,
    FalseAlarms,
    OperatingPoint,
    PanelBacktest,
    Rate,
)

_COUNTED = {
    "cell": "cell, per series-year",
    "region": "region, per series-year",
    "sector": "sector, per series-year",
    "panel": "panel, per year",
    "all nodes": "all of these, per panel-year",
    "alerts": "alerts (grouped), per panel-year",
}


def show_backtest(result: BacktestResult, console: Console) -> None:
    """Print the tables of every panel and operating point, and what the figures mean."""
    for panel in result.panels:
        console.print(_heading(panel, result.plan), highlight=False, soft_wrap=True)
        for point in panel.points:
            console.print(f"\n{_chosen(point, result.plan)}", highlight=False, soft_wrap=True)
            console.print(detection_table(point, result.plan))
            console.print(alert_table(point, result.plan))
            console.print(false_alarm_table(point))
    for line in _notes(result.plan):
        console.print(line, highlight=False, soft_wrap=True)


def detection_table(point: OperatingPoint, plan: BacktestPlan) -> Table:
    """Return the shares whose target alarmed, by level and size, each with its standard error."""
    table = _table(
        "Alarm at a",
        "Shock",
        *(f"within {days} days" for days in plan.within_days),
        "by chance",
        "Median delay",
        "Trials",
        "Excluded",
    )
    for each in point.detections:
        last = each.within[-1] if each.within else None
        table.add_row(
            each.level,
            f"{each.change_pct:+g} %",
            *(
                [f"{within.share:.3f} ±{within.standard_error:.3f}" for within in each.within]
                or ["-"] * len(plan.within_days)
            ),
            "-" if last is None else f"{last.chance:.3f}",
            _delay(each, plan),
            f"{each.trials} in {each.targets}",
            str(each.excluded),
        )
    return table


def alert_table(point: OperatingPoint, plan: BacktestPlan) -> Table:
    """Return the shares of which an alert was published, by level and size, each with its standard error."""
    spans = (f"within {days} days" for days in plan.within_days)
    table = _table("Alert for a", "Shock", *spans, "by chance")
    for each in point.detections:
        shares = [f"{within.published:.3f} ±{within.published_error:.3f}" for within in each.within]
        chance = f"{each.within[-1].published_chance:.3f}" if each.within else "-"
        table.add_row(each.level, f"{each.change_pct:+g} %", *(shares or ["-"] * len(plan.within_days)), chance)
    return table


def false_alarm_table(point: OperatingPoint) -> Table:
    """Return the rates of false episodes by level and half, each with its count and standard error."""
    table = _table("False episodes of a", "Series", "whole history", "first half", "second half")
    for each in point.false_alarms:
        table.add_row(_COUNTED[each.of], str(each.series), *(_rate(rate) for rate in _rates(each)))
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, no_wrap=True, justify="right")
    return table


def _rates(each: FalseAlarms) -> Iterator[Rate]:
    yield from (each.whole, each.first_half, each.second_half)


def _rate(rate: Rate) -> str:
    if rate.per_year is None or rate.standard_error is None:
        return "-"
    return f"{rate.per_year:.2f} ±{rate.standard_error:.2f} ({rate.episodes} in {rate.years:.1f} a)"


def _delay(each: Detection, plan: BacktestPlan) -> str:
    if not each.trials:
        return "-"
    return f"> {plan.watched_days} days" if each.median_delay_days is None else f"{each.median_delay_days:g} days"


def _heading(panel: PanelBacktest, plan: BacktestPlan) -> str:
    ramp = f", growing over {plan.ramp_days} days" if plan.ramp_days else ""
    measure = {"both": "count and amount", "amount": "amount only", "transactions": "count only"}[plan.measure]
    return (
        f"{panel.panel}: {panel.first_day} to {panel.last_day}, {panel.days} days, {panel.cells} cells; "
        f"steps of {plan.days} days in {measure}{ramp}; warm-up {plan.warm_up_days} days; "
        f"seeds {', '.join(map(str, plan.seeds))}"
    )


def _chosen(point: OperatingPoint, plan: BacktestPlan) -> str:
    if point.chosen == "configured":
        return f"Threshold as configured: {point.threshold:g}"
    where = (
        "the whole history, in sample"
        if point.chosen == "whole"
        else "the first half; the second half is out of sample"
    )
    wanted = f"{plan.false_per_series_year:g} false episodes per series-year"
    return f"Threshold for {wanted}: {point.threshold:g}, chosen on {where}"


def _notes(plan: BacktestPlan) -> Iterator[str]:
    yield (
        "\n± is one standard error: of shares clustered by series, of rates Poisson's. A delay of 0 is an alarm at the "
        "close of the first shocked day. 'by chance': the untouched history alarms in the longest span as well."
    )
    yield (
        "An alarm is evidence above the threshold at the shocked series itself; an alert is one that a run publishes: "
        "it names the series, or a wider one that holds it."
    )
    yield (
        f"Excluded: in alarm within the {plan.quiet_days} days before the shock, or not ready. Every alarm of the "
        "untouched history counts as false, real events too; alarms are one episode up to "
        f"{plan.quiet_days} quiet days apart."
    )
