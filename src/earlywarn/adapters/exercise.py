"""Whether a run is an exercise, of which nothing asks for action, where nobody said: its last day decides."""

from datetime import date
from pathlib import Path

import msgspec

from earlywarn.adapters.inference import Assumption
from earlywarn.domain.alert import Alert

PAST_DAYS = 60
"""A history that ends more than so many days before it is run is past. What is delivered once a month is not."""


def assume_exercise(last_day: date, today: date, past_days: int) -> tuple[bool, Assumption]:
    """Return whether a history is past, with the assumption that says why.

    Args:
        last_day: of the history.
        today: local day on which it is run.
        past_days: it is past if its last day lies more than so many days before.

    >>> assume_exercise(date(2020, 2, 29), date(2020, 5, 1), 60)[1].in_words()
    'assumed: exercise true; the input ends on 2020-02-29, more than 60 days before 2020-05-01 (--no-exercise)'
    """
    past = (today - last_day).days > past_days
    where = "more than" if past else "not more than"
    option = "--no-exercise" if past else "--exercise"
    reason = f"the input ends on {last_day}, {where} {past_days} days before {today} ({option})"
    return past, Assumption("exercise", "true" if past else "false", reason)


def mark_exercise(alerts: Path) -> None:
    """Mark every alert of a file of alerts as one that asks for no action."""
    decode, encode = msgspec.json.Decoder(Alert).decode, msgspec.json.Encoder().encode
    marked = alerts.with_name(f"{alerts.name}.marked")
    with alerts.open("rb") as lines, marked.open("wb") as stream:
        for line in lines:
            stream.write(encode(msgspec.structs.replace(decode(line), exercise=True)) + b"\n")
    marked.replace(alerts)
