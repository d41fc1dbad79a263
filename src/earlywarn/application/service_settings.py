"""Settings of the services around the folds: brokers, topics, stores, probes. None of them changes a result.

A secret (`password`) is better kept in a file: name it in the setting of the same name with `_file`. It is read
when settings are loaded, without the newline at its end.
"""

import re
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from earlywarn.application.environment import Secret
from earlywarn.domain.ranges import UNBOUNDED, Range, check_ranges, out_of_range, up_to
from earlywarn.errors import ConfigError

_TOPIC_PREFIX = re.compile(r"[a-zA-Z0-9._-]{0,100}")
_HOST = re.compile(r"[^\s/:]+|\[[0-9a-fA-F:.%]+\]")
_LEAST_MESSAGE_BYTES = 64 * 1024  # what a record may have
_MOST_MESSAGE_BYTES = 8 << 20  # dead letters may have twice this, and producers send no more than 16 MiB
_MOST_BYTES = 1 << 40
_MOST_PORT = (1 << 16) - 1
FOR_EVER_HOURS = -1
"""A retention without an end."""
_MOST_HOURS = 24 * 366 * 100
_PARTIAL_BYTES = 16 << 20  # what the producers take; a partial of more than 4 MiB travels in parts


def _wrong_broker(text: str) -> str:
    """Return what is wrong with the address of a broker; empty if nothing is. A password in it is not shown."""
    broker = text.strip()
    if "@" in broker:
        return "an address holds a user or password; give host:port, and username and password_file beside it"
    scheme, separator, rest = broker.partition("://")
    if separator:
        return f"{broker!r} is not host:port; leave {scheme}:// out (security says whether TLS is used): {rest}"
    host, _, port = broker.rpartition(":")
    good = port.isascii() and port.isdigit() and 0 < int(port) <= _MOST_PORT and _HOST.fullmatch(host)
    return "" if good else f"{broker!r} is not host:port"


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
    password: Secret = Secret()
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
        outside = out_of_range(
            self,
            {
                "session_timeout_seconds": Range(1, 1_800),
                "request_timeout_seconds": Range(2, 3_600),
                "fetch_bytes": Range(1_024, 1 << 30),
            },
        )
        problems = list(outside)
        problems += [f"brokers: {wrong}" for wrong in map(_wrong_broker, self.brokers.split(",")) if wrong]
        if self.uses_sasl and not (self.username and (self.password or self.password_file)):
            problems.append(f"security = {self.security!r} needs username, and password_file or password")
        if not self.uses_sasl and (self.username or self.password or self.password_file):
            problems.append(f"security = {self.security!r} sends no username and password; set sasl_ssl, or empty them")
        if not self.uses_tls and (self.ca_file or self.certificate_file or self.key_file):
            problems.append(f"security = {self.security!r} uses no TLS files; set ssl or sasl_ssl, or empty them")
        if bool(self.certificate_file) != bool(self.key_file):
            problems.append("certificate_file and key_file belong together")
        if not outside and self.session_timeout_seconds >= self.request_timeout_seconds:
            problems.append("session_timeout_seconds must be below request_timeout_seconds")
        if problems:
            raise ConfigError("\n".join(problems))

    @property
    def uses_tls(self) -> bool:
        """Return whether connections are encrypted."""
        return self.security in {"ssl", "sasl_ssl"}

    @property
    def uses_sasl(self) -> bool:
        """Return whether the client says who it is by name and password."""
        return self.security in {"sasl_plaintext", "sasl_ssl"}


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The topics of a run.

    prefix: before the run's id in every topic's name.
    transactions_partitions: P, the most workers that can fold at once; it may grow in a running system.
    partials_partitions: Q, the most detectors; a panel lives in one; it never changes.
    replication: copies of every partition; with more than one, two must have a record before it counts as sent.
    transactions_retention_hours: how long transactions, and with them card tokens, are kept; -1 for ever.
    dead_letter_retention_hours: the same of rejected records.
    replay: the run replays a history; its transactions are kept until the run is deleted.
    message_bytes: largest message of `transactions`; dead letters and partials may be larger. A batch of 50,000
        transactions, which is folded fastest, takes 3.4 MB.
    """

    prefix: str = "earlywarn."
    transactions_partitions: int = 8
    partials_partitions: int = 1
    replication: int = 1
    transactions_retention_hours: int = 24 * 14
    dead_letter_retention_hours: int = 24 * 30
    replay: bool = False
    message_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        problems = out_of_range(
            self,
            {
                "transactions_partitions": Range(1, 10_000),
                "partials_partitions": Range(1, 10_000),
                "replication": Range(1, 100),
            },
        )
        problems += [
            f"{name} = {getattr(self, name)}: give hours, from 1 to {_MOST_HOURS:,}, or -1 for ever"
            for name in ("transactions_retention_hours", "dead_letter_retention_hours")
            if not 1 <= getattr(self, name) <= _MOST_HOURS and getattr(self, name) != FOR_EVER_HOURS
        ]
        if not _TOPIC_PREFIX.fullmatch(self.prefix):
            problems.append(f"prefix = {self.prefix!r:.120}: letters, digits, . _ and - only, at most 100")
        if not _LEAST_MESSAGE_BYTES <= self.message_bytes <= _MOST_MESSAGE_BYTES:
            problems.append(
                f"message_bytes = {self.message_bytes}: from {_LEAST_MESSAGE_BYTES}, which a record may have, "
                f"to {_MOST_MESSAGE_BYTES}"
            )
        if problems:
            raise ConfigError("\n".join(problems))

    @property
    def dead_letter_bytes(self) -> int:
        """Return the largest dead letter: every record of `transactions` fits, with its reason and key."""
        return 2 * self.message_bytes

    @property
    def partial_bytes(self) -> int:
        """Return the largest record of partials; see docs/delivery.md, How large a partial is."""
        return _PARTIAL_BYTES


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach Redis, and how much is kept there.

    url: redis://host:port/number, rediss:// (TLS) or unix://path; REDIS_URL sets it; empty for a server of
        one's own. A user and password in it are taken out of it.
    username, password, password_file: of the ACL.
    ca_file, certificate_file, key_file: PEM files of TLS; with a certificate the client shows who it is.
    stream_length: revisions kept in the run's stream; older ones remain in the alerts topic.
    """

    url: str = ""
    username: str = ""
    password: Secret = Secret()
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    stream_length: int = 10_000

    def __post_init__(self) -> None:
        """Check what can be checked without a server, and take the password out of the address.

        Raises:
            ConfigError: one line for each problem; none shows the address, which may hold a password.
        """
        problems = out_of_range(self, {"stream_length": Range(1, 1_000_000_000)})
        try:
            self._take_credentials()
        except ValueError as error:
            problems.append(str(error))
        if bool(self.certificate_file) != bool(self.key_file):
            problems.append("certificate_file and key_file belong together")
        if self.username and not (self.password or self.password_file):
            problems.append(f"username = {self.username!r}: give password_file or password with it")
        if (self.ca_file or self.certificate_file) and not self.url.startswith("rediss://"):
            problems.append("ca_file, certificate_file and key_file need an address with TLS: url = rediss://...")
        if problems:
            raise ConfigError("\n".join(problems))

    def _take_credentials(self) -> None:
        """Move user and password from the address to their own settings, where none can read them off it."""
        if not self.url:
            return
        if not self.url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("url: give redis://host:6379/0, rediss:// (TLS) or unix:///path")
        try:
            parts = urlsplit(self.url)
            user, password, _ = parts.username, parts.password, parts.port
        except ValueError:
            raise ValueError("url: is no address; the form is redis://host:6379/0") from None  # it quotes the password
        if "password=" in parts.query:
            raise ValueError("url: holds a password after ?; give it as password_file")
        if password and self.password:
            raise ValueError("url holds a password, and password or password_file gives one too; keep the file")
        if user and self.username and unquote(user) != self.username:
            raise ValueError("url names another user than username; keep one of them")
        force = msgspec.structs.force_setattr
        if password:
            force(self, "password", Secret(unquote(password)))
        if user:
            force(self, "username", unquote(user))
        force(self, "url", self.url.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1))


class SnapshotSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where detectors keep their snapshots, and how often.

    url: a folder that all detectors share, or redis:// (the Redis above, and nothing behind it), or
        s3://bucket/path with the credentials, region and endpoint of the standard environment (AWS_...).
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
            ConfigError: one line for each problem.
        """
        problems = out_of_range(
            self,
            {"every_bytes": Range(1, _MOST_BYTES), "least_seconds": Range(0, UNBOUNDED), "kept": Range(1, 1_000)},
        )
        scheme, _, rest = self.url.partition("://")
        is_ours = (scheme, bool(rest.strip("/"))) in {("s3", True), ("redis", False)}
        if not self.url:
            problems.append("url: is empty; give a folder, s3://bucket/path, or redis:// alone for the Redis above")
        elif "@" in rest.partition("/")[0]:
            problems.append("url: holds a user or password; those of [redis], or of the S3 client, are used")
        elif re.match(r"[\w+.-]*:", self.url) and not is_ours:
            ways = "a folder (with a colon in it ./NAME), s3://bucket/path, or redis:// alone for the Redis above"
            problems.append(f"url = {self.url!r}: give {ways}")
        if problems:
            raise ConfigError("\n".join(problems))


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's own rhythm and its probes.

    host, port: where /livez, /readyz and /metrics answer.
    flush_seconds: a partial of what is new at least so often.
    idle_seconds: a partition that has been read to its end and silent for so long is said to be idle; one of a paced
        replay, silent for so long by the replay's own time, is told the time.
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
            ConfigError: one line for each problem.
        """
        check_ranges(
            self,
            {
                "flush_seconds": up_to(UNBOUNDED),
                "idle_seconds": up_to(UNBOUNDED),
                "commit_seconds": up_to(UNBOUNDED),
                "unacknowledged_bytes": Range(1, _MOST_BYTES),
                "port": Range(0, _MOST_PORT, note="0 takes a free one"),
            },
        )
