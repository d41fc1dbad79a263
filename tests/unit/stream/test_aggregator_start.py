"""What a starting aggregator loads: none of what only models need; and what ends it meanwhile."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stream_run import wait_until

REPOSITORY = Path(__file__).parents[3]
# The service is read and its parts are used as it uses them, up to where a broker would be asked.
PROGRAM = """
import json, runpy, sys
from earlywarn.adapters.arrow_batch import encode
from earlywarn.adapters.stream import lifecycle
from earlywarn.aggregation.intake import decode

started = []
lifecycle.run = started.append
service = runpy.run_path("services/aggregator")
_, ready = service["compose_from"](None, {"EARLYWARN_PANELS": '[{id = "CH", countries = ["CH"]}]'})
record = json.dumps({
    "id": "t1", "ts": 1551702896000, "amount_minor": 1234, "currency": "CHF", "mcc": "5411", "region": "CH04"
}).encode()
block = ready.block_fold(0, 1)
block.add([0], decode([record]), 1551702900000)
columns = service["arrow_batch"].decode(encode(decode([record]))).columns
block.add_columns(1, columns, 1551702900000)
[row] = block.flush().rows
print(json.dumps({"mains": len(started), "transactions": row.transactions, "modules": sorted(sys.modules)}))
"""


def test_an_aggregator_loads_no_estimators() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["mains"], found["transactions"]) == (1, 2)
    modules = set(found["modules"])
    assert {"faust", "earlywarn.adapters.stream.aggregator_service"} <= modules
    assert modules.isdisjoint({"river", "sklearn", "scipy", "pandas", "earlywarn.detection.panel_detector"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("service", ["aggregator", "detector"])
def test_a_worker_that_is_told_to_stop_while_modules_are_loaded_ends_in_order(service: str, number: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = [sys.executable, REPOSITORY / "services" / service]
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE) as process:  # noqa: S603  # our own program
        wait_until(lambda: "numpy" in Path(f"/proc/{process.pid}/maps").read_text(), 30, "modules are being loaded")
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert not process.stderr.read()
