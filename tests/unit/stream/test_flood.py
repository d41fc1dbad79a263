"""What an aggregator tells of a flood of rejects: soon, then seldom; and nothing of the few that there always are."""

from earlywarn.adapters.stream.flood import Flood


def garbage(flood: Flood, rejected: int, judged: int, reason: str = "not_json") -> None:
    flood.judge(judged)
    for _ in range(rejected):
        flood.reject(reason)


def test_a_flood_is_told_within_seconds_with_its_number_and_leading_reason() -> None:
    flood = Flood(100.0)
    garbage(flood, 200, 1_000)
    garbage(flood, 20, 500, "mcc_invalid")
    assert not flood.told(104.9)
    assert flood.told(105.0).startswith(
        "220 of 1,500 transactions of the last 5 s were rejected, 200 of them as not_json;"
    )


def test_it_is_told_once_a_minute() -> None:
    flood = Flood(0.0)
    told = []
    for second in range(1, 200):
        garbage(flood, 100, 100)
        told += [text for text in [flood.told(second)] if text]
    assert [text.partition(" transactions")[0] for text in told] == [
        "500 of 500", "6,000 of 6,000", "6,000 of 6,000", "6,000 of 6,000",
    ]  # fmt: skip


def test_the_few_that_there_always_are_are_not_told() -> None:
    flood = Flood(0.0)
    for second in range(1, 200):
        garbage(flood, 9, 100)
        assert not flood.told(second)


def test_after_a_minute_without_it_a_new_flood_is_told_at_once() -> None:
    flood = Flood(0.0)
    garbage(flood, 50, 50)
    assert flood.told(5)
    flood.judge(1_000)
    assert not flood.told(65)
    garbage(flood, 60, 60)
    assert flood.told(70)


def test_what_an_earlier_worker_may_have_told_is_no_news_of_the_last_seconds() -> None:
    """After a start or a rebalance the open block is read again, with its rejects."""
    flood = Flood(0.0)
    flood.judge(30, again=True)
    flood.judge(100)
    for _ in range(20):
        flood.reject("not_json", again=True)
    assert flood.told(5).startswith(
        "20 of 30 transactions that stood in open blocks when this worker took its partition"
    )
    garbage(flood, 12, 20)
    assert flood.told(65).startswith("12 of 20 transactions of the last 60 s were rejected")


def test_each_record_behind_the_end_of_a_replay_is_told() -> None:
    flood = Flood(0.0)
    garbage(flood, 1, 1_000, "after_end")
    assert flood.told(5).startswith("1 transactions of the last 5 s came in after the end of this replay, whose log")


def test_what_comes_behind_an_end_is_told_beside_a_flood() -> None:
    flood = Flood(0.0)
    flood.judge(100)
    for _ in range(50):
        flood.reject("not_json")
        flood.reject("after_end", again=True)
    told = flood.told(10.0)
    assert "50 of them as not_json" in told
    assert "50 transactions that stood in open blocks" in told
