"""What a detector tells Prometheus beside what every worker does."""

from prometheus_client import Counter, Gauge

from earlywarn.application.fold import RunFold

PARTIALS_FOLDED = Counter("earlywarn_partials_folded", "Records of the partials topic that this worker has folded.")
PUBLISHED = Counter("earlywarn_published_messages", "Messages published in transactions.", ["topic"])
SNAPSHOTS = Counter("earlywarn_snapshots", "Snapshots tried, by outcome: kept, failed, or refused.", ["outcome"])
for _outcome in ("kept", "failed", "refused"):
    SNAPSHOTS.labels(_outcome)  # what is there at 0 is seen to increase by its first event
SNAPSHOT_BYTES = Gauge("earlywarn_snapshot_bytes", "Size of the newest snapshot.", ["partition"])
WATERMARK = Gauge(
    "earlywarn_watermark_seconds", "Event time (epoch) before which buckets are closed; absent before all have spoken.",
    ["partition"],
)  # fmt: skip
UNCOUNTED = Gauge(
    "earlywarn_uncounted_transactions",
    "Accepted transactions of the run's log that stand in no aggregate (docs/delivery.md, Uncounted).",
    ["partition"],
)
LEAPS = Gauge("earlywarn_panel_leaps", "Silences of a panel, now over, that outlasted the revision horizon.", ["panel"])
LONGEST_LEAP = Gauge("earlywarn_panel_longest_leap_seconds", "Event time that the longest of them took.", ["panel"])
CAPPED = Gauge("earlywarn_panel_capped_sums", "Sums of a panel that are published as their cap.", ["panel"])
CELLS = Gauge("earlywarn_panel_cells", "Cells that a panel tells apart so far (coverage.cells_limit).", ["panel"])


def show_fold(partition: int, fold: RunFold) -> None:
    """Set what the fold of one partition of the partials has reached and noticed, from the start of its log."""
    watermark = fold.fold.watermark_seconds()
    if watermark is not None:
        WATERMARK.labels(partition).set(watermark)
    UNCOUNTED.labels(partition).set(fold.uncounted_transactions)
    capped = {each.panel: each.sums for each in fold.capped()}
    leaps = {each.panel: each for each in fold.leaps()}
    for panel, cells in fold.cells().items():
        CELLS.labels(panel).set(cells)
        CAPPED.labels(panel).set(capped.get(panel, 0))
        leap = leaps.get(panel)
        LEAPS.labels(panel).set(leap.silences if leap else 0)
        LONGEST_LEAP.labels(panel).set(leap.to_seconds - leap.from_seconds if leap else 0)
