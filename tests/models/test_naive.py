"""Rows that need no skill, and one that cannot have any."""

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.models.classical import OLS, Ridge
from capnet.models.estimator import labelled
from capnet.models.last_cuff import FORM_FACTOR, LastCuff
from capnet.models.mean import Mean
from capnet.models.posterior import ReadingPosterior
from capnet.models.shuffled_labels import ShuffledLabels, exchanged_labels
from capnet.models.svr import SVR
from capnet.prediction import pressures
from tests.models.fake_beats import make_beats

NAIVE = [Mean, LastCuff, lambda: ShuffledLabels(Ridge())]


@pytest.mark.parametrize("make", NAIVE)
def test_one_by_one_is_the_batch(make):
    train, test = make_beats(30), make_beats(5, seed=1)
    floor = make().fit(train)
    together = floor.predict(test).csbp
    alone = [floor.predict(test.take(np.array([i]))).csbp[0] for i in range(5)]
    np.testing.assert_allclose(alone, together, rtol=1e-9)


@pytest.mark.parametrize("make", NAIVE)
def test_refused_beats_keep_their_reason(make):
    test = make_beats(3, seed=1)
    accepted = np.array([True, False, True])
    test = test.replace(accepted=accepted, reason=np.array(["", "a gap", ""]))
    answer = make().fit(make_beats(30)).predict(test)
    assert answer.accepted.tolist() == [True, False, True]
    assert answer.reason[1] == "a gap"
    assert answer.role == "control"


# Mean ------------------------------------------------------------------------------


def test_the_mean_is_that_of_subjects_and_the_same_for_everybody():
    train = make_beats(12, per_subject=3)
    order = np.argsort(np.arange(12) % 3 == 0, kind="stable")
    uneven = train.take(np.concatenate([order, [0, 1, 2]]))
    numbers = pressures(uneven.reference)
    each = [numbers[uneven.subject == s].mean(axis=0) for s in uneven.subjects]
    answer = Mean().fit(uneven).predict(make_beats(5, seed=1))
    expected = np.mean(each, axis=0)
    for column, name in enumerate(("csbp", "cdbp", "cmap", "cpp")):
        np.testing.assert_allclose(getattr(answer, name), expected[column])


def test_the_mean_needs_no_reading():
    bare = {"cuff": np.full((6, 2), np.nan), "calibration": "none"}
    train, test = make_beats(6, **bare), make_beats(6, seed=1, **bare)
    assert Mean().fit(train).predict(test).accepted.all()
    with pytest.raises(ProtocolError, match="none of them accepted and with a ref"):
        Mean().fit(make_beats(4, reference=None, reference_type="none"))
    with pytest.raises(ProtocolError, match="asked before it was fitted"):
        Mean().predict(test)


# The last reading -------------------------------------------------------------------


def test_a_reading_is_held_as_it_was_read():
    test = make_beats(4)
    answer = LastCuff().predict(test)
    np.testing.assert_array_equal(answer.csbp, test.cuff[:, 0])
    np.testing.assert_array_equal(answer.cdbp, test.cuff[:, 1])
    share = (answer.cmap - answer.cdbp) / answer.cpp
    np.testing.assert_allclose(share, FORM_FACTOR)


def test_a_mean_that_was_measured_is_held_too():
    read = np.array([95.0, np.nan, 101.0])
    test = make_beats(3).replace(features={"cuff_map": read})
    answer = LastCuff().predict(test)
    np.testing.assert_array_equal(answer.cmap[[0, 2]], read[[0, 2]])
    sbp, dbp = test.cuff[1]
    assert answer.cmap[1] == pytest.approx(dbp + FORM_FACTOR * (sbp - dbp))


# Shuffled labels --------------------------------------------------------------------


def relative(beats):
    """References in units of the cuff."""
    dbp, pulse = beats.cuff[:, 1:], beats.cuff[:, :1] - beats.cuff[:, 1:]
    return (beats.reference - dbp) / pulse


def test_everybody_gets_the_label_of_somebody_else():
    beats = make_beats(24, per_subject=3)
    mixed = exchanged_labels(beats, seed=2)
    given = relative(mixed)
    own = relative(beats)
    donors = []
    for i in range(len(beats)):
        (source,) = np.flatnonzero(np.abs(own - given[i]).max(axis=1) < 1e-9)
        assert beats.beat[source] == mixed.beat[i]  # in their order
        donors.append((mixed.subject[i], beats.subject[source]))
    assert all(a != b for a, b in donors)
    pairs = set(donors)
    assert len(pairs) == 8  # one lender each
    assert len({b for _, b in pairs}) == 8  # and nobody lends twice
    for name in ("ppg", "cuff", "age", "duration"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(beats, name))


def test_the_scale_of_the_cuff_stays():
    beats = make_beats(40)
    height = np.full(len(beats), 1.0)
    dbp, pulse = beats.cuff[:, 1:], beats.cuff[:, :1] - beats.cuff[:, 1:]
    same = relative(beats)[:1] * height[:, None]  # one shape for all
    told = beats.replace(reference=dbp + pulse * same)
    np.testing.assert_allclose(exchanged_labels(told, seed=0).reference, told.reference)


def test_lenders_with_fewer_beats_begin_again():
    beats = make_beats(8, per_subject=4).take(np.array([0, 1, 2, 3, 4]))
    mixed = relative(exchanged_labels(beats, seed=0))
    np.testing.assert_allclose(mixed[:4], np.repeat(relative(beats)[4:], 4, axis=0))
    np.testing.assert_allclose(mixed[4], relative(beats)[0])


def test_an_exchange_is_told_by_its_seed():
    beats = make_beats(20)
    one, again, other = (exchanged_labels(beats, seed=s).reference for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
    with pytest.raises(ProtocolError, match="labels of 1 subject cannot"):
        exchanged_labels(beats.take(np.array([0])), seed=0)


@pytest.mark.parametrize("kind", [Ridge, SVR, OLS])
def test_what_was_planted_beyond_the_cuff_is_gone(kind):
    def people(n, seed):
        made = make_beats(n, seed=seed)
        sbp, dbp = made.cuff[:, :1], made.cuff[:, 1:]
        height = 0.7 + 0.004 * (made.age - 50)  # of the cuff's pulse: age tells it
        wave = dbp + height[:, None] * (sbp - dbp) * made.ppg
        return made.replace(reference=wave)

    train, test = people(300, 0), people(200, 1)
    truth = test.reference.max(axis=1)

    def error(estimator):
        return np.sqrt(np.mean((estimator.fit(train).predict(test).csbp - truth) ** 2))

    honest, mixed = error(kind()), error(ShuffledLabels(kind()))
    assert honest < 0.5 * mixed
    assert mixed > 0.97 * error(ReadingPosterior())


def test_it_says_whom_it_wraps():
    wrapped = ShuffledLabels(SVR("scalars"), seed=3)
    assert wrapped.name == "SVR (scalars), labels shuffled"
    answer = wrapped.fit(make_beats(20)).predict(labelled(make_beats(4), method="-"))
    assert (answer.family, answer.role) == ("shuffled labels", "control")
    assert answer.inputs == ("cuff", "age", "hr")
