"""Options that take numbers of a range, and days: what is wrong names the option, its value and what is allowed."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import typer

from earlywarn.domain.ranges import Range

COUNTING = Range(1, math.inf)


def ranged(*names: str, allowed: Range, help: str) -> Any:  # noqa: A002, ANN401  # as typer's own `Option`
    """Return an option whose value, or each of whose values, lies in a range, which its help says.

    Typer's own ranges have no open ends and take no list, and of what is wrong they name neither value nor range.
    """

    def checked(given: Any) -> Any:  # noqa: ANN401  # a number, several, or none
        for value in given if isinstance(given, Sequence) else () if given is None else (given,):
            if value not in allowed:
                raise typer.BadParameter(f"{_typed(value)}: give {allowed}")
        return given

    text = str(allowed)
    return typer.Option(*names, help=f"{help} {text[0].upper()}{text[1:]}.", callback=checked)


def day(text: str, option: str) -> date:
    """Return a day that an option names; bad usage if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; the form is 2020-02-23", param_hint=option) from error


def _typed(value: float) -> str:
    """Return a number as it was typed, or nearly."""
    return repr(value).removesuffix(".0")
