"""Short runs of real services, made by their settings, payments in them, and what runs without an end publish."""

import json
from collections.abc import Callable, Sequence

from stream_run import Log, Published, StreamRun, expected

START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SWITZERLAND = '[[panels]]\nid = "CH"\ncountries = ["CH"]\n'
MakeRun = Callable[[str], StreamRun]


def payment(number: int, hours: float, **other: object) -> bytes:
    """Return a payment in Zurich so many hours after the start, with other fields as said."""
    record = {"id": f"t{number}", "amount_minor": 100, "currency": "CHF", "mcc": "5411", "region": "CH04"}
    return json.dumps(record | {"ts": START_MS + int(hours * HOUR_MS)} | other).encode()


def day_of_payment(value: bytes | None) -> int:
    """Return the day of a record by UTC, as days since the epoch."""
    return int(json.loads(value or b"")["ts"]) // DAY_MS


def folded_open(run: StreamRun, logs: Sequence[Log]) -> Published:
    """Return what one process publishes of the days that a run without an end closes: all but the last."""
    last = max(day_of_payment(value) for log in logs for value in log)
    return expected(run.run, [[value for value in log if day_of_payment(value) < last] for log in logs])[0]
