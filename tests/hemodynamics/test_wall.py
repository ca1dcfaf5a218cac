import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.wall import (
    K1,
    K2,
    area,
    compliance,
    pulse_wave_speed,
    relative_stiffness,
    stiffness,
)


def _beta(radius, k3):
    k1, k2 = np.full(len(radius), K1), np.full(len(radius), K2)
    return stiffness(radius, k1, k2, k3)


def test_compliance_is_the_slope_of_the_tube_law():
    radius = np.array([2e-3, 1e-2])
    beta = _beta(radius, np.array([5e4, 8e4]))
    reference, pressure, step = np.array([1e4, 1e4]), np.array([1.3e4, 1.1e4]), 1.0
    slope = (
        area(pressure + step, reference, radius, beta)
        - area(pressure - step, reference, radius, beta)
    ) / (2 * step)
    np.testing.assert_allclose(
        compliance(pressure, reference, radius, beta), slope, rtol=1e-9
    )


def test_wave_speed_is_that_of_bramwell_and_hill():
    radius, density = np.array([5e-3]), Blood().density
    beta, reference = _beta(radius, np.array([5e4])), np.array([1e4])
    lumen = area(reference, reference, radius, beta)
    give = compliance(reference, reference, radius, beta)
    np.testing.assert_allclose(lumen, np.pi * radius**2)
    np.testing.assert_allclose(
        pulse_wave_speed(beta, density), np.sqrt(lumen / (density * give)), rtol=1e-12
    )


def test_stiffness_without_the_exponential_does_not_depend_on_the_radius():
    radius, nothing = np.array([1e-3, 1e-2]), np.zeros(2)
    whole = relative_stiffness(radius, nothing, np.full(2, K2), np.full(2, 4e4))
    np.testing.assert_array_equal(whole, 4e4)


def test_parabolic_blood_has_the_friction_of_poiseuille():
    blood = Blood(viscosity=3e-3)
    assert blood.friction == pytest.approx(8 * np.pi * 3e-3)
    assert blood.momentum == pytest.approx(4 / 3)
    # a power-law profile, integrated over the lumen
    zeta, r = 9.0, (np.arange(20000) + 0.5) / 20000
    speed = (zeta + 2) / zeta * (1 - r**zeta)
    assert (2 * r * speed).mean() == pytest.approx(1.0, rel=1e-6)
    flat = Blood(profile=zeta)
    assert flat.momentum == pytest.approx((2 * r * speed**2).mean(), rel=1e-6)


@pytest.mark.parametrize("name", ["density", "viscosity", "profile"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_impossible_blood_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} of the blood is"):
        Blood(**{name: value})
