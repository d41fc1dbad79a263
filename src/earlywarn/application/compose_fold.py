"""What a detector composes of a run beyond `compose`: the second fold with its models and desks.

It stands apart because the estimators (River and all it brings) cost an aggregator, which needs none of them, two
seconds of every start and a good part of its memory.
"""

from collections.abc import Container

from earlywarn.aggregation.merge import PartialsFold
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.application.compose import Run
from earlywarn.application.fold import RunFold
from earlywarn.detection import MODEL_VERSION
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.panel import Panel


def compose_fold(run: Run, partitions: int, panels: Container[str] | None = None, *, change: int = 0) -> RunFold:
    """Return the second fold over so many source partitions, for all panels of the run or those of `panels`.

    `change` is the control record from which on its configuration holds, 0 for the run's beginning.
    """
    settings = run.settings
    letterhead = Letterhead(
        run=settings.run,
        exercise=settings.exercise,
        model_version=MODEL_VERSION,
        config_hash=run.fingerprint,
    )
    equipped = {each.panel.id: each for each in run.panels}

    def detector_of(panel: Panel) -> PanelDetector:
        return PanelDetector(settings.detection, equipped[panel.id].features, equipped[panel.id].events)

    def desk_of(panel: Panel) -> AlertDesk:
        return AlertDesk(panel.id, settings.alerts, letterhead, run.names, equipped[panel.id].events)

    return RunFold(
        [each.panel for each in run.panels if panels is None or each.panel.id in panels],
        PartialsFold(partitions=partitions, lateness_seconds=settings.fold.lateness_seconds),
        revision_horizon_days=settings.fold.revision_horizon_days,
        coverage=settings.coverage,
        detector_of=detector_of,
        desk_of=desk_of,
        fingerprint=run.fingerprint,
        change=change,
    )
