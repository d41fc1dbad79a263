"""The environment over the file, secrets from files: each value by its type, each mistake with its name."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.application.environment import (
    PUBLIC_NAMES,
    Secret,
    check_file,
    overlay,
    read_secret,
    remarks,
    variables,
    wanted,
)
from earlywarn.application.service_settings import KafkaSettings, RedisSettings
from earlywarn.application.settings import Settings, load
from earlywarn.errors import ConfigError


def problems_of(environ: dict[str, str], path: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return str(caught.value).splitlines()


def test_every_setting_has_a_variable_and_takes_its_own_default_from_it() -> None:
    """What a variable spells out in full is the default again, so every type can be written in the environment."""
    defaults = Settings()
    spelled: dict[str, str] = {}
    for name, (place, _) in variables(Settings).items():
        value: object = defaults
        for step in place.split("."):
            value = getattr(value, step)
        if name not in PUBLIC_NAMES:
            plain = value.reveal() if isinstance(value, Secret) else value
            spelled[name] = plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
    assert len(spelled) > 80
    snapshots = msgspec.structs.replace(defaults.snapshots, url=str(Path("snapshots").absolute()))
    assert load(None, spelled) == msgspec.structs.replace(defaults, snapshots=snapshots)


@pytest.mark.parametrize(
    ("name", "text", "place", "value"),
    [
        ("EARLYWARN_SERVICE__FLUSH_SECONDS", "0.25", "service.flush_seconds", 0.25),
        ("EARLYWARN_SERVICE__PORT", "0", "service.port", 0),
        ("EARLYWARN_EXERCISE", "true", "exercise", True),
        ("EARLYWARN_EXERCISE", "0", "exercise", False),
        ("EARLYWARN_SERVICE__LOG_LEVEL", "debug", "service.log_level", "debug"),
        ("EARLYWARN_DETECTION__ONSET__CLIP", "3.5", "detection.onset.clip", 3.5),
        (
            "EARLYWARN_ALERTS__SEVERITY_PROBABILITIES",
            "[0.5, 0.6, 0.7]",
            "alerts.severity_probabilities",
            (0.5, 0.6, 0.7),
        ),
        ("EARLYWARN_KAFKA", "one:1,two:2", "kafka.brokers", "one:1,two:2"),
        ("EARLYWARN_RUN", "replay-7", "run", "replay-7"),
        ("REDIS_URL", "redis://here:1/2", "redis.url", "redis://here:1/2"),
    ],
)
def test_a_variable_sets_its_place_over_the_file(
    tmp_path: Path, name: str, text: str, place: str, value: object
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('run = "file"\n[service]\nflush_seconds = 9.0\nport = 9\n[kafka]\nbrokers = "file:9"\n')
    found: object = load(path, {name: text, "PATH": "/bin", "HOME": "/"})
    for step in place.split("."):
        found = getattr(found, step)
    assert found == value


def test_panels_can_stand_in_the_environment() -> None:
    settings = load(None, {"EARLYWARN_PANELS": '[{ id = "A", countries = ["CH"] }, { id = "B", pay_day = 1 }]'})
    assert [(panel.id, panel.countries, panel.pay_day) for panel in settings.panels] == [
        ("A", ("CH",), 25),
        ("B", (), 1),
    ]
    assert problems_of({"EARLYWARN_PANELS": '[{ name = "x" }]'}) == [
        "environment (EARLYWARN_PANELS): panels[0].id: is required"
    ]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        (
            "EARLYWARN_SERVICE__FLUSH_SECONDS",
            "soon",
            "environment: EARLYWARN_SERVICE__FLUSH_SECONDS = 'soon': give a number",
        ),
        ("EARLYWARN_SERVICE__PORT", "80.5", "environment: EARLYWARN_SERVICE__PORT = '80.5': give a whole number"),
        ("EARLYWARN_EXERCISE", "perhaps", "environment: EARLYWARN_EXERCISE = 'perhaps': give true or false"),
        (
            "EARLYWARN_SERVICE__LOG_LEVEL",
            "loud",
            "environment: EARLYWARN_SERVICE__LOG_LEVEL = 'loud': give one of debug, info, warning, error",
        ),
        (
            "EARLYWARN_ALERTS__SEVERITY_PROBABILITIES",
            "[0.5",
            "environment: EARLYWARN_ALERTS__SEVERITY_PROBABILITIES = '[0.5': give a list of 3, such as [0.5, 0.5, 0.5]",
        ),
        (
            "EARLYWARN_ALERTS__SEVERITY_PROBABILITIES",
            "[0.5]",
            (
                "environment (EARLYWARN_ALERTS__SEVERITY_PROBABILITIES): alerts.severity_probabilities = [0.5]: "
                "give a list of 3, such as [0.5, 0.5, 0.5]"
            ),
        ),
        (
            "EARLYWARN_PANELS",
            "[]\nrun = 1",
            "environment: EARLYWARN_PANELS = '[]\\nrun = 1': give a list such as [{ id = \"CH\" }]",
        ),
        (
            "EARLYWARN_SERVICE__IDLE_SECONDS",
            "nan",
            "environment (EARLYWARN_SERVICE__IDLE_SECONDS): service.idle_seconds = nan: give a finite number",
        ),
        (
            "EARLYWARN_SERVICE__FLUSH_SECOND",
            "1",
            (
                "environment: EARLYWARN_SERVICE__FLUSH_SECOND: no such setting; "
                "did you mean EARLYWARN_SERVICE__FLUSH_SECONDS?"
            ),
        ),
        (
            "EARLYWARN_CONFIGURATION",
            "x",
            "environment: EARLYWARN_CONFIGURATION: no such setting; did you mean EARLYWARN_CONFIG?",
        ),
    ],
)
def test_a_mistake_is_named_with_its_variable_and_the_way_out(name: str, text: str, line: str) -> None:
    assert problems_of({name: text}) == [line]


def test_one_place_under_two_names_is_a_mistake_unless_they_agree() -> None:
    both = {"EARLYWARN_KAFKA": "one:1", "EARLYWARN_KAFKA__BROKERS": "two:2"}
    assert problems_of(both) == [
        "environment: EARLYWARN_KAFKA and EARLYWARN_KAFKA__BROKERS both set kafka.brokers; keep one of them"
    ]
    assert load(None, both | {"EARLYWARN_KAFKA": "two:2"}).kafka.brokers == "two:2"


def test_an_empty_public_name_counts_as_not_given() -> None:
    assert (
        load(None, {"EARLYWARN_KAFKA": "", "REDIS_URL": "", "EARLYWARN_RUN": "", "EARLYWARN_CONFIG": ""}) == Settings()
    )


def test_names_that_kubernetes_gives_every_pod_are_no_settings_but_a_single_underscore_is_a_mistake() -> None:
    links = {
        "EARLYWARN_FEED_SERVICE_HOST": "10.0.0.7",
        "EARLYWARN_FEED_SERVICE_PORT": "8080",
        "EARLYWARN_FEED_SERVICE_PORT_HTTP": "8080",
        "EARLYWARN_FEED_PORT": "tcp://10.0.0.7:8080",
        "EARLYWARN_FEED_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "EARLYWARN_FEED_PORT_8080_TCP_PROTO": "tcp",
        "EARLYWARN_FEED_PORT_8080_TCP_PORT": "8080",
        "EARLYWARN_FEED_PORT_8080_TCP_ADDR": "10.0.0.7",
    }
    assert load(None, links) == Settings()
    assert problems_of({"EARLYWARN_SERVICE_HOST": "0.0.0.0"}) == [  # noqa: S104  # a value, nothing binds
        "environment: EARLYWARN_SERVICE_HOST: no such setting; did you mean EARLYWARN_SERVICE__HOST?"
    ]


@given(st.dictionaries(st.sampled_from(sorted(variables(Settings))), st.text(max_size=20), max_size=6))
def test_any_text_in_the_environment_gives_settings_or_lines_that_name_a_variable(environ: dict[str, str]) -> None:
    try:
        settings = load(None, environ)
    except ConfigError as error:
        for line in str(error).split("\n"):
            assert any(name in line for name in environ), line
    else:
        assert isinstance(settings, Settings)


def test_the_overlay_leaves_what_the_environment_does_not_name() -> None:
    plain = {"service": {"port": 1, "host": "h"}, "run": "r"}
    problems: list[str] = []
    given_names = overlay(Settings, plain, {"EARLYWARN_SERVICE__PORT": "2", "OTHER": "x"}, problems)
    assert (plain, given_names, problems) == (
        {"service": {"port": 2, "host": "h"}, "run": "r"},
        {"service.port": "EARLYWARN_SERVICE__PORT"},
        [],
    )


# --- secrets


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("hunter2")
    kafka = KafkaSettings(security="sasl_ssl", username="u", password=secret)
    assert secret.reveal() == "hunter2"
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", repr(kafka), repr(Settings(kafka=kafka))):
        assert "hunter2" not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(kafka)
    assert bool(secret)
    assert not Secret()
    assert {secret, Secret("hunter2")} == {secret}
    assert secret != "hunter2"  # noqa: S105  # no secret: that text is not equal to it


def test_a_secret_file_loses_one_newline_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for content, expected in ((b"s3\n", "s3"), (b"s3\r\n", "s3"), (b" s3 \n\n", " s3 \n"), ("ü".encode(), "ü")):
        path.write_bytes(content)
        assert read_secret(path) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"x" * 65_537, "is larger than 65536 bytes"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_without_its_content(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        read_secret(path)


def test_files_must_be_readable_and_not_for_everyone_to_write(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        check_file(path)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        check_file(tmp_path)
    path.write_text("x")
    path.chmod(0o646)
    with pytest.raises(ConfigError, match=r"anyone may write it \(mode 646\); run: chmod o-w"):
        check_file(path)
    path.chmod(0o644)
    check_file(path)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_secret_that_everyone_may_read_is_remarked_and_a_certificate_is_not(tmp_path: Path) -> None:
    password, key, ca = (tmp_path / name for name in ("password", "key.pem", "ca.pem"))
    for path in (password, key, ca):
        path.write_text("x")
        path.chmod(0o644)
    kafka = KafkaSettings(
        security="sasl_ssl",
        username="u",
        password_file=str(password),
        ca_file=str(ca),
        certificate_file=str(ca),
        key_file=str(key),
    )
    settings = Settings(kafka=kafka, redis=RedisSettings())
    found = remarks(settings)
    assert [line.partition(":")[0] for line in found] == ["kafka.password_file", "kafka.key_file"]
    assert all("(mode 644); run: chmod o-r" in line for line in found)
    for path in (password, key):
        path.chmod(0o640)
    assert remarks(settings) == []


def test_words_for_every_type_that_a_setting_has() -> None:
    assert {wanted(hint) for _, hint in variables(Settings).values()} >= {
        "a whole number",
        "a number",
        "true or false",
        "text in quotes",
        "one of plaintext, ssl, sasl_plaintext, sasl_ssl",
    }
    assert wanted(dict[str, str]) == 'a table such as { key = "text" }'
    assert wanted(int | None) == "a whole number or nothing"
