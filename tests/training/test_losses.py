"""Laws of the loss of a beat."""

import math

import pytest
import torch

from capnet.training.losses import beat_loss
from capnet.types import N_POINTS


@pytest.fixture
def pair():
    torch.manual_seed(0)
    target = 90 + 15 * torch.randn(5, N_POINTS)
    return target + 4 * torch.randn(5, N_POINTS), target


def test_nothing_is_lost_at_equality(pair):
    assert torch.equal(beat_loss(pair[1], pair[1]), torch.zeros(5))


def test_an_offset_of_five_mmhg_costs_one_and_a_fifth(pair):
    """25 mmHg^2 of the wave and a fifth of that of its maximum."""
    loss = beat_loss(pair[1] + 5, pair[1])
    torch.testing.assert_close(loss, torch.full((5,), 1.2), rtol=1e-4, atol=0)


def test_systole_is_weighed_by_a_fifth():
    target = torch.zeros(1, N_POINTS)
    predicted = target.clone()
    predicted[0, 10] = 8.0
    wanted = (64 / N_POINTS + 0.2 * 64) / 25
    assert beat_loss(predicted, target).item() == pytest.approx(wanted)


@pytest.mark.parametrize("factor", [0.1, 3.0])
def test_it_is_quadratic_in_the_unit(pair, factor):
    scaled = beat_loss(factor * pair[0], factor * pair[1])
    torch.testing.assert_close(scaled, factor**2 * beat_loss(*pair))


def test_level_does_not_matter(pair):
    there = beat_loss(pair[0] + 40, pair[1] + 40)
    torch.testing.assert_close(there, beat_loss(*pair), rtol=1e-4, atol=1e-5)


def test_it_is_symmetric(pair):
    assert torch.equal(beat_loss(*pair), beat_loss(*pair[::-1]))


def test_one_number_a_beat(pair):
    alone = [beat_loss(*(x[i : i + 1] for x in pair)) for i in range(5)]
    torch.testing.assert_close(torch.cat(alone), beat_loss(*pair))


def test_gradient_is_that_of_the_differences(pair):
    predicted, target = (x.double() for x in pair)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: beat_loss(p, target), predicted)


def test_nan_is_not_hidden(pair):
    pair[1][2, 3] = math.nan
    assert torch.isnan(beat_loss(*pair)).nonzero().tolist() == [[2]]
