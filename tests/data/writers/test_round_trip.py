"""What was written is read: values to the quantum, rates, units, starts, names."""

import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.data.writers.records import GAINS, write_record
from capnet.records import Annotations, Cuff, Record, Signal

EXACT = [".csv", ".csv.gz", ".parquet", ".npz"]
UNITS = ("mV", "mmHg", "NU", "%")
SIZES = {"mV": 5.0, "mmHg": 150.0, "NU": 30.0, "%": 100.0}


def drawn(seed, *, starts, missing):
    """A record of one to five channels of any rate, length, unit and start."""
    rng = np.random.default_rng(seed)
    channels = {}
    seconds = 2 * int(rng.integers(1, 5))
    for number in range(int(rng.integers(1, 6))):
        rate = float(rng.choice([1.0, 62.5, 100.0, 125.0, 128.0, 250.0, 360.0]))
        unit = str(rng.choice(UNITS))
        count = round(seconds * rate)
        values = SIZES[unit] * rng.uniform(-1.0, 1.0, count)
        if missing:
            count = int(rng.integers(1, count + 1))
            values = values[:count]
            values[1:][rng.random(count - 1) < 0.05] = np.nan
        start = float(rng.choice(starts))
        channels[f"x{number}"] = Signal(values, rate, unit, start)
    return channels


def check(again, written, quantum):
    assert sorted(again.channels) == sorted(written)
    for name, signal in again.channels.items():
        wanted = written[name]
        assert signal.unit == wanted.unit
        assert signal.sampling_rate == pytest.approx(wanted.sampling_rate, rel=1e-12)
        assert signal.start == wanted.start
        values = signal.values[: len(wanted.values)]
        step = quantum(wanted)
        np.testing.assert_allclose(values, wanted.values, rtol=0, atol=0.501 * step)
        assert np.isnan(signal.values[len(wanted.values) :]).all()


@pytest.mark.parametrize("suffix", EXACT)
@pytest.mark.parametrize("seed", range(6))
def test_tables_are_exact(tmp_path, suffix, seed):
    channels = drawn(seed, starts=[0.0, 0.1, -3.7], missing=True)
    again = read_record(write_record(Record("x", channels), tmp_path / f"x{suffix}"))
    check(again, channels, lambda _: 0.0)
    for name, signal in channels.items():
        assert len(again.channels[name].values) == len(signal.values)


@pytest.mark.parametrize("suffix", EXACT)
def test_single_numbers_are_exact_too(tmp_path, suffix):
    values = np.array([0.1, 1e-30, 3.4e7, np.nan], dtype=np.float32)
    channels = {"x": Signal(values, 1.0, "NU")}
    again = read_record(write_record(Record("x", channels), tmp_path / f"x{suffix}"))
    np.testing.assert_array_equal(
        again.channels["x"].values, values.astype(np.float64), strict=True
    )


@pytest.mark.parametrize("suffix", EXACT)
def test_everything_else_is_kept_by_tables(tmp_path, suffix):
    record = Record(
        "x",
        drawn(0, starts=[0.0], missing=True),
        age=63.25,
        cuffs=(Cuff(0.1, 121.5, 74.0), Cuff(9.0, 130.0, 80.0, site=None, map=99.5)),
        calibration="invasive SBP/DBP",
        covariates={"height": 1.71, "weight": 70.5, "male": 0.0},
        annotations={
            "atr": Annotations(np.array([0.1, 0.7]), np.array(["N", "V"])),
            "edf": Annotations(np.array([0.2]), np.array(['"'])),
        },
        reference_type="tonometry",
        sync="untrusted",
    )
    again = read_record(write_record(record, tmp_path / f"x{suffix}"))
    for name in ("age", "cuffs", "calibration", "covariates", "reference_type", "sync"):
        assert getattr(again, name) == getattr(record, name)
    assert [*again.annotations] == [*record.annotations]
    for origin, notes in record.annotations.items():
        assert again.annotations[origin].times.tolist() == notes.times.tolist()
        assert again.annotations[origin].labels.tolist() == notes.labels.tolist()


@pytest.mark.parametrize("seed", range(6))
def test_wfdb_is_right_to_its_step(tmp_path, seed):
    channels = drawn(seed, starts=[0.0, -2.0], missing=True)
    again = read_record(write_record(Record("x", channels), tmp_path / "x"))
    # A percentage is spanned by 64,000 steps at most: 0.005 for +-100.
    check(again, channels, lambda s: 1.0 / GAINS[s.unit] if s.unit in GAINS else 5e-3)


@pytest.mark.parametrize("seed", range(6))
def test_edf_is_right_to_its_step(tmp_path, seed):
    channels = drawn(seed, starts=[0.0], missing=False)
    again = read_record(write_record(Record("x", channels), tmp_path / "x.edf"))
    # The next of 1, 2 or 5 times a power of ten above a 64,000th of the range.
    check(again, channels, lambda s: 2.5 * np.ptp(s.values) / 60_000 + 1e-12)


@pytest.mark.parametrize("suffix", [*EXACT, ""])
def test_written_again_nothing_changes(tmp_path, suffix):
    channels = drawn(3, starts=[0.0], missing=True)
    first = read_record(write_record(Record("x", channels), tmp_path / f"x{suffix}"))
    second = read_record(write_record(first, tmp_path / "b" / f"x{suffix}"))
    for name, signal in first.channels.items():
        np.testing.assert_array_equal(second.channels[name].values, signal.values)
