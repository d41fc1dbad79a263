"""The next weeks of the panel, and of what an open alert is about: what is expected if no new shock comes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from earlywarn.adapters.output.forecast import places_of
from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.drawing import Sketch, sketch
from earlywarn.adapters.report.history import MEASURES, OBSERVED, Key
from earlywarn.adapters.report.wording import compact, grouped, long_day, money, short_day
from earlywarn.detection.panel_forecast import PanelForecast
from earlywarn.domain.alert import Alert

_PAST_DAYS = 28
_SERIES = 6
_WORDS = {"transactions": "number of payments", "amount": "card spending", "mean_ticket": "mean payment"}
_SPENDING = 1


@dataclass(frozen=True, slots=True)
class Ahead:
    """The forecast of one series.

    Attributes:
        title: of the series and measure. words: what comes together in all of the days, empty of mean payments.
        drawn: the last weeks as they were, the next ones as expected. first, until: the ends of its axis.
        rows: day, expected, and the 80 and 95 % intervals, in words.
    """

    title: str
    words: str
    drawn: Sketch
    first: str
    until: str
    rows: list[tuple[str, str, str, str]]


def ahead(forecast: PanelForecast | None, book: ChartBook, alerts: Iterable[Alert], currency: str) -> list[Ahead]:
    """Return the forecasts of the panel's spending and of what open economic `alerts` are about."""
    if forecast is None or forecast.made_on != book.history.last_day:
        return []
    about: list[tuple[str | None, str | None, int]] = [(None, None, _SPENDING)]
    about += [(each.region, each.sector, MEASURES.index(each.measure)) for each in alerts if each.kind == "economic"]
    shown = list(dict.fromkeys(about))[:_SERIES]
    found = [_of_series(forecast, book, (region, sector), measure, currency) for region, sector, measure in shown]
    return [each for each in found if each is not None]


def _of_series(forecast: PanelForecast, book: ChartBook, key: Key, measure: int, currency: str) -> Ahead | None:
    place, values = places_of(forecast).get(key), book.history.values(key)
    if place is None or values is None or not forecast.ready[place]:
        return None
    ends = (forecast.expected, forecast.lower_80, forecast.upper_80, forecast.lower_95, forecast.upper_95)
    expected, low, high, lowest, highest = (each[measure, place] for each in ends)
    if not np.isfinite(expected).any():
        return None
    past = values[measure, OBSERVED, -_PAST_DAYS:].astype(np.float64)
    before, after = np.full(len(past), np.nan), np.full(len(expected), np.nan)
    drawn = sketch(
        np.concatenate([past, after]),
        np.concatenate([before, expected]),
        np.concatenate([before, lowest]),
        np.concatenate([before, highest]),
        width=720,
        height=150,
        inner=(np.concatenate([before, low]), np.concatenate([before, high])),
    )
    if drawn is None:
        return None

    def said(value: float) -> str:
        if measure:
            return money(value, currency)
        return compact(value) if value >= 1000 else grouped(value)

    rows = [
        (f"{day:%a} {short_day(day)}", said(middle), f"{said(a)} to {said(b)}", f"{said(c)} to {said(d)}")
        for day, middle, a, b, c, d in zip(forecast.days, expected, low, high, lowest, highest, strict=True)
        if np.isfinite(middle)
    ]
    total = float(np.nansum(expected))
    what = f"{said(total)}{'' if measure else ' payments'}"
    until = long_day(forecast.days[-1])
    words = f"Expected in the {len(rows)} days to {until}: {what}." if MEASURES[measure] != "mean_ticket" else ""
    return Ahead(
        title=f"{book.title(key)}, {_WORDS[MEASURES[measure]]} a day",
        words=words,
        drawn=drawn,
        first=short_day(forecast.made_on.fromordinal(forecast.made_on.toordinal() - len(past) + 1)),
        until=short_day(forecast.days[-1]),
        rows=rows,
    )
