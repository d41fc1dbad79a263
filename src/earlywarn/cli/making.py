"""`earlywarn generate`."""

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from earlywarn.adapters.files import CellBatch, InputDefaults, merge_cells, open_inputs
from earlywarn.cli.progress import counting
from earlywarn.domain.cell import Cell
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.errors import ConfigError
from earlywarn.generate import GenerateOptions, Shock, synthetic_cells, write_generated

_DEMO_SHOCKS = (
    Shock(first_day=date(2023, 6, 5), days=28, change_pct=-35.0, region="CH07"),
    Shock(first_day=date(2023, 10, 9), days=28, change_pct=-30.0, sector="Food and beverage services"),
)


def generate(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File to write: .jsonl, .jsonl.gz or .jsonl.zst; truth.json and truth.parquet go beside it.",
            dir_okay=False,
        ),
    ],
    cells: Annotated[
        list[str] | None, typer.Argument(help="Cells to expand (CSV, Parquet). Without: a synthetic panel.")
    ] = None,
    transactions: Annotated[
        int | None, typer.Option(min=1, help="About how many transactions in all; counts and amounts scale.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Factor on every count.")] = 1.0,
    poisson: Annotated[bool, typer.Option(help="Draw counts from a Poisson law; --no-poisson keeps them.")] = True,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 1,
    days: Annotated[int, typer.Option(min=1, help="Days of the synthetic panel.")] = 425,
    first_day: Annotated[str, typer.Option(help="First day of the synthetic panel.")] = "2019-01-01",
    shock: Annotated[
        list[str] | None,
        typer.Option(
            help="A step: first_day=2020-02-01,days=28,change_pct=-30[,region=CH07][,sector=5812][,measure=amount]."
        ),
    ] = None,
    late_share: Annotated[float, typer.Option(min=0, max=1, help="Share of records that arrive days late.")] = 0.0,
    duplicate_share: Annotated[float, typer.Option(min=0, max=1, help="Share of records that come twice.")] = 0.0,
    broken_share: Annotated[float, typer.Option(min=0, max=1, help="Broken records on top, as a share.")] = 0.0,
    ecom_share: Annotated[float, typer.Option(min=0, max=1, help="Share of card-not-present payments.")] = 0.0,
    use_mcc: Annotated[
        bool, typer.Option("--mcc", help="Give merchant category codes in place of sector codes.")
    ] = False,
    time_zone: Annotated[str, typer.Option(help="Time zone of the cells' local days.")] = "Europe/Zurich",
) -> None:
    """Expand cells into single card transactions with a known truth.

    Examples:

        earlywarn generate --out load.jsonl.zst --transactions 5000000

        earlywarn generate cells.csv --out tx.jsonl --late-share 0.01 --broken-share 0.001

        earlywarn generate --out shocked.jsonl --shock first_day=2019-09-02,days=28,change_pct=-30,region=CH07
    """
    options = GenerateOptions(
        seed=seed,
        scale=scale,
        transactions=transactions,
        poisson=poisson,
        time_zone=time_zone,
        ecom_share=ecom_share,
        use_mcc=use_mcc,
        shocks=tuple(_shock(text) for text in shock or ()),
        late_share=late_share,
        duplicate_share=duplicate_share,
        broken_share=broken_share,
    )
    if cells:
        source: Iterable[Cell] = _cells(cells, time_zone)
    else:
        source = synthetic_cells(seed=seed, first_day=_day(first_day), days=days)
    with counting("Generating", transactions) as progress:
        truth = write_generated(source, options, out, progress)
    Console(stderr=True).print(
        f"{out}: {truth.transactions:,} transactions; the truth is in {out.parent / 'truth.json'}"
    )


def demo_cells(path: Path) -> Path:
    """Write a generated history of cells, two years with two shocks, as CSV."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["date", "region", "sector", "transactions", "amount", "country", "currency"])
        for cell in synthetic_cells(seed=7, first_day=date(2022, 7, 1), days=549):
            factor = 1.0
            for shock in _DEMO_SHOCKS:
                factor *= shock.factor(cell.day, cell.region, cell.sector)
            digits = MINOR_UNITS[cell.currency]
            amount = round(cell.amount_minor * factor) / 10**digits
            writer.writerow(
                [
                    cell.day,
                    cell.region,
                    cell.sector,
                    round(cell.transactions * factor),
                    f"{amount:.{digits}f}",
                    cell.country,
                    cell.currency,
                ]
            )
    return path


def _cells(patterns: list[str], time_zone: str) -> Iterator[Cell]:
    inputs = open_inputs(patterns, None, InputDefaults(time_zone=time_zone))
    for batch in merge_cells(inputs):
        if isinstance(batch, CellBatch):
            yield from (cell for cell in batch.cells if isinstance(cell, Cell))


def _shock(text: str) -> Shock:
    """Read `key=value,...`; what cannot be read is a ConfigError that shows the form."""
    try:
        values = dict(part.split("=", 1) for part in text.split(","))
        return msgspec.convert(values, Shock, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        form = "first_day=2020-02-01,days=28,change_pct=-30[,region=CH07][,sector=5812]"
        raise ConfigError(f"--shock {text!r}: {error}; the form is {form}") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--first-day {text!r}: is no date; the form is 2019-01-01") from error
