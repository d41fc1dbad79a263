"""What is kept of a day's coverage for its revisions comes back from a snapshot whole."""

from dataclasses import fields, replace
from datetime import date

from earlywarn.aggregation.coverage_state import plain, restored
from earlywarn.aggregation.rows import Behind, Branch, Coverage, Gap, ReadShare
from earlywarn.domain.state import decode_state, encode_state

WHOLE = Coverage()
LEFT = Coverage(
    partitions=0.5,
    volume=0.25,
    silent=("source a",),
    quiet=("CH01",),
    forgotten=("source b",),
    gap=Gap(
        regions=("CH01",),
        totals=((None, None, 0.5),),
        judged=(("CH01", None, 0.25),),
        most=0.75,
        unread=(ReadShare("CH01", "retail", 0.5, 0.6, 0.7, 0.1, is_throughout=True),),
        sectorless=0.2,
    ),
    branches=(Branch("source c", "CH01"),),
    branches_forgotten=(Branch("source d", "CH02"),),
    new=(Branch("source e", "CH03"),),
    rests=True,
    behind=(Behind("source f", date(2024, 1, 2), date(2024, 1, 9), 0.4),),
)


def test_every_part_of_a_coverage_is_kept() -> None:
    assert [each.name for each in fields(Coverage) if getattr(LEFT, each.name) == getattr(WHOLE, each.name)] == []
    assert restored(*decode_state(encode_state({"kept": plain(LEFT)}))["kept"]) == LEFT
    assert restored(*plain(replace(LEFT, behind=()))) == replace(LEFT, behind=())
