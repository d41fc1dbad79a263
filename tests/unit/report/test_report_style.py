"""What of the report's style a reader depends on: that phones show the page whole, and that words can be read."""

import re
from importlib.resources import files

STYLE = files("earlywarn.adapters.report").joinpath("templates", "report.css").read_text(encoding="utf-8")


def rules(selector: str) -> list[str]:
    """Return the declarations of the rules of exactly this selector, in their order."""
    return re.findall(rf"(?:^|[}}{{])\s*{re.escape(selector)}\s*{{([^}}]*)}}", STYLE, flags=re.MULTILINE)


def test_a_wide_table_scrolls_by_itself() -> None:
    """Words for screen readers are placed absolutely: in an unpositioned table they would make the page as wide."""
    assert "position: absolute" in rules(".sr-only")[0]
    assert {"overflow-x: auto", "position: relative"} <= {each.strip() for each in rules(".scroller")[0].split(";")}
