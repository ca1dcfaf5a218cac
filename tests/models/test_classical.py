"""The floors: laws that all of them obey, and what each one recovers exactly."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from capnet.errors import ProtocolError, RecordError, ShapeError
from capnet.models.classical import (
    OLS,
    FittedGTF,
    MovingAverage,
    PeripheralMinusConstant,
    PublishedGTF,
    Ridge,
    RidgeAffine,
    RidgeRefit,
    RidgeShrunk,
    apply_affine,
    fit_affine,
)
from capnet.models.published import gtf_beats, moving_average_csbp
from capnet.models.pulse import calibrated_pulse, source_wave, start_at_foot
from capnet.prediction import NO_CUFF, pressures
from capnet.types import N_POINTS
from tests.models.fake_beats import harmonics, make_beats

FITTED = [
    PeripheralMinusConstant,
    OLS,
    Ridge,
    RidgeAffine,
    RidgeShrunk,
    RidgeRefit,
    FittedGTF,
]
ALL = [*FITTED, PublishedGTF, MovingAverage]
ADAPTABLE = [RidgeAffine, RidgeShrunk, RidgeRefit]
SHIFTING = [PeripheralMinusConstant, FittedGTF, PublishedGTF, MovingAverage]


def numbers(answer):
    return np.stack([answer.csbp, answer.cdbp, answer.cmap, answer.cpp], axis=1)


# Laws of the family ----------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_one_by_one_is_the_batch(kind):
    train, test = make_beats(30), make_beats(5, seed=1)
    floor = kind().fit(train)
    together = numbers(floor.predict(test))
    alone = [numbers(floor.predict(test.take(np.array([i])))) for i in range(5)]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-9)


@pytest.mark.parametrize("kind", ALL)
def test_refused_beats_and_beats_without_cuff_have_a_reason(kind):
    test = make_beats(4, seed=1)
    cuff, ppg = test.cuff.copy(), test.ppg.copy()
    cuff[1], ppg[2] = np.nan, np.nan
    accepted = np.array([True, True, False, True])
    reason = np.array(["", "", "a gap", ""])
    test = test.replace(cuff=cuff, ppg=ppg, accepted=accepted, reason=reason)
    answer = kind().fit(make_beats(30)).predict(test)
    assert answer.accepted.tolist() == [True, False, False, True]
    assert answer.reason.tolist() == ["", NO_CUFF, "a gap", ""]
    assert np.isnan(answer.csbp[1:3]).all()
    assert answer.role == "floor"
    assert answer.method == kind().name


@pytest.mark.parametrize("kind", ALL)
def test_nobody_to_answer_is_no_error(kind):
    test = make_beats(2, cuff=np.full((2, 2), np.nan), calibration="none")
    assert not kind().fit(make_beats(30)).predict(test).accepted.any()


@pytest.mark.parametrize("kind", FITTED)
def test_fit_ignores_what_it_may_not_learn_from(kind):
    train, bad, test = make_beats(30), make_beats(4, seed=5), make_beats(5, seed=1)
    cuff, truth = bad.cuff.copy(), bad.reference.copy()
    cuff[0], truth[1] = np.nan, np.nan
    accepted = np.array([True, True, False, False])
    reason = np.where(accepted, "", "noise")
    names = np.array(["a", "b", "c", "d"])
    bad = bad.replace(
        cuff=cuff, reference=truth, accepted=accepted, reason=reason, subject=names
    )
    mixed = type(train).concatenate([bad, train])
    expected = numbers(kind().fit(train).predict(test))
    np.testing.assert_allclose(numbers(kind().fit(mixed).predict(test)), expected)


@pytest.mark.parametrize("kind", FITTED)
def test_no_reference_no_fit_and_no_fit_no_answer(kind):
    blind = make_beats(5, reference=None, reference_type="none")
    with pytest.raises(ProtocolError, match="without a reference"):
        kind().fit(blind)
    lost = make_beats(5, reference=np.full((5, N_POINTS), np.nan))
    with pytest.raises(ProtocolError, match="none of those with a reference"):
        kind().fit(lost)
    with pytest.raises(ProtocolError, match="asked before it was fitted"):
        kind().predict(make_beats(2))


@pytest.mark.parametrize("kind", [PublishedGTF, MovingAverage])
def test_published_methods_need_no_fit(kind):
    blind = make_beats(3, reference=None, reference_type="none")
    floor = kind()
    assert floor.fit(blind) is floor
    assert kind().predict(blind).accepted.all()


@pytest.mark.parametrize("kind", SHIFTING)
def test_pressure_added_to_the_cuff_is_added_to_the_answer(kind):
    test = make_beats(5, seed=1)
    floor = kind().fit(make_beats(30))
    before = floor.predict(test)
    after = floor.predict(test.replace(cuff=test.cuff + 7.0))
    np.testing.assert_allclose(after.csbp, before.csbp + 7.0)
    np.testing.assert_allclose(after.cpp, before.cpp)


@pytest.mark.parametrize("kind", [*SHIFTING, OLS, Ridge, RidgeAffine])
def test_pressure_added_everywhere_is_added_to_the_answer(kind):
    train, test = make_beats(30), make_beats(5, seed=1)
    moved = train.replace(cuff=train.cuff + 9.0, reference=train.reference + 9.0)
    before = kind().fit(train).predict(test)
    after = kind().fit(moved).predict(test.replace(cuff=test.cuff + 9.0))
    np.testing.assert_allclose(after.csbp, before.csbp + 9.0)


# Not for the ridges: once a subject has several beats, whole subjects are left out.
@pytest.mark.parametrize("kind", [PeripheralMinusConstant, OLS, FittedGTF])
def test_repeating_a_subject_changes_nothing(kind):
    train, test = make_beats(30), make_beats(5, seed=1)
    doubled = train.take(np.array([0, 0, 0, *range(30)]))
    expected = numbers(kind().fit(train).predict(test))
    answer = numbers(kind().fit(doubled).predict(test))
    # The fitted transfer function has a penalty that counts beats.
    np.testing.assert_allclose(answer, expected, rtol=1e-3)


# What each one recovers ------------------------------------------------------


def test_calibrated_pulse_touches_both_cuff_pressures():
    beats = make_beats(6)
    pulse = calibrated_pulse(beats)
    np.testing.assert_allclose(pulse.max(axis=1), beats.cuff[:, 0])
    np.testing.assert_allclose(pulse.min(axis=1), beats.cuff[:, 1])


def test_unknown_source_is_named():
    beats = make_beats(2, waves={"abp": np.zeros((2, N_POINTS))})
    with pytest.raises(RecordError, match=r"no wave 'radial'; .* 'ppg', 'abp'"):
        source_wave(beats, "radial")


@pytest.mark.parametrize("shift", [3.0, 17.4, 50.0])
def test_start_at_foot_undoes_any_turn(shift):
    waves = 80 + 40 * harmonics(np.random.default_rng(2), 4)
    at_foot = start_at_foot(waves)
    order = np.arange(N_POINTS // 2 + 1)
    turn = np.exp(-2j * np.pi * order * shift / N_POINTS)
    turned = np.fft.irfft(np.fft.rfft(at_foot) * turn, N_POINTS)
    # To a hundredth of the pulse: the steepest point is taken on the grid.
    np.testing.assert_allclose(start_at_foot(turned), at_foot, atol=1.5)
    np.testing.assert_allclose(start_at_foot(at_foot)[:, 0], at_foot[:, 0], atol=0.5)
    assert np.ptp(start_at_foot(np.full((1, N_POINTS), 80.0))) < 1e-9


def test_constants_are_recovered():
    beats = make_beats(20)
    sbp, dbp = beats.cuff.T
    shape = harmonics(np.random.default_rng(0), 1)[0]
    truth = (dbp + 2)[:, None] + shape * (sbp - 11 - dbp - 2)[:, None]
    floor = PeripheralMinusConstant().fit(beats.replace(reference=truth))
    a, b, f = floor.constants
    assert (a, b) == (pytest.approx(-11), pytest.approx(2))
    lift = truth.mean() - dbp.mean()
    assert f == pytest.approx(lift / (sbp - dbp).mean())
    answer = floor.predict(beats)
    np.testing.assert_allclose(answer.csbp, sbp - 11)
    np.testing.assert_allclose(answer.cmap, dbp + f * (sbp - dbp))


def planted_pressures(beats, age):
    """Reference waves whose SBP, DBP and MAP are linear in the scalars."""
    sbp, dbp = beats.cuff.T
    high = 4 + 0.9 * sbp + 0.05 * age - 0.06 * beats.hr
    low = 2 + 0.95 * dbp - 0.02 * age
    shape = harmonics(np.random.default_rng(7), 1)[0]
    return low[:, None] + shape * (high - low)[:, None], high, low


def test_ols_recovers_a_planted_relation():
    train, test = make_beats(40), make_beats(10, seed=1)
    truth, _, _ = planted_pressures(train, train.age)
    _, high, low = planted_pressures(test, test.age)
    answer = OLS().fit(train.replace(reference=truth)).predict(test)
    np.testing.assert_allclose(answer.csbp, high)
    np.testing.assert_allclose(answer.cdbp, low)
    np.testing.assert_allclose(answer.cpp, high - low)


@pytest.mark.parametrize("kind", [OLS, Ridge])
def test_unknown_age_is_the_mean_age(kind):
    train, test = make_beats(40), make_beats(5, seed=1)
    floor = kind().fit(train)
    unknown = floor.predict(test.replace(age=np.full(5, np.nan)))
    mean = floor.predict(test.replace(age=np.full(5, train.age.mean())))
    np.testing.assert_allclose(unknown.csbp, mean.csbp)


@pytest.mark.parametrize("kind", [OLS, Ridge])
def test_age_known_to_nobody_in_training_is_not_used(kind):
    train, test = make_beats(40), make_beats(5, seed=1)
    floor = kind().fit(train.replace(age=np.full(40, np.nan)))
    young = floor.predict(test.replace(age=np.full(5, 20.0)))
    old = floor.predict(test.replace(age=np.full(5, 80.0)))
    np.testing.assert_allclose(young.csbp, old.csbp)


def planted_waves(beats):
    """References linear in the calibrated pulse and the scalars."""
    rng = np.random.default_rng(11)
    mix = np.roll(np.eye(N_POINTS), 3, axis=0) * 0.8
    mix += 0.02 * rng.standard_normal((N_POINTS, N_POINTS))
    sbp, dbp = beats.cuff.T
    level = 0.1 * beats.age + 0.1 * sbp + 0.1 * dbp - 0.05 * beats.hr
    return calibrated_pulse(beats) @ mix + level[:, None]


def test_ridge_recovers_a_planted_relation():
    train, test = make_beats(300), make_beats(10, seed=1)
    floor = Ridge().fit(train.replace(reference=planted_waves(train)))
    error = floor.predict(test).waveform - planted_waves(test)
    assert np.abs(error).max() < 0.2


def test_ridge_equals_its_normal_equations():
    train, test = make_beats(80), make_beats(6, seed=1)
    floor = Ridge().fit(train)
    x, q = floor.inputs(train), floor.inputs(test)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    z, y = (x - mean) / scale, train.reference - train.reference.mean(axis=0)
    best = []
    for penalty in np.logspace(-1, 4, 11):
        hat = z @ np.linalg.solve(z.T @ z + penalty * np.eye(68), z.T) + 1 / len(z)
        left_out = (y - hat @ y) / (1 - np.diag(hat))[:, None]
        best.append(((left_out**2).mean(), penalty))
    penalty = min(best)[1]
    slope = np.linalg.solve(z.T @ z + penalty * np.eye(68), z.T @ y)
    expected = (q - mean) / scale @ slope + train.reference.mean(axis=0)
    np.testing.assert_allclose(floor.predict(test).waveform, expected, rtol=1e-6)


def test_ridge_leaves_out_subjects_not_beats():
    # Every subject's beats are the same: leaving out beats would choose no penalty.
    rng = np.random.default_rng(0)
    subjects = make_beats(12)
    noisy = subjects.reference + 10 * rng.standard_normal((12, 1))
    copies = np.repeat(np.arange(12), 8)
    train = subjects.replace(reference=noisy).take(copies)
    test = make_beats(200, seed=1)
    truth = pressures(test.reference)[:, 2]
    error = Ridge().fit(train).predict(test).cmap - truth
    spread = np.sqrt(np.mean(error**2))
    plain = np.sqrt(np.mean((truth - noisy.mean()) ** 2))
    assert spread < 1.5 * plain


@pytest.mark.parametrize("kind", [Ridge, RidgeRefit])
def test_one_subject_is_too_few_for_a_penalty(kind):
    with pytest.raises(ProtocolError, match="given 1 labelled subject"):
        kind().fit(make_beats(6, per_subject=6))


def transferred(waves, duration, transfer, shift):
    """Apply a complex gain per Hz, by a loop over beats and harmonics."""
    answer = np.empty_like(waves)
    for i, seconds in enumerate(duration):
        spectrum = np.fft.rfft(waves[i])
        spectrum[0] += shift * N_POINTS
        for k in range(1, len(spectrum)):
            hertz = k / seconds
            j = int(hertz)
            known = np.append(transfer, [0, 0, 0])
            inside = j <= 10
            mixed = (
                known[j] * (1 - hertz + j) + known[j + 1] * (hertz - j) if inside else 0
            )
            spectrum[k] *= mixed
        answer[i] = np.fft.irfft(spectrum, N_POINTS)
    return answer


@pytest.mark.parametrize("source", ["ppg", "abp"])
def test_fitted_gtf_recovers_a_planted_transfer(source):
    hertz = np.arange(11)
    transfer = 1 / (1 + 0.25 * hertz) * np.exp(0.3j * hertz)
    rng = np.random.default_rng(4)
    # Sharp beats at 35 to 120 bpm: content at every frequency up to 10 Hz.
    n = 120
    ppg = harmonics(rng, n, top=20)
    duration = rng.uniform(0.5, 1.7, n)
    beats = make_beats(n, ppg=ppg, duration=duration)
    beats = beats.replace(waves={"abp": calibrated_pulse(beats)})
    truth = transferred(source_wave(beats, source), duration, transfer, -1.5)
    beats = beats.replace(reference=truth)
    floor = FittedGTF(source).fit(beats.take(np.arange(100)))
    assert floor.shift == pytest.approx(-1.5)
    np.testing.assert_allclose(floor.transfer[1:], transfer[1:], atol=5e-3)
    test = beats.take(np.arange(100, n))
    error = floor.predict(test).waveform - test.reference
    assert np.abs(error).max() < 0.05
    assert floor.name == f"fitted GTF ({source})"


def test_fitted_gtf_leaves_unseen_frequencies_alone():
    beats = make_beats(30, duration=np.full(30, 0.5))
    floor = FittedGTF().fit(beats)
    assert abs(floor.transfer[1] - 1) < 1e-6
    assert abs(floor.transfer[2] - 1) > 1e-2


def test_fitted_gtf_needs_its_source():
    beats = make_beats(5, waves={"abp": np.full((5, N_POINTS), np.nan)})
    with pytest.raises(ProtocolError, match="no beat with a complete 'abp'"):
        FittedGTF("abp").fit(beats)
    answer = FittedGTF("abp").fit(beats.replace(waves={"abp": beats.reference}))
    refused = answer.predict(beats)
    assert refused.reason[0] == "fitted GTF (abp) gave no answer"


def test_published_floors_are_the_published_methods():
    beats = make_beats(4)
    pulse = calibrated_pulse(beats)
    expected = start_at_foot(gtf_beats(pulse, beats.duration, "brachial"))
    answer = PublishedGTF("brachial").predict(beats)
    np.testing.assert_allclose(answer.waveform, expected)
    # 64 points in 0.8 s are 80 Hz: a quarter of a second is 20 whole points.
    beats = beats.replace(duration=np.full(4, 0.8))
    twice = np.concatenate([pulse, pulse], axis=1)
    answer = MovingAverage("radial").predict(beats)
    alone = [moving_average_csbp(w, sampling_rate=80.0) for w in twice]
    np.testing.assert_allclose(answer.csbp, alone)
    assert np.isnan(answer.cdbp).all()


# The affine correction -------------------------------------------------------


def test_affine_of_right_predictions_changes_nothing():
    waves = make_beats(5).reference
    offset, gain = fit_affine(waves, waves)
    assert (offset, gain) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
    np.testing.assert_allclose(apply_affine(waves, offset, gain), waves)


def test_affine_is_least_squares_in_the_limit_and_shrunk_before():
    one = make_beats(1).reference
    true = apply_affine(one, 6.0, 1.3)
    offset, gain = fit_affine(one, true)
    assert (offset, gain) == (pytest.approx(3.0), pytest.approx(1.15))
    for k in (4, 9):
        offset, gain = fit_affine(np.tile(one, (k, 1)), np.tile(true, (k, 1)))
        assert offset == pytest.approx(6 * k / (k + 1))
        assert gain == pytest.approx((1.3 * k + 1) / (k + 1))
    many = np.tile(one, (100_000, 1))
    offset, gain = fit_affine(many, np.tile(true, (100_000, 1)))
    assert (offset, gain) == (pytest.approx(6, abs=1e-3), pytest.approx(1.3, abs=1e-4))


def test_affine_gain_is_about_the_mean():
    waves = make_beats(3).reference
    moved = apply_affine(waves, 5.0, 2.0)
    np.testing.assert_allclose(moved.mean(axis=1), waves.mean(axis=1) + 5)
    np.testing.assert_allclose(np.ptp(moved, axis=1), 2 * np.ptp(waves, axis=1))


def test_affine_refuses_nothing_and_nan():
    with pytest.raises(ProtocolError, match="of 0 subjects"):
        fit_affine(np.zeros((0, N_POINTS)), np.zeros((0, N_POINTS)))
    lost = np.full((2, N_POINTS), np.nan)
    with pytest.raises(ShapeError, match="hold NaN"):
        fit_affine(lost, lost)
    # The run-time check of the annotations, where it is on, comes first.
    with pytest.raises((ShapeError, TypeCheckError), match=r"wanted equal|beat=2"):
        fit_affine(np.zeros((2, N_POINTS)), np.zeros((3, N_POINTS)))
    assert fit_affine(np.ones((2, N_POINTS)), np.ones((2, N_POINTS))) == (0.0, 1.0)


# Adaptation ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ADAPTABLE)
def test_adapt_leaves_the_estimator_alone_and_counts_subjects(kind):
    source, few = make_beats(60), make_beats(12, seed=2, per_subject=3)
    test = make_beats(5, seed=1)
    floor = kind().fit(source)
    before = floor.predict(test)
    np.testing.assert_allclose(before.csbp, Ridge().fit(source).predict(test).csbp)
    adapted = floor.adapt(few)
    assert (floor.k, adapted.k) == (0, 4)
    assert (before.k, adapted.predict(test).k) == (0, 4)
    np.testing.assert_array_equal(floor.predict(test).csbp, before.csbp)
    assert np.abs(adapted.predict(test).csbp - before.csbp).max() > 0.01


def test_ridge_affine_is_the_affine_of_the_ridge():
    source, few, test = make_beats(60), make_beats(4, seed=2), make_beats(5, seed=1)
    ridge = Ridge().fit(source)
    offset, gain = fit_affine(ridge.predict(few).waveform, few.reference)
    expected = apply_affine(ridge.predict(test).waveform, offset, gain)
    answer = RidgeAffine(ridge).adapt(few).predict(test)
    np.testing.assert_allclose(answer.waveform, expected)


def test_a_subject_with_many_beats_counts_once_in_the_affine():
    source, few = make_beats(60), make_beats(3, seed=2)
    floor = RidgeAffine().fit(source)
    repeated = few.take(np.array([0, 0, 0, 0, 1, 2]))
    assert floor.adapt(repeated).correction == pytest.approx(
        floor.adapt(few).correction
    )


@pytest.mark.parametrize("kind", ADAPTABLE)
def test_adapt_needs_labels_and_a_fit(kind):
    floor = kind().fit(make_beats(60))
    blind = make_beats(4, reference=None, reference_type="none")
    with pytest.raises(ProtocolError, match="without a reference"):
        floor.adapt(blind)
    if kind is not RidgeRefit:
        with pytest.raises(ProtocolError, match="before it was fitted"):
            kind().adapt(make_beats(4))


def test_ridge_shrunk_keeps_the_source_where_the_target_agrees():
    source, few, test = make_beats(60), make_beats(8, seed=2), make_beats(5, seed=1)
    floor = RidgeShrunk().fit(source)
    agreeing = few.replace(reference=floor.predict(few).waveform)
    answer = floor.adapt(agreeing).predict(test)
    np.testing.assert_allclose(answer.waveform, floor.predict(test).waveform)
    raised = few.replace(reference=floor.predict(few).waveform + 8)
    answer = floor.adapt(raised).predict(test)
    np.testing.assert_allclose(answer.waveform, floor.predict(test).waveform + 8)
