"""An open coverage notice whose last revision is some days old is told up to the end of the input."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from report_page import FIRST, SWISS, alert, collect, page_of

from earlywarn.aggregation.rows import Coverage, Gap
from earlywarn.domain.alert import Evidence

DAYS, BEGAN = 200, 187
SILENT = Coverage(gap=Gap(("CH07",), totals=((None, None, 0.6), ("CH07", None, 0.0))))
IN_PART = Coverage(volume=0.625, silent=("source B",))
NOTHING = Coverage(volume=0.0, silent=("source B",))
ENOUGH = Coverage(volume=0.97, silent=("source B",), gap=Gap((), ((None, None, 0.97), ("CH07", None, 0.4))))
LAST = "19 Jul 2019, the last day of the input"


@pytest.mark.parametrize(
    ("region", "coverage", "said"),
    [
        ("CH07", [SILENT] * 5, f"Still missing on {LAST}: 13 days in all."),
        ("CH07", [NOTHING] * 5, f"Still missing on {LAST}: 13 days in all."),
        ("CH07", [SILENT] * 4 + [Coverage()], f"To {LAST}: missing on 4 of 5 further days, and not yet heard again."),
        (None, [NOTHING] * 5, f"Still missing on {LAST}: 13 days in all."),
        (None, [NOTHING] * 4 + [IN_PART], f"Still missing on {LAST}: 13 days in all, 38 % of the expected volume on"),
        (None, [ENOUGH] * 5, f"Still missing on {LAST}: 13 days in all, 3 % of the expected volume on that one."),
        (None, [], ""),
    ],
)
def test_the_end_of_the_input_is_told(tmp_path: Path, region: str | None, coverage: list[Coverage], said: str) -> None:
    """In the headline's caveat and on the card alike; of a notice of the very last day there is nothing to add."""
    collector = collect(SWISS, DAYS)
    record = collector.panels["P"]
    for offset in range(len(coverage)):
        record.coverage[offset - len(coverage)] = (record.coverage[offset - len(coverage)][0], coverage[offset])
    as_of = FIRST + timedelta(DAYS - 1 - len(coverage))
    days = Evidence(name="days_missing", value=8.0, unit="days")
    changes: dict[str, object] = {"kind": "coverage", "status": "updated", "as_of": as_of.isoformat()}
    collector.observe(alert(region, None, FIRST + timedelta(BEGAN), text="Not heard.", evidence=(days,), **changes))
    words = page_of(collector, tmp_path).words.replace("\u202f", " ")
    if said:
        assert words.count(f"Not heard. {said}") == 2
    assert ("Still missing" in words or "further day" in words) == bool(said)


def test_a_lost_partition_has_no_days_to_tell_of(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    lost = Evidence(name="lost: partition 3", value=1.0, unit="feed")
    collector.observe(alert(None, None, FIRST + timedelta(BEGAN), kind="coverage", text="Lost.", evidence=(lost,)))
    assert "Still missing" not in page_of(collector, tmp_path).words


def test_a_week_of_nothing_is_without_no_regions(tmp_path: Path) -> None:
    """Where every region was silent there is no total that lacks them."""
    collector = collect(SWISS, DAYS)
    record = collector.panels["P"]
    gap = Gap(("CH04", "CH07"), totals=((None, None, 0.0), ("CH04", None, 0.0), ("CH07", None, 0.0)))
    for at in range(-7, 0):
        record.coverage[at] = (record.coverage[at][0], Coverage(gap=gap))
        record.days[at].values[:] = np.nan
    words = page_of(collector, tmp_path).words
    assert "card spending in Testland could not be judged" in words
    assert "without" not in words[: words.index("Where: the last 7 days")]
