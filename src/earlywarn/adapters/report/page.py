"""Puts the page together: views, chart data, style, script and plotly in one file that asks for nothing else."""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from earlywarn.adapters.report.absence import absences
from earlywarn.adapters.report.ahead import Ahead, ahead
from earlywarn.adapters.report.brief_names import BriefNames
from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.collector import AlertRecord, ReportCollector
from earlywarn.adapters.report.episodes import CARDS_SHOWN, Card, CardMaker
from earlywarn.adapters.report.geography import Geography, geography
from earlywarn.adapters.report.history import PanelHistory
from earlywarn.adapters.report.key_figures import Figure, is_unjudged, key_figures
from earlywarn.adapters.report.levels import Returns
from earlywarn.adapters.report.overview import State, state
from earlywarn.adapters.report.quality import Quality, intake, quality, reject_rows
from earlywarn.adapters.report.remarks import remarks, texts
from earlywarn.adapters.report.special_days import special_days
from earlywarn.adapters.report.standing import Standing
from earlywarn.adapters.report.still_missing import still_missing
from earlywarn.adapters.report.timeline import Lane, months, timeline
from earlywarn.adapters.report.wording import grouped, long_day, percent, short_day, unbroken
from earlywarn.adapters.report.year_on_year import KNOWN_FROM_DAYS, YearBefore, YearOnYear, year_on_year
from earlywarn.alerting.words import LEAST_PAYMENTS, MOST_PCT, MOST_TIMES
from earlywarn.application.panels import EquippedPanel
from earlywarn.application.reach import Reach, reach
from earlywarn.reference.nuts import ATTRIBUTION

_WORDING = {"mostPct": MOST_PCT, "mostTimes": MOST_TIMES, "leastPayments": LEAST_PAYMENTS}
"""What the script needs to say a deviation as the rest of the page does."""
_LINE_SEPARATORS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True)
class PanelView:
    """Everything the template says about one panel."""

    at: int
    reach: Reach
    currency: str
    as_of: str
    days: int
    days_seen: str
    first_day: str
    last_day: str
    state: State
    figures: list[Figure]
    geography: Geography
    years: YearOnYear
    open_cards: list[Card]
    lasting_cards: list[Card]
    past_cards: list[Card]
    cards_left_out: int
    lanes: list[Lane]
    months: list[tuple[float, str]]
    book: ChartBook
    ahead: list[Ahead]
    quality: Quality
    is_ready: bool
    is_unjudged: bool


def write_report(
    path: Path, collector: ReportCollector, summary: Mapping[str, object], left_out: Collection[str] = ()
) -> None:
    """Write report.html.

    Args:
        path: The file to write; an existing one is replaced.
        collector: Has seen every output of the run.
        summary: What also becomes summary.json; keys that are missing are left out of the page.
        left_out: Those of its warnings that tell of records that figures lack.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(render_report(collector, summary, left_out), encoding="utf-8", newline="\n")


def render_report(collector: ReportCollector, summary: Mapping[str, object], left_out: Collection[str] = ()) -> str:
    """Return the page as text (see `write_report`)."""
    run = collector.run
    records = list(collector.alerts.values())
    views, payload = [], []
    for at, each in enumerate(run.panels):
        view, data = _panel(at, each, collector, [r for r in records if r.latest.panel == each.panel.id], summary)
        views.append(view)
        payload.append(data)
    script, plotly = _text("report.js"), _plotly()
    template = _environment().get_template("report.html.j2")
    return template.render(
        title=", ".join(view.reach.whole for view in views),
        panels=views,
        summary=summary,
        inputs=texts(summary.get("inputs")),
        remarks=remarks(summary, [record.latest for record in records], left_out),
        intake=intake(summary),
        rejects=reject_rows(summary),
        exercise=summary.get("exercise", run.settings.exercise),
        run_id=run.settings.run,
        config_hash=run.fingerprint,
        probability=percent(run.settings.detection.interval_probability),
        severities=[percent(each) for each in run.settings.alerts.severity_probabilities],
        sizes=[f"{each:.0f}" for each in run.settings.alerts.severity_change_pct],
        weights=[f"{each:g}" for each in run.settings.alerts.severity_spending_pct],
        ready_days=run.settings.detection.ready_days,
        year_days=KNOWN_FROM_DAYS,
        least_payments=f"{LEAST_PAYMENTS:g}",
        coverage_share=percent(run.settings.alerts.coverage_share),
        attribution=ATTRIBUTION,
        alerts_left_out=collector.alerts_left_out,
        style=Markup(_text("report.css")),  # noqa: S704  # our own file, nothing of the data
        script=Markup(script),  # noqa: S704  # our own file, nothing of the data
        plotly=Markup(plotly),  # noqa: S704  # the wheel's own script, checked in _plotly
        chart_data=script_json({"panels": payload, "wording": _WORDING}),
        policy=_policy(script, plotly),
    )


def script_json(value: object) -> Markup:
    r"""Return a value as JSON that cannot end the script element it stands in.

    >>> print(script_json({"name": "</script><!--&"}))
    {"name":"\u003c/script\u003e\u003c!--\u0026"}
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    for character, escape in _LINE_SEPARATORS.items():
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704  # escaped above


def _panel(
    at: int,
    equipped: EquippedPanel,
    collector: ReportCollector,
    alerts: list[AlertRecord],
    summary: Mapping[str, object],
) -> tuple[PanelView, dict[str, object]]:
    run, panel = collector.run, equipped.panel
    record = collector.panels[panel.id]
    standing_alerts = [each.latest for each in alerts if each.is_open]
    history = PanelHistory(record, run.settings.detection.interval_probability, standing_alerts)
    newest = sorted(alerts, key=lambda each: each.latest.detected_on, reverse=True)
    covered = reach(run.names.panel(panel.id), history.regions, equipped.tree)
    told_names = run.names.over(panel.id, history.regions)
    names = BriefNames(told_names)
    book = ChartBook(history, names, panel.id, [(each.latest.region, each.latest.sector) for each in newest])
    latest = [each.latest for each in alerts]
    returns = Returns(latest, record.following.back)
    day = history.last_day
    levels = {} if day is None else returns.lasting(lambda alert: record.following.lasts(alert, day), day)
    years = YearBefore(history, names)
    year = years.of((None, None))
    absent = absences(record, alerts, history.last_day, run.settings.alerts.coverage_share, names)
    missing = still_missing(record, alerts, run.settings.alerts.coverage_share)
    maker = CardMaker(
        panel.id,
        f"p{at}a",
        book,
        names,
        told_names,
        lasting=levels,
        returns=returns,
        following=record.following,
        missing=missing,
    )
    cards = maker.cards(alerts)
    shown = cards[:CARDS_SHOWN]
    standing = Standing(alerts, record.last_scores, run.settings, names, list(levels.values()), returns)
    first = date.fromordinal(max(history.first_ordinal, 1))
    last, least_inflation = history.last_day, run.settings.detection.onset.special_inflation
    view = PanelView(
        at=at,
        reach=covered,
        currency=panel.currency,
        as_of="" if last is None else long_day(last),
        days=history.days,
        days_seen=grouped(record.seen.closed),
        first_day="" if last is None else short_day(first),
        last_day="" if last is None else short_day(last),
        state=state(
            names.panel(panel.id),
            history,
            record.seen,
            cards,
            newest,
            absent,
            standing,
            levels=list(levels.values()),
            returns=returns,
            summary=summary,
            missing=missing,
            year=year,
            names=names,
            told_name=told_names.panel(panel.id),
            uncertain="" if last is None else special_days(equipped.features, history.cells, last, least_inflation),
            currency=panel.currency,
            ready_days=run.settings.detection.ready_days,
        ),
        figures=key_figures(
            history,
            record,
            cards,
            panel.currency,
            absent,
            summary,
            year=year,
            than=returns.level_of_all() or "expected",
        ),
        geography=geography(history, book, equipped.tree, names, panel.currency, standing, absent),
        years=year_on_year(years, history, book, names),
        open_cards=[card for card in shown if card.is_open],
        lasting_cards=[card for card in shown if card.is_lasting],
        past_cards=[card for card in shown if not card.is_open and not card.is_lasting],
        cards_left_out=len(cards) - len(shown),
        lanes=timeline(shown, history.days, [names.region(region or "") for region, _ in book.regions]),
        months=months(first, history.days),
        book=book,
        ahead=ahead(collector.forecasts.get(panel.id), book, standing_alerts, panel.currency),
        quality=quality(record, run.settings.alerts.coverage_share, names),
        is_ready=history.is_ready,
        is_unjudged=is_unjudged(history, record.seen),
    )
    data: dict[str, object] = {
        "name": covered.whole,
        "currency": panel.currency,
        "start": first.isoformat(),
        "days": history.days,
        "series": book.payload(panel.currency),
        "alerts": [
            {
                "series": book.index[key],
                "from": span[0],
                "to": span[1],
                "down": each.latest.direction == "down",
                "severity": each.latest.severity,
            }
            for each, key, span in (
                (each, (each.latest.region, each.latest.sector), maker.span(each.latest)) for each in newest
            )
            if each.latest.kind == "economic" and key in book.index
        ],
    }
    return view, data


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("earlywarn.adapters.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["unbroken"] = unbroken
    return made


def _text(name: str) -> str:
    text = files("earlywarn.adapters.report").joinpath("templates", name).read_text(encoding="utf-8")
    return "\n" + text.replace("\r\n", "\n")


@cache
def _plotly() -> str:
    """Return plotly's script as a browser will read it from a page, so that its hash holds."""
    script = str(get_plotlyjs()).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(*scripts: str) -> str:
    """Return the content security policy: these scripts alone, no network at all."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
