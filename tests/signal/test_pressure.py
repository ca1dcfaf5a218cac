import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.signal.pressure import (
    beat_pressures,
    implausible_pressures,
    judge_pressure,
)

RATE = 125.0


def line(seconds=30.0, *, mean=95.0, swing=25.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return mean + swing * np.sin(2 * np.pi * 1.2 * time)


def test_numbers_of_a_beat():
    values = np.concatenate([np.arange(100.0), np.arange(100.0)]) + 60.0
    found = beat_pressures(values, np.array([0.0, 100.0]), np.array([100.0, 200.0]))
    np.testing.assert_allclose(found, [[159.0, 60.0, 109.5]] * 2)


def test_gaps_and_unknown_boundaries_give_nan():
    values = line()
    values[130] = np.nan
    start = np.array([0.0, 100.0, 200.0, np.nan, 3700.0])
    found = beat_pressures(values, start, start + 100.0)
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, True, False, False]


def test_shifting_and_scaling_pressure_shifts_and_scales_its_numbers():
    start = np.arange(10.0) * 100.0
    before = beat_pressures(line(), start, start + 100.0)
    after = beat_pressures(2.0 * line() + 5.0, start, start + 100.0)
    np.testing.assert_allclose(after, 2.0 * before + 5.0)


def test_implausible_beats():
    rows = np.array([[120.0, 80, 95], [300, 80, 150], [120, 115, 117], [np.nan] * 3])
    assert implausible_pressures(rows).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (line(), ""),
        (line(mean=60.0, swing=10.0), ""),
        (line(mean=-10.0), "mean pressure is -10"),
        (line(mean=33.0, swing=10.0), "mean pressure is 33"),
        (line(mean=250.0), "mean pressure is 250"),
        (line(swing=3.0), "pulse pressure is 6"),
        (line(5.0), "5.0 s of pressure"),
        (np.full(4000, np.nan), "0.0 s of pressure"),
        (np.full(4000, 90.0), "the pressure is flat"),
        (np.clip(line(), 80.0, 200.0), "the pressure is flat"),
        (np.concatenate([line(15.0, swing=9.0), line(15.0)]), "erratic"),
    ],
)
def test_verdicts(values, reason):
    found = judge_pressure(values, RATE)
    assert found.startswith(reason) if reason != "erratic" else reason in found
    assert bool(found) == bool(reason)


@pytest.mark.parametrize("rate", [0.1, 5.0, 24.9])
def test_too_few_samples_are_named(rate):
    words = f"the pressure is sampled at {rate:g} Hz, wanted at least 25 Hz"
    assert judge_pressure(np.full(200, 90.0), rate) == words


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("mixedsignals", True),
        ("03700181", False),  # miscalibrated: 25 to 51 mmHg
        ("s25047/3234460_0018", False),  # flushed or disconnected: -19 to 22 mmHg
    ],
)
def test_real_lines(shared_data, name, usable):
    signal = read_record(shared_data / "wfdb_sample" / name).signal("abp")
    assert (judge_pressure(signal.values, signal.sampling_rate) == "") == usable
