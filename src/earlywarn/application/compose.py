"""The composition root of a run without adapters: settings in, folds out. Embedded mode and services share it."""

from collections.abc import Container
from dataclasses import dataclass

import msgspec

from earlywarn.aggregation.block import BlockFold
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.route import Router
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.application.fold import RunFold
from earlywarn.application.panels import EquippedPanel, PanelNames, equip, fingerprint
from earlywarn.application.settings import Settings
from earlywarn.detection import MODEL_VERSION
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.panel import Panel
from earlywarn.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Run:
    """A run ready to fold: its settings, its panels, and makers of both folds."""

    settings: Settings
    panels: tuple[EquippedPanel, ...]
    names: PanelNames
    router: Router
    fingerprint: str

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

    def run_fold(self, partitions: int, panels: Container[str] | None = None, *, change: int = 0) -> RunFold:
        """Return the second fold over so many source partitions, for all panels of the run or those of `panels`.

        `change` is the control record from which on its configuration holds, 0 for the run's beginning.
        """
        letterhead = Letterhead(
            run=self.settings.run,
            exercise=self.settings.exercise,
            model_version=MODEL_VERSION,
            config_hash=self.fingerprint,
        )
        features = {each.panel.id: each.features for each in self.panels}

        def detector_of(panel: Panel) -> PanelDetector:
            return PanelDetector(self.settings.detection, features[panel.id])

        def desk_of(panel: Panel) -> AlertDesk:
            return AlertDesk(panel.id, self.settings.alerts, letterhead, self.names)

        fold = self.settings.fold
        return RunFold(
            [each.panel for each in self.panels if panels is None or each.panel.id in panels],
            PartialsFold(partitions=partitions, lateness_seconds=fold.lateness_seconds),
            revision_horizon_days=fold.revision_horizon_days,
            coverage=self.settings.coverage,
            detector_of=detector_of,
            desk_of=desk_of,
            fingerprint=self.fingerprint,
            change=change,
        )


def compose(settings: Settings) -> Run:
    """Build everything a run needs, or say everything that is wrong with its settings.

    Raises:
        ConfigError: one line for each problem.
    """
    problems: list[str] = []
    panels: list[EquippedPanel] = []
    if not settings.panels:
        problems.append("panels: a run needs at least one; add a [[panels]] table")
    for each in settings.panels:
        try:
            panels.append(equip(each))
        except ConfigError as error:
            problems.append(str(error))
    problems += _conflicts(settings)
    if problems:
        raise ConfigError("\n".join(problems))
    base = panels[0].panel.calendar.base_bucket_seconds
    settings = msgspec.structs.replace(settings, fold=msgspec.structs.replace(settings.fold, base_bucket_seconds=base))
    return Run(
        settings=settings,
        panels=tuple(panels),
        names=PanelNames(panels),
        router=Router([each.panel for each in panels]),
        fingerprint=fingerprint(settings, panels, MODEL_VERSION),
    )


def _conflicts(settings: Settings) -> list[str]:
    """Return what is wrong between the panels of a run."""
    ids = [panel.id for panel in settings.panels]
    problems = [f"panels: id {name!r} stands twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    problems += [
        f"panels: id {name!r}: may not be empty or hold / % *" for name in ids if not name or set(name) & set("/%*")
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
