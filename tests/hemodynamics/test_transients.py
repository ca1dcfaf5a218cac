"""Transients laid over each other are what the solver says of the whole."""

import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError
from capnet.hemodynamics.inflow import Inflow
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.plethysmogram import blood_volume
from capnet.hemodynamics.spectra import evaluate
from capnet.hemodynamics.transients import (
    EJECTIONS,
    LEAD,
    LEVELS,
    PERIOD,
    RATE,
    TONES,
    solve_transients,
)
from capnet.units import MMHG
from tests.hemodynamics.people import textbook

SITES = ("aortic_root", "radial")
REST = (LEVELS.index(1.0), TONES.index(1.0), EJECTIONS.index(1.0))


@pytest.fixture(scope="module")
def people():
    return textbook((25.0, 45.0, 75.0))


@pytest.fixture(scope="module")
def transients(people):
    return solve_transients(people, sites=SITES, threads=1)


def _laid_over(responses, onset, volume, time):
    """Sum transients of beats at rest, from the definition; pressure at the sites."""
    table = np.arange(responses.body.shape[-1]) / RATE - LEAD
    decay = responses.decay[REST[:2]]
    total = np.repeat(responses.base[:-1, None], len(time), axis=1)
    for start, size in zip(onset, volume, strict=True):
        late = time - start
        for c in range(len(total)):
            body = np.interp(late, table, responses.body[REST][c], left=0.0, right=0.0)
            tail = responses.tail[REST][c] * np.exp(-(late + LEAD) / decay)
            total[c] += size * (body + np.where(late >= -LEAD, tail, 0.0))
    return total


def _direct(people, row, inflow=None):
    body = people.take(np.array([row])).arteries()
    if inflow is not None:
        body = dataclasses.replace(body, inflow=inflow)
    solver = LinearSolver(order=1, harmonics=round(60.0 * body.inflow.period[0]))
    layout = solver.layout(people.network, SITES)
    return solver.waves(body, layout, {s: layout.tree.probes[s] for s in SITES})


@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_regular_train_is_the_periodic_wave(people, transients, row):
    found = _direct(people, row)
    period = float(found.period[0])
    time = np.arange(0.0, period, 2e-3)
    onset = period * np.arange(-30, 2)
    volume = np.full(len(onset), people["sv"][row])
    laid = _laid_over(transients.responses(row), onset, volume, time)
    for c in range(2):
        wave = evaluate(found.pressure[:, c], period=found.period, times=time[None])[0]
        assert np.sqrt(np.mean((laid[c] - wave / MMHG) ** 2)) < 0.1
        assert laid[c].mean() == pytest.approx(wave.mean() / MMHG, abs=0.02)


@pytest.mark.parametrize("row", [0, 2])
def test_irregular_beats_are_the_direct_solution_of_their_flow(people, transients, row):
    """Three unlike beats again and again, of the mean flow at rest."""
    once = people.take(np.array([row])).arteries().inflow
    rest, sv = float(once.period[0]), people["sv"][row]
    onset = rest * np.array([0.0, 0.65, 2.05])
    size = np.array([1.1, 0.6, 1.3])
    whole = 3.0 * rest
    inflow = Inflow(
        np.array([whole]),
        np.concatenate([t + once.time[0] for t in onset])[None],
        np.concatenate([s * once.flow[0] for s in size])[None],
    )
    assert inflow.output[0] == pytest.approx(once.output[0], rel=1e-6)
    found = _direct(people, row, inflow)
    time = np.arange(0.0, whole, 2e-3)
    every = (onset + whole * np.arange(-12, 2)[:, None]).ravel()
    laid = _laid_over(transients.responses(row), every, sv * np.tile(size, 14), time)
    for c in range(2):
        wave = evaluate(found.pressure[:, c], period=found.period, times=time[None])[0]
        assert np.sqrt(np.mean((laid[c] - wave / MMHG) ** 2)) < 0.1


def test_the_volume_is_that_of_the_plethysmogram(people, transients):
    """Of oscillations; its mean follows from the bed's own equation."""
    site = ("digital",)
    bodies = people.arteries()
    alike = np.ones(len(people))
    inflow = Inflow(
        PERIOD * alike,
        np.outer(alike, [0.0, 0.01, 0.02]),
        np.outer(bodies.inflow.output * PERIOD / 0.01, [0.0, 1.0, 0.0]),
    )
    bodies = dataclasses.replace(bodies, inflow=inflow)
    solver = LinearSolver(order=1, harmonics=40)
    layout = solver.layout(people.network, (*SITES, *site))
    probes = {"digital": layout.tree.probes["digital"]}
    found = solver.waves(bodies, layout, probes)
    volume = blood_volume(
        found.pressure[:, 0],
        found.flow[:, 0],
        period=inflow.period,
        outflow_pressure=bodies.outflow_pressure,
    )
    transfer = volume[:, 1:] / inflow.harmonics(40)[:, 1:]
    ours = transients.transfer[:, REST[0], REST[1], -1, 1:41]
    np.testing.assert_allclose(ours, transfer, rtol=2e-3, atol=2e-4 * abs(ours).max())


def test_mean_pressure_is_that_of_the_mean_flow_in_every_state(people, transients):
    responses = transients.responses(1)
    area = np.trapezoid(responses.body[..., 0, :], dx=1.0 / RATE, axis=-1)
    whole = area + responses.tail[..., 0] * responses.decay[..., None]
    wanted = transients.transfer[1, :, :, 0, 0].real
    np.testing.assert_allclose(whole, np.repeat(wanted[..., None], 7, 2), rtol=1e-4)
    assert (np.diff(responses.resistance) > 0).all()
    # stiffer at a higher working pressure, a longer discharge against more resistance
    assert (np.diff(responses.decay[1]) > 0).all()


def test_a_person_does_not_depend_on_who_else_is_solved(people, transients):
    alone = solve_transients(people.take(np.array([2])), sites=SITES, threads=1)
    np.testing.assert_allclose(alone.transfer[0], transients.transfer[2], rtol=1e-5)
    kept = transients.take(np.array([2]))
    np.testing.assert_array_equal(kept.transfer[0], transients.transfer[2])
    assert len(kept) == 1


def test_a_place_without_a_bed_is_refused(people):
    with pytest.raises(ConfigError, match="PPG at 'radial'"):
        solve_transients(people, bed="radial")


def test_people_without_a_heart_are_refused(people):
    named = {k: v for k, v in people.parameters.items() if k != "lvet"}
    given = dataclasses.replace(people, parameters=named, bodies=people.arteries())
    with pytest.raises(ConfigError, match=r"lacks \['lvet'\]"):
        solve_transients(given)
