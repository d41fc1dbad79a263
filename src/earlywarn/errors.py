"""Every error earlywarn raises on purpose.

EarlywarnError
├── ConfigError      a setting, panel, mapping or table that cannot be used (exit 1)
├── InputError       an input that cannot be read at all (exit 1); EmptyInputError: there is nothing in it
├── LogError         a log that breaks the delivery contract: a gap, a foreign manifest, an overflow
└── SnapshotError    a snapshot that does not fit the code or the configuration

A single unusable record is no error: it is a `domain.reject.Reject`, counted and kept.
Each message names the value, the place and the way out.
"""


class EarlywarnError(Exception):
    """Base of every error that earlywarn raises on purpose."""


class ConfigError(EarlywarnError):
    """A setting, panel, mapping or reference table cannot be used as given."""


class InputError(EarlywarnError):
    """An input cannot be read at all: missing, empty, of an unknown format."""


class EmptyInputError(InputError):
    """There is nothing in any input."""


class LogError(EarlywarnError):
    """A log of records or partials breaks the delivery contract."""


class SnapshotError(EarlywarnError):
    """A snapshot does not fit the code, the configuration or the log it is loaded for."""
