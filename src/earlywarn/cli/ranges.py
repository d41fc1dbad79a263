"""Options that take numbers of a range, and days: what is wrong names the option, its value and what is allowed."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import typer

from earlywarn.domain.ranges import Range

COUNTING = Range(1, math.inf)
_METAVARS: dict[type, str] = {int: "<int>", float: "<float>"}


def ranged(
    *names: str,
    allowed: Range,
    help: str,  # noqa: A002  # as typer's own `Option`
    number: type[int | float] = int,
) -> Any:  # noqa: ANN401
    """Return an option whose value, or each of whose values, is a number of a range, which its help says.

    Typer's own ranges have no open ends and take no list, and of what is wrong they name neither value nor range.
    """

    def parsed(given: Any) -> float:  # noqa: ANN401  # text, or the default
        try:
            return number(given)
        except ValueError:
            wanted = "a whole number" if number is int else "a number"
            raise typer.BadParameter(f"{given!r} is not {wanted}; give {allowed}") from None

    def checked(given: Any) -> Any:  # noqa: ANN401  # a number, several, or none
        for value in given if isinstance(given, Sequence) else () if given is None else (given,):
            if value not in allowed:
                raise typer.BadParameter(f"{_typed(value)}: give {allowed}")
        return given

    text = str(allowed)
    return typer.Option(
        *names, help=f"{help} {text[0].upper()}{text[1:]}.", callback=checked, parser=parsed, metavar=_METAVARS[number]
    )


def day(text: str, option: str) -> date:
    """Return a day that an option names; bad usage if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; the form is 2020-02-23", param_hint=option) from error


def _typed(value: float) -> str:
    """Return a number as it was typed, or nearly."""
    return repr(value).removesuffix(".0")
