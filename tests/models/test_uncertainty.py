"""Estimators that say how sure they are answer as before, and remember it on disk."""

import json
from contextlib import suppress

import numpy as np
import pytest

from capnet.adaptation.strategies import Shots, ShrunkAffine
from capnet.data.splits import fingerprints
from capnet.errors import ProtocolError, RecordError
from capnet.models.acquaintance import _mark, met_by
from capnet.models.checkpoint import load, save_model
from capnet.models.classical import (
    OLS,
    FittedGTF,
    PeripheralMinusConstant,
    Ridge,
    RidgeAffine,
    RidgeRefit,
    RidgeShrunk,
)
from capnet.models.estimator import seen_by
from capnet.models.last_cuff import LastCuff
from capnet.models.mean import Mean
from capnet.models.posterior import ReadingPosterior
from capnet.models.shuffled_labels import ShuffledLabels
from capnet.models.svr import SVR
from capnet.models.uncertainty import Uncertain, calibrate_intervals, learn_doubt
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
        with pytest.raises(ProtocolError, match=r"has met 5 of the 100 subjects"):
            ask(adapted, make_people(100))


def test_people_are_recognised_as_adaptation_writes_them_down():
    assert [_mark("a"), _mark("b")] == fingerprints(np.array(["a", "b"]))


@pytest.mark.parametrize(
    "kind",
    [
        *(Mean, PeripheralMinusConstant, OLS, Ridge, FittedGTF, SVR),
        *(ReadingPosterior, lambda: ShuffledLabels(Ridge()), RidgeAffine, RidgeShrunk),
        RidgeRefit,
    ],
)
def test_a_floor_is_not_calibrated_on_those_it_was_fitted_on(kind):
    """One of a hundred is enough; its errors there are those of training."""
    people = make_people(60, seed=34)
    floor = kind().fit(people)
    assert met_by(floor, people) == sorted(people.subjects)
    other = make_people(99, seed=35, prefix="other")
    both = type(people).concatenate([other, people.of(people.subjects[:1])])
    for ask in (calibrate_intervals, learn_doubt):
        with pytest.raises(ProtocolError, match=r"has met 1 of the 100 subjects"):
            ask(floor, both)
    again = calibrate_intervals(floor, other)
    with pytest.raises(ProtocolError, match=r"has met 60 of the 60 subjects"):
        calibrate_intervals(again, people)


@pytest.mark.parametrize("kind", [RidgeAffine, RidgeShrunk])
def test_a_corrected_floor_has_met_those_who_corrected_it_too(kind):
    source, labels = make_people(40, seed=34), make_people(5, seed=36, prefix="k")
    floor = kind().fit(source)
    assert met_by(floor.adapt(labels), labels) == sorted(labels.subjects)
    assert met_by(floor.adapt(labels), source) == sorted(source.subjects)
    assert met_by(floor, labels) == []


def test_what_learns_nothing_has_met_nobody(known):
    assert calibrate_intervals(LastCuff().fit(known), known).predict(known).coverage


def test_a_network_knows_those_it_was_trained_on_when_all_come_again(known):
    trained = tiny_model(info={"learnt_from": seen_by(known.subjects)})
    with pytest.raises(ProtocolError, match=r"has met 80 of the 80 subjects"):
        calibrate_intervals(trained, known)
    assert calibrate_intervals(trained, known.of(known.subjects[1:])).uncertainty


def test_a_copy_has_the_name_of_its_estimator(known, beats):
    told = calibrate_intervals(ridge(), known)
    told.estimator.name = "another"
    assert told.name == told.predict(beats).method == "another"
    assert (told.role, told.k) == (told.estimator.role, told.estimator.k)


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


def changed(said, path, value):
    """The same tree with one leaf exchanged; a path step is a key or a position."""
    tree = json.loads(json.dumps(said))
    place = tree
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return tree


FIELDS = {
    "of": ("of",),
    "intervals": ("intervals",),
    "kind": ("intervals", 0, "kind"),
    "coverage": ("intervals", 0, "coverage"),
    "calibration": ("intervals", 0, "calibration"),
    "reference type": ("intervals", 0, "reference_type"),
    "by": ("intervals", 0, "by"),
    "margins": ("intervals", 0, "margins"),
    "margin": ("intervals", 0, "margins", "all", 2),
    "margins of all": ("intervals", 0, "margins", "all"),
    "subjects": ("intervals", 0, "subjects"),
    "count": ("intervals", 0, "subjects", "all"),
    "learnt": ("intervals", 0, "learnt"),
    "seed": ("intervals", 0, "seed"),
    "surface": ("intervals", 0, "surface"),
    "bent": ("intervals", 0, "surface", "bent"),
    "coefficients": ("intervals", 0, "surface", "coefficients"),
    "coefficient": ("intervals", 0, "surface", "coefficients", 3, 1),
    "standard mean": ("intervals", 0, "surface", "standard", "mean", 0),
    "standard scale": ("intervals", 0, "surface", "standard", "scale", 0),
    "mean": ("doubt", "mean"),
    "point of the mean": ("doubt", "mean", 5),
    "parts": ("doubt", "parts"),
    "part": ("doubt", "parts", 1, 1),
    "doubt's surface": ("doubt", "surface"),
    "doubt's coefficient": ("doubt", "surface", "coefficients", 3, 0),
    "near": ("doubt", "near", "mean"),
    "near scale": ("doubt", "near", "scale", 1),
    "whitening": ("doubt", "whitening", 0, 0),
    "far": ("doubt", "far"),
    "one far": ("doubt", "far", 0),
    "usual": ("doubt", "usual"),
    "doubt's subjects": ("doubt", "subjects"),
    "doubt's calibration": ("doubt", "calibration"),
}
NONSENSE = {
    "nan": float("nan"),
    "huge": 1e300,
    "whole and huge": 10**400,
    "negative": -1e12,
    "word": "seven",
    "list": [1.0, 2.0],
    "true": True,
    "table": {"a": [1.0]},
}
MEANT = {
    # What a file may say: too few people give infinite margins, a method that does not
    # answer a number gives NaN, seeds are any counts, a word may be another one.
    *(("margin", "nan"), ("learnt", "whole and huge"), ("count", "whole and huge")),
    *(("seed", "whole and huge"), ("doubt's subjects", "whole and huge")),
    *(("of", "word"), ("doubt's calibration", "word"), ("far", "list")),
    # JSON's true is the number 1 among numbers.
    *((name, "true") for name in ("margin", "coefficient", "standard mean", "usual")),
    *((name, "true") for name in ("standard scale", "point of the mean", "part")),
    *((name, "true") for name in ("doubt's coefficient", "near scale", "whitening")),
    ("one far", "true"),
}


@pytest.fixture(scope="module")
def tree(plain, known):
    spread = calibrate_intervals(learn_doubt(plain, known), known, kind="normalised")
    return spread, spread.uncertainty.to_dict()


@pytest.mark.parametrize("what", NONSENSE)
def test_nothing_but_what_was_learnt_is_read(tree, tmp_path, what):
    """Every field, with every kind of nonsense."""
    model, said = tree
    path = save_model(model, tmp_path) / "uncertainty.json"
    let_through = []
    for name, place in FIELDS.items():
        path.write_text(json.dumps(changed(said, place, NONSENSE[what])))
        with suppress(RecordError):  # any other error is a failure
            load(tmp_path)
            let_through.append((name, what))
    assert {*let_through} == {pair for pair in MEANT if pair[1] == what}


def test_json_within_json_within_json_is_an_error(sure, tmp_path):
    path = save_model(sure, tmp_path) / "uncertainty.json"
    path.write_text("[" * 100_000)
    with pytest.raises(RecordError, match="is damaged"):
        load(tmp_path)


def test_two_sets_of_one_calibration_are_an_error(tree, tmp_path):
    model, said = tree
    path = save_model(model, tmp_path) / "uncertainty.json"
    path.write_text(json.dumps({**said, "intervals": said["intervals"] * 2}))
    with pytest.raises(RecordError, match="one set a calibration"):
        load(tmp_path)


def test_threads_get_the_words_of_one(sure, beats):
    from concurrent.futures import ThreadPoolExecutor

    alone = sure.predict(beats)
    with ThreadPoolExecutor(4) as pool:
        for told in pool.map(lambda _: sure.predict(beats), range(12)):
            for name in ("csbp", "low", "high", "doubt"):
                np.testing.assert_array_equal(getattr(told, name), getattr(alone, name))


@pytest.mark.parametrize("kind", ["absolute", "normalised", "quantiles"])
def test_a_beat_alone_is_told_what_it_is_told_among_others(plain, known, beats, kind):
    sure = calibrate_intervals(learn_doubt(plain, known), known, kind=kind)
    whole = sure.predict(beats)
    for row in (0, 4, 39):  # the second of them is refused
        one = sure.predict(beats.take(np.array([row])))
        for name in ("low", "high", "doubt"):
            found, wanted = getattr(one, name)[0], getattr(whole, name)[row]
            np.testing.assert_allclose(found, wanted, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("change", ["offset", "weight"])
def test_any_change_of_what_answers_silences_the_intervals(sure, beats, change):
    moved = sure.carrying(sure.uncertainty)
    if change == "offset":
        moved.offset += 1e-6
    else:
        moved.net.output.bias.data[0] += 1e-6
    assert moved.predict(beats).low is None
    assert sure.predict(beats).low is not None
