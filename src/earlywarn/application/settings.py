"""Everything that can be set, as one typed tree: a TOML file, overlaid by the environment, secrets from files.

Every problem is reported at once, with the file or the variable it comes from. Times are in seconds, unless the
name ends in another unit. See docs/settings.md, and `earlywarn config check FILE`.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import msgspec

from earlywarn.aggregation.block import FoldParameters
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.application.environment import CONFIG_NAME, Secret, check_file, overlay, read_secret, wanted
from earlywarn.application.service_settings import (
    KafkaSettings,
    RedisSettings,
    ServiceSettings,
    SnapshotSettings,
    TopicSettings,
)
from earlywarn.application.tls_files import FILES, problems_of
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.domain.ranges import Range, check_ranges
from earlywarn.errors import ConfigError

_T = TypeVar("_T", bound=msgspec.Struct)
RUN_ID = re.compile(r"[a-zA-Z0-9_-]{1,100}")
_VALUE_PROBLEM = re.compile(r"(\w+) = .*: give ")
_WORD = re.compile(r"\w+")
_TABLES_OF_PANELS = frozenset({"nuts_recoding", "postal_codes", "school_holidays", "known_events", "rates"})


class PanelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A panel, as an office describes it; what is left out follows from the country.

    id: names the panel in every series id.
    name: what people call it.
    countries: NUTS or ISO country codes whose transactions it takes; none takes all.
    holiday_countries: whose public holidays its regions keep, where `countries` is empty.
    currency: ISO 4217, of all published amounts.
    time_zone: IANA name; local days are its days.
    region_level: NUTS level 0..3 of the panel's regions; "none" takes declared regions only (with `any_region` all).
    regions: region codes of the panel's own, by code, with their names.
    any_region: take every region code as it is written (aggregated history without a declaration).
    online_region: count card-not-present spending in a region of its own.
    classification: a shipped one (mcc, swiss-mcs, fable, sparkov, coicop-2018), a folder, or `open`: codes as they are.
    resolution: finest bucket published, hour or day.
    base_bucket_seconds: 3600, or a part of it for zones with a fraction of an hour.
    pay_day: day of the month on which wages are usually paid.
    nuts_recoding, postal_codes, school_holidays: tables (CSV) of the office's own.
    known_events: a table `name,first_day,last_day,effect,region,sector` (CSV) of strikes, festivals and the like, whose
        days count for less (`widen`) or are not judged (`mute`).
    rates: a table `currency,since,rate` (CSV): units of the panel's currency for one of this, from that local day on.
    tercet: look postal codes up in Eurostat's tables (extra `postal`).
    """

    id: str
    name: str = ""
    countries: tuple[str, ...] = ()
    holiday_countries: tuple[str, ...] = ()
    currency: str = ""
    time_zone: str = ""
    region_level: Literal[0, 1, 2, 3, "none"] = 2
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
    known_events: str = ""
    rates: str = ""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {"base_bucket_seconds": Range(1, 3_600), "pay_day": Range(1, 28, note="every month has these days")},
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a run. `exercise` marks every alert as one that asks for no action.

    `--exercise` and `--no-exercise` go over it. Without `panels` here the input decides unless it is true: a run of a
    history that ended more than 60 days ago is an exercise, and so is a replay.
    """

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

    def __post_init__(self) -> None:
        """Check the run's id.

        Raises:
            ConfigError: it cannot be part of a topic's name.
        """
        if not RUN_ID.fullmatch(self.run):
            raise ConfigError(
                f"run = {self.run!r:.120}: give letters, digits, - and _ only, at most 100; it names topics"
            )


def load(path: Path | None, environ: Mapping[str, str], *, secrets: bool = True) -> Settings:
    """Return the effective settings: file, then environment over it, then secrets from their files.

    Args:
        path: a TOML file; None for the one that EARLYWARN_CONFIG names, if it does.
        environ: the environment, as `os.environ`.
        secrets: read and check the files of secrets; a run that talks to no service needs none.

    Relative paths in the file start at its folder, those in the environment at the working directory.

    Raises:
        ConfigError: one line for each problem: where it comes from, place, value, and what would do.
    """
    settings, problems = read(path, environ, secrets=secrets)
    if problems or settings is None:
        raise ConfigError("\n".join(problems))
    return settings


def read(path: Path | None, environ: Mapping[str, str], *, secrets: bool = True) -> tuple[Settings | None, list[str]]:
    """Return what `load` does, and its problems; with problems the settings are fit for finding more of them only.

    What cannot be used is at its default then. None: nothing could be read.
    """
    if path is None and environ.get(CONFIG_NAME):
        path = Path(environ[CONFIG_NAME])
    problems: list[str] = []
    plain = _read(path, problems) if path is not None else {}
    whole = not problems
    in_file = frozenset(plain)
    given = overlay(Settings, plain, environ, problems)
    settings = None
    if whole:
        settings = _Tree(path, in_file, given, problems, secrets=secrets).build(Settings, plain, "")
    return settings, problems


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is no TOML: {error}")
    return {}


class _Tree:
    """Builds the tree field by field, so that every problem is found and not only the first."""

    def __init__(
        self,
        path: Path | None,
        in_file: frozenset[str],
        given: Mapping[str, str],
        problems: list[str],
        *,
        secrets: bool,
    ) -> None:
        self._path = path
        self._in_file = in_file
        self._given = given
        self._problems = problems
        self._secrets = secrets

    def build(self, kind: type[_T], plain: object, place: str) -> _T | None:
        """Return the struct of a table, with defaults where there are problems, which are listed; None for no table."""
        if not isinstance(plain, dict):
            self._say(place, f"{place}: expected a table, got {type(plain).__name__}")
            return None
        known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        hints = get_type_hints(kind)
        values: dict[str, Any] = {}
        faulty: set[str] = set()
        for name, value in plain.items():
            where = f"{place}.{name}" if place else str(name)
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                faulty.update(near)
                self._say(where, f"{where}: no such setting" + (f"; did you mean {near[0]}?" if near else ""))
                continue
            found = len(self._problems)
            built = self._value(hints[name], value, where)
            if len(self._problems) == found or isinstance(built, msgspec.Struct | tuple):
                values[name] = built
            if len(self._problems) > found:
                faulty.add(name)
        for name, field in known.items():
            if field.required and name not in plain:
                self._say(place, f"{place}.{name}: is required")
                faulty.add(name)
            if field.required:
                values.setdefault(name, place)
        unread = self._read_secrets(hints, values, place)
        files = {name: "" if name in unread else values.get(name, "") for name in FILES}
        made = self._made(kind, values, place, faulty)
        self._check_tls(files, place)
        return made

    def _made(self, kind: type[_T], values: dict[str, Any], place: str, faulty: AbstractSet[str]) -> _T | None:
        """Return the struct of values, after its own checks; what they say of a faulty setting follows from its fault.

        `faulty` are settings listed already, in whose place the default stands.
        """
        try:
            return kind(**values)
        except ConfigError as error:
            for line in str(error).split("\n"):
                own = _VALUE_PROBLEM.match(line)
                name = own[1] if own and own[1] in values else None
                if name is not None:
                    where = f"{place}.{name}" if place else name
                    self._say(where, where + line.removeprefix(name))
                    values.pop(name)
                elif faulty.isdisjoint(_WORD.findall(line)):
                    self._say(place, f"{place or 'settings'}: {line.removeprefix(f'{place}: ')}")
        try:
            return kind(**values)
        except ConfigError:
            return None

    def _value(self, hint: Any, value: object, where: str) -> object:  # noqa: ANN401  # a type hint
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self.build(hint, value, where)
        if where == "panels" and isinstance(value, list):
            built = (self.build(PanelSettings, each, f"panels[{at}]") for at, each in enumerate(value))
            return tuple(panel for panel in built if panel is not None)
        return self._scalar(hint, value, where)

    def _scalar(self, hint: Any, value: object, where: str) -> object:  # noqa: ANN401  # a type hint
        if hint is Secret:
            if not isinstance(value, str):
                self._say(where, f"{where}: give {wanted(hint)}")
            return Secret(value) if isinstance(value, str) else None
        try:
            converted: object = msgspec.convert(value, hint)
        except msgspec.ValidationError:
            self._say(where, f"{where} = {value!r:.60}: give {wanted(hint)}")
            return None
        several = converted if isinstance(converted, tuple) else (converted,)
        if not all(math.isfinite(each) for each in several if isinstance(each, float)):
            self._say(where, f"{where} = {value!r}: give {'finite numbers' if len(several) > 1 else 'a finite number'}")
            return None
        return self._located(converted, where) if isinstance(converted, str) else converted

    def _located(self, text: str, where: str) -> str:
        """Make a relative path start where it was given; a classification is a path when it holds a separator."""
        name = where.rpartition(".")[2]
        of_panel = name in _TABLES_OF_PANELS or (name == "classification" and "/" in text)
        if not text or not (of_panel or name.endswith("_file") or (where == "snapshots.url" and "://" not in text)):
            return text
        folder = Path() if self._path is None or self._variable(where) else self._path.parent
        # A secret's folder may be a link that is swapped for a newer one while the service runs.
        return str((folder / text).resolve() if of_panel else (folder / text).absolute())

    def _read_secrets(self, hints: Mapping[str, Any], values: dict[str, Any], place: str) -> set[str]:
        """Check the files a table names, and put secrets where their text belongs; return what cannot be read."""
        unread = set()
        for name in [name for name in values if name.endswith("_file")]:
            where, file, secret = f"{place}.{name}", values[name], name.removesuffix("_file")
            if not file:
                continue
            if hints.get(secret) is Secret and values.get(secret):
                self._say(place, f"{place}: {secret} and {name} are both given; keep the file")
            elif self._secrets:
                try:
                    if hints.get(secret) is Secret:
                        values[secret] = Secret(read_secret(Path(file)))
                    else:
                        check_file(Path(file))
                except ConfigError as error:
                    self._say(where, f"{where} = {file!r}: {error}")
                    unread.add(name)
                    if hints.get(secret) is Secret:
                        values[secret] = Secret("unread")  # for the table's own checks there is one
        return unread

    def _check_tls(self, files: Mapping[str, str], place: str) -> None:
        """Check what the PEM files of a table hold, of those that can be read."""
        for name, problem in problems_of(**files) if self._secrets and any(files.values()) else ():
            self._say(f"{place}.{name}", f"{place}.{problem}")

    def _variable(self, where: str) -> str:
        """Return the variable that set a place, or the list of panels it is in; empty if none did."""
        return self._given.get(where) or self._given.get(where.partition("[")[0], "")

    def _say(self, where: str, problem: str) -> None:
        """List a problem with its sources: the variable of the place, or those of its table and the file."""
        variable = self._variable(where)
        below = sorted(name for place, name in self._given.items() if place.startswith(f"{where}."))
        sources = [f"environment ({', '.join([variable] if variable else below)})"] if variable or below else []
        if self._path is not None and not variable and (not below or where in self._in_file):
            sources.insert(0, str(self._path))
        self._problems.append(f"{' and '.join(sources)}: {problem}" if sources else problem)
