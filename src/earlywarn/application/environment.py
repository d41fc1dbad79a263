"""Settings from outside the file: environment variables, and secrets in files of their own.

`EARLYWARN_<TABLE>__<FIELD>` sets one field of the tree, as `EARLYWARN_SERVICE__FLUSH_SECONDS=0.5` sets
`service.flush_seconds`; some fields have a shorter name besides (`PUBLIC_NAMES`).
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from earlywarn.errors import ConfigError

PREFIX = "EARLYWARN_"
CONFIG_NAME = "EARLYWARN_CONFIG"
PUBLIC_NAMES = {"EARLYWARN_KAFKA": "kafka.brokers", "EARLYWARN_RUN": "run", "REDIS_URL": "redis.url"}
"""Names that stay, by what they set. Empty counts as not given, so that a Compose file can hand them on."""

_SECRET_BYTES = 64 * 1024
_NUMBER_WORDS = {int: "a whole number", float: "a number", bool: "true or false", NoneType: "nothing"}
# Kubernetes tells every pod of every service in its namespace: a service `earlywarn-feed` gives
# EARLYWARN_FEED_SERVICE_HOST, EARLYWARN_FEED_PORT_8080_TCP_ADDR and more, none of which is a setting.
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class Secret:
    """A password or token. Shown it is `***`; only `reveal` gives its text.

    It is no string on purpose: what formats, logs or encodes settings cannot give it away.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the client that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "'***'" if self._text else "''"

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def source_of_panels(path: Path | None, environ: Mapping[str, str]) -> str:
    """Return where panels come from, in words: the variable that sets them, else the file, else the environment.

    >>> source_of_panels(Path("panel.toml"), {"EARLYWARN_PANELS": "[]"})
    'environment (EARLYWARN_PANELS)'
    """
    if _name("panels") in environ:
        return f"environment ({_name('panels')})"
    return str(path or environ.get(CONFIG_NAME) or "environment")


def variables(kind: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """Return every variable that sets something in a tree, with the place it sets and the type of it."""
    fields = {_name(place): (place, hint) for place, hint in _leaves(kind)}
    return {name: fields[_name(place)] for name, place in PUBLIC_NAMES.items() if _name(place) in fields} | fields


def overlay(
    kind: type[msgspec.Struct], plain: dict[str, Any], environ: Mapping[str, str], problems: list[str]
) -> dict[str, str]:
    """Put what the environment sets into the plain tree of the file; return the name that set each place.

    Only names of ours are looked at. A name that sets nothing is a problem, with the nearest that does.
    """
    names = variables(kind)
    given: dict[str, str] = {}
    for name in sorted(environ):
        text = environ[name]
        if name not in names:
            if name.startswith(PREFIX) and name != CONFIG_NAME and not _is_service_link(name, environ):
                near = get_close_matches(name, [*names, CONFIG_NAME], n=1)
                problems.append(
                    f"environment: {name}: no such setting" + (f"; did you mean {near[0]}?" if near else "")
                )
            continue
        if name in PUBLIC_NAMES and not text:
            continue
        place, hint = names[name]
        if place in given and environ[given[place]] != text:
            problems.append(f"environment: {given[place]} and {name} both set {place}; keep one of them")
            continue
        try:
            value = _parsed(text, hint)
        except (msgspec.ValidationError, tomllib.TOMLDecodeError):
            problems.append(f"environment: {name} = {text!r:.60}: give {wanted(hint)}")
            continue
        given[place] = name
        _put(plain, place, value)
    return given


def wanted(hint: Any) -> str:  # noqa: ANN401  # a type hint
    """Return what a setting of a type takes, in words."""
    if hint in _NUMBER_WORDS:
        return _NUMBER_WORDS[hint]
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(hint))
    if get_origin(hint) in {Union, UnionType}:
        return " or ".join(wanted(choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if kinds[-1] is Ellipsis:
            return f"a list such as [{_example(kinds[0])}]"
        return f"a list of {len(kinds)}, such as [{', '.join(_example(each) for each in kinds)}]"
    return 'a table such as { key = "text" }' if get_origin(hint) is dict else "text in quotes"


def read_secret(path: Path) -> str:
    """Return the text of a secret's file, without one newline at its end.

    Raises:
        ConfigError: it cannot be read, is empty, is no text, is above 64 KiB, or anyone may write it.
    """
    check_file(path)
    with path.open("rb") as stream:
        content = stream.read(_SECRET_BYTES + 1)
    if len(content) > _SECRET_BYTES:
        raise ConfigError(f"is larger than {_SECRET_BYTES} bytes; a secret is one line")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("is no UTF-8 text") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError("is empty; write the secret into it")
    return text


def check_file(path: Path) -> None:
    """Check that a file named by a setting can be read, and that not everyone may replace what it says.

    Raises:
        ConfigError: what is wrong with it, without its name.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & stat.S_IWOTH:
        raise ConfigError(f"anyone may write it (mode {stat.S_IMODE(mode):o}); run: chmod o-w {path}")


def remarks(settings: msgspec.Struct, place: str = "") -> list[str]:
    """Return what is allowed but unwise about secrets: files that everyone on the machine may read.

    Readable is no error, since container platforms mount secrets so that every user of the container may
    read them, and a container has one.
    """
    found: list[str] = []
    for field in msgspec.structs.fields(settings):
        where = f"{place}.{field.name}" if place else field.name
        value = getattr(settings, field.name)
        if isinstance(value, msgspec.Struct):
            found += remarks(value, where)
        elif field.name.endswith("_file") and value and _is_secret_file(settings, field.name):
            path = Path(value)
            if os.name == "posix" and path.is_file() and path.stat().st_mode & stat.S_IROTH:
                found.append(
                    f"{where}: {path} holds a secret and everyone on this machine may read it "
                    f"(mode {stat.S_IMODE(path.stat().st_mode):o}); run: chmod o-r {path}"
                )
    return found


def _is_secret_file(settings: msgspec.Struct, name: str) -> bool:
    return name == "key_file" or isinstance(getattr(settings, name.removesuffix("_file"), None), Secret)


def _name(place: str) -> str:
    return PREFIX + place.replace(".", "__").upper()


def _leaves(kind: type[msgspec.Struct], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place and type of every setting of the tree that is no table."""
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _leaves(hint, f"{above}{name}.")
        else:
            yield above + name, hint


def _parsed(text: str, hint: Any) -> object:  # noqa: ANN401  # a type hint
    """Read a value as its field's type wants it: text as it is, numbers as numbers, lists and tables as TOML."""
    if hint in {str, Secret}:
        return text
    if get_origin(hint) in {tuple, dict}:
        table = tomllib.loads(f"value = {text}")
        if len(table) > 1:
            raise msgspec.ValidationError("more than one value")
        return table["value"]
    return cast("object", msgspec.convert(text, hint, strict=False))


def _put(plain: dict[str, Any], place: str, value: object) -> None:
    *tables, field = place.split(".")
    for table in tables:
        below = plain.setdefault(table, {})
        if not isinstance(below, dict):
            return  # the file's own mistake, reported where the tree is built
        plain = below
    plain[field] = value


def _is_service_link(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether Kubernetes set the name: then the service's address stands beside it, as tcp://..."""
    link = _SERVICE_LINK.search(name)
    return bool(link and _SERVICE_ADDRESS.match(environ.get(f"{name[: link.start()]}_PORT", "")))


def _example(hint: Any) -> str:  # noqa: ANN401  # a type hint
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return '{ id = "CH" }'
    return {int: "1", float: "0.5", bool: "true"}.get(hint, '"text"')
