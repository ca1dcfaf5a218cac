import numpy as np
import pytest

from capnet.signal.faults import Look, look_at
from tests.signal.trains import made, virtual

RATE = 125.0


def pulses(rate=RATE, period=0.8, windows=2):
    wave = made(8.0 * windows, rate=rate, period=period)
    return wave.reshape(windows, -1)


def fields(look):
    return {name: value for name, value in vars(look).items() if name != "event"}


def test_what_is_seen_of_a_made_pulse():
    look = look_at(pulses(), rate=RATE, kind="pulse")
    assert look.interval == pytest.approx(0.8, abs=2e-3)
    assert (look.beats >= 9).all()
    assert (look.missing == 0.0).all()
    assert (look.irregular < 0.05).all()
    assert (look.likeness > 0.97).all()
    assert (look.steepness > 1.2).all()
    # feet lie at whole periods, give or take 20 ms and the smoothing
    off = (look.event[0] / 0.8 + 0.5) % 1.0 - 0.5
    assert np.nanmax(np.abs(off)) < 0.06 / 0.8


def test_gain_and_offset_change_levels_alone():
    rows = pulses()
    before = fields(look_at(rows, rate=RATE, kind="pulse"))
    after = fields(look_at(7.0 * rows - 300.0, rate=RATE, kind="pulse"))
    for name in ("low", "mean", "high", "least", "most"):
        assert after[name] == pytest.approx(7.0 * before[name] - 300.0, rel=1e-9)
    assert after["height"] == pytest.approx(7.0 * before["height"], rel=1e-9)
    for name in set(before) - {"low", "mean", "high", "least", "most", "height"}:
        assert after[name] == pytest.approx(before[name], rel=1e-6, abs=1e-9), name


def test_windows_are_looked_at_one_by_one():
    rows = np.random.default_rng(0).standard_normal((5, 1000)).cumsum(axis=1)
    rows[2, 100:400] = np.nan
    rows[4] = np.nan
    whole = look_at(rows, rate=RATE, kind="pulse")
    alone = Look.concatenate(
        [look_at(rows[k : k + 1], rate=RATE, kind="pulse") for k in range(5)]
    )
    for name, values in vars(whole).items():
        assert np.array_equal(values, getattr(alone, name), equal_nan=True), name


def test_times_of_faults_are_told_in_seconds():
    rows = pulses()
    rows[0, 100:150] = np.nan
    rows[1, 300:500] = rows[1, 300]
    look = look_at(rows, rate=RATE, kind="pulse")
    assert look.missing[0] == pytest.approx(50 / RATE)
    assert look.still[1] == pytest.approx(199 / RATE, abs=2.0 / RATE)
    cut = np.minimum(pulses(), 0.7)
    clipped = look_at(cut, rate=RATE, kind="pulse")
    # ten equal pulses
    assert clipped.rail == pytest.approx((cut == 0.7).sum(axis=1) / 10 / RATE)


def test_one_beat_of_another_shape_is_odd_and_its_place_does_not_matter():
    rows = pulses(windows=3)
    usual = look_at(rows, rate=RATE, kind="pulse")
    assert (usual.likeness > 0.99).all()
    assert (usual.odd > 0.97).all()
    broken = rows.copy()
    broken[1, 425:531] = 1.0 - rows[1, 425:531]
    look = look_at(broken, rate=RATE, kind="pulse")
    assert look.odd[1] < 0.7
    assert look.likeness[1] > 0.97
    assert np.array_equal(look.odd[[0, 2]], usual.odd[[0, 2]])
    moved = look_at(np.roll(broken, 50, axis=1), rate=RATE, kind="pulse")
    assert moved.odd[1] == pytest.approx(look.odd[1], abs=0.05)


def test_a_sine_is_pure_and_even_and_mirrors_are_steeper_down():
    time = np.arange(1000) / RATE
    sine = look_at(np.sin(2 * np.pi * 1.25 * time)[None], rate=RATE, kind="pulse")
    assert sine.pure[0] > 0.99
    assert sine.top[0] == pytest.approx(1.25, abs=0.07)
    assert sine.steepness[0] == pytest.approx(1.0, abs=0.02)
    up = look_at(pulses(), rate=RATE, kind="pulse").steepness
    down = look_at(-pulses(), rate=RATE, kind="pulse").steepness
    assert up * down == pytest.approx(1.0, rel=1e-6)


def test_noise_is_measured_in_heights():
    rng = np.random.default_rng(1)
    rows = pulses(windows=4)
    look = look_at(rows, rate=RATE, kind="pulse")
    noisy = rows + 0.2 * rng.standard_normal(rows.shape)
    heard = look_at(noisy, rate=RATE, kind="pulse")
    # 11 samples' mean takes 1 - 1/11 of white noise's variance for what is slow
    wanted = 0.2 * np.sqrt(10.0 / 11.0) / heard.height
    assert heard.hiss == pytest.approx(wanted, rel=0.1)
    assert (look.hiss < 0.05).all()


def test_the_qrs_and_the_t_wave_are_where_they_are():
    strip = virtual()[0]
    signal = strip.channels["ecg"]
    width = round(8.0 * signal.sampling_rate)
    rows = signal.values[: 7 * width].reshape(7, width).astype(np.float64)
    look = look_at(rows, rate=signal.sampling_rate, kind="ecg")
    found = (8.0 * np.arange(7)[:, None] + look.event).ravel()
    found = found[np.isfinite(found)]
    true = strip.beats.r_peak[~strip.beats.ectopic]
    inside = (true > 0.0) & (true < 56.0) & (np.abs(true % 8.0 - 4.0) < 3.9)
    true = true[inside]
    assert len(true) > 40
    near = np.abs(found[:, None] - true).min(axis=0)
    assert (near < 0.016).all()
    # QT is 0.37 to 0.43 of the root of the interval, T's top at three quarters of it
    usual = look.late / np.sqrt(look.interval)
    assert (usual > 0.24).all()
    assert (usual < 0.36).all()
