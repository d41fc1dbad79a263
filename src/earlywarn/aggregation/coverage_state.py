"""The coverage of a bucket as plain values, as it is kept in a state for the bucket's revisions."""

from collections.abc import Sequence
from typing import Any

from earlywarn.aggregation.rows import Behind, Branch, Coverage, Gap, ReadShare


def plain(coverage: Coverage) -> list[list[Any]]:
    """Return a coverage as plain values, five lists."""
    names = [list(coverage.silent), list(coverage.quiet), list(coverage.forgotten)]
    branches = [[list(each) for each in of] for of in (coverage.branches, coverage.branches_forgotten, coverage.new)]
    gap = coverage.gap
    totals, judged = (None if of is None else [list(total) for total in of] for of in (gap.totals, gap.judged))
    left = [list(gap.regions), totals, judged, gap.most, [list(each) for each in gap.unread], gap.sectorless]
    behind = [each.plain() for each in coverage.behind]
    return [[coverage.partitions, coverage.volume, coverage.rests], names, branches, left, behind]


def restored(
    shares: Sequence[float],
    names: Sequence[Sequence[str]],
    branches: Sequence[Sequence[Any]],
    gap: Sequence[Any],
    behind: Sequence[Sequence[Any]],
) -> Coverage:
    """Return the coverage of which these are the plain values."""
    partitions, volume, rests = shares
    silent, quiet, forgotten = map(tuple, names)
    regions, totals, judged, most, unread, sectorless = gap
    left = Gap(
        tuple(regions),
        tuple((region, sector, share) for region, sector, share in totals),
        None if judged is None else tuple((region, sector, share) for region, sector, share in judged),
        most,
        tuple(ReadShare(*each) for each in unread),
        sectorless=sectorless,
    )
    quiet_in, forgotten_in, new_in = (tuple(Branch(*each) for each in of) for of in branches)
    lagging = tuple(Behind.restored(*each) for each in behind)
    return Coverage(
        partitions, volume, silent, quiet, forgotten, left, quiet_in, forgotten_in, new_in, bool(rests), lagging
    )
