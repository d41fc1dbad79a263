"""What docs/operations/local-stack.md gives to read a topic of a run with a plain client, run as it stands there."""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from kafka_broker import KafkaBroker
from plain_topics import make_topic, producer

from earlywarn.application.service_settings import KafkaSettings

PAGE = Path(__file__).resolve().parents[2] / "docs/operations/local-stack.md"


def test_a_topic_is_read_with_a_plain_client(kafka: KafkaBroker) -> None:
    """What a transaction took back is not among what is printed."""
    settings = KafkaSettings(brokers=kafka.address)
    topic = make_topic(settings)
    sender = producer(settings, uuid4().hex)
    sender.produce(topic, b"taken back", b"a:1")
    sender.flush(30)
    sender.abort_transaction(30)
    sender.begin_transaction()
    sender.produce(topic, b'{"kind":"economic"}', b"a:2")
    sender.commit_transaction(30)
    program = PAGE.read_text(encoding="utf-8").partition("python - <<'END'\n")[2].partition("END\n")[0]
    for written, here in (("localhost:9092", kafka.address), ("earlywarn.live.alerts", topic)):
        assert written in program
        program = program.replace(written, here)
    read = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    partition, _, key, value = read.stdout.rstrip("\n").split("\t")
    assert (partition, key, value) == ("0", "a:2", '{"kind":"economic"}')
