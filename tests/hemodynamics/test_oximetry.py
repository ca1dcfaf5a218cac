import numpy as np
import pytest

from capnet.errors import ConfigError, UnitError
from capnet.hemodynamics.oximetry import (
    EXTINCTION,
    ratio_of_ratios,
    ratio_of_saturation,
    saturation_of_ratio,
    transmit,
)


def _volume(n):
    time = np.arange(1000) / 125
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * time) + 0.2 * np.sin(4 * np.pi * time)
    return np.tile(shape, (n, 1))


def test_pure_blood_has_the_ratio_of_its_coefficients():
    ends = ratio_of_saturation(np.array([0.0, 1.0]))
    red, infrared = EXTINCTION[660], EXTINCTION[940]
    np.testing.assert_allclose(
        ends, [red.hb / infrared.hb, red.hbo2 / infrared.hbo2], rtol=1e-14
    )
    assert (np.diff(ratio_of_saturation(np.linspace(0, 1, 50))) < 0).all()


def test_light_gives_the_declared_saturation_back():
    declared = np.linspace(0.6, 1.0, 9)
    light = transmit(
        _volume(9), saturation=declared[:, None], perfusion=np.linspace(0.002, 0.2, 9)
    )
    found = saturation_of_ratio(ratio_of_ratios(light))
    np.testing.assert_allclose(found, declared, atol=1e-12)


def test_a_pulse_darkens_both_colours_and_small_ones_as_their_index_says():
    perfusion = np.array([0.001])
    volume = _volume(1)
    light = transmit(volume, saturation=np.array([[0.97]]), perfusion=perfusion)
    assert light.infrared.argmin() == light.red.argmin() == volume.argmax()
    usual = [np.ptp(colour) / colour.mean() for colour in light]
    assert usual[1] == pytest.approx(0.001 * np.ptp(volume), rel=2e-3)
    ratio = np.array([usual[0] / usual[1]])
    np.testing.assert_allclose(saturation_of_ratio(ratio), 0.97, atol=1e-4)


def test_a_desaturation_is_followed_beat_by_beat():
    slow = np.linspace(0.98, 0.80, 1000)[None]
    volume = _volume(1) + 0.5
    light = transmit(volume, saturation=slow, perfusion=np.array([0.02]))
    ratio = np.log(light.red) / np.log(light.infrared)
    np.testing.assert_allclose(saturation_of_ratio(ratio), slow, atol=1e-9)


def test_percent_and_bloodless_fingers_are_refused():
    with pytest.raises(UnitError, match=r"saturation is 97; wanted 0 to 1"):
        ratio_of_saturation(np.array([0.9, 97.0]))
    with pytest.raises(UnitError, match="saturation is nan"):
        ratio_of_saturation(np.array([np.nan]))
    with pytest.raises(ConfigError, match="perfusion is 0"):
        transmit(_volume(1), saturation=np.array([[0.9]]), perfusion=np.zeros(1))
