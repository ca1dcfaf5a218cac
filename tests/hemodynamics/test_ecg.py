"""The ECG's R peaks are where they were put, and its pieces fit together."""

import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.ecg import Ecg, electrocardiogram
from capnet.signal.rpeaks import r_peaks


def _beats(seconds=60.0):
    rng = np.random.default_rng(3)
    interval = 0.8 + 0.05 * rng.standard_normal(round(seconds / 0.8) + 4)
    ectopic = np.zeros(len(interval), dtype=np.bool_)
    ectopic[[20, 40]] = True
    interval[[20, 40]] *= 0.65
    interval[[21, 41]] *= 1.35
    return {
        "r_peak": -1.0 + np.cumsum(interval),
        "ectopic": ectopic,
        "interval": interval,
        "phase": np.cumsum(interval) / 4.0,
    }


def _ecg(beats, draw, *, first=0, count=15000, rate=250.0):
    r_peak = beats["r_peak"]
    rest = {k: v for k, v in beats.items() if k != "r_peak"}
    return electrocardiogram(
        *(r_peak,), **rest, draw=draw, row=0, sampling_rate=rate, first=first,
        count=count,
    )  # fmt: skip


@pytest.mark.parametrize("rate", [125.0, 250.0, 500.0])
def test_r_peaks_are_found_where_they_are(rate):
    draw, beats = Ecg().draw(1, np.random.default_rng(0)), _beats()
    ecg = _ecg(beats, draw, count=round(60.0 * rate), rate=rate)
    found = r_peaks(ecg, sampling_rate=rate)
    true = beats["r_peak"]
    inside = (true > 0.5) & (true < 59.5)
    for odd, late in ((False, 0.008), (True, 0.03)):
        wanted = true[inside & (beats["ectopic"] == odd)]
        nearest = np.abs(found[:, None] - wanted).min(axis=0)
        assert nearest.max() < late, odd
    assert len(found) == pytest.approx(inside.sum(), abs=2)


def test_a_piece_is_part_of_the_whole():
    draw, beats = Ecg().draw(1, np.random.default_rng(1)), _beats()
    whole = _ecg(beats, draw)
    np.testing.assert_array_equal(
        _ecg(beats, draw, first=5001, count=400), whole[5001:5401]
    )


def test_the_t_wave_goes_with_the_root_of_the_interval():
    """QT = QTc sqrt(RR) (Bazett 1920)."""
    clean = Ecg(modulation=(0.0, 0.0), wander=(0.0, 0.0), noise=(0.0, 0.0))
    draw, peaks = clean.draw(1, np.random.default_rng(0)), []
    for interval in (0.6, 1.2):
        beats = {
            "r_peak": interval * np.arange(10.0),
            "ectopic": np.zeros(10, dtype=np.bool_),
            "interval": np.full(10, interval),
            "phase": np.zeros(10) + np.arange(10.0),
        }
        ecg = _ecg(beats, draw, count=round(5 * interval * 1000), rate=1000.0)
        r = round(3 * interval * 1000)
        window = ecg[r + 100 : r + 480]
        peaks.append(0.1 + window.argmax() / 1000.0)
    assert peaks[1] / peaks[0] == pytest.approx(2.0**0.5, rel=0.02)


def test_noise_has_its_size():
    draw = Ecg(noise=(0.02, 0.02), wander=(0.0, 0.0)).draw(1, np.random.default_rng(0))
    beats = {k: v[:3] for k, v in _beats().items()}
    silent = _ecg(beats, draw, first=5000)
    assert silent.std() == pytest.approx(0.02, rel=0.02)
    other = dataclasses.replace(draw, key=draw.key + 1)
    assert abs(np.corrcoef(silent, _ecg(beats, other, first=5000))[0, 1]) < 0.03


def test_the_lead_follows_breathing():
    """R waves grow with inspiration, and the baseline rises."""
    plain = {"noise": (0.0, 0.0), "amplitude": (1.0, 1.0)}
    beats = {
        "r_peak": 0.9 * np.arange(20.0),
        "ectopic": np.zeros(20, dtype=np.bool_),
        "interval": np.full(20, 0.9),
        "phase": np.arange(20.0) / 4.0 + 0.25,
    }
    asked = {"modulation": (0.1, 0.1), "wander": (0.0, 0.0)}
    heights = []
    for settings in (asked, {"modulation": (0.0, 0.0), "wander": (0.05, 0.05)}):
        draw = Ecg(**plain, **settings).draw(1, np.random.default_rng(0))
        ecg = _ecg(beats, draw, count=4500)
        peaks = ecg[np.round(beats["r_peak"][4:8] * 250.0).astype(int)]
        heights.append(peaks - peaks[1])
    sine = np.array([1.0, 0.0, -1.0, 0.0])
    np.testing.assert_allclose(heights[0], 0.1 * sine * 0.98, atol=0.01)
    np.testing.assert_allclose(heights[1], 0.05 * sine, atol=0.005)


@pytest.mark.parametrize(
    ("name", "high"), [("noise", -1.0), ("noise", np.inf), ("qtc", 5.0)]
)
def test_impossible_ranges_are_refused(name, high):
    with pytest.raises(ConfigError, match=f"the ECG has {name}"):
        Ecg(**{name: (min(high, 0.3), high)})
