"""Faults planted in a clinic: each is found, and told with file, channel, way out."""

import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from capnet.data.clinic.checkup import check_clinic
from capnet.data.clinic.examples import write_example_clinic
from capnet.data.clinic.folder import read_clinic
from tests.fakes.clinics import (
    KEY,
    change_row,
    change_settings,
    copied,
    rewrite,
    rows_of,
    scaled,
    write_rows,
    write_simultaneous,
)

PULLBACK = "records/virtual-01-pullback.csv"
PULSE = "records/virtual-01-pulse.hea"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    root = tmp_path_factory.mktemp("clinic") / "lab"
    return write_example_clinic("catheter_lab", root, people=2, seed=3)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    return write_simultaneous(tmp_path_factory.mktemp("clinic") / "together")


@pytest.fixture
def spoilt(lab, tmp_path):
    return copied(lab, tmp_path / "spoilt")


def found(root, *, file="", channel="", level="error", words=""):
    """Check a clinic and return the problems that fit; every one has a way out."""
    checkup = check_clinic(root, key=KEY)
    for problem in checkup.problems:
        assert problem.what
        assert problem.way_out.endswith(".")
        assert problem.file
    fits = [
        p
        for p in checkup.problems
        if (p.level, p.file) == (level, file or p.file)
        and channel in (p.channel, "")
        and words in p.what
    ]
    assert fits, "\n".join(map(str, checkup.problems))
    return fits


def test_a_missing_file(spoilt):
    (spoilt / PULSE).unlink()
    (problem,) = found(spoilt, file="manifest.csv", words="virtual-01-pulse.hea")
    assert (problem.row, problem.column) == (3, "record")


def test_a_path_out_of_the_folder(spoilt):
    change_row(spoilt, 3, record="../../secret.hea")
    (problem,) = found(spoilt, file="manifest.csv", words="outside the folder")
    assert problem.row == 3


def test_a_cut_file(spoilt):
    path = spoilt / "records" / "virtual-01-pulse_PLETH.dat"
    path.write_bytes(path.read_bytes()[:-500])
    (problem,) = found(spoilt, file=PULSE, words="PLETH")
    assert problem.row == 3


def test_a_flipped_bit(spoilt):
    path = spoilt / "records" / "virtual-01-pulse_PLETH.dat"
    content = bytearray(path.read_bytes())
    content[999] ^= 16
    path.write_bytes(content)
    (problem,) = found(spoilt, file=PULSE, words="checksum")
    assert "PLETH" in problem.channel + problem.what


def test_a_pressure_in_a_unit_that_is_none(spoilt):
    def unnamed(channels):
        return channels | {"AOP": replace(channels["AOP"], unit="NU")}

    rewrite(spoilt, PULLBACK, unnamed)
    problems = found(
        spoilt, file=PULLBACK, channel="aortic", words="no unit of pressure"
    )
    assert problems[0].row == 2


@pytest.mark.parametrize(
    ("name", "given", "channel", "level"),
    [(PULLBACK, "AOP", "aortic", "error"), (PULSE, "ART", "ART", "warning")],
)
def test_kilopascals_under_the_name_of_mmhg(spoilt, name, given, channel, level):
    rewrite(spoilt, name, lambda c: c | {given: scaled(c[given], 1 / 7.50062)})
    (problem, *_) = found(spoilt, file=name, channel=channel, level=level, words="mmHg")
    assert "pressure is 1" in problem.what
    assert "unit" in problem.way_out


def test_swapped_channels(spoilt):
    def swapped(channels):
        light, ecg = channels["PLETH"], channels["II"]
        grid = np.arange(len(light.values)) * 2
        return channels | {
            "PLETH": replace(light, values=ecg.values[grid]),
            "II": replace(ecg, values=np.repeat(light.values, 2)),
        }

    rewrite(spoilt, PULSE, swapped)
    problems = found(spoilt, file=PULSE, words="swapped")
    assert {p.channel for p in problems} & {"PLETH", "II"}


def test_swapped_lines(together, tmp_path):
    """The aorta has the smaller pulse pressure."""
    root = copied(together, tmp_path / "copy")

    def swapped(channels):
        return channels | {"P2": channels["ART"], "ART": channels["P2"]}

    rewrite(root, "records/case0.hea", swapped)
    (problem,) = found(root, words="aortic pulse pressure")
    assert (problem.row, problem.channel) == (2, "aortic")
    assert "swapped" in problem.way_out


def test_a_femoral_line_under_another_name(tmp_path):
    """It comes with the arm's pulse, not before: no name makes it a reference."""
    root = write_example_clinic("vitaldb_art_fem", tmp_path / "v", people=2, seed=3)
    for i in (1, 2):
        name = f"records/virtual-{i:02d}.parquet"
        rewrite(root, name, lambda c: {("P2" if k == "FEM" else k): c[k] for k in c})
    change_settings(
        root, reference_type="simulated", simultaneous=True, names={"P2": "aortic"}
    )
    problems = found(root, channel="aortic", words="after the R peak")
    assert [p.row for p in problems] == [2, 3]
    assert "femoral" in problems[0].way_out


def test_a_pullback_that_comes_with_the_pulse_of_the_arm(spoilt):
    """The same minutes apart, where the heart may have changed: a warning."""

    def elsewhere(channels):
        late = np.roll(channels["AOP"].values, round(0.15 * 250))
        return channels | {"AOP": replace(channels["AOP"], values=late)}

    rewrite(spoilt, "records/virtual-01-pullback.csv", elsewhere)
    (problem,) = found(spoilt, level="warning", words="after the R peak")
    assert (problem.row, problem.channel) == (3, "aortic")


def test_a_line_that_was_not_zeroed(together, tmp_path):
    root = copied(together, tmp_path / "copy")

    def raised(channels):
        aorta = channels["P2"]
        return channels | {"P2": replace(aorta, values=aorta.values + 15.0)}

    rewrite(root, "records/case0.hea", raised)
    (problem,) = found(root, channel="aortic", level="warning", words="mean pressure")
    assert "zero" in problem.way_out


def test_an_impossible_cuff(spoilt):
    change_row(spoilt, 3, cuff_sbp="80", cuff_dbp="120")
    (problem,) = found(spoilt, file="manifest.csv", words="DBP < SBP")
    assert (problem.row, problem.column) == (3, "cuff_sbp")


def test_a_cuff_that_is_somebody_elses(spoilt):
    change_row(spoilt, 3, cuff_sbp="205", cuff_dbp="130")
    problems = found(spoilt, file=PULSE, level="warning", words="arterial line shows")
    assert {p.column for p in problems} == {"cuff_sbp", "cuff_dbp"}


def test_a_subject_in_two_spellings(spoilt):
    change_row(spoilt, 3, subject="Virtual-1")
    problems = found(spoilt, file="manifest.csv", words="two spellings")
    assert problems[0].column == "subject"


def again(root):
    """Give a person's recording to another one, and return its name."""
    for part in (root / "records").glob("virtual-02-pulse*"):
        shutil.copy(part, part.with_name(part.name.replace("02", "09")))
    name = "records/virtual-09-pulse.hea"
    text = (root / name).read_text().replace("virtual-02", "virtual-09")
    (root / name).write_text(text)
    rows = rows_of(root)
    write_rows(root, [*rows, rows[3] | {"subject": "virtual-09", "record": name}])
    return name


def test_the_same_file_under_another_name(spoilt):
    for part in (spoilt / "records").glob("virtual-02-pulse*"):
        shutil.copy(part, part.with_name(part.name.replace("02", "09")))
    path = spoilt / "records" / "virtual-09-pulse.hea"
    path.write_text(path.read_text().replace("virtual-02", "virtual-09"))
    rows = rows_of(spoilt)
    again = rows[3] | {
        "subject": "virtual-09",
        "record": "records/virtual-09-pulse.hea",
    }
    write_rows(spoilt, [*rows, again])
    problems = found(spoilt, file=again["record"], words="bytes of row 5")
    assert "another subject" in problems[0].what
    assert problems[0].row == 6


def test_a_patient_under_two_names_scaled_and_shifted(spoilt):
    """No byte is the same."""

    def disguised(channels):
        gains = {"II": 0.8, "PLETH": 1.7, "ART": 1.05}
        return {k: scaled(s, gains[k], shift=1) for k, s in channels.items()}

    for part in (spoilt / "records").glob("virtual-02-pulse*"):
        shutil.copy(part, part.with_name(part.name.replace("02", "09")))
    path = spoilt / "records" / "virtual-09-pulse.hea"
    path.write_text(path.read_text().replace("virtual-02", "virtual-09"))
    rewrite(spoilt, "records/virtual-09-pulse.hea", disguised)
    rows = rows_of(spoilt)
    again = rows[3] | {
        "subject": "virtual-09",
        "record": "records/virtual-09-pulse.hea",
    }
    write_rows(spoilt, [*rows, again])
    problems = found(spoilt, words="one person under two names")
    assert {p.row for p in problems} == {6}


def test_a_channel_with_a_name_of_its_own(spoilt):
    def renamed(channels):
        return {("Finger" if k == "PLETH" else k): s for k, s in channels.items()}

    rewrite(spoilt, PULSE, renamed)
    (problem, *_) = found(spoilt, file=PULSE, channel="ppg", words="no channel")
    assert '"names"' in problem.way_out
    change_settings(spoilt, names={"AOP": "aortic", "Finger": "ppg"})
    assert check_clinic(spoilt, key=KEY).errors == ()


def test_it_never_stops_at_the_first(spoilt):
    change_row(spoilt, 3, age="300")
    (spoilt / "records" / "virtual-02-pulse.hea").unlink()
    rewrite(spoilt, PULLBACK, lambda c: c | {"AOP": scaled(c["AOP"], 1 / 7.5)})
    checkup = check_clinic(spoilt, key=KEY)
    assert {p.row for p in checkup.errors} >= {2, 3, 5}
    assert len(checkup.records) == 4


def test_what_is_left_is_json_and_a_table(lab):
    checkup = check_clinic(read_clinic(lab, key=KEY))
    content = json.loads(checkup.to_json())
    assert content["headline"] == checkup.headline()
    assert "not simultaneous" in content["headline"]
    assert content["clinic"]["name"] == "catheter_lab"
    first = content["records"][1]
    assert [c["kind"] for c in first["channels"]] == ["ecg", "ppg", "abp"]
    assert [c["sampling_rate"] for c in first["channels"]] == [250.0, 125.0, 125.0]
    assert first["minutes"] == pytest.approx(2.0)
    assert first["change"]["reason"] == ""
    assert [*csv.DictReader(io.StringIO(checkup.to_csv()))] == []
    assert checkup.labelled == checkup.subjects == ("virtual-01", "virtual-02")
    assert len(checkup.tables()) == 2


def test_what_identifies_people_is_in_nothing_that_is_left(together, tmp_path):
    root = copied(together, tmp_path / "copy")
    change_settings(root, licence="Prof. Canary")
    change_row(root, 2, age="Canary", subject="Canary")
    change_row(root, 3, cuff_sbp="20", subject="Case")  # also in the name of its file
    checkup = check_clinic(root, key=KEY)
    assert len(checkup.errors) >= 2
    left = checkup.to_json() + checkup.to_csv() + repr(checkup)
    for word in ("Canary", "Secret", "case1"):
        assert word not in left


def test_progress_and_looks_see_every_recording(lab):
    seen, steps = [], []
    check_clinic(
        lab,
        key=KEY,
        progress=lambda done, total: steps.append((done, total)),
        look=lambda record, beats, row: seen.append((row.number, beats is None)),
    )
    assert seen == [(2, True), (3, False), (4, True), (5, False)]
    assert steps == [(n, 4) for n in range(1, 5)]


def test_what_is_no_clinic_has_one_error(tmp_path):
    checkup = check_clinic(tmp_path, key=KEY)
    assert [p.file for p in checkup.errors] == ["clinic.json"]
    assert checkup.headline() == "No clinic: 1 errors."
    assert json.loads(checkup.to_json())["clinic"] is None
