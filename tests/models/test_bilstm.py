"""Laws of the network over one beat."""

import pytest
import torch

from capnet.models.bilstm import COVARIATES, BiLSTM
from capnet.types import N_POINTS
from tests.fakes.people import bits, same_bits


@pytest.fixture
def net():
    torch.manual_seed(0)
    return BiLSTM(hidden=6, head=5).eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    cuff = torch.tensor([120.0, 75.0]) + 5 * torch.randn(7, 2)
    return torch.rand(7, N_POINTS), torch.randn(7, COVARIATES), cuff


@pytest.mark.parametrize("rows", [1, 7])
def test_shape(net, inputs, rows):
    ppg, covariates, cuff = (x[:rows] for x in inputs)
    points, pooled = net.features(ppg, covariates)
    assert net(ppg, covariates, cuff).shape == (rows, N_POINTS)
    assert points.shape == (rows, N_POINTS, 5)
    assert pooled.shape == (rows, 2 * 6 + 5)


def test_forward_reads_the_features(net, inputs):
    points, _ = net.features(*inputs[:2])
    assert torch.equal(net(*inputs), net.read(points, inputs[2]))


def test_batch_is_one_by_one(net, inputs):
    alone = torch.cat([net(*(x[i : i + 1] for x in inputs)) for i in range(7)])
    torch.testing.assert_close(net(*inputs), alone, atol=1e-3, rtol=0)


def test_rows_do_not_see_each_other(net, inputs):
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    mixed = net(*(x[order] for x in inputs))
    torch.testing.assert_close(mixed, net(*inputs)[order], atol=1e-3, rtol=0)


def test_gradient_reaches_every_parameter(net, inputs):
    net(*inputs).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_both_directions_are_read(net, inputs):
    """The first point hears of the last, the last of the first."""
    ppg = inputs[0].clone().requires_grad_()
    answer = net(ppg, *inputs[1:])
    (early,) = torch.autograd.grad(answer[:, 0].sum(), ppg, retain_graph=True)
    (late,) = torch.autograd.grad(answer[:, -1].sum(), ppg)
    assert (early[:, -1].abs() > 0).all()
    assert (late[:, 0].abs() > 0).all()


def test_training_and_evaluation_mode_agree(net, inputs):
    assert torch.equal(net.train()(*inputs), net.eval()(*inputs))


def test_config_and_weights_rebuild_it(net, inputs):
    copy = BiLSTM(**net.config)
    assert not same_bits(bits(copy), bits(net))
    copy.load_state_dict(net.state_dict())
    assert torch.equal(copy(*inputs), net(*inputs))


def test_one_seed_one_network():
    made = []
    for _ in range(2):
        torch.manual_seed(5)
        made.append(bits(BiLSTM(hidden=3, head=2)))
    assert same_bits(*made)


def test_the_answer_is_in_units_of_the_cuff_s_pulse(net, inputs):
    """With the covariates held, level and height of the cuff carry over."""
    ppg, covariates, cuff = inputs
    plain = net(ppg, covariates, cuff)
    torch.testing.assert_close(
        net(ppg, covariates, cuff + 30), plain + 30, atol=1e-3, rtol=0
    )
    foot = cuff[:, 1:]
    taller = torch.cat([foot + 2 * (cuff[:, :1] - foot), foot], dim=1)
    torch.testing.assert_close(
        net(ppg, covariates, taller) - foot, 2 * (plain - foot), atol=1e-3, rtol=0
    )


def test_a_silent_network_answers_two_fifths_of_the_pulse():
    net = BiLSTM(hidden=3, head=2)
    torch.nn.init.zeros_(net.output.weight)
    torch.nn.init.zeros_(net.output.bias)
    cuff = torch.tensor([[120.0, 70.0]])
    answer = net(torch.zeros(1, N_POINTS), torch.zeros(1, COVARIATES), cuff)
    torch.testing.assert_close(answer, torch.full((1, N_POINTS), 90.0))
