"""From the settings of Kafka to what each of its clients wants to be told.

One set of settings, three libraries under four names: confluent-kafka (producing), kafka-python (topics), aiokafka
(reading offsets) and Faust, which hands its credentials on to aiokafka.
"""

import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faust
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from earlywarn.application.service_settings import KafkaSettings
from earlywarn.application.tls_files import problems_of
from earlywarn.errors import ConfigError

_CONNECTIONS = logging.getLogger("kafka.net")
_LOST = re.compile(r"Connection (?:lost|failed): (.*)")


class _Reasons(logging.Handler):
    """Collects why connections were lost: kafka-python logs it, and raises no more than that time is up."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._seen: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one reason once; the library connects several times."""
        if found := _LOST.search(record.getMessage()):
            self._seen[found[1]] = None

    def __str__(self) -> str:
        return "; ".join(self._seen)

    def __bool__(self) -> bool:
        return bool(self._seen)


def broker_list(kafka: KafkaSettings) -> list[str]:
    """Return the brokers as host:port."""
    return [broker.strip() for broker in kafka.brokers.split(",")]


def confluent_connection(kafka: KafkaSettings) -> dict[str, str | int]:
    """Return what a confluent-kafka client needs to connect; add the client's own settings to it.

    Raises:
        ConfigError: a TLS file that cannot be used.
    """
    parameters: dict[str, str | int] = {
        "bootstrap.servers": ",".join(broker_list(kafka)),
        "security.protocol": kafka.security,
        "socket.timeout.ms": kafka.request_timeout_seconds * 1000,
    }
    if kafka.uses_tls:
        tls_context(kafka)  # librdkafka reads the files itself, and says less of what is wrong with them
        files = {
            "ssl.ca.location": kafka.ca_file,
            "ssl.certificate.location": kafka.certificate_file,
            "ssl.key.location": kafka.key_file,
        }
        parameters |= {name: file for name, file in files.items() if file}
    if kafka.uses_sasl:
        parameters |= {
            "sasl.mechanisms": kafka.sasl_mechanism.upper(),
            "sasl.username": kafka.username,
            "sasl.password": _password(kafka),
        }
    return parameters


def kafka_python_connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what a kafka-python client needs to connect, as keyword arguments.

    Raises:
        ConfigError: a TLS file that cannot be used.
    """
    return _python_parameters(kafka) | {"bootstrap_timeout_ms": kafka.request_timeout_seconds * 1000}


def aiokafka_connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what an aiokafka client needs to connect, as keyword arguments.

    Raises:
        ConfigError: a TLS file that cannot be used.
    """
    return _python_parameters(kafka)


def faust_connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what a Faust app needs to connect besides its brokers, as keyword arguments.

    Raises:
        ConfigError: a TLS file that cannot be used.
    """
    context = tls_context(kafka) if kafka.uses_tls else None
    if kafka.uses_sasl:
        credentials = faust.SASLCredentials(
            username=kafka.username,
            password=_password(kafka),
            ssl_context=context,
            mechanism=kafka.sasl_mechanism.upper(),
        )
        return {"broker_credentials": credentials}
    return {"broker_credentials": faust.SSLCredentials(context)} if context else {}


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Return the TLS of a connection: the broker's certificate and name are always checked, TLS 1.2 or newer.

    Raises:
        ConfigError: a file cannot be read, is no PEM, or a key that is locked or of another certificate; one line each.
    """
    problems = problems_of(kafka.ca_file, kafka.certificate_file, kafka.key_file)
    if lines := [f"kafka.{problem}" for _, problem in problems]:
        raise ConfigError("\n".join(lines))
    context = ssl.create_default_context(cafile=kafka.ca_file or None)
    if kafka.certificate_file:
        context.load_cert_chain(kafka.certificate_file, kafka.key_file, password="")
    return context


WAY_OUT = "check brokers, security, TLS files, user and password of [kafka], or start a local broker with: make up"
"""What to do where no broker answers."""


@contextmanager
def kafka_admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """Open an administrator of the cluster, and close it at the end.

    Raises:
        ConfigError: no broker answers, or what a broker refuses while it is open.
    """
    where = f"kafka.brokers = {kafka.brokers!r}, security = {kafka.security}"
    reasons = _Reasons()
    _CONNECTIONS.addHandler(reasons)
    try:
        admin = KafkaAdminClient(**kafka_python_connection(kafka))
    except KafkaError as error:
        raise ConfigError(
            f"{where}: no connection within {kafka.request_timeout_seconds} s ({reasons or error}); {WAY_OUT}"
        ) from error
    finally:
        _CONNECTIONS.removeHandler(reasons)
    try:
        yield admin
    except KafkaError as error:
        raise ConfigError(f"{where}: {error}") from error
    finally:
        admin.close()


def _python_parameters(kafka: KafkaSettings) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "bootstrap_servers": broker_list(kafka),
        "security_protocol": kafka.security.upper(),
        "request_timeout_ms": kafka.request_timeout_seconds * 1000,
    }
    if kafka.uses_tls:
        parameters["ssl_context"] = tls_context(kafka)
    if kafka.uses_sasl:
        parameters |= {
            "sasl_mechanism": kafka.sasl_mechanism.upper(),
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": _password(kafka),
        }
    return parameters


def _password(kafka: KafkaSettings) -> str:
    if not kafka.password:
        raise ConfigError(f"kafka.password_file = {kafka.password_file!r} was not read; load the settings with `load`")
    return kafka.password.reveal()
