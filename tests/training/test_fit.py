"""Laws of a run: it learns, repeats, and says when it is lost."""

import math
from itertools import chain

import pytest
import torch
from torch import nn

from capnet.data.datamodule import EpochSampler
from capnet.errors import ShapeError
from capnet.training.fit import fit
from tests.fakes.people import bits, same_bits
from tests.training.toy import BATCH, ROWS, SLOPE, data, line, task, unshuffled


def test_a_line_is_learnt():
    torch.manual_seed(0)
    net = nn.Linear(1, 1)
    made = fit(task(net, epochs=40), data(), epochs=40, progress=False)
    assert made.history[-1]["loss"] < 0.05 * made.history[0]["loss"]
    assert net.weight.item() == pytest.approx(SLOPE, abs=0.3)


@pytest.mark.parametrize("source", [data, unshuffled])
def test_the_same_start_gives_the_same_bits(source):
    ends = []
    for noise in (1, 2):
        torch.manual_seed(0)
        made = task()
        torch.manual_seed(noise)  # The order of the beats must not depend on it.
        fit(made, source(), epochs=3, progress=False)
        ends.append(bits(made.module))
    assert same_bits(*ends)


def test_another_order_gives_another_end():
    ends = []
    for seed in (0, 1):
        torch.manual_seed(0)
        ends.append(bits(fit(task(), data(seed=seed), epochs=1, progress=False)))
    assert not same_bits(*ends)


def test_every_epoch_has_its_own_order_and_nobody_is_seen_twice():
    net = nn.Linear(1, 1)
    seen = []

    def remember(batch):
        seen.append(batch[0].flatten().tolist())
        return {"square": (net(batch[0]) - batch[1]).square().mean()}

    fit(task(net, objective=remember), data(seed=4), epochs=3, progress=False)
    steps = ROWS // BATCH
    epochs = [[*chain(*seen[i * steps : (i + 1) * steps])] for i in range(3)]
    everybody = sorted(line()[0].flatten().tolist())
    assert all(sorted(epoch) == everybody for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    sampler = EpochSampler(ROWS, batch=BATCH, seed=4)
    for number, epoch in enumerate(epochs):
        sampler.set_epoch(number)
        rows = torch.tensor([*sampler])
        assert line()[0][rows.flatten(), 0].tolist() == epoch


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_lost_run_says_where(bad, epoch):
    net = nn.Linear(1, 1)
    calls = iter(range(1000))

    def spoilt(batch):
        lost = next(calls) == epoch * (ROWS // BATCH) + 1
        return {"square": net(batch[0]).square().mean() + (bad if lost else 0.0)}

    with pytest.raises(ShapeError, match=f"not finite in epoch {epoch}; lower the"):
        fit(task(net, objective=spoilt), data(), epochs=3, progress=False)


def test_the_module_is_trained_in_training_mode():
    net = nn.Linear(1, 1).eval()
    modes = []

    def remember(batch):
        modes.append(net.training)
        return {"square": (net(batch[0]) - batch[1]).square().mean()}

    fit(task(net, objective=remember), data(), epochs=1, progress=False)
    assert all(modes)


def test_gradients_are_clipped_to_a_length_of_one():
    net = nn.Linear(1, 1)

    def loud(batch):
        return {"square": 1e6 * (net(batch[0]) - batch[1]).square().mean()}

    made = task(net, objective=loud)
    configure, lengths = made.configure_optimizers, []

    def watch(*_):
        slopes = torch.cat([p.grad.flatten() for p in net.parameters()])
        lengths.append(torch.linalg.vector_norm(slopes).item())

    def watched():
        configured = configure()
        configured["optimizer"].register_step_post_hook(watch)
        return configured

    made.configure_optimizers = watched
    fit(made, data(), epochs=1, progress=False)
    assert lengths == pytest.approx([1.0] * (ROWS // BATCH), rel=1e-4)


def test_no_progress_where_nobody_looks(capsys):
    fit(task(), data(), epochs=1)
    written = capsys.readouterr()
    assert written.out == written.err == ""
