import numpy as np
import pytest

from capnet.signal.frontend import RATE, beats_of_windows, smooth
from capnet.signal.gate import judge_beats
from tests.signal import pulses

N = 400


@pytest.fixture(scope="module")
def people():
    drawn = pulses.draw(N, np.random.default_rng(11))
    return drawn, pulses.windows(drawn)


def judge(people, raw):
    drawn, _ = people
    raw = drawn["gain"] * (raw + drawn["level"])
    start, stop = pulses.feet(raw, drawn["period"])
    wave = beats_of_windows(raw, start, stop)
    rr, alone = drawn["period"][:, 0], np.arange(N).astype(str)
    return judge_beats(
        raw, start, stop, wave, subject=alone, rr=rr, pat=np.full(N, np.nan)
    )


def corrupted(name, clean, period):
    """Severe corruptions of clean windows."""
    rng = np.random.default_rng(12)
    time = np.arange(clean.shape[1])[None] - pulses.FOOT
    low, height = clean.min(axis=1, keepdims=True), np.ptp(clean, axis=1)[:, None]
    return {
        "flat": np.ones_like(clean),
        "flat from the middle on": np.where(time > 20, clean[:, [80]], clean),
        "clipped above": np.minimum(clean, low + 0.7 * height),
        "clipped below": np.maximum(clean, low + 0.35 * height),
        "clipped": np.clip(clean, low + 0.2 * height, low + 0.8 * height),
        "noisy": clean + 0.4 * rng.standard_normal(clean.shape),
        "noise alone": rng.standard_normal(clean.shape),
        "sine": np.sin(2.0 * np.pi * time / (RATE * period)),
        "inverted": -clean,
        "gap": np.where((time > 20) & (time < 25), np.nan, clean),
        "infinite": np.where(time == 20, np.inf, clean),
    }[name]


def test_clean_pulses_pass(people):
    reason = judge(people, people[1])
    assert (reason == "").mean() >= 0.98


@pytest.mark.parametrize(
    "name",
    [
        "flat",
        "flat from the middle on",
        "clipped above",
        "clipped below",
        "clipped",
        "noisy",
        "noise alone",
        "sine",
        "inverted",
        "gap",
        "infinite",
    ],
)
def test_severe_corruption_does_not(people, name):
    drawn, clean = people
    reason = judge(people, corrupted(name, clean, drawn["period"]))
    assert (reason != "").mean() >= 0.99


def test_gain_and_level_do_not_matter(people):
    _, clean = people
    rows = np.arange(N)
    mixed = np.where((rows % 2 == 0)[:, None], clean, -clean)
    first = judge(people, mixed)
    drawn = people[0] | {"gain": np.full((N, 1), 3.0), "level": np.zeros((N, 1))}
    second = judge((drawn, clean), mixed)
    assert ((first == "") == (second == "")).mean() > 0.99


def series(n=60):
    """Many beats of one person, as a record gives them."""
    rng = np.random.default_rng(13)
    one = pulses.draw(1, rng)
    many = {k: np.repeat(v, n, axis=0) for k, v in one.items()}
    many["noise"] = 0.01 * rng.standard_normal((n, pulses.WIDTH))
    raw = pulses.windows(many)
    start, stop = pulses.feet(raw, many["period"])
    return raw, start, stop, many["period"][:, 0]


def verdict(raw, start, stop, rr, pat=0.25):
    return judge_beats(
        raw,
        start,
        stop,
        beats_of_windows(raw, start, stop),
        subject=np.full(len(rr), "a"),
        rr=rr,
        pat=np.full(len(rr), pat),
    )


def test_ectopic_beats_are_refused_and_their_neighbours_are_not():
    raw, start, stop, rr = series()
    rr = rr.copy()
    rr[20], rr[21] = 0.7 * rr[20], 1.3 * rr[21]
    reason = verdict(raw, start, stop, rr)
    assert np.flatnonzero(reason != "").tolist() == [20, 21]
    assert set(reason[[20, 21]]) == {"ectopic"}


def test_a_beat_unlike_the_others_is_refused():
    raw, start, stop, rr = series()
    time = (np.arange(raw.shape[1]) - pulses.FOOT) / (RATE * rr[0])
    raw[30] += 0.9 * np.exp(-0.5 * ((time - 0.5) / 0.06) ** 2)
    reason = verdict(raw, start, stop, rr)
    assert np.flatnonzero(reason != "").tolist() == [30]


def test_impossible_times_are_refused():
    raw, start, stop, rr = series()
    assert set(verdict(raw, start, stop, rr, pat=0.02)) == {"pulse before the heart"}
    assert set(verdict(raw, start, stop, np.full(len(rr), 2.5))) == {
        "duration implausible"
    }
    assert set(verdict(raw, np.full(len(rr), np.nan), stop, rr)) == {"no pulse foot"}


def test_a_gap_is_named_before_the_foot_it_hides():
    raw, start, stop, rr = series()
    start, raw = start.copy(), raw.copy()
    start[4], raw[4, 60:90] = np.nan, np.nan
    assert verdict(raw, start, stop, rr)[4] == "samples missing"


def test_few_beats_are_judged_alone():
    raw, start, stop, rr = (x[:3] for x in series())
    assert (verdict(raw, start, stop, rr) == "").all()


def test_no_beats():
    none = np.zeros(0)
    assert len(verdict(np.zeros((0, 300)), none, none, none)) == 0


def test_smooth_noise_that_fills_the_band_is_mostly_refused(people):
    _, clean = people
    noise = smooth(np.random.default_rng(1).standard_normal(clean.shape))
    reason = judge(people, clean + 0.5 * noise / noise.std())
    assert (reason != "").mean() >= 0.85
