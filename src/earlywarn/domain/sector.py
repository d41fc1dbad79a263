"""Sectors: a classification turns the codes of acquirers into classes, and knows what a class is made of.

A class is the unit that series are formed of and that detection runs on; it is never split. All codes of
a class share one vector of weights into each statistical system, and that vector serves publication only
(`domain.allocation`). The tables, with the judgement behind every weight, are in `reference.classifications`.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from earlywarn.domain.card_number import has_card_number
from earlywarn.domain.reject import RejectReason
from earlywarn.errors import ConfigError

COICOP = "coicop-2018"
"""Divisions 01 to 13 of the UN's classification of individual consumption by purpose, 2018: what is bought."""
NACE = "nace-2.1"
"""Sections A to V of NACE Rev. 2.1 (Delegated Regulation (EU) 2023/137): what the seller does."""
SYSTEMS: tuple[str, ...] = (COICOP, NACE)

MCC_SCHEME = "mcc"
UNALLOCATED = "unallocated"
"""The part of a class that no code of a system takes; always the last part."""
WHOLE = 10_000
"""The weights of a class in a system and the unallocated rest sum to this."""

Shares = tuple[tuple[str, int], ...]
"""Pairs of a system's code and its weight out of `WHOLE`."""


class SectorClass(msgspec.Struct, frozen=True):
    """One class of a classification: `id` is a slug that stands in series ids, `title` is for people."""

    id: str
    title: str


def normalised(text: str) -> str:
    """Return a code or merchant text as it is compared: NFKC, case folded, runs of spaces made one.

    >>> normalised("  Food and  Beverage SERVICES ")
    'food and beverage services'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def is_mcc(code: str) -> bool:
    """Say whether `code` has the form of a merchant category code: four ASCII digits (ISO 18245).

    >>> is_mcc("5411"), is_mcc("541"), is_mcc("٥٤١١")
    (True, False, False)
    """
    return len(code) == 4 and code.isascii() and code.isdigit()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classification:
    """A versioned table from external codes to classes, and from classes to shares of statistical systems.

    Attributes:
        name: The slug under which the table is known.
        version: The version of the table; two tables of one name and version are the same.
        scheme: The scheme of the codes, `mcc` or a provider's own: the part before the colon in `scheme:code`.
        classes: Every class by id.
        codes: Code of the scheme to class id; compared exactly first, then as `normalised`.
        mccs: Merchant category code to class id. For the scheme `mcc` this is the same table as `codes`.
        unlisted_mcc: The class of a well-formed MCC that `mccs` does not list; None rejects it.
        merchants: Merchant text to class id, compared as `normalised`.
        weights: Class id to system to the codes and weights of that class; a missing entry is unallocated.
        accepts_any: Every code of any scheme, and every MCC, is a class of its own; what looks like a card is none.

    Raises:
        ConfigError: A code leads to a class that is not there, or the weights of a class exceed the whole.
    """

    name: str
    version: str
    scheme: str
    classes: Mapping[str, SectorClass]
    codes: Mapping[str, str] = field(default_factory=dict)
    mccs: Mapping[str, str] = field(default_factory=dict)
    unlisted_mcc: str | None = None
    merchants: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, Shares]] = field(default_factory=dict)
    accepts_any: bool = False
    _exact: Mapping[str, str] = field(init=False, repr=False)
    _sectors: Mapping[str, str] = field(init=False, repr=False)
    _merchants: Mapping[str, str] = field(init=False, repr=False)
    _shares: Mapping[tuple[str, str], Shares] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = dict(self.mccs if self.scheme == MCC_SCHEME else self.codes)
        derived: dict[str, object] = {
            "classes": MappingProxyType(dict(self.classes)),
            "codes": MappingProxyType(codes),
            "mccs": MappingProxyType(dict(self.mccs)),
            "merchants": MappingProxyType(dict(self.merchants)),
            # As written and with the scheme before it: one lookup for nearly every record.
            "_exact": codes | {f"{self.scheme}:{code}": class_id for code, class_id in codes.items()},
            "_sectors": {normalised(code): class_id for code, class_id in codes.items()},
            "_merchants": {normalised(text): class_id for text, class_id in self.merchants.items()},
            "_shares": {(one, system): self._complete(one, system) for one in self.classes for system in SYSTEMS},
        }
        for attribute, value in derived.items():
            object.__setattr__(self, attribute, value)
        targets = {*codes.values(), *self.mccs.values(), *self.merchants.values(), *self.weights}
        if self.unlisted_mcc is not None:
            targets.add(self.unlisted_mcc)
        if unknown := sorted(targets - set(self.classes)):
            raise ConfigError(f"classification {self.name}: no class {', '.join(unknown)}; add it to the classes")

    @classmethod
    def open(cls) -> "Classification":
        """Return the classification for data that come without one: every code is a class, nothing is allocated."""
        return cls(name="open", version="1", scheme="open", classes={}, accepts_any=True)

    @property
    def systems(self) -> tuple[str, ...]:
        """The statistical systems that `shares` answers for."""
        return SYSTEMS

    def class_of(self, mcc: str | None, sector: str | None, merchant: str | None) -> str | RejectReason:
        """Return the class of a record, or why it has none (tell the two apart by `isinstance(_, RejectReason)`).

        The first that is there decides: `sector` (`scheme:code`, or a bare code of the scheme), `mcc`,
        `merchant`. A blank text counts as absent.

        Returns:
            A class id; or SECTOR_UNKNOWN (a code, scheme, MCC or merchant that is not in the tables),
            MCC_INVALID (not four digits), SECTOR_MISSING (none of the three is there).
        """
        if sector:
            found = self._exact.get(sector)
            if found is not None:
                return found
            if not sector.isspace():
                return self._class_of_sector(sector)
        if mcc and not mcc.isspace():
            return self._class_of_mcc(mcc)
        if merchant and not merchant.isspace():
            # Even an open classification takes no merchant: classes without a bound are no sectors.
            return self._merchants.get(normalised(merchant), RejectReason.SECTOR_UNKNOWN)
        return RejectReason.SECTOR_MISSING

    def lists(self, sector: str) -> bool:
        """Return whether a code of `sector` is in the tables, and not one of form alone (an MCC that is not listed)."""
        return self._listed(self._code(sector), sector) is not None

    def title(self, class_id: str) -> str:
        """Return the title of a class; an open classification's classes are titled by their code."""
        found = self.classes.get(class_id)
        return class_id if found is None else found.title

    def shares(self, class_id: str, system: str) -> Shares:
        """Return the (code, weight) pairs of a class in `system`, by code, and last ('unallocated', rest).

        The weights are integers and sum to 10,000.

        Raises:
            ConfigError: The class or the system is unknown.
        """
        self._require(system)
        found = self._shares.get((class_id, system))
        if found is not None:
            return found
        if self.accepts_any:
            return ((UNALLOCATED, WHOLE),)
        raise ConfigError(f"class {class_id!r} is not in classification {self.name} {self.version}; see its classes")

    def parts(self, system: str) -> tuple[str, ...]:
        """Return every code of `system` that some class has a weight in, by code, and last 'unallocated'.

        Raises:
            ConfigError: The system is unknown.
        """
        self._require(system)
        used = {code for (_, of), shares in self._shares.items() if of == system for code, _ in shares}
        return (*sorted(used - {UNALLOCATED}), UNALLOCATED)

    def describe(self) -> list[tuple[str, object]]:
        """Return all that decides a class or a share as plain values in a fixed order, for a run's fingerprint."""
        return [
            ("name", self.name),
            ("version", self.version),
            ("scheme", self.scheme),
            ("accepts_any", self.accepts_any),
            ("unlisted_mcc", self.unlisted_mcc or ""),
            ("classes", sorted(self.classes)),
            ("codes", sorted(self._sectors.items())),
            ("mccs", sorted(self.mccs.items())),
            ("merchants", sorted(self._merchants.items())),
            ("shares", [(*key, *shares) for key, shares in sorted(self._shares.items())]),
        ]

    def _class_of_sector(self, sector: str) -> str | RejectReason:
        if self.accepts_any:
            return RejectReason.SECTOR_UNKNOWN if has_card_number(sector) else sector.strip()
        code = self._code(sector)
        found = self._listed(code, sector)
        if found is not None:
            return found
        if self.scheme == MCC_SCHEME and self.unlisted_mcc is not None and is_mcc(code):
            return self.unlisted_mcc
        return RejectReason.SECTOR_UNKNOWN

    def _code(self, sector: str) -> str:
        return normalised(sector).removeprefix(f"{self.scheme}:").lstrip()

    def _listed(self, code: str, sector: str) -> str | None:
        return self._sectors.get(normalised(sector)) or self._sectors.get(code)

    def _class_of_mcc(self, mcc: str) -> str | RejectReason:
        found = self.mccs.get(mcc)
        if found is not None:
            return found
        if not is_mcc(mcc):
            return RejectReason.MCC_INVALID
        if self.accepts_any:
            return mcc
        return RejectReason.SECTOR_UNKNOWN if self.unlisted_mcc is None else self.unlisted_mcc

    def _complete(self, class_id: str, system: str) -> Shares:
        given = tuple(sorted(self.weights.get(class_id, {}).get(system, ())))
        rest = WHOLE - sum(weight for _, weight in given)
        if rest < 0 or any(weight < 0 for _, weight in given):
            raise ConfigError(
                f"classification {self.name}: the weights of class {class_id!r} in {system} must be"
                f" 0 or more and sum to {WHOLE} at most, not {WHOLE - rest}"
            )
        return (*given, (UNALLOCATED, rest))

    def _require(self, system: str) -> None:
        if system not in SYSTEMS:
            raise ConfigError(f"statistical system {system!r} is unknown; use one of {', '.join(SYSTEMS)}")
