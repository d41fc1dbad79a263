"""earlywarn: streaming early warning of economic shocks from card transactions."""

import os

# One BLAS thread: the matrices are small, and threads would make sums depend on the machine, and ten times slower.
# It holds where numpy is imported after earlywarn; no service or command does otherwise.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def __getattr__(name: str) -> str:
    """Return `__version__`, looked up when it is asked for: finding it takes longer than all else here."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415  # as said

    return version("earlywarn")
