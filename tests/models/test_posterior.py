"""What a cuff alone says: between the reading and what is usual."""

import numpy as np
import pytest

from capnet.errors import ProtocolError, RecordError
from capnet.hemodynamics.cuffs import CuffModel, apply_cuff
from capnet.models.inputs import true_pressures
from capnet.models.posterior import (
    CuffPosterior,
    ReadingPosterior,
    arm_pressures,
    cuff_error,
    cuff_posterior,
    posterior_covariance,
)
from capnet.prediction import NO_CUFF, pressures
from tests.models.fake_beats import make_beats

NOISY = CuffModel(-4.0, 7.0, 4.0, 6.0, persistent=0.5, least_pulse=0.0)


def clinic(n=400, *, seed=0, cuff=None, site="brachial"):
    """People whose true arm pressures are known, read by a cuff."""
    beats = make_beats(n, seed=seed, cuff_site=np.full(n, site))
    arm = beats.cuff
    wave = arm[:, 1:] + beats.ppg * (0.8 * (arm[:, :1] - arm[:, 1:]) - 2)
    wave = wave + np.random.default_rng(seed + 50).normal(0, 2, (n, 1))
    truth = {f"{site}_sbp": arm[:, 0], f"{site}_dbp": arm[:, 1]}
    if cuff is not None:
        rng = np.random.default_rng(seed + 99)
        drawn = cuff.draw(n, rng, person=rng)
        beats = beats.replace(
            cuff=apply_cuff(arm[:, 0], arm[:, 1], drawn), calibration="cuff SBP/DBP"
        )
    return beats.replace(reference=wave, truth=truth)


def numbers(answer):
    return np.stack([answer.csbp, answer.cdbp, answer.cmap], axis=1)


def test_without_an_error_it_is_least_squares_on_the_arm():
    train, test = clinic(), clinic(20, seed=1)
    design = np.c_[np.ones(400), train.cuff]
    slope = np.linalg.lstsq(design, pressures(train.reference)[:, :3])[0]
    wanted = np.c_[np.ones(20), test.cuff] @ slope
    for floor in (CuffPosterior(), CuffPosterior(CuffModel.exact())):
        said = numbers(floor.fit(train).predict(test))
        np.testing.assert_allclose(said, wanted, rtol=1e-9)


def test_the_noisier_the_cuff_the_nearer_to_the_usual():
    train, test = clinic(), clinic(20, seed=1)
    usual = pressures(train.reference)[:, :3].mean(axis=0)
    away = [
        np.abs(
            numbers(
                CuffPosterior(CuffModel(sbp_sd=sd, dbp_sd=sd)).fit(train).predict(test)
            )
            - usual
        ).mean()
        for sd in (0.0, 5.0, 20.0, 1e6)
    ]
    assert away == sorted(away, reverse=True)
    assert away[-1] < 1e-6


def test_a_known_bias_is_taken_away():
    train, test = clinic(), clinic(20, seed=1)
    plain = CuffModel(sbp_sd=5.0, dbp_sd=5.0)
    biased = CuffModel(-6.0, 5.0, 3.0, 5.0)
    one = CuffPosterior(plain).fit(train).predict(test)
    shifted = test.replace(cuff=test.cuff + np.array([-6.0, 3.0]))
    other = CuffPosterior(biased).fit(train).predict(shifted)
    np.testing.assert_allclose(numbers(one), numbers(other))


def test_an_error_learnt_from_people_is_the_declared_one():
    train = clinic(20_000, cuff=NOISY)
    learnt = CuffPosterior().fit(train).error
    declared = cuff_error(NOISY)
    np.testing.assert_allclose(learnt[0], declared[0], atol=0.15)
    np.testing.assert_allclose(learnt[1], declared[1], atol=1.0)


def test_it_beats_the_reading_by_what_the_formula_says():
    """The error of the posterior mean has the posterior's variance."""
    train, test = clinic(5000, cuff=NOISY), clinic(5000, seed=3, cuff=NOISY)
    arm = arm_pressures(test)
    # Aortic pressure made to be the arm's: one pulse, exactly its SBP and DBP.
    bump = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    same = [
        b.replace(reference=a[:, 1:] + bump * (a[:, :1] - a[:, 1:]))
        for b, a in ((train, arm_pressures(train)), (test, arm))
    ]
    said = CuffPosterior().fit(same[0]).predict(same[1])
    wanted = posterior_covariance(np.cov(arm, rowvar=False), cuff_error(NOISY)[1])
    error = np.stack([said.csbp, said.cdbp], axis=1) - arm
    np.testing.assert_allclose(np.cov(error, rowvar=False), wanted, atol=1.5)
    assert error[:, 0].std() < 0.95 * (test.cuff - arm)[:, 0].std()


def test_posterior_covariance_is_that_of_precisions_added():
    prior, error = np.array([[90.0, 40], [40, 70]]), np.array([[49.0, 17], [17, 36]])
    wanted = np.linalg.inv(np.linalg.inv(prior) + np.linalg.inv(error))
    np.testing.assert_allclose(posterior_covariance(prior, error), wanted)
    np.testing.assert_allclose(
        posterior_covariance(prior, np.zeros((2, 2))), 0, atol=1e-9
    )


def test_readings_average_away_what_does_not_last():
    _, one = cuff_error(CuffModel(sbp_sd=8.0, persistent=0.5))
    _, four = cuff_error(CuffModel(sbp_sd=8.0, persistent=0.5, readings=4))
    _, lasting = cuff_error(CuffModel(sbp_sd=8.0, persistent=1.0, readings=4))
    assert (one[0, 0], four[0, 0], lasting[0, 0]) == pytest.approx((64, 40, 64))


def test_a_wrist_held_high_or_low_moves_both_pressures_alike():
    wrist = CuffModel(sbp_sd=8.0, dbp_sd=7.0, height_sd=5.0, least_pulse=0.0)
    n = 40_000
    rng = np.random.default_rng(0)
    zero = np.zeros(n)
    read = apply_cuff(zero, zero, wrist.draw(n, rng, person=rng), site="radial")
    assert np.cov(read[:, 0], zero)[0, 0] == pytest.approx(
        cuff_error(wrist, "radial")[1][0, 0], rel=0.03
    )
    level, held = (cuff_error(wrist, site)[1] for site in ("brachial", "radial"))
    np.testing.assert_allclose(held - level, (0.77 * 5) ** 2, rtol=0.02)
    several = CuffModel(sbp_sd=8.0, dbp_sd=7.0, height_sd=5.0, readings=10**6)
    assert cuff_error(several, "radial")[1][0, 0] == pytest.approx(3.85**2, rel=0.02)


def test_a_declared_cuff_sits_at_one_site():
    train = clinic(10, site="radial")
    floor = CuffPosterior(CuffModel.wrist()).fit(train)
    np.testing.assert_array_equal(
        floor.error[1], cuff_error(CuffModel.wrist(), "radial")[1]
    )
    mixed = train.replace(
        cuff_site=np.array(["radial"] * 5 + ["brachial"] * 5),
        truth=train.truth | clinic(10).truth,
    )
    with pytest.raises(ProtocolError, match="readings at brachial, radial"):
        CuffPosterior(CuffModel.wrist()).fit(mixed)
    CuffPosterior().fit(mixed)  # learns what it is given


def test_order_and_company_make_no_difference():
    train, test = clinic(cuff=NOISY), clinic(6, seed=1, cuff=NOISY)
    floor = CuffPosterior().fit(train)
    mixed = CuffPosterior().fit(train.take(np.arange(400)[::-1]))
    together = numbers(floor.predict(test))
    np.testing.assert_allclose(numbers(mixed.predict(test)), together)
    alone = [numbers(floor.predict(test.take(np.array([i])))) for i in range(6)]
    np.testing.assert_allclose(np.concatenate(alone), together)


def test_a_subject_with_many_beats_counts_once():
    train, test = clinic(30, cuff=NOISY), clinic(5, seed=1)
    often = train.take(np.array([0, 0, 0, 0, *range(30)]))
    one, other = (numbers(CuffPosterior().fit(b).predict(test)) for b in (train, often))
    np.testing.assert_allclose(one, other)


def test_the_arm_is_that_of_the_cuff():
    wrist, arm = clinic(3, site="radial"), clinic(3, seed=1)
    np.testing.assert_array_equal(arm_pressures(wrist), wrist.cuff)
    with pytest.raises(RecordError, match=r"truth\['radial_sbp'\]"):
        arm_pressures(wrist.replace(truth=arm.truth))
    with pytest.raises(RecordError, match="has no true pressure of the arm"):
        CuffPosterior().fit(make_beats(5))


def test_one_person_is_answered_with_that_person():
    one, test = clinic(1), clinic(3, seed=1)
    said = numbers(CuffPosterior(NOISY).fit(one).predict(test))
    np.testing.assert_allclose(said, np.tile(pressures(one.reference)[:, :3], (3, 1)))


def test_refusals_and_no_fit():
    test = clinic(3, seed=1)
    cuff = test.cuff.copy()
    cuff[1] = np.nan
    floor = CuffPosterior().fit(clinic(30))
    answer = floor.predict(test.replace(cuff=cuff))
    assert answer.accepted.tolist() == [True, False, True]
    assert answer.reason[1] == NO_CUFF
    nobody = test.replace(cuff=np.full((3, 2), np.nan), calibration="none")
    assert not floor.predict(nobody).accepted.any()
    with pytest.raises(ProtocolError, match="asked before it was fitted"):
        CuffPosterior().predict(test)


# Without true arm pressures -----------------------------------------------------------


def test_of_readings_it_is_least_squares():
    train, test = make_beats(50), make_beats(7, seed=1)
    answer = ReadingPosterior().fit(train).predict(test)
    design = np.column_stack([np.ones(50), train.cuff])
    for name, column in (("csbp", 0), ("cdbp", 1), ("cmap", 2)):
        target = true_pressures(train)[:, column]
        line = np.linalg.lstsq(design, target)[0]
        expected = np.column_stack([np.ones(7), test.cuff]) @ line
        np.testing.assert_allclose(getattr(answer, name), expected)


def test_which_posterior_it_is_follows_from_what_is_known_and_is_said():
    bare = make_beats(30)
    arm = {"brachial_sbp": bare.cuff[:, 0] + 2, "brachial_dbp": bare.cuff[:, 1] - 1}
    known = bare.replace(truth=arm)
    assert cuff_posterior(bare).name == "cuff posterior, of readings"
    assert cuff_posterior(known).name == "cuff posterior"
    # The same people, an error that knows nothing of the arm: nearly the same answer.
    test = make_beats(9, seed=1)
    np.testing.assert_allclose(
        cuff_posterior(bare).predict(test).csbp,
        cuff_posterior(known).predict(test).csbp,
    )


def test_readings_that_are_all_alike_say_the_mean():
    alike = make_beats(10).replace(cuff=np.tile([120.0, 80.0], (10, 1)))
    answer = ReadingPosterior().fit(alike).predict(make_beats(3, seed=1))
    np.testing.assert_allclose(answer.csbp, true_pressures(alike)[:, 0].mean())
