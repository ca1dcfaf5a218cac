"""Support vector regression: the laws of floors, and what is its own."""

import numpy as np
import pytest

from capnet.errors import ConfigError, ProtocolError
from capnet.models.inputs import SCALARS
from capnet.models.svr import SVR, thinned
from capnet.prediction import NO_CUFF
from tests.models.fake_beats import make_beats


def numbers(answer):
    return np.stack([answer.csbp, answer.cdbp, answer.cmap, answer.cpp], axis=1)


def bent(n, *, seed):
    """The reference is the arm's pulse, lowered by a bent function of the cuff."""
    beats = make_beats(n, seed=seed)
    sbp, dbp = beats.cuff.T
    top = sbp - 8 - 6 * np.sin((sbp - 105) / 45 * np.pi)
    wave = dbp[:, None] + beats.ppg * (top - dbp)[:, None]
    return beats.replace(reference=wave)


def test_it_follows_a_bend_that_a_line_cannot():
    floor, test = SVR(SCALARS).fit(bent(300, seed=0)), bent(50, seed=1)
    error = floor.predict(test).csbp - test.reference.max(axis=1)
    assert np.sqrt((error**2).mean()) < 0.6  # a line leaves 1.8


def test_the_order_of_the_beats_makes_no_difference():
    train, test = make_beats(60), make_beats(8, seed=1)
    mixed = train.take(np.random.default_rng(0).permutation(60))
    one, other = (numbers(SVR().fit(b).predict(test)) for b in (train, mixed))
    np.testing.assert_array_equal(one, other)


def test_batch_is_one_by_one():
    floor, test = SVR().fit(make_beats(40)), make_beats(5, seed=1)
    alone = [numbers(floor.predict(test.take(np.array([i])))) for i in range(5)]
    np.testing.assert_allclose(
        np.concatenate(alone), numbers(floor.predict(test)), rtol=1e-9
    )


def test_pressure_added_everywhere_is_added_to_the_answer():
    train, test = make_beats(60), make_beats(8, seed=1)
    moved = train.replace(cuff=train.cuff + 9.0, reference=train.reference + 9.0)
    before = SVR().fit(train).predict(test).csbp
    after = SVR().fit(moved).predict(test.replace(cuff=test.cuff + 9.0)).csbp
    np.testing.assert_allclose(after, before + 9.0, atol=0.05)


def test_far_from_everybody_it_answers_one_number():
    """A Gaussian kernel knows nothing there; what is left is the same for all."""
    floor, test = SVR(SCALARS).fit(make_beats(60)), make_beats(4, seed=1)
    far = [test.replace(cuff=test.cuff + shift) for shift in (3000.0, 5000.0)]
    answers = np.concatenate([floor.predict(b).csbp for b in far])
    np.testing.assert_allclose(answers, answers[0])


def crowd():
    """One who was seen for a day, one twice, forty once."""
    names = ["day"] * 500 + ["twice"] * 2 + [f"once-{i:02d}" for i in range(40)]
    beat = np.array([*range(500), 0, 1, *[0] * 40])
    return make_beats(542, subject=np.array(names), beat=beat)


def test_thinning_never_takes_more_than_there_are():
    beats = make_beats(10)
    assert [len(thinned(beats, rows=n)) for n in (1, 4, 10, 99)] == [1, 4, 10, 10]
    with pytest.raises(ConfigError, match="rows is 0"):
        thinned(beats, rows=0)


def test_thinning_leaves_nobody_out_while_another_is_taken_twice():
    for rows, day, twice in ((42, 1, 1), (44, 2, 2), (100, 58, 2)):
        kept = thinned(crowd(), rows=rows).subject.tolist()
        assert len(kept) == rows
        assert (kept.count("day"), kept.count("twice")) == (day, twice)
        assert len({*kept}) == 42


def test_thinning_favours_neither_names_nor_places():
    """Among more subjects than rows, and among the beats of each."""
    beats = make_beats(3000, per_subject=10)
    kept = thinned(beats, rows=150)
    assert len({*kept.subject}) == 150
    where = np.array([int(name.split("-")[1]) for name in kept.subject]) / 300
    assert where.mean() == pytest.approx(0.5, abs=0.08)
    assert kept.beat.astype(int).mean() == pytest.approx(4.5, abs=0.8)


def test_thinning_does_not_depend_on_the_order_even_of_days():
    beats = crowd().replace(beat=np.zeros(542, dtype=int), time=np.zeros(542))
    mixed = beats.take(np.random.default_rng(0).permutation(542))
    for rows in (60, 999):
        one, other = (thinned(b, rows=rows) for b in (beats, mixed))
        np.testing.assert_array_equal(one.cuff, other.cuff)


def test_beats_seen_again_teach_nothing_new():
    train, test = make_beats(40), make_beats(8, seed=1)
    often = train.take(np.repeat(np.arange(40), 5))
    one, other = (numbers(SVR().fit(b).predict(test)) for b in (train, often))
    np.testing.assert_allclose(other, one, atol=0.1)


def test_refused_beats_have_a_reason_and_nobody_is_no_error():
    test = make_beats(3, seed=1)
    cuff = test.cuff.copy()
    cuff[1] = np.nan
    floor = SVR().fit(make_beats(30))
    answer = floor.predict(test.replace(cuff=cuff))
    assert answer.accepted.tolist() == [True, False, True]
    assert answer.reason[1] == NO_CUFF
    nobody = test.replace(cuff=np.full((3, 2), np.nan), calibration="none")
    assert not floor.predict(nobody).accepted.any()


def test_no_fit_no_answer():
    with pytest.raises(ProtocolError, match="asked before it was fitted"):
        SVR().predict(make_beats(2))
    blind = make_beats(5, reference=None, reference_type="none")
    with pytest.raises(ProtocolError, match="without a reference"):
        SVR().fit(blind)
