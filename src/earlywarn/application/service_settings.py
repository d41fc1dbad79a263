"""Settings of the services around the folds: brokers, topics, stores, probes. None of them changes a result.

Secrets (`password`, `token`) may stand in a file: name it in the setting of the same name with `_file`.
"""

from typing import Literal

import msgspec

from earlywarn.errors import ConfigError


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach Kafka. One set for every client.

    brokers: host:port of one or more brokers, separated by commas.
    security: plaintext, ssl, sasl_plaintext or sasl_ssl.
    sasl_mechanism: plain, scram-sha-256 or scram-sha-512.
    username, password, password_file: of SASL.
    ca_file, certificate_file, key_file: PEM files of TLS; with a certificate the client shows who it is.
    session_timeout_seconds: a worker not heard of for so long loses its partitions.
    request_timeout_seconds: after which a broker that does not answer counts as gone.
    fetch_bytes: at most so many bytes of one partition in one fetch.
    """

    brokers: str = "localhost:9092"
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: Literal["plain", "scram-sha-256", "scram-sha-512"] = "scram-sha-512"
    username: str = ""
    password: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    session_timeout_seconds: int = 6
    request_timeout_seconds: int = 15
    fetch_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        """Check what can be checked without a broker.

        Raises:
            ConfigError: one line for each problem.
        """
        problems = []
        for broker in self.brokers.split(","):
            host, colon, port = broker.strip().rpartition(":")
            if not (host and colon and port.isdigit()):
                problems.append(f"brokers: {broker.strip()!r} is not host:port")
        if self.security.startswith("sasl") and not self.username:
            problems.append(f"security = {self.security!r} needs username, and password or password_file")
        if self.password and self.password_file:
            problems.append("password and password_file are both given; keep the file")
        if bool(self.certificate_file) != bool(self.key_file):
            problems.append("certificate_file and key_file belong together")
        if self.session_timeout_seconds >= self.request_timeout_seconds:
            problems.append("session_timeout_seconds must be below request_timeout_seconds")
        if problems:
            raise ConfigError("; ".join(problems))


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The topics of a run.

    prefix: before the run's id in every topic's name.
    transactions_partitions: P, the most workers that can fold at once; it may grow in a running system.
    partials_partitions: Q, the most detectors; a panel lives in one; it never changes.
    replication: copies of every partition.
    transactions_retention_hours: how long transactions, and with them card tokens, are kept; -1 for ever.
    dead_letter_retention_hours: the same of rejected records.
    message_bytes: largest message of `transactions`; dead letters and partials may be larger.
    """

    prefix: str = "earlywarn."
    transactions_partitions: int = 8
    partials_partitions: int = 1
    replication: int = 1
    transactions_retention_hours: int = 24 * 14
    dead_letter_retention_hours: int = 24 * 30
    message_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        if min(self.transactions_partitions, self.partials_partitions, self.replication) < 1:
            raise ConfigError("transactions_partitions, partials_partitions and replication are at least 1")
        if self.message_bytes < 64 * 1024:
            raise ConfigError(f"message_bytes = {self.message_bytes}: a record may have 65536 bytes, so at least that")


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach Redis, and how much is kept there.

    url: redis:// or rediss:// (TLS); empty for REDIS_URL, else a redis-server of one's own.
    username, password, password_file: of the ACL.
    ca_file: PEM file of TLS.
    stream_length: revisions kept in the run's stream; older ones remain in the alerts topic.
    """

    url: str = ""
    username: str = ""
    password: str = ""
    password_file: str = ""
    ca_file: str = ""
    stream_length: int = 10_000

    def __post_init__(self) -> None:
        """Check what can be checked without a server.

        Raises:
            ConfigError: an address of another kind, or a secret given twice.
        """
        if self.url and not self.url.startswith(("redis://", "rediss://", "unix://")):
            raise ConfigError(f"url = {self.url!r}: give redis://, rediss:// or unix://")
        if self.password and self.password_file:
            raise ConfigError("password and password_file are both given; keep the file")
        if self.stream_length < 1:
            raise ConfigError("stream_length is at least 1")


class SnapshotSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where detectors keep their snapshots, and how often.

    url: a folder that all detectors share, or redis:// (the Redis above), or s3://bucket/path.
    every_bytes: a snapshot after so many bytes of partials, besides those at bucket closes.
    least_seconds: at most one snapshot in so many seconds.
    kept: snapshots kept of each partition.
    """

    url: str = "snapshots"
    every_bytes: int = 32 << 20
    least_seconds: float = 10.0
    kept: int = 3

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        if not self.url or self.every_bytes < 1 or self.least_seconds < 0 or self.kept < 1:
            raise ConfigError(f"url may not be empty, every_bytes and kept are at least 1: {self}")


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's own rhythm and its probes.

    host, port: where /livez, /readyz and /metrics answer.
    flush_seconds: a partial of what is new at least so often.
    idle_seconds: a partition that has been read to its end and silent for so long is said to be idle.
    commit_seconds: how often the offsets of whole blocks are committed.
    unacknowledged_bytes: a worker waits when so much of what it sent is not acknowledged.
    log_level: debug, info, warning or error.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    flush_seconds: float = 1.0
    idle_seconds: float = 30.0
    commit_seconds: float = 1.0
    unacknowledged_bytes: int = 32 << 20
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: a value out of range.
        """
        if min(self.flush_seconds, self.idle_seconds, self.commit_seconds) <= 0 or self.unacknowledged_bytes < 1:
            raise ConfigError(
                f"flush_seconds, idle_seconds, commit_seconds and unacknowledged_bytes are above 0: {self}"
            )
        if not 0 <= self.port < 1 << 16:
            raise ConfigError(f"port = {self.port}: 0..65535, 0 for a free one")
