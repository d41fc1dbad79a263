"""The command line: `earlywarn demo | run | backtest | score | generate | config check | topics create ...`.

Exit codes: 0 success, 1 bad input (one line per problem on standard error), 2 bad usage.
"""


def main() -> None:
    """Run the command line; errors become lines and exit codes."""
    from earlywarn.cli.app import run_app  # noqa: PLC0415  # importing the package costs nothing until it is used

    run_app()
