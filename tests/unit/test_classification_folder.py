"""A user's own classification: a folder that is read, and every fault of it that is named."""

import re
from pathlib import Path

import pytest

from earlywarn.domain.reject import RejectReason
from earlywarn.domain.sector import COICOP, NACE, UNALLOCATED, WHOLE
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications import load_classification

DOCS = Path(__file__).parents[2] / "docs" / "classifications.md"


HEAD = """name = "my-bank"
version = "2026.1"
title = "Categories of my bank"
scheme = "my-bank"
source = "Product catalogue"
"""
FILES = {
    "classification.toml": HEAD,
    "classes.csv": "class,title\nfood,Food\neating-out,Eating out\n",
    "codes.csv": "first,last,class\nR10,,food\n2000,2099,eating-out\n",
    "shares.csv": "class,system,code,weight,judgement\nfood,coicop-2018,01,7500,food\nfood,coicop-2018,02,1500,wine\n",
}


def write(folder: Path, **files: str | None) -> Path:
    """Write a sound folder with some files replaced (`codes=...` is codes.csv) or, by None, left out."""
    contents: dict[str, str | None] = dict(FILES)
    for stem, text in files.items():
        contents["classification.toml" if stem == "head" else f"{stem}.csv"] = text
    for file, text in contents.items():
        if text is not None:
            (folder / file).write_text(text, encoding="utf-8")
    return folder


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_classification(folder)
    first, *lines = str(caught.value).split("\n")
    assert re.search(rf"has {len(lines)} faults?:$", first)
    return [line.strip() for line in lines]


def test_a_folder_of_the_users_is_loaded(tmp_path: Path) -> None:
    table = load_classification(str(write(tmp_path)))
    assert table.class_of(None, "my-bank:2057", None) == "eating-out"
    assert table.class_of(None, "2100", None) is RejectReason.SECTOR_UNKNOWN
    assert table.shares("food", COICOP) == (("01", 7500), ("02", 1500), ("unallocated", 1000))
    assert table.title("eating-out") == "Eating out"


def test_the_folder_that_the_page_shows_is_sound(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## Bring your own")[2]
    for file in FILES:
        shown = re.search(rf"^`{re.escape(file)}`.*?\n\n((?:    .*\n)+)", text, re.MULTILINE)
        assert shown is not None
        (tmp_path / file).write_text(re.sub(r"^    ", "", shown[1], flags=re.MULTILINE), encoding="utf-8")
    assert load_classification(tmp_path).class_of(None, "my-bank:R10", None) == "food"


def test_merchants_and_mccs_of_a_user_are_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        head=HEAD + 'unlisted_mcc = "food"\n',
        merchants="merchant,class\nCafé Müller,eating-out\n",
        mccs="first,last,class\n5811,5814,eating-out\n",
    )
    table = load_classification(folder)
    assert table.class_of("5813", None, None) == "eating-out"
    assert table.class_of("4000", None, None) == "food"
    assert table.class_of(None, None, "CAFÉ MÜLLER") == "eating-out"


def test_without_shares_all_is_unallocated(tmp_path: Path) -> None:
    table = load_classification(write(tmp_path, shares=None))
    assert table.shares("food", NACE) == ((UNALLOCATED, WHOLE),)


def test_a_spreadsheets_mark_line_ends_blank_rows_and_further_columns_do_no_harm(tmp_path: Path) -> None:
    codes = "\ufefffirst, last ,class,note\r\nR10,,food,kiosks\r\n,,,\r\n\r\n 2000 ,2099, eating-out ,\r\n"
    table = load_classification(write(tmp_path, codes=codes))
    assert table.class_of(None, "2001", None) == "eating-out"


def test_an_unknown_name_is_an_error_that_lists_the_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"'merchant-codes'.*coicop-2018, fable, mcc, sparkov, swiss-mcs"):
        load_classification("merchant-codes")
    with pytest.raises(ConfigError, match="nor a folder"):
        load_classification(Path("mcc"))


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"classes": "class,title\nFood,F\n"}, "classes.csv:2: column 'class': 'Food': use lower-case letters"),
        ({"classes": "class,title\na/b,F\n"}, "classes.csv:2: column 'class': 'a/b': use lower-case letters"),
        ({"classes": "class,title\nunallocated,F\n"}, "classes.csv:2: column 'class': 'unallocated': this name stands"),
        ({"classes": "class,title\nfood,\n"}, "classes.csv:2: column 'title': '': give the class a title"),
        ({"classes": "class,title\nfood,F\nfood,G\n"}, "classes.csv:3: column 'class': 'food': already on line 2"),
        ({"classes": FILES["classes.csv"] + "toys,T\n"}, "classes.csv:4: column 'class': 'toys': no code leads to"),
        ({"classes": None}, "classes.csv: cannot be read"),
        ({"codes": "first;last;class\nR10;;food\n"}, "codes.csv:1: no column first, last, class; the first line must"),
        ({"codes": "first,last,class\nR10,,fod\n"}, "codes.csv:2: column 'class': 'fod': no such class"),
        (
            {"codes": "first,last,class\nR10,,food\nR10,,food\n"},
            "codes.csv:3: column 'first': 'R10': code 'R10' is on line 2",
        ),
        (
            {"codes": "first,last,class\nR10,,food\nr10,,food\n"},
            "codes.csv:3: column 'first': 'r10': code 'r10' is on line 2 already as 'R10'",
        ),
        (
            {"codes": "first,last,class\n2000,2099,food\n2099,2110,food\n"},
            "codes.csv:3: column 'first': '2099': code '2099' is on line 2",
        ),
        ({"codes": "first,last,class\n2099,2000,food\n"}, "codes.csv:2: column 'last': '2000': the range ends before"),
        ({"codes": "first,last,class\n200,2000,food\n"}, "codes.csv:2: column 'last': '2000': a range from '200' ends"),
        ({"codes": "first,last,class\nA1,A9,food\n"}, "codes.csv:2: column 'last': 'A9': a range from 'A1' ends"),
        ({"codes": "first,last,class\n000000,999999,food\n"}, "codes.csv:2: column 'last': '999999': more than 100000"),
        ({"codes": "first,last,class\n,,food\n"}, "codes.csv:2: column 'first': '': give a code"),
        (
            {"codes": "first,last,class\nmy-bank:R10,,food\n"},
            "codes.csv:2: column 'first': 'my-bank:R10': write the code",
        ),
        ({"codes": "first,last,class\nRetail, other,,food\n"}, "codes.csv:2: 4 cells under 3 columns; put a text"),
        ({"codes": 'first,last,class\n"R10,,food\n'}, "codes.csv:2: unexpected end of data; close every double quote"),
        ({"codes": None}, "codes.csv: no code leads to a class"),
        ({"mccs": "first,last,class\n541,,food\n"}, "mccs.csv:2: column 'first': '541': an MCC has four digits"),
        ({"merchants": "merchant,class\nA b,food\na  B,food\n"}, "merchants.csv:3: column 'merchant': 'a  B': already"),
        ({"merchants": "merchant,class\n,food\n"}, "merchants.csv:2: column 'merchant': '': give the text"),
        ({"head": HEAD.replace("my-bank", "My Bank")}, "classification.toml: key 'name': 'My Bank': use lower-case"),
        ({"head": HEAD.replace("2026.1", "a b")}, "classification.toml: key 'version': 'a b': use digits, letters"),
        ({"head": HEAD.replace('"2026.1"', "2026")}, "classification.toml: key 'version': 2026: write version = "),
        ({"head": HEAD + 'unlisted_mcc = "rest"\n'}, "classification.toml: key 'unlisted_mcc': 'rest': add this class"),
        ({"head": HEAD + "unlisted = 1\n"}, "classification.toml: key 'unlisted': 1: unknown key; the keys are"),
        ({"head": "name = my-bank\n"}, "classification.toml: not TOML"),
        ({"head": None}, "classification.toml: cannot be read"),
        (
            {"head": HEAD.replace('scheme = "my-bank"', 'scheme = "mcc"'), "mccs": "first,last,class\n"},
            "mccs.csv: the scheme is mcc already",
        ),
    ],
)
def test_a_fault_is_named_with_its_place_and_the_way_out(
    tmp_path: Path, files: dict[str, str | None], fault: str
) -> None:
    assert [line for line in faults_of(write(tmp_path, **files)) if line.startswith(fault)]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("food,coicop-2018,14,1,x", "column 'code': '14': coicop-2018 has 01 to 13"),
        ("food,coicop-2018,1,1,x", "column 'code': '1': coicop-2018 has 01 to 13"),
        ("food,nace-2.1,W,1,x", "column 'code': 'W': nace-2.1 has A to V"),
        ("food,nace-2,G,1,x", "column 'system': 'nace-2': use one of coicop-2018, nace-2.1"),
        ("food,coicop-2018,05,1001,x", "column 'weight': '1001': the weights of food in coicop-2018 come to 10001"),
        ("food,coicop-2018,05,0,x", "column 'weight': '0': use a whole number from 1 to 10000"),
        ("food,coicop-2018,05,0.5,x", "column 'weight': '0.5': use a whole number"),
        ("food,coicop-2018,05,-5,x", "column 'weight': '-5': use a whole number"),
        ("food,coicop-2018,01,5,x", "column 'code': '01': already on line 2"),
        ("fod,coicop-2018,05,5,x", "column 'class': 'fod': no such class"),
        ("food,coicop-2018,05,5,", "column 'judgement': '': say in words"),
    ],
)
def test_a_fault_of_a_share_is_the_only_one_named(tmp_path: Path, row: str, fault: str) -> None:
    lines = faults_of(write(tmp_path, shares=FILES["shares.csv"] + row + "\n"))
    assert len(lines) == 1
    assert lines[0].startswith(f"shares.csv:4: {fault}")


def test_weights_may_come_to_the_whole(tmp_path: Path) -> None:
    table = load_classification(write(tmp_path, shares=FILES["shares.csv"] + "food,coicop-2018,05,1000,x\n"))
    assert table.shares("food", COICOP)[-1] == (UNALLOCATED, 0)


def test_all_faults_of_all_files_come_in_one_error(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        head=HEAD + "colour = 1\n",
        codes=FILES["codes.csv"] + "2050,2060,food\nX,,fod\n",
        merchants="merchant,class\nA,fod\n",
        shares=FILES["shares.csv"] + "food,coicop-2018,15,1,x\n",
    )
    assert [line.split(": ")[0] for line in faults_of(folder)] == [
        "classification.toml",
        "codes.csv:4",
        "codes.csv:5",
        "merchants.csv:2",
        "shares.csv:4",
    ]


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "classes.csv").write_bytes("class,title\nfood,Gemüse\n".encode("latin-1"))
    assert "classes.csv: byte 20 is not UTF-8; save the file as UTF-8" in faults_of(tmp_path)


def test_a_table_of_more_rows_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earlywarn.reference.classifications.rows.ROW_LIMIT", 1)
    assert any(line.startswith("codes.csv:3: more than 1 rows") for line in faults_of(write(tmp_path)))


def test_ranges_that_together_exceed_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earlywarn.reference.classifications.folder.CODE_LIMIT", 100)
    assert any("more than 100 codes in all" in line for line in faults_of(write(tmp_path)))
