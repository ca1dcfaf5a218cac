"""Circularity: fixed filters are found out, bodies that differ are not."""

import json

import jaxtyping
import numpy as np
import pytest
from scipy import ndimage, signal

from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.evaluation.audits.circular import circularity
from capnet.evaluation.audits.published_filters import SITES, inverse_transfer
from capnet.evaluation.reports.circularity_section import circularity_section
from capnet.models.published import forward_transfer

RATE = 100.0


def person(rng, *, points=None):
    """Aortic and arm pressure of a made-up body: a line with a reflection.

    Forward and backward waves of an aortic pulse travel down a tube; delay and
    reflection are the person's own.
    """
    seconds = rng.uniform(0.7, 1.1)
    n = points or round(seconds * RATE)
    f = np.fft.rfftfreq(512, seconds / 512)
    t = np.arange(512) / 512 * seconds
    ejection = rng.uniform(0.26, 0.34)
    flow = np.where(t < ejection, np.sin(np.pi * t / ejection) ** 2, 0.0)
    load = 0.05 + 1.0 / (1 + 2j * np.pi * f * rng.uniform(1.0, 1.8))
    root = np.fft.rfft(flow) * load
    delay, reflection = rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.8)
    w = 2j * np.pi * f
    soft = reflection / (1 + w * 0.02)
    arm = root * (1 + soft) / (np.exp(w * delay) + soft * np.exp(-w * delay))
    low, high = rng.uniform(60, 85), rng.uniform(35, 60)
    waves = [np.fft.irfft(s, 512) for s in (root, arm)]
    scale = high / np.ptp(waves[0])
    lift = low - scale * waves[0].min()
    at = np.arange(n) * (512 / n if points else 512 / (RATE * seconds))
    period = np.arange(513)
    read = [np.interp(at, period, np.r_[v, v[0]]) * scale + lift for v in waves]
    return read[0], read[1], seconds


def people(n, seed, *, points=None):
    rng = np.random.default_rng(seed)
    found = [person(rng, points=points) for _ in range(n)]
    aorta, arm, seconds = zip(*found, strict=True)
    return table(arm), table(aorta), np.array(seconds)


def table(beats):
    found = np.full((len(beats), max(len(b) for b in beats)), np.nan)
    for row, beat in zip(found, beats, strict=True):
        row[: len(beat)] = beat
    return found


def filtered(x, b, a, *, rate=RATE, seconds=None):
    """Steady answer of a filter to each beat, repeated for ever."""
    found = np.full(x.shape, np.nan)
    for i, row in enumerate(x):
        wave = row[np.isfinite(row)]
        own = rate if seconds is None else len(wave) / seconds[i]
        f = np.fft.rfftfreq(len(wave), 1 / own)
        _, answer = signal.freqz(b, a, worN=f, fs=rate)
        found[i, : len(wave)] = np.fft.irfft(np.fft.rfft(wave) * answer, len(wave))
    return found


RESONANCE = signal.bilinear([900.0], [1.0, 18.0, 900.0], RATE)
FILTERS = {
    "moving average": (np.full(25, 1 / 25), np.ones(1)),
    "FIR": (np.array([0.5, 0.3, 0.4, -0.2]), np.ones(1)),
    "Butterworth": signal.butter(3, 8.0, fs=RATE),
    "resonance": RESONANCE,
    "nothing": (np.ones(1), np.ones(1)),
}


@pytest.mark.parametrize("points", [None, 64])
@pytest.mark.parametrize("name", FILTERS)
def test_a_fixed_filter_is_flagged_whatever_the_cuff_made_of_it(name, points):
    for seed in range(2):
        x, _, _ = people(5, seed, points=points)
        rng = np.random.default_rng(seed)
        gain, level = 1 + 0.15 * rng.normal(size=(5, 1)), 8 * rng.normal(size=(5, 1))
        y = filtered(x, *FILTERS[name]) + 0.5 * rng.normal(size=x.shape)
        found = circularity(x, gain * y + level, subject=np.arange(5))
        assert found.flagged is True, str(found)
        assert found.score <= found.threshold


@pytest.mark.parametrize("points", [None, 64])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_bodies_that_differ_are_not_flagged(points, noise):
    for seed in range(3):
        x, y, _ = people(6, seed, points=points)
        y = y + noise * np.random.default_rng(seed).normal(size=y.shape)
        found = circularity(x, y, subject=np.arange(6))
        assert found.flagged is False, str(found)


@pytest.mark.parametrize("own", [False, True])
def test_a_resonance_that_rings_longer_than_a_beat_is_flagged_unless_it_is_ones_own(
    own,
):
    x, _, _ = people(5, 2)
    y = np.full(x.shape, np.nan)
    for i in range(5):
        omega, damping = (12.0 + 4.0 * i * own, 0.08 + 0.04 * i * own)
        system = signal.bilinear([omega**2], [1.0, 2 * damping * omega, omega**2], RATE)
        y[i] = filtered(x[i : i + 1], *system)[0]
    y += 0.3 * np.random.default_rng(2).normal(size=y.shape)
    found = circularity(x, y, subject=np.arange(5))
    assert found.flagged is not own, str(found)
    assert own or found.kind == "a resonance (second order)"


@pytest.mark.parametrize("extension", ["held", "mean"])
def test_a_filter_that_ran_over_single_beats_is_flagged(extension):
    x, _, _ = people(5, 1)
    b, a = RESONANCE
    y = np.full(x.shape, np.nan)
    for into, row in zip(y, x, strict=True):
        wave = row[np.isfinite(row)]
        level = {"held": wave[0], "mean": wave.mean()}[extension]
        zi = signal.lfilter_zi(b, a) * level
        into[: len(wave)] = signal.lfilter(b, a, wave, zi=zi)[0]
    assert circularity(x, y, subject=np.arange(5)).flagged


def test_a_moving_average_with_zeros_beyond_the_beat_is_flagged():
    x, _, _ = people(5, 1, points=64)
    y = np.stack([np.convolve(row, np.full(9, 1 / 9), "same") for row in x])
    assert circularity(x, y, subject=np.arange(5)).flagged


@pytest.mark.parametrize("known", [True, False])
def test_a_filter_in_seconds_is_found_with_and_without_durations(known):
    x, _, seconds = people(6, 3, points=64)
    rng = np.random.default_rng(3)
    gain, level = 1 + 0.15 * rng.normal(size=(6, 1)), 8 * rng.normal(size=(6, 1))
    y = filtered(x, *FILTERS["Butterworth"], seconds=seconds)
    y += 0.1 * rng.normal(size=x.shape)
    told = {"duration": seconds} if known else {}
    found = circularity(x, gain * y + level, subject=np.arange(6), **told)
    assert found.flagged, str(found)
    assert ("durations" in " ".join(found.assumed)) is not known
    tried = any("unknown clock" in c.kind for c in found.candidates)
    assert tried is not known


def test_beats_of_a_device_may_be_cut_at_feet_of_their_own():
    x, _, _ = people(5, 1)
    y = filtered(x, *RESONANCE)
    rng = np.random.default_rng(1)
    for row in y:
        beat = np.isfinite(row)
        row[beat] = np.roll(row[beat], rng.integers(-6, 7))
    found = circularity(x, y, subject=np.arange(5))
    assert found.flagged, str(found)
    assert "delay" in found.kind


def test_the_published_filter_is_found_without_durations():
    x, _, seconds = people(6, 4, points=64)
    y = np.empty_like(x)
    for i, row in enumerate(x):
        f = np.fft.rfftfreq(64, seconds[i] / 64)
        forward = forward_transfer(f, site="radial")
        inverse = np.where(forward == 0, 0, 1 / np.where(forward == 0, 1, forward))
        y[i] = np.fft.irfft(np.fft.rfft(row) * inverse, 64)
    found = circularity(x, y, subject=np.arange(6))
    assert found.flagged
    assert found.kind == "published radial transfer function"


@pytest.mark.parametrize("site", SITES)
def test_the_published_numbers_are_those_of_the_estimator(site):
    f = np.linspace(0, 12, 61)
    forward = forward_transfer(f, site=site)
    known = forward != 0
    inverse = inverse_transfer(f, site)
    np.testing.assert_allclose(inverse[known] * forward[known], 1.0, atol=1e-12)
    assert not inverse[~known].any()


def test_the_noise_is_that_of_a_sample():
    arm, _, _ = people(12, 5, points=100)
    device = filtered(arm, *FILTERS["moving average"])
    noise = np.random.default_rng(5).normal(0.0, 0.4, device.shape)
    found = circularity(arm, device + noise, subject=np.arange(12))
    assert found.noise == pytest.approx(0.4, rel=0.15)


def test_repeated_beats_take_the_noise_away():
    x, y, _ = people(5, 6)
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(5), 8)
    noisy = y[rows] + 2.0 * rng.normal(size=(40, y.shape[1]))
    made = filtered(x, *RESONANCE)[rows] + 2.0 * rng.normal(size=(40, y.shape[1]))
    assert circularity(x[rows], noisy, subject=rows).flagged is False
    assert circularity(x[rows], made, subject=rows).flagged is True


def test_the_answer_knows_neither_names_nor_levels():
    x, y, _ = people(5, 2, points=64)
    plain = circularity(x, y, subject=np.arange(5))
    named = circularity(x, y, subject=np.array(list("abcde")))
    lifted = circularity(x, y + np.arange(5)[:, None], subject=np.arange(5))
    assert named.score == plain.score
    assert lifted.score == pytest.approx(plain.score, abs=1e-6)


def test_the_score_scales_with_the_target():
    x, y, _ = people(5, 2, points=64)
    plain = circularity(x, y, subject=np.arange(5)).score
    small = circularity(x, 0.8 * y + 20, subject=np.arange(5)).score
    assert small == pytest.approx(0.8 * plain, rel=1e-6)


def averaged(x, width, ends="valid"):
    """Maximum of the moving average of each beat."""
    found = []
    for row in x:
        wave = row[np.isfinite(row)]
        if ends == "uniform_filter1d":
            found.append(ndimage.uniform_filter1d(wave, width).max())
        else:
            if ends == "periodic":
                wave = np.concatenate([wave, wave[: width - 1]])
            mode = "same" if ends == "same" else "valid"
            found.append(np.convolve(wave, np.full(width, 1 / width), mode).max())
    return np.array(found)


@pytest.mark.parametrize("ends", ["valid", "same", "periodic", "uniform_filter1d"])
@pytest.mark.parametrize("part", [4, 6, 8])
@pytest.mark.parametrize("points", [None, 64])
def test_a_moving_average_sbp_is_flagged(points, part, ends):
    x, _, _ = people(5, 5, points=points)
    top = averaged(x, round((points or RATE) / part), ends)
    found = circularity(x, top, subject=np.arange(5))
    assert found.flagged is True
    assert found.score < 0.05
    assert found.target == "scalar"


def test_half_a_mmhg_of_noise_does_not_hide_a_moving_average():
    for seed in range(4):
        x, _, _ = people(5, seed)
        top = averaged(x, 25) + 0.5 * np.random.default_rng(seed).normal(size=5)
        assert circularity(x, top, subject=np.arange(5)).flagged is True


def test_a_true_sbp_is_not_flagged():
    x, y, _ = people(8, 5)
    found = circularity(x, np.nanmax(y, axis=1), subject=np.arange(8))
    assert found.flagged is False
    assert any("recalibrated" in text for text in found.assumed)


def test_a_fine_grid_is_read_as_it_is():
    x, _, _ = people(5, 2, points=256)
    found = circularity(x, averaged(x, 64), subject=np.arange(5))
    assert found.score < 1e-9


def test_mean_pressure_cannot_be_told_from_the_arm_s():
    x, y, _ = people(6, 3)
    for target in (np.nanmean(y, axis=1), np.nanmean(x, axis=1) + 0.3):
        noisy = target + 0.1 * np.random.default_rng(0).normal(size=6)
        found = circularity(x, noisy, subject=np.arange(6))
        assert found.flagged is None
        assert "Bring waves" in str(found)
    exact = circularity(x, np.nanmean(x, axis=1), subject=np.arange(6))
    assert exact.flagged is True


def test_systolic_pressure_near_the_heart_cannot_be_told():
    """Of a full wave, as a carotid's: its maximum with noise is flagged by nobody."""
    _, y, _ = people(5, 3, points=64)
    t = np.linspace(0.0, 1.0, y.shape[1])
    y = 80 + 40 * np.sin(np.pi * t) ** 0.8 + 0.1 * y  # full: form factor above 0.49
    noise = np.array([0.4, -0.5, 0.3, -0.2, -0.4])
    told = circularity(y, y.max(axis=1), subject=np.arange(5))
    hidden = circularity(y, y.max(axis=1) + noise, subject=np.arange(5))
    assert (told.flagged, hidden.flagged) == (True, None)


def breathing(rng, wave):
    """Eight beats whose level and size vary."""
    size, level = 1 + 0.03 * rng.normal(size=(8, 1)), 2 * rng.normal(size=(8, 1))
    mean = np.nanmean(wave)
    return mean + size * (wave - mean) + level


def test_a_gain_and_an_offset_of_each_person_want_beats_that_vary():
    x, y, _ = people(5, 4, points=64)
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(5), 8)
    gain, offset = 1 + 0.15 * rng.normal(size=5), 8 * rng.normal(size=5)
    states = [np.random.default_rng(s) for s in range(5)]
    beats = np.concatenate([breathing(r, w) for r, w in zip(states, x, strict=True)])
    states = [np.random.default_rng(s) for s in range(5)]
    root = np.concatenate([breathing(r, w) for r, w in zip(states, y, strict=True)])
    made = gain[who] * averaged(beats, 16) + offset[who]
    assert circularity(beats, made, subject=who).flagged is True
    noisy = made + 0.1 * rng.normal(size=40)
    assert circularity(beats, noisy, subject=who).flagged is None
    assert not circularity(beats, root.max(axis=1), subject=who).flagged


def test_beats_that_do_not_vary_tell_nothing_of_a_person():
    x, y, _ = people(8, 5)
    rows = np.repeat(np.arange(8), 5)
    true = np.nanmax(y, axis=1)[rows]
    assert circularity(x[rows], true, subject=rows).flagged is False


def test_mean_squared_over_diastolic_is_found_out():
    x, _, _ = people(5, 7, points=64)
    y = x.mean(axis=1) ** 2 / x.min(axis=1)
    found = circularity(x, y, subject=np.arange(5))
    assert found.flagged
    assert found.kind.startswith("MAP^2 / DBP")


def test_a_beat_that_touches_zero_is_no_reason_to_fail():
    arm, _, _ = people(6, 3, points=100)
    arm[2, 4] = 0.0
    found = circularity(arm, arm.max(axis=1), subject=np.arange(6))
    assert found.flagged
    assert found.score == 0.0


def test_the_maximum_of_a_published_filter_is_found_out():
    x, _, seconds = people(5, 4, points=64)
    f = np.fft.rfftfreq(64, 1 / 64) / seconds[:, None]
    y = np.fft.irfft(np.fft.rfft(x) * inverse_transfer(f, "radial"), 64).max(axis=1)
    found = circularity(x, y, subject=np.arange(5), duration=seconds)
    assert found.flagged
    assert "published radial" in found.kind


def test_noise_that_hides_everything_is_said():
    x, y, _ = people(3, 1, points=64)
    loud = y + 12.0 * np.random.default_rng(1).normal(size=y.shape)
    found = circularity(x, loud, subject=np.arange(3))
    assert found.flagged is None
    assert "Cannot be told" in str(found)


def test_many_subjects_are_drawn_by_the_seed():
    x, y, _ = people(60, 8, points=64)
    first = circularity(x, y, subject=np.arange(60), seed=1)
    again = circularity(x, y, subject=np.arange(60), seed=1)
    assert (first.n_subjects, first.score) == (24, again.score)
    assert first.flagged is False


def test_it_is_written_and_printed():
    x, y, _ = people(5, 2, points=64)
    found = circularity(x, y, subject=np.arange(5))
    kept = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert kept["flagged"] is False
    assert kept["score_mmhg"] == found.score
    assert (
        "may not be called measured" in circularity(x, x, subject=np.arange(5)).verdict
    )
    text = str(found)
    assert found.derivation in text
    assert f"{found.threshold:.2f} mmHg" in text
    section = circularity_section(found)
    assert section.paragraphs[0] == found.verdict
    assert section.figures[0].png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda x, y, s: (x, y[:, :-1], s), ShapeError, "x has shape"),
        (lambda x, y, s: (x, y, s[:-1]), ShapeError, "subject has shape"),
        (lambda x, y, s: (x, y, s // 3), ProtocolError, "at least 3"),
        (lambda x, y, s: (x / 7.5, y, s), ProtocolError, "x runs from .* kPa"),
        (lambda x, y, s: (x, y * 133.3, s), ProtocolError, "y runs from"),
        (lambda x, y, s: (x, y * 0 + 90, s), ShapeError, "y is constant"),
        (lambda x, y, s: (x, y.max(axis=1) * 0 + 90, s), ShapeError, "in every beat"),
        (lambda x, y, s: (holed(x), y, s), ShapeError, "lacks a value .* row 2"),
        (lambda x, y, s: (x[:, ::4], y[:, ::4], s), ShapeError, "has 16 samples"),
        (lambda x, y, s: (x.astype(str), y, s), ShapeError, "real numbers"),
    ],
)
def test_what_means_nothing_is_refused(change, error, text, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    x, y, subject = change(*people(5, 0, points=64)[:2], np.arange(5))
    with pytest.raises(error, match=text):
        circularity(x, y, subject=subject)


def holed(x):
    found = x.copy()
    found[2, 10] = np.nan
    return found


@pytest.mark.parametrize(
    "known",
    [
        {"sampling_rate": -1.0},
        {"duration": np.full(5, 800.0)},
        {"duration": np.full(4, 0.8)},
        {"duration": np.full(5, 0.8), "sampling_rate": 80.0},
    ],
)
def test_impossible_clocks_are_refused(known):
    x, y, _ = people(5, 0, points=64)
    with pytest.raises(ConfigError, match="wanted"):
        circularity(x, y, subject=np.arange(5), **known)


@pytest.mark.data
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut to the shortest"])
@pytest.mark.parametrize("site", ["Carotid", "Brachial"])
def test_virtual_people_of_a_third_party_are_not_flagged(shared_data, site, cut):
    with np.load(shared_data / "pwdb" / "pwdb_waves_500Hz.npz") as file:
        x, y = file[f"L_{site}_P_mmHg"][:, ::5], file["Asc_Ao_P_mmHg"][:, ::5]
    flagged = 0
    for seed in range(4, 8):  # cut beats of two were once flagged
        rows = np.random.default_rng(seed).choice(len(x), 5, replace=False)
        pair = x[rows], y[rows]
        if cut:  # beats that do not end where they began
            shortest = min(np.isfinite(wave).sum(axis=1).min() for wave in pair)
            pair = pair[0][:, :shortest], pair[1][:, :shortest]
        flagged += bool(circularity(*pair, subject=rows).flagged)
    assert flagged == 0
