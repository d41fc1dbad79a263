"""Replaying a history into Kafka: from files or from the recorded topic of another run, exactly once, resumable."""

from earlywarn.adapters.replay.files import FileSource, Window
from earlywarn.adapters.replay.pace import Pace
from earlywarn.adapters.replay.play import Played, Replay, fill, play
from earlywarn.adapters.replay.run_copy import RunSource
from earlywarn.adapters.replay.source import Told
from earlywarn.adapters.replay.standing import Standing

__all__ = ["FileSource", "Pace", "Played", "Replay", "RunSource", "Standing", "Told", "Window", "fill", "play"]
