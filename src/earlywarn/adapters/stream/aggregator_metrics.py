"""What an aggregator tells Prometheus beside what every worker does."""

from prometheus_client import Counter, Gauge

from earlywarn.domain.reject import RejectReason

RECORDS = Counter(
    "earlywarn_records", "Records of the transactions topic that this worker has read, batched ones counted once."
)
REJECTED = Counter(
    "earlywarn_rejected_transactions", "Transactions sent to the dead letters, by reason (docs/rejects.md).", ["reason"]
)
for _reason in RejectReason:
    REJECTED.labels(_reason.value)  # what is there at 0 is seen to increase by its first event
PARTIALS_SENT = Counter("earlywarn_partials_sent", "Partials sent, one for each partition of the partials.")
BLOCKS_SEALED = Counter("earlywarn_blocks_sealed", "Blocks of offsets that this worker has completed.")
UNACKNOWLEDGED = Gauge(
    "earlywarn_unacknowledged_bytes", "Bytes sent that the brokers have not acknowledged; folding waits at a limit."
)
LOOKED_UP = Gauge(
    "earlywarn_partitions_looked_up", "Partitions that wait until what is published of their open block is known"
)
LOST = Gauge(
    "earlywarn_lost_partitions",
    "Partitions of this worker that retention has taken from it (docs/delivery.md, A lost partition).",
)
