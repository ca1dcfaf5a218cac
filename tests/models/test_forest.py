"""Random forest: the laws of floors, and what is its own."""

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.models.classical import OLS
from capnet.models.forest import RandomForest
from capnet.models.inputs import SCALARS
from capnet.prediction import NO_CUFF, pressures
from tests.models.fake_beats import make_beats


def numbers(answer):
    return np.stack([answer.csbp, answer.cdbp, answer.cmap, answer.cpp], axis=1)


@pytest.fixture(scope="module")
def floor():
    return RandomForest().fit(make_beats(60))


def test_no_answer_leaves_the_range_of_training(floor):
    seen = pressures(make_beats(60).reference)[:, :3]
    test = make_beats(30, seed=1)
    wild = test.replace(cuff=test.cuff + np.linspace(-90, 90, 30)[:, None])
    said = numbers(floor.predict(wild))[:, :3]
    assert (said >= seen.min(axis=0)).all()
    assert (said <= seen.max(axis=0)).all()


def test_it_learns_a_step_that_a_line_cannot():
    def stepped(n, seed):
        beats = make_beats(n, seed=seed)
        top = np.where(beats.cuff[:, 0] > 127, 130.0, 110.0)
        wave = 70 + beats.ppg * (top - 70)[:, None]
        return beats.replace(reference=wave)

    test = stepped(60, 1)
    clear = np.abs(test.cuff[:, 0] - 127) > 3
    train, true = stepped(300, 0), test.reference.max(axis=1)
    forest, line = (
        np.abs(floor.fit(train).predict(test).csbp - true)[clear].mean()
        for floor in (RandomForest(SCALARS), OLS())
    )
    assert forest < 0.5 * line


def test_the_order_of_the_beats_makes_no_difference():
    train, test = make_beats(60), make_beats(8, seed=1)
    mixed = train.take(np.random.default_rng(0).permutation(60))
    one, other = (numbers(RandomForest().fit(b).predict(test)) for b in (train, mixed))
    np.testing.assert_array_equal(one, other)


def test_no_leaf_is_one_person_seen_often():
    """It must not know its own people better for seeing them often."""
    rng = np.random.default_rng(0)
    train = make_beats(60)
    luck = rng.normal(0, 10, (60, 1))  # nothing that the inputs tell
    train = train.replace(reference=train.reference + luck)
    often = train.take(np.repeat(np.arange(60), 10))
    once, ten = (
        np.corrcoef(RandomForest().fit(b).predict(train).csbp, luck[:, 0])[0, 1]
        for b in (train, often)
    )
    assert ten < once + 0.1


def test_seeds_differ_and_repeat():
    train, test = make_beats(40), make_beats(4, seed=1)
    a, b, c = (RandomForest(seed=s).fit(train).predict(test).csbp for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_batch_is_one_by_one(floor):
    test = make_beats(5, seed=1)
    alone = [numbers(floor.predict(test.take(np.array([i])))) for i in range(5)]
    np.testing.assert_allclose(
        np.concatenate(alone), numbers(floor.predict(test)), rtol=1e-12
    )


def test_refused_beats_have_a_reason_and_nobody_is_no_error(floor):
    test = make_beats(3, seed=1)
    cuff = test.cuff.copy()
    cuff[1] = np.nan
    answer = floor.predict(test.replace(cuff=cuff))
    assert answer.accepted.tolist() == [True, False, True]
    assert answer.reason[1] == NO_CUFF
    nobody = test.replace(cuff=np.full((3, 2), np.nan), calibration="none")
    assert not floor.predict(nobody).accepted.any()


def test_no_fit_no_answer():
    with pytest.raises(ProtocolError, match="asked before it was fitted"):
        RandomForest().predict(make_beats(2))
    blind = make_beats(5, reference=None, reference_type="none")
    with pytest.raises(ProtocolError, match="without a reference"):
        RandomForest().fit(blind)
