"""A doubt is larger where errors are, where a beat is strange, where it was refused."""

import json

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.models.classical import PeripheralMinusConstant
from capnet.models.doubt import Doubt
from tests.fakes.people import make_people, refuse


def noisy(n, *, seed, beats=1):
    """Errors of the old are ten times those of the young."""
    made = make_people(n, beats=beats, seed=seed)
    spread = np.where(made.age > 52, 10.0, 1.0)
    noise = spread * np.random.default_rng(seed).normal(size=len(made))
    return made.replace(reference=made.reference + noise[:, None])


@pytest.fixture(scope="module")
def floor():
    return PeripheralMinusConstant().fit(noisy(60, seed=20))


@pytest.fixture(scope="module")
def doubt(floor):
    known = noisy(400, seed=21, beats=2)
    return Doubt.learn(floor.predict(known), known)


@pytest.fixture(scope="module")
def beats():
    return noisy(200, seed=22)


def test_large_errors_are_doubted(doubt, floor, beats):
    found = doubt.of(floor.predict(beats), beats)
    old = beats.age > 52
    assert found[old].mean() > 0.6
    assert found[~old].mean() < 0.45
    assert ((found > 0) & (found < 1)).all()


def test_a_refused_beat_is_doubted_most(doubt, floor, beats):
    some = refuse(beats, [3, 4])
    found = doubt.of(floor.predict(some), some)
    assert (found[[3, 4]] == 1.0).all()
    assert (np.delete(found, [3, 4]) < 1.0).all()


def test_a_strange_pulse_is_doubted_more_than_any_usual_one(doubt, floor, beats):
    strange = np.random.default_rng(0).random(beats.ppg.shape)
    odd = beats.replace(ppg=strange)
    usual = doubt.of(floor.predict(beats), beats)
    found = doubt.of(floor.predict(odd), odd)
    assert (found > usual).all()


def test_doubt_does_not_fall_with_the_distance(doubt, floor, beats):
    """Of a cuff that moves away from all people learnt from."""
    one = beats.take(np.zeros(6, dtype=int))
    away = np.array([0.0, 60.0, 120.0, 240.0, 480.0, 960.0])
    far = one.replace(cuff=one.cuff + away[:, None])
    found = doubt.of(floor.predict(far), far)
    assert (np.diff(found[1:]) > 0).all()


def test_a_window_that_is_not_believed_is_doubted(doubt, floor, beats):
    def asked(window):
        features = {**beats.features, "window": np.full(len(beats), window)}
        changed = beats.replace(features=features)
        return doubt.of(floor.predict(changed), changed)

    usual = doubt.of(floor.predict(beats), beats)
    np.testing.assert_array_equal(asked(1.0), usual)
    np.testing.assert_array_equal(asked(np.nan), usual)
    assert (asked(0.0) > usual.max()).all()
    assert (np.argsort(asked(0.0)) == np.argsort(usual)).all()


def test_a_beat_alone_gets_what_it_gets_among_others(doubt, floor, beats):
    found = doubt.of(floor.predict(beats), beats)
    mixed = np.random.default_rng(1).permutation(len(beats))
    other = beats.take(mixed)
    np.testing.assert_allclose(doubt.of(floor.predict(other), other), found[mixed])
    one = beats.take(np.array([11]))
    assert doubt.of(floor.predict(one), one)[0] == pytest.approx(found[11], rel=1e-12)


def test_the_order_of_those_learnt_from_does_not_matter(doubt, floor, beats):
    known = noisy(400, seed=21, beats=2)
    mixed = known.take(np.random.default_rng(2).permutation(len(known)))
    other = Doubt.learn(floor.predict(mixed), mixed)
    said = floor.predict(beats)
    np.testing.assert_allclose(other.of(said, beats), doubt.of(said, beats), rtol=1e-6)


def test_half_of_the_people_learnt_from_are_below_one_half(doubt, floor):
    known = noisy(400, seed=21, beats=2)
    found = doubt.of(floor.predict(known), known)
    assert np.mean(found < 0.5) == pytest.approx(0.5, abs=0.01)


def test_a_beat_without_a_pulse_is_doubted_most_of_those_answered(doubt, floor, beats):
    """A floor of the cuff alone answers it; what it is made of nobody saw."""
    ppg = beats.ppg.copy()
    ppg[7] = np.nan
    blind = beats.replace(ppg=ppg)
    found = doubt.of(floor.predict(blind), blind)
    others = np.delete(found, 7)
    assert others.max() < found[7] < 1.0
    np.testing.assert_array_equal(
        others, np.delete(doubt.of(floor.predict(beats), beats), 7)
    )


def test_beats_without_a_pulse_are_not_learnt_from(floor, beats):
    known = noisy(400, seed=21, beats=2)
    ppg = known.ppg.copy()
    ppg[::10] = np.nan
    holes = known.replace(ppg=ppg)
    kept = known.take(np.arange(len(known)) % 10 != 0)
    said = floor.predict(beats)
    one = Doubt.learn(floor.predict(holes), holes).of(said, beats)
    other = Doubt.learn(floor.predict(kept), kept).of(said, beats)
    np.testing.assert_allclose(one, other, rtol=1e-9)
    none = known.replace(ppg=np.full_like(known.ppg, np.nan))
    with pytest.raises(ProtocolError, match=r"from 0 subjects with a pulse"):
        Doubt.learn(floor.predict(none), none)


def test_an_unknown_age_has_a_doubt(doubt, floor, beats):
    unknown = beats.replace(age=np.full(len(beats), np.nan))
    assert np.isfinite(doubt.of(floor.predict(unknown), unknown)).all()


def test_json_gives_back_the_same_doubt(doubt, floor, beats):
    back = Doubt.from_dict(json.loads(json.dumps(doubt.to_dict(), allow_nan=False)))
    said = floor.predict(beats)
    np.testing.assert_array_equal(back.of(said, beats), doubt.of(said, beats))


def test_too_few_people_are_refused(floor):
    few = noisy(49, seed=23)
    with pytest.raises(ProtocolError, match=r"from 49 subjects .* wanted 50"):
        Doubt.learn(floor.predict(few), few)
