"""placeholder"""


def backtest() -> None:
    """x"""


def score() -> None:
    """x"""
