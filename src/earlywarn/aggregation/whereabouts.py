"""Where a record that cannot be used would have counted, as far as its other fields can be read.

What is rejected was spent all the same: that it is missing must not look like a fall. This is a second look, on the
rare path alone. A time or a region that cannot be read leaves the place untold; without a sector the region is told.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, get_type_hints

import msgspec

from earlywarn.domain.reject import Place, Whereabouts
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS, Transaction

PATH = re.compile(r"`?\$\.(\w+)")
"""Where the decoder names the field that it does not take."""
PLACE_FIELDS = ("ts", "region", "country", "channel", "mcc", "sector", "merchant", "source", "kind", "count")
"""The fields that say where a record counts, and as how many transactions."""
NEEDED = frozenset({"ts", "region"})
"""If one of these is there and cannot be read, the place is not told."""
GOODS = ("sector", "mcc", "merchant")
"""What says what was bought: the first that is there decides. If it cannot be read, nothing does."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NANOSECONDS = re.compile(rb"\.\d{7}")
_BEYOND = re.compile(r"(\.\d{6})\d+")


class _Time(msgspec.Struct, gc=False):
    ts: str


_TIME_DECODER = msgspec.json.Decoder(_Time)

_Read = Callable[[frozenset[str]], Any]


def of_json(value: bytes, unread: str) -> Whereabouts | None:
    """Return where a JSON record would have counted whose field `unread` cannot be read; None if that is not told."""

    def read(spared: frozenset[str]) -> Any:  # noqa: ANN401  # a form made at run time
        record = _decoder(spared).decode(value)
        record.ts = exact_time(value, record.ts)
        return record

    return _whereabouts(read, frozenset({unread}))


def of_values(values: Mapping[str, object], unread: frozenset[str]) -> Whereabouts | None:
    """Return the same of a record's fields, of which some were `unread` before."""
    return _whereabouts(lambda spared: msgspec.convert(values, _form(spared)), unread)


def epoch_ms(moment: int | datetime) -> int | None:
    """Return a time as epoch milliseconds, rounded down; None if it has no offset or lies outside 1990 to 2100."""
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            return None
        moment = (moment - _EPOCH) // _MILLISECOND
    return moment if EARLIEST_MS <= moment < LATEST_MS else None


def exact_time(value: bytes, moment: int | datetime) -> int | datetime:
    """Return the time of a JSON record as it stands there, cut to microseconds: the decoder rounds it to them.

    The last nanosecond of a day would lie in the next one.
    """
    if isinstance(moment, int) or not _NANOSECONDS.search(value):
        return moment
    try:
        text: str = _TIME_DECODER.decode(value).ts
        return msgspec.convert(_BEYOND.sub(r"\1", text), datetime)
    except msgspec.ValidationError:  # a record that says `ts` twice; the last one counts
        return moment


def _whereabouts(read: _Read, unread: frozenset[str]) -> Whereabouts | None:
    spared = unread & frozenset(PLACE_FIELDS)
    while not spared & NEEDED:
        try:
            return _told(read(spared), spared)
        except msgspec.ValidationError as error:
            found = PATH.search(str(error))
            if found is None or found[1] in spared:
                return None
            spared |= {found[1]}
        except ValueError:
            return None
    return None


def _told(record: Any, spared: frozenset[str]) -> Whereabouts | None:  # noqa: ANN401  # a form made at run time
    """Return the whereabouts that a record tells, None if its place hangs on what cannot be read."""
    ts = epoch_ms(record.ts)
    fields = {name: getattr(record, name, None) or None for name in Place._fields[:-1]}
    first = next((name for name in GOODS if name in spared or (fields[name] or "").strip()), None)
    if first in spared:
        fields |= dict.fromkeys(GOODS)
    is_refund = getattr(record, "kind", "purchase") != "purchase"  # which adds no transaction
    if ts is None or is_refund:
        return None
    return Whereabouts(
        ts=ts,
        place=Place(**fields, any_channel="channel" in spared),
        count=getattr(record, "count", 1),
        source=getattr(record, "source", None) or None,
    )


@lru_cache(256)
def _form(spared: frozenset[str]) -> type[msgspec.Struct]:
    """Return a struct of the fields that say where a record counts, but for some."""
    kinds = get_type_hints(Transaction, include_extras=True) | {"ts": int | datetime}
    named: list[Any] = [("ts", kinds["ts"])]
    named += [
        (name, kinds[name], 1 if name == "count" else "purchase" if name == "kind" else None)
        for name in PLACE_FIELDS[1:]
        if name not in spared
    ]
    return msgspec.defstruct("Whereabouts", named, gc=False)


@lru_cache(256)
def _decoder(spared: frozenset[str]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_form(spared))
