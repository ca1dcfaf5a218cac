"""Laws of the deep estimator: what is trained, predicted with and exported is one."""

import numpy as np
import pytest
import torch

from capnet.models.central import (
    BeatTensors,
    CentralPressureModel,
    covariates_of,
)
from capnet.prediction import NO_CUFF
from capnet.signal.frontend import RATE, beats_of_windows
from capnet.types import N_POINTS
from tests.fakes.people import PHASE, make_people, refuse, tiny_model, without_cuff

RAW_WIDTH = 320


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def with_raw(beats, *, seed=0):
    """Give beats raw samples of unknown unit, and the pulse that these give."""
    rng = np.random.default_rng(seed)
    start = 70 + rng.uniform(0, 1, len(beats))
    stop = start + beats.duration * RATE
    at = (np.arange(RAW_WIDTH) - start[:, None]) / (stop - start)[:, None]
    wave = np.stack(
        [
            np.interp(row % 1, PHASE, pulse, period=1)
            for row, pulse in zip(at, beats.ppg, strict=True)
        ]
    )
    raw = (3.0 + 0.2 * wave + 0.01 * at).astype(np.float32)
    ppg = beats_of_windows(raw, start, stop)
    return beats.replace(raw=raw, start=start, stop=stop, ppg=ppg)


def raw_inputs(beats):
    columns = [beats.raw, beats.start, beats.stop, beats.age, beats.cuff]
    radial = beats.cuff_site == "radial"
    return [torch.as_tensor(x, dtype=torch.float32) for x in [*columns, radial]]


# Covariates ------------------------------------------------------------------


def given(age):
    age = torch.as_tensor(age, dtype=torch.float32)
    n = len(age)
    cuff = torch.tensor([[120.0, 75.0]]).expand(n, 2)
    return covariates_of(torch.full((n,), 0.8), age, cuff, torch.zeros(n))


def test_a_typical_person_is_at_zero():
    assert torch.equal(given([50.0])[0], torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 0.0]))


def test_an_unknown_age_is_zero_with_a_flag():
    known, unknown = given([50.0, np.nan])
    assert known[2] == 1
    assert unknown[2] == 0
    assert torch.equal(known[[0, 1, 3, 4, 5]], unknown[[0, 1, 3, 4, 5]])


def test_covariates_stay_within_four_scales():
    wild = covariates_of(
        torch.tensor([1e-3, 50.0]),
        torch.tensor([0.0, 400.0]),
        torch.tensor([[0.0, 0.0], [900.0, 800.0]]),
        torch.ones(2),
    )
    assert wild.shape == (2, 6)
    assert wild.abs().max() == 4.0


# Tensors ---------------------------------------------------------------------


def test_tensors_are_the_table(people):
    eaten = BeatTensors.of(people)
    assert len(eaten) == len(people)
    for name, wanted in [
        ("ppg", people.ppg),
        ("cuff", people.cuff),
        ("target", people.reference),
    ]:
        np.testing.assert_allclose(getattr(eaten, name), wanted, rtol=1e-6, atol=1e-7)
    assert {tensor.dtype for tensor in eaten.inputs} == {torch.float32}
    wrist = people.replace(cuff_site=np.full(len(people), "radial"))
    assert (BeatTensors.of(wrist).covariates[:, -1] == 1).all()
    assert (eaten.covariates[:, -1] == 0).all()


def test_beats_without_reference_have_no_target(people):
    eaten = BeatTensors.of(people.replace(reference=None, reference_type="none"))
    assert torch.isnan(eaten.target).all()
    assert torch.isfinite(eaten.ppg).all()


def test_taking_rows_is_taking_beats(people):
    rows = np.array([5, 0, 5])
    taken = BeatTensors.of(people).take(torch.from_numpy(rows))
    made = BeatTensors.of(people.take(rows))
    for name in ("ppg", "covariates", "cuff", "target"):
        assert torch.equal(getattr(taken, name), getattr(made, name)), name


# The model -------------------------------------------------------------------


def test_gradient_reaches_every_parameter_from_raw_samples(people):
    model = tiny_model()
    wave, _ = model(*raw_inputs(with_raw(people)))
    wave.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_raw_samples_give_what_beats_give(model, people):
    beats = with_raw(people)
    with torch.no_grad():
        wave, numbers = model(*raw_inputs(beats))
    answer = model.predict(beats)
    np.testing.assert_allclose(wave, answer.waveform, atol=1e-3)
    own = np.stack([answer.csbp, answer.cdbp, answer.cmap, answer.cpp], axis=1)
    np.testing.assert_allclose(numbers, own, atol=1e-3)


def test_numbers_are_those_of_the_wave(model, people):
    with torch.no_grad():
        wave, numbers = model(*raw_inputs(with_raw(people)))
    sbp, dbp, mean, pp = numbers.T
    assert torch.equal(sbp, wave.amax(1))
    assert torch.equal(dbp, wave.amin(1))
    torch.testing.assert_close(mean, wave.mean(1))
    assert torch.equal(pp, sbp - dbp)


def test_unit_of_the_sensor_does_not_matter(model, people):
    raw, *rest = raw_inputs(with_raw(people))
    with torch.no_grad():
        as_given, _ = model(raw, *rest)
        in_volts, _ = model(250 * raw - 40, *rest)
    torch.testing.assert_close(as_given, in_volts, atol=0.02, rtol=0)


def test_wrist_and_arm_are_told_apart(model, people):
    wrist = people.replace(cuff_site=np.full(len(people), "radial"))
    assert (np.abs(model.waves(wrist) - model.waves(people)).max(axis=1) > 0).all()


def test_masked_age_gives_one_finite_answer(model, people):
    unknown = np.full(len(people), np.nan)
    young = people.replace(age=np.full(len(people), 20.0))
    old = people.replace(age=np.full(len(people), 90.0))
    answers = [model.waves(b.replace(age=unknown)) for b in (young, old)]
    assert np.isfinite(answers[0]).all()
    np.testing.assert_array_equal(*answers)
    assert np.abs(model.waves(young) - model.waves(old)).max() > 0.1


def test_batch_is_one_by_one(model, people):
    together = model.waves(people)
    alone = [model.waves(people.take(np.array([i]))) for i in range(len(people))]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-3)
    np.testing.assert_allclose(model.waves(people, batch=5), together, atol=1e-3)


def test_no_beats_no_answer(model, people):
    none = people.take(np.zeros(0, dtype=int))
    assert model.waves(none).shape == (0, N_POINTS)
    assert len(model.predict(none)) == 0


@pytest.mark.parametrize("training", [True, False])
def test_answering_leaves_the_mode_as_it_was(people, training):
    model = tiny_model().train(training)
    model.waves(people)
    assert all(m.training is training for m in (model, model.net, model.net.lstm))


def test_waves_are_missing_exactly_where_refused_or_without_cuff(model, people):
    spoilt = without_cuff(refuse(people, [0, 7]), [7, 11])
    silent = np.isnan(model.waves(spoilt))
    assert (silent.all(axis=1) == silent.any(axis=1)).all()
    assert np.flatnonzero(silent.any(axis=1)).tolist() == [0, 7, 11]
    np.testing.assert_allclose(
        model.waves(spoilt)[1:7], model.waves(people)[1:7], atol=1e-3
    )


def test_prediction_keeps_its_promises(people):
    model = tiny_model(name="tiny", role="control", k=4)
    spoilt = without_cuff(refuse(people, [0, 7]), [7, 11])
    answer = model.predict(spoilt)
    assert (answer.method, answer.role, answer.k) == ("tiny", "control", 4)
    assert answer.calibration == people.calibration
    np.testing.assert_array_equal(answer.subject, people.subject)
    assert np.flatnonzero(~answer.accepted).tolist() == [0, 7, 11]
    assert answer.reason[[0, 7, 11]].tolist() == ["too noisy", "too noisy", NO_CUFF]
    assert (answer.reason[answer.accepted] == "").all()
    kept = answer.waveform[answer.accepted]
    np.testing.assert_array_equal(answer.csbp[answer.accepted], kept.max(axis=1))
    np.testing.assert_array_equal(answer.cdbp[answer.accepted], kept.min(axis=1))
    np.testing.assert_allclose(answer.cmap[answer.accepted], kept.mean(axis=1))
    np.testing.assert_allclose(answer.cpp, answer.csbp - answer.cdbp, equal_nan=True)
    assert np.isnan(answer.csbp[~answer.accepted]).all()


# The affine correction -------------------------------------------------------


def corrected(offset, gain):
    model = tiny_model()
    model.offset.fill_(offset)
    model.gain.fill_(gain)
    return model


def test_a_new_model_corrects_nothing(people):
    wave = torch.as_tensor(people.reference, dtype=torch.float32)
    torch.testing.assert_close(tiny_model().correct(wave), wave, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("offset", "gain"), [(3.0, 1.0), (0.0, 0.8), (-5.0, 1.3)])
def test_offset_moves_the_mean_and_gain_stretches_about_it(people, offset, gain):
    plain, moved = (m.predict(people) for m in (tiny_model(), corrected(offset, gain)))
    np.testing.assert_allclose(moved.cmap, plain.cmap + offset, atol=1e-3)
    np.testing.assert_allclose(moved.cpp, plain.cpp * gain, atol=1e-3)


def test_the_correction_reaches_raw_samples_too(people):
    beats = with_raw(people)
    model = corrected(4.0, 0.7)
    with torch.no_grad():
        wave, _ = model(*raw_inputs(beats))
    np.testing.assert_allclose(wave, model.waves(beats), atol=1e-3)


def test_info_is_a_copy():
    info = {"seed": 1}
    model = CentralPressureModel(tiny_model().net, info=info)
    info["seed"] = 2
    assert model.info == {"seed": 1}


def test_two_models_do_not_share_their_correction():
    one, other = tiny_model(), tiny_model()
    one.offset.fill_(9.0)
    assert other.offset == 0.0


def test_people_are_learnable_from_what_the_network_eats():
    """The fakes themselves: equal inputs never have different truths."""
    people = make_people(6, beats=1)
    again = make_people(6, beats=1)
    np.testing.assert_array_equal(people.reference, again.reference)
    assert (people.reference.max(axis=1) < people.cuff[:, 0]).all()
