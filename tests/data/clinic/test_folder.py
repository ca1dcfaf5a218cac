"""A clinic's folder, as records and as beats."""

from dataclasses import replace

import numpy as np
import pytest

from capnet.data.clinic.checkup import check_clinic
from capnet.data.clinic.examples import write_example_clinic
from capnet.data.clinic.folder import (
    clinic_beats,
    open_clinic,
    person_beats,
    read_clinic,
    sources_of,
)
from capnet.data.privacy.pseudonyms import pseudonym
from capnet.data.readers import read_record
from capnet.data.writers.records import write_record
from capnet.errors import RecordError
from capnet.records import Beats
from tests.fakes.clinics import (
    KEY,
    change_row,
    change_settings,
    copied,
    rewrite,
    rows_of,
    write_rows,
    write_simultaneous,
)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    return write_simultaneous(tmp_path_factory.mktemp("clinic") / "together")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    root = tmp_path_factory.mktemp("clinic") / "lab"
    return write_example_clinic("catheter_lab", root, people=2, seed=3)


def test_people_get_pseudonyms_at_the_door(together):
    folder = read_clinic(together, key=KEY)
    names = [pseudonym(f"Case-{i}", key=KEY) for i in range(2)]
    assert folder.subjects == tuple(names)
    for _, record in folder.records():
        assert record.subject in names
        told = f"{record!r} {record.source} {record.files}"
        assert "ase" not in told.replace("case", "")
        assert "case0" not in told
    assert "Case" not in repr(folder)


def test_virtual_names_stay_where_nobody_exists(lab, tmp_path):
    assert read_clinic(lab, key=KEY).subjects == ("virtual-01", "virtual-02")
    real = copied(lab, tmp_path / "real")
    change_settings(real, virtual=False, reference_type="catheter")
    assert all(s.startswith("p-") for s in read_clinic(real, key=KEY).subjects)


def test_what_the_manifest_says_is_on_the_record(together):
    folder = read_clinic(together, key=KEY)
    row, record = next(folder.records())
    assert row.number == 2
    assert record.covariates == {"height": 1.7, "male": 0.0}
    assert (record.sync, record.reference_type) == ("trusted", "simulated")
    assert set(record.channels) == {"II", "PLETH", "ART", "aortic"}
    (cuff,) = record.cuffs
    assert (cuff.sbp, cuff.dbp, record.calibration) == (120.0, 75.0, "cuff SBP/DBP")
    assert len(record.files) >= 2
    assert record.source == "together, row 2"


def test_beats_of_everybody_with_their_own_references(together):
    folder = read_clinic(together, key=KEY)
    beats = clinic_beats(folder)
    assert tuple(beats.subjects) == folder.subjects
    assert {*beats.truth["simultaneous"]} == {1.0}
    good = beats.usable()
    known = np.isfinite(good.reference).all(axis=1)
    assert known.mean() > 0.95
    assert np.ptp(good.reference[known].max(axis=1)) > 2.0  # each beat has its own
    assert np.isfinite(good.cuff).all()
    assert {*beats.features["height"]} == {1.7}
    for subject in folder.subjects:
        mine = beats.of([subject])
        np.testing.assert_array_equal(mine.beat, np.arange(len(mine)))
        alone = person_beats(folder, subject)
        np.testing.assert_array_equal(alone.reference, mine.reference)


def test_a_pullback_is_shared_by_all_beats_and_said_to_be_apart(lab):
    folder = read_clinic(lab, key=KEY)
    for subject in folder.subjects:
        beats = person_beats(folder, subject)
        assert {*beats.truth["simultaneous"]} == {0.0}
        assert np.ptp(beats.reference, axis=0).max() == 0.0


def test_a_person_whose_state_changed_has_no_reference(lab, tmp_path):
    root = copied(lab, tmp_path / "lab")

    def raised(channels):
        aorta = channels["AOP"]
        return channels | {"AOP": replace(aorta, values=aorta.values + 30.0)}

    rewrite(root, "records/virtual-01-pullback.csv", raised)
    beats = person_beats(read_clinic(root, key=KEY), "virtual-01")
    assert np.isnan(beats.reference).all()
    assert beats.reference_type == "simulated"


def test_each_pulse_is_held_against_the_reference_by_itself(lab, tmp_path):
    """One hour later the pressure is another one: that pulse has no label."""
    root = copied(lab, tmp_path / "lab")
    record = read_record(root / "records/virtual-01-pulse.hea")
    line = record.channels["ART"]
    raised = {**record.channels, "ART": replace(line, values=line.values + 30.0)}
    write_record(replace(record, channels=raised), root / "records" / "later.csv")
    rows = rows_of(root)
    write_rows(root, [*rows, rows[1] | {"record": "records/later.csv"}])
    folder = read_clinic(root, key=KEY)
    both = person_beats(folder, "virtual-01")
    known = np.isfinite(both.reference).all(axis=1)
    assert known[: len(both) // 2].all()
    assert not known[len(both) // 2 :].any()
    np.testing.assert_array_equal(both.beat, np.arange(len(both)))
    checkup = check_clinic(folder)
    first, *_, later = [r for r in checkup.records if r.role == "monitor"]
    assert first.unlabelled == ""
    assert first.referenced == first.accepted
    assert "mean pressure is 2" in later.unlabelled
    assert later.referenced == 0
    everybody = clinic_beats(folder)
    np.testing.assert_array_equal(checkup.beats.ppg, everybody.ppg)
    np.testing.assert_array_equal(checkup.beats.beat, everybody.beat)
    np.testing.assert_array_equal(checkup.beats.reference, everybody.reference)


def test_without_a_reference_recording_a_person_is_kept_without_label(lab, tmp_path):
    root = copied(lab, tmp_path / "lab")
    lines = (root / "manifest.csv").read_text().splitlines()
    (root / "manifest.csv").write_text("\n".join([lines[0], *lines[2:]]))
    folder = read_clinic(root, key=KEY)
    assert np.isnan(person_beats(folder, "virtual-01").reference).all()
    first = check_clinic(folder).records[0]
    assert first.unlabelled == "there is no reference recording"
    assert len(clinic_beats(folder).subjects) == 2


def test_a_femoral_line_is_a_wave_and_never_a_reference(tmp_path):
    root = write_example_clinic("vitaldb_art_fem", tmp_path / "v", people=1, seed=3)
    beats = clinic_beats(read_clinic(root, key=KEY))
    assert (beats.reference, beats.reference_type) == (None, "none")
    assert "simultaneous" not in beats.truth
    leg, arm = beats.waves["femoral"], beats.waves["abp"]
    assert np.isfinite(leg).all(axis=1).mean() > 0.9
    assert abs(np.nanmean(leg) - np.nanmean(arm)) < 15.0
    assert not np.allclose(leg, arm, equal_nan=True)
    known = np.isfinite(beats.cuff).all(axis=1)
    assert {*beats.cuff_site[known]} == {"radial"}  # where clinic.json says it is


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x.hea", "outside the folder"),
        ("/etc/passwd", "outside the folder"),
        ("records/none.hea", "no file"),
        ("records\\case0.hea", "outside the folder"),
        ("records", "no file"),
        ("C:records/case0.hea", "outside the folder"),
    ],
)
def test_recordings_stay_in_the_folder(together, tmp_path, name, words):
    root = copied(together, tmp_path / "copy")
    change_row(root, 2, record=name)
    folder, problems = open_clinic(root, key=KEY)
    (problem,) = problems
    assert (problem.row, problem.column) == (2, "record")
    assert words in problem.what
    assert folder is not None
    with pytest.raises(RecordError, match=words):
        read_clinic(root, key=KEY)


def test_a_link_out_of_the_folder_is_refused(together, tmp_path):
    root = copied(together, tmp_path / "copy")
    (root / "records" / "case0.hea").unlink()
    (root / "records" / "case0.hea").symlink_to(together / "records" / "case0.hea")
    with pytest.raises(RecordError, match="link out of the folder"):
        read_clinic(root, key=KEY)


def test_messages_do_not_name_people(together, tmp_path):
    root = copied(together, tmp_path / "copy")
    path = root / "records" / "case0_PLETH.dat"
    path.write_bytes(path.read_bytes()[:-100])
    change_row(root, 2, subject="case0")
    with pytest.raises(RecordError, match="row 2") as error:
        clinic_beats(read_clinic(root, key=KEY))
    assert "case0" not in str(error.value)
    assert "<subject>_PLETH.dat" in str(error.value) or "PLETH" in str(error.value)
    assert str(root) not in str(error.value)


def test_messages_keep_their_own_words_and_numbers(together, tmp_path):
    root = copied(together, tmp_path / "copy")
    for row, subject in ((2, "10"), (3, "AN")):
        change_row(root, row, subject=subject)
    folder = read_clinic(root, key=KEY)
    text = "records/AN_10-pulse.hea: sampled at 10 Hz, and an 0AN1; wanted 100."
    told = "records/<subject>_10-pulse.hea: sampled at 10 Hz, and <subject> 0AN1;"
    assert folder.told(text) == f"{told} wanted 100."


def test_the_first_errors_are_told_and_where_to_find_all(together, tmp_path):
    root = copied(together, tmp_path / "copy")
    change_row(root, 2, age="200")
    with pytest.raises(RecordError, match=r"1 errors.*row 2, column 'age'.*check_data"):
        read_clinic(root, key=KEY)
    with pytest.raises(RecordError, match="no such folder"):
        read_clinic(tmp_path / "nowhere", key=KEY)


def test_a_clock_that_the_file_itself_distrusts_gives_no_reference(together, tmp_path):
    root = copied(together, tmp_path / "copy")
    row, record = next(read_clinic(root, key=KEY).records())
    from capnet.data.writers.records import write_record

    doubtful = replace(record, sync="untrusted", annotations={})
    write_record(doubtful, root / "records" / "case0.csv")
    change_row(root, row.number, record="records/case0.csv")
    with pytest.raises(RecordError, match=r"row 2: .*one clock"):
        clinic_beats(read_clinic(root, key=KEY))


def test_a_source_for_the_store_holds_the_same_beats(together, tmp_path):
    folder = read_clinic(together, key=KEY)
    one, other = sources_of(folder)
    assert (one.domain, one.name) == ("together", folder.subjects[0])
    made = Beats.concatenate([*one.beats()])
    alone = person_beats(folder, folder.subjects[0])
    np.testing.assert_array_equal(made.ppg, alone.ppg)
    assert one.digest != other.digest
    assert sources_of(read_clinic(together, key=KEY))[0].digest == one.digest
    root = copied(together, tmp_path / "copy")
    change_row(root, 2, cuff_sbp="121")
    changed = sources_of(read_clinic(root, key=KEY))
    assert changed[0].digest != one.digest
    assert changed[1].digest == other.digest
