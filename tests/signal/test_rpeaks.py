import numpy as np
import pytest

from capnet.errors import RecordError, UnitError
from capnet.signal.rpeaks import r_peaks
from tests.fakes.make_record import draw_beats, ecg, train

RATE = 250.0


@pytest.fixture(scope="module")
def heart():
    rng = np.random.default_rng(5)
    beats = draw_beats(40.0, 72.0, rng)
    time = np.arange(round(40.0 * RATE)) / RATE
    wave = train(time, beats, ecg) + 0.01 * rng.standard_normal(len(time))
    return wave, beats


def test_finds_every_beat_to_5_ms(heart):
    wave, beats = heart
    inner = beats[(beats > 1.0) & (beats < 39.0)]
    found = r_peaks(wave, sampling_rate=RATE)
    nearest = np.abs(found[:, None] - inner).min(axis=0)
    assert nearest.max() < 0.005
    assert len(found) <= len(beats)


def test_a_gap_takes_its_own_beats_only(heart):
    wave, beats = heart
    torn = wave.copy()
    torn[round(15 * RATE) : round(20 * RATE)] = np.nan
    found = r_peaks(torn, sampling_rate=RATE)
    assert not ((found > 15.0) & (found < 20.0)).any()
    inner = beats[((beats > 1) & (beats < 14)) | ((beats > 21) & (beats < 39))]
    assert np.abs(found[:, None] - inner).min(axis=0).max() < 0.005


def test_gain_does_not_matter(heart):
    wave, _ = heart
    np.testing.assert_allclose(
        r_peaks(wave, sampling_rate=RATE),
        r_peaks(1e3 * wave, sampling_rate=RATE),
        atol=1e-6,
    )


def test_long_records_are_handled_in_pieces(heart, monkeypatch):
    wave, _ = heart
    whole = r_peaks(wave, sampling_rate=RATE)
    monkeypatch.setattr("capnet.signal.rpeaks._PIECE", 10.0)
    pieces = r_peaks(wave, sampling_rate=RATE)
    inner = pieces[(pieces > 1.0) & (pieces < 39.0)]
    assert np.abs(whole[:, None] - inner).min(axis=0).max() < 0.005
    assert len(pieces) == len(whole)


@pytest.mark.parametrize(
    ("ecg", "message"),
    [
        (np.zeros(0), "lasts 0.0 s"),
        (np.ones(200), "lasts 0.8 s"),
        (np.full(5000, np.nan), "lasts 0.0 s"),
        (np.full(5000, 0.7), "flat: every sample is 0.7"),
    ],
)
def test_unusable_ecgs_are_refused(ecg, message):
    with pytest.raises(RecordError, match=message):
        r_peaks(ecg, sampling_rate=RATE)


def test_slow_sampling_is_refused():
    with pytest.raises(UnitError, match="at least 100 Hz"):
        r_peaks(np.zeros(1000), sampling_rate=50.0)


def test_noise_raises_nothing_but_capnet_errors():
    noise = np.random.default_rng(0).standard_normal(2500)
    assert r_peaks(noise, sampling_rate=RATE).ndim == 1
