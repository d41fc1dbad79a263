"""Why a record was not accepted: a closed list, so that every reason can be counted and mended."""

from enum import StrEnum
from typing import ClassVar, NamedTuple

import msgspec

from earlywarn.domain.cell import Cell


class RejectReason(StrEnum):
    """The closed enumeration of reasons; the value is the name in files, topics and metrics."""

    NULL_VALUE = "null_value"
    """The record has no value at all."""
    TOO_LARGE = "too_large"
    """The record's bytes exceed `limits.record_bytes`, or those of a batched record 8 MiB."""
    NOT_JSON = "not_json"
    """The bytes are not one JSON document in UTF-8 (NaN and Infinity are none), nested at most 200 deep."""
    NOT_AN_OBJECT = "not_an_object"
    """JSON, but not an object."""
    CONTROL_MARK = "control_mark"
    """A control mark that this run does not obey: a replay's in a run that is none, or an unknown one."""
    AFTER_END = "after_end"
    """It came in after the end mark of a replay, whose log is closed; what `dlq replay` re-enters is let in."""
    NOT_ARROW = "not_arrow"
    """The bytes of a batched record are not one Arrow IPC stream of at most 100,000 transactions."""
    MISSING_FIELD = "missing_field"
    """A required field is absent or null."""
    WRONG_TYPE = "wrong_type"
    """A field has another JSON type than the schema asks for."""
    VERSION_UNKNOWN = "version_unknown"
    """The schema version `v` is not one this build reads."""
    ID_INVALID = "id_invalid"
    """The id is empty or longer than 128 characters."""
    TEXT_TOO_LONG = "text_too_long"
    """An optional text field (card, merchant, source ...) is longer than its limit."""
    TIME_INVALID = "time_invalid"
    """The time is no RFC 3339 date-time with an offset, or lies outside 1990..2100."""
    TIME_IN_FUTURE = "time_in_future"
    """The event time lies after the time of receipt by more than the tolerance."""
    TOO_LATE = "too_late"
    """The event is older than the revision horizon of its partition."""
    DUPLICATE = "duplicate"
    """The run de-duplicates, and a transaction of this id, kind and source stands shortly before in the partition."""
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    """The amount exceeds 10^15 minor units, or 10^13 for each payment it is of, or a purchase is negative."""
    COUNT_OUT_OF_RANGE = "count_out_of_range"
    """The count exceeds 10^9, or that of a purchase or of a cell is negative."""
    CURRENCY_UNKNOWN = "currency_unknown"
    """The currency is no active ISO 4217 code."""
    CURRENCY_NO_RATE = "currency_no_rate"
    """A currency other than the panel's, for which no rate is given on that day."""
    KIND_UNKNOWN = "kind_unknown"
    """The kind is none of purchase, refund, reversal."""
    CHANNEL_UNKNOWN = "channel_unknown"
    """The channel is none of pos, ecom."""
    MCC_INVALID = "mcc_invalid"
    """The merchant category code is not four digits (ISO 18245)."""
    SECTOR_MISSING = "sector_missing"
    """Neither mcc nor sector nor merchant says what was bought."""
    SECTOR_UNKNOWN = "sector_unknown"
    """The sector code or merchant text is not in the panel's classification."""
    REGION_MISSING = "region_missing"
    """A card-present transaction without a region."""
    REGION_UNKNOWN = "region_unknown"
    """The region is no NUTS code, declared region or known postal code of the panel."""
    COUNTRY_UNKNOWN = "country_unknown"
    """The country is not two capital letters of ISO 3166-1 (or EL, UK)."""
    PANEL_UNKNOWN = "panel_unknown"
    """No panel of the run takes this country."""
    ROW_UNREADABLE = "row_unreadable"
    """A row of a CSV or Parquet file does not have the columns of its header."""
    DUPLICATE_CELL = "duplicate_cell"
    """A cell (date, region, sector) stands twice in an already aggregated history."""


class Place(NamedTuple):
    """What says in which cell a record counts; the fields are those of `Transaction`.

    `any_channel` tells that a channel is stated which cannot be read.
    """

    region: str | None = None
    country: str | None = None
    channel: str | None = None
    mcc: str | None = None
    sector: str | None = None
    merchant: str | None = None
    any_channel: bool = False


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a record that was not accepted says of where it would have counted.

    `ts` is epoch milliseconds; `count` the transactions that it stands for, 1 where that cannot be read; `source` None
    where it names none.
    """

    ts: int
    place: Place
    count: int = 1
    source: str | None = None


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """Why one record was not accepted; `detail` is short and never holds a card token.

    `about` is where the record would have counted, as far as it says so: of a row of cells the cell, without an amount.
    `ts` is no time: it lets the folds see by one comparison that an outcome is no transaction.
    """

    ts: ClassVar[int] = -1

    reason: RejectReason
    field: str = ""
    detail: str = ""
    about: Whereabouts | Cell | None = None
