"""The forecast in the files of a run: a table of every series and total, and pictures of those that matter."""

from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from report_page import FIRST, SWISS, Page, alert, collect, page_of

from earlywarn.adapters.output.forecast import places_of, write_forecast
from earlywarn.detection.hierarchy import NodeTree, SeriesKey
from earlywarn.detection.panel_forecast import PanelForecast

DAYS, HORIZON_DAYS = 160, 28
LAST = FIRST + timedelta(DAYS - 1)
TITLE = "The next weeks"


def forecast(series: list[SeriesKey], made_on: date = LAST) -> PanelForecast:
    """Return a forecast of 100 payments of 50.00 in each cell and day, give or take a tenth or a fifth."""
    tree = NodeTree(series)
    cells = np.ones((len(tree.series), HORIZON_DAYS))
    count, amount = tree.sums(100.0 * cells), tree.sums(500_000.0 * cells)
    expected = np.stack([count, amount, amount / count])
    return PanelForecast(
        made_on=made_on,
        days=tuple(made_on + timedelta(age) for age in range(1, HORIZON_DAYS + 1)),
        nodes=tree.nodes,
        ready=np.ones(len(tree.nodes), dtype=bool),
        expected=expected,
        lower_80=0.9 * expected,
        upper_80=1.1 * expected,
        lower_95=0.8 * expected,
        upper_95=1.2 * expected,
    )


def told(page: Page) -> str:
    return page.words.partition(TITLE)[2].partition("Data quality")[0]


def page_with(found: PanelForecast | None, folder: Path) -> str:
    collector = collect(SWISS, DAYS)
    collector.observe(alert("CH07", None, FIRST + timedelta(150)))
    if found is not None:
        collector.forecasts = {"P": found}
    return told(page_of(collector, folder))


def test_every_series_and_total_has_its_rows(tmp_path: Path) -> None:
    """Of a panel of one region its region and the panel are no nodes of their own, and have rows all the same."""
    file = tmp_path / "forecast.parquet"
    rows = write_forecast(file, {"P": forecast([("A", "x"), ("A", "y")])})
    table = pq.read_table(file).to_pylist()
    assert len(table) == rows == 6 * 3 * HORIZON_DAYS
    first = {(row["series_id"], row["measure"]): row for row in table if row["horizon_days"] == 1}
    assert [first[name, "transactions"]["expected"] for name in ("P/A/x", "P/*/y", "P/A/*", "P/*/*")] == [
        100.0,
        100.0,
        200.0,
        200.0,
    ]
    day = first["P/*/*", "amount"]
    assert (day["lower_95"], day["lower_80"], day["upper_80"], day["upper_95"]) == (8e5, 9e5, 1.1e6, 1.2e6)
    assert (day["made_on"], day["day"]) == (LAST, LAST + timedelta(1))


def test_what_is_not_known_has_no_rows(tmp_path: Path) -> None:
    """Neither a series in its warm-up, nor a mean payment of a day on which none is expected."""
    found = forecast([("A", "x"), ("B", "x")])
    found.ready[0] = False
    found.expected[2, 1, 6::7] = np.nan
    write_forecast(tmp_path / "forecast.parquet", {"P": found})
    table = pq.read_table(tmp_path / "forecast.parquet").to_pylist()
    assert {row["series_id"] for row in table} == {"P/B/x", "P/B/*", "P/*/x", "P/*/*"}
    assert sum(row["series_id"] == "P/B/x" and row["measure"] == "mean_ticket" for row in table) == 24


def test_totals_of_the_same_cells_stand_in_the_same_place() -> None:
    places = places_of(forecast([("A", "x"), ("B", "x"), ("B", "y")]))
    assert places["A", None] == places["A", "x"]
    assert places[None, "y"] == places["B", "y"]
    assert len({places["B", None], places[None, "x"], places[None, None]}) == 3
    assert list(places)[-1] == (None, None)


def test_the_page_shows_the_panel_and_what_open_alerts_are_about(tmp_path: Path) -> None:
    words = page_with(forecast(sorted(SWISS)), tmp_path)
    assert "if no new shock comes" in words
    assert "all regions and sectors, card spending a day" in words
    assert "Ticino, all sectors" in words
    assert f"{LAST + timedelta(1):%a} {(LAST + timedelta(1)).day}" in words


@pytest.mark.parametrize("found", [None, forecast(sorted(SWISS), LAST - timedelta(1))])
def test_without_a_forecast_of_its_last_day_the_page_says_so(found: PanelForecast | None, tmp_path: Path) -> None:
    assert "There is no forecast yet" in page_with(found, tmp_path)


def test_a_series_in_its_warm_up_is_not_drawn(tmp_path: Path) -> None:
    found = forecast(sorted(SWISS))
    found = msgspec.structs.replace(found, ready=np.zeros_like(found.ready))
    assert "There is no forecast yet" in page_with(found, tmp_path)
