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
from rich.console import Console
from rich.table import Table

from earlywarn.adapters.files import (
    ColumnMapping,
    InputDefaults,
    InputFile,
    load_mapping,
    open_inputs,
    shipped_mapping,
    shipped_mapping_names,
)
from earlywarn.adapters.inference import infer_panel
from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import Settings, load_settings
from earlywarn.cli.progress import reading
from earlywarn.domain.alert import Alert
from earlywarn.reference.zones import country_defaults

SAMPLE = Path("data/swiss_cards")
_EMBEDDED_BLOCK = 20_000
_FALLBACK_CURRENCY = "EUR"
_DISORDER_SHARE = 0.01

Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Files or globs: cells (CSV, Parquet) or transactions (JSON Lines, CSV, Parquet), also .gz and .zst."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings (TOML). Without: a panel is inferred from the input.",
        exists=True,
        dir_okay=False,
    ),
]
Mapping = Annotated[
    str | None,
    typer.Option(help=f"Column mapping of foreign files: {', '.join(shipped_mapping_names())}, or a YAML file."),
]
Country = Annotated[str | None, typer.Option(help="Country of the panel, where the input does not say (ISO 3166-1).")]
Currency = Annotated[
    str | None,
    typer.Option(help="Currency, where the input does not say (ISO 4217). Default: the country's, else EUR."),
]
TimeZone = Annotated[str | None, typer.Option(help="Time zone of the panel's local days (IANA).")]
RegionLevel = Annotated[int | None, typer.Option(min=0, max=3, help="NUTS level of the panel's regions.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def mapping_of(name: str | None) -> ColumnMapping | None:
    """Return a shipped mapping by name, or one from a file."""
    if name is None:
        return None
    return shipped_mapping(name) if name in shipped_mapping_names() else load_mapping(Path(name))


def prepare(
    patterns: Sequence[str],
    *,
    config: Path | None,
    mapping: str | None = None,
    country: str | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
    region_level: int | None = None,
    run_id: str | None = None,
) -> tuple[Run, list[InputFile]]:
    """Open inputs and compose their run: by the configuration, else by an inferred panel."""
    chosen = mapping_of(mapping)
    if config is not None:
        settings = load_settings(config)
        run = compose(settings)
        panel = run.panels[0].panel
        defaults = InputDefaults(
            currency=panel.currency,
            country=panel.countries[0] if len(panel.countries) == 1 else None,
            time_zone=panel.calendar.time_zone,
        )
        inputs = open_inputs(patterns, chosen, defaults)
    else:
        defaults = InputDefaults(
            currency=currency or _currency_of(country), country=country, time_zone=time_zone or _zone_of(country)
        )
        inputs = open_inputs(patterns, chosen, defaults)
        panel_settings = infer_panel(
            inputs, country=country, currency=currency, time_zone=time_zone, region_level=region_level
        )
        settings = Settings(run="run", exercise=True, panels=(panel_settings,))
    if "block_size" not in _given(config):
        settings = msgspec.structs.replace(
            settings, fold=msgspec.structs.replace(settings.fold, block_size=_EMBEDDED_BLOCK)
        )
    if run_id is not None:
        settings = msgspec.structs.replace(settings, run=run_id)
    return compose(settings), inputs


def _currency_of(country: str | None) -> str:
    """Return the currency of amounts that name none: the country's, else the euro."""
    known = country_defaults(country) if country else None
    return known.currency if known else _FALLBACK_CURRENCY


def _zone_of(country: str | None) -> str:
    """Return the time zone of times without offset: the country's, else UTC."""
    known = country_defaults(country) if country else None
    return known.time_zone if known else "UTC"


def _given(config: Path | None) -> str:
    return config.read_text(encoding="utf-8") if config is not None else ""


def run(
    inputs: Inputs,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results; made if it does not exist.", file_okay=False)
    ],
    config: Config = None,
    mapping: Mapping = None,
    country: Country = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    region_level: RegionLevel = None,
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
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    json: Json = False,
) -> None:
    """Run histories through the folds and models, to the end of the input.

    Writes alerts.jsonl, aggregates.parquet, divisions.parquet, rejects.jsonl, summary.json and report.html.

    Examples:

        earlywarn run cells.csv --out out

        earlywarn run 'days/*.jsonl.zst' --config panel.toml --out out

        earlywarn run region_sector_daily.csv --mapping swiss-cards --out out
    """
    ready, files = prepare(
        inputs,
        config=config,
        mapping=mapping,
        country=country,
        currency=currency,
        time_zone=time_zone,
        region_level=region_level,
        run_id=run_id,
    )
    with reading(files) as progress:
        result = run_files(ready, files, out, received_ms=received_at, sort=sort, report=report, progress=progress)
    _show(result, json=json)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.", file_okay=False)] = Path(
        "out/demo"
    ),
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
    if SAMPLE.is_dir():
        ready, files = prepare(
            [str(SAMPLE / "region_sector_daily.csv.gz")], config=SAMPLE / "panel.toml", mapping="swiss-cards"
        )
        result = _run_demo(ready, files, out)
    else:
        with TemporaryDirectory() as folder:
            ready, files = prepare([str(_generated(Path(folder)))], config=None, run_id="demo")
            result = _run_demo(ready, files, out)
    _show(result, json=json)
    page = (out / "report.html").resolve()
    address = page.as_uri() if port is None else f"http://localhost:{port}/report.html"
    if browser and sys.stdout.isatty():
        webbrowser.open(address)
    if port is not None:
        _serve(out, port, address)


def _run_demo(ready: Run, files: list[InputFile], out: Path) -> RunResult:
    with reading(files) as progress:
        return run_files(ready, files, out, progress=progress)


def _generated(folder: Path) -> Path:
    """Write a generated history of cells with two shocks in it."""
    from earlywarn.cli.making import demo_cells  # noqa: PLC0415  # only outside the repository

    return demo_cells(folder / "generated.csv")


def _serve(folder: Path, port: int, address: str) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        Console(stderr=True).print(f"Serving {address} until interrupted (Ctrl-C)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _show(result: RunResult, *, json: bool) -> None:
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result.summary), indent=2).decode() + "\n")
        return
    console = Console()
    console.print(_table(result.alerts))
    summary = result.summary
    console.print(
        f"{summary['records']:,} records, {summary['transactions']:,} transactions, "
        f"{summary['first_day']} to {summary['last_day']}; "
        f"{len(result.alerts)} episodes; rejected: {summary['rejected'] or 'none'}; {summary['seconds']} s",
        highlight=False,
    )
    if result.rejected_share("too_late") > _DISORDER_SHARE:
        console.print("Many records were too late: if the input is not in time order, run it with --sort.")
    console.print(f"Report: {(result.out / 'report.html').resolve()}", highlight=False, soft_wrap=True)


def _table(alerts: Sequence[Alert]) -> Table:
    table = Table(title="Alerts, newest last", title_justify="left", box=None, pad_edge=False)
    for name in ("Detected", "Severity", "Status", "What happened"):
        table.add_column(name, no_wrap=name != "What happened", vertical="top")
    for alert in alerts:
        if alert.parent is None:
            children = f" [{len(alert.children)} more within]" if alert.children else ""
            table.add_row(alert.detected_on, alert.severity, alert.status, alert.text + children)
    return table
