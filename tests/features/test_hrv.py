"""Heart rate variability: known series, neurokit2's own numbers, what is abstained."""

import warnings

import neurokit2 as nk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from capnet.features import nonlinear, spectrum, variability
from capnet.features.hrv import normal_intervals, segments

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=30)


def swinging(low=0.03, high=0.02, *, mean=0.8, duration=300.0, noise=0.0, seed=0):
    """RR intervals with power at 0.1 and at 0.25 Hz alone, s."""
    rng = np.random.default_rng(seed)
    time, found = 0.0, []
    while time < duration:
        rr = mean + low * np.sin(0.2 * np.pi * time)
        rr += high * np.sin(0.5 * np.pi * time) + noise * rng.standard_normal()
        found.append(rr)
        time += rr
    return np.array(found)


def everything(rr):
    return np.ones(len(rr), dtype=bool)


def test_powers_of_two_sines_are_half_their_squared_amplitudes():
    rr = swinging(0.03, 0.02)
    found = spectrum(rr, everything(rr))
    # The heart samples its own rhythm and the spline rounds it: a few per cent.
    assert found.lf == pytest.approx(450.0, rel=0.05)
    assert found.hf == pytest.approx(200.0, rel=0.1)
    assert found.lf_hf == pytest.approx(found.lf / found.hf, rel=1e-12)
    assert found.lf_nu == pytest.approx(100 * found.lf / (found.lf + found.hf))
    assert found.reason == ""


def test_power_grows_with_the_square_of_the_swing():
    one, two = (swinging(x, 2 * x) for x in (0.01, 0.02))
    first, second = (spectrum(rr, everything(rr)) for rr in (one, two))
    assert second.lf / first.lf == pytest.approx(4.0, rel=0.05)
    assert second.hf / first.hf == pytest.approx(4.0, rel=0.05)


def test_the_time_domain_against_its_definitions():
    rr = swinging(noise=0.03)
    step = np.diff(rr)
    found = variability(rr, everything(rr))
    assert found.sdnn == pytest.approx(1e3 * rr.std(ddof=1))
    assert found.rmssd == pytest.approx(1e3 * np.sqrt(np.mean(step**2)))
    assert found.pnn50 == pytest.approx(100 * (np.abs(step) > 0.05).sum() / len(rr))
    assert found.nn_time == pytest.approx(rr.sum())
    assert found.nn_share == pytest.approx(1.0)


def test_the_numbers_are_those_of_neurokit2():
    rr = swinging(noise=0.02)
    series = {"RRI": 1e3 * rr, "RRI_Time": np.cumsum(rr)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        time = nk.hrv_time(series).iloc[0]
        power = nk.hrv_frequency(
            series, interpolation_rate=4, normalize=False, silent=True
        ).iloc[0]
        rest = nk.hrv_nonlinear(series).iloc[0]
    ours = variability(rr, everything(rr))
    assert ours.sdnn == pytest.approx(time["HRV_SDNN"], rel=1e-12)
    assert ours.rmssd == pytest.approx(time["HRV_RMSSD"], rel=1e-12)
    assert ours.pnn50 == pytest.approx(time["HRV_pNN50"], rel=1e-12)
    lines = spectrum(rr, everything(rr))
    assert lines.lf == pytest.approx(power["HRV_LF"], rel=1e-9)
    assert lines.hf == pytest.approx(power["HRV_HF"], rel=1e-9)
    found = nonlinear(rr, everything(rr))
    assert found.sd1 == pytest.approx(rest["HRV_SD1"], rel=1e-12)
    assert found.sd2 == pytest.approx(rest["HRV_SD2"], rel=1e-12)
    assert found.sample_entropy == pytest.approx(rest["HRV_SampEn"], rel=1e-9)
    assert found.dfa_alpha1 == pytest.approx(rest["HRV_DFA_alpha1"], rel=1e-9)


def test_fluctuations_of_white_noise_and_of_a_random_walk():
    rng = np.random.default_rng(3)
    white = 0.8 + 0.02 * rng.standard_normal(400)
    walk = 0.8 + 0.003 * np.cumsum(rng.standard_normal(400))
    slopes = [nonlinear(rr, everything(rr)).dfa_alpha1 for rr in (white, walk)]
    # Peng et al. 1995: 0.5 and 1.5; short windows bias the first upwards.
    assert slopes[0] == pytest.approx(0.6, abs=0.12)
    assert slopes[1] == pytest.approx(1.5, abs=0.15)


def test_order_reversed_in_time_changes_no_time_domain_measure():
    rr = swinging(noise=0.03)
    before, after = (variability(x, everything(x)) for x in (rr, rr[::-1]))
    np.testing.assert_allclose(before[:-1], after[:-1])


@CALM
@given(at=st.integers(5, 300), long=st.integers(1, 3), size=st.floats(0.3, 2.0))
def test_what_a_refused_interval_lasts_changes_nothing(at, long, size):
    rr = swinging(noise=0.01)
    accepted = everything(rr)
    accepted[at : at + long] = False
    time = np.concatenate([[0.0], np.cumsum(rr)[:-1]])
    changed = rr.copy()
    changed[at : at + long] = size
    for measure in (variability, spectrum, nonlinear):
        one = measure(rr, accepted, time=time)
        other = measure(changed, accepted, time=time)
        np.testing.assert_array_equal(one[:-1], other[:-1])
        assert one.reason == other.reason == ""


def test_no_difference_is_taken_across_a_refused_beat():
    rr = np.where(np.arange(200) < 100, 0.7, 0.9)
    joined = variability(rr, everything(rr))
    accepted = everything(rr)
    accepted[99] = False
    broken = variability(rr, accepted)
    assert joined.rmssd == pytest.approx(1e3 * np.sqrt(0.04 / 199), rel=1e-9)
    assert broken.rmssd == 0.0


def test_an_impossible_interval_breaks_the_succession_and_counts_nowhere():
    rr = swinging(noise=0.01)
    time = np.concatenate([[0.0], np.cumsum(rr)[:-1]])
    odd = rr.copy()
    odd[100] = 3.0
    accepted = everything(rr)
    accepted[100] = False
    one = variability(odd, everything(rr), time=time)
    assert one == variability(rr, accepted, time=time)


def test_holes_widen_the_span_and_lower_the_share():
    rr = np.full(200, 0.8)
    accepted = np.arange(200) % 10 != 5
    found = variability(rr, accepted)
    assert found.nn_time == pytest.approx(0.9 * 160.0)
    assert found.nn_share == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("rr", "reason"),
    [
        ([0.8] * 20, "20 normal intervals, wanted at least 30"),
        ([0.8] * 60, "48 s of normal intervals, wanted 60"),
        ([0.4, 1.6] * 50, "SDNN is"),
        ([], "0 normal intervals"),
        ([np.nan] * 50, "0 normal intervals"),
    ],
)
def test_what_cannot_be_measured_says_why(rr, reason):
    rr = np.array(rr, dtype=float)
    for measure in (variability, spectrum, nonlinear):
        found = measure(rr, everything(rr))
        assert found.reason.startswith(reason)
        names = set(found._fields) - {"nn_time", "nn_share", "reason"}
        assert np.isnan([getattr(found, name) for name in names]).all()


def test_a_spectrum_wants_two_minutes_without_large_holes():
    rr = swinging(duration=100.0)
    assert spectrum(rr, everything(rr)).reason.endswith("s, wanted at least 120")
    rr = swinging()
    accepted = everything(rr)
    accepted[100:110] = False
    assert "longest hole 8 s" in spectrum(rr, accepted).reason
    accepted = np.arange(len(rr)) % 7 != 0
    assert "86 % known" in spectrum(rr, accepted).reason


def test_nonlinear_measures_want_a_hundred_beats_in_a_row():
    rr = swinging(noise=0.01)
    accepted = np.arange(len(rr)) % 100 != 0
    found = nonlinear(rr, accepted)
    assert found.reason == "at most 99 normal intervals in a row, wanted 100"
    run = np.arange(len(rr)) < 150
    longest = nonlinear(rr, run)
    assert longest == nonlinear(rr[:150], everything(rr[:150]))


def test_a_heart_like_a_clock_has_no_ratio_and_no_entropy():
    rr = np.full(350, 0.8)
    found = spectrum(rr, everything(rr))
    assert np.isnan(found.lf_hf)
    assert "ratios want" in found.reason
    assert nonlinear(rr, everything(rr)).reason.startswith("SDNN is")


@pytest.mark.usefixtures("unchecked")
def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(ShapeError, match="3 intervals, 2 verdicts"):
        variability(np.ones(3), np.ones(2, dtype=bool), time=np.ones(3))


@CALM
@given(
    st.lists(st.floats(0.0, 5.0) | st.just(np.nan), max_size=200),
    st.integers(0, 2**32 - 1),
)
def test_any_series_gives_numbers_or_a_reason(rr, seed):
    rr = np.array(rr, dtype=np.float64)
    accepted = np.random.default_rng(seed).random(len(rr)) < 0.9
    for measure in (variability, spectrum, nonlinear):
        found = measure(rr, accepted)
        assert (found.reason == "") == bool(np.isfinite(found[:-1]).all())


def with_ectopics(every=25, *, early=0.7, compensated=True, seed=0):
    """A swinging heart and premature beats; which intervals these touch."""
    rr = swinging(noise=0.01, seed=seed)
    at = np.arange(10, len(rr) - 5, every)
    odd = np.zeros(len(rr), dtype=bool)
    usual = rr[at]
    rr[at] = early * usual
    odd[at] = True
    if compensated:
        rr[at + 1] += usual - rr[at]
        odd[at + 1] = True
    return rr, odd


@pytest.mark.parametrize("compensated", [True, False])
@pytest.mark.parametrize("early", [0.6, 0.75])
def test_ectopic_beats_are_found_and_no_other(early, compensated):
    for seed in range(5):
        rr, odd = with_ectopics(early=early, compensated=compensated, seed=seed)
        normal = normal_intervals(rr)
        assert not normal[odd].any()
        assert normal[~odd].mean() > 0.99


def test_a_missed_and_an_invented_beat_are_found():
    rr = swinging(noise=0.01)
    rr[50] += rr[51]
    rr = np.delete(rr, 51)
    rr = np.insert(rr, 201, 0.4 * rr[200])
    rr[200] *= 0.6
    normal = normal_intervals(rr)
    assert [*np.flatnonzero(~normal)] == [50, 200, 201]


@pytest.mark.parametrize("swing", [0.02, 0.1, 0.15])
def test_breathing_is_no_ectopic_beat_however_far_it_swings(swing):
    rr = swinging(0.0, swing, mean=1.0, noise=0.01)
    assert normal_intervals(rr).mean() > 0.98


def test_another_heart_rate_is_not_ectopic():
    rr = np.concatenate([np.full(100, 0.9), np.full(150, 0.5), np.full(80, 0.9)])
    rr += 0.01 * np.random.default_rng(0).standard_normal(len(rr))
    assert normal_intervals(rr).mean() > 0.97


def test_rhythms_without_normal_beats_have_no_variability():
    rng = np.random.default_rng(0)
    fibrillation = np.clip(rng.normal(0.7, 0.17, 400), 0.35, 1.5)
    bigeminy = np.tile([0.5, 1.1], 200) + 0.02 * rng.standard_normal(400)
    for rr in (fibrillation, bigeminy):
        found = variability(rr, normal_intervals(rr))
        assert np.isnan(found.sdnn)
        assert "normal intervals, wanted" in found.reason


def test_ectopic_beats_do_not_change_the_variability_of_the_rest():
    clean = swinging(noise=0.01)
    rr, _ = with_ectopics(50)
    before = variability(clean, everything(clean))
    after = variability(rr, normal_intervals(rr))
    assert variability(rr, everything(rr)).rmssd > 2.0 * before.rmssd
    assert after.rmssd == pytest.approx(before.rmssd, rel=0.05)
    assert after.sdnn == pytest.approx(before.sdnn, rel=0.05)


@CALM
@given(
    st.lists(st.floats(-1.0, 9.0) | st.just(np.nan) | st.just(np.inf), max_size=80),
    st.floats(0.9, 1.1),
)
def test_normal_intervals_are_plausible_whatever_is_given(rr, scale):
    rr = np.array(rr, dtype=np.float64)
    normal = normal_intervals(rr)
    assert normal.shape == rr.shape
    assert ((rr[normal] >= 0.3) & (rr[normal] <= 2.0)).all()
    np.testing.assert_array_equal(normal, normal_intervals(rr[::-1])[::-1])


def test_segments_follow_the_clock_and_never_join_people():
    time = np.array([0.0, 299.9, 300.0, 10.0, np.nan])
    who = np.array(["a", "a", "a", "b", "b"])
    number = segments(who, time)
    assert number[0] == number[1] != number[2]
    assert number[3] not in number[:3]
    assert number[4] == -1
