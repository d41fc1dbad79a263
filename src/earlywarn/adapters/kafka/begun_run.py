"""Whether a run without a manifest has begun already: then it had one, or needs that of whoever makes it with care.

A first manifest fits whatever stands in the topics only while nothing is counted there. Written over a run that has
counted, one of other settings would let its workers count on in another way, and nothing would say so. Transactions
may have been sent before there was a manifest; not by a replay, which would send them a second time.
"""

from earlywarn.adapters.kafka.run_topics import LogKind, RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError


def begun_logs(kafka: KafkaSettings, topics: RunTopics) -> list[LogKind]:
    """Return those of a run's logs in which anything stands, or has stood.

    Raises:
        ConfigError: one may not be asked after; NoAnswerError: no broker answers.
    """
    found = []
    for kind in topics.log_kinds:
        scan = TopicScan(kafka, topics.of(kind), may_be_missing=True)
        scan.close()
        if any(extent.high for extent in scan.extents.values()):
            found.append(kind)
    return found


def refuse_begun(kafka: KafkaSettings, topics: RunTopics, *, replay: bool) -> None:
    """See that a run without a manifest has not begun; a `replay` can always be made anew.

    Raises:
        LogError: something stands in its logs.
        ConfigError: as `begun_logs`.
    """
    begun = [kind for kind in begun_logs(kafka, topics) if replay or kind != "transactions"]
    if not begun:
        return
    run, places = topics.run, ", ".join(map(topics.of, begun))
    way = (
        replayed_anew(run)
        if replay
        else (
            "If the settings that you give are those that the run has had: earlywarn topics create --run "
            f"{run} --remake-manifest (docs/operations/topics.md, When meta was deleted). If it was a replay: "
            f"earlywarn topics delete --run {run}, and replay again"
        )
    )
    raise LogError(
        f"{topics.meta}: run {run!r} has no manifest, and records stand in {places}: meta was deleted. Under other "
        f"settings than those of the run its workers would mix two counts. {way}"
    )


def replayed_anew(run: str) -> str:
    """Return the way out for a replay whose topic `.meta` is gone."""
    return (
        "A replay keeps in meta how far it has come as well, and would send all of its input a second time: delete "
        f"it and replay again: earlywarn topics delete --run {run}; then earlywarn rebuild-redis --run {run}"
    )
