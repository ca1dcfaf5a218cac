import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ConfigError, ShapeError
from capnet.signal.calibration import (
    FORM_FACTORS,
    average_beats,
    calibrate_map_dbp,
    calibrate_sbp_dbp,
    mean_pressure,
)


def beats(n, seed=0, points=64):
    rng = np.random.default_rng(seed)
    phase = np.arange(points) / points
    shape = np.exp(-(((phase - 0.25) / rng.uniform(0.1, 0.2, (n, 1))) ** 2))
    return rng.uniform(-5, 5, (n, 1)) + rng.uniform(0.01, 9, (n, 1)) * shape


def test_two_pressures_are_met():
    waves = beats(20)
    sbp, dbp = np.linspace(100.0, 160.0, 20), np.linspace(60.0, 90.0, 20)
    found = calibrate_sbp_dbp(waves, sbp, dbp)
    assert (found.reason == "").all()
    np.testing.assert_allclose(found.values.max(axis=1), sbp)
    np.testing.assert_allclose(found.values.min(axis=1), dbp)
    linear = found.offset[:, None] + found.gain[:, None] * waves
    np.testing.assert_allclose(found.values, linear, atol=1e-9)
    mean = dbp + 0.35 * (sbp - dbp)
    other = calibrate_map_dbp(waves, mean, dbp)
    np.testing.assert_allclose(other.values.mean(axis=1), mean)
    np.testing.assert_allclose(other.values.min(axis=1), dbp)


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(1e-6, 1e6), offset=st.floats(-1e6, 1e6))
def test_gain_and_offset_of_the_sensor_do_not_matter(gain, offset):
    waves = beats(3)
    for calibrate, upper in ((calibrate_sbp_dbp, 130.0), (calibrate_map_dbp, 95.0)):
        once = calibrate(waves, upper, 75.0)
        other = calibrate(gain * waves + offset, upper, 75.0)
        known = other.reason == ""  # a small wave on a large offset is rounding
        tolerance = 1e-6 + 1e-9 * abs(offset) / gain
        np.testing.assert_allclose(
            other.values[known], once.values[known], atol=tolerance
        )
        assert known.all() or abs(offset) > 1e5 * gain


def test_a_wave_in_mmhg_is_a_fixed_point():
    waves = 80.0 + 40.0 * (beats(5) - beats(5).min(axis=1, keepdims=True)) / 10.0
    again = calibrate_sbp_dbp(waves, waves.max(axis=1), waves.min(axis=1))
    np.testing.assert_allclose(again.values, waves, atol=1e-9)
    again = calibrate_map_dbp(waves, waves.mean(axis=1), waves.min(axis=1))
    np.testing.assert_allclose(again.values, waves, atol=1e-9)


def test_beats_of_any_length():
    waves = beats(2, points=80)
    waves[0, 50:] = np.nan
    found = calibrate_map_dbp(waves, 90.0, 70.0)
    alone = calibrate_map_dbp(waves[:1, :50], 90.0, 70.0)
    np.testing.assert_allclose(found.values[0, :50], alone.values[0])
    assert np.isnan(found.values[0, 50:]).all()


def test_every_fault_has_its_reason():
    waves = beats(8)
    waves[1] = np.nan
    waves[2] = 3.0
    waves[3, 20] = np.nan
    sbp = np.array([120.0, 120.0, 120.0, 120.0, np.nan, 80.0, 310.0, 120.0])
    dbp = np.array([80.0, 80.0, 80.0, 80.0, 80.0, 80.0, 80.0, 10.0])
    found = calibrate_sbp_dbp(waves, sbp, dbp)
    assert found.reason.tolist() == [
        "",
        "no finite sample",
        "the beat is flat",
        "samples are missing within the beat",
        "SBP or DBP is missing",
        "DBP is not below SBP",
        "SBP or DBP is implausible",
        "SBP or DBP is implausible",
    ]
    for numbers in (found.values, found.gain, found.offset):
        lost = np.isnan(numbers.reshape(8, -1)).all(axis=1)
        np.testing.assert_array_equal(lost, found.reason != "")


def test_a_mean_that_makes_an_impossible_systole_is_refused():
    spike = np.zeros((1, 64))
    spike[0, 10] = 1.0
    found = calibrate_map_dbp(spike, 100.0, 80.0)
    assert found.reason.tolist() == ["SBP would be implausible"]
    assert np.isnan(found.values).all()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="beat, time"):
        calibrate_sbp_dbp(np.ones(64), 120.0, 80.0)
    with pytest.raises(ShapeError, match="DBP has shape"):
        calibrate_sbp_dbp(beats(3), 120.0, np.ones(2))
    assert len(calibrate_sbp_dbp(np.zeros((0, 64)), 120.0, 80.0).reason) == 0


def test_mean_pressure_by_number_and_by_name():
    assert mean_pressure(120.0, 80.0, 0.4) == pytest.approx(96.0)
    for name, k in {"third": 0.33, "bos": 0.40, "meaney": 0.412}.items():
        assert FORM_FACTORS[name] == k
        found = mean_pressure(np.array([120.0, 80.0]), np.array([70.0, 90.0]), name)
        assert found[0] == pytest.approx(70.0 + 50.0 * k)
        assert np.isnan(found[1])


def test_a_form_factor_must_make_sense():
    for k in ("half", 0.0, 1.0, np.nan):
        with pytest.raises(ConfigError, match="wanted"):
            mean_pressure(120.0, 80.0, k)
    with pytest.raises(ShapeError, match="the same"):
        mean_pressure(np.ones(2), np.ones(3), 0.4)


@pytest.mark.parametrize("kind", ["mean", "median"])
def test_averages_are_those_of_each_group(kind):
    waves = beats(30)
    groups = np.random.default_rng(1).choice(["b", "a", "c"], 30)
    waves[groups == "c"] = np.nan
    waves[3, 5] = np.nan
    found = average_beats(waves, groups, kind=kind)
    assert found.group.tolist() == ["a", "b", "c"]
    assert found.reason.tolist() == ["", "", "no whole beat"]
    whole = np.isfinite(waves).all(axis=1)
    for row, name in enumerate("ab"):
        rows = waves[whole & (groups == name)]
        expected = getattr(np, kind)(rows, axis=0)
        np.testing.assert_allclose(found.values[row], expected, atol=1e-12)
        assert found.count[row] == len(rows)
    assert np.isnan(found.values[2]).all()


def test_noise_falls_with_the_root_of_the_number():
    rng = np.random.default_rng(2)
    wave = beats(1)
    noisy = wave + rng.standard_normal((400, 64))
    found = average_beats(noisy, np.zeros(400, dtype=np.int64))
    assert np.std(found.values[0] - wave[0]) == pytest.approx(1 / 20, rel=0.25)


def test_groups_and_kinds_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="one a beat"):
        average_beats(beats(3), np.zeros(2))
    with pytest.raises(ConfigError, match="'median'"):
        average_beats(beats(3), np.zeros(3), kind="mode")
