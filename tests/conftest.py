"""What all tests share: one BLAS thread, and how long hypothesis looks (`--hypothesis-profile=thorough`)."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from hypothesis import settings  # noqa: E402  # the environment is set before anything imports numpy

settings.register_profile("default", deadline=None, max_examples=60, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=1_500)
settings.load_profile("default")

pytest_plugins = ["stack_fixtures"]
