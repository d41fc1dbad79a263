"""What `make up` tells of a part that has ended: the reason, and not the stack around it."""

import os
from pathlib import Path

from detached_process import DetachedProcess
from stream_run import wait_until

SCRIPT = r"""
echo 'java.io.IOException: No space left on device'
for number in $(seq 200); do printf '\tat org.apache.kafka.Somewhere(Somewhere.java:%d)\n' $number; done
echo 'Exiting Kafka due to fatal exception'
"""


def test_a_full_disk_is_told_first_and_stacks_are_left_out(tmp_path: Path) -> None:
    process = DetachedProcess("broker", tmp_path)
    process.start(["/bin/sh", "-c", SCRIPT], environment=dict(os.environ))
    wait_until(lambda: not process.running, 10, "it has ended")
    assert process.last_words().splitlines() == [
        f"No space left on device: make room on the disk of {tmp_path}",
        f"the end of {tmp_path / 'broker.out'}:",
        "java.io.IOException: No space left on device",
        "Exiting Kafka due to fatal exception",
    ]
