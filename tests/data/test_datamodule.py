"""Order of beats: fixed by (seed, epoch), every row once."""

import warnings

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.data.datamodule import BeatDataModule, EpochSampler

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=50)


def rows_of(sampler, epoch=0):
    sampler.set_epoch(epoch)
    return [row for batch in sampler for row in batch]


@CALM
@given(
    rows=st.integers(1, 200),
    batch=st.integers(1, 64),
    seed=st.integers(0, 1000),
    epoch=st.integers(0, 50),
)
def test_no_row_comes_twice_and_only_the_incomplete_batch_is_missing(
    rows, batch, seed, epoch
):
    sampler = EpochSampler(rows, batch=batch, seed=seed)
    sampler.set_epoch(epoch)
    batches = [*sampler]
    seen = [row for one in batches for row in one]
    size = min(batch, rows)
    assert {len(one) for one in batches} == {size}
    assert len(batches) == len(sampler) == rows // size
    assert len({*seen}) == len(seen) == rows - rows % size
    assert {*seen} <= {*range(rows)}


def test_every_row_once_where_the_batches_fit():
    assert sorted(rows_of(EpochSampler(64, batch=16, seed=3))) == [*range(64)]


def test_no_row_is_left_out_for_ever():
    sampler = EpochSampler(10, batch=7, seed=0)
    assert {row for epoch in range(20) for row in rows_of(sampler, epoch)} == {
        *range(10)
    }


def test_the_order_follows_from_seed_and_epoch_alone():
    one, other = (EpochSampler(64, batch=8, seed=5) for _ in range(2))
    torch.manual_seed(0)
    straight = [rows_of(one, epoch) for epoch in range(4)]
    torch.manual_seed(1)
    assert rows_of(other, 3) == straight[3]  # as if resumed before epoch 3
    assert rows_of(other, 0) == straight[0]
    assert len({tuple(order) for order in straight}) == 4
    assert rows_of(EpochSampler(64, batch=8, seed=6)) != straight[0]


def test_drawing_the_order_leaves_the_generator_of_torch_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    rows_of(EpochSampler(64, batch=8, seed=5))
    assert torch.equal(before, torch.get_rng_state())


def test_the_first_order_is_the_same_on_every_machine():
    assert rows_of(EpochSampler(6, batch=2, seed=0)) == [2, 4, 5, 3, 0, 1]


@pytest.fixture
def data():
    first = torch.arange(20.0)
    return BeatDataModule(
        (first[:, None] * torch.ones(64), first),
        (first[:5, None] * torch.ones(64), first[:5]),
        batch=4,
        seed=0,
    )


def test_columns_of_a_batch_belong_to_the_same_rows(data):
    for wave, number in data.train_dataloader():
        assert wave.shape == (4, 64)
        assert torch.equal(wave[:, 0], number)


def test_validation_is_in_order_and_complete(data):
    numbers = [number for _, number in data.val_dataloader()]
    assert torch.equal(torch.cat(numbers), torch.arange(5.0))


@pytest.mark.parametrize("rows", [512, 513, 1100])
def test_large_validation_comes_in_parts_and_complete(rows):
    column = torch.arange(float(rows))
    data = BeatDataModule((column,), (column,), batch=4, seed=0)
    parts = [part for (part,) in data.val_dataloader()]
    assert max(map(len, parts)) <= 512
    assert torch.equal(torch.cat(parts), column)


def test_there_may_be_no_validation():
    data = BeatDataModule((torch.arange(8.0),), None, batch=4, seed=0)
    assert data.val_dataloader() == []


class Witness(pl.LightningModule):
    """Writes down which rows it was shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {}

    def training_step(self, batch, _index):
        self.seen.setdefault(self.current_epoch, []).extend(batch[1].int().tolist())
        return self.weight**2

    def validation_step(self, batch, _index):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_lightning_shows_every_row_once_an_epoch_in_that_order(data):
    witness = Witness()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Lightning, about workers and loaders
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=3,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(witness, data)
    sampler = EpochSampler(20, batch=4, seed=0)
    assert witness.seen == {epoch: rows_of(sampler, epoch) for epoch in range(3)}
    assert sorted(witness.seen[1]) == [*range(20)]
    assert witness.seen[0] != witness.seen[1]
