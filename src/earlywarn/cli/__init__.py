"""The command line: `earlywarn demo | run | backtest | score | generate | config check`.

Exit codes: 0 success, 1 bad input (one line per problem on standard error), 2 bad usage.
"""

import os

# One BLAS thread: the matrices are small, and threads would make sums depend on the machine.
# It must be set before numpy is first imported.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def main() -> None:
    """Run the command line; errors become lines and exit codes."""
    from earlywarn.cli.app import run_app  # noqa: PLC0415  # after the environment is set

    run_app()
