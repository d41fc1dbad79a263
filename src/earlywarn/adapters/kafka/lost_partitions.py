"""Which source partitions are lost: what is sent there stands in the log, and nobody counts it (docs/delivery.md)."""

from earlywarn.adapters.kafka.published_blocks import read_published
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.settings import Settings


class LostPartitions:
    """Asks of one partition after the other; each is looked up once.

    Args:
        settings: of the run, with the block size of its manifest.
    """

    def __init__(self, settings: Settings) -> None:
        self._kafka = settings.kafka
        self._topics = RunTopics(settings.run, settings.topics.prefix)
        self._block_size = settings.fold.block_size
        self._known: dict[int, bool] = {}

    def __call__(self, partition: int) -> bool:
        """Return whether an aggregator has said that a partition is lost.

        Raises:
            ConfigError: `transactions` or `partials` cannot be read.
            LogError: the partials hold what is none.
        """
        if partition not in self._known:
            self._known[partition] = self._is_lost(partition)
        return self._known[partition]

    def _is_lost(self, partition: int) -> bool:
        scan = TopicScan(self._kafka, self._topics.transactions)
        scan.close()
        begins = scan.extents[partition].low if partition in scan.extents else 0
        if not begins:
            return False  # nothing was removed
        found = read_published(self._kafka, self._topics.partials, self._block_size, {partition: begins})
        sent = found[partition].sent if partition in found else None
        return sent is not None and sent.lost is not None
