"""The composition root of a run without adapters: settings in, the first fold out; the second: `compose_fold`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from earlywarn.aggregation.block import BlockFold
from earlywarn.aggregation.route import Router
from earlywarn.application.environment import source_of_panels
from earlywarn.application.panels import EquippedPanel, PanelNames, equip, fingerprint, fold_fingerprint
from earlywarn.application.settings import Settings, read
from earlywarn.detection import MODEL_VERSION
from earlywarn.errors import ConfigError

_PANEL_ID = re.compile(r"[a-zA-Z0-9._-]{1,100}")
_VARIABLE = "environment (EARLYWARN_PANELS)"


@dataclass(frozen=True, slots=True)
class Run:
    """A run ready to fold: its settings, its panels, and the maker of the first fold.

    Attributes:
        fingerprint: of everything that decides what is published.
        fold_fingerprint: of what decides the partials alone.
    """

    settings: Settings
    panels: tuple[EquippedPanel, ...]
    names: PanelNames
    router: Router
    fingerprint: str
    fold_fingerprint: str

    def block_fold(
        self, partition: int, partitions: int, *, position: int = 0, event_time_ms: int | None = None
    ) -> BlockFold:
        """Return the first fold for one source partition."""
        return BlockFold(
            self.router,
            self.settings.fold,
            partition=partition,
            partitions=partitions,
            position=position,
            event_time_ms=event_time_ms,
        )


def compose(settings: Settings, source: str = "") -> Run:
    """Build everything a run needs, or say everything that is wrong with its settings.

    Raises:
        ConfigError: one line for each problem, with the source of the settings if it is given.
    """
    problems: list[str] = []
    panels: list[EquippedPanel] = []
    if not settings.panels:
        ways = {"environment": "give --config FILE, or set EARLYWARN_CONFIG", _VARIABLE: "name one there, or unset it"}
        problems.append(f"panels: a run needs at least one; {ways.get(source, 'add a [[panels]] table')}")
    for each in settings.panels:
        try:
            panels.append(equip(each))
        except ConfigError as error:
            problems += str(error).split("\n")
    problems += _conflicts(settings)
    if problems:
        raise ConfigError("\n".join(f"{source}: {problem}" if source else problem for problem in problems))
    base = panels[0].panel.calendar.base_bucket_seconds
    settings = msgspec.structs.replace(settings, fold=msgspec.structs.replace(settings.fold, base_bucket_seconds=base))
    return Run(
        settings=settings,
        panels=tuple(panels),
        names=PanelNames(panels),
        router=Router([each.panel for each in panels]),
        fingerprint=fingerprint(settings, panels, MODEL_VERSION),
        fold_fingerprint=fold_fingerprint(settings, panels),
    )


def compose_from(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, Run]:
    """Return settings as `load` reads them, and the run that they describe; for services and `earlywarn config check`.

    Raises:
        ConfigError: one line for each problem, of the values as of what they name, each with its source.
    """
    settings, problems = read(path, environ)
    if settings is not None:
        try:
            run = compose(settings, source_of_panels(path, environ))
        except ConfigError as error:
            problems += str(error).split("\n")
    if problems or settings is None:
        raise ConfigError("\n".join(problems))
    return settings, run


def _conflicts(settings: Settings) -> list[str]:
    """Return what is wrong between the panels of a run."""
    ids = [panel.id for panel in settings.panels]
    problems = [f"panels: id {name!r} stands twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    problems += [
        f"panels: id {name!r:.120}: give letters, digits, . - and _ only, at most 100; it names series"
        for name in dict.fromkeys(ids)
        if not _PANEL_ID.fullmatch(name)
    ]
    takers: dict[str, str] = {}
    for panel in settings.panels:
        for country in panel.countries or ("every other country",):
            if country in takers:
                problems.append(f"panels {takers[country]!r} and {panel.id!r} both take {country}")
            takers[country] = panel.id
    if len({panel.base_bucket_seconds for panel in settings.panels}) > 1:
        problems.append("panels: base_bucket_seconds differs between them; a run has one")
    return problems
