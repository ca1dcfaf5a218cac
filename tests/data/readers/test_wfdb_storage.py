import numpy as np
import pytest
import wfdb

from capnet.data.readers import read_record, stream_record
from capnet.data.readers.wfdb import read_wfdb
from capnet.data.readers.wfdb_storage import STORAGE, bytes_of
from capnet.errors import RecordError

LENGTH = 25
PER_FRAME = (1, 3, 2)
FLAC = ("508", "516", "524")


def write(folder, form, digital):
    """One signal in a format that lies byte by byte."""
    kind = {"8": "i1", "16": "<i2", "32": "<i4", "80": "u1", "160": "<u2"}[form]
    offset = {"80": 128, "160": 32768}.get(form, 0)
    stored = np.diff(digital, prepend=digital[0]) if form == "8" else digital + offset
    (folder / "x.dat").write_bytes(stored.astype(kind).tobytes())
    header = folder / "x.hea"
    header.write_text(
        f"x 1 100 {len(digital)}\n"
        f"x.dat {form} 1/NU 16 0 {digital[0]} {digital.sum() % 65536} 0 s\n"
    )
    return header


def random_bytes(folder, form):
    """Any bytes at all, with a header that says nothing of them."""
    rng = np.random.default_rng(int(form))
    raw = np.frombuffer(rng.bytes(bytes_of(LENGTH * 6, form)[1]), "u1").copy()
    if form == "311":
        raw[3::4] &= 0x3F  # two bits of each group are unused
    if form == "8":
        raw[:6] = 0  # the header has the sample before the first difference
    (folder / "x.dat").write_bytes(raw.tobytes())
    zero = " 0 0 5" if form == "8" else ""
    lines = [f"x {len(PER_FRAME)} 100 {LENGTH}"]
    lines += [f"x.dat {form}x{n} 1/NU{zero}" for n in PER_FRAME]
    (folder / "x.hea").write_text("\n".join(lines) + "\n")
    return folder / "x.hea"


@pytest.mark.parametrize("form", ["16", "32", "80", "160", "8"])
def test_values_of_formats_that_lie_byte_by_byte(tmp_path, form):
    digital = np.cumsum(np.random.default_rng(1).integers(-9, 9, 999)) % 200 - 100
    digital = np.clip(np.cumsum(np.clip(np.diff(digital), -3, 3)), -99, 99)
    signal = read_record(write(tmp_path, form, digital)).channels["s"]
    np.testing.assert_array_equal(signal.values, digital)


@pytest.mark.parametrize("form", [form for form in STORAGE if form not in FLAC])
@pytest.mark.parametrize("block", [6, 42, 61])
def test_any_division_into_blocks_gives_the_same(tmp_path, monkeypatch, form, block):
    header = random_bytes(tmp_path, form)
    whole = read_record(header)
    monkeypatch.setattr("capnet.data.readers.wfdb._BLOCK", block)
    for found in (read_record(header), next(stream_record(header, length=1.0))):
        for name, signal in whole.channels.items():
            np.testing.assert_array_equal(found.channels[name].values, signal.values)


@pytest.mark.parametrize("form", FLAC)
@pytest.mark.parametrize("block", [1 << 18, 501])
def test_flac(tmp_path, monkeypatch, form, block):
    rng = np.random.default_rng(0)
    half = 1 << (STORAGE[form].bits - 1)
    digital = rng.integers(-half + 1, half, (1000, 2))
    wfdb.wrsamp(
        "x",
        fs=100,
        units=["V", "NU"],
        sig_name=["a", "b"],
        d_signal=digital,
        fmt=[form, form],
        adc_gain=[1e6, 1.0],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    monkeypatch.setattr("capnet.data.readers.wfdb._BLOCK", block)
    values = [signal.values for signal in read_record(tmp_path / "x").channels.values()]
    np.testing.assert_allclose(np.stack(values, 1), digital * [1e-3, 1.0])
    path = next(tmp_path.glob("x*.dat"))
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(RecordError, match="cannot be decoded"):
        read_record(tmp_path / "x")


def test_what_is_no_flac(tmp_path):
    (tmp_path / "x.dat").write_bytes(bytes(100))
    (tmp_path / "x.hea").write_text("x 1 100 50\nx.dat 516 1/NU\n")
    with pytest.raises(RecordError, match="no FLAC stream"):
        read_record(tmp_path / "x")


def test_bits_of_311_that_belong_to_no_sample(tmp_path):
    word = np.array([600 << 20 | 1 << 30, 0], dtype="<u4")
    (tmp_path / "x.dat").write_bytes(word.tobytes())
    (tmp_path / "x.hea").write_text("x 1 100 6\nx.dat 311 1/NU\n")
    with pytest.raises(RecordError, match="more than 10 bits"):
        read_record(tmp_path / "x")


def test_61_is_refused_as_wfdb_cannot_decode_it(tmp_path):
    (tmp_path / "x.dat").write_bytes(bytes(100))
    (tmp_path / "x.hea").write_text("x 1 100 50\nx.dat 61 1/NU\n")
    with pytest.raises(RecordError, match="storage format '61'; wanted one of"):
        read_record(tmp_path / "x")


def test_what_wfdb_raises_is_one_error_that_does_not_quote_it(tmp_path, monkeypatch):
    header = write(tmp_path, "16", np.arange(100))

    def fails(*_, **__):
        msg = "CANARY"
        raise KeyError(msg)

    monkeypatch.setattr("capnet.data.readers.wfdb.wfdb.rdrecord", fails)
    with pytest.raises(RecordError, match=r"x\.hea.*frame 0.*KeyError") as caught:
        read_wfdb(header)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fs", 99.0),
        ("fmt", ["80"]),
        ("samps_per_frame", [2]),
        ("file_name", ["y.dat"]),
        ("byte_offset", [1]),
        ("e_d_signal", [np.arange(99)]),
    ],
)
def test_wfdb_must_have_read_the_same_header(tmp_path, monkeypatch, field, value):
    header = write(tmp_path, "16", np.arange(100))
    rdrecord = wfdb.rdrecord

    def other(*given, **settings):
        found = rdrecord(*given, **settings)
        setattr(found, field, value)
        return found

    monkeypatch.setattr("capnet.data.readers.wfdb.wfdb.rdrecord", other)
    with pytest.raises(RecordError, match="read in two ways"):
        read_wfdb(header)


@pytest.mark.parametrize(
    ("samples", "form", "least", "largest"),
    [
        (4, "212", 6, 6),
        (3, "212", 5, 6),
        (4, "310", 6, 8),
        (5, "310", 8, 8),
        (5, "311", 7, 8),
        (6, "311", 8, 8),
        (5, "24", 15, 15),
        (5, "80", 5, 5),
    ],
)
def test_sizes_of_packed_samples(samples, form, least, largest):
    assert bytes_of(samples, form) == (least, largest)


@pytest.mark.parametrize(
    ("form", "samples"), [("212", 7), ("310", 4), ("311", 4), ("311", 5)]
)
def test_a_last_group_that_is_cut_where_its_last_sample_ends(tmp_path, form, samples):
    least, largest = bytes_of(samples, form)
    raw = np.random.default_rng(0).integers(0, 64, largest, dtype=np.uint8)
    (tmp_path / "x.hea").write_text(f"x 1 100 {samples}\nx.dat {form} 1/NU\n")
    (tmp_path / "x.dat").write_bytes(raw.tobytes())
    whole = read_record(tmp_path / "x").channels["signal 0"].values
    (tmp_path / "x.dat").write_bytes(raw[:least].tobytes())
    cut = read_record(tmp_path / "x").channels["signal 0"].values
    np.testing.assert_array_equal(cut, whole)
