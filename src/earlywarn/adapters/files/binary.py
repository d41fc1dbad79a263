"""Files that are no text: what they are by their first bytes, and what to do with them."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile

from earlywarn.adapters.files.hints import looks_like_utf16
from earlywarn.adapters.files.source import UTF16_BOMS
from earlywarn.errors import InputError

HEAD_BYTES = 4_096
_ZIP_MAGIC = b"PK\x03\x04"
_OLD_OFFICE_MAGIC = b"\xd0\xcf\x11\xe0"
_WORKBOOK_NAMES = (".xlsx", ".xlsm", ".xlsb")
_WORKBOOK = "an Excel workbook; save the sheet as CSV (UTF-8) and run again"


def refuse_packed(path: Path, head: bytes) -> None:
    """Refuse a workbook or an archive, whatever the file is called.

    Raises:
        InputError: it is one; the message says how its content can be read.
    """
    if head.startswith(_OLD_OFFICE_MAGIC):
        raise InputError(f"{path}: {_WORKBOOK}")
    if head.startswith(_ZIP_MAGIC):
        workbook = path.suffix.lower() in _WORKBOOK_NAMES or any(name.startswith("xl/") for name in _names(path))
        raise InputError(f"{path}: {_WORKBOOK if workbook else 'a ZIP archive; unpack it and run again'}")


def refuse_binary(path: Path, head: bytes, accepted: str) -> None:
    """Refuse what is no text in UTF-8, or in UTF-16 with its mark; `accepted` says in words what is.

    Raises:
        InputError: it is none.
    """
    if looks_like_utf16(head):
        raise InputError(f"{path}: text in UTF-16 without a byte order mark, and so not read; save it as UTF-8")
    if b"\0" in head and not head.startswith(UTF16_BOMS):
        raise InputError(f"{path}: neither text nor Parquet (first bytes {head[:4].hex(' ')}); {accepted}")


def _names(path: Path) -> list[str]:
    try:
        with ZipFile(path) as archive:
            return archive.namelist()
    except (BadZipFile, OSError):  # cut off, or compressed once more
        return []
