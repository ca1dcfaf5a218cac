import numpy as np
import pytest
import torch
from scipy.special import ive, jv

from capnet.hemodynamics.friction import womersley

ALPHA = np.concatenate([[1e-2], np.geomspace(0.1, 150.0, 200)])


@pytest.mark.physics
def test_agrees_with_bessel_functions():
    """J overflows beyond alpha of 900; its ratio is taken from the scaled I there."""
    z = np.exp(-0.25j * np.pi) * ALPHA  # z^2 = -i alpha^2
    lag = 2.0 * jv(1, z) / (z * jv(0, z))
    relative = womersley(ALPHA**2) * (1.0 - lag) / (1j * ALPHA**2) - 1.0
    assert abs(relative[ALPHA >= 0.1]).max() < 1e-8
    large = np.geomspace(150.0, 3000.0, 50)
    y = np.exp(0.25j * np.pi) * large
    lag = 2.0 * ive(1, y) / (y * ive(0, y))
    wanted = 1j * large**2 / (1.0 - lag)
    np.testing.assert_allclose(womersley(large**2), wanted, rtol=1e-9)


@pytest.mark.physics
def test_slow_flow_is_poiseuilles_and_fast_flow_that_of_a_fluid_without_friction():
    rest = womersley(np.array([0.0, 1e-3]))
    assert rest[0] == 8.0
    # series for small alpha: 8 + i (4/3) alpha^2
    assert rest[1] == pytest.approx(8.0 + 1j * 4e-3 / 3.0, rel=1e-7)
    fast = womersley(np.array([1e8])) / 1e8
    # boundary layers of thickness sqrt(2)/alpha on a plug
    assert fast[0] == pytest.approx(1j + np.sqrt(2.0) * (1 + 1j) / 1e4, rel=1e-6)


def test_tensors_give_the_same_and_can_be_differentiated():
    values = torch.tensor(ALPHA**2, dtype=torch.float64, requires_grad=True)
    np.testing.assert_allclose(
        womersley(values).detach().numpy(), womersley(ALPHA**2), rtol=1e-13
    )
    assert torch.autograd.gradcheck(womersley, (values[10:60:10],), atol=1e-6)
