"""The contest: a model with labels meets floors that were given the same ones."""

from types import SimpleNamespace

import numpy as np
import pytest

from capnet.data.splits import fingerprints
from capnet.evaluation.floors import missing_floors
from capnet.models.classical import Ridge
from capnet.models.estimator import seen_by
from experiments.contest import _labels_of, _same_labels
from experiments.stages import controls, fitted_floors, with_labels
from tests.fakes.people import make_people, tiny_model


@pytest.fixture
def targets():
    """Two clinics, the first three people of each drawn first."""
    found = []
    for place, prefix in enumerate(("dev", "test")):
        beats = make_people(10, seed=place, prefix=prefix)
        draw = SimpleNamespace(k=3, draw=0, subjects=beats.subjects[:3])
        found.append(SimpleNamespace(beats={"exact": beats}, draws=(draw,)))
    return found


def model_of(people):
    """A model that says whose labels it saw."""
    said = {"labelled": fingerprints(people), "labels": seen_by(people)}
    return tiny_model(name="net", k=len(people), info={"adaptation": said})


def test_the_people_are_found_in_whichever_clinic_they_are(targets):
    people = targets[1].beats["exact"].subjects[4:8]
    found = _labels_of(model_of(people), targets, "exact")
    assert sorted(found.subjects) == sorted(people)
    assert len(found) == 8


def test_a_model_that_does_not_say_whom_meets_the_first_draw(targets):
    found = _labels_of(tiny_model(k=3), targets, "exact")
    assert [*found.subjects] == [*targets[0].draws[0].subjects]
    assert _labels_of(tiny_model(k=4), targets, "exact") is None
    stranger = model_of(np.array(["a", "b"]))
    assert _labels_of(stranger, targets, "exact") is None


def test_such_floors_open_the_gate(targets):
    source, test = make_people(30, seed=7), make_people(8, seed=8, prefix="held")
    people = targets[1].beats["exact"].subjects[4:8]
    model = model_of(people)
    ridge = Ridge().fit(source)
    told = [*_same_labels(ridge, [model, model], targets, "exact")]
    assert len({floor.name for floor in told}) == len(told) == 4
    shots = SimpleNamespace(labelled=None, k=0, seen="")
    rows = [f.predict(test) for f in fitted_floors(source, test, shots)]
    deep = model.predict(test)
    assert deep.seen == seen_by(people)
    missing = missing_floors([*rows, deep], test)
    assert {(d.family, d.k) for d in missing} == {
        ("ridge", 4),
        ("peripheral - constant", 4),
    }
    rows += [floor.predict(test) for floor in told]
    assert missing_floors([*rows, deep], test) == ()


def test_a_penalty_is_not_chosen_on_one_person(targets):
    labels = targets[0].beats["exact"].of(targets[0].draws[0].subjects[:1])
    ridge = Ridge().fit(make_people(30, seed=7))
    names = [f.name for f in with_labels(ridge, labels, k=1, seen="abc")]
    assert names == ["ridge + affine", "cuff SBP - constant, refitted"]


def test_controls_are_those_that_always_stand_there():
    families = [f.family for f in controls(make_people(12))]
    assert families == ["mean", "last cuff", "shuffled labels"]
