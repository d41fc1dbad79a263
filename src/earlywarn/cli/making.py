"""`earlywarn generate`."""

import csv
import re
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from earlywarn.adapters.files import in_words, merge_cells
from earlywarn.cli.preparing import Country, Currency, Json, Mapping, TimeZone, mapping_of, open_and_infer
from earlywarn.cli.progress import counting
from earlywarn.cli.ranges import COUNTING, day, ranged
from earlywarn.cli.terminal import end_in_order_when_terminated, remark, results
from earlywarn.domain.cell import Cell
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.domain.ranges import SHARE, out_of_range
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS
from earlywarn.errors import ConfigError, InputError
from earlywarn.generate import (
    RECORD_BYTES,
    GenerateOptions,
    Shock,
    expected_transactions,
    synthetic_cells,
    write_generated,
)
from earlywarn.generate.options import OPTION_RANGES, SHOCK_RANGES

SYNTHETIC_TRANSACTIONS = 1_000_000
"""How many the synthetic panel gives unasked: some 200 MB. Its cells count 85 million."""
UNASKED_LIMIT = 5_000_000
"""More transactions than this are written only when their number is named: a gigabyte is no surprise to spring."""

SHOCK_FORM = "first_day=2020-02-01,days=28,change_pct=-30[,region=CH07][,sector=Accommodation][,measure=amount]"
_NEXT_PART = re.compile(r",(?=\w+=)")
"""Where a part ends: names of sectors and regions have commas of their own."""
_SHOCK_PARTS = {
    "first_day": "a date such as 2020-02-01",
    "days": "a whole number",
    "change_pct": "a number",
    "measure": "transactions or amount",
}
_EARLIEST, _END = (datetime.fromtimestamp(ms / 1000, UTC).date() for ms in (EARLIEST_MS, LATEST_MS))
_DEMO_SHOCKS = (
    Shock(first_day=date(2023, 6, 5), days=28, change_pct=-35.0, region="CH07"),
    Shock(first_day=date(2023, 10, 9), days=28, change_pct=-30.0, sector="Food and beverage services"),
)


def _json_lines(out: Path) -> Path:
    if not out.name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst")):
        raise typer.BadParameter(f"{str(out)!r} does not end in .jsonl, .jsonl.gz or .jsonl.zst")
    return out


def generate(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File to write: .jsonl, .jsonl.gz or .jsonl.zst; truth.json and truth.parquet go beside it.",
            callback=_json_lines,
        ),
    ],
    cells: Annotated[
        list[str] | None, typer.Argument(help="Cells to expand (CSV, Parquet). Without: a synthetic panel.")
    ] = None,
    transactions: Annotated[
        int | None,
        ranged(
            allowed=COUNTING,
            help=f"About how many transactions in all; counts and amounts scale. Default: as many as the cells count "
            f"(at most {UNASKED_LIMIT:,}), {SYNTHETIC_TRANSACTIONS:,} of the synthetic panel.",
        ),
    ] = None,
    scale: Annotated[
        float | None,
        ranged(allowed=OPTION_RANGES["scale"], help="Factor on every count, in place of --transactions.", number=float),
    ] = None,
    poisson: Annotated[bool, typer.Option(help="Draw counts from a Poisson law; --no-poisson keeps them.")] = True,
    seed: Annotated[int, ranged(allowed=OPTION_RANGES["seed"], help="The same seed gives the same file.")] = 1,
    days: Annotated[int, ranged(allowed=COUNTING, help="Days of the synthetic panel.")] = 425,
    first_day: Annotated[str, typer.Option(help="First day of the synthetic panel.")] = "2019-01-01",
    shock: Annotated[
        list[str] | None,
        typer.Option(
            help="A step in the cells; may be given again. Its parts, joined by commas: first_day=2020-02-01, days=28, "
            "change_pct=-30; region=CH07 and sector=Accommodation as the cells name them, commas and all (left out: "
            "all); measure=amount where counts stay as they are (left out: they change, and amounts with them)."
        ),
    ] = None,
    late_share: Annotated[
        float, ranged(allowed=SHARE, help="Share of records that arrive days late.", number=float)
    ] = 0.0,
    duplicate_share: Annotated[
        float, ranged(allowed=SHARE, help="Share of records that come twice.", number=float)
    ] = 0.0,
    broken_share: Annotated[
        float, ranged(allowed=SHARE, help="Broken records on top, as a share.", number=float)
    ] = 0.0,
    ecom_share: Annotated[float, ranged(allowed=SHARE, help="Share of card-not-present payments.", number=float)] = 0.0,
    use_mcc: Annotated[
        bool, typer.Option("--mcc", help="Give merchant category codes in place of sector codes.")
    ] = False,
    mapping: Mapping = None,
    country: Country = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    json: Json = False,
) -> None:
    """Expand cells into single card transactions with a known truth.

    Examples:

        earlywarn generate --out load.jsonl.zst --transactions 5000000

        earlywarn generate cells.csv --out tx.jsonl --late-share 0.01 --broken-share 0.001

        earlywarn generate --out shocked.jsonl --shock first_day=2019-09-02,days=28,change_pct=-30,region=CH07

        earlywarn generate --out a.jsonl --shock first_day=2019-09-02,days=28,change_pct=-30,sector=Accommodation

        earlywarn generate foreign.csv --mapping ours.yaml --out a.jsonl.zst

        earlywarn generate cells.csv --out a.jsonl --shock first_day=2020-02-01,days=9,change_pct=5,measure=amount
    """
    end_in_order_when_terminated()
    if scale is not None and transactions is not None:
        raise typer.BadParameter("give one of --scale and --transactions", param_hint="--scale")
    zone = time_zone or "Europe/Zurich"
    if cells:
        source, zone = _cells(cells, mapping, country=country, currency=currency, time_zone=time_zone)
    elif country or currency or mapping:
        raise typer.BadParameter(
            "the synthetic panel is Swiss; name cells", param_hint="--country, --currency, --mapping"
        )
    else:
        source = list(synthetic_cells(seed=seed, first_day=_first_day(first_day, days), days=days))
    options = GenerateOptions(
        seed=seed,
        scale=1.0 if scale is None else scale,
        transactions=SYNTHETIC_TRANSACTIONS if not cells and scale is None and transactions is None else transactions,
        poisson=poisson,
        time_zone=zone,
        ecom_share=ecom_share,
        use_mcc=use_mcc,
        shocks=tuple(_shock(text) for text in shock or ()),
        late_share=late_share,
        duplicate_share=duplicate_share,
        broken_share=broken_share,
    )
    try:
        _reach(options.shocks, source)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--shock") from error
    expected = expected_transactions(source, options)
    if options.transactions is None and expected > UNASKED_LIMIT:
        raise typer.BadParameter(
            f"these cells count {expected:,} transactions, some {expected * RECORD_BYTES / 1e9:,.1f} GB before "
            f"compression; say how many to write, --transactions {expected} for all",
            param_hint="--transactions",
        )
    with counting("Generating", expected) as progress:
        truth = write_generated(source, options, out, progress)
    told = out.with_name(f"{out.name.partition('.')[0]}.truth.json")
    remark(f"{out}: {truth.transactions:,} transactions, {out.stat().st_size / 1e6:,.1f} MB; the truth is in {told}")
    if json:
        with results():
            sys.stdout.write(told.read_text("utf-8"))


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


def _cells(
    patterns: list[str], mapping: str | None, *, country: str | None, currency: str | None, time_zone: str | None
) -> tuple[list[Cell], str]:
    """Return the cells of files and the time zone of their days; InputError if not one is there.

    What was assumed, and how many rows are no cells, is told.
    """
    chosen = mapping_of(mapping)
    inputs, inferred = open_and_infer(patterns, chosen, country=country, currency=currency, time_zone=time_zone)
    for each in inferred.assumed:
        if each.setting in {"currency", "time zone"}:
            remark(each.in_words())
    cells: list[Cell] = []
    examples: list[str] = []
    rejected = 0
    for batch in merge_cells(inputs):
        for at, outcome in enumerate(batch.cells):
            if isinstance(outcome, Cell):
                cells.append(outcome)
            else:
                rejected += 1
                examples = examples or [in_words(batch.place(at), outcome)]
    if not cells:
        raise InputError("\n".join([f"{', '.join(patterns)}: not one cell could be used", *examples]))
    if rejected:
        remark(f"rows left out that are no cells: {rejected:,}; the first: {examples[0]}")
    return cells, inferred.panel.time_zone


def _shock(text: str) -> Shock:
    """Read `key=value,...`, with commas in values; what cannot be read is bad usage, and the form is shown."""
    values = dict(part.partition("=")[::2] for part in _NEXT_PART.split(text))
    problems = [f"no such part: {name}" for name in sorted(values.keys() - set(Shock.__struct_fields__))]
    problems += [f"{name} is missing" for name in ("first_day", "days", "change_pct") if name not in values]
    if not problems:
        try:
            shock = msgspec.convert(values, Shock, strict=False)
        except msgspec.ValidationError as error:
            name = str(error).rpartition("$.")[2].strip("`")
            problems = [f"{name}={values.get(name, '')}: give {_SHOCK_PARTS.get(name, 'text')}"]
        else:
            problems = [line.replace(" = ", "=", 1) for line in out_of_range(shock, SHOCK_RANGES)]
    if problems:
        raise typer.BadParameter(f"{text!r}: {'; '.join(problems)}; the form is {SHOCK_FORM}", param_hint="--shock")
    return shock


def _reach(shocks: Iterable[Shock], cells: Iterable[Cell]) -> None:
    """Check that every shock reaches some cell.

    Raises:
        ConfigError: one line for each that does not, with the regions, sectors and days there are.
    """
    there = {(cell.day, cell.region, cell.sector) for cell in cells}
    if not there:
        return
    days, regions, sectors = (sorted(set(column)) for column in zip(*there, strict=True))
    problems = [
        f"shock from {shock.first_day} for {shock.days} days in region {shock.region or 'any'}, sector "
        f"{shock.sector or 'any'} reaches no cell; there are days {days[0]} to {days[-1]}, regions "
        f"{'; '.join(regions)}, and sectors {'; '.join(sectors)}"
        for shock in shocks
        if not any(shock.reaches(*cell) for cell in there)
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def _first_day(text: str, days: int) -> date:
    """Return the first day of a synthetic panel, all of whose days payments can have."""
    first = day(text, "--first-day")
    if first <= _EARLIEST or days >= (_END - first).days:
        raise typer.BadParameter(
            f"{days:,} days from {first} on: payments lie between {_EARLIEST} and {_END}",
            param_hint="--first-day, --days",
        )
    return first
