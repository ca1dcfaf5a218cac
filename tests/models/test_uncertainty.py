"""Estimators that say how sure they are answer as before, and remember it on disk."""

import json

import numpy as np
import pytest

from capnet.adaptation.strategies import Shots, ShrunkAffine
from capnet.data.splits import fingerprints
from capnet.errors import ProtocolError, RecordError
from capnet.models.checkpoint import load, save_model
from capnet.models.classical import Ridge
from capnet.models.uncertainty import (
    Uncertain,
    _fingerprint,
    calibrate_intervals,
    learn_doubt,
)
from tests.fakes.people import bits, make_people, refuse, same_bits, tiny_model

ANSWERED = ("csbp", "cdbp", "cmap", "cpp", "accepted", "reason")


@pytest.fixture(scope="module")
def known():
    return make_people(80, beats=2, seed=30, prefix="known")


@pytest.fixture(scope="module")
def beats():
    return refuse(make_people(20, seed=31), [4])


@pytest.fixture(scope="module")
def plain():
    return tiny_model(name="tiny")


@pytest.fixture(scope="module")
def sure(plain, known):
    return calibrate_intervals(learn_doubt(plain, known), known)


def ridge():
    return Ridge().fit(make_people(40, seed=32, prefix="learnt"))


@pytest.mark.parametrize("make", [lambda: tiny_model(), ridge], ids=["deep", "floor"])
def test_answers_stay_as_they_are_to_the_last_bit(make, known, beats):
    model = make()
    before = model.predict(beats)
    told = calibrate_intervals(learn_doubt(model, known), known).predict(beats)
    for name in ANSWERED:
        np.testing.assert_array_equal(getattr(told, name), getattr(before, name))
    for name in ("method", "role", "k", "family", "inputs"):
        assert getattr(told, name) == getattr(before, name), name
    assert told.coverage == 0.9
    assert told.low.shape == told.high.shape == (len(beats), 4)
    assert np.isnan(told.low[4]).all()
    assert told.doubt[4] == 1.0
    after = model.predict(beats)
    assert after.low is None
    assert after.doubt is None


def test_intervals_hold_the_answer(sure, beats):
    said = sure.predict(beats)
    rows = said.accepted
    assert (said.low[rows, 0] <= said.csbp[rows]).all()
    assert (said.high[rows, 0] >= said.csbp[rows]).all()


def test_beats_of_another_calibration_get_no_interval(sure, beats):
    other = beats.replace(calibration="cuff SBP/DBP")
    said = sure.predict(other)
    assert said.low is None
    assert said.coverage is None
    assert said.doubt is not None


def test_each_calibration_has_its_own_intervals(sure, known, beats):
    cuffed = known.replace(calibration="cuff SBP/DBP", cuff=known.cuff + 30.0)
    both = calibrate_intervals(sure, cuffed, coverage=0.8)
    assert both.predict(beats).coverage == 0.9
    assert both.predict(beats.replace(calibration="cuff SBP/DBP")).coverage == 0.8
    again = calibrate_intervals(both, known, coverage=0.5)
    assert len(again.uncertainty.intervals) == 2
    assert again.predict(beats).coverage == 0.5


def test_intervals_say_nothing_of_an_adapted_model(sure, known, beats):
    shots = Shots(source=known, labelled=make_people(5, prefix="k"), unlabelled=None)
    adapted = ShrunkAffine().adapt(sure, shots, seed=0)
    said = adapted.predict(beats)
    assert said.low is None
    assert said.doubt is not None
    again = calibrate_intervals(adapted, known)
    assert again.predict(beats).low is not None
    assert sure.predict(beats).low is not None


def test_nobody_is_calibrated_on_who_was_adapted_to(sure, known):
    shots = Shots(source=known, labelled=make_people(5), unlabelled=None)
    adapted = ShrunkAffine().adapt(sure, shots, seed=0)
    for ask in (calibrate_intervals, learn_doubt):
        with pytest.raises(ProtocolError, match=r"adapted with 5 of the 100 subjects"):
            ask(adapted, make_people(100))


def test_people_are_recognised_as_adaptation_writes_them_down():
    assert [_fingerprint("a"), _fingerprint("b")] == fingerprints(np.array(["a", "b"]))


def test_a_floor_that_is_fitted_anew_leaves_its_copy_alone(known, beats):
    floor = ridge()
    told = calibrate_intervals(floor, known)
    assert isinstance(told, Uncertain)
    before = told.predict(beats)
    floor.fit(make_people(40, seed=33, offset=20.0))
    np.testing.assert_array_equal(told.predict(beats).low, before.low)


def test_the_disk_gives_back_the_same_words(sure, beats, tmp_path):
    home = save_model(sure, tmp_path / "model")
    loaded = load(home)
    assert same_bits(bits(loaded), bits(sure))
    one, other = sure.predict(beats), loaded.predict(beats)
    for name in ("low", "high", "doubt"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    again = save_model(loaded, tmp_path / "again")
    for file in home.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_model_without_them_leaves_no_file_behind(sure, plain, beats, tmp_path):
    save_model(sure, tmp_path)
    assert (tmp_path / "uncertainty.json").exists()
    save_model(plain, tmp_path)
    assert not (tmp_path / "uncertainty.json").exists()
    assert load(tmp_path).predict(beats).low is None


def test_weights_of_a_model_do_not_change_with_what_it_says(sure, plain, tmp_path):
    one, other = save_model(sure, tmp_path / "a"), save_model(plain, tmp_path / "b")
    for name in ("model.safetensors", "model.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: "{",
        lambda said: json.dumps({**said, "format": 2}),
        lambda said: json.dumps({k: v for k, v in said.items() if k != "doubt"}),
        lambda said: json.dumps([said]),
    ],
    ids=["cut", "format", "missing", "list"],
)
def test_a_damaged_file_is_an_error(sure, tmp_path, spoil):
    path = save_model(sure, tmp_path) / "uncertainty.json"
    path.write_text(spoil(json.loads(path.read_text())))
    with pytest.raises(RecordError, match=r"uncertainty\.json is damaged.*delete it"):
        load(tmp_path)
