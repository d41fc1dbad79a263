"""What Prometheus can see increase must be there before its first event."""

from prometheus_client import REGISTRY

from earlywarn.adapters.stream import aggregator_metrics, detector_metrics
from earlywarn.domain.reject import RejectReason


def labels(name: str) -> set[str]:
    found = (each for metric in REGISTRY.collect() for each in metric.samples if each.name == name)
    return {value for each in found for value in each.labels.values()}


def test_every_label_of_a_closed_list_is_there_from_the_start() -> None:
    assert aggregator_metrics.REJECTED is not detector_metrics.SNAPSHOTS
    assert labels("earlywarn_rejected_transactions_total") == {each.value for each in RejectReason}
    assert labels("earlywarn_snapshots_total") == {"kept", "failed", "refused"}
