"""What is published does not depend on the machine: OpenBLAS sums in another order for every type of core."""

import os
import subprocess
import sys
from pathlib import Path

from command_line import PANEL, SAMPLE

CORE_TYPES = ("Haswell", "Prescott", "Nehalem", "ARMV8", "NEOVERSEN1", "CORTEXA57", "VORTEX", "POWER8", "POWER9")
"""Names of OPENBLAS_CORETYPE, from several families of processors; what a build does not know it leaves aside."""
ASK = "import numpy, threadpoolctl; print(*{each.get('architecture') for each in threadpoolctl.threadpool_info()})"
PUBLISHED = ("alerts.jsonl", "aggregates.parquet")


def environment(core_type: str) -> dict[str, str]:
    return {**os.environ, "OPENBLAS_CORETYPE": core_type, "OPENBLAS_NUM_THREADS": "1"}


def kernels() -> dict[str, str]:
    """Return core types by the kernels that they bring here, one for each: a type may fall back to another's."""
    found: dict[str, str] = {}
    for core_type in CORE_TYPES:
        asked = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", ASK], env=environment(core_type), capture_output=True, text=True, check=True
        )
        found.setdefault(asked.stdout.strip(), core_type)
    return found


def test_the_same_bytes_whatever_the_type_of_core(swiss_run: Path, tmp_path: Path) -> None:
    """Aggregates and alerts of the Swiss sample, under two types that are named and the machine's own."""
    chosen = list(kernels().values())[:2]
    assert len(chosen) == 2, "OpenBLAS has but one kernel here: name further types of this family of processors"
    for core_type in chosen:
        out = tmp_path / core_type
        finished = subprocess.run(  # noqa: S603  # our own program
            [
                sys.executable, "-m", "earlywarn", "run", SAMPLE, "--config", PANEL, "--mapping", "swiss-cards",
                "--out", out,
            ],
            env=environment(core_type), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        for name in PUBLISHED:
            assert (out / name).read_bytes() == (swiss_run / name).read_bytes(), f"{name} under {core_type}"
    assert (swiss_run / "alerts.jsonl").stat().st_size
