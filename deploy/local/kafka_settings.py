"""The server.properties of a single-node Kafka (KRaft) for developers and tests."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from certificates import Certificates

NODE_ID = 1
CLUSTER_ID = urlsafe_b64encode(b"earlywarn-local1").decode().rstrip("=")
"""Of every local broker: a client may stay when its broker is wiped and made anew."""

MESSAGE_BYTES = 16 << 20
SCRAM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureListener:
    """A listener with TLS beside the plain one.

    security: sasl_ssl asks for name and password (SCRAM-SHA-512), ssl for a certificate of the client's own.
    port: On the loopback address.
    username, password: Who may connect by sasl_ssl.
    """

    security: Literal["ssl", "sasl_ssl"]
    port: int
    certificates: Certificates
    username: str = "earlywarn"
    password: str = "of-a-local-stack"  # noqa: S105  # it guards a broker of a test, on the loopback address


def broker_settings(
    data: Path,
    *,
    port: int,
    controller_port: int,
    secure: SecureListener | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the settings of a broker on the loopback address.

    Args:
        data: Folder of its logs.
        port: Of the plain listener, for clients.
        controller_port: Of the controller, in the same process.
        secure: A further listener with TLS.
        more: Settings over these.
    """
    listeners = {"PLAINTEXT": ("plaintext", port), "CONTROLLER": ("plaintext", controller_port)}
    if secure is not None:
        listeners["SECURE"] = (secure.security, secure.port)
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, (_, port) in listeners.items()}
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(where for name, where in addresses.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": ",".join(f"{name}:{kind.upper()}" for name, (kind, _) in listeners.items()),
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MESSAGE_BYTES),
        "group.initial.rebalance.delay.ms": "0",
        # One node: what would be three copies is one.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        # After SIGKILL the controller takes the broker back once its session is over: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(32 << 20),  # of a heap of 512 MiB
    }
    return settings | (_security(secure) if secure is not None else {}) | dict(more or {})


def _security(secure: SecureListener) -> dict[str, str]:
    own = "listener.name.secure."
    settings = {
        f"{own}ssl.keystore.type": "PEM",
        f"{own}ssl.keystore.location": str(secure.certificates.server_file),
        f"{own}ssl.truststore.type": "PEM",
        f"{own}ssl.truststore.location": str(secure.certificates.ca_file),
        f"{own}ssl.client.auth": "required" if secure.security == "ssl" else "none",
    }
    if secure.security == "sasl_ssl":
        settings |= {
            f"{own}sasl.enabled.mechanisms": SCRAM,
            f"{own}{SCRAM.lower()}.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }
    return settings


def properties(settings: Mapping[str, str]) -> str:
    """Return settings as the text of a properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
