"""`earlywarn run` and `earlywarn demo`."""

import sys
import webbrowser
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from earlywarn.adapters.run_failure import leave_failure
from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.cli.preparing import (
    Config,
    Country,
    Currency,
    EventTable,
    Exercise,
    Inputs,
    Json,
    Mapping,
    Prepared,
    RegionLevel,
    SchoolTable,
    SectorCodes,
    TimeZone,
    prepare,
)
from earlywarn.cli.progress import reading
from earlywarn.cli.ranges import ranged
from earlywarn.cli.report_server import REPORT, listening
from earlywarn.cli.run_settings import run_id_checked
from earlywarn.cli.run_view import show_run
from earlywarn.cli.terminal import end_in_order_when_terminated, remark
from earlywarn.domain.ranges import Range
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS
from earlywarn.errors import EmptyInputError

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
    classification: SectorCodes = None,
    school_holidays: SchoolTable = None,
    known_events: EventTable = None,
    name: Annotated[str | None, typer.Option(help="What texts call the panel. Default: the country's name.")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="Id of the run; part of every alert's id.", callback=run_id_checked)
    ] = None,
    received_at: Annotated[
        int | None,
        ranged(
            allowed=Range(EARLIEST_MS, LATEST_MS),
            help="Time of receipt in epoch milliseconds, against which 'in the future' is judged. Default: now.",
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

    Writes alerts.jsonl, aggregates.parquet, divisions.parquet, forecast.parquet, rejects.jsonl, summary.json and
    report.html when the input has been read to its end; results of an earlier run in the folder are replaced then. A
    run that fails leaves them as they are; one that could not use a single record says why in summary.json and
    rejects.jsonl, or in failed.* beside them.

    Examples:

        earlywarn run cells.csv --out out

        earlywarn run 'days/*.jsonl.zst' --config panel.toml --out out

        earlywarn run region_sector_daily.csv --mapping swiss-cards --out out

        earlywarn run cells.csv --country AT --classification open --out out
    """
    end_in_order_when_terminated()
    try:
        ready = prepare(
            inputs,
            config=config,
            mapping=mapping,
            country=country,
            currency=currency,
            time_zone=time_zone,
            region_level=region_level,
            classification=classification,
            school_holidays=school_holidays,
            known_events=known_events,
            name=name,
            run_id=run_id,
            exercise=exercise,
        )
    except EmptyInputError as error:
        leave_failure(out, list(map(Path, inputs)), str(error))
        raise
    with reading(ready.inputs) as progress:
        result = run_files(
            ready.run,
            ready.inputs,
            out,
            received_ms=received_at,
            sort=sort,
            report=report,
            assumed=ready.assumed,
            inferred=ready.inferred,
            past_days=ready.past_days,
            progress=progress,
        )
    show_run(result, json=json)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/demo"),
    port: Annotated[
        int | None,
        ranged(allowed=Range(1, 65_535), help="Serve the report on this port of localhost until interrupted."),
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
    with nullcontext() if port is None else listening(out, port) as server:
        show_run(_demonstrated(out), json=json)
        if not SAMPLE.is_dir():
            remark("these data are generated and not real; in earlywarn's repository the demo runs real card payments")
        address = (out / "report.html").resolve().as_uri() if port is None else f"http://localhost:{port}{REPORT}"
        if browser and sys.stdout.isatty():
            webbrowser.open(address)
        if server is not None:
            remark(f"serving {address} until interrupted (Ctrl-C)")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return


def _demonstrated(out: Path) -> RunResult:
    """Run the sample, or a generated panel where there is none."""
    if SAMPLE.is_dir():
        ready = prepare(
            [str(SAMPLE / "region_sector_daily.csv.gz")],
            config=SAMPLE / "panel.toml",
            mapping="swiss-cards",
            environ=NO_SETTINGS,
        )
        return _run_demo(ready, out)
    with TemporaryDirectory() as folder:
        cells = str(_generated(Path(folder)))
        ready = prepare([cells], config=None, name=GENERATED_NAME, run_id="demo", exercise=True, environ=NO_SETTINGS)
        return _run_demo(ready, out)


def _run_demo(ready: Prepared, out: Path) -> RunResult:
    with reading(ready.inputs) as progress:
        return run_files(ready.run, ready.inputs, out, assumed=ready.assumed, progress=progress)


def _generated(folder: Path) -> Path:
    """Write a generated history of cells with two shocks in it."""
    from earlywarn.cli.making import demo_cells  # noqa: PLC0415  # only outside the repository

    return demo_cells(folder / "generated.csv")
