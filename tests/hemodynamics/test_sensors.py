import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.sensors import LEAD, WINDOW, Sensor, apply_sensor
from capnet.signal.frontend import RATE

PRESETS = [Sensor.source(), Sensor.randomised(), Sensor.clinic()]


def _sine(n):
    wave = np.zeros((n, 31), dtype=np.complex128)
    wave[:, 0], wave[:, 1] = 0.5, -0.25
    return wave


def _rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("sensor", PRESETS)
def test_first_fingers_do_not_depend_on_the_number(sensor):
    many, few = sensor.draw(9, _rng()), sensor.draw(4, _rng())
    for name, values in vars(many.take(np.arange(4))).items():
        np.testing.assert_array_equal(values, getattr(few, name))


def test_a_perfect_sensor_gives_the_wave_itself():
    perfect = Sensor(0.0, 0.0, (), (0.0, 0.0), (0.0, 0.0), 0.0)
    period, onset = np.array([0.8, 1.5]), np.array([-0.1, -0.08])
    draw = perfect.draw(2, _rng())
    raw, r_peak = apply_sensor(_sine(2), period=period, r_peak=onset, draw=draw)
    times = onset[:, None] + (np.arange(WINDOW) - r_peak[:, None]) / RATE
    wanted = 0.5 - 0.5 * np.cos(2 * np.pi * times / period[:, None])
    np.testing.assert_allclose(raw, wanted, atol=1e-9)
    assert (r_peak >= LEAD * RATE).all()


def test_low_pass_and_noise_do_what_they_say():
    sensor = Sensor(0.0, 0.0, ((1.0, 1.0),), (0.0, 0.0), (0.0, 0.0), 0.0)
    draw = sensor.draw(1, _rng())
    one, zero = np.array([1.0]), np.array([0.0])
    raw, _ = apply_sensor(_sine(1), period=one, r_peak=zero, draw=draw)
    assert np.ptp(raw) == pytest.approx(1 / np.sqrt(2), rel=1e-3)
    noisy = dataclasses.replace(draw, level=np.array([0.1]))
    more, _ = apply_sensor(_sine(1), period=one, r_peak=zero, draw=noisy)
    assert (more - raw).std() == pytest.approx(0.1 / np.sqrt(2), rel=0.15)


def test_upside_down_ranges_are_refused():
    with pytest.raises(ConfigError, match=r"noise is 0\.2 to 0\.1"):
        Sensor(0.0, 0.0, (), (0.0, 0.0), (0.2, 0.1), 0.0)
    with pytest.raises(ConfigError, match="lowpass 0 is 0 to 1"):
        Sensor(0.0, 0.0, ((0.0, 1.0),), (0.0, 0.0), (0.1, 0.1), 0.0)
