"""`earlywarn run` and `earlywarn demo`."""

import http.server
import sys
import webbrowser
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.cli.preparing import (
    Config,
    Country,
    Currency,
    Exercise,
    Inputs,
    Json,
    Mapping,
    Prepared,
    RegionLevel,
    TimeZone,
    prepare,
)
from earlywarn.cli.progress import reading
from earlywarn.cli.terminal import end_in_order_when_terminated, print_table, remark, result_console, results
from earlywarn.domain.alert import Alert

SAMPLE = Path("data/swiss_cards")
GENERATED_NAME = "Generated panel (not real data)"
NO_SETTINGS: dict[str, str] = {}
"""The demo is the same everywhere: nothing that is set for a run of one's own changes it."""


def run(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made if it does not exist.")],
    config: Config = None,
    mapping: Mapping = None,
    country: Country = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    region_level: RegionLevel = None,
    name: Annotated[str | None, typer.Option(help="What texts call the panel. Default: the country's name.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Id of the run; part of every alert's id.")] = None,
    received_at: Annotated[
        int | None,
        typer.Option(
            help="Time of receipt in epoch milliseconds, against which 'in the future' is judged. Default: now."
        ),
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Put transactions in time order first (for files that are not).")
    ] = False,
    exercise: Exercise = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    json: Json = False,
) -> None:
    """Run histories through the folds and models, to the end of the input.

    Writes alerts.jsonl, aggregates.parquet, divisions.parquet, rejects.jsonl, summary.json and report.html when the
    input has been read to its end; results of an earlier run in the folder are replaced then.

    Examples:

        earlywarn run cells.csv --out out

        earlywarn run 'days/*.jsonl.zst' --config panel.toml --out out

        earlywarn run region_sector_daily.csv --mapping swiss-cards --out out
    """
    end_in_order_when_terminated()
    ready = prepare(
        inputs,
        config=config,
        mapping=mapping,
        country=country,
        currency=currency,
        time_zone=time_zone,
        region_level=region_level,
        name=name,
        run_id=run_id,
        exercise=exercise,
    )
    with reading(ready.inputs) as progress:
        result = run_files(
            ready.run,
            ready.inputs,
            out,
            received_ms=received_at,
            sort=sort,
            report=report,
            assumed=ready.assumed,
            past_days=ready.past_days,
            progress=progress,
        )
    _show(result, json=json)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/demo"),
    port: Annotated[
        int | None, typer.Option(help="Serve the report on this port of localhost until interrupted.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the report in a browser.")] = True,
    json: Json = False,
) -> None:
    """Show what earlywarn does: a real card history through the folds and models, and its report.

    In the repository it runs the Swiss sample (2019-01 to 2020-02), elsewhere a generated panel.

    Examples:

        earlywarn demo

        earlywarn demo --port 8000 --no-browser
    """
    end_in_order_when_terminated()
    if SAMPLE.is_dir():
        ready = prepare(
            [str(SAMPLE / "region_sector_daily.csv.gz")],
            config=SAMPLE / "panel.toml",
            mapping="swiss-cards",
            environ=NO_SETTINGS,
        )
        result = _run_demo(ready, out)
    else:
        with TemporaryDirectory() as folder:
            cells = str(_generated(Path(folder)))
            ready = prepare(
                [cells], config=None, name=GENERATED_NAME, run_id="demo", exercise=True, environ=NO_SETTINGS
            )
            result = _run_demo(ready, out)
    _show(result, json=json)
    if not SAMPLE.is_dir():
        remark("these data are generated and not real; in earlywarn's repository the demo runs real card payments")
    page = (out / "report.html").resolve()
    address = page.as_uri() if port is None else f"http://localhost:{port}/report.html"
    if browser and sys.stdout.isatty():
        webbrowser.open(address)
    if port is not None:
        _serve(out, port, address)


def _run_demo(ready: Prepared, out: Path) -> RunResult:
    with reading(ready.inputs) as progress:
        return run_files(ready.run, ready.inputs, out, assumed=ready.assumed, progress=progress)


def _generated(folder: Path) -> Path:
    """Write a generated history of cells with two shocks in it."""
    from earlywarn.cli.making import demo_cells  # noqa: PLC0415  # only outside the repository

    return demo_cells(folder / "generated.csv")


def _serve(folder: Path, port: int, address: str) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        remark(f"serving {address} until interrupted (Ctrl-C)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _show(result: RunResult, *, json: bool) -> None:
    for line in (*(each.in_words() for each in result.assumed), *result.warnings):
        remark(line)
    with results():
        if json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(result.summary), indent=2).decode() + "\n")
        else:
            _print(result)


def _print(result: RunResult) -> None:
    console = result_console()
    if result.alerts:
        print_table(console, _table(result.alerts))
    else:
        console.print("No alert was raised.", highlight=False)
    summary = result.summary
    within = sum(alert.parent is not None for alert in result.alerts)
    console.print(
        f"{summary['records']:,} records, {summary['transactions']:,} transactions, "
        f"{summary['first_day']} to {summary['last_day']}; {len(result.alerts)} alerts"
        f"{f', {within} of them within wider ones' if within else ''}; rejected: {_rejected(result)}; "
        f"{summary['seconds']} s",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    where = f"Results: {result.out.resolve()}" if result.report is None else f"Report: {result.report.resolve()}"
    console.print(where, highlight=False, markup=False, soft_wrap=True)


def _rejected(result: RunResult) -> str:
    counts = result.summary["rejected"]
    if not isinstance(counts, dict) or not counts:
        return "none"
    told = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    return f"{told} (see {result.out / 'rejects.jsonl'})"


def _table(alerts: Sequence[Alert]) -> Table:
    table = Table(title="Alerts, newest last", title_justify="left", box=None, pad_edge=False)
    for name in ("Detected", "Severity", "Status", "What happened"):
        table.add_column(name, no_wrap=name != "What happened", vertical="top")
    for alert in alerts:
        if alert.parent is None:
            children = f" [{len(alert.children)} more within]" if alert.children else ""
            table.add_row(alert.detected_on, alert.severity, alert.status, Text(alert.text + children))
    return table
