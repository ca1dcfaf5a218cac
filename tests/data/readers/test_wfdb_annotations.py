import struct

import numpy as np
import pytest
import wfdb

from capnet.data.readers import read_record, stream_record
from capnet.data.readers.wfdb_annotations import read_annotations
from capnet.errors import RecordError
from tests.fakes.make_record import make_record

SECRET = "CANARY"


@pytest.fixture
def header(tmp_path):
    return make_record(tmp_path, seconds=8.0)


def read(path, **changes):
    settings = {"rate": 250.0, "duration": 8.0, "where": path.name} | changes
    return read_annotations(path, **settings)


def annotate(header, **more):
    samples = np.array([3, 260, 300, 1900, 2000])
    symbols = ["N", "V", "+", '"', "/"]
    notes = ["", "", f"(AFIB {SECRET}", SECRET, ""]
    wfdb.wrann(
        header.stem,
        "atr",
        samples,
        symbols,
        aux_note=notes,
        num=np.array([0, 1, 0, 0, 2]),
        chan=np.array([0, 0, 1, 0, 0]),
        subtype=np.array([0, 0, 0, 1, 0]),
        write_dir=str(header.parent),
        **more,
    )
    return samples, symbols


@pytest.mark.parametrize("resolution", [None, 500.0])
def test_times_and_codes_that_wfdb_wrote_and_no_text(header, resolution):
    samples, symbols = annotate(header, **({"fs": resolution} if resolution else {}))
    record = read_record(header)
    notes = record.annotations["atr"]
    np.testing.assert_allclose(notes.times * (resolution or 250.0), samples)
    assert notes.labels.tolist() == symbols
    assert SECRET not in repr(record) + "".join(notes.labels)
    assert "virtual.atr" in record.files


def test_parts_hold_each_annotation_once(header):
    annotate(header)
    whole = read_record(header).annotations["atr"]
    for length in (0.5, 3.0, 100.0):
        parts = [
            part.annotations["atr"] for part in stream_record(header, length=length)
        ]
        times = np.concatenate([part.times for part in parts])
        np.testing.assert_array_equal(times, whole.times)
        labels = np.concatenate([part.labels for part in parts])
        assert labels.tolist() == whole.labels.tolist()


def test_long_steps(tmp_path):
    path = tmp_path / "x.atr"
    words = struct.pack("<HHHH", 59 << 10, 2, 5, 1 << 10 | 3)
    path.write_bytes(words + b"\0\0")
    notes = read(path, duration=1e6)
    assert notes.times.tolist() == [(2 * 65536 + 5 + 3) / 250.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its mark"),
        (b"\x01", "pairs of bytes"),
        (struct.pack("<H", 1 << 10), "its mark"),
        (struct.pack("<HH", 50 << 10, 0), "no code 50"),
        (struct.pack("<HH", 58 << 10, 0), "no code 58"),
        (struct.pack("<HHH", 1 << 10, 0, 9), "its mark"),
        (struct.pack("<HHHHH", 59 << 10, 65535, 65535, 1 << 10, 0), "goes back"),
        (struct.pack("<6H", 1030, 59 << 10, 65535, 65530, 1 << 10, 0), "goes back"),
        (struct.pack("<HHH", 1 << 10, 63 << 10 | 900, 0), "a text is cut"),
        (struct.pack("<HHHH", 1 << 10 | 1023, 1 << 10 | 1000, 0, 0), "record's end"),
        (bytes(1 << 23), "at most 4 MB"),
    ],
)
def test_damage_is_one_error(header, content, message):
    header.with_suffix(".qrs").write_bytes(content)
    with pytest.raises(RecordError, match=f"virtual.qrs, byte .*{message}"):
        read_record(header)


def test_an_empty_file_of_annotations(header):
    header.with_suffix(".atr").write_bytes(b"\0\0")
    assert len(read_record(header).annotations["atr"].times) == 0


def test_a_link_to_annotations_elsewhere_is_refused(header, tmp_path):
    outside = tmp_path.parent / "outside.atr"
    outside.write_bytes(b"\0\0")
    header.with_suffix(".atr").symlink_to(outside)
    with pytest.raises(RecordError, match="link out of the folder"):
        read_record(header)
