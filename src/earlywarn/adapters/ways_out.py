"""What helps against rejects that a setting, a mapping or a correction of the file decides, as sentences."""

import re
from collections.abc import Iterator, Mapping, Sequence

from earlywarn.adapters.files import InputFile, RejectsWriter
from earlywarn.adapters.files.hints import KEYS
from earlywarn.adapters.files.trial import mapping_that_reads
from earlywarn.reference.classifications import available
from earlywarn.reference.country_names import country_name

_EITHER = re.compile(r" \(or '|, for decimal(?: comma)?s \{")
"""How a reject says that there are two ways out."""
_FILES_NAMED = 3
_COUNTRIES_NAMED = 3


def ways_out(
    inputs: Sequence[InputFile], rejects: RejectsWriter, elsewhere: Mapping[str, int], records: int, *, inferred: bool
) -> Iterator[str]:
    """Yield what helps against rejects that a setting or a mapping decides.

    `elsewhere` counts those of countries that no panel takes, `records` all that were read. Options describe a panel
    that was `inferred`; one of the settings is changed there.
    """
    if rejects.by_reason.get("sector_unknown"):
        where = "--classification" if inferred else "classification in the settings"
        yield (
            f"sector_unknown: give the panel the classification of these codes ({where}: {', '.join(available())}, "
            "or a folder), or open to take codes as they are"
        )
    if rejects.by_reason.get("panel_unknown"):
        yield f"panel_unknown: {_elsewhere(elsewhere, records, inferred=inferred)}"
    if "UTF-8" in rejects.examples.get("not_json", ""):
        yield "not_json: JSON is read as UTF-8; save a file of another encoding as UTF-8"
    yield from _mapping(inputs, rejects)


def _mapping(inputs: Sequence[InputFile], rejects: RejectsWriter) -> Iterator[str]:
    """Yield the whole mapping of the first file that is read better by one that its rejects name.

    Of files that no mapping reads better, as of some in which only few rows are written otherwise, yield these.
    """
    told = 0
    for each in inputs:
        foreign = rejects.foreign.get(each.name)
        if foreign is None or not each.has_own_columns:
            continue
        said = list(foreign.said.values())
        if mapping := mapping_that_reads(each, said):
            either = "; where two forms are named above, take the right one" if any(map(_EITHER.search, said)) else ""
            yield f"the mapping is a file such as ours.yaml (--mapping ours.yaml), in whole: {mapping}{either}; {KEYS}"
            return
        told += 1
        if told <= _FILES_NAMED:
            yield (
                f"{each.name}: correct {foreign.in_words()} in the file: a mapping that reads them would make others "
                "unreadable, or something else"
            )


def _elsewhere(countries: Mapping[str, int], records: int, *, inferred: bool) -> str:
    """Return of which countries records are that no panel takes, and the way out."""
    first = sorted(countries, key=lambda code: (-countries[code], code))[:_COUNTRIES_NAMED]
    told = ", ".join(f"{country_name(code)} ({code}): {countries[code]:,}" for code in first)
    more = f" and of {len(countries) - len(first)} more" if len(countries) > len(first) else ""
    # An option names one country: beside others that are taken, only settings help.
    option = f"--country {first[0]}, or " if inferred and countries[first[0]] == records else ""
    it = "it" if len(countries) == 1 else "them"
    return f"no panel takes records of {told}{more}; if that is right, name {it} ({option}countries in the settings)"
