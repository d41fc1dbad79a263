"""Another configuration for a run of real services: `earlywarn topics change`, with detectors that die around it."""

from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from command_line import Command
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import PARTITIONS, SETTINGS, STEPS, Scenario
from stream_run import StreamRun, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.recount import verify_run
from earlywarn.adapters.kafka.topic_identity import topic_identity
from earlywarn.adapters.kafka.transactions import FencedError
from earlywarn.adapters.kafka.wire import decode_change, decode_partial, encode_alert, is_change
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.detector import LogFold, Progress
from earlywarn.application.settings import load
from earlywarn.domain.alert import Alert


def test_a_run_goes_on_under_another_configuration(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path, earlywarn: Command
) -> None:
    """Buckets and alerts are published once each; what is published equals a fold of the log as it stands."""
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as run:
        scenario = Scenario(run)
        aggregator, detector = run.start("aggregator"), run.start("detector")
        later = tmp_path / "later.toml"
        alarm = run.settings.alerts.alarm_evidence * 1.3
        text = (tmp_path / "run.toml").read_text()
        text = text.replace("[kafka]", f'[alerts]\nalarm_evidence = {alarm}\n[kafka]\nbrokers = "{kafka.address}"')
        later.write_text(text)
        environment = {"EARLYWARN_CONFIG": str(later)}

        def change(step: int) -> None:
            nonlocal aggregator, detector
            if step == STEPS // 2:
                wait_until(lambda: len(run.published().alerts) > 0, 60, "the first alerts")
                finished = earlywarn("topics", "change", "--config", later)
                assert finished.returncode == 0, finished.stderr
                assert "(change 1)" in finished.stdout
                refused = earlywarn("topics", "change", "--config", tmp_path / "smaller.toml")
                assert refused.returncode == 1
                assert "fold.block_size" in refused.stderr
                for worker in (aggregator, detector):
                    worker.kill()
                run.start("detector", **environment).kill()
                aggregator = run.start("aggregator", **environment)
                detector = run.start_ready("detector", **environment)
            elif step == STEPS // 2 + 2:
                detector.kill()
                detector = run.start("detector", **environment)

        (tmp_path / "smaller.toml").write_text(text.replace("block_size = 100", "block_size = 50"))
        longest = max(len(log) for log in scenario.input.logs)
        for at in range(STEPS):
            run.produce(scenario.input.logs, start=at * longest // STEPS, stop=(at + 1) * longest // STEPS)
            change(at)
        run.end(PARTITIONS)
        wait_until(lambda: run.published().essence == scenario.expected.essence, 90, "all buckets")
        found = run.published()
        assert found.repeated == []
        new = compose(load(later, run.environment | environment))
        assert verify_run(new).equal

        after = refolded(run, new)
        hashes = {key: msgspec.json.decode(value)["config_hash"] for key, value in found.alerts.items()}
        assert {key: value for key, value in found.alerts.items() if key in after} == after
        assert {key for key, each in hashes.items() if each == new.fingerprint} <= after.keys()
        assert all(hashes[key] == run.run.fingerprint for key in found.alerts.keys() - after.keys())


def test_a_change_waits_for_what_is_published_in_part(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path, earlywarn: Command
) -> None:
    """The refusal says what to do, fences nobody off, and the same command does it when the partial is at its end."""
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        later = tmp_path / "later.toml"
        text = (tmp_path / "run.toml").read_text()
        later.write_text(
            text.replace("[kafka]", f'[alerts]\nalarm_evidence = 20\n[kafka]\nbrokers = "{kafka.address}"')
        )
        group = f"{run.topics.prefix}{run.topics.run}.detector.published"
        log = topic_identity(run.settings.kafka, run.topics.partials)
        publisher = Publisher(confluent_connection(run.settings.kafka), group, run.topics.partials, 0, log)
        try:
            publisher.open()
            publisher.publish([(run.topics.aggregates, (b"key", b"{}"))], Progress(7, outputs=3))
            refused = earlywarn("topics", "change", "--config", later)
            assert refused.returncode == 1
            told = (
                f"{run.topics.partials}-0: what offset 7 makes publishable is published in part (the first 3 outputs)"
            )
            assert told in refused.stderr
            assert "under the old settings, then try again" in refused.stderr
            publisher.publish([(run.topics.aggregates, (b"other", b"{}"))], Progress(8))
            finished = earlywarn("topics", "change", "--config", later)
            assert finished.returncode == 0, finished.stderr
            with pytest.raises(FencedError):
                publisher.publish([(run.topics.aggregates, (b"late", b"{}"))], Progress(9))
        finally:
            publisher.close()


def refolded(run: StreamRun, new: Run) -> dict[str, bytes]:
    """Return the alerts that a fold of the log under the new configuration publishes from its control record on."""
    log = list(run.read(run.topics.partials))
    changed_at = next(message.offset() for message in log if is_change(message.headers()))
    fold = LogFold(compose_fold(new, PARTITIONS, change=1), position=0, published=Progress(changed_at))
    found: dict[str, bytes] = {}
    for message in log:
        if is_change(message.headers()):
            outputs = fold.change(message.offset(), decode_change(message.value(), ""))
        else:
            outputs = fold.take(message.offset(), decode_partial(message.value(), ""))
        for each in outputs:
            if isinstance(each, Alert):
                key, value = encode_alert(each)
                found[key.decode()] = value
    return found
