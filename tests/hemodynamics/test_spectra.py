import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.spectra import Spectra, evaluate, grid, turn


def _waves(subjects=3, sites=2, harmonics=5):
    rng = np.random.default_rng(0)
    shape = (subjects, sites, harmonics)
    draw = lambda: rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return Spectra(
        sites=tuple(f"artery@0.{k}" for k in range(sites)),
        period=rng.uniform(0.5, 1.2, subjects),
        pressure=draw(),
        flow=draw(),
        area=draw(),
        residual=rng.uniform(size=subjects),
    )


@pytest.mark.parametrize("count", [1, 63, 64, 65, 700])
def test_reads_what_the_series_says(count):
    waves = _waves(subjects=70, harmonics=31)
    times = np.random.default_rng(1).uniform(-3.0, 4.0, (70, count))
    found = evaluate(waves.pressure[:, 1], period=waves.period, times=times)
    angle = (
        2 * np.pi * times[..., None] / waves.period[:, None, None] * np.arange(1, 31)
    )
    terms = waves.pressure[:, 1, None, 1:] * np.exp(1j * angle)
    wanted = waves.pressure[:, 1, :1].real + 2 * terms.real.sum(axis=2)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)


def test_times_may_be_shared_and_a_wave_may_be_constant():
    waves = _waves()
    times = np.linspace(0.0, 1.0, 11)
    shared = np.broadcast_to(times, (3, 11))
    found = evaluate(waves.flow[:, 0], period=waves.period, times=shared)
    own = evaluate(waves.flow[:, 0], period=waves.period, times=np.tile(times, (3, 1)))
    np.testing.assert_array_equal(found, own)
    mean = evaluate(waves.flow[:, 0, :1], period=waves.period, times=shared)
    np.testing.assert_array_equal(mean, np.tile(waves.flow[:, 0, :1].real, (1, 11)))


def test_even_times_are_those_of_the_fast_transform():
    waves = _waves()
    times = np.arange(64) / 64 * waves.period[:, None]
    found = evaluate(waves.area[:, 0], period=waves.period, times=times)
    np.testing.assert_allclose(found, grid(waves.area[:, 0], 64), atol=1e-12)


@pytest.mark.parametrize("count", [1, 7, 8])
def test_too_few_times_for_the_harmonics_are_refused(count):
    waves = _waves()
    with pytest.raises(ShapeError, match=f"{count} even times .* wanted at least 9"):
        grid(waves.area[:, 0], count)
    times = np.arange(9) / 9 * waves.period[:, None]
    found = evaluate(waves.area[:, 0], period=waves.period, times=times)
    np.testing.assert_allclose(grid(waves.area[:, 0], 9), found, atol=1e-12)


def test_turns():
    x = np.concatenate([np.linspace(-2, 2, 1001), [1e6 + 0.125, 0.25, 0.5]])
    found = np.array([turn(value) for value in x]).T
    wanted = np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)
    np.testing.assert_allclose(found[:, :-3], np.array(wanted)[:, :-3], atol=4e-15)
    exact = [[0.5**0.5, 0, -1], [0.5**0.5, 1, 0]]
    np.testing.assert_allclose(found[:, -3:], exact, atol=4e-15)


def test_rows_go_together():
    waves = _waves()
    parts = [waves.take(slice(0, 1)), waves.take(np.array([1, 2]))]
    joined = Spectra.concatenate(parts)
    for field in dataclasses.fields(waves):
        np.testing.assert_array_equal(
            getattr(joined, field.name), getattr(waves, field.name)
        )
    assert waves.row("artery@0.1") == 1
    with pytest.raises(ConfigError, match=r"was not simulated; there are artery@0\.0"):
        waves.row("radial")
    with pytest.raises(ShapeError, match="wanted one kind"):
        Spectra.concatenate([waves, _waves(harmonics=6)])


def test_sites_that_do_not_fit_are_refused():
    waves = _waves()
    with pytest.raises(ShapeError, match=r"pressure has shape \(3, 2, 5\); wanted"):
        dataclasses.replace(waves, sites=("radial",))
