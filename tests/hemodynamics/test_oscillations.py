"""Lines fill their band with the power asked for."""

import numpy as np

from capnet.hemodynamics.oscillations import draw_lines, oscillation


def _draw(n):
    rng = np.random.default_rng(0)
    return draw_lines(n, rng, band=(0.04, 0.15), rms=np.linspace(0.01, 0.02, n))


def test_lines_lie_one_in_each_slice_and_share_the_power():
    lines = _draw(9)
    edge = np.log(0.04) + np.log(0.15 / 0.04) * np.arange(17) / 16
    place = np.log(lines.frequency)
    assert ((place > edge[:-1]) & (place < edge[1:])).all()
    power = (lines.amplitude**2).sum(axis=1) / 2.0
    np.testing.assert_allclose(power, np.linspace(0.01, 0.02, 9) ** 2)
    assert lines.take(np.array([3])).phase.shape == (1, 16)


def test_an_oscillation_is_the_sum_of_its_lines():
    lines = _draw(2)
    for time in (0.0, 3.7, 1e5):
        turns = lines.frequency[1] * time + lines.phase[1]
        wanted = (lines.amplitude[1] * np.sin(2.0 * np.pi * turns)).sum()
        found = oscillation(*(part[1] for part in lines), time)
        np.testing.assert_allclose(found, wanted, atol=1e-9)
