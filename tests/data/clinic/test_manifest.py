"""What a clinic's folder says of itself: everything wrong is told, nobody is named."""

import json

import pytest

from capnet.data.clinic.manifest import FORMAT, Problem, read_manifest, read_settings

SECRET = "Zaphod"
GOOD = {
    "format": FORMAT,
    "name": "here",
    "reference_type": "catheter",
    "simultaneous": False,
    "calibration": "cuff SBP/DBP",
}
HEAD = "subject,record,role,age,height_m,sex,cuff_sbp,cuff_dbp,cuff_time_s"
ROWS = (
    f"{SECRET},a.hea,monitor,61,1.75,m,120,80,-60",
    f"{SECRET},b.csv,reference,61,,,,,",
)


def settings_of(tmp_path, **changes):
    path = tmp_path / "clinic.json"
    path.write_text(json.dumps(GOOD | changes))
    return read_settings(path)


def manifest_of(tmp_path, *lines, head=HEAD, encoding="utf-8", **settings):
    known, problems = settings_of(tmp_path, **settings)
    assert not problems
    text = "\n".join([head, *lines]) + "\n"
    (tmp_path / "manifest.csv").write_text(text, encoding=encoding)
    rows, found = read_manifest(tmp_path, known, label=lambda who: f"p-{len(who)}")
    assert SECRET not in "".join(map(str, found)) + repr(rows) + repr(known)
    return rows, found


def test_a_good_manifest_is_read(tmp_path):
    rows, problems = manifest_of(tmp_path, *ROWS)
    assert problems == []
    first, second = rows
    assert (first.number, first.subject, first.record) == (2, "p-6", "a.hea")
    assert (first.age, first.covariates) == (61.0, {"height": 1.75, "male": 1.0})
    (cuff,) = first.cuffs
    assert (cuff.time, cuff.sbp, cuff.dbp, cuff.site) == (
        -60.0,
        120.0,
        80.0,
        "brachial",
    )
    assert (second.role, second.cuffs, second.covariates) == ("reference", (), {})


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_of_all_countries_are_read_alike(tmp_path, mark, encoding):
    lines = [line.replace(",", mark) for line in ROWS]
    if mark != ",":
        lines = [line.replace("1.75", "1,75") for line in lines]
    head = HEAD.replace(",", mark)
    rows, problems = manifest_of(tmp_path, *lines, head=head, encoding=encoding)
    assert problems == []
    assert rows[0].covariates["height"] == 1.75


def test_what_a_spreadsheet_leaves_behind_does_not_matter(tmp_path):
    """Emptied columns and rows, Windows line ends, rows without their last cells."""
    lines = [f"{ROWS[0]},,\r", ROWS[1].rstrip(",") + "\r", ",,,,,,,,,,\r", "\r"]
    rows, problems = manifest_of(tmp_path, *lines, head=f"{HEAD},,\r")
    assert problems == []
    assert rows == manifest_of(tmp_path, *ROWS)[0]
    _, problems = manifest_of(tmp_path, f"{ROWS[0]},7", *ROWS)
    (problem,) = [p for p in problems if "cells" in p.what]
    assert (problem.row, problem.what) == (2, "the row has 10 cells; wanted 9.")


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        (f"{SECRET},a.hea,monitor,161,,,,,", "age", "161; wanted 1 to 119 years"),
        (f"{SECRET},a.hea,monitor,,175,,,,", "height_m", "175; wanted 0.3 to 2.75 m"),
        (f"{SECRET},a.hea,monitor,{SECRET},,,,,", "age", "no number"),
        (f"{SECRET},a.hea,monitor,nan,,,,,", "age", "no finite number"),
        (f"{SECRET},a.hea,patient,,,,,,", "role", "wanted one of monitor, reference"),
        (f"{SECRET},a.hea,monitor,,,{SECRET},,,", "sex", "wanted one of f, m"),
        (f"{SECRET},a.hea,monitor,,,,80,120,", "cuff_sbp", "DBP < SBP"),
        (f"{SECRET},a.hea,monitor,,,,120,,", "cuff_dbp", "empty"),
        (",a.hea,monitor,,,,120,80,", "subject", "empty"),
        (f"{SECRET},,monitor,,,,120,80,", "record", "empty"),
        (f"{SECRET},a.hea,monitor,,,,900,80,", "cuff_sbp", "900; wanted 20 to 300"),
    ],
)
def test_an_impossible_cell_is_told_by_row_and_column(tmp_path, line, column, words):
    _, problems = manifest_of(tmp_path, *ROWS, line)
    found = [p for p in problems if p.row == 4 and p.column == column]
    assert found, problems
    assert words in found[0].what
    assert found[0].way_out
    if column in ("subject", "record", "role"):
        assert "leave it empty" not in found[0].way_out
    assert found[0].file == "manifest.csv"


def test_all_cells_are_told_at_once(tmp_path):
    lines = [f"{SECRET},{n}.hea,monitor,{200 + n},9,x,1,2," for n in range(3)]
    _, problems = manifest_of(tmp_path, *lines)
    told = {(p.row, p.column) for p in problems if p.level == "error"}
    columns = ("age", "height_m", "sex", "cuff_sbp", "cuff_dbp")
    assert {(row, c) for row in (2, 3, 4) for c in columns} <= told


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (f"subject,record,role,{SECRET}", "column 4 is unknown"),
        ("subject,record,role,cuff_spb", "Is 'cuff_sbp' meant?"),
        ("subject,record,role,age,age", "two columns are called 'age'"),
        ("subject,record", "no column 'role'"),
    ],
)
def test_heads_are_strict_and_never_repeated(tmp_path, head, words):
    rows, problems = manifest_of(tmp_path, head=head)
    assert not rows
    assert any(words in p.what for p in problems)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("zaphod", True),
        ("ZAPHOD", True),
        ("Za-phod", True),
        ("Zaphod2", False),
        ("Trillian", False),
    ],
)
def test_a_subject_in_two_spellings(tmp_path, other, same):
    _, problems = manifest_of(tmp_path, ROWS[0], f"{other},c.hea,monitor,,,,120,80,")
    found = [p for p in problems if p.column == "subject"]
    assert bool(found) == same
    assert all((p.row, p.level) == (3, "error") for p in found)


def test_leading_zeros_are_a_spelling_and_other_numbers_are_not(tmp_path):
    lines = [
        f"{who},{i}.hea,monitor,,,,120,80,"
        for i, who in enumerate(("p01", "p1", "p10", "p100", "01-1", "0-11"))
    ]
    _, problems = manifest_of(tmp_path, *lines)
    assert {p.row for p in problems if p.column == "subject"} == {3}


@pytest.mark.parametrize(
    ("lines", "column", "words"),
    [
        ([ROWS[0], ROWS[0]], "record", "row 2 has the same record"),
        ([ROWS[1]], "role", "no recording of a monitor"),
        ([*ROWS, f"{SECRET},c.csv,reference,,,,,,"], "role", "row 3 already"),
        ([*ROWS, f"{SECRET},c.hea,monitor,44,,,120,80,"], "age", "than in row 2"),
        ([*ROWS, f"{SECRET},c.hea,monitor,,,f,120,80,"], "sex", "than in row 2"),
    ],
)
def test_rows_that_disagree(tmp_path, lines, column, words):
    _, problems = manifest_of(tmp_path, *lines)
    found = [p for p in problems if p.column == column and p.level == "error"]
    assert found
    assert words in found[0].what


def test_what_is_only_a_pity_is_a_warning(tmp_path):
    _, problems = manifest_of(tmp_path, f"{SECRET},a.hea,monitor,,,,,,")
    assert {p.level for p in problems} == {"warning"}
    assert {"no reference recording", "no cuff reading"} <= {
        p.what.removeprefix("this person has ").removeprefix("there is ").rstrip(".")
        for p in problems
    }


def test_further_readings_come_from_a_table_of_their_own(tmp_path):
    (tmp_path / "cuffs.csv").write_text(
        "record,time_s,sbp,dbp\na.hea,30,130,85\nnone.hea,1,120,80\na.hea,3,50,80\n"
    )
    rows, problems = manifest_of(tmp_path, *ROWS)
    assert [c.sbp for c in rows[0].cuffs] == [120.0, 130.0]
    assert {(p.file, p.row, p.column) for p in problems} == {
        ("cuffs.csv", 3, "record"),
        ("cuffs.csv", 4, "sbp"),
    }


def test_what_is_no_table_is_told(tmp_path):
    known, _ = settings_of(tmp_path)
    path = tmp_path / "manifest.csv"
    for content, words in [
        (f"subject,record,role\n{SECRET}ü,a,monitor".encode("latin-1"), "not UTF-8"),
        (b"", "0 rows"),
        (b'subject,record,role\n"a', "no table"),
        (b"subject,record,role\n", "no row"),
        (b"subject,record,role\na,b\n", "the cell is empty"),
        (b"\xff\xfea", "not UTF-16"),
    ]:
        path.write_bytes(content)
        _, problems = read_manifest(tmp_path, known, label=str)
        assert [p for p in problems if words in p.what], (content, problems)
        assert SECRET not in "".join(map(str, problems))


# clinic.json


def test_settings_are_read_and_free_text_is_forgotten(tmp_path):
    found, problems = settings_of(tmp_path, notes=SECRET, licence=SECRET)
    assert problems == []
    assert (found.name, found.simultaneous, found.sync) == ("here", False, "unknown")
    assert SECRET not in repr(found) + found.model_dump_json()
    assert found.notes == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reference_typ": SECRET}, "'reference_type' meant?"),
        ({SECRET: 1}, "a key is unknown; known are"),
        ({"simultaneous": None}, "simultaneous is wanted"),
        ({"reference_type": "none"}, "simultaneous is wanted"),
        ({"simultaneous": "yes"}, "simultaneous"),
        ({"simultaneous": True}, "sync 'trusted'"),
        ({"virtual": True}, "belong together"),
        ({"reference_type": "simulated"}, "belong together"),
        ({"calibration": "exact"}, "calibration"),
        ({"name": "a clinic/.."}, "name"),
        ({"names": {"P1": "femur"}}, "no known kind"),
        ({"names": {"FEM": "aortic"}}, "femoral line, which is not aortic"),
        ({"format": "capnet clinic 2"}, "format"),
    ],
)
def test_wrong_settings_are_told_without_what_they_hold(tmp_path, changes, words):
    found, problems = settings_of(tmp_path, **changes)
    assert found is None
    assert any(words in p.what for p in problems), problems
    assert SECRET not in "".join(map(str, problems))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON at line 1"),
        ("[1]", "mapping"),
        ("[" * 100_000, "no JSON"),
        ('{"name": "a", "name": "b"}', "twice"),
    ],
)
def test_what_is_no_json_is_told(tmp_path, text, words):
    path = tmp_path / "clinic.json"
    path.write_text(text)
    found, problems = read_settings(path)
    assert found is None
    assert words in problems[0].what or "valid dictionary" in problems[0].what


def test_a_problem_says_where():
    problem = Problem(
        *("error", "a.hea", "it rings.", "Flush it."),
        **{"row": 3, "channel": "ART", "time": 1.5, "sample": 7},
    )
    told = "a.hea, row 3, channel 'ART', 1.5 s, sample 7"
    assert str(problem) == f"error: {told}: it rings. Flush it."
