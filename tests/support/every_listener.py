"""A Kafka with every kind of listener, users of their own, and an authorizer that allows nothing by itself."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from certificates import Certificates
from kafka_broker import KafkaBroker
from kafka_runtime import KafkaRuntime
from ports import reserve_port

_OF_THE_TABLE = ("topics", "changer", "producer", "aggregator", "detector", "feed", "replayer", "operator")
PASSWORDS = {name: f"{name}:pass=word" for name in ("admin", "stranger", *_OF_THE_TABLE)}
"""Every user of the broker. `admin` may do everything, as may the certificates' client and the plain listener's."""

CLIENT = "CN=earlywarn client"
_MODULES = {
    "scram-sha-256": "scram.ScramLoginModule",
    "scram-sha-512": "scram.ScramLoginModule",
    "plain": "plain.PlainLoginModule",
}


_SECURITY = {
    "plaintext": "PLAINTEXT",
    "ssl": "SSL",
    "sasl_plaintext": "SASL_PLAINTEXT",
    "sasl_ssl": "SASL_SSL",
    "misnamed": "SASL_SSL",
}


class EveryListener(KafkaBroker):
    """One broker; `address_of` says where each kind of connection is taken."""

    def __init__(self, runtime: KafkaRuntime, folder: Path, certificates: Certificates) -> None:
        self.certificates = certificates
        self._ports = {name: reserve_port() for name in _SECURITY}
        controller_port = reserve_port()
        super().__init__(
            runtime,
            folder,
            port=self._ports["plaintext"],
            controller_port=controller_port,
            settings=self._listeners(controller_port) | self._sasl() | self._tls() | _AUTHORIZER,
        )

    def address_of(self, security: str) -> str:
        """Return host:port of plaintext, ssl (with a certificate), sasl_plaintext or sasl_ssl.

        At `misnamed` it is sasl_ssl under a certificate of the same authority for another host.
        """
        return f"localhost:{self._ports[security]}"

    def _listeners(self, controller_port: int) -> Mapping[str, str]:
        addresses = [f"{name.upper()}://localhost:{port}" for name, port in self._ports.items()]
        kinds = [f"{name.upper()}:{security}" for name, security in _SECURITY.items()]
        return {
            "listeners": ",".join([*addresses, f"CONTROLLER://127.0.0.1:{controller_port}"]),
            "advertised.listeners": ",".join(addresses),
            "listener.security.protocol.map": ",".join([*kinds, "CONTROLLER:PLAINTEXT"]),
        }

    @staticmethod
    def _sasl() -> Mapping[str, str]:
        users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
        options = {mechanism: users if mechanism == "plain" else "" for mechanism in _MODULES}
        return {"sasl.enabled.mechanisms": ",".join(mechanism.upper() for mechanism in _MODULES)} | {
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config": (
                f"org.apache.kafka.common.security.{module} required {options[mechanism]};"
            )
            for listener in ("sasl_plaintext", "sasl_ssl", "misnamed")
            for mechanism, module in _MODULES.items()
        }

    def _tls(self) -> Mapping[str, str]:
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.server_file),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca_file),
            "listener.name.ssl.ssl.client.auth": "required",
            "listener.name.misnamed.ssl.keystore.type": "PEM",
            "listener.name.misnamed.ssl.keystore.location": str(_certificate_of_another_host(self.certificates.folder)),
        }

    def _users(self) -> list[str]:
        return [
            word
            for name, password in PASSWORDS.items()
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for word in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]


_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "false",
    "super.users": f"User:ANONYMOUS;User:admin;User:{CLIENT}",
}


def _certificate_of_another_host(folder: Path) -> Path:
    """Make a key and a certificate of the folder's authority in one file."""
    (folder / "elsewhere.extensions").write_text("subjectAltName=DNS:elsewhere.example\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "elsewhere-key.pem"]
    authority = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "1"]
    files = ["-in", "elsewhere.csr", "-extfile", "elsewhere.extensions", "-out", "elsewhere-certificate.pem"]
    for command in (
        ["openssl", "req", "-new", *key, "-out", "elsewhere.csr", "-subj", "/CN=elsewhere"],
        ["openssl", "x509", "-req", *authority, *files],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    both = folder / "elsewhere.pem"
    both.write_text("".join((folder / f"elsewhere-{part}.pem").read_text() for part in ("key", "certificate")))
    return both
