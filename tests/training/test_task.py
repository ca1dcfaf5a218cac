"""Laws of the task: what moves, by how much, and who is asked when."""

import pytest
import torch
from torch import nn

from capnet.training.fit import fit
from tests.fakes.people import bits
from tests.training.toy import data, task


def test_the_loss_is_the_sum_of_the_terms():
    made = task(objective=lambda _: {"a": torch.tensor(2.0), "b": torch.tensor(3.0)})
    made.log = lambda *_, **__: None
    assert made.training_step(None, 0) == 5.0


def test_only_what_may_move_moves():
    net = nn.Sequential(nn.Linear(1, 4), nn.Linear(4, 1))
    net[0].requires_grad_(requires_grad=False)
    before = bits(net)
    fit(task(net), data(), epochs=3, progress=False)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]) is name.startswith("0."), name


def test_the_rate_rises_to_its_top_and_falls_to_nothing():
    made = task(epochs=5, warmup=0.2)
    configured = made.configure_optimizers()
    optimizer = configured["optimizer"]
    schedule = configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(made.steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < made.steps:
            schedule.step()
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) == 0.2 * made.steps - 1
    assert rates[-1] < 1e-3 * max(rates)


def test_history_has_one_row_an_epoch():
    made = fit(task(), data(validation=True), epochs=3, progress=False)
    assert len(made.history) == 3
    assert all(set(row) == {"loss", "validation"} for row in made.history)


def test_without_validation_there_is_only_a_loss():
    made = fit(task(), data(), epochs=2, progress=False)
    assert [set(row) for row in made.history] == [{"loss"}] * 2


def test_the_guard_is_asked_once_when_gradients_exist():
    net = nn.Linear(1, 1)
    asked = []

    def guard():
        asked.append(float(net.weight.grad.abs().sum()))

    fit(task(net, after_first_backward=guard), data(), epochs=3, progress=False)
    assert len(asked) == 1
    assert asked[0] > 0


def test_an_alarm_of_the_guard_reaches_the_caller():
    def guard():
        raise LookupError("not live")

    with pytest.raises(LookupError, match="not live"):
        fit(task(after_first_backward=guard), data(), epochs=1, progress=False)
