"""Logs of plain payments of one region, one for each quarter of a day, for tests of what becomes of a whole log."""

import json

from stream_run import Log

PARTITIONS = 2
RUN = f"""
[service]
flush_seconds = 0.1
idle_seconds = 600.0
[[panels]]
id = "CH"
countries = ["CH"]
[topics]
transactions_partitions = {PARTITIONS}
"""
"""Settings of a run of such logs: nothing of it moves but by what comes. More of `[topics]` may follow."""
_DAY_MS = 86_400_000
_START_MS = 1_551_702_896_000


def quarter_days(days: int, partitions: int, region: str = "CH04") -> list[Log]:
    """Return a log for each partition, in the order of time."""
    return [
        [
            json.dumps(
                {
                    "id": f"{partition}-{quarter}", "ts": _START_MS + partition * 1_000 + quarter * _DAY_MS // 4,
                    "amount_minor": 100 + quarter, "currency": "CHF", "mcc": "5411", "region": region, "country": "CH",
                }
            ).encode()
            for quarter in range(4 * days)
        ]
        for partition in range(partitions)
    ]  # fmt: skip
