"""The door of PulseDB: windows of one person, never joined, or one clear error."""

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from capnet.data.readers.pulsedb import read_pulsedb  # noqa: E402
from capnet.errors import RecordError, UnitError  # noqa: E402
from capnet.files import sha256_of  # noqa: E402
from tests.fakes.make_pulsedb import (  # noqa: E402
    WINDOW,
    characters,
    windows,
    write,
    write_subset,
)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "p000001.mat", windows())


def test_windows_lie_apart_with_nothing_between(file):
    record = read_pulsedb(file)
    made = windows()
    for name, field in (("ECG", "ECG_Raw"), ("PPG", "PPG_Raw"), ("ABP", "ABP_Raw")):
        signal = record.channels[name]
        assert signal.sampling_rate == 125.0
        for number, window in enumerate(made[field]):
            at = number * 2 * WINDOW
            np.testing.assert_array_equal(signal.values[at : at + WINDOW], window)
            assert np.isnan(signal.values[at + WINDOW : at + 2 * WINDOW]).all()
        assert len(signal.values) == (2 * len(made[field]) - 1) * WINDOW
    assert record.channels["ABP"].unit == "mmHg"
    assert record.channels["PPG"].unit == "NU"
    assert "3 windows" in record.source
    assert record.sync == "untrusted"


def test_what_is_known_of_the_person(file):
    record = read_pulsedb(file)
    assert record.subject == "p000001"
    assert record.age == 61.0
    assert record.covariates == {
        "male": 0.0,
        "height": pytest.approx(1.64),
        "weight": 58.5,
    }
    assert record.files == {"p000001.mat": sha256_of(file)}
    assert read_pulsedb(file, age=70.0, subject="a").age == 70.0


def test_impossible_ages_and_bodies_are_left_out(tmp_path):
    made = windows()
    made |= {"Age": [300.0] * 3, "Height": [0.0] * 3, "Weight": [np.nan] * 3}
    made["Gender"] = ["Jane Canary"] * 3
    made["CaseID"] = ["Canary"] * 3
    record = read_pulsedb(write(tmp_path / "a.mat", made))
    assert record.age is None
    assert record.covariates == {}
    assert "Canary" not in repr(record)


def test_fields_are_chosen_by_their_names(file):
    record = read_pulsedb(file, channels=["PPG_F", "ABP"])
    assert list(record.channels) == ["PPG_F", "ABP"]
    with pytest.raises(RecordError, match=r"no signal 'ICP'.*ECG_Raw"):
        read_pulsedb(file, channels=["ICP"])


def test_a_single_window_is_a_plain_struct(tmp_path):
    record = read_pulsedb(write(tmp_path / "a.mat", windows(1)))
    assert len(record.channels["ABP"].values) == WINDOW


def test_one_person_of_a_subset(tmp_path):
    path, signals = write_subset(tmp_path / "Train_Subset.mat")
    record = read_pulsedb(path, subject="p000002_1")
    np.testing.assert_array_equal(
        record.channels["ABP"].values[2 * WINDOW :], signals[3, 2]
    )
    np.testing.assert_array_equal(record.channels["PPG"].values[:WINDOW], signals[2, 1])
    assert record.age == 42.0
    with pytest.raises(RecordError, match=r"2 people.*subject="):
        read_pulsedb(path)
    with pytest.raises(RecordError, match="2 people") as caught:
        read_pulsedb(path, subject="Jane")
    assert "p000001" not in str(caught.value)


def changed(path, change):
    """Change an open file; the block of text in front stays."""
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(group, name, **how):
    del group[name]
    return group.create_dataset(name, **how)


def linked(file, name, dataset):
    """Let the first window of a field be another data set."""
    links = file[f"Subj_Wins/{name}"]
    values = links[()]
    values[0, 0] = dataset.ref
    links[...] = values


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.pop("Subj_Wins"), "neither Subj_Wins"),
        (lambda f: f["Subj_Wins"].pop("SubjectID"), "no SubjectID"),
        (
            lambda f: linked(f, "ABP_Raw", f.create_dataset("n", data=np.zeros(1249))),
            "1249 samples",
        ),
        (
            lambda f: linked(f, "ABP_Raw", f.create_dataset("n", data=np.zeros(9999))),
            "declares 9999",
        ),
        (lambda f: linked(f, "ABP_Raw", f["Subj_Wins/ABP_Raw"]), "no numbers"),
        (lambda f: linked(f, "ABP_Raw", f["Subj_Wins"]), "no data set"),
        (
            lambda f: linked(
                f,
                "ABP_Raw",
                f.create_dataset("n", shape=(1250,), dtype="f8", chunks=(10,)),
            ),
            "in 0 bytes",
        ),
        (
            lambda f: linked(
                f, "SubjectID", f.create_dataset("n", data=characters("p000002"))
            ),
            "2 people",
        ),
        (
            lambda f: replaced(
                f["Subj_Wins"],
                "ABP_Raw",
                shape=(10**12,),
                dtype=h5py.ref_dtype,
                chunks=(1000,),
            ),
            "declares 1000000000000",
        ),
        (
            lambda f: (
                f.__setitem__(
                    "Subj_Wins/ABP_Raw", h5py.ExternalLink("/etc/passwd", "/")
                )
                if f["Subj_Wins"].pop("ABP_Raw")
                else None
            ),
            "link to elsewhere",
        ),
        (
            lambda f: replaced(
                f["Subj_Wins"],
                "ABP_Raw",
                shape=(1250,),
                dtype="f8",
                external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)],
            ),
            "stored elsewhere",
        ),
    ],
)
def test_a_damaged_file_is_refused(file, change, said):
    changed(file, change)
    with pytest.raises(RecordError, match=rf"p000001\.mat.*{said}") as caught:
        read_pulsedb(file, channels=["ABP"])
    assert "root:" not in str(caught.value)


def test_a_virtual_data_set_is_refused(file):
    def change(f):
        layout = h5py.VirtualLayout(shape=(1250,), dtype="f8")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(1250,))
        linked(f, "ABP_Raw", f.create_virtual_dataset("n", layout))

    with pytest.raises(RecordError, match="stored elsewhere"):
        read_pulsedb(changed(file, change))


def test_a_block_that_unfolds_to_far_more_is_refused(file):
    def change(f):
        bomb = f.create_dataset(
            "n", shape=(1, 1250), maxshape=(None, 1250), dtype="f8",
            chunks=(20_000, 1250), compression="gzip",
        )  # fmt: skip
        bomb[...] = 1.0
        linked(f, "ABP_Raw", bomb)

    with pytest.raises(RecordError, match="blocks of"):
        read_pulsedb(changed(file, change))


def test_another_clock_is_refused(tmp_path):
    made = windows()
    made["T"] = [t * 125.0 / 250.0 for t in made["T"]]
    with pytest.raises(UnitError, match=r"wanted 0\.008 s"):
        read_pulsedb(write(tmp_path / "a.mat", made))


def test_a_window_that_is_there_twice_is_refused(tmp_path):
    made = windows()
    made["T"][1] = made["T"][0]
    with pytest.raises(RecordError, match="a window twice"):
        read_pulsedb(write(tmp_path / "a.mat", made))


def test_impossible_pressures_are_refused(tmp_path):
    made = windows()
    made["ABP_Raw"][1] = made["ABP_Raw"][1] * 133.3
    with pytest.raises(RecordError, match=r"a\.mat, channel 'ABP': sample"):
        read_pulsedb(write(tmp_path / "a.mat", made))


@pytest.mark.parametrize("kept", [0, 100, 512, 600, 5000, -1])
def test_a_cut_file_is_refused(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(RecordError, match=r"p000001\.mat"):
        read_pulsedb(file)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "old.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(2000))
    with pytest.raises(RecordError, match=r"no MATLAB 7\.3"):
        read_pulsedb(path)
    with pytest.raises(RecordError, match="cannot be read"):
        read_pulsedb(tmp_path / "none.mat")


def test_scalars_and_strings_of_other_programs_are_read(tmp_path):
    """As h5py writes a number and a text, which MATLAB does as matrices."""
    path = write(tmp_path / "a.mat", windows(2))
    with h5py.File(path, "r+") as file:
        for name, value in (("Age", 61.0), ("Gender", "F"), ("SubjectID", b"p1")):
            links = file["Subj_Wins"][name][()].reshape(-1)
            for k in range(2):
                place = file[links[k]].name
                del file[place]
                file[place] = value
                file["Subj_Wins"][name].write_direct(
                    np.array([[file[place].ref] * 2], dtype=h5py.ref_dtype)
                )
    record = read_pulsedb(path)
    assert (record.age, record.covariates["male"]) == (61.0, 0.0)


def test_windows_that_name_nobody_are_read_when_it_is_said_whose_they_are(tmp_path):
    made = windows(2)
    del made["SubjectID"]
    path = write(tmp_path / "a.mat", made)
    with pytest.raises(RecordError, match="Say by subject="):
        read_pulsedb(path)
    assert read_pulsedb(path, subject="b").subject == "b"
