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
