from typing import get_args

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics import LinearSolver, load_network, simulate
from capnet.hemodynamics.plethysmogram import (
    PPG_SITES,
    PpgSite,
    blood_volume,
    normalise,
)
from capnet.hemodynamics.spectra import grid
from tests.hemodynamics.people import textbook


@pytest.fixture(scope="module")
def waves():
    return simulate(
        textbook(),
        solver=LinearSolver(order=1, harmonics=20),
        sampling_rate=500.0,
        sites=list(PPG_SITES.values()),
    )


def test_every_word_has_a_place_in_the_tree():
    assert set(PPG_SITES) == set(get_args(PpgSite))
    network = load_network()
    ends = {network.name[row] for row in network.terminals}
    for word in ("finger", "ear"):
        place = network.locate(PPG_SITES[word])
        assert place.fraction == 1.0
        assert network.name[place.segment - 1] in ends


def test_the_ear_hangs_on_the_external_carotid():
    network = load_network()
    row, way = network.locate(PPG_SITES["ear"]).segment - 1, []
    while network.inlet[row] != network.root:
        (row,) = np.flatnonzero(network.outlet == network.inlet[row])
        way.append(network.name[row])
    assert way[:4] == [
        "Left Superior Temporal Artery",
        "Left External Carotid Artery II",
        "Left External Carotid Artery I",
        "Left Common Carotid Artery",
    ]


def test_volume_is_what_flows_in_and_not_out():
    rng = np.random.default_rng(0)
    pressure = rng.standard_normal((2, 9)) + 1j * rng.standard_normal((2, 9))
    flow = rng.standard_normal((2, 9)) + 1j * rng.standard_normal((2, 9))
    pressure[:, 0], flow[:, 0] = [100.0, 80.0], [5.0, 4.0]
    period, behind = np.array([0.8, 1.1]), np.array([20.0, 30.0])
    volume = blood_volume(pressure, flow, period=period, outflow_pressure=behind)
    resistance = (pressure[:, 0].real - behind) / flow[:, 0].real
    n = 16384
    leaving = (grid(pressure, n) - behind[:, None]) / resistance[:, None]
    stored = np.cumsum(grid(flow, n) - leaving, axis=1) * period[:, None] / n
    held = grid(volume, n)
    np.testing.assert_allclose(
        stored - stored.mean(axis=1, keepdims=True), held, atol=1e-3
    )


@pytest.mark.parametrize("word", PPG_SITES)
def test_every_place_has_a_pulse_from_zero_to_one(waves, word):
    pulse = grid(waves.volume_pulse(word), 1024)
    np.testing.assert_allclose(pulse.min(axis=1), 0.0, atol=1e-9)
    np.testing.assert_allclose(pulse.max(axis=1), 1.0, atol=1e-9)


def test_words_mean_their_places(waves):
    finger, ear = waves.volume_pulse("finger"), waves.volume_pulse("ear")
    np.testing.assert_array_equal(finger, waves.volume_pulse("digital"))
    np.testing.assert_array_equal(ear, waves.volume_pulse(PPG_SITES["ear"]))
    lumen = normalise(waves.spectra.area[:, waves.spectra.row("radial")])
    np.testing.assert_array_equal(waves.volume_pulse("wrist"), lumen)
    np.testing.assert_array_equal(waves.ppg("wrist"), waves._sampled(lumen))


def test_the_pulse_reaches_the_ear_before_the_wrist_before_the_finger(waves):
    foot = {w: grid(waves.volume_pulse(w), 1024).argmin(axis=1) for w in PPG_SITES}
    assert (foot["ear"] < foot["wrist"]).all()
    assert (foot["wrist"] < foot["finger"]).all()


def test_a_place_that_was_not_simulated_is_named(waves):
    some = simulate(
        textbook([45.0]),
        solver=LinearSolver(order=1, harmonics=5),
        sampling_rate=125.0,
        sites=["digital"],
    )
    with pytest.raises(ConfigError, match="'radial' was not simulated"):
        some.volume_pulse("wrist")
    with pytest.raises(ConfigError, match="Temporal Parietal Artery@1' was not"):
        some.volume_pulse("ear")
