"""The PEM files of TLS that settings name: whether a client could use them, found without a server."""

import ssl
from collections.abc import Iterator

FILES = ("ca_file", "certificate_file", "key_file")
"""Names of the settings, in every table that has them."""


def problems_of(ca_file: str, certificate_file: str, key_file: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with each of the files that are named: its setting, and a line that begins behind the table.

    What cannot be read is wrong as well as what is no PEM, and a key that is locked or of another certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            yield "ca_file", f"ca_file = {ca_file!r}: holds no certificates (PEM): {_reason(error)}"
    if certificate_file and key_file:
        try:
            # An empty password, since none would make OpenSSL ask for one on the terminal.
            context.load_cert_chain(certificate_file, key_file, password="")
        except (OSError, ssl.SSLError) as error:
            yield (
                "certificate_file",
                (
                    f"certificate_file = {certificate_file!r}, key_file = {key_file!r}: "
                    f"no certificate with its unlocked key (PEM): {_reason(error)}"
                ),
            )


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
