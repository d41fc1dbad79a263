"""The track record as it is written: figures with their n and errors, and what they were measured on.

Nothing in it depends on the day or the machine but `cost`, which no comparison looks at.
"""

from typing import Literal

import msgspec

from track_record.ablation import Difference
from track_record.contestants import PRODUCT
from track_record.measured import Point, Share

Better = Literal["higher", "lower"]


class Figure(msgspec.Struct, frozen=True):
    """A figure of the product that later versions are held against.

    Attributes:
        value: a share, or false episodes a year.
        standard_error: in the same unit; never 0.
        better: in which direction it improves.
    """

    value: float
    standard_error: float
    better: Better


class Basis(msgspec.Struct, frozen=True):
    """What the figures were measured on; those of another basis cannot be compared.

    Attributes:
        sample_sha256: of the sample's file.
        first_day, last_day, second_half_from: local days; the warm-up of `warm_up_days` comes first.
        cells: K.
        seeds, starts_of_cells, starts_of_groups: so many starts for each seed of each target.
    """

    sample_sha256: str
    first_day: str
    last_day: str
    second_half_from: str
    warm_up_days: int
    cells: int
    seeds: tuple[int, ...]
    starts_of_cells: int
    starts_of_groups: int


class Part(msgspec.Struct, frozen=True):
    """The product without a part: at its own threshold, and against the whole product on the same starts."""

    part: str
    rate: str
    threshold: float
    shares: dict[str, Share]
    differences: dict[str, Difference]


class Cost(msgspec.Struct, frozen=True):
    """CPU time of one contestant's untouched run, one process (milliseconds a cell and day)."""

    contestant: str
    ms_per_cell_day: float


class Record(msgspec.Struct, frozen=True):
    """The track record.

    Attributes:
        model_version, config_hash: of the product.
        basis: what it was measured on.
        points: all contestants at all operating points.
        ablation: the product without its parts.
        best: by name, the best value since the last acceptance that each figure is held against.
        cost: depends on the machine.
    """

    model_version: str
    config_hash: str
    basis: Basis
    points: tuple[Point, ...]
    ablation: tuple[Part, ...] = ()
    best: dict[str, Figure] = {}
    cost: tuple[Cost, ...] = ()


def figures(record: Record) -> dict[str, Figure]:
    """Return the product's figures that may not get worse: out of sample, each with its error.

    These are the points whose threshold the first half chose: shares that alarmed, and false episodes of the second
    half.
    """
    found = {}
    for point in record.points:
        if point.contestant != PRODUCT or point.chosen != "first half":
            continue
        false = point.false_second_half
        found[f"{point.rate}: false episodes a year, second half"] = Figure(
            false.per_year, false.standard_error, "lower"
        )
        for detection in point.detections:
            for days, share in detection.within.items():
                name = f"{point.rate}: {detection.shock}, within {days} days"
                found[name] = Figure(share.share, round(error_of(share), 4), "higher")
    return found


def error_of(share: Share) -> float:
    """Return the error of a share, at least the binomial one with one success and one failure added.

    Where all or none alarmed the clustered error is 0, which no share of a finite number of trials has.

    >>> round(error_of(Share(1.0, 0.0, 98)), 4)
    0.0101
    """
    smoothed = (share.share * share.trials + 1) / (share.trials + 2)
    return float(max(share.standard_error, (smoothed * (1 - smoothed) / max(share.trials, 1)) ** 0.5))


def encoded(record: Record) -> bytes:
    """Return it as JSON that a person can read and a program compares."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def decoded(data: bytes) -> Record:
    """Return a record that was written.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.json.decode(data, type=Record)
