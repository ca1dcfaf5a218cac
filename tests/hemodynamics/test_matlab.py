import struct
import zlib

import numpy as np
import pytest
import scipy.io

from capnet.errors import RecordError
from capnet.hemodynamics.matlab import read_mat


def _cells(values):
    cells = np.empty((1, len(values)), dtype=object)
    for k, value in enumerate(values):
        cells[0, k] = value
    return cells


RNG = np.random.default_rng(3)
WAVES = [RNG.normal(size=(n, 1)) for n in (5, 1, 70_000)]
DATA = {
    "waves": {"P": _cells(WAVES), "fs": 500, "none": np.zeros((0, 0))},
    "words": _cells(["a", "bc"]),
    "grid": np.arange(6.0).reshape(2, 3),
    "small": np.array([[1, 2, 3]], dtype=np.int16),
    "wave": np.array([[1.0 + 2.0j, 3.0]]),
}


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def path(request, tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(
        path, {"x": np.arange(3), "data": DATA}, do_compression=request.param
    )
    return path


def _read(path, *wanted):
    found = {}
    read_mat(path, wanted, found.__setitem__)
    return found


def test_only_what_was_asked_for_is_received(path):
    found = _read(path, "data.waves.P", "data.waves.fs", "data.waves.none", "x")
    assert set(found) == {"data.waves.P", "data.waves.fs", "data.waves.none", "x"}
    for ours, given in zip(found["data.waves.P"], WAVES, strict=True):
        np.testing.assert_array_equal(ours, given[:, 0])
    assert found["data.waves.fs"][0].tolist() == [500.0]
    assert found["data.waves.none"][0].tolist() == []
    assert found["x"][0].tolist() == [0.0, 1.0, 2.0]
    assert _read(path, "data.nobody", "y") == {}


def test_numbers_come_column_by_column(path):
    found = _read(path, "data.grid", "data.small")
    assert found["data.grid"][0].tolist() == [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    assert found["data.small"][0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("data.words", r"data\.words\{1\} is of class 4; wanted numbers"),
        ("data.waves", "data.waves is of class 2; wanted numbers or cells"),
        ("data.wave", "complex numbers"),
    ],
)
def test_what_is_no_numbers_is_refused(path, place, message):
    with pytest.raises(RecordError, match=rf"a\.mat, byte \d+: {message}"):
        _read(path, place)


def test_every_cut_is_noticed(path):
    whole = path.read_bytes()
    for end in (0, 4, 100, 127, 130, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(RecordError, match=r"a\.mat"):
            _read(path, "data.waves.P", "x")


def test_a_changed_byte_of_a_compressed_file_is_noticed(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"data": DATA}, do_compression=True)
    whole = path.read_bytes()
    for place in RNG.integers(128, len(whole), 40):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(RNG.integers(8))
        path.write_bytes(bytes(changed))
        with pytest.raises(RecordError, match=r"a\.mat"):
            _read(path, "data.waves.fs")


def test_hdf5_and_other_formats_are_named(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform".ljust(512))
    with pytest.raises(RecordError, match=r"HDF5, MATLAB 7\.3; wanted a MATLAB 5 file"):
        _read(path, "x")
    path.write_bytes(b"hello".ljust(512))
    with pytest.raises(RecordError, match="begins with b'hello"):
        _read(path, "x")
    with pytest.raises(RecordError, match=r"none\.mat cannot be read"):
        _read(tmp_path / "none.mat", "x")


def test_a_size_that_lies_allocates_nothing(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.arange(3.0)})
    whole = bytearray(path.read_bytes())
    struct.pack_into("<I", whole, 128 + 8 + 16 + 4 + 4, 2**31 - 1)  # its shape
    path.write_bytes(bytes(whole))
    with pytest.raises(RecordError, match=r"a\.mat, byte \d+: x has 3 numbers"):
        _read(path, "x")
    header = bytes(whole[:128])
    bomb = zlib.compress(struct.pack("<II", 14, 2**31 - 1) + bytes(1 << 20))
    path.write_bytes(header + struct.pack("<II", 15, len(bomb)) + bomb)
    with pytest.raises(RecordError, match=r"a\.mat"):
        _read(path, "x")
