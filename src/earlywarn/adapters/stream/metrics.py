"""What every worker tells Prometheus; what it tells as an aggregator or a detector stands apart, and only there.

Names follow Prometheus' conventions; labels come from closed lists, never from records.
"""

from prometheus_client import Gauge

ASSIGNED = Gauge("earlywarn_assigned_partitions", "Partitions that this worker owns now.")
