"""What judges say beside a table: the budget of an error, and worse and worse cuffs."""

from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf

from capnet.data.splits import fingerprints
from capnet.evaluation import evaluate
from capnet.hemodynamics.cuffs import CuffModel
from capnet.models.estimator import seen_by
from capnet.models.limit import cuff_limit
from capnet.models.posterior import cuff_error
from experiments.judging import Judged, budget, said, worse_cuff
from experiments.stages import fitted_floors
from tests.fakes.people import make_people, tiny_model

CFG = OmegaConf.create({"seed": 0, "resamples": 100})
READ = "cuff SBP/DBP"
CUFF = CuffModel(sbp_bias=0.0, sbp_sd=6.0, dbp_bias=0.0, dbp_sd=4.0)
NETWORK = ("net", 0)
SHOTS = SimpleNamespace(labelled=None, k=0, seen="")


def with_arms(beats, sd, seed):
    """The reading is the arm's true pressure and an error that stays with a person."""
    truth = {"brachial_sbp": beats.cuff[:, 0], "brachial_dbp": beats.cuff[:, 1]}
    pat = 0.2 + 0.01 * np.random.default_rng(2).normal(size=len(beats))
    beats = beats.replace(truth=truth, features={"pat": pat})
    if sd == 0.0:
        return beats
    _, code = np.unique(beats.subject, return_inverse=True)
    away = np.random.default_rng(seed).normal(0, sd, (code.max() + 1, 2))[code]
    return beats.replace(cuff=beats.cuff + away, calibration=READ)


@pytest.fixture(scope="module")
def clinics():
    people = make_people(50, seed=41)
    return {c: with_arms(people, sd, 0) for c, sd in (("exact", 0), (READ, 5.0))}


@pytest.fixture(scope="module")
def split(clinics):
    return SimpleNamespace(test=clinics["exact"].subjects[30:])


@pytest.fixture(scope="module")
def judged(clinics, split):
    found = {}
    for sd, c in ((0.0, "exact"), (5.0, READ)):
        source = with_arms(make_people(24, seed=40, beats=1, prefix="source"), sd, 1)
        test = clinics[c].of(split.test)
        model, floors = tiny_model(name="net"), fitted_floors(source, test, SHOTS)
        rows = [m.predict(test) for m in (*floors, model)]
        found[c] = Judged(evaluate(rows, test, resamples=100), {"net": model}, floors)
    return found


def target(cuff=CUFF):
    return SimpleNamespace(cuff=cuff)


def test_the_budget_is_of_the_row_asked_for(judged, clinics, split):
    found = budget(judged, clinics, target(), split, NETWORK)
    assert (found.method, found.k) == NETWORK
    for evaluation, total in (
        (judged[READ].evaluation, found.total),
        (judged["exact"].evaluation, found.exact),
    ):
        assert total == pytest.approx(evaluation.score(NETWORK).values["sbp_rmse"])
    assert found.cuff > 0.0
    assert (found.subjects, found.reference) == (20, 0.0)


def test_its_limit_is_that_of_the_clinics_cuff_learnt_on_all_others(
    judged, clinics, split
):
    beats = clinics["exact"]
    others, held = beats.of(beats.subjects[:30]), beats.of(split.test)
    limits = []
    for cuff in (CUFF, CuffModel(0.0, 12.0, 0.0, 8.0)):
        found = budget(judged, clinics, target(cuff), split, NETWORK)
        wanted = cuff_limit(others, held, cuff_error(cuff)[1]).together
        assert found.limit == pytest.approx(wanted)
        limits.append(found.limit)
    assert limits[1] > limits[0]


@pytest.mark.parametrize("left", ["exact", READ])
def test_one_calibration_has_no_budget(judged, clinics, split, left):
    alone = {left: judged[left]}
    assert budget(alone, clinics, target(), split, NETWORK) is None


def test_a_row_that_is_not_there_has_no_budget(judged, clinics, split):
    assert budget(judged, clinics, target(), split, ("net", 3)) is None


def test_a_worse_cuff_is_asked_of_everybody_and_nothing_is_relearnt(
    judged, clinics, split
):
    test = clinics["exact"].of(split.test)
    levels = worse_cuff(CFG, judged["exact"], test)
    assert [level.sd for level in levels] == [0.0, 3.0, 5.0, 8.0]
    asked = {s.key for s in judged["exact"].evaluation.scores}
    for level in levels:
        assert {s.key for s in level.evaluation.scores} == asked
        assert np.array_equal(level.evaluation.reference.subject, test.subject)
    for key in asked:
        one = levels[0].evaluation.score(key).values["sbp_rmse"]
        other = judged["exact"].evaluation.score(key).values["sbp_rmse"]
        assert one == pytest.approx(other, rel=1e-6), key
    held = [e.evaluation.score("last cuff").values["sbp_rmse"] for e in levels]
    mean = [e.evaluation.score("mean").values["sbp_rmse"] for e in levels]
    assert held[3] > held[1]
    assert len({round(m, 9) for m in mean}) == 1  # it reads no cuff


def test_what_is_said_of_an_adaptation_names_nobody():
    people = np.array(["a", "b"])
    told = {
        "seen": fingerprints(people),
        "labelled": fingerprints(people),
        "labels": seen_by(people),
        "steps": 3,
    }
    assert said(tiny_model(info={"adaptation": told})) == {"steps": 3}
