"""Laws of every way to adapt a model, and of what each may see."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from capnet.adaptation import strategies as room
from capnet.adaptation.lora import LoRA
from capnet.adaptation.strategies import (
    LoRAReplay,
    MMDLoRAReplay,
    Shots,
    ShrunkAffine,
)
from capnet.data.splits import fingerprints
from capnet.errors import AdapterError, ConfigError, ProtocolError, ShapeError
from capnet.models.affine import apply_affine
from capnet.models.checkpoint import load, save_model
from capnet.models.estimator import seen_by
from capnet.training.losses import beat_loss
from capnet.training.pretrain import Pretraining, pretrain
from tests.fakes.people import bits, make_people, refuse, same_bits, without_cuff

TINY = LoRA(rank=2, alpha=2.0)
AFFINE = ShrunkAffine()
LORA = LoRAReplay(lora=TINY, steps=4, batch=12)
ALIGNED = MMDLoRAReplay(lora=TINY, steps=4, batch=12)
ALL = pytest.mark.parametrize(
    "strategy", [AFFINE, LORA, ALIGNED], ids=["affine", "lora", "mmd"]
)
TUNED = pytest.mark.parametrize("strategy", [LORA, ALIGNED], ids=["lora", "mmd"])


@pytest.fixture(scope="module")
def model(people):
    settings = Pretraining(
        hidden=6, head=5, epochs=4, batch=16, held_out=0.2, learning_rate=2e-2
    )
    return pretrain(people, settings, seed=0, progress=False)


@pytest.fixture(scope="module")
def shots(people):
    """A clinic whose truth lies 8 mmHg higher."""
    clinic = make_people(20, seed=1, offset=8.0, prefix="clinic")
    return Shots(
        source=people,
        labelled=clinic.of(clinic.subjects[:5]),
        unlabelled=clinic.of(clinic.subjects[5:]),
    )


@pytest.fixture(scope="module")
def adapted(model, shots):
    """What each strategy makes of the clinic, once for all tests that only look."""
    made = {}

    def of(strategy):
        if strategy.name not in made:
            made[strategy.name] = strategy.adapt(model, shots, seed=0)
        return made[strategy.name]

    return of


def rmse(model, beats):
    return float(np.sqrt(((model.waves(beats) - beats.reference) ** 2).mean()))


# Laws of all -----------------------------------------------------------------


@ALL
def test_the_old_model_stays_as_it_was(strategy, model, shots):
    before, card = bits(model), (model.name, model.k, dict(model.info))
    mode = [m.training for m in model.modules()]
    free = [p.requires_grad for p in model.parameters()]
    adapted = strategy.adapt(model, shots, seed=0)
    assert adapted is not model
    assert same_bits(bits(model), before)
    assert (model.name, model.k, model.info) == card
    assert [m.training for m in model.modules()] == mode
    assert [p.requires_grad for p in model.parameters()] == free
    assert not same_bits(bits(adapted), before)


@ALL
def test_the_new_model_says_what_it_has_seen(strategy, model, shots, adapted):
    made = adapted(strategy)
    assert made.k == shots.k == 5
    assert made.name == strategy.name
    assert made.role == model.role
    assert made.info["adaptation"]["k"] == 5
    assert made.info["seed"] == model.info["seed"]
    answer = made.predict(shots.unlabelled)
    assert (answer.method, answer.k) == (strategy.name, 5)


@ALL
def test_one_seed_one_model(strategy, model, shots):
    ends = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        ends.append(bits(strategy.adapt(model, shots, seed=3)))
    assert same_bits(*ends)


@TUNED
def test_another_seed_another_model(strategy, model, shots):
    ends = [bits(strategy.adapt(model, shots, seed=s)) for s in (0, 1)]
    assert not same_bits(*ends)


@ALL
def test_the_new_model_is_a_plain_one_on_disk(strategy, model, tmp_path, adapted):
    made = adapted(strategy)
    loaded = load(save_model(made, tmp_path))
    assert same_bits(bits(loaded), bits(made))
    assert bits(made).keys() == bits(model).keys()
    assert all(p.requires_grad for p in made.net.parameters())
    assert not made.training


@ALL
def test_labels_of_the_unlabelled_are_never_read(strategy, model, shots):
    wild = shots.unlabelled.reference + 1000 * np.arange(64)
    ends = [
        bits(strategy.adapt(model, replace(shots, unlabelled=beats), seed=0))
        for beats in (
            shots.unlabelled,
            shots.unlabelled.replace(reference=wild),
            shots.unlabelled.replace(reference=np.full_like(wild, np.nan)),
            shots.unlabelled.replace(reference=None, reference_type="none"),
        )
    ]
    assert all(same_bits(end, ends[0]) for end in ends)


@ALL
def test_beats_that_a_network_cannot_eat_are_left_out(strategy, model, shots):
    def spoil(beats):
        return without_cuff(refuse(beats, [0]), [3])

    def leave_out(beats):
        return beats.take(np.setdiff1d(np.arange(len(beats)), [0, 3]))

    ends = []
    for change in (spoil, leave_out):
        changed = Shots(
            *(change(b) for b in (shots.source, shots.labelled, shots.unlabelled))
        )
        ends.append(bits(strategy.adapt(model, changed, seed=0)))
    assert same_bits(*ends)


@ALL
def test_five_people_bring_a_shifted_clinic_closer(strategy, model, shots, adapted):
    made = adapted(strategy)
    assert rmse(made, shots.unlabelled) < 0.8 * rmse(model, shots.unlabelled)


# Refusals --------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [AFFINE, LORA], ids=["affine", "lora"])
def test_nobody_is_labelled(strategy, model, shots):
    with pytest.raises(ProtocolError, match="needs labelled target subjects; k is 0"):
        strategy.adapt(model, replace(shots, labelled=None), seed=0)


@ALL
def test_every_label_is_refused(strategy, model, shots):
    refused = refuse(shots.labelled, list(range(len(shots.labelled))))
    with pytest.raises(ProtocolError, match="asked of 0 subjects"):
        strategy.adapt(model, replace(shots, labelled=refused), seed=0)


@ALL
def test_labelled_people_without_labels(strategy, model, shots):
    blind = shots.labelled.replace(reference=None, reference_type="none")
    with pytest.raises(ProtocolError, match="labelled subjects have no reference"):
        strategy.adapt(model, replace(shots, labelled=blind), seed=0)


@ALL
def test_labels_that_are_no_numbers(strategy, model, shots):
    wild = shots.labelled.reference.copy()
    wild[2] = np.nan
    spoilt = replace(shots, labelled=shots.labelled.replace(reference=wild))
    with pytest.raises(ShapeError, match="the waves hold NaN"):
        strategy.adapt(model, spoilt, seed=0)


@pytest.mark.parametrize("why", ["none", "refused", "no cuff"])
def test_nobody_to_align_to(why, model, shots):
    everybody = list(range(len(shots.unlabelled)))
    unlabelled = {
        "none": None,
        "refused": refuse(shots.unlabelled, everybody),
        "no cuff": without_cuff(shots.unlabelled, everybody),
    }[why]
    with pytest.raises(ProtocolError, match="needs unlabelled target beats"):
        ALIGNED.adapt(model, replace(shots, unlabelled=unlabelled), seed=0)


def test_one_subject_is_no_sample_of_subjects(model, shots):
    alone = shots.unlabelled.of(shots.unlabelled.subjects[:1])
    with pytest.raises(ShapeError, match="n, m >= 2 subjects"):
        ALIGNED.adapt(model, replace(shots, unlabelled=alone), seed=0)


@TUNED
def test_a_misspelt_target(strategy, model, shots):
    wrong = replace(strategy, lora=LoRA(targets=("lstm.weight",)))
    with pytest.raises(AdapterError, match=r"'lstm\.weight' matches no weight"):
        wrong.adapt(model, shots, seed=0)


@TUNED
def test_steps_that_move_nothing(strategy, model, shots):
    with pytest.raises(AdapterError, match="or it never learned"):
        replace(strategy, learning_rate=1e-12).adapt(model, shots, seed=0)


# Affine ----------------------------------------------------------------------


def test_a_right_model_is_left_alone(model, shots):
    right = shots.labelled.replace(reference=model.waves(shots.labelled))
    adapted = AFFINE.adapt(model, replace(shots, labelled=right), seed=0)
    assert adapted.offset == 0.0
    assert adapted.gain.item() == pytest.approx(1.0, abs=1e-6)


def test_the_correction_is_the_shrunk_one(model, shots):
    true = apply_affine(model.waves(shots.labelled), 12.0, 1.5)
    moved = shots.labelled.replace(reference=true)
    adapted = AFFINE.adapt(model, replace(shots, labelled=moved), seed=0)
    assert adapted.offset.item() == pytest.approx(12.0 * 5 / 6, abs=1e-3)
    assert adapted.gain.item() == pytest.approx(1 + 0.5 * 5 / 6, abs=1e-3)
    assert adapted.info["adaptation"]["offset"] == pytest.approx(10.0, abs=1e-3)
    assert same_bits(bits(adapted.net), bits(model.net))


def test_corrections_add_up(model, shots):
    """A second clinic corrects what the first left, and forgets nothing of it."""
    first = AFFINE.adapt(model, shots, seed=0)
    right = shots.labelled.replace(reference=first.waves(shots.labelled))
    second = AFFINE.adapt(first, replace(shots, labelled=right), seed=0)
    np.testing.assert_allclose(
        second.waves(shots.unlabelled), first.waves(shots.unlabelled), atol=1e-3
    )
    true = apply_affine(first.waves(shots.labelled), 12.0, 1.5)
    moved = shots.labelled.replace(reference=true)
    third = AFFINE.adapt(first, replace(shots, labelled=moved), seed=0)
    wanted = apply_affine(first.waves(shots.unlabelled), 10.0, 1 + 0.5 * 5 / 6)
    np.testing.assert_allclose(third.waves(shots.unlabelled), wanted, atol=1e-2)


def test_subjects_count_and_not_beats(model, shots):
    """Whoever gives many beats has no louder voice, and shrinks no less."""
    labelled = shots.labelled
    loud = np.flatnonzero(labelled.subject == labelled.subjects[0])
    rows = np.concatenate([np.arange(len(labelled)), np.tile(loud, 20)])
    ends = [
        AFFINE.adapt(model, replace(shots, labelled=beats), seed=0)
        for beats in (labelled, labelled.take(rows))
    ]
    torch.testing.assert_close(ends[0].offset, ends[1].offset, atol=1e-4, rtol=0)
    torch.testing.assert_close(ends[0].gain, ends[1].gain, atol=1e-5, rtol=0)


def test_affine_reads_neither_seed_nor_source(model, shots):
    other = replace(shots, source=make_people(3, seed=9), unlabelled=None)
    ends = [
        bits(AFFINE.adapt(model, seen, seed=seed))
        for seen, seed in ((shots, 0), (other, 1))
    ]
    assert same_bits(*ends)


# Tuning ----------------------------------------------------------------------


@TUNED
def test_affine_comes_first_and_stays(strategy, model, shots, adapted):
    first = adapted(AFFINE)
    made = adapted(strategy)
    assert made.offset == first.offset
    assert made.gain == first.gain


@TUNED
def test_only_the_targets_move(strategy, model, adapted):
    made = adapted(strategy)
    before = model.net.state_dict()
    moved = {
        name
        for name, tensor in made.net.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert moved == set(TINY.targets)


@TUNED
def test_the_source_is_replayed(strategy, model, shots):
    """Other truths of the source give another model; without replay they do not."""
    other = shots.source.replace(reference=shots.source.reference - 20)
    for replay, same in ((0.5, False), (0.0, True)):
        changed = replace(strategy, replay=replay)
        ends = [
            bits(changed.adapt(model, replace(shots, source=source), seed=0))
            for source in (shots.source, other)
        ]
        assert same_bits(*ends) is same


@TUNED
def test_labels_are_compared_with_corrected_answers(
    strategy, model, shots, adapted, monkeypatch
):
    seen = []

    def watched(predicted, target):
        seen.append(predicted.detach().numpy())
        return beat_loss(predicted, target)

    monkeypatch.setattr(room, "beat_loss", watched)
    strategy.adapt(model, shots, seed=0)
    replayed, labelled = seen[:2]
    assert len(replayed) == strategy.batch
    started = adapted(AFFINE).waves(shots.labelled)
    np.testing.assert_allclose(labelled, started, atol=1e-3)


def test_without_labels_the_inputs_alone_are_aligned(model, shots):
    adapted = ALIGNED.adapt(model, replace(shots, labelled=None), seed=0)
    assert adapted.k == 0
    assert adapted.offset == 0.0
    assert adapted.gain == 1.0
    assert not same_bits(bits(adapted.net), bits(model.net))


def test_the_card_of_alignment(shots, adapted):
    note = adapted(ALIGNED).info["adaptation"]
    assert note["lambda"] == note["weight"] == ALIGNED.weight
    assert note["unlabelled_subjects"] == 15
    assert note["unlabelled_beats"] == 30
    assert 1 <= note["effective_source_beats"] <= len(shots.source)


def test_one_subject_s_beats_can_be_the_unit(model, shots):
    one = make_people(1, beats=30, seed=3, prefix="one")
    seen = Shots(source=shots.source, unlabelled=one, unit="beat")
    adapted = ALIGNED.adapt(model, seen, seed=0)
    assert adapted.info["adaptation"]["unlabelled_subjects"] == 1


# The control -----------------------------------------------------------------


def planned(strategy, model, shots, monkeypatch):
    """The rows that a strategy draws, and what it makes of them."""
    plans = []
    tune = room._tune

    def watched(*args, **options):
        plans.append(args[3])
        return tune(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(room, "_tune", watched)
        adapted = strategy.adapt(model, shots, seed=0)
    (plan,) = plans
    return plan, adapted


def test_the_control_sees_the_same_draws(model, shots, monkeypatch):
    control = replace(ALIGNED, weight=0.0)
    one, with_it = planned(ALIGNED, model, shots, monkeypatch)
    other, without = planned(control, model, shots, monkeypatch)
    np.testing.assert_array_equal(one.source, other.source)
    np.testing.assert_array_equal(one.target, other.target)
    assert not same_bits(bits(with_it), bits(without))


def test_a_vanishing_lambda_is_the_control(model, shots):
    control = replace(ALIGNED, weight=0.0).adapt(model, shots, seed=0)
    nearly = replace(ALIGNED, weight=1e-9).adapt(model, shots, seed=0)
    beats = shots.unlabelled
    np.testing.assert_allclose(nearly.waves(beats), control.waves(beats), atol=1e-2)


def test_the_control_does_not_look_at_the_target_s_waves(model, shots):
    """Its prior weights read heart rate, age and cuff, and it aligns nothing."""
    control = replace(ALIGNED, weight=0.0)
    flipped = shots.unlabelled.replace(ppg=shots.unlabelled.ppg[:, ::-1].copy())
    for strategy, same in ((control, True), (ALIGNED, False)):
        ends = [
            bits(strategy.adapt(model, replace(shots, unlabelled=beats), seed=0))
            for beats in (shots.unlabelled, flipped)
        ]
        assert same_bits(*ends) is same


def test_a_step_meets_each_subject_once(model, shots, monkeypatch):
    many = make_people(9, beats=6, seed=4, prefix="many")
    plan, _ = planned(ALIGNED, model, replace(shots, unlabelled=many), monkeypatch)
    assert plan.target.shape == (4, 9)
    for row in plan.target:
        assert len(set(many.subject[row])) == 9
    assert len({tuple(row) for row in plan.target}) == 4


def test_a_step_never_meets_more_subjects_than_a_batch(model, shots, monkeypatch):
    plan, _ = planned(replace(ALIGNED, batch=7), model, shots, monkeypatch)
    assert plan.source.shape == plan.target.shape == (4, 7)


def test_the_source_is_drawn_by_its_prior(model, shots, monkeypatch):
    """A clinic of old people replays old virtual people."""
    old = shots.unlabelled.take(shots.unlabelled.age > 60)
    seen = replace(shots, unlabelled=old)
    strategy = replace(ALIGNED, weight=0.0, steps=20, batch=6)
    plan, _ = planned(strategy, model, seen, monkeypatch)
    drawn = shots.source.age[plan.source].mean()
    assert drawn > shots.source.age.mean() + 5


def test_a_step_replays_distinct_people(model, shots, monkeypatch):
    """What the MMD compares must be independent: one beat of each person."""
    plan, _ = planned(replace(ALIGNED, batch=9), model, shots, monkeypatch)
    for row in plan.source:
        assert len(set(shots.source.subject[row])) == 9


def test_the_mmd_is_measured_between_distinct_people(model, shots, monkeypatch):
    plan, _ = planned(ALIGNED, model, shots, monkeypatch)
    for rows, beats in zip(
        plan.measured, (shots.source, shots.unlabelled), strict=True
    ):
        assert sorted(beats.subject[rows]) == sorted(beats.subjects)


def test_one_unlabelled_person_is_not_measured_and_not_in_the_way(model, shots):
    one = shots.unlabelled.of(shots.unlabelled.subjects[:1])
    adapted = LoRAReplay(steps=2, lora=TINY).adapt(
        model, replace(shots, unlabelled=one), seed=0
    )
    assert adapted.info["adaptation"]["mmd_before"] is None


def test_a_model_remembers_whom_it_met_but_not_their_names(model, shots):
    adapted = ALIGNED.adapt(model, shots, seed=0)
    seen = adapted.info["adaptation"]["seen"]
    met = [*shots.labelled.subjects, *shots.unlabelled.subjects]
    assert set(seen) == set(fingerprints(np.array(met)))
    assert not set(map(str, met)) & set(seen)


def test_a_model_remembers_whose_labels_it_was_given_and_says_so(model, shots):
    adapted = ALIGNED.adapt(model, shots, seed=0)
    said, who = adapted.info["adaptation"], shots.labelled.subjects
    assert said["labelled"] == sorted(fingerprints(np.array(who)))
    assert said["labels"] == shots.seen == seen_by(who)
    answer = adapted.predict(shots.labelled)
    assert (answer.k, answer.seen) == (len(who), seen_by(who))
    bare = replace(shots, labelled=None)
    assert (bare.k, bare.seen) == (0, "")
    assert ALIGNED.adapt(model, bare, seed=0).predict(shots.labelled).seen == ""


@pytest.mark.parametrize("kind", [LoRAReplay, MMDLoRAReplay])
@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 1}, {"replay": -1.0}])
def test_schedules_that_cannot_run_are_refused(kind, wrong):
    with pytest.raises(ConfigError, match=f"has {next(iter(wrong))}"):
        kind(**wrong)


def test_a_negative_mmd_weight_and_an_empty_adapter_are_refused():
    with pytest.raises(ConfigError, match="MMD weight of -1"):
        MMDLoRAReplay(weight=-1.0)
    with pytest.raises(ConfigError, match="wanted rank >= 1"):
        LoRA(rank=0)
