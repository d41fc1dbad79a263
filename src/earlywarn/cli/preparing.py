"""What commands that read inputs share: their options, and the way from options to a composed run."""

import os
from collections.abc import Mapping as Variables
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple, Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer

from earlywarn.adapters.exercise import PAST_DAYS
from earlywarn.adapters.files import (
    ColumnMapping,
    InputDefaults,
    InputFile,
    load_mapping,
    open_inputs,
    shipped_mapping,
    shipped_mapping_names,
)
from earlywarn.adapters.inference import (
    FALLBACK_CURRENCY,
    FALLBACK_TIME_ZONE,
    Assumption,
    Inferred,
    Stated,
    guessed_mappings,
    infer_panel,
)
from earlywarn.aggregation.parameters import FoldParameters
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import Settings, load
from earlywarn.cli.ranges import ranged
from earlywarn.cli.run_settings import source_of
from earlywarn.domain.country import COUNTRY_CODES
from earlywarn.domain.money import CURRENCY_CODES
from earlywarn.domain.ranges import Range
from earlywarn.reference.classifications import available
from earlywarn.reference.zones import country_defaults

_EMBEDDED_BLOCK = 20_000
OPEN = "open"
"""The classification in which each code is a class of its own."""


def _country(code: str | None) -> str | None:
    if code is not None and code not in COUNTRY_CODES:
        raise typer.BadParameter(f"{code!r} is no country of ISO 3166-1; give two capital letters such as CH")
    return code


def _currency(code: str | None) -> str | None:
    if code is not None and code not in CURRENCY_CODES:
        raise typer.BadParameter(f"{code!r} is no currency of ISO 4217; give three capital letters such as CHF")
    return code


def _time_zone(name: str | None) -> str | None:
    try:
        return None if name is None else ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise typer.BadParameter(f"{name!r} is no IANA time zone such as Europe/Zurich") from error


def _means_a_file(name: str) -> bool:
    path = Path(name)
    return path.suffix in {".yaml", ".yml"} or path.name != name or path.exists()


def _mapping(name: str | None) -> str | None:
    # What is meant as a file may be missing: that is bad input and not bad usage.
    if name is not None and name not in shipped_mapping_names() and not _means_a_file(name):
        names = ", ".join(shipped_mapping_names())
        raise typer.BadParameter(f"{name!r} is neither a mapping that is shipped ({names}) nor a file")
    return name


def _classification(name: str | None) -> str | None:
    # What is meant as a folder may be missing: that is bad input and not bad usage.
    if name is not None and name not in {OPEN, *available()} and Path(name).name == name and not Path(name).exists():
        names = ", ".join(available())
        raise typer.BadParameter(
            f"{name!r} is neither a classification that is shipped ({names}) nor {OPEN} nor a folder"
        )
    # As settings read a path, so that a replay and its workers have one fingerprint.
    return str(Path(name).resolve()) if name is not None and "/" in name and Path(name).is_dir() else name


def _table(path: str | None) -> str | None:
    # As settings read a path, so that a replay and its workers find it.
    return path and str(Path(path).resolve())


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
        help="Settings (TOML). Without: the file that EARLYWARN_CONFIG names. The environment goes over it; where no "
        "panel is set, one is inferred from the input.",
    ),
]
Mapping = Annotated[
    str | None,
    typer.Option(
        help=f"Column mapping of foreign files: {', '.join(shipped_mapping_names())}, or a YAML file, which also says "
        "how dates and numbers are written, in which units, and what stands above the header (docs/inputs.md).",
        callback=_mapping,
    ),
]
Country = Annotated[
    str | None,
    typer.Option(help="Country of the panel, where the input does not say (ISO 3166-1).", callback=_country),
]
Currency = Annotated[
    str | None,
    typer.Option(
        help="Currency, where the input does not say (ISO 4217). Default: the country's, else EUR.",
        callback=_currency,
    ),
]
TimeZone = Annotated[str | None, typer.Option(help="Time zone of the panel's local days (IANA).", callback=_time_zone)]
RegionLevel = Annotated[int | None, ranged(allowed=Range(0, 3), help="NUTS level of the panel's regions.")]
SectorCodes = Annotated[
    str | None,
    typer.Option(
        "--classification",
        help=f"Classification of the sector codes: {', '.join(available())}, a folder, or {OPEN}, which takes each "
        f"code as it is. Default: mcc of MCC, else a shipped one that knows all codes, else {OPEN}.",
        callback=_classification,
    ),
]
SchoolTable = Annotated[
    str | None,
    typer.Option(
        "--school-holidays",
        metavar="FILE",
        help="School holidays (CSV: region, first_day, last_day, name), whose effect is learned (docs/calendars.md).",
        callback=_table,
    ),
]
EventTable = Annotated[
    str | None,
    typer.Option(
        "--known-events",
        metavar="FILE",
        help="Strikes, festivals and the like (CSV: name, first_day, last_day, effect, region, sector), whose days "
        "count for less (widen) or are not judged (mute; docs/calendars.md).",
        callback=_table,
    ),
]
Exercise = Annotated[
    bool | None,
    typer.Option(
        "--exercise/--no-exercise",
        help="Mark every alert as one that asks for no action. Default: the settings'; where they name no panel, a "
        f"replay is an exercise, and a run if the input ends more than {PAST_DAYS} days ago.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class Prepared(NamedTuple):
    """A run and its inputs, and what was assumed of them.

    `inferred`: no settings name its panel, so options may describe it. `past_days`: nobody has said whether it is an
    exercise, so it is one if it ends more than so many days ago.
    """

    run: Run
    inputs: list[InputFile]
    assumed: tuple[Assumption, ...]
    inferred: bool
    past_days: int | None = None


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
    run_id: str | None = None,
    exercise: bool | None = None,
    environ: Variables[str, str] = os.environ,
    **stated: Unpack[Stated],
) -> Prepared:
    """Open inputs and compose their run: by the settings, else by an inferred panel.

    Raises:
        ConfigError, InputError: one line for each problem.
        typer.BadParameter: an option describes a panel, and the settings name theirs.
    """
    settings = load(config, environ, secrets=False)
    chosen = mapping_of(mapping)
    assumed: tuple[Assumption, ...] = ()
    past_days = None
    if exercise is not None:
        settings = msgspec.structs.replace(settings, exercise=exercise)
    infers = not settings.panels
    if not infers:
        refuse_panel_options(**stated)
        inputs = open_inputs(patterns, chosen, defaults_of(settings, source_of(config, environ)))
    else:
        inputs, inferred = open_and_infer(patterns, chosen, **stated)
        given = settings.run != Settings().run  # else it would pass for the live run of an office
        settings = msgspec.structs.replace(settings, run=settings.run if given else "run", panels=(inferred.panel,))
        past_days = None if exercise is not None or settings.exercise else PAST_DAYS
        assumed = inferred.assumed
    # How a log is cut decides nothing but speed, unless copies are looked for in blocks.
    if settings.fold.block_size == FoldParameters().block_size and not settings.fold.deduplicate_blocks:
        settings = msgspec.structs.replace(
            settings, fold=msgspec.structs.replace(settings.fold, block_size=_EMBEDDED_BLOCK)
        )
    if run_id is not None:
        settings = msgspec.structs.replace(settings, run=run_id)
    guessed = () if mapping is not None else guessed_mappings(inputs)
    return Prepared(compose(settings), inputs, (*assumed, *guessed), infers, past_days)


def defaults_of(settings: Settings, source: str) -> InputDefaults:
    """Return what holds for inputs that do not say it: what the first panel of the settings says."""
    panel = compose(settings, source).panels[0].panel
    return InputDefaults(
        currency=panel.currency,
        country=panel.countries[0] if len(panel.countries) == 1 else None,
        time_zone=panel.calendar.time_zone,
    )


def refuse_panel_options(**stated: Unpack[Stated]) -> None:
    """Refuse options that describe a panel where the settings do.

    Raises:
        typer.BadParameter: one is given.
    """
    given = ", ".join(f"--{option.replace('_', '-')}" for option, value in stated.items() if value is not None)
    if given:
        raise typer.BadParameter("the settings name their panels; change it there, or leave it out", param_hint=given)


def open_and_infer(
    patterns: Sequence[str], mapping: ColumnMapping | None, **stated: Unpack[Stated]
) -> tuple[list[InputFile], Inferred]:
    """Open inputs that come without settings, and say what panel they are of.

    What the inputs do not say is the panel's: amounts are in its currency, times without offset in its time zone.
    """
    country = stated.get("country")
    known = country_defaults(country) if country else None
    first = InputDefaults(
        currency=stated.get("currency") or (known.currency if known else FALLBACK_CURRENCY),
        time_zone=stated.get("time_zone") or (known.time_zone if known else FALLBACK_TIME_ZONE),
    )
    inputs = open_inputs(patterns, mapping, first)
    inferred = infer_panel(inputs, **stated)
    panel = inferred.panel
    defaults = InputDefaults(currency=panel.currency, country=country, time_zone=panel.time_zone)
    return [replace(each, defaults=defaults) for each in inputs], inferred
