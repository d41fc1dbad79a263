"""State that is nothing but named arrays: how an estimator gives it out, takes it over, and lays series out anew.

Example:
    >>> class Level(SeriesArrays):
    ...     arrays = ("mean",)
    ...     def _allocate(self, size):
    ...         self.mean = np.zeros(size)
    >>> level = Level()
    >>> level.restore({"mean": np.array([1.0, 2.0])})
    >>> level.embed(np.array([0, 2]), 3)
    >>> level.state()["mean"].tolist()
    [1.0, 0.0, 2.0]
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np  # noqa: F401  # for the example

from earlywarn.detection.day_scores import Integers


class LearnedArrays:
    """An estimator whose state is the attributes named by `arrays`."""

    arrays: ClassVar[tuple[str, ...]]

    def state(self) -> dict[str, Any]:
        """Return what was learned as arrays."""
        return {name: getattr(self, name).copy() for name in self.arrays}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same layout (series, tree, window)."""
        for name in self.arrays:
            setattr(self, name, state[name].copy())


class SeriesArrays(LearnedArrays, ABC):
    """The same, each array with one entry for each of M series."""

    @abstractmethod
    def _allocate(self, size: int) -> None:
        """Let `size` series start afresh."""

    def embed(self, places: Integers, size: int) -> None:
        """Lay the series out anew: old series i stands at `places[i]` of `size`; the others start afresh."""
        old = self.state()
        self._allocate(size)
        for name in self.arrays:
            getattr(self, name)[places] = old[name]
