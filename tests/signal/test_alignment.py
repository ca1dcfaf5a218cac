import numpy as np
import pytest

from capnet.errors import RecordError, UnitError
from capnet.records import Record, Signal
from capnet.signal.alignment import aligned


def tone(rate, start, seconds, unit):
    time = start + np.arange(round(seconds * rate)) / rate
    return Signal(np.sin(2.0 * np.pi * 3.0 * time), rate, unit, start=start)


def record():
    return Record(
        "x",
        {
            "II": tone(250.0, 0.0137, 20.0, "mV"),
            "PLETH": tone(124.945, 1.5, 20.0, "NU"),
            "ABP": tone(125.0, -2.0, 10.0, "mmHg"),
        },
        age=50.0,
    )


def test_all_channels_show_the_same_tone_at_the_same_time():
    found = aligned(record(), sampling_rate=100.0)
    assert list(found.channels) == ["II", "PLETH", "ABP"]
    assert {(s.start, s.sampling_rate) for s in found.channels.values()} == {
        (-2.0, 100.0)
    }
    assert {len(s.values) for s in found.channels.values()} == {2350}
    for name, signal in found.channels.items():
        before = record().channels[name]
        known = np.isfinite(signal.values)
        inside = (signal.times >= before.times[0]) & (signal.times <= before.times[-1])
        np.testing.assert_array_equal(known[1:-1], inside[1:-1])
        far = (signal.times > before.start + 0.3) & (
            signal.times < before.start + before.duration - 0.3
        )
        expected = np.sin(2.0 * np.pi * 3.0 * signal.times)
        np.testing.assert_allclose(signal.values[far], expected[far], atol=3e-4)
        assert signal.unit == before.unit


def test_some_channels_by_kind_and_all_else_kept():
    found = aligned(record(), sampling_rate=125.0, channels=["ecg", "PLETH"])
    assert list(found.channels) == ["ecg", "PLETH"]
    assert found.channels["ecg"].start == 0.0137
    assert (found.subject, found.age) == ("x", 50.0)


def test_aligning_twice_changes_nothing():
    once = aligned(record(), sampling_rate=125.0)
    twice = aligned(once, sampling_rate=125.0)
    for name in once.channels:
        np.testing.assert_array_equal(
            once.channels[name].values, twice.channels[name].values
        )


def test_one_sample_is_a_record():
    tiny = Record("x", {"ppg": Signal(np.array([3.0]), 500.0, "NU", start=1.0)})
    found = aligned(tiny, sampling_rate=10.0)
    np.testing.assert_allclose(found.channels["ppg"].values, [3.0])


def test_what_is_not_there_is_refused():
    with pytest.raises(RecordError, match="no channel"):
        aligned(Record("x", {}), sampling_rate=100.0)
    with pytest.raises(RecordError, match="'ICG'"):
        aligned(record(), sampling_rate=100.0, channels=["ICG"])
    with pytest.raises(UnitError, match="never assumes"):
        aligned(record(), sampling_rate=np.nan)
