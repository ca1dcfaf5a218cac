"""Laws of pretraining: it learns, repeats, and refuses what cannot teach."""

import json

import numpy as np
import pytest
import torch

from capnet.errors import ConfigError, ProtocolError
from capnet.prediction import Prediction
from capnet.training import pretrain as room
from capnet.training.pretrain import DeepEstimator, Pretraining, mask_age, pretrain
from tests.fakes.people import bits, make_people, refuse, same_bits, without_cuff

TINY = Pretraining(hidden=6, head=5, epochs=2, batch=16, held_out=0.2)


@pytest.fixture(scope="module")
def model(people):
    return pretrain(people, TINY, seed=0, name="tiny", progress=False)


def rmse(model, beats):
    return float(np.sqrt(np.nanmean((model.waves(beats) - beats.reference) ** 2)))


# Masks -----------------------------------------------------------------------


def test_a_share_of_the_ages_is_hidden():
    many = make_people(500, beats=4)
    hidden = np.isnan(mask_age(many, share=0.2, seed=0).age)
    assert hidden.mean() == pytest.approx(0.2, abs=0.04)  # Four standard errors.
    np.testing.assert_array_equal(
        mask_age(many, share=0.2, seed=0).age[~hidden], many.age[~hidden]
    )


@pytest.mark.parametrize(("share", "hidden"), [(0.0, 0), (1.0, 48)])
def test_none_or_all_ages_are_hidden(people, share, hidden):
    assert np.isnan(mask_age(people, share=share, seed=0).age).sum() == hidden


def test_masks_follow_their_seed(people):
    ages = [mask_age(people, share=0.5, seed=s).age for s in (0, 0, 1)]
    np.testing.assert_array_equal(ages[0], ages[1])
    assert (np.isnan(ages[0]) != np.isnan(ages[2])).any()


def test_masking_changes_nothing_but_age(people):
    masked = mask_age(people, share=0.5, seed=0)
    assert masked.replace(age=people.age).ppg is people.ppg
    assert np.isfinite(people.age).all()


# Pretraining -----------------------------------------------------------------


def test_one_seed_one_network(people, model):
    torch.manual_seed(99)
    again = pretrain(people, TINY, seed=0, name="tiny", progress=False)
    assert same_bits(bits(again), bits(model))
    assert again.info["history"] == model.info["history"]
    other = pretrain(people, TINY, seed=1, progress=False)
    assert not same_bits(bits(other), bits(model))


def test_it_learns_the_made_up_people():
    people, others = make_people(60), make_people(20, seed=1, prefix="other")
    settings = Pretraining(hidden=6, head=5, epochs=12, batch=16, learning_rate=2e-2)
    learnt = pretrain(people, settings, seed=0, progress=False)
    history = learnt.info["history"]
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert history[-1]["validation"] < 0.2 * history[0]["validation"]
    constant = others.reference - people.reference.mean(axis=0)
    assert rmse(learnt, others) < 0.4 * np.sqrt((constant**2).mean())


def test_the_card_says_what_was_done(people, model):
    assert (model.name, model.role, model.k) == ("tiny", "deep", 0)
    assert model.info["trained_on"] == "19 subjects, 38 beats"
    assert model.info["reference_type"] == "simulated"
    assert model.info["calibration"] == "exact"
    assert model.info["seed"] == 0
    assert model.info["settings"]["hidden"] == 6
    assert len(model.info["history"]) == TINY.epochs
    assert json.loads(json.dumps(model.info)) == model.info


def test_the_model_is_ready_to_answer(people, model):
    assert not any(m.training for m in model.modules())
    assert model.net.config == {"hidden": 6, "head": 5}
    assert np.isfinite(model.waves(people)).all()


def test_held_out_people_do_not_teach(people, model, monkeypatch):
    """Other truths of the held-out people change the validation loss alone."""
    held = []
    hold_out = room.hold_out

    def watched(beats, **options):
        training, validation = hold_out(beats, **options)
        held.extend(validation.subjects)
        return training, validation

    monkeypatch.setattr(room, "hold_out", watched)
    pretrain(people, TINY, seed=0, progress=False)
    theirs = np.isin(people.subject, held)[:, None]
    assert theirs.any()
    moved = people.replace(reference=people.reference + 30 * theirs)
    again = pretrain(moved, TINY, seed=0, progress=False)
    assert same_bits(bits(again), bits(model))
    first, second = (m.info["history"][-1]["validation"] for m in (again, model))
    assert first > second


def test_refused_and_uncalibrated_beats_do_not_teach(people):
    spoilt = without_cuff(refuse(people, [0, 5]), [9])
    kept = np.setdiff1d(np.arange(len(people)), [0, 5, 9])
    ends = [
        bits(pretrain(beats, TINY, seed=0, progress=False))
        for beats in (spoilt, people.take(kept))
    ]
    assert same_bits(*ends)


def test_beats_without_reference_cannot_teach(people):
    unknown = people.replace(reference=None, reference_type="none")
    with pytest.raises(ProtocolError, match="no accepted beat with a reference"):
        pretrain(unknown, TINY, seed=0, progress=False)


def test_refused_beats_alone_cannot_teach(people):
    refused = refuse(people, list(range(len(people))))
    with pytest.raises(ProtocolError, match="no accepted beat with a reference"):
        pretrain(refused, TINY, seed=0, progress=False)


# The estimator ---------------------------------------------------------------


def test_an_estimator_answers_after_fit_only(people):
    estimator = DeepEstimator(TINY, seed=0, name="tiny")
    with pytest.raises(ProtocolError, match=r"'tiny' predicts after fit\(beats\)"):
        estimator.predict(people)


def test_an_estimator_is_pretraining_behind_two_words(people, model):
    estimator = DeepEstimator(TINY, seed=0, name="tiny")
    assert estimator.fit(people) is estimator
    answer = estimator.predict(people)
    assert isinstance(answer, Prediction)
    assert answer.method == "tiny"
    np.testing.assert_array_equal(answer.waveform, model.predict(people).waveform)


def test_an_estimator_has_default_settings():
    assert DeepEstimator(seed=0).settings == Pretraining()


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"hidden": 0}, {"batch": -1}, {"learning_rate": 0.0}],
)
def test_settings_that_cannot_train_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"pretraining {next(iter(wrong))} is"):
        Pretraining(**wrong)


@pytest.mark.parametrize("wrong", [{"age_masked": 1.5}, {"held_out": 0.0}])
def test_shares_that_are_none_are_refused(wrong):
    with pytest.raises(ConfigError, match="wanted shares"):
        Pretraining(**wrong)
