"""Short runs of real services, made by their settings, and payments in their first hours."""

import json
from collections.abc import Callable

from stream_run import StreamRun

START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000
SWITZERLAND = '[[panels]]\nid = "CH"\ncountries = ["CH"]\n'
MakeRun = Callable[[str], StreamRun]


def payment(number: int, hours: float, **other: object) -> bytes:
    """Return a payment in Zurich so many hours after the start, with other fields as said."""
    record = {"id": f"t{number}", "amount_minor": 100, "currency": "CHF", "mcc": "5411", "region": "CH04"}
    return json.dumps(record | {"ts": START_MS + int(hours * HOUR_MS)} | other).encode()
