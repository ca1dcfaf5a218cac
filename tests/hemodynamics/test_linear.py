import dataclasses

import numpy as np
import pytest
import torch

from capnet.errors import ConfigError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import SITES, Location, load_network
from capnet.hemodynamics.population import Population
from capnet.hemodynamics.spectra import grid
from capnet.hemodynamics.wall import BLOOD_DENSITY, area, compliance, stiffness
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, network

ALL = tuple(SITES)
ROOT_AND_END = {"aortic_root": Location(1, 0.0), "digital": Location(1, 1.0)}


def _solve(body, sites, solver):
    layout = solver.layout(body.network, sites)
    return solver.propagate(solver.tensors(body), layout)


@pytest.mark.physics
def test_single_tube_has_the_analytic_input_impedance():
    solver = LinearSolver(harmonics=20, viscoelastic=False)
    body = arteries(network([1], [2], length=0.3))
    state = _solve(body, ROOT_AND_END, solver)
    mean = state.mean_pressure.mean(dim=0).item()
    radius, reference = np.array([5e-3]), np.array([1.2e4])
    beta = stiffness(radius, np.array([5e4]))
    pressure = np.array([mean])
    lumen = area(pressure, reference, radius, beta)[0]
    give = compliance(pressure, reference, radius, beta)[0]
    omega = 2 * np.pi * 70 / 60 * np.arange(1, 21)
    z = 8 * np.pi * 2.5e-3 / lumen**2 + 1j * omega * BLOOD_DENSITY / lumen
    y = 1j * omega * give
    load = 1e8 + 1e9 / (1 + 1j * omega * 1e9 * 1e-9)
    wave, line = np.sqrt(z * y) * 0.3, np.sqrt(z / y)
    wanted = line * (load + line * np.tanh(wave)) / (line + load * np.tanh(wave))
    root = state.pressure_at(0, at_inlet=True)[0, 1:].numpy()
    flow = state.flow_at(0, at_inlet=True)[0, 1:].numpy()
    np.testing.assert_allclose(root / flow, wanted, rtol=1e-3)
    np.testing.assert_allclose(flow, body.ejection.harmonics(20)[0, 1:], rtol=1e-10)


@pytest.mark.physics
def test_matched_bed_reflects_nothing():
    """Without friction a load of the wave impedance makes the input alike."""
    solver = LinearSolver(harmonics=10, viscoelastic=False)
    tree = network([1], [2], length=0.05, radius=1e-2)
    body = arteries(tree, distal=1e3, capacity=1e-12)
    mean = _solve(body, ROOT_AND_END, solver).mean_pressure.mean(dim=0).numpy()
    radius, reference = np.array([1e-2]), np.array([1.2e4])
    beta = stiffness(radius, np.array([5e4]))
    line = np.sqrt(
        BLOOD_DENSITY
        / area(mean, reference, radius, beta)
        / compliance(mean, reference, radius, beta)
    )
    for _ in range(8):  # the mean state depends on the load, and the load on it
        body = arteries(tree, proximal=float(line[0]), distal=1e3, capacity=1e-12)
        state = _solve(body, ROOT_AND_END, solver)
        mean = state.mean_pressure.mean(dim=0).numpy()
        lumen = area(mean, reference, radius, beta)
        give = compliance(mean, reference, radius, beta)
        line = np.sqrt(BLOOD_DENSITY / lumen / give)
    first = state.pressure_at(0, at_inlet=True)[0, 1:].numpy()
    last = state.pressure_at(0, at_inlet=False)[0, 1:].numpy()
    assert abs(abs(last / first) - 1).max() < 4e-3  # friction alone takes 2.5e-3
    doubled = arteries(tree, proximal=2 * float(line[0]), distal=1e3, capacity=1e-12)
    other = _solve(doubled, ROOT_AND_END, solver)
    ratio = other.pressure_at(0, at_inlet=False) / other.pressure_at(0, at_inlet=True)
    assert abs(abs(ratio[0, 1:].numpy()) - 1).max() > 0.05
    omega = 2 * np.pi * 70 / 60 * np.arange(1, 11)
    delay = -np.unwrap(np.angle(last / first)) / omega
    travel = 0.05 * np.sqrt(BLOOD_DENSITY * give[0] / lumen[0])
    np.testing.assert_allclose(delay, travel, rtol=2e-2)


@pytest.mark.physics
def test_a_short_stiff_tube_is_a_windkessel():
    """Diastole decays with R2 C when the artery itself hardly matters."""
    solver = LinearSolver(harmonics=120, viscoelastic=False)
    body = arteries(
        network([1], [2], length=1e-3, radius=1e-2),
        k3=1.9e6,
        proximal=1e6,
        distal=1.5e8,
        capacity=1e-8,
    )
    state = _solve(body, ROOT_AND_END, solver)
    wave = grid(state.pressure_at(0, at_inlet=True).numpy(), 2048)[0]
    time = np.arange(2048) / 2048 * 60 / 70
    late = (time > 0.4) & (time < 0.8)
    decay = np.polyfit(time[late], np.log(wave[late]), 1)[0]
    assert -1 / decay == pytest.approx(1.5, rel=2e-3)


@pytest.mark.physics
def test_mean_state_is_ohms_law_with_the_lumen_it_makes():
    body = arteries(network([1, 2, 2], [2, 3, 4], radius=1.5e-3), k3=3e4)
    state = _solve(body, ROOT_AND_END, LinearSolver(sweeps=12))
    flow = body.ejection.output[0]
    pressure = state.mean_pressure[:, 0].numpy()
    assert pressure[2] == pytest.approx(flow / 2 * 1.1e9, rel=1e-12)
    losses = 0.0
    for part in (0.25, 0.75):
        middle = pressure[0] + part * (pressure[1] - pressure[0])
        radius = np.array([1.5e-3])
        beta = stiffness(radius, np.array([3e4]))
        lumen = area(np.array([middle]), np.array([1.2e4]), radius, beta)[0]
        losses += 8 * np.pi * 2.5e-3 * 0.05 / lumen**2
    assert pressure[0] - pressure[1] == pytest.approx(flow * losses, rel=1e-6)


@pytest.mark.physics
def test_mass_is_conserved_at_every_node():
    solver = LinearSolver()
    body = Cohort.sample(3, seed=0).arteries()
    state = _solve(body, dict(SITES), solver)
    layout = state.layout
    inflow = solver.tensors(body).inflow
    balance = torch.zeros(len(state.pressure), 3, 31, dtype=torch.complex128)
    for piece, (a, b) in enumerate(zip(layout.inlet, layout.outlet, strict=True)):
        balance[a] -= state.flow_at(piece, at_inlet=True)
        balance[b] += state.flow_at(piece, at_inlet=False)
    balance[layout.plan.root] += inflow
    inner = np.setdiff1d(np.arange(len(state.pressure)), layout.beds)
    scale = abs(inflow[:, :1])
    assert (abs(balance[inner]) / scale).max() < 1e-9
    drained = balance[layout.beds][:, :, 0].real.sum(dim=0)
    np.testing.assert_allclose(drained, body.ejection.output, rtol=1e-9)


def test_batch_is_one_by_one_and_periodic_in_its_settings():
    cohort = Cohort.sample(5, seed=2, population=Population.older_clinic())
    together = LinearSolver().solve(cohort, ALL)
    single = LinearSolver(batch_size=1).solve(cohort, ALL)
    np.testing.assert_allclose(together.pressure, single.pressure, rtol=1e-10)
    np.testing.assert_allclose(together.flow, single.flow, rtol=1e-8, atol=1e-18)
    some = LinearSolver().solve(cohort, ("radial",))
    np.testing.assert_array_equal(some.pressure[:, 0], together.pressure[:, 3])


@pytest.mark.physics
def test_finer_settings_change_little():
    cohort = Cohort.sample(6, seed=5)
    fine = LinearSolver(max_segment_length=0.01, sweeps=6).solve(cohort, ALL)
    usual = LinearSolver().solve(cohort, ALL)
    error = (grid(fine.pressure[0], 256) - grid(usual.pressure[0], 256)) / MMHG
    assert abs(error).max() < 0.1


def test_single_precision_is_close():
    cohort = Cohort.sample(4, seed=5)
    double = LinearSolver().solve(cohort, ALL)
    single = LinearSolver(single_precision=True).solve(cohort, ALL)
    assert single.pressure.dtype == np.complex128
    assert abs(single.pressure - double.pressure).max() / MMHG < 0.003


@pytest.mark.parametrize("name", ["k3", "distal", "outlet_radius", "period"])
def test_gradient_agrees_with_central_differences(name):
    solver = LinearSolver(harmonics=12)
    layout = solver.layout(load_network(), dict(SITES))
    usual = solver.tensors(Cohort.sample(2, seed=1).arteries())

    def radial(factor):
        changed = dataclasses.replace(usual, **{name: getattr(usual, name) * factor})
        state = solver.propagate(changed, layout)
        wave = state.pressure_at(layout.tree.probes["radial"].piece, at_inlet=False)
        return wave[:, 0].real + 2 * wave[:, 1:].real.sum(dim=1)

    factor = torch.ones((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(radial(factor).sum(), factor)
    with torch.no_grad():
        step = 1e-5
        numeric = (radial(1 + step).sum() - radial(1 - step).sum()) / (2 * step)
    assert slope.item() == pytest.approx(numeric.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"harmonics": 0}, "harmonics is 0"),
        ({"max_segment_length": 1.0}, "0.001 to 0.2"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LinearSolver(**settings)
