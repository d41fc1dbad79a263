"""Everything that can be set, as one typed tree, read from TOML. Every problem is reported at once.

Times are in seconds, unless the name ends in another unit. See docs/settings.md, and
`earlywarn config check FILE`.
"""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import msgspec

from earlywarn.aggregation.block import FoldParameters
from earlywarn.aggregation.coverage import CoverageParameters
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.application.service_settings import (
    KafkaSettings,
    RedisSettings,
    ServiceSettings,
    SnapshotSettings,
    TopicSettings,
)
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.errors import ConfigError

_T = TypeVar("_T", bound=msgspec.Struct)


class PanelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A panel, as an office describes it; what is left out follows from the country.

    id: names the panel in every series id.
    name: what people call it.
    countries: NUTS or ISO country codes whose transactions it takes; none takes all.
    holiday_countries: whose public holidays its regions keep, where `countries` is empty.
    currency: ISO 4217, of all published amounts.
    time_zone: IANA name; local days are its days.
    region_level: NUTS level 0..3 of the panel's regions; none takes declared regions only.
    regions: region codes of the panel's own, by code, with their names.
    any_region: take every region code as it is written (aggregated history without a declaration).
    online_region: count card-not-present spending in a region of its own.
    classification: a shipped name (mcc, swiss-mcs, fable, sparkov), `open` for codes as they are, or a folder.
    resolution: finest bucket published, hour or day.
    base_bucket_seconds: 3600, or a part of it for zones with a fraction of an hour.
    pay_day: day of the month on which wages are usually paid.
    nuts_recoding, postal_codes, school_holidays, rates: tables (CSV) of the office's own.
    tercet: look postal codes up in Eurostat's tables (extra `postal`).
    """

    id: str
    name: str = ""
    countries: tuple[str, ...] = ()
    holiday_countries: tuple[str, ...] = ()
    currency: str = ""
    time_zone: str = ""
    region_level: Literal[0, 1, 2, 3] | None = 2
    regions: dict[str, str] = {}
    any_region: bool = False
    online_region: bool = True
    classification: str = "mcc"
    resolution: Literal["hour", "day"] = "hour"
    base_bucket_seconds: int = 3600
    pay_day: int = 25
    nuts_recoding: str = ""
    postal_codes: str = ""
    tercet: bool = False
    school_holidays: str = ""
    rates: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a run. `exercise` marks every alert as one that asks for no action."""

    run: str = "live"
    exercise: bool = False
    panels: tuple[PanelSettings, ...] = ()
    fold: FoldParameters = FoldParameters()
    coverage: CoverageParameters = CoverageParameters()
    detection: DetectorParameters = DetectorParameters()
    alerts: AlertParameters = AlertParameters()
    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    redis: RedisSettings = RedisSettings()
    snapshots: SnapshotSettings = SnapshotSettings()
    service: ServiceSettings = ServiceSettings()


def load_settings(path: Path) -> Settings:
    """Read settings from a TOML file; paths in it are relative to its folder.

    Raises:
        ConfigError: one line for each problem: place, value, and what would do.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from error
    problems: list[str] = []
    settings = _build(Settings, plain, "", problems)
    if problems or settings is None:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return _with_paths(settings, path.parent)


def _build(kind: type[_T], plain: object, place: str, problems: list[str]) -> _T | None:
    """Build a struct field by field, so that every problem is found and not only the first."""
    if not isinstance(plain, dict):
        problems.append(f"{place or 'the file'}: expected a table, got {plain!r:.40}")
        return None
    before = len(problems)
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in plain.items():
        where = f"{place}.{name}" if place else str(name)
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            problems.append(f"{where}: no such setting" + (f"; did you mean {near[0]}?" if near else ""))
            continue
        values[name] = _value(hints[name], value, where, problems)
    missing = [name for name, field in known.items() if field.required and name not in plain]
    problems += [f"{place}.{name}: is required" for name in missing]
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except (ConfigError, TypeError) as error:
        problems.append(f"{place or 'the file'}: {error}")
        return None


def _value(hint: Any, value: object, where: str, problems: list[str]) -> object:  # noqa: ANN401  # a type hint
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _build(hint, value, where, problems)
    if where == "panels" and isinstance(value, list):
        return tuple(_build(PanelSettings, each, f"panels[{at}]", problems) for at, each in enumerate(value))
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        problems.append(f"{where} = {value!r:.60}: {error}")
        return None


def _with_paths(settings: Settings, folder: Path) -> Settings:
    """Make the paths of tables absolute; a classification is a path when it holds a separator."""

    def absolute(text: str) -> str:
        return str((folder / text).resolve()) if text else ""

    panels = tuple(
        msgspec.structs.replace(
            panel,
            nuts_recoding=absolute(panel.nuts_recoding),
            postal_codes=absolute(panel.postal_codes),
            school_holidays=absolute(panel.school_holidays),
            rates=absolute(panel.rates),
            classification=absolute(panel.classification) if "/" in panel.classification else panel.classification,
        )
        for panel in settings.panels
    )
    return msgspec.structs.replace(settings, panels=panels)
