import numpy as np
import pytest

from capnet.errors import RecordError, ShapeError, UnitError
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


def test_t_waves_as_tall_as_the_complexes_are_no_beats():
    # complexes that wax and wane with breathing: the detector alone follows T at times
    time = np.arange(round(60.0 * RATE)) / RATE
    beats = np.arange(0.5, 59.5, 0.58)
    wave = 0.02 * np.random.default_rng(2).standard_normal(len(time))
    for beat in beats:
        late = time - beat
        burst = np.exp(-0.5 * (late / 0.012) ** 2) * np.cos(2.0 * np.pi * 30.0 * late)
        wave += 0.8 * (1.0 + 0.4 * np.sin(2.0 * np.pi * beat / 3.1)) * burst
        wave += 0.7 * np.exp(-0.5 * ((late - 0.25) / 0.04) ** 2)
    found = r_peaks(wave, sampling_rate=RATE)
    off = np.abs(found[:, None] - beats)
    assert np.mean(off.min(axis=0) < 0.03) > 0.98
    assert np.mean(off.min(axis=1) < 0.03) > 0.98


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
        (np.ones(200), "lasts 0.8 s"),
        (np.full(5000, np.nan), "lasts 0.0 s"),
        (np.full(5000, 0.7), "flat: every sample is 0.7"),
    ],
)
def test_unusable_ecgs_are_refused(ecg, message):
    with pytest.raises(RecordError, match=message):
        r_peaks(ecg, sampling_rate=RATE)


def test_what_is_no_channel_is_refused():
    for values in (np.zeros(0), np.ones((3, 1000)), np.ones(1000, dtype=complex)):
        with pytest.raises(ShapeError, match="the ECG"):
            r_peaks(values, sampling_rate=RATE)


def test_what_is_far_from_a_gap_is_timed_as_without_it(heart):
    """The law of gaps, in spite of the detector's filters, which ring for seconds."""
    wave, _ = heart
    whole = r_peaks(wave, sampling_rate=RATE)
    for at in (2.0, 3.0, 12.3, 20.77, 31.1):
        for length in (0.02, 0.5, 6.0):
            torn = wave.copy()
            torn[round(at * RATE) : round((at + length) * RATE)] = np.nan
            found = r_peaks(torn, sampling_rate=RATE)
            far = whole[(whole < at - 1.0) | (whole > at + length + 1.0)]
            assert np.abs(found[:, None] - far).min(axis=0).max() < 1e-9


def test_an_upside_down_lead_has_the_same_peaks(heart):
    wave, _ = heart
    upright = r_peaks(wave, sampling_rate=RATE)
    turned = r_peaks(-wave, sampling_rate=RATE)
    inner = upright[(upright > 1.0) & (upright < 39.0)]
    assert np.abs(turned[:, None] - inner).min(axis=0).max() < 1e-6
    assert abs(len(turned) - len(upright)) <= 1


def test_numbers_of_other_types_are_read(heart):
    wave, _ = heart
    found = r_peaks(wave, sampling_rate=RATE)
    whole = np.round(1e3 * wave).astype(np.int16)
    np.testing.assert_allclose(r_peaks(whole, sampling_rate=RATE), found, atol=1e-3)
    strided = np.repeat(wave, 2)[::2]
    np.testing.assert_array_equal(r_peaks(strided, sampling_rate=RATE), found)


def test_slow_sampling_is_refused():
    with pytest.raises(UnitError, match="at least 100 Hz"):
        r_peaks(np.zeros(1000), sampling_rate=50.0)


def test_noise_raises_nothing_but_capnet_errors():
    noise = np.random.default_rng(0).standard_normal(2500)
    assert r_peaks(noise, sampling_rate=RATE).ndim == 1
