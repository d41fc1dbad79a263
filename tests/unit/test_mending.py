"""Mending: fields set or removed, files of mended records, and what stays rejected."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earlywarn.adapters.kafka.dead_letters import Letter
from earlywarn.application.compose import Run, compose
from earlywarn.application.mending import mended, parse_mend, refusal
from earlywarn.application.settings import load
from earlywarn.cli.app import app
from earlywarn.cli.mended_letters import MendedLetters, read_edits
from earlywarn.errors import InputError

PANEL = '[[panels]]\nid = "CH"\nname = "Switzerland"\ncountries = ["CH"]\nclassification = "swiss-mcs"\n'
RECORD = {
    "id": "m", "ts": 1551702896000, "amount_minor": 700, "currency": "CHF", "sector": "Accommodation",
    "region": "XX", "country": "CH",
}  # fmt: skip
VALUE = json.dumps(RECORD).encode()
RECEIVED_MS = 1551702999000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("mending") / "run.toml"
    path.write_text(PANEL)
    return compose(load(path, {}))


def letter(value: bytes | None, reason: str = "region_unknown", offset: int = 1) -> Letter:
    return Letter(0, offset, 0, reason, "region", "", RECEIVED_MS, value, 0)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("mcc=5411", ("mcc", "5411")),
        ("amount_minor=-5", ("amount_minor", -5)),
        ("ts=2020-03-01T12:00:00+01:00", ("ts", "2020-03-01T12:00:00+01:00")),
        ("card=", ("card", None)),
        ("merchant=a=b", ("merchant", "a=b")),
    ],
)
def test_a_mend_is_field_and_value(text: str, field: tuple[str, object]) -> None:
    assert parse_mend(text) == field


@pytest.mark.parametrize("text", ["region", "nonsense=1", "=1"])
def test_a_mend_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="the form is FIELD=VALUE"):
        parse_mend(text)


@pytest.mark.parametrize("value", ["²", "٣", "1.5", "-", "--1", "ten", "1" * 5_000])
@pytest.mark.parametrize("name", ["amount_minor", "count", "v"])
def test_a_mend_of_a_number_is_a_whole_number(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{name} is a whole number"):
        parse_mend(f"{name}={value}")


def test_a_mend_that_cannot_be_is_bad_usage() -> None:
    told = CliRunner().invoke(app, ["dlq", "replay", "--mend", "amount_minor=²"])
    assert told.exit_code == 2
    assert "amount_minor is a whole number" in told.stderr


@pytest.mark.parametrize("value", ["²", "1" * 5_000])
def test_a_mend_of_a_time_may_be_text(value: str) -> None:
    """It is rejected as any other time that cannot be read."""
    assert parse_mend(f"ts={value}") == ("ts", value)


def test_mends_set_and_remove_fields() -> None:
    value = mended(VALUE, {"region": "CH04", "sector": None})
    assert value is not None
    assert json.loads(value) == {name: each for name, each in RECORD.items() if name != "sector"} | {"region": "CH04"}


def test_fields_that_are_not_mended_stay_as_they_are_written() -> None:
    """Not even read: a dead letter may have megabytes; what says that a field is absent goes."""
    value = b'{"region":"XX","v":1.50,"x":[1, {"y":1e400}],"number":123456789012345678901234567890,"card":null}'
    mends = {"region": "CH04"}
    assert mended(value, mends) == value.replace(b"XX", b"CH04").replace(b',"card":null', b"")


@pytest.mark.parametrize("value", [None, b"", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_stays_as_it_is(value: bytes | None) -> None:
    assert mended(value, {"region": "CH04"}) == value


def test_the_panel_is_asked(run: Run) -> None:
    assert refusal(run, mended(VALUE, {"region": "CH04"}), RECEIVED_MS) is None
    for mends, reason in (
        ({}, "region_unknown"),
        ({"region": "CH04", "ts": RECEIVED_MS + 10**9}, "time_in_future"),
        ({"region": "CH04", "amount_minor": -1}, "amount_out_of_range"),
        ({"region": "CH04", "currency": "EUR"}, "currency_no_rate"),
    ):
        found = refusal(run, mended(VALUE, mends), RECEIVED_MS)
        assert found is not None
        assert found.reason.value == reason


def test_what_was_too_late_stays_so_with_its_time(run: Run) -> None:
    late = [letter(VALUE, "too_late", 1), letter(VALUE, "too_late", 2)]
    good = json.dumps(RECORD | {"region": "CH04"}).encode()
    later = json.dumps(RECORD | {"region": "CH04", "ts": RECEIVED_MS}).encode()
    letters = MendedLetters(run, late, {}, {"0/1/0": good, "0/2/0": later})
    assert [(each.key, value) for each, value in letters] == [("0/2/0", later)]
    assert [(each.key, each.reason) for each in letters.unmendable] == [("0/1/0", "too_late")]
    assert (letters.refused, letters.seen) == (1, {"0/1/0", "0/2/0"})


def test_a_copy_stays_one_until_it_has_an_id_of_its_own(run: Run) -> None:
    good = json.dumps(RECORD | {"region": "CH04"}).encode()
    other = json.dumps(RECORD | {"region": "CH04", "id": "another payment"}).encode()
    letters = MendedLetters(run, [letter(good, "duplicate", 1), letter(good, "duplicate", 2)], {}, {"0/2/0": other})
    assert [(each.key, value) for each, value in letters] == [("0/2/0", other)]
    assert [(each.key, each.reason) for each in letters.unmendable] == [("0/1/0", "duplicate")]


def test_what_was_re_entered_before_is_passed_over_and_what_nobody_can_tell_is_left(run: Run) -> None:
    """It is asked of those alone that would be accepted: the answer may take the reading of a log."""
    known = {"0/1/0": True, "0/2/0": False, "0/3/0": None}
    good = json.dumps(RECORD | {"region": "CH04"}).encode()
    letters = MendedLetters(
        run,
        [letter(VALUE, offset=offset) for offset in (1, 2, 3, 4)],
        {},
        dict.fromkeys(known, good),
        lambda each: known[each.key],
    )
    assert [each.key for each, _ in letters] == ["0/2/0"]
    assert (letters.passed_over, letters.refused) == (1, 2)
    assert [str(each)[:21] for each in letters.unmendable] == ["0/3/0: still region_u", "0/4/0: still region_u"]
    assert "retention has taken its record" in letters.unmendable[0].detail


def test_edits_are_texts_objects_or_bytes(tmp_path: Path) -> None:
    path = tmp_path / "edit.jsonl"
    lines = [
        {"key": "0/1/0", "value": "text", "reason": "not_json"},
        {"key": "0/2/0", "value": {"id": "x"}},
        {"key": "0/3/0", "value_base64": b64encode(b"\xff").decode()},
        {"key": "0/4/0", "value": None},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    assert read_edits(path) == {"0/1/0": b"text", "0/2/0": b'{"id":"x"}', "0/3/0": b"\xff", "0/4/0": None}


def test_every_bad_line_of_edits_is_named(tmp_path: Path) -> None:
    path = tmp_path / "edit.jsonl"
    path.write_text(
        '{"key":"0/1/0","value":"a"}\nnonsense\n{"key":"0/2/0"}\n{"key":"0/3/0","value":7}\n'
        '{"key":"0/1/0","value":"b"}\n{"key":"0/4/0","value_base64":"?"}\n'
    )
    with pytest.raises(InputError) as raised:
        read_edits(path)
    assert [line.split(":")[1] for line in str(raised.value).split("\n")] == ["2", "3", "4", "5", "6"]
