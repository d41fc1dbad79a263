"""placeholder"""


def backtest() -> None:
    """X"""


def score() -> None:
    """X"""
