"""Laws of two-domain batches: by subject, by epoch, and the same after a resume."""

import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.data.datamodule import TwoDomainDataModule
from capnet.data.samplers import TwoDomainSampler
from capnet.errors import ShapeError

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=60)


def subjects(counts, prefix="p"):
    return np.repeat([f"{prefix}{i:03d}" for i in range(len(counts))], counts)


def batches(sampler, epoch=0):
    sampler.set_epoch(epoch)
    return list(sampler)


COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=25)


@CALM
@given(
    source=COUNTS,
    target=COUNTS,
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    seed=st.integers(0, 1000),
    epoch=st.integers(0, 20),
)
def test_people_take_turns(source, target, n, m, seed, epoch):
    who = (subjects(source), subjects(target))
    sampler = TwoDomainSampler(*who, batch=(n, m), seed=seed)
    found = batches(sampler, epoch)
    assert len(found) == len(sampler) == -(-len(source) // n)
    for domain, wanted, counts in ((0, n, source), (1, m, target)):
        turns = []
        for batch in found:
            names = who[domain][batch[domain]].tolist()
            assert len(names) == wanted
            most = -(-wanted // len(counts))  # nobody twice unless it must be
            assert max(map(names.count, names)) <= most
            turns += names
        times = [turns.count(name) for name in {*who[domain].tolist()}]
        assert max(times) - min(times) <= 1


def test_every_source_subject_has_a_turn_however_few_beats_he_has():
    who = subjects([1, 500, 3, 40, 1, 1])
    sampler = TwoDomainSampler(who, subjects([2, 2]), batch=(2, 2), seed=0)
    seen = {who[row] for batch in batches(sampler) for row in batch[0]}
    assert seen == {*who}


def test_all_beats_of_a_subject_are_as_likely():
    who = subjects([4, 1])
    sampler = TwoDomainSampler(who, who, batch=(2, 2), seed=0, steps=2000)
    rows = np.array([batch[0] for batch in batches(sampler)]).ravel()
    counts = np.bincount(rows, minlength=5)
    assert counts[4] == 2000
    np.testing.assert_allclose(counts[:4], 500, atol=4 * np.sqrt(500))


def test_over_epochs_everybody_has_as_many_turns():
    who, few = subjects([9, 1, 4, 2, 1, 30, 1]), subjects([3, 1, 1])
    sampler = TwoDomainSampler(who, few, batch=(3, 2), seed=1, steps=4)
    epochs = [batches(sampler, epoch) for epoch in range(700)]
    for domain, rows in enumerate((who, few)):
        shown = np.concatenate([b[domain] for epoch in epochs for b in epoch])
        _, turns = np.unique(rows[shown], return_counts=True)
        expected = len(shown) / len(turns)
        # Turns within an epoch are nearly equal, so this is far below chi-square's.
        assert ((turns - expected) ** 2 / expected).sum() < len(turns) - 1


def test_batches_follow_from_seed_and_epoch_alone():
    who = (subjects([3] * 9), subjects([2] * 4))
    one, other = (TwoDomainSampler(*who, batch=(4, 3), seed=5) for _ in range(2))
    state = torch.get_rng_state()
    straight = [batches(one, epoch) for epoch in range(4)]
    assert batches(other, 3) == straight[3]  # as if resumed before epoch 3
    assert len({str(found) for found in straight}) == 4
    assert batches(TwoDomainSampler(*who, batch=(4, 3), seed=6)) != straight[0]
    assert torch.equal(state, torch.get_rng_state())


def test_the_domains_are_drawn_apart():
    who = subjects([1] * 8)
    (first, *_) = batches(TwoDomainSampler(who, who, batch=(8, 8), seed=0))
    assert first[0] != first[1]
    alone = TwoDomainSampler(who, subjects([5]), batch=(8, 1), seed=0)
    assert batches(alone)[0][0] == first[0]


def test_the_first_batch_is_the_same_on_every_machine():
    who = subjects([2, 2, 2])
    found = batches(TwoDomainSampler(who, who, batch=(2, 1), seed=0))
    assert found == FROZEN


FROZEN = [([4, 1], [2]), ([3, 5], [5])]


@pytest.mark.parametrize("batch", [(0, 1), (1, 0)])
def test_an_empty_side_is_refused(batch):
    with pytest.raises(ShapeError, match="wanted at least 1 of each"):
        TwoDomainSampler(subjects([1]), subjects([1]), batch=batch, seed=0)
    with pytest.raises(ShapeError, match="0 target subjects"):
        TwoDomainSampler(subjects([1]), subjects([]), batch=(1, 1), seed=0)
    with pytest.raises(ShapeError, match="steps"):
        TwoDomainSampler(subjects([1]), subjects([1]), batch=(1, 1), seed=0, steps=0)


# With Lightning


def module(seed=0):
    rng = np.random.default_rng(0)
    who = (subjects([3] * 10), subjects([1, 7, 2]))
    columns = [torch.from_numpy(rng.standard_normal((len(w), 4))) for w in who]
    return TwoDomainDataModule(
        (columns[0], torch.arange(len(who[0]))),
        (columns[1], torch.arange(len(who[1]))),
        source_subject=who[0],
        target_subject=who[1],
        validation=(columns[0][:5],),
        batch=(4, 2),
        seed=seed,
    )


class Learner(pl.LightningModule):
    """Learns something of every batch, and writes down what it was shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
        self.seen = []

    def training_step(self, batch, _index):
        source, target = batch
        self.seen.append((self.current_epoch, source[1].tolist(), target[1].tolist()))
        near = (source[0] - self.weight).square().mean()
        return near + (target[0] - 2 * self.weight).abs().mean()

    def validation_step(self, batch, _index):
        pass

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.1)


def trained(learner, epochs, ckpt=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Lightning, about workers and loaders
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(learner, module(), ckpt_path=ckpt)
    return trainer


def test_a_resumed_run_is_bit_by_bit_the_uninterrupted_one(tmp_path):
    whole = Learner()
    trained(whole, 4)
    first, path = Learner(), tmp_path / "half.ckpt"
    trained(first, 2).save_checkpoint(path)
    torch.manual_seed(99)
    second = Learner()
    trained(second, 4, ckpt=path)
    assert first.seen + second.seen == whole.seen
    assert second.seen[0][0] == 2
    assert torch.equal(second.weight, whole.weight)


def test_columns_of_a_batch_belong_to_the_same_rows():
    data = module()
    loader = data.train_dataloader()
    for (wave, row), (other, mate) in loader:
        assert torch.equal(wave, data.training.source.tensors[0][row])
        assert torch.equal(other, data.training.target.tensors[0][mate])
        assert (len(row), len(mate)) == (4, 2)
    assert torch.cat([part for (part,) in data.val_dataloader()]).shape == (5, 4)


def test_one_subject_a_row_is_wanted():
    with pytest.raises(ShapeError, match=r"\(1, 1\) subjects for \(2, 1\) rows"):
        TwoDomainDataModule(
            (torch.zeros(2),),
            (torch.zeros(1),),
            source_subject=subjects([1]),
            target_subject=subjects([1]),
            batch=(1, 1),
            seed=0,
        )
