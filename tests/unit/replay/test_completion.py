"""What a replay says while it waits until all is folded, and nothing moves."""

import logging
from typing import cast

import pytest

from earlywarn.adapters.replay import completion
from earlywarn.adapters.replay.completion import Completion, wait_until_folded


class Standing:
    """Stands still, and is complete when it is asked for the third time."""

    def __init__(self) -> None:
        self.asked = 0

    def progress(self) -> tuple[int, int]:
        return 3, 12

    def reached(self) -> bool:
        self.asked += 1
        return self.asked == 3

    def waits_for(self) -> str:
        return "the work of aggregators"


@pytest.mark.parametrize(("seconds", "lines"), [(-1.0, 2), (60.0, 0)])
def test_what_is_waited_for_is_said_when_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seconds: float, lines: int
) -> None:
    monkeypatch.setattr(completion, "_STILL_SECONDS", seconds)
    with caplog.at_level(logging.WARNING):
        wait_until_folded(cast("Completion", Standing()), lambda: None, lambda _done, _all: None)
    assert caplog.messages == ["3 of 12 offsets are folded; the work of aggregators"] * lines
