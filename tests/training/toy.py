"""A line to learn, for tests of the trainer."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from capnet.data.datamodule import BeatDataModule
from capnet.training.task import Task

SLOPE, ROWS, BATCH = 3.0, 32, 8


def line():
    x = torch.linspace(-1, 1, ROWS)[:, None]
    return x, SLOPE * x


def data(*, validation=False, seed=0):
    return BeatDataModule(
        line(), line() if validation else None, batch=BATCH, seed=seed
    )


def unshuffled():
    return DataLoader(TensorDataset(*line()), batch_size=BATCH)


def task(module=None, *, epochs=3, objective=None, **changes):
    net = nn.Linear(1, 1) if module is None else module

    def squares(batch):
        x, y = batch
        return {"square": (net(x) - y).square().mean()}

    settings = {
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "steps": epochs * (ROWS // BATCH),
        "warmup": 0.2,
    }
    return Task(net, objective or squares, **(settings | changes))
