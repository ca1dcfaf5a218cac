import numpy as np

from capnet.hemodynamics.wall import (
    BLOOD_DENSITY,
    area,
    compliance,
    pulse_wave_speed,
    stiffness,
)


def test_compliance_is_the_slope_of_the_tube_law():
    radius, k3 = np.array([2e-3, 1e-2]), np.array([5e4, 8e4])
    beta = stiffness(radius, k3)
    reference, pressure, step = np.array([1e4, 1e4]), np.array([1.3e4, 1.1e4]), 1.0
    slope = (
        area(pressure + step, reference, radius, beta)
        - area(pressure - step, reference, radius, beta)
    ) / (2 * step)
    np.testing.assert_allclose(
        compliance(pressure, reference, radius, beta), slope, rtol=1e-9
    )


def test_wave_speed_is_that_of_bramwell_and_hill():
    radius = np.array([5e-3])
    beta, reference = stiffness(radius, np.array([5e4])), np.array([1e4])
    lumen = area(reference, reference, radius, beta)
    give = compliance(reference, reference, radius, beta)
    np.testing.assert_allclose(lumen, np.pi * radius**2)
    np.testing.assert_allclose(
        pulse_wave_speed(beta), np.sqrt(lumen / (BLOOD_DENSITY * give)), rtol=1e-12
    )
