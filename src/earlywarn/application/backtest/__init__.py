"""The track record: steps injected into history, and how soon the product's own detector and desk see them."""

from earlywarn.application.backtest.history import History, collect_history
from earlywarn.application.backtest.plan import CHANGE_PCT, BacktestPlan
from earlywarn.application.backtest.result import (
    BacktestResult,
    Detection,
    FalseAlarms,
    OperatingPoint,
    PanelBacktest,
    Rate,
    Within,
)
from earlywarn.application.backtest.run import run_backtest

__all__ = [
    "CHANGE_PCT",
    "BacktestPlan",
    "BacktestResult",
    "Detection",
    "FalseAlarms",
    "History",
    "OperatingPoint",
    "PanelBacktest",
    "Rate",
    "Within",
    "collect_history",
    "run_backtest",
]
