"""Largest remainder: an integer total is divided by weights into integers that sum to it exactly.

Publication divides the cumulative total of a closed bucket, never single payments, so a part is off its
exact share by less than one unit however many payments a bucket holds, and a revised total is divided anew.
Divide at the finest level that is published (a region's class) and add up: then every margin of the table,
region, part or panel, is the sum of its cells in integers.

Source: Balinski and Young, Fair Representation (1982), on the method of Hamilton.
"""

from collections.abc import Mapping, Sequence

from earlywarn.domain.sector import Classification
from earlywarn.errors import ConfigError


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` (counts or minor units, of any sign) in proportion to `weights`.

    Every part first gets its share rounded towards zero; the units left over go one each to the largest
    remainders, the earlier part first where they tie. A negative total is the mirror image of the positive.

    Returns:
        As many integers as there are weights, which sum to `total`.

    Raises:
        ConfigError: There is no positive weight, or a weight is negative.

    >>> allocate(10, [1, 1, 1])
    [4, 3, 3]
    >>> allocate(-10, [1, 1, 1])
    [-4, -3, -3]
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ConfigError(f"weights {list(weights)} divide nothing; give weights of 0 or more, one of them positive")
    sign = -1 if total < 0 else 1
    divided = [divmod(abs(total) * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in divided]
    left_over = abs(total) - sum(parts)
    by_remainder = sorted(range(len(divided)), key=lambda part: -divided[part][1])
    for part in by_remainder[:left_over]:
        parts[part] += 1
    return [sign * part for part in parts]


def allocate_classes(totals: Mapping[str, int], classification: Classification, system: str) -> dict[str, int]:
    """Divide the total of each class by its shares in `system` and add the parts up by code.

    Args:
        totals: Class id to the cumulative total of a closed bucket (counts or minor units).
        classification: Where the classes and their shares come from.
        system: One of the classification's systems.

    Returns:
        Every part of the system that the classification uses, `unallocated` last; the values sum to the
        sum of `totals`. The keys do not depend on the data.

    Raises:
        ConfigError: A class or the system is unknown.
    """
    parts = dict.fromkeys(classification.parts(system), 0)
    for class_id, total in totals.items():
        shares = classification.shares(class_id, system)
        for (code, _), part in zip(shares, allocate(total, [weight for _, weight in shares]), strict=True):
            parts[code] += part
    return parts
