"""The door that teaches a model to say how sure it is."""

import pytest

from capnet.models.checkpoint import save_model
from capnet.models.zoo import load_model
from tests.experiments.conftest import assert_refused, open_door
from tests.fakes.people import bits, make_people, same_bits, tiny_model

FEW = ("doubt.n=80", "interval.n=80", "draws=2", "calibrations=[exact]")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tiny_model(name="tiny"), tmp_path_factory.mktemp("tiny"))


def test_it_leaves_the_same_model_that_says_how_sure_it_is(model, tmp_path):
    run = open_door("uncertainty", f"model={model}", *FEW, folder=tmp_path / "run")
    run.check()
    assert run.last_line == str(run.folder / "model")
    left = load_model(run.folder / "model")
    assert same_bits(bits(left), bits(load_model(model)))
    (found,) = left.uncertainty.intervals
    assert (found.kind, found.by, found.coverage) == ("normalised", "cuff site", 0.9)
    assert left.predict(make_people(5)).doubt is not None


def test_an_impossible_coverage_is_refused_in_one_line(model, tmp_path):
    run = open_door(
        "uncertainty", f"model={model}", *FEW, "coverage=90.0", folder=tmp_path / "run"
    )
    assert_refused(run, "coverage is 90.0")
