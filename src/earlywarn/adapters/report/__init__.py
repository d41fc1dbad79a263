"""report.html: one self-contained page of a run, for readers who have never seen statistics software.

collector (outputs in, bounded) -> history (arrays by series) -> views (what the page says) -> page (HTML).
Nothing here decides anything: every figure comes from the run's own outputs.
"""

from earlywarn.adapters.report.collector import ReportCollector
from earlywarn.adapters.report.page import write_report

__all__ = ["ReportCollector", "write_report"]
