"""Certificates for tests of TLS: an authority, a server at localhost, a client. Made with openssl, valid for a day."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from detached_process import StackError

_DAYS = "1"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files of one authority, in a folder.

    server_file, client_file hold the certificate with its key; the others one of the two.
    """

    folder: Path

    @property
    def ca_file(self) -> Path:
        """Return the authority's certificate, which clients and servers trust."""
        return self.folder / "ca.pem"

    @property
    def server_file(self) -> Path:
        """Return the server's key and certificate, for localhost and 127.0.0.1."""
        return self.folder / "server.pem"

    @property
    def server_certificate_file(self) -> Path:
        """Return the server's certificate."""
        return self.folder / "server-certificate.pem"

    @property
    def server_key_file(self) -> Path:
        """Return the server's key (PKCS #8, unlocked)."""
        return self.folder / "server-key.pem"

    @property
    def client_certificate_file(self) -> Path:
        """Return the client's certificate."""
        return self.folder / "client-certificate.pem"

    @property
    def client_key_file(self) -> Path:
        """Return the client's key (PKCS #8, unlocked)."""
        return self.folder / "client-key.pem"

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Make them in a folder; two calls make two authorities, neither of which trusts the other.

        Raises:
            StackError: there is no openssl, or it refuses.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _openssl(
            folder, "req", "-x509", *_KEY, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", _DAYS,
            "-subj", "/CN=earlywarn local authority",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        for name, use in (("server", "serverAuth"), ("client", "clientAuth")):
            (folder / "extensions").write_text(
                "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                f"extendedKeyUsage={use}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
                "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
            )
            request, key, certificate = f"{name}.csr", f"{name}-key.pem", f"{name}-certificate.pem"
            _openssl(folder, "req", "-new", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN=earlywarn {name}")
            _openssl(
                folder, "x509", "-req", "-in", request, "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
                "-days", _DAYS, "-extfile", "extensions", "-out", certificate,
            )  # fmt: skip
            (folder / f"{name}.pem").write_text((folder / key).read_text() + (folder / certificate).read_text())
        return cls(folder.absolute())


def _openssl(folder: Path, *arguments: str) -> None:
    try:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603, S607  # the openssl of the PATH
    except FileNotFoundError as error:
        raise StackError("openssl is not on the PATH; install it (Debian: apt-get install openssl)") from error
    except subprocess.CalledProcessError as error:
        raise StackError(f"openssl {arguments[0]} in {folder}: {error.stderr.strip()}") from error
