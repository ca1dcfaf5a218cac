import warnings
from itertools import pairwise

import numpy as np
import pytest
import wfdb

from capnet.data.readers.wfdb_header import parse_header
from capnet.data.readers.wfdb_samples import STORAGE, blocks, bytes_of, flac_length
from capnet.errors import RecordError

PLAIN = [form for form in STORAGE if form not in ("508", "516", "524")]


def decoded(path, lines, length, step):
    parts = list(blocks(path, lines, length=length, step=step, where="x.hea"))
    return [np.concatenate([part[i] for part in parts]) for i in range(len(lines))]


def written(folder, form, per_frame, length, rng):
    """Any bytes at all, with a header that says nothing of their sum."""
    samples = length * sum(per_frame)
    (folder / "x.dat").write_bytes(rng.bytes(bytes_of(samples, form)[1]))
    lines = [f"x {len(per_frame)} 100 {length}"]
    lines += [
        f"x.dat {form}x{n} 1/NU 0 0 {7 * i} 0 0 s{i}" for i, n in enumerate(per_frame)
    ]
    (folder / "x.hea").write_text("\n".join(lines) + "\n")
    return parse_header("\n".join(lines), where="x.hea")


@pytest.mark.parametrize("form", PLAIN)
@pytest.mark.parametrize(("per_frame", "length"), [((1,), 17), ((1, 3, 2), 25)])
def test_any_bytes_are_decoded_as_wfdb_does_in_any_blocks(
    tmp_path, form, per_frame, length
):
    rng = np.random.default_rng(int(form) + length)
    header = written(tmp_path, form, per_frame, length, rng)
    if form == "61":  # wfdb stumbles over its big-endian samples
        raw = np.fromfile(tmp_path / "x.dat", dtype=">i2").reshape(length, -1)
        edges = np.cumsum([0, *per_frame])
        expected = [raw[:, a:b].reshape(-1) for a, b in pairwise(edges)]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = wfdb.rdrecord(
                str(tmp_path / "x"), physical=False, smooth_frames=False
            )
        expected = record.e_d_signal
        if form == "311":  # wfdb gives the second of three up to 1023, not below 0
            expected = [(x.astype(int) + 512) % 1024 - 512 for x in expected]
    for step in (6, 12, 600):
        found = decoded(tmp_path / "x.dat", header.signals, length, step)
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("form", ["508", "516", "524"])
def test_flac_that_wfdb_wrote(tmp_path, form):
    rng = np.random.default_rng(0)
    half = 1 << (STORAGE[form].bits - 1)
    digital = rng.integers(-half + 1, half, (1000, 2))
    wfdb.wrsamp(
        "x",
        fs=100,
        units=["mV", "NU"],
        sig_name=["a", "b"],
        d_signal=digital,
        fmt=[form, form],
        adc_gain=[1.0, 1.0],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    header = parse_header((tmp_path / "x.hea").read_text(), where="x.hea")
    path = tmp_path / header.signals[0].file
    assert flac_length(path, form, n_signals=2, where="x.hea") == 1000
    for step in (6, 600):
        found = np.stack(decoded(path, header.signals, 1000, step), axis=1)
        np.testing.assert_array_equal(found, digital)
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(RecordError, match=r"cut; fetch|cannot be decoded"):
        decoded(path, header.signals, 1000, 600)


def test_what_is_no_flac(tmp_path):
    path = tmp_path / "x.dat"
    path.write_bytes(bytes(100))
    with pytest.raises(RecordError, match="no FLAC stream"):
        flac_length(path, "516", n_signals=1, where="x.hea")


def test_a_file_that_ends_early(tmp_path):
    header = written(tmp_path, "16", (1,), 100, np.random.default_rng(0))
    (tmp_path / "x.dat").write_bytes(bytes(199))
    with pytest.raises(RecordError, match="ends while it is read"):
        decoded(tmp_path / "x.dat", header.signals, 100, 60)


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
