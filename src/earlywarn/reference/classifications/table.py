"""The table of a classification for people to read: classes, their codes and their weights, in Markdown.

python -m earlywarn.reference.classifications.table mcc
python -m earlywarn.reference.classifications.table path/to/my-classification
"""

import sys
from collections.abc import Iterable
from itertools import groupby

from earlywarn.domain.sector import COICOP, NACE, UNALLOCATED, WHOLE, Classification
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications import load_classification


def weights_table(classification: Classification) -> str:
    """Return a Markdown table with one row per class; weights in per cent, `-` for what is unallocated.

    >>> print(weights_table(load_classification("sparkov")).splitlines()[3])
    | `food-dining` | Restaurants | food_dining | 11 95, - 5 | I 100 |
    """
    by_class: dict[str, list[str]] = {}
    for code, class_id in sorted(classification.codes.items()):
        by_class.setdefault(class_id, []).append(code)
    lines = ["| Class | Title | Codes | COICOP 2018, % | NACE Rev. 2.1, % |", "|---|---|---|---|---|"]
    lines += [
        f"| `{one.id}` | {one.title} | {_codes(by_class.get(one.id, ()))} |"
        f" {_shares(classification, one.id, COICOP)} | {_shares(classification, one.id, NACE)} |"
        for one in classification.classes.values()
    ]
    return "\n".join(lines) + "\n"


def _shares(classification: Classification, class_id: str, system: str) -> str:
    shares = classification.shares(class_id, system)
    return ", ".join(
        f"{'-' if code == UNALLOCATED else code} {100 * weight / WHOLE:g}" for code, weight in shares if weight
    )


def _codes(codes: Iterable[str]) -> str:
    """Return codes with runs of consecutive numbers drawn together."""
    listed: list[str] = []
    for (_, is_number), group in groupby(enumerate(codes), key=_run):
        run = [code for _, code in group]
        listed += [f"{run[0]}-{run[-1]}"] if is_number and len(run) > 2 else run
    return ", ".join(listed).replace("|", "\\|")


def _run(place_and_code: tuple[int, str]) -> tuple[int, bool]:
    """Return what codes of one run share: a number's distance from its place in the list."""
    place, code = place_and_code
    is_number = code.isascii() and code.isdigit()
    return (int(code) - place if is_number else place, is_number)


if __name__ == "__main__":
    try:
        sys.stdout.write(weights_table(load_classification(sys.argv[1] if len(sys.argv) > 1 else "mcc")))
    except ConfigError as error:
        sys.exit(str(error))
