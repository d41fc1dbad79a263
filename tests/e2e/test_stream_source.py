"""`transactions` deleted alone and made anew: no aggregator takes the new log for the one that its run counts."""

import json
import signal

import pytest
from quarter_days import PARTITIONS, RUN, quarter_days
from stream_run import StreamRun, Worker, expected, wait_until
from typer.testing import CliRunner

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.topics import ensure_topics
from earlywarn.cli.app import app
from earlywarn.errors import LogError

BLOCK = 50
SETTINGS = f"{RUN}[fold]\nblock_size = {BLOCK}\n"


OLD, NEW = quarter_days(40, PARTITIONS, "CH04"), quarter_days(60, PARTITIONS, "CH05")


def partials(run: StreamRun) -> list[bytes]:
    return sorted(message.value() for message in run.read(run.topics.partials))


def folded_to(run: StreamRun, last: int) -> bool:
    """Return whether partials of every partition go up to an offset."""
    reached = {each["p"] for each in map(json.loads, partials(run)) if each["last"] == last}
    return len(reached) == PARTITIONS


def delete(run: StreamRun) -> None:
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_topics([run.topics.transactions])
        wait_until(lambda: run.topics.transactions not in admin.list_topics(), 60, "the topic is gone")


def make_anew(run: StreamRun) -> None:
    with kafka_admin(run.settings.kafka) as admin:
        ensure_topics(admin, run.settings)


def refusal(worker: Worker) -> str:
    """Return the one line with which a worker has ended; no traceback stands before it."""
    assert worker.process.wait(60) == 1, worker.text
    assert "Traceback" not in worker.text
    [line] = [each for each in worker.text.splitlines() if "ERROR earlywarn.adapters.stream.lifecycle" in each]
    return line


@pytest.mark.parametrize("suspended", [False, True], ids=["at work", "suspended meanwhile"])
def test_made_anew_under_an_aggregator_at_work(run: StreamRun, *, suspended: bool) -> None:
    """It ends, and what it has read of the new log is nowhere, though that is longer than the old one was.

    One that was suspended meanwhile finds a log that goes on where it had read to: nothing but the id tells.
    """
    aggregator, detector = run.start_ready("aggregator"), run.start_ready("detector")
    run.produce(OLD, stop=100)
    wait_until(lambda: folded_to(run, 99), 30, "the first part is folded")
    run.produce(OLD, start=100)
    wait_until(lambda: folded_to(run, len(OLD[0]) - 1), 30, "the old log is folded")
    before = partials(run)
    wait_until(lambda: detector.metrics()["earlywarn_partials_folded_total"] == len(before), 30, "all is published")
    published = run.published()
    if suspended:
        aggregator.send(signal.SIGSTOP)
    delete(run)
    make_anew(run)
    run.produce(NEW)
    if suspended:
        aggregator.send(signal.SIGCONT)
    assert "was deleted" in refusal(aggregator)
    assert partials(run) == before
    counted, _ = expected(run.run, OLD)
    assert len(published.aggregates) > 100
    assert run.published().aggregates == published.aggregates
    assert published.aggregates.items() <= counted.aggregates.items()
    for line in (refusal(run.start("aggregator")) for _ in range(2)):
        assert f"{run.topics.transactions}: was deleted and made anew (its id is " in line
        assert f"Go on in another run: earlywarn replay FILES --run {run.settings.run}-2 --open, or --from-run " in line
    assert partials(run) == before
    for command in (["verify"], ["dlq", "replay", "--mend", "region=CH04"]):
        refused = CliRunner().invoke(app, command, env=run.environment)
        assert isinstance(refused.exception, LogError)
        assert "was deleted and made anew" in str(refused.exception)


def test_deleted_under_a_silent_aggregator(run: StreamRun) -> None:
    """It has nothing to send, and ends all the same; one that is started later is refused."""
    aggregator = run.start_ready("aggregator")
    run.produce(OLD, stop=10)
    wait_until(lambda: folded_to(run, 9), 30, "it is folded")
    delete(run)
    assert f"{run.topics.transactions}: was deleted; what stands in one made anew" in refusal(aggregator)
    assert f"{run.topics.transactions}: was deleted; what stands in one made anew" in refusal(run.start("aggregator"))
