"""Whether a run that is to be filled with a history (`replay --open`) has not begun yet."""

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError


def check_not_begun(kafka: KafkaSettings, topics: RunTopics, *, resumed: bool = False) -> None:
    """See that nothing stands in a run's log, that none of its workers has said anything, and that none runs.

    Where a filling is resumed, records of its own may stand there.

    Raises:
        ConfigError: something does, or this user may not ask.
    """
    delete = f"stop its workers and delete it (earlywarn topics delete --run {topics.run}), or give another run (--run)"
    said = [(topics.transactions, "records stand there"), (topics.partials, "its workers have begun")]
    for topic, what in said[1:] if resumed else said:
        scan = TopicScan(kafka, topic)
        begun = any(extent.high for extent in scan.extents.values())
        scan.close()
        if begun:
            raise ConfigError(
                f"{topic}: {what} already: history would come in behind what is there, all of it late; {delete}"
            )
    group = f"{topics.prefix}{topics.run}.aggregator"
    if members := _members(kafka, group):
        raise ConfigError(
            f"run {topics.run!r}: {members} of its aggregators run (group {group}): what is not written yet would be "
            "idle to them; stop them, and start them when this has ended"
        )


def _members(kafka: KafkaSettings, group: str) -> int:
    """Return how many workers a group has."""
    with kafka_admin(kafka) as admin:
        return len(admin.describe_groups([group])[group]["members"])
