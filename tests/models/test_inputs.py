"""What floors look at, and only that."""

import numpy as np
import pytest

from capnet.errors import RecordError
from capnet.models.classical import Ridge, RidgeAffine, RidgeRefit, RidgeShrunk
from capnet.models.inputs import ALONE, SCALARS, Inputs
from capnet.models.pulse import calibrated_pulse
from tests.models.fake_beats import harmonics, make_beats

SOURCES = ["ppg", "radial", SCALARS, ALONE]


def beats_of(n=40, *, seed=0):
    rng = np.random.default_rng(seed + 100)
    beats = make_beats(n, seed=seed)
    radial = 70 + 50 * harmonics(rng, n)
    pat = rng.uniform(0.15, 0.25, n)
    return beats.replace(waves={"radial": radial}, features={"pat": pat})


def changed(beats, what):
    other = beats_of(len(beats), seed=9)
    if what == "radial":
        return beats.replace(waves=other.waves)
    if what == "pat":
        return beats.replace(features=other.features)
    return beats.replace(**{what: getattr(other, what)})


READ = {
    "ppg": {"ppg", "cuff", "age", "duration"},
    "radial": {"radial", "age", "duration"},
    SCALARS: {"cuff", "age", "duration"},
    ALONE: {"ppg", "pat", "age", "duration"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_reads_what_it_says_and_nothing_else(source):
    beats = beats_of()
    inputs = Inputs.learn(source, beats)
    before = inputs.of(beats)
    for what in ("ppg", "radial", "cuff", "pat", "age", "duration"):
        moved = not np.array_equal(inputs.of(changed(beats, what)), before)
        assert moved == (what in READ[source]), what


def test_the_usual_inputs_are_pulse_and_scalars():
    beats = beats_of(5)
    row = Inputs.learn("ppg", beats).of(beats)
    scalars = [beats.hr[:, None], beats.age[:, None], beats.cuff]
    wanted = np.concatenate([calibrated_pulse(beats), *scalars], axis=1)
    np.testing.assert_array_equal(row, wanted)


def test_what_is_unknown_is_taken_for_the_usual():
    beats = beats_of(6)
    inputs = Inputs.learn(ALONE, beats)
    pat = beats.features["pat"].copy()
    pat[2] = np.nan
    age = beats.age.copy()
    age[3] = np.nan
    row = inputs.of(beats.replace(features={"pat": pat}, age=age))
    assert row[2, 64] == pytest.approx(beats.features["pat"].mean())
    assert row[3, 66] == pytest.approx(beats.age.mean())
    assert np.isfinite(row).all()


def test_what_is_missing_is_named():
    beats = make_beats(4)
    with pytest.raises(RecordError, match="no feature 'pat'"):
        Inputs.learn(ALONE, beats)
    with pytest.raises(RecordError, match="no wave 'radial'"):
        Ridge("radial").fit(beats)


@pytest.mark.parametrize("source", SOURCES)
def test_a_ridge_of_any_source_recovers_what_follows_from_its_inputs(source):
    beats, test = beats_of(300), beats_of(20, seed=1)
    rng = np.random.default_rng(3)
    inputs = Inputs.learn(source, beats)
    n = inputs.of(beats).shape[1]
    planted = rng.standard_normal((n, 64)) / n

    def with_truth(b):
        return b.replace(reference=100 + inputs.of(b) @ planted)

    floor = Ridge(source).fit(with_truth(beats))
    test = with_truth(test)
    error = floor.predict(test).waveform - test.reference
    spread = test.reference.std(axis=0).mean()
    assert np.sqrt((error**2).mean()) < 0.05 * spread
    assert floor.name == ("ridge" if source == "ppg" else f"ridge ({source})")


@pytest.mark.parametrize("kind", [RidgeAffine, RidgeShrunk, RidgeRefit])
def test_corrected_ridges_keep_looking_at_their_source(kind):
    beats, few, test = beats_of(60), beats_of(8, seed=2), beats_of(5, seed=1)
    floor = kind(Ridge(SCALARS)).fit(beats).adapt(few)
    before = floor.predict(test).csbp
    after = floor.predict(changed(test, "ppg")).csbp
    np.testing.assert_array_equal(before, after)
