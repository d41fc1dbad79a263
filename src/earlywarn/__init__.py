"""earlywarn: streaming early warning of economic shocks from card transactions."""

import os
from importlib.metadata import version

# One BLAS thread: the matrices are small, and threads would make sums depend on the machine, and ten times slower.
# It holds where numpy is imported after earlywarn; no service or command does otherwise.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

__version__ = version("earlywarn")
