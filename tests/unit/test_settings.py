"""Settings: every problem of a file at once, with its place and the way out."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from earlywarn.application.compose import compose, compose_from
from earlywarn.application.environment import Secret
from earlywarn.application.service_settings import KafkaSettings, RedisSettings, SnapshotSettings, TopicSettings
from earlywarn.application.settings import load
from earlywarn.cli.app import app
from earlywarn.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "panel.toml"
    path.write_text(text)
    return path


def test_all_problems_of_a_file_come_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        rum = "x"
        [fold]
        lateness_seconds = "an hour"
        [alerts]
        quiet_days = 0
        [[panels]]
        id = "A"
        region_level = 7
        """,
    )
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert any("rum: no such setting; did you mean run?" in line for line in lines)
    assert any("fold.lateness_seconds = 'an hour'" in line for line in lines)
    assert any("alerts.quiet_days = 0: give from 1 to 36,500" in line for line in lines)
    assert any("panels[0].region_level = 7" in line for line in lines)


def test_a_zone_with_a_fraction_of_an_hour_needs_a_finer_base_bucket(tmp_path: Path) -> None:
    text = '[[panels]]\nid = "IN"\ncurrency = "INR"\ntime_zone = "Asia/Kolkata"\nany_region = true\nregion_level = 2\n'
    with pytest.raises(ConfigError, match="Asia/Kolkata"):
        compose(load(write(tmp_path, text), {}))
    run = compose(load(write(tmp_path, text + "base_bucket_seconds = 1800\n"), {}))
    assert run.settings.fold.base_bucket_seconds == 1800


def test_panels_may_not_overlap(tmp_path: Path) -> None:
    text = (
        '[[panels]]\nid = "A"\ncountries = ["CH"]\n[[panels]]\nid = "B"\ncountries = ["CH"]\n[[panels]]\nid = "A/B"\n'
    )
    with pytest.raises(ConfigError) as caught:
        compose(load(write(tmp_path, text), {}))
    assert "both take CH" in str(caught.value)
    assert "id 'A/B': give letters" in str(caught.value)


def test_the_fingerprint_changes_with_what_decides_results(tmp_path: Path) -> None:
    """The same settings give the same fingerprint; another threshold, mapping or holiday country another one."""
    base = '[[panels]]\nid = "A"\ncountries = ["CH"]\n'
    one = compose(load(write(tmp_path, base), {})).fingerprint
    assert compose(load(write(tmp_path, base), {})).fingerprint == one
    assert compose(load(write(tmp_path, 'run = "other"\n' + base), {})).fingerprint == one
    for changed in (
        base + "[alerts]\nalarm_evidence = 8.5\n",
        base.replace('"CH"', '"AT"'),
        base + 'classification = "swiss-mcs"\n',
    ):
        assert compose(load(write(tmp_path, changed), {})).fingerprint != one


def test_the_fold_fingerprint_changes_with_what_decides_partials_alone(tmp_path: Path) -> None:
    """What only models and alerts need leaves it as it is, so that aggregators go on."""
    base = '[[panels]]\nid = "A"\ncountries = ["CH"]\n'
    one = compose(load(write(tmp_path, base), {}))
    (tmp_path / "rates.csv").write_text("currency,since,rate\nEUR,2019-01-01,1.1\n")
    for later in (
        "pay_day = 3\n",
        "[alerts]\nalarm_evidence = 8.5\n",
        "[coverage]\nfill_days = 300\n",
        "[detection]\nready_days = 91\n",
    ):
        other = compose(load(write(tmp_path, base + later), {}))
        assert other.fingerprint != one.fingerprint
        assert other.fold_fingerprint == one.fold_fingerprint
    for later in (
        'rates = "rates.csv"\n',
        "region_level = 1\n",
        'time_zone = "UTC"\n',
        'classification = "swiss-mcs"\n',
        "[fold]\nlateness_seconds = 7200\n",
        "[fold]\nfuture_tolerance_seconds = 7\n",
    ):
        assert compose(load(write(tmp_path, base + later), {})).fold_fingerprint != one.fold_fingerprint
    assert compose(load(write(tmp_path, base + "[fold]\nblock_size = 20\n"), {})).fold_fingerprint == (
        one.fold_fingerprint
    )


def test_rates_are_read_and_checked(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text(
        "currency,since,rate\nEUR,2019-01-01,1.1\nXXQ,2019-01-01,2\nUSD,soon,x\nEUR,2019-01-01,1.2\n"
    )
    text = '[[panels]]\nid = "A"\ncountries = ["CH"]\nrates = "rates.csv"\n'
    with pytest.raises(ConfigError) as caught:
        compose(load(write(tmp_path, text), {}))
    assert "rates.csv:3" in str(caught.value)
    assert "rates.csv:4" in str(caught.value)
    assert "rates.csv:5" in str(caught.value)  # the same currency and day with another rate
    (tmp_path / "rates.csv").write_text("currency,since,rate\nEUR,2019-01-01,1.1\n")
    panel = compose(load(write(tmp_path, text), {})).panels[0].panel
    assert panel.rates.convert(105, "EUR", 737_425) == 116
    assert panel.rates.convert(105, "USD", 737_425) is None


# --- the settings of services: file, environment, secret files


def test_all_problems_of_file_and_environment_come_at_once_each_with_its_source(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [kafka]
        security = "sasl_ssl"
        passwrd = "x"
        ca_file = "ca.pem"
        [service]
        port = "8080"
        [topics]
        replication = 3
        """,
    )
    environ = {
        "EARLYWARN_KAFKA__SESSION_TIMEOUT_SECONDS": "long",
        "EARLYWARN_KAFKA__PASSWORD_FILE": "/nowhere/secret",
        "EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS": "0",
        "EARLYWARN_SNAPSHOTS__KEPT": "0",
        "EARLYWARN_TYPO": "1",
    }
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    lines = str(caught.value).splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("environment: EARLYWARN_KAFKA__SESSION_TIMEOUT_SECONDS = 'long': give a whole number")
    assert lines[1].startswith("environment: EARLYWARN_TYPO: no such setting")
    assert lines[2] == f"{path}: kafka.passwrd: no such setting; did you mean password?"
    assert lines[3] == f"{path}: kafka.ca_file = '{tmp_path / 'ca.pem'}': cannot be read: No such file or directory"
    assert lines[4].startswith("environment (EARLYWARN_KAFKA__PASSWORD_FILE): kafka.password_file = '/nowhere/secret'")
    assert lines[5] == f"{path}: service.port = '8080': give a whole number"
    environment = "environment (EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS)"
    assert lines[6] == f"{environment}: topics.transactions_partitions = 0: give from 1 to 10,000"
    assert lines[7] == "environment (EARLYWARN_SNAPSHOTS__KEPT): snapshots.kept = 0: give from 1 to 1,000"


def test_a_file_that_cannot_be_read_or_parsed_comes_with_the_environments_problems(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory\nenvironment: EARLYWARN_X"):
        load(None, {"EARLYWARN_CONFIG": str(tmp_path / "gone.toml"), "EARLYWARN_X": "1"})
    with pytest.raises(ConfigError, match="is no TOML"):
        load(write(tmp_path, "run = "), {})


def test_the_file_is_the_option_else_the_variable(tmp_path: Path) -> None:
    path = write(tmp_path, 'run = "from-file"')
    other = tmp_path / "other.toml"
    other.write_text('run = "from-other"')
    assert load(None, {}).run == "live"
    assert load(None, {"EARLYWARN_CONFIG": str(other)}).run == "from-other"
    assert load(path, {"EARLYWARN_CONFIG": str(other)}).run == "from-file"
    assert load(path, {"EARLYWARN_CONFIG": str(other), "EARLYWARN_RUN": "from-variable"}).run == "from-variable"


def test_secrets_are_read_from_files_relative_to_where_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "kafka-password").write_text("k4fka\n")
    (tmp_path / "elsewhere/redis-password").write_text("r3dis\n")
    path = write(tmp_path, '[kafka]\nsecurity = "sasl_plaintext"\nusername = "u"\npassword_file = "kafka-password"\n')
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load(path, {"EARLYWARN_REDIS__PASSWORD_FILE": "redis-password"})
    assert settings.kafka.password.reveal() == "k4fka"
    assert settings.redis.password.reveal() == "r3dis"
    assert load(path, {}, secrets=False).kafka.password == Secret()  # a run without services reads no secret


def test_a_secret_given_twice_is_refused_whatever_the_sources(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    path = write(tmp_path, '[redis]\npassword_file = "secret"\n')
    with pytest.raises(ConfigError) as caught:
        load(path, {"EARLYWARN_REDIS__PASSWORD": "hunter3"})
    assert str(caught.value) == (
        f"{path} and environment (EARLYWARN_REDIS__PASSWORD): redis: password and password_file are both given; "
        "keep the file"
    )
    with pytest.raises(ConfigError, match="url holds a password, and password or password_file gives one too"):
        load(path, {"REDIS_URL": "redis://:hunter3@host:6379"})


def test_no_error_shows_a_secret(tmp_path: Path) -> None:
    """Whatever is wrong around a secret, its text stays out of the lines."""
    (tmp_path / "secret").write_text("hunter2")
    for text, environ in (
        ("[kafka]\npassword = 5_000_002\n", {}),
        ('[kafka]\nbrokers = "x"\npassword = "hunter2"\n', {}),
        ('[kafka]\nsecurity = "sasl_ssl"\npassword_file = "secret"\n', {}),
        ('[redis]\nurl = "htp://u:hunter2@h"\n', {}),
        ("", {"REDIS_URL": "redis://u:hunter2/3@h:1"}),
        ("", {"REDIS_URL": "redis://h:1?password=hunter2"}),
        ("", {"EARLYWARN_SNAPSHOTS__URL": "redis://u:hunter2@h"}),
        ('redis = "hunter2"\n', {}),
    ):
        with pytest.raises(ConfigError) as caught:
            load(write(tmp_path, text), environ)
        assert "hunter2" not in str(caught.value)
        assert "5000002" not in str(caught.value)


def test_user_and_password_leave_the_address_of_redis() -> None:
    redis = RedisSettings(url="rediss://reader:p%40ss@host:6380/2?timeout=3")
    assert (redis.url, redis.username, redis.password.reveal()) == ("rediss://host:6380/2?timeout=3", "reader", "p@ss")
    assert "p@ss" not in repr(redis)
    assert "p%40ss" not in repr(redis)
    assert msgspec.structs.replace(redis, stream_length=5).password.reveal() == "p@ss"
    socket = RedisSettings(url="unix://:word@/run/redis.sock?db=1")
    assert (socket.url, socket.password.reveal()) == ("unix:///run/redis.sock?db=1", "word")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"security": "sasl_ssl"}, "needs username, and password_file or password"),
        ({"security": "ssl", "username": "u"}, "security = 'ssl' sends no username and password"),
        ({"ca_file": "ca.pem"}, "security = 'plaintext' uses no TLS files"),
        ({"security": "ssl", "certificate_file": "c.pem"}, "certificate_file and key_file belong together"),
        ({"brokers": "a:1,b"}, "brokers: 'b' is not host:port"),
        ({"brokers": "kafka://a:1"}, "brokers: 'kafka://a:1' is not host:port; leave kafka:// out .*: a:1"),
        ({"brokers": "me:word@a:1"}, "brokers: an address holds a user or password; give host:port"),
        ({"session_timeout_seconds": 20}, "session_timeout_seconds must be below request_timeout_seconds"),
    ],
)
def test_settings_of_kafka_that_contradict_each_other_are_refused(given: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        msgspec.convert(given, KafkaSettings)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"transactions_partitions": 0}, "transactions_partitions = 0: give from 1 to"),
        ({"partials_partitions": -1}, "partials_partitions = -1: give from 1 to"),
        ({"transactions_retention_hours": 0}, "transactions_retention_hours = 0: give hours, from 1 to 878,400, or -1"),
        ({"dead_letter_retention_hours": -2}, "dead_letter_retention_hours = -2: give hours"),
        ({"message_bytes": 65_535}, "message_bytes = 65535: from 65536"),
        ({"message_bytes": 8_388_609}, "message_bytes = 8388609: from 65536, which a record may have, to 8388608"),
        ({"prefix": "early warn."}, "prefix = 'early warn.': letters, digits"),
    ],
)
def test_settings_of_topics_are_in_range(given: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        msgspec.convert(given, TopicSettings)


def test_a_dead_letter_holds_any_record_and_both_fit_what_producers_send() -> None:
    for message_bytes in (64 << 10, 1 << 20, 8 << 20):
        topics = TopicSettings(message_bytes=message_bytes)
        assert message_bytes < topics.dead_letter_bytes <= topics.partial_bytes


def test_config_check_shows_what_holds_and_hides_secrets(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    path = write(
        tmp_path,
        'run = "r"\n[kafka]\nsecurity = "sasl_ssl"\nusername = "u"\npassword_file = "secret"\n'
        '[[panels]]\nid = "CH"\ncountries = ["CH"]\n',
    )
    environ = {"EARLYWARN_SERVICE__FLUSH_SECONDS": "0.5", "REDIS_URL": "redis://u:hunter3@h:1", "EARLYWARN_KAFKA": ""}
    shown = CliRunner().invoke(app, ["config", "check", str(path), "--json"], env=environ)
    assert shown.exit_code == 0, shown.output
    assert "hunter" not in shown.output
    plain = json.loads(shown.output)
    assert plain["settings"]["kafka"]["password"] == "***"  # noqa: S105  # that is the point
    assert (
        plain["settings"]["redis"] | {"url": "redis://h:1", "username": "u", "password": "***"}
        == plain["settings"]["redis"]
    )
    assert plain["settings"]["service"]["flush_seconds"] == 0.5
    assert plain["environment"] == {
        "EARLYWARN_SERVICE__FLUSH_SECONDS": "service.flush_seconds",
        "REDIS_URL": "redis.url",
    }
    assert plain["fingerprint"] == compose(load(path, {})).fingerprint
    (tmp_path / "secret").chmod(0o644)
    lines = (
        CliRunner().invoke(app, ["config", "check"], env=environ | {"EARLYWARN_CONFIG": str(path)}).output.splitlines()
    )
    assert lines[0].startswith("CH: Switzerland, CHF, Europe/Zurich, classification mcc ")
    assert "EARLYWARN_SERVICE__FLUSH_SECONDS sets service.flush_seconds" in lines
    assert any(line.startswith("note: kafka.password_file: ") and "chmod o-r" in line for line in lines)
    assert lines[-1] == f"{path}: no problems; fingerprint {plain['fingerprint']}"


def test_config_check_says_all_at_once_with_the_files_name(tmp_path: Path) -> None:
    """Values that cannot be, tables that are not there and what stands between panels are no stages."""
    path = write(
        tmp_path,
        """
        run = "my run!"
        [[panels]]
        id = "A T"
        currency = "XYZ"
        time_zone = "Europe/Wein"
        countries = ["XX"]
        region_level = 7
        pay_day = 42
        classification = "nace9"
        [[panels]]
        id = "A T"
        countries = ["AT"]
        [fold]
        block_size = 0
        lateness_seconds = "x"
        [coverage]
        silent_share = 7
        forget_days = -1
        [redis]
        url = "redis://localhost:6379/abc"
        """,
    )
    finished = CliRunner().invoke(app, ["config", "check", str(path)])
    assert isinstance(finished.exception, ConfigError)
    *lines, of_redis = str(finished.exception).splitlines()
    said = "redis.url = 'redis://localhost:6379/{}': '{}' is no number of a database"
    assert of_redis.startswith(f"{path}: {said.format('abc', 'abc')}")
    elsewhere = CliRunner().invoke(app, ["config", "check", str(path)], env={"REDIS_URL": "redis://localhost:6379/x"})
    assert f"\nenvironment (REDIS_URL): {said.format('x', 'x')}" in str(elsewhere.exception)
    assert all(line.startswith(f"{path}: ") for line in lines)
    starts = [
        "panels[0].region_level = 7",
        "panels[0].pay_day = 42: give from 1 to 28",
        "fold.lateness_seconds = 'x'",
        "fold.block_size = 0",
        "coverage.silent_share = 7.0: give from 0 to below 1",
        "coverage.forget_days = -1: give from 7",
        "run = 'my run!': give letters",
        "panel A T: currency = 'XYZ'",
        "panel A T: time_zone 'Europe/Wein'",
        "panel A T: countries: 'XX': no country of ISO 3166-1; give two capital letters",
        "panel A T: classification 'nace9'",
        "panels: id 'A T' stands twice",
        "panels: id 'A T': give letters",
    ]
    assert len(lines) == len(starts), lines
    for start in starts:
        assert sum(line.startswith(f"{path}: {start}") for line in lines) == 1, start


@pytest.mark.parametrize(
    "url",
    [
        "s3://", "gs://bucket/x", "redis://elsewhere:6379", "s3://user:word@bucket/x", "://bucket", "s3:/bucket",
        "S3://bucket", "s3:bucket", "redis:", "redis:/", "file:/a/folder", "file:///a/folder",
    ],
)  # fmt: skip
def test_places_of_snapshots_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError, match=r"s3://bucket/path, or redis://|holds a user or password"):
        SnapshotSettings(url=url)


@pytest.mark.parametrize(
    "url", ["folder", "/a/folder", "./of:12", "/a:b", "a/b:c", "s3://bucket", "s3://bucket/some/path/", "redis://"]
)
def test_places_of_snapshots(url: str) -> None:
    assert SnapshotSettings(url=url).url == url


def test_what_a_table_lacks_comes_with_its_secrets_that_cannot_be_read(tmp_path: Path) -> None:
    """What follows from a faulty setting alone is not said: neither of `security` here, nor of `username`, misspelt."""
    path = write(
        tmp_path,
        """
        [kafka]
        security = "sasl_ssl"
        brokers = "kafka://a:1"
        password_file = "none"
        [redis]
        url = "redis://h:99999/0"
        password_file = "none"
        """,
    )
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()] == [
        f"kafka.password_file = '{tmp_path}/none': cannot be read: No such file or directory",
        "kafka: brokers: 'kafka://a:1' is not host:port; leave kafka:// out (security says whether TLS is used): a:1",
        "kafka: security = 'sasl_ssl' needs username, and password_file or password",
        f"redis.password_file = '{tmp_path}/none': cannot be read: No such file or directory",
        "redis: url: is no address; the form is redis://host:6379/0",
    ]
    for table in ('security = "sasl"\nusername = "u"\n', 'security = "sasl_ssl"\nusrname = "u"\npassword = "p"\n'):
        with pytest.raises(ConfigError) as caught:
            load(write(tmp_path, "[kafka]\n" + table), {})
        assert len(str(caught.value).splitlines()) == 1


def test_tls_files_that_hold_no_pem_come_with_everything_else_that_is_wrong(tmp_path: Path) -> None:
    """At the start of a service as in `config check`: files of both tables, a user without a password, a panel."""
    (tmp_path / "x.pem").write_text("no certificate")
    path = write(
        tmp_path,
        """
        [redis]
        url = "rediss://h:6379/0"
        username = "me"
        ca_file = "x.pem"
        [kafka]
        security = "ssl"
        ca_file = "x.pem"
        certificate_file = "x.pem"
        key_file = "x.pem"
        [[panels]]
        id = "CH"
        countries = ["CH"]
        time_zone = "Mars"
        """,
    )
    with pytest.raises(ConfigError) as caught:
        compose_from(path, {})
    lines = str(caught.value).splitlines()
    file = tmp_path / "x.pem"
    assert [line.removeprefix(f"{path}: ") for line in lines[:3]] == [
        "redis.username = 'me': give password_file or password with it",
        f"redis.ca_file = '{file}': holds no certificates (PEM): " + lines[1].rpartition("(PEM): ")[2],
        f"kafka.ca_file = '{file}': holds no certificates (PEM): " + lines[2].rpartition("(PEM): ")[2],
    ]
    assert f"kafka.certificate_file = '{file}', key_file = '{file}': no certificate with its unlocked key" in lines[3]
    assert len(lines) == 5
    assert "Mars" in lines[4]
    assert load(path, {"EARLYWARN_REDIS__PASSWORD": "p"}, secrets=False).kafka.ca_file == str(file)
