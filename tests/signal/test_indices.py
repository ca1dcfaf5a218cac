"""Pressure-wave indices: analytic waves, invariances, refusals."""

import csv

import numpy as np
import pytest

from capnet.errors import ShapeError, UnitError
from capnet.signal.indices import (
    augmentation,
    ejection_time,
    ejection_time_of_flow,
    form_factor,
    pressure_levels,
    pulse_amplification,
    pulse_wave_velocity,
    transit_time,
)

RATE = 500.0
PERIOD = 0.8
EARLY, LATE, DICROTIC = 0.045, 0.055, 0.025
YOUNG, EVEN, OLD = 0.6, 1.1, 1.5
"""Height of the late systolic wave over that of the early one."""


def bump(time, when, width):
    """A bell on a circle of one period."""
    ahead = (time - when + PERIOD / 2) % PERIOD - PERIOD / 2
    return np.exp(-0.5 * (ahead / width) ** 2)


def aortic(late, *, rate=RATE, delay=0.0):
    """Early and late systolic wave and a dicrotic one; one row a late height."""
    time = np.arange(round(PERIOD * rate)) / rate - delay
    height = np.atleast_1d(late)[:, None]
    systole = bump(time, 0.12, EARLY) + height * bump(time, 0.24, LATE)
    return 80.0 + 30.0 * systole + 9.0 * bump(time, 0.40, DICROTIC)


def broken():
    """A row for everything that cannot be read, and how its reason begins."""
    rows = np.tile(aortic(OLD), (5, 1))
    rows[0] = np.nan
    rows[1, 100:105] = np.nan
    rows[2] = 93.0
    rows[3, 40] = np.inf
    rows[4, 10:] = np.nan
    gap = "samples are missing"
    return rows, ["no finite sample", gap, "the wave is flat", gap, "fewer than 16"]


# Levels


def test_levels_of_a_cosine_are_known():
    wave = 100.0 + 20.0 * np.cos(2 * np.pi * np.arange(400) / 400)[None]
    found = pressure_levels(wave)
    assert [v.item() for v in found[:5]] == pytest.approx([120, 80, 100, 40, 0.5])
    assert found.reason.tolist() == [""]


def test_the_mean_of_a_beat_of_broken_length_errs_as_stated():
    period = 0.7993
    time = np.arange(420) / RATE
    wave = 80 + 40 * np.sin(np.pi * time / period) ** 2
    wave[time >= period] = np.nan
    found = pressure_levels(wave[None])
    assert abs(found.map[0] - 100.0) <= 20.0 / np.isfinite(wave).sum()


def test_between_samples_the_peak_is_missed_by_no_more_than_stated():
    fine = aortic(OLD, rate=20000.0)
    curvature = -np.gradient(np.gradient(fine[0], 1 / 20000), 1 / 20000)[fine.argmax()]
    for rate in (100.0, 500.0):
        delays = np.linspace(0, 1 / rate, 9)
        rows = np.concatenate([aortic(OLD, rate=rate, delay=d) for d in delays])
        missed = fine.max() - pressure_levels(rows).sbp
        assert missed.max() < 1.05 * curvature / rate**2 / 8
        assert missed.min() < 0.2 * missed.max()


def test_form_factor_is_where_the_mean_lies():
    third = form_factor(np.array([120.0]), np.array([90.0]), np.array([100.0]))
    assert third == pytest.approx(1 / 3)
    none = form_factor(np.array([90.0]), np.array([90.0]), np.array([90.0]))
    assert np.isnan(none).all()


def test_amplification_of_a_scaled_pulse_is_its_scale():
    central = pressure_levels(aortic([YOUNG, OLD]))
    arm = pressure_levels(1.4 * aortic([YOUNG, OLD]) - 20.0)
    np.testing.assert_allclose(pulse_amplification(arm.pp, central.pp), 1.4)
    assert np.isnan(pulse_amplification(np.array([40.0]), np.array([0.0]))).all()


# Augmentation


def test_types_and_signs_follow_murgo():
    found = augmentation(aortic([YOUNG, EVEN, OLD]), sampling_rate=RATE)
    assert found.kind.tolist() == ["C", "B", "A"]
    assert found.aix[0] < 0 < found.aix[1] < 12.0 < found.aix[2]
    np.testing.assert_array_equal(np.sign(found.ap), np.sign(found.aix))
    assert found.reason.tolist() == [""] * 3


def test_the_inflection_is_where_the_fourth_derivative_is_zero():
    """The blurred wave is a sum of bells again, whose derivatives are known."""
    blur = np.sqrt(np.log(2.0)) / (2 * np.pi * 10.0)  # -3 dB at 10 Hz
    time = np.linspace(0.0, PERIOD, 80001)

    def fourth(when, width):
        wide = np.hypot(width, blur)
        x = (time - when) / wide
        shape = (x**4 - 6 * x**2 + 3) * np.exp(-0.5 * x**2)
        return width / wide**5 * shape

    for late, rising in ((OLD, False), (YOUNG, True)):
        curve = 30 * (fourth(0.12, EARLY) + late * fourth(0.24, LATE))
        curve += 9 * fourth(0.40, DICROTIC)
        sign = curve if rising else -curve
        crosses = time[1:][(sign[:-1] < 0) & (sign[1:] >= 0)]
        # Type A: the first fall after the upstroke; type C: the rise behind the peak.
        expected = crosses[crosses > (0.14 if rising else 0.10)][0]
        wave = aortic(late)
        found = augmentation(wave, sampling_rate=RATE)
        pressure = np.interp(expected, np.arange(400) / RATE, wave[0])
        difference = pressure - wave.max() if rising else wave.max() - pressure
        assert found.ap[0] == pytest.approx(difference, abs=0.05)


def test_augmentation_grows_with_the_late_wave():
    found = augmentation(aortic(np.linspace(1.1, 2.0, 10)), sampling_rate=RATE)
    assert (np.diff(found.aix) > 0).all()


def test_scale_offset_and_shift_change_nothing_but_the_unit():
    wave = aortic([YOUNG, EVEN, OLD])
    plain = augmentation(wave, sampling_rate=RATE)
    scaled = augmentation(0.1 * wave - 40.0, sampling_rate=RATE)
    np.testing.assert_allclose(scaled.aix, plain.aix, atol=1e-9)
    np.testing.assert_allclose(scaled.ap, 0.1 * plain.ap, atol=1e-9)
    np.testing.assert_allclose(scaled.time, plain.time, atol=1e-9)
    for samples in (3, 57, 250, 391):
        turned = augmentation(np.roll(wave, samples, axis=1), sampling_rate=RATE)
        np.testing.assert_allclose(turned.aix, plain.aix, atol=0.05)
        assert turned.kind.tolist() == plain.kind.tolist()


def test_the_sampling_rate_hardly_matters():
    heights = [YOUNG, EVEN, OLD]
    fine = augmentation(aortic(heights, rate=1000.0), sampling_rate=1000.0)
    for rate in (100.0, 125.0, 250.0):
        coarse = augmentation(aortic(heights, rate=rate), sampling_rate=rate)
        np.testing.assert_allclose(coarse.aix, fine.aix, atol=0.3)
        np.testing.assert_allclose(coarse.time, fine.time, atol=2e-3)


def test_a_batch_of_beats_of_any_length_is_one_by_one():
    rows = np.full((3, 500), np.nan)
    rows[:, :400] = aortic([YOUNG, EVEN, OLD])
    rows[1, 390:] = np.nan
    rows[2, :450] = np.interp(np.arange(450) / 450, np.arange(400) / 400, rows[2, :400])
    whole = augmentation(rows, sampling_rate=RATE)
    for i, row in enumerate(rows):
        alone = augmentation(row[None, np.isfinite(row)], sampling_rate=RATE)
        np.testing.assert_allclose(
            [whole.aix[i], whole.time[i]], [alone.aix[0], alone.time[0]]
        )


def test_a_wave_without_shoulder_has_no_augmentation():
    time = np.arange(400) / RATE
    rows = np.stack([80 + 40 * bump(time, 0.2, 0.05), 90 + np.sin(7.8539816 * time)])
    found = augmentation(rows, sampling_rate=RATE)
    assert np.isnan([found.aix, found.ap, found.time]).all()
    assert found.kind.tolist() == ["", ""]
    assert {*found.reason} == {"no inflection between upstroke and dicrotic notch"}


# Ejection


def test_the_notch_is_the_sharpest_bend():
    """A parabola of systole meets an exponential: the corner ends ejection."""
    time = np.arange(400) / RATE
    for end in (0.26, 0.30, 0.34):
        systole = 80 + 40 * np.sin(np.pi * time / (1.3 * end))
        left = 80 + 40 * np.sin(np.pi / 1.3)
        run_off = 80 + (left - 80) * (1 - (time - end) / (PERIOD - end))
        wave = np.where(time < end, systole, run_off)
        found = ejection_time(wave[None], sampling_rate=RATE)
        assert found.time[0] == pytest.approx(end, abs=0.012)
        turned = ejection_time(np.roll(wave, 123)[None], sampling_rate=RATE)
        assert turned.time[0] == pytest.approx(found.time[0], abs=0.002)


def test_ejection_lasts_until_the_flow_is_zero():
    """A half sine with backflow, from 2 % of the peak on."""
    time = np.arange(400) / RATE
    for duration in (0.25, 0.2833, 0.32):
        flow = np.where(time < duration, 400 * np.sin(np.pi * time / duration), 0.0)
        back = (time >= duration) & (time < duration + 0.03)
        flow[back] = -50 * np.sin(np.pi * (time[back] - duration) / 0.03)
        onset = duration * np.arcsin(0.02) / np.pi
        for turn in (0, 77, 399):
            found = ejection_time_of_flow(np.roll(flow, turn)[None], sampling_rate=RATE)
            assert found.time[0] == pytest.approx(duration - onset, abs=1e-3)


def test_a_flow_that_never_ends_has_no_ejection_time():
    time = np.arange(400) / RATE
    flow = 50 + 20 * np.sin(2 * np.pi * time / PERIOD)
    found = ejection_time_of_flow(flow[None], sampling_rate=RATE)
    assert np.isnan(found.time[0])
    assert found.reason[0] == "the flow does not start and end within the beat"


# Transit


@pytest.mark.parametrize("delay", [0.0, 0.0123, 0.08, 0.15])
@pytest.mark.parametrize("late", [YOUNG, OLD])
def test_transit_is_the_delay_whatever_the_size(delay, late):
    near = aortic(late)
    far = 60.0 + 1.7 * (aortic(late, delay=delay) - 80.0)
    found = transit_time(near, far, sampling_rate=RATE)
    assert found.time[0] == pytest.approx(delay, abs=2e-4)
    turned = transit_time(
        np.roll(near, 311, axis=1), np.roll(far, 311, axis=1), sampling_rate=RATE
    )
    assert turned.time[0] == pytest.approx(delay, abs=2e-4)


def test_transit_hardly_depends_on_the_sampling_rate():
    for rate in (100.0, 250.0, 1000.0):
        near, far = (aortic(OLD, rate=rate, delay=d) for d in (0.0, 0.061))
        found = transit_time(near, far, sampling_rate=rate)
        assert found.time[0] == pytest.approx(0.061, abs=1e-3)


def test_speed_is_distance_over_time():
    distance, time = np.array([0.5, 0.5, 0.0]), np.array([0.05, -0.01, 0.05])
    speed = pulse_wave_velocity(distance, time)
    assert speed[0] == pytest.approx(10.0)
    assert np.isnan(speed[1:]).all()


# Refusals


def test_what_cannot_be_read_is_nan_with_a_reason():
    rows, wanted = broken()
    good = np.tile(aortic(OLD), (len(rows), 1))
    answers = [
        augmentation(rows, sampling_rate=RATE),
        ejection_time(rows, sampling_rate=RATE),
        ejection_time_of_flow(rows, sampling_rate=RATE),
        transit_time(rows, good, sampling_rate=RATE),
        transit_time(good, rows, sampling_rate=RATE),
    ]
    for found in answers:
        assert np.isnan(found[0]).all()
        for said, begins in zip(found.reason, wanted, strict=True):
            assert said.startswith(begins)


def test_levels_of_what_cannot_be_read():
    rows, _ = broken()
    found = pressure_levels(rows)
    np.testing.assert_array_equal(np.isnan(found.sbp), [True, True, False, True, False])
    assert np.isnan(found.form_factor[2])
    assert found.reason.tolist()[2:] == [
        "the wave is flat",
        "samples are missing inside the beat",
        "",
    ]


def test_no_beats_give_no_indices():
    none = np.empty((0, 400))
    assert pressure_levels(none).sbp.shape == (0,)
    assert augmentation(none, sampling_rate=RATE).aix.shape == (0,)
    assert transit_time(none, none, sampling_rate=RATE).time.shape == (0,)
    assert ejection_time_of_flow(none, sampling_rate=RATE).time.shape == (0,)
    nothing = augmentation(np.empty((2, 0)), sampling_rate=RATE)
    assert nothing.reason.tolist() == ["no finite sample"] * 2


def test_two_waves_of_two_beats_are_refused():
    near = aortic(OLD)
    far = near.copy()
    far[:, 380:] = np.nan
    found = transit_time(near, far, sampling_rate=RATE)
    assert found.reason.tolist() == ["the two waves are not of one beat"]
    with pytest.raises(ShapeError, match="proximal and the distal wave have shapes"):
        transit_time(near, near[:, :300], sampling_rate=RATE)
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(ShapeError, match="wanted the same"):
        form_factor(one, two, one)
    with pytest.raises(ShapeError, match="distance and time"):
        pulse_wave_velocity(one, two)


@pytest.mark.parametrize("rate", [40.0, 0.0, -500.0, np.nan, np.inf])
def test_an_impossible_sampling_rate_is_refused(rate):
    wave = aortic(OLD)
    for read in (augmentation, ejection_time, ejection_time_of_flow):
        with pytest.raises(UnitError, match="wanted at least 50 Hz"):
            read(wave, sampling_rate=rate)
    with pytest.raises(UnitError, match="wanted at least 50 Hz"):
        transit_time(wave, wave, sampling_rate=rate)


# Another simulator's people


@pytest.mark.data
def test_indices_of_the_pulse_wave_database(shared_data):
    """All are found, grow with age, and end ejection where it was made to end."""
    home = shared_data / "pwdb"
    with np.load(home / "pwdb_waves_500Hz.npz") as file:
        some = slice(None, None, 7)
        pressure = file["Asc_Ao_P_mmHg"][some].astype(np.float64)
        flow = file["Asc_Ao_Q_mlps"][some].astype(np.float64)
        subject = file["subject"][some]
    lines = (home / "pwdb_model_configs.csv").read_text("utf-8").splitlines()
    rows = [*csv.reader(lines)]
    table = np.array(rows[1:], dtype=np.float64)[subject - 1]
    age, ejection = table[:, 3], table[:, 16] / 1e3
    found = augmentation(pressure, sampling_rate=RATE)
    assert (found.reason == "").all()
    by_age = [found.aix[age == decade].mean() for decade in range(25, 76, 10)]
    assert (np.diff(by_age) > 0).all()
    assert 0.0 < by_age[0] < 12.0
    assert 30.0 < by_age[-1] < 45.0
    by_flow = ejection_time_of_flow(flow, sampling_rate=RATE)
    np.testing.assert_allclose(by_flow.time, ejection, atol=4e-3)
    notch = ejection_time(pressure, sampling_rate=RATE).time - ejection
    assert notch.mean() == pytest.approx(0.011, abs=0.002)
    assert notch.std() < 0.003


def test_a_flow_that_is_never_forward_has_no_ejection():
    flows = np.array([[-2.0, -1.0, -1.0, -2.0] * 8, [-3.0, -1.0, -2.0, -3.0] * 8])
    found = ejection_time_of_flow(flows, sampling_rate=125.0)
    assert np.isnan(found.time).all()
    assert (found.reason == "the flow does not start and end within the beat").all()
