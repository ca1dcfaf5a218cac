"""The published estimators: exactness, invariance, and a hand-made example."""

import subprocess
import sys

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from capnet.errors import ConfigError, ShapeError, UnitError
from capnet.models.published import (
    forward_transfer,
    gtf,
    gtf_beats,
    moving_average_beats,
    moving_average_csbp,
)
from capnet.types import N_POINTS
from tests.models.fake_beats import harmonics

SITES = ["radial", "brachial"]
RATE = 200.0


def aortic_beat(seconds: float = 0.8, rate: float = RATE) -> np.ndarray:
    """A pulse with seven harmonics: below 9 Hz at 75 bpm."""
    phase = np.arange(round(seconds * rate)) / round(seconds * rate)
    wave = np.full(len(phase), 95.0)
    for k in range(1, 8):
        wave += 16 / k**1.4 * np.sin(2 * np.pi * k * phase - 0.5 * k**0.5)
    return wave


def to_artery(wave: np.ndarray, rate: float, site: str) -> np.ndarray:
    frequency = np.fft.rfftfreq(len(wave), 1 / rate)
    spectrum = np.fft.rfft(wave) * forward_transfer(frequency, site=site)
    return np.fft.irfft(spectrum, len(wave))


def upstroke(wave: np.ndarray) -> int:
    return int(np.diff(wave, append=wave[0]).argmax())


@pytest.mark.parametrize("site", SITES)
def test_inverse_undoes_forward_below_nine_hertz(site):
    aorta = aortic_beat()
    artery = to_artery(aorta, RATE, site)
    back = gtf(artery, sampling_rate=RATE, site=site)
    np.testing.assert_allclose(back, aorta, atol=1e-9)
    assert np.abs(artery - aorta).max() > 5


@pytest.mark.parametrize("site", SITES)
def test_artery_comes_after_the_aorta_and_is_taller(site):
    aorta = np.tile(aortic_beat(), 2)
    artery = to_artery(aorta, RATE, site)
    n = len(aorta) // 2
    lags = range(-n // 2, n // 2)
    best = max(lags, key=lambda lag: float(np.roll(artery, -lag) @ aorta))
    assert 0.01 < best / RATE < 0.15
    assert np.ptp(artery) > np.ptp(aorta)


def test_table_is_that_of_the_figure():
    hertz = np.array([0.0, 1.0, 4.0, 9.0, 9.01])
    radial = forward_transfer(hertz, site="radial")
    np.testing.assert_allclose(np.abs(radial), [1.0, 1.11, 3.10, 1.47, 0.0])
    assert np.angle(radial[1]) == pytest.approx(-0.35)
    brachial = forward_transfer(hertz, site="brachial")
    np.testing.assert_allclose(np.abs(brachial), [1.0, 1.07, 2.50, 1.99, 0.0])
    assert np.angle(brachial[4 - 1]) == pytest.approx(2 * np.pi - 3.56)


def test_pure_delay_between_two_points_keeps_its_gain():
    between = np.abs(forward_transfer(np.array([3.5]), site="radial"))[0]
    assert between == pytest.approx((2.03 + 3.10) / 2)


def test_nothing_above_nine_hertz_and_mean_kept():
    t = np.arange(200) / RATE
    wave = 90 + 10 * np.sin(2 * np.pi * 2 * t) + 5 * np.sin(2 * np.pi * 20 * t)
    answer = gtf(wave, sampling_rate=RATE)
    power = np.abs(np.fft.rfft(answer))
    assert power[10:].max() < 1e-9
    assert answer.mean() == pytest.approx(wave.mean())


def test_cuff_sets_the_scale_and_makes_the_unit_irrelevant():
    shape = to_artery(aortic_beat(), RATE, "radial")
    cuff = (128.0, 77.0)
    answer = gtf(shape, sampling_rate=RATE, cuff=cuff)
    volts = gtf(0.01 * shape - 3, sampling_rate=RATE, cuff=cuff)
    np.testing.assert_allclose(volts, answer, atol=1e-9)
    raised = gtf(shape, sampling_rate=RATE, cuff=(138.0, 87.0))
    np.testing.assert_allclose(raised, answer + 10, atol=1e-9)


def test_recording_agrees_with_its_beats_inside():
    beat = to_artery(aortic_beat(), RATE, "radial")
    recording = gtf(np.tile(beat, 8), sampling_rate=RATE)
    inside = slice(3 * len(beat), 4 * len(beat))
    one = gtf(beat, sampling_rate=RATE)
    np.testing.assert_allclose(recording[inside], one, atol=0.3)


def test_recording_does_not_wrap_round():
    ramp = np.linspace(80, 120, 2000)
    answer = gtf(ramp, sampling_rate=RATE)
    assert np.abs(answer - ramp).max() < 1.0


@pytest.mark.parametrize("site", SITES)
def test_beats_agree_with_samples(site):
    rng = np.random.default_rng(3)
    waves = 70 + 50 * harmonics(rng, 5)
    duration = np.array([0.5, 0.7, 0.8, 1.0, 1.6])
    table = gtf_beats(waves, duration, site)
    means = moving_average_beats(waves, duration, site)
    for i, seconds in enumerate(duration):
        rate = N_POINTS / seconds
        alone = gtf(waves[i], sampling_rate=rate, site=site)
        np.testing.assert_allclose(table[i], alone, atol=1e-9)
        one = gtf_beats(waves[i : i + 1], duration[i : i + 1], site)
        np.testing.assert_allclose(one[0], table[i], atol=1e-12)
        one = moving_average_beats(waves[i : i + 1], duration[i : i + 1], site)
        assert one[0] == pytest.approx(means[i])


def test_missing_beats_stay_missing():
    waves = np.full((2, N_POINTS), 90.0)
    waves[1] = np.nan
    duration = np.array([0.8, np.nan])
    assert np.isnan(gtf_beats(waves, duration)[1]).all()
    np.testing.assert_allclose(gtf_beats(waves, duration)[0], 90)
    answer = moving_average_beats(waves, duration)
    assert answer[0] == pytest.approx(90)
    assert np.isnan(answer[1])
    with pytest.raises(ShapeError, match=r"beat 0 lasts -1\.0 s"):
        gtf_beats(waves, np.array([-1.0, 0.8]))


@pytest.mark.parametrize(("site", "window"), [("radial", 10), ("brachial", 7)])
def test_moving_average_window_by_hand(site, window):
    # 40 Hz: a quarter of a second is 10 samples, a sixth 6.67, rounded to 7.
    wave = np.full(40, 80.0)
    wave[5] = 80.0 + 70.0
    assert moving_average_csbp(wave, sampling_rate=40, site=site) == pytest.approx(
        80 + 70 / window
    )


def test_moving_average_of_beats_counts_part_of_the_last_point():
    # 64 points in 1.6 s are 40 Hz: 10 points radial, 6 2/3 points brachial.
    wave = np.full((1, N_POINTS), 80.0)
    wave[0, :7] = 120.0
    duration = np.array([1.6])
    radial = moving_average_beats(wave, duration, "radial")[0]
    brachial = moving_average_beats(wave, duration, "brachial")[0]
    assert radial == pytest.approx((7 * 120 + 3 * 80) / 10)
    assert brachial == pytest.approx(120)
    wave[0, 6] = 80.0
    brachial = moving_average_beats(wave, duration, "brachial")[0]
    assert brachial == pytest.approx((6 * 120 + 2 / 3 * 80) / (20 / 3))


def test_moving_average_of_a_beat_goes_round():
    rng = np.random.default_rng(0)
    waves = 80 + 40 * harmonics(rng, 3)
    duration = np.array([0.7, 0.9, 1.1])
    turned = np.roll(waves, 17, axis=1)
    np.testing.assert_allclose(
        moving_average_beats(turned, duration), moving_average_beats(waves, duration)
    )


def test_moving_average_lies_below_the_peak_and_shifts_with_pressure():
    wave = aortic_beat()
    radial = moving_average_csbp(wave, sampling_rate=RATE)
    assert wave.mean() < radial < wave.max()
    raised = moving_average_csbp(wave + 12, sampling_rate=RATE)
    assert raised == pytest.approx(radial + 12)


@pytest.mark.parametrize("method", [gtf, moving_average_csbp])
def test_bad_input_is_named(method):
    wave = aortic_beat()
    for rate in (0.0, -5.0, 18.0, float("nan")):
        with pytest.raises(UnitError, match="wanted more than 18 Hz"):
            method(wave, sampling_rate=rate)
    with pytest.raises(ShapeError, match="wanted a whole beat"):
        method(wave[:40], sampling_rate=RATE)
    gap = wave.copy()
    gap[[7, 9]] = np.nan
    with pytest.raises(ShapeError, match=r"2 of 160 samples .* first at index 7"):
        method(gap, sampling_rate=RATE)


@pytest.mark.parametrize(
    "call",
    [
        lambda site: gtf(aortic_beat(), sampling_rate=RATE, site=site),
        lambda site: moving_average_csbp(aortic_beat(), sampling_rate=RATE, site=site),
    ],
)
def test_unknown_site_is_refused(call):
    # The run-time check of the annotations, where it is on, comes first.
    with pytest.raises((ConfigError, TypeCheckError), match="finger"):
        call("finger")


def test_impossible_cuff_and_flat_wave_are_refused():
    with pytest.raises(ShapeError, match=r"77/128 mmHg; wanted 20 <= DBP < SBP"):
        gtf(aortic_beat(), sampling_rate=RATE, cuff=(77.0, 128.0))
    with pytest.raises(ShapeError, match="flat wave cannot be stretched"):
        gtf(np.full(200, 3.0), sampling_rate=RATE, cuff=(128.0, 77.0))


def test_import_stays_light():
    heavy = "{'torch', 'sklearn', 'pandas', 'matplotlib'}"
    code = f"import sys, capnet; capnet.gtf; print({heavy} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"


@pytest.mark.data
def test_known_biases_on_the_pulse_wave_database(shared_data):
    # Virtual people of Charlton et al. (2019): an independent simulator, on which the
    # brachial moving average is high by 5 mmHg and the transfer function, made from
    # people, too high in the young and too low in the old.
    waves = np.load(shared_data / "pwdb" / "pwdb_waves_500Hz.npz")
    rows = slice(None, None, 12)
    subject = waves["subject"][rows]
    config = np.genfromtxt(
        shared_data / "pwdb" / "pwdb_model_configs.csv", delimiter=",", skip_header=1
    )
    age = config[subject - 1, 3]
    average, transfer = [], []
    pairs = zip(
        waves["L_Brachial_P_mmHg"][rows], waves["Asc_Ao_P_mmHg"][rows], strict=True
    )
    for artery, aorta in pairs:
        beat = artery[np.isfinite(artery)].astype(np.float64)
        truth = float(np.nanmax(aorta))
        how = {"sampling_rate": 500.0, "site": "brachial"}
        average.append(moving_average_csbp(beat, **how) - truth)
        transfer.append(gtf(beat, **how).max() - truth)
    assert np.mean(average) == pytest.approx(4.9, abs=0.5)
    bias = {years: np.mean(np.array(transfer)[age == years]) for years in (25, 75)}
    assert bias[25] == pytest.approx(5.5, abs=0.8)
    assert bias[75] == pytest.approx(-1.0, abs=0.8)
