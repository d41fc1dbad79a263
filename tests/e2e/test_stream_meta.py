"""The topic of the manifest deleted under workers: they end, and no other settings go on with what the run has."""

import json

from quarter_days import PARTITIONS, RUN, quarter_days
from stream_run import StreamRun, Worker, wait_until
from typer.testing import CliRunner, Result

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.manifest import read_manifest
from earlywarn.cli.app import app

SETTINGS = RUN


def command(run: StreamRun, *words: str, **environment: str) -> Result:
    return CliRunner().invoke(app, [*words], env=run.environment | environment)


def refusal(worker: Worker) -> str:
    """Return the one line with which a worker ends; no traceback stands before it."""
    assert worker.process.wait(15) == 1, worker.text
    assert "Traceback" not in worker.text
    [line] = [each for each in worker.text.splitlines() if "ERROR earlywarn.adapters.stream.lifecycle" in each]
    return line


def counted(run: StreamRun) -> bool:
    """Return whether all that stands in the transactions is found in the aggregates, or in buckets that are open."""
    found = command(run, "verify", "--json")
    return found.exit_code == 0 and json.loads(found.stdout)["found"] == 0


def test_a_manifest_that_is_gone_ends_the_workers_and_comes_back_with_the_settings_of_the_run_alone(
    run: StreamRun,
) -> None:
    logs, name = quarter_days(30, PARTITIONS), run.run.settings.run
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    half = len(logs[0]) // 2
    run.produce(logs, stop=half)
    wait_until(lambda: len(run.published().aggregates) > 100, 60, "days are closed")
    before = read_manifest(run.settings)
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_topics([run.topics.meta])
    run.produce(logs, start=half, stop=half + 4)
    for line in map(refusal, workers):
        assert f"{run.topics.meta}: was deleted; with it is gone what all workers of run {name!r} agree on" in line
        assert f"earlywarn topics create --run {name} --remake-manifest" in line
    other = {"EARLYWARN_FOLD__LATENESS_SECONDS": "60"}
    for words, environment in (((), other), ((), {}), (("--remake-manifest",), other)):
        refused = command(run, "topics", "create", *words, **environment)
        assert refused.exit_code == 1
        assert read_manifest(run.settings) is None
        with kafka_admin(run.settings.kafka) as admin:
            assert run.topics.meta not in admin.list_topics()
    remade = command(run, "topics", "create", "--remake-manifest")
    assert f"{run.topics.meta}: created" in remade.stdout, remade
    assert "note: " not in remade.stdout
    assert read_manifest(run.settings) == before
    run.start_ready("aggregator")
    run.start_ready("detector")
    run.produce(logs, start=half + 4)
    days = len(run.published().aggregates)
    wait_until(lambda: len(run.published().aggregates) > days, 60, "further days are closed")
    wait_until(lambda: counted(run), 30, "the run verifies")
    assert run.published().repeated == []
