"""The compiled engine says what the differentiable one says, for any network."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.fused import LANES, run
from capnet.hemodynamics.inflow import Inflow
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import SITES
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, network

ALL = tuple(SITES)
ONE = network([1], [2], length=0.3)
LOOP = network([1, 2, 2, 3, 4, 3], [2, 3, 4, 4, 5, 6], radius=3e-3, length=0.12)


def _some(tree, subjects=5, *, viscous=True, **settings) -> Arteries:
    """Unlike people on a network, with stiffness laws of their own."""
    rng = np.random.default_rng(7)
    body = Arteries.concatenate([arteries(tree, **settings)] * subjects)
    segments = len(tree)

    def vary(values):
        return values * rng.uniform(0.8, 1.2, values.shape)

    return dataclasses.replace(
        body,
        length=vary(body.length),
        inlet_radius=vary(body.inlet_radius),
        outlet_radius=vary(body.outlet_radius) * 0.8,
        k3=vary(body.k3),
        k1=rng.uniform(0.0, 2e5, segments),
        k2=rng.uniform(-900.0, -400.0, segments),
        viscous=np.arange(segments) % 2 == (0 if viscous else 2),
        outflow_pressure=vary(np.full(subjects, 3e3)),
        blood=Blood(density=1010.0, viscosity=4e-3, profile=5.0),
        inflow=Inflow(
            vary(np.full(subjects, 0.8)),
            np.tile([0.05, 0.1, 0.3, 0.35], (subjects, 1)),
            vary(np.tile([0.0, 4e-4, 1e-5, -2e-5], (subjects, 1))),
        ),
    )


def _agree(fused, torch, rtol=1e-9):
    for name in ("pressure", "flow", "area"):
        found, wanted = getattr(fused, name), getattr(torch, name)
        scale = abs(wanted).max(axis=2, keepdims=True)
        assert (abs(found - wanted) / scale).max() < rtol, name
    np.testing.assert_allclose(fused.residual, torch.residual, rtol=1e-3, atol=1e-8)
    np.testing.assert_array_equal(fused.period, torch.period)


@pytest.mark.physics
@pytest.mark.parametrize("friction", ["poiseuille", "womersley"])
@pytest.mark.parametrize("viscoelastic", [True, False])
@pytest.mark.parametrize("order", [1, 2])
def test_engines_agree_on_people(friction, viscoelastic, order):
    cohort = Cohort.sample(3, seed=1)
    settings = {
        "harmonics": 24,
        "friction": friction,
        "viscoelastic": viscoelastic,
        "order": order,
    }
    fused = LinearSolver(**settings).solve(cohort, ALL)
    torch = LinearSolver(**settings, engine="torch").solve(cohort, ALL)
    _agree(fused, torch)
    assert abs(fused.pressure - torch.pressure).max() / MMHG < 1e-6


@pytest.mark.physics
@pytest.mark.parametrize("friction", ["poiseuille", "womersley"])
@pytest.mark.parametrize("tree", [ONE, LOOP], ids=["tube", "loop"])
@pytest.mark.parametrize("longest", [0.02, 0.2])
@pytest.mark.parametrize(
    ("order", "junctions"), [(1, "total"), (2, "total"), (2, "static")]
)
def test_engines_agree_on_any_network(tree, friction, longest, order, junctions):
    """Also where a segment is many radians long, and sites share an artery."""
    sites = ("artery 1@0", "artery 1@0.31", "artery 1@0.8", f"artery {len(tree)}@1")
    body = _some(tree)
    if order == 2:  # so small a pulse that it can be corrected
        calm = dataclasses.replace(body.inflow, flow=0.1 * body.inflow.flow)
        body = dataclasses.replace(body, inflow=calm)
    settings = {
        "harmonics": 60,
        "friction": friction,
        "max_segment_length": longest,
        "order": order,
        "junctions": junctions,
    }
    found = []
    for engine in ("fused", "torch"):
        solver = LinearSolver(**settings, engine=engine)
        layout = solver.layout(tree, sites)
        probes = {site: layout.tree.probes[site] for site in sites}
        found.append(solver.waves(body, layout, probes))
    _agree(*found)
    assert found[0].sites == sites


@pytest.mark.parametrize("subjects", [1, LANES - 1, LANES, LANES + 1])
def test_nobody_depends_on_company(subjects):
    cohort = Cohort.sample(LANES + 1, seed=2).take(slice(0, subjects))
    solver = LinearSolver(order=1, harmonics=6, batch_size=2 * LANES, threads=1)
    together = solver.solve(cohort, ALL)
    alone = dataclasses.replace(solver, batch_size=1, threads=2).solve(cohort, ALL)
    for name in ("pressure", "flow", "area"):
        np.testing.assert_allclose(
            getattr(together, name), getattr(alone, name), rtol=1e-9, atol=1e-18
        )
    np.testing.assert_allclose(together.residual, alone.residual, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_collapsed_artery_is_nobodys_number_and_nobody_elses_trouble(engine):
    """A stiff reference pressure far above the mean pressure shuts soft arteries."""
    body = _some(ONE, 3)
    reference = body.reference_pressure.copy()
    reference[1] = 3e5
    bad = dataclasses.replace(body, reference_pressure=reference)
    solver = LinearSolver(order=1, harmonics=4, engine=engine)
    layout = solver.layout(ONE, ["artery 1@0", "artery 1@1"])
    found = solver.waves(bad, layout, layout.tree.probes)
    wanted = solver.waves(body, layout, layout.tree.probes)
    for name in ("pressure", "flow", "area", "residual"):
        assert np.isnan(getattr(found, name)[1]).all()
        np.testing.assert_allclose(
            getattr(found, name)[[0, 2]], getattr(wanted, name)[[0, 2]], rtol=1e-12
        )


def test_memory_holds_the_answer_and_little_else():
    solver = LinearSolver(order=1, harmonics=10, batch_size=LANES, threads=1)
    cohort = Cohort.sample(12 * LANES, seed=0)
    solver.solve(cohort.take(slice(0, 1)), ALL)
    peaks = []
    for people in (cohort.take(slice(0, 2 * LANES)), cohort):
        tracemalloc.start()
        waves = solver.solve(people, ALL)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        peaks[-1] -= waves.pressure.nbytes * 3
    assert peaks[1] < 1.1 * peaks[0]


def test_arrays_of_any_kind_are_welcome():
    """Read-only, strided: the same answer, and nothing is compiled once more."""
    body = _some(LOOP, 3)
    solver = LinearSolver(order=1, harmonics=3)
    layout = solver.layout(LOOP, ["artery 1@0"])
    wanted = solver.waves(body, layout, layout.tree.probes)
    kinds = len(run.signatures)
    strided = np.asfortranarray(body.k3)
    strided.flags.writeable = False
    odd = dataclasses.replace(
        body,
        k3=strided,
        length=np.broadcast_to(body.length[:1], body.length.shape),
        reference_pressure=np.repeat(body.reference_pressure, 2)[::2],
    )
    even = dataclasses.replace(odd, length=np.tile(body.length[:1], (3, 1)))
    found = solver.waves(odd, layout, layout.tree.probes)
    again = solver.waves(even, layout, layout.tree.probes)
    np.testing.assert_array_equal(found.pressure, again.pressure)
    np.testing.assert_allclose(found.pressure[0], wanted.pressure[0], rtol=1e-12)
    assert len(run.signatures) == kinds


def test_progress_counts_everyone_in_order():
    seen = []
    solver = LinearSolver(order=1, harmonics=2, batch_size=2, threads=2)
    solver.solve(
        Cohort.sample(5, seed=0), ALL, progress=lambda *count: seen.append(count)
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
