"""What stands at the head of the page about the input: what figures lack, what is doubtful, what was assumed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from earlywarn.adapters.inference import Assumption
from earlywarn.adapters.run_warnings import silence_warnings
from earlywarn.domain.alert import Alert

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Remarks:
    """The remarks of one kind: those that are shown, and those that are folded in."""

    heading: str
    shown: list[str]
    folded: list[str]


def remarks(summary: Mapping[str, object], alerts: Iterable[Alert], left_out: Collection[str]) -> list[Remarks]:
    """Return the remarks on the input, by kind.

    Args:
        summary: of the run; its warnings of missing data are left out, since the panels' own lines tell of these.
        alerts: latest revisions.
        left_out: those of its warnings that tell of records that figures lack.
    """
    told = set(silence_warnings(alerts))
    warnings = [warning for warning in texts(summary.get("warnings")) if warning not in told]
    kinds = (
        ("Left out of the figures", [each for each in warnings if each in left_out]),
        ("Doubtful in the data", [each for each in warnings if each not in left_out]),
        ("Assumed, since nothing says it", _assumed(summary)),
    )
    return [Remarks(heading, found[:_SHOWN], found[_SHOWN:]) for heading, found in kinds if found]


def texts(found: object) -> list[str]:
    """Return a list of a summary as texts; of another value none."""
    return [str(each) for each in found] if isinstance(found, list | tuple) else []


def _assumed(summary: Mapping[str, object]) -> list[str]:
    """Return what the run took for granted, as sentences; the heading says that it is assumed."""
    found = msgspec.convert(summary.get("assumed") or [], list[Assumption])
    return [each.in_words().removeprefix("assumed: ") for each in found]
