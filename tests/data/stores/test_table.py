"""Tables of beats on disk: exact, whole, and refused when damaged."""

import json
from contextlib import suppress

import numpy as np
import pytest

from capnet.data.stores.table import load_beats, save_beats
from capnet.errors import RecordError
from tests.fakes.make_beats import assert_same_beats, make_beats

WITHOUT = {
    "full": {},
    "no raw": {"raw": None, "start": None, "stop": None},
    "no reference": {"reference": None, "reference_type": "none", "truth": {}},
    "no groups": {"waves": {}, "features": {}, "truth": {}},
    "cuff": {"calibration": "cuff SBP/DBP"},
    "catheter": {"reference_type": "catheter"},
}


@pytest.fixture
def saved(tmp_path):
    return save_beats(make_beats(), tmp_path / "beats.npz")


def rewrite(path, **changes):
    """Exchange arrays of a saved table; None removes one."""
    with np.load(path) as file:
        arrays = dict(file) | changes
    kept = {name: value for name, value in arrays.items() if value is not None}
    np.savez(path, **kept)
    return path


@pytest.mark.parametrize("changes", WITHOUT.values(), ids=WITHOUT)
def test_what_is_loaded_is_what_was_saved(tmp_path, changes):
    beats = make_beats(**changes)
    path = save_beats(beats, tmp_path / "beats.npz")
    assert_same_beats(load_beats(path), beats)


@pytest.mark.parametrize("n", [0, 1])
def test_small_tables_too(tmp_path, n):
    beats = make_beats(n)
    assert_same_beats(load_beats(save_beats(beats, tmp_path / "b.npz")), beats)


def test_a_part_of_a_table_is_saved_as_that_part(tmp_path):
    beats = make_beats().take(np.array([7, 2, 2]))
    assert_same_beats(load_beats(save_beats(beats, tmp_path / "b.npz")), beats)


def test_saving_what_was_loaded_gives_the_same_file(tmp_path, saved):
    again = save_beats(load_beats(saved), tmp_path / "again.npz")
    with np.load(saved) as one, np.load(again) as other:
        assert one.files == other.files
        assert str(one["header"]) == str(other["header"])


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    path = save_beats(make_beats(), tmp_path / "deep" / "beats.npz")
    assert [p.name for p in path.parent.iterdir()] == ["beats.npz"]


def test_nothing_half_written(tmp_path, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(_handle):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        save_beats(make_beats(seed=1), saved)
    assert saved.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["beats.npz"]


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(RecordError, match=r"no beats at .*nothing\.npz.*observe\.py"):
        load_beats(tmp_path / "nothing.npz")
    with pytest.raises(RecordError, match="no beats at"):
        load_beats(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 almost"])
def test_something_else_is_refused(tmp_path, content):
    path = tmp_path / "beats.npz"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"beats\.npz holds no table of beats"):
        load_beats(path)


def test_a_single_array_is_refused(tmp_path):
    path = tmp_path / "beats.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(RecordError, match="holds no table of beats"):
        load_beats(path)


def test_a_pickle_is_refused(tmp_path, saved):
    rewrite(saved, subject=np.array(["a", 1], dtype=object))
    with pytest.raises(RecordError, match="holds no table of beats: ValueError"):
        load_beats(saved)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(RecordError, match="holds no table of beats"):
        load_beats(saved)


def test_a_flipped_byte_is_refused_or_harmless(saved):
    whole, beats = saved.read_bytes(), load_beats(saved)
    rng = np.random.default_rng(0)
    harmless = 0
    for position in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        saved.write_bytes(damaged)
        with suppress(RecordError):
            # What can still be read, for example with another date within the zip.
            assert_same_beats(load_beats(saved), beats)
            harmless += 1
    assert harmless < 50


def test_another_format_is_refused(saved):
    with np.load(saved) as file:
        header = json.loads(str(file["header"]))
    rewrite(saved, header=np.array(json.dumps(header | {"format": 99})))
    with pytest.raises(RecordError, match="has format 99; wanted 1"):
        load_beats(saved)


@pytest.mark.parametrize("name", ["header", "subject", "cuff", "accepted"])
def test_a_missing_field_is_refused(saved, name):
    rewrite(saved, **{name: None})
    with pytest.raises(RecordError, match=rf"holds no table of beats.*{name}"):
        load_beats(saved)


def test_an_unknown_field_is_refused(saved):
    rewrite(saved, diagnosis=np.zeros(12))
    with pytest.raises(RecordError, match="diagnosis"):
        load_beats(saved)


def test_python_objects_are_refused_instead_of_pickled(tmp_path):
    beats = make_beats()
    odd = beats.replace(subject=beats.subject.astype(object))
    with pytest.raises(RecordError, match="subject holds Python objects"):
        save_beats(odd, tmp_path / "b.npz")
    assert not list(tmp_path.iterdir())
