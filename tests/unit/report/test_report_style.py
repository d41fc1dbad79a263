"""What of the report's style a reader depends on: that phones show the page whole, and that words can be read."""

import re
from datetime import date
from importlib.resources import files
from itertools import pairwise

import pytest

from earlywarn.adapters.report.timeline import months

TEMPLATES = files("earlywarn.adapters.report").joinpath("templates")
STYLE = TEMPLATES.joinpath("report.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6})", root)) for root in re.findall(r":root {([^}]*)}", STYLE)
)


def rules(selector: str) -> list[str]:
    """Return the declarations of the rules of exactly this selector, in their order."""
    return re.findall(rf"(?:^|[}}{{])\s*{re.escape(selector)}\s*{{([^}}]*)}}", STYLE, flags=re.MULTILINE)


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    values = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["page", "surface", "soft"])
@pytest.mark.parametrize("words", ["ink", "muted", "accent", "grave", "watch", "fall", "rise"])
def test_words_stand_out_from_whatever_they_stand_on(scheme: dict[str, str], ground: str, words: str) -> None:
    """4.5 to 1 (WCAG 2, AA), on pale cards of parts as on the page."""
    dark, light = sorted((luminance(scheme[words]), luminance(scheme[ground])))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_chart_on_paper_has_the_light_colours() -> None:
    """The script repeats them, since a screen's dark scheme is none of the paper's."""
    repeated = re.search(r"const light = {([^}]*)}", TEMPLATES.joinpath("report.js").read_text(encoding="utf-8"))
    assert repeated is not None
    named = dict(re.findall(r'(\w+): "(#[0-9a-f]+)"', repeated[1]))
    assert named == {name: LIGHT[name] for name in named}
    assert {"fall", "rise", "observed", "expected"} <= set(named)


@pytest.mark.parametrize("days", [90, 365, 425, 460, 461, 800])
@pytest.mark.parametrize(
    ("rule", "track", "letter"),
    [(0, 621 - 274, 7.5), (1, 390 - 172, 5.8)],
    ids=["tablet", "phone"],
)
def test_months_above_the_timeline_stand_apart(days: int, rule: int, track: int, letter: float) -> None:
    """On screens too narrow for all of them some are left out; pixels at the narrow end, letters of the widest font."""
    step = int(re.findall(r"\.tl-axis span:not\(:nth-child\((\d)n \+ 1\)\) { display: none; }", STYLE)[rule])
    shown = months(date(2019, 1, 1), days)[::step]
    for (left, label), (following, _) in pairwise(shown):
        assert (following - left) / 100 * track >= letter * len(label)


def test_the_key_of_a_chart_has_the_signs_that_it_draws() -> None:
    """Below its range points down in the colour of falls, above it up in that of rises, as the script draws them."""
    script = TEMPLATES.joinpath("report.js").read_text(encoding="utf-8")
    assert re.findall(r'side\("(\w+)", "triangle-(\w+)"', script) == [("fall", "down"), ("rise", "up")]
    below, above = rules(".chart-key .k-out::before")[0], rules(".chart-key .k-out::after")[0]
    assert "border-top: 9px solid var(--fall)" in below, "a border above the point: it points down"
    assert "border-bottom: 9px solid var(--rise)" in above


def test_a_wide_table_scrolls_by_itself() -> None:
    """Words for screen readers are placed absolutely: in an unpositioned table they would make the page as wide."""
    assert "position: absolute" in rules(".sr-only")[0]
    assert {"overflow-x: auto", "position: relative"} <= {each.strip() for each in rules(".scroller")[0].split(";")}


def test_a_table_that_goes_on_at_the_right_of_a_phone_fades_there_and_not_on_paper() -> None:
    """Bars for scrolling are hidden on phones; at its end the fade lies on the blank beside the table."""
    phone, paper = (STYLE.partition(f"@media {which} {{")[2] for which in ("(max-width: 620px)", "print"))
    [fade] = re.findall(r"\.scroller::after { ([^}]*) }", phone.partition("@media")[0])
    assert "position: sticky" in fade
    assert "linear-gradient(to right, transparent, var(--surface)" in fade
    assert ".scroller::after { content: none; }" in paper


def test_headings_and_what_explains_a_table_stand_on_its_sheet() -> None:
    paper = STYLE.partition("@media print {")[2]
    [whole] = re.findall(r"(\.card, [^{]*) { break-inside: avoid; }", paper)
    assert {".heat", ".years", ".marks", "h2 + p", "h3 + p"} <= set(whole.split(", "))
    [with_next] = re.findall(r"(h2, [^{]*) { break-after: avoid; }", paper)
    assert {"h3", "h2 + p", "h3 + p", ".marks"} <= set(with_next.split(", "))


def test_a_sign_stands_beside_its_figure_and_the_table_of_the_year_has_a_style() -> None:
    """A link fills its cell by a rule of its own, which signs undo; each of the tables has its rule."""
    assert rules(".heat td a, .heat td .flag") == [" display: inline; "]
    assert "border-collapse: collapse" in rules(".years")[0]


def test_only_what_stands_is_filled_with_the_gravest_colour() -> None:
    """Of many alerts that are over none draws the eye before those that are open or last."""
    assert "background: var(--grave)" in rules(".severity.s3")[0]
    assert "background: none" in rules(".card.is-over > .card-text .severity.s3")[0]
