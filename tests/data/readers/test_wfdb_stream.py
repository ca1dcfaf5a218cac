import numpy as np
import pytest

from capnet.data.readers import read_record, stream_record
from capnet.data.writers.records import RecordWriter
from capnet.errors import CapnetError, ConfigError, RecordError
from capnet.files import sha256_of
from capnet.records import Signal
from tests.fakes.make_record import make_record

LENGTHS = (0.004, 0.3, 1.0, 2.77, 8.0, 600.0, 1e300)


def assert_parts_are_the_whole(header, lengths=LENGTHS, **more):
    whole = read_record(header, **more)
    for length in lengths:
        parts = list(stream_record(header, length=length, **more))
        for name, signal in whole.channels.items():
            found = [part.channels[name] for part in parts]
            joined = np.concatenate([x.values for x in found])
            np.testing.assert_array_equal(joined, signal.values)
            begins = np.cumsum([0, *(len(x.values) for x in found[:-1])])
            np.testing.assert_allclose(
                [x.start for x in found], signal.start + begins / signal.sampling_rate
            )
        for part in parts:
            assert list(part.channels) == list(whole.channels)
            assert (part.source, part.files) == (whole.source, whole.files)
            assert (part.subject, part.age) == (whole.subject, whole.age)
    return whole


def test_parts_are_the_whole(tmp_path):
    header = make_record(tmp_path, seconds=8.0)
    record = assert_parts_are_the_whole(header)
    assert record.files == {
        name: sha256_of(tmp_path / name) for name in ("virtual.hea", "virtual.dat")
    }
    assert_parts_are_the_whole(header, lengths=(1.0,), channels=["PLETH"], age=50.0)


def test_several_rates_and_missing_samples(tmp_path):
    rng = np.random.default_rng(0)
    ecg, ppg = rng.standard_normal(2001), rng.random(1001)
    ppg[400:600] = np.nan
    with RecordWriter(tmp_path / "a") as writer:
        writer.add({"II": Signal(ecg, 250.0, "mV"), "PLETH": Signal(ppg, 125.0, "NU")})
    assert_parts_are_the_whole(tmp_path / "a.hea")


def variable_layout(folder):
    """Two segments of other channels each, as in the MIMIC waveform databases."""
    make_record(folder, seconds=8.0, name="s1", with_ppg=False)
    make_record(folder, seconds=4.0, name="s2", with_ecg=False, seed=1)
    lines = ["s_layout 4 250 0"]
    for gain, name in (("1/mV", "II"), ("1/mmHg", "ABP"), ("1/NU", "PLETH")):
        lines.append(f"~ 0 {gain} 0 0 0 0 0 {name}")
    lines.append("~ 0 1/mV 0 0 0 0 0 V")
    (folder / "s_layout.hea").write_text("\n".join(lines) + "\n")
    header = folder / "s.hea"
    header.write_text(
        "s/4 4 250 3300\ns_layout 0\ns1 2000\n~ 300\ns2 1000\n# <age>: 61 <sex>: M\n"
    )
    return header


def test_a_variable_layout(tmp_path):
    header = variable_layout(tmp_path)
    record = assert_parts_are_the_whole(header)
    first, second = (read_record(tmp_path / name) for name in ("s1", "s2"))
    gap = np.full(300, np.nan)
    expected = {
        "II": [first.channels["II"].values, gap, np.full(1000, np.nan)],
        "ABP": [first.channels["ABP"].values, gap, second.channels["ABP"].values],
        "PLETH": [np.full(2000, np.nan), gap, second.channels["PLETH"].values],
    }
    assert list(record.channels) == list(expected)
    for name, parts in expected.items():
        np.testing.assert_array_equal(
            record.channels[name].values, np.concatenate(parts)
        )
    assert "no valid sample: V" in record.source
    assert (record.age, record.covariates) == (61.0, {"male": 1.0})
    assert set(record.files) == {
        *("s.hea", "s_layout.hea", "s1.hea", "s1.dat", "s2.hea", "s2.dat")
    }
    with pytest.raises(RecordError, match="'V' holds no valid sample"):
        next(stream_record(header, channels=["V"]))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("s_layout.hea", " PLETH", " PLET", "a channel 'PLETH' that the layout"),
        ("s_layout.hea", "s_layout 4 250", "s_layout 4 125", "at 125 Hz"),
        ("s.hea", "s/4 4", "s/4 3", "4 signals; 3 are declared"),
        ("s.hea", "s_layout 0\n", "", "3 segment lines"),
        ("s.hea", "~ 300", "~ 0", "no samples"),
        ("s2.hea", "/mmHg", "/NU", "changes rate, unit or skew"),
        ("s2.hea", "/mmHg", "/kPa", "changes rate, unit or skew"),
    ],
)
def test_faults_of_a_layout(tmp_path, file, old, new, message):
    header = variable_layout(tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(RecordError, match=message):
        read_record(header)


def test_nothing_is_yielded_of_a_damaged_record(tmp_path):
    header = make_record(tmp_path, seconds=8.0)
    data = header.with_suffix(".dat")
    raw = bytearray(data.read_bytes())
    raw[-1] ^= 1  # its last sample
    data.write_bytes(bytes(raw))
    with pytest.raises(RecordError, match="checksum"):
        next(stream_record(header, length=1.0))


def test_whole_and_parts_refuse_the_same(tmp_path):
    header = make_record(tmp_path, seconds=8.0)
    intact = header.read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        broken = bytearray(intact)
        broken[rng.integers(len(broken))] = rng.integers(32, 127)
        header.write_bytes(bytes(broken))
        try:
            said = sorted(read_record(header).channels)
        except CapnetError as error:
            said = f"{type(error)} {error}"
        try:
            found = sorted(next(stream_record(header)).channels)
        except CapnetError as error:
            found = f"{type(error)} {error}"
        assert found == said


@pytest.mark.parametrize("length", [0.0, -1.0, np.nan, np.inf])
def test_the_length_of_a_part(tmp_path, length):
    header = make_record(tmp_path, seconds=8.0)
    with pytest.raises(ConfigError, match="positive number"):
        next(stream_record(header, length=length))


def test_gaps_without_end_are_not_allocated(tmp_path):
    make_record(tmp_path, seconds=8.0, name="s1")
    header = tmp_path / "s.hea"
    header.write_text("s/2 3 250 60002000\ns1 2000\n~ 60000000\n")
    with pytest.raises(RecordError, match="in parts with stream_record"):
        read_record(header)
    part = next(stream_record(header, length=8.0))
    np.testing.assert_array_equal(
        part.channels["II"].values, read_record(tmp_path / "s1").channels["II"].values
    )
