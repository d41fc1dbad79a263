"""The check of a release: no figure may drop by more than its standard error below its best since the acceptance.

Held against the best value and not the last one, small drops do not add up unseen. A new state with worse figures is
written on purpose only (`--accept`), and begins the best values anew.
"""

from collections.abc import Mapping

import msgspec

from track_record.record import Figure, Record, figures


class Drop(msgspec.Struct, frozen=True):
    """A figure that got worse, or that is gone (`new` is None)."""

    name: str
    best: Figure
    new: float | None

    def __str__(self) -> str:
        """Return a sentence: figure, old, new, error."""
        new = "not measured" if self.new is None else f"{self.new:g}"
        return f"{self.name}: was {self.best.value:g}, is {new}, standard error {self.best.standard_error:g}"


def _worse_by(best: Figure, value: float) -> float:
    return best.value - value if best.better == "higher" else value - best.value


def drops(best: Mapping[str, Figure], now: Mapping[str, Figure]) -> list[Drop]:
    """Return the figures that are worse than the best by more than the best one's standard error.

    >>> best = {"a": Figure(0.90, 0.01, "higher")}
    >>> drops(best, {"a": Figure(0.89, 0.01, "higher")})
    []
    >>> print(drops(best, {"a": Figure(0.88, 0.01, "higher")})[0])
    a: was 0.9, is 0.88, standard error 0.01
    """
    found = []
    for name, figure in best.items():
        new = now.get(name)
        if new is None:
            found.append(Drop(name, figure, None))
        elif _worse_by(figure, new.value) > figure.standard_error + 1e-9:
            found.append(Drop(name, figure, new.value))
    return found


def best_of(best: Mapping[str, Figure], now: Mapping[str, Figure]) -> dict[str, Figure]:
    """Return the better one of each figure; the older one where they are equal."""
    return {
        name: best[name] if name in best and _worse_by(best[name], new.value) >= 0 else new for name, new in now.items()
    }


def difference_of_basis(old: Record, new: Record) -> list[str]:
    """Return in words where two records were measured on different things: no figures to compare then."""
    pairs = zip(
        old.basis.__struct_fields__, msgspec.structs.astuple(old.basis), msgspec.structs.astuple(new.basis), strict=True
    )
    return [f"{name}: was {before}, is {now}" for name, before, now in pairs if before != now]


def checked(old: Record | None, new: Record, *, accept: bool) -> tuple[Record, list[str]]:
    """Return the record with its best values, and what speaks against writing it (nothing where it is accepted)."""
    now = figures(new)
    if old is None or accept:
        return msgspec.structs.replace(new, best=now), []
    other = difference_of_basis(old, new)
    problems = [f"measured on something else: {each}" for each in other] or [str(each) for each in drops(old.best, now)]
    return msgspec.structs.replace(new, best=best_of(old.best, now)), problems
