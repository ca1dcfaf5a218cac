import dataclasses
from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import jv

from capnet.errors import ConfigError
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import SITES, Location, Network
from capnet.hemodynamics.population import Population
from capnet.hemodynamics.spectra import grid
from capnet.hemodynamics.wall import K1, K2, area, compliance, stiffness
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, inflow, network

ALL = tuple(SITES)
DENSITY = Blood().density
OMEGA = 2 * np.pi * 70 / 60 * np.arange(1, 121)


def _beta(radius, k3):
    return stiffness(radius, np.full_like(k3, K1), np.full_like(k3, K2), k3)


def _waves(solver, body, sites):
    layout = solver.layout(body.network, sites)
    probes = {site: layout.tree.probes[site] for site in sites}
    return solver.waves(body, layout, probes)


def _ends(solver, body):
    """Harmonics of pressure and flow, and mean pressure, at both ends of a tube."""
    waves = _waves(solver, body, ["artery 1@0", "artery 1@1"])
    pressure, flow = waves.pressure[0], waves.flow[0]
    return [(pressure[k, 1:], flow[k, 1:], pressure[k, 0].real) for k in range(2)]


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("friction", ["poiseuille", "womersley"])
def test_single_tube_has_the_analytic_input_impedance(engine, friction):
    solver = LinearSolver(order=1, harmonics=20, engine=engine, friction=friction)
    body = arteries(network([1], [2], length=0.3))
    root, last = _ends(solver, body)
    mean = np.array([(root[2] + last[2]) / 2])
    radius, reference = np.array([5e-3]), np.array([1.2e4])
    beta = _beta(radius, np.array([5e4]))
    lumen = area(mean, reference, radius, beta)[0]
    give = compliance(mean, reference, radius, beta)[0]
    omega, viscosity = OMEGA[:20], 2.5e-3
    z = 8 * np.pi * viscosity / lumen**2 + 1j * omega * DENSITY / lumen
    if friction == "womersley":
        x = np.sqrt(-1j * lumen / np.pi * omega * DENSITY / viscosity)
        lag = 2 * jv(1, x) / (x * jv(0, x))
        z = 1j * omega * DENSITY / lumen / (1 - lag)
    y = 1j * omega * give
    load = 1e8 + 1e9 / (1 + 1j * omega * 1e9 * 1e-9)
    wave, line = np.sqrt(z * y) * 0.3, np.sqrt(z / y)
    wanted = line * (load + line * np.tanh(wave)) / (line + load * np.tanh(wave))
    np.testing.assert_allclose(root[0] / root[1], wanted, rtol=1e-3)
    ejected = body.inflow.harmonics(20)[0, 1:]
    np.testing.assert_allclose(root[1], ejected, rtol=1e-9)


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_matched_bed_reflects_nothing(engine):
    """Without friction a load of the wave impedance makes the whole tube alike."""
    solver = LinearSolver(order=1, harmonics=20, engine=engine)
    tree, total = network([1], [2], length=0.5, radius=1e-2), 1.5e8
    watery = {"blood": Blood(viscosity=1e-12)}
    radius, reference = np.array([1e-2]), np.array([1.2e4])
    beta = _beta(radius, np.array([5e4]))
    mean = inflow().output * total  # the same everywhere, whatever R1 is
    lumen = area(mean, reference, radius, beta)
    give = compliance(mean, reference, radius, beta)
    line = float(np.sqrt(DENSITY / lumen / give)[0])
    matched = {"proximal": line, "distal": total - line, "capacity": 1.0}
    body = dataclasses.replace(arteries(tree, **matched), **watery)
    first, last = _ends(solver, body)
    reflected = (first[0] / first[1] - line) / (first[0] / first[1] + line)
    assert abs(reflected).max() < 1e-7
    np.testing.assert_allclose(abs(last[0] / first[0]), 1.0, rtol=1e-7)
    delay = -np.unwrap(np.angle(last[0] / first[0])) / OMEGA[:20]
    np.testing.assert_allclose(
        delay, 0.5 * float(np.sqrt(DENSITY * give / lumen)[0]), rtol=1e-7
    )
    doubled = {"proximal": 2 * line, "distal": total - 2 * line, "capacity": 1.0}
    other, _ = _ends(solver, dataclasses.replace(arteries(tree, **doubled), **watery))
    reflected = (other[0] / other[1] - line) / (other[0] / other[1] + line)
    np.testing.assert_allclose(abs(reflected), 1 / 3, rtol=1e-6)


@pytest.mark.physics
def test_a_short_stiff_tube_is_a_windkessel():
    """Diastole decays with R2 C when the artery itself hardly matters."""
    solver = LinearSolver(order=1, harmonics=120, viscoelastic=False)
    body = arteries(
        network([1], [2], length=1e-3, radius=1e-2),
        k3=1.9e6,
        proximal=1e6,
        distal=1.5e8,
        capacity=1e-8,
    )
    wave = grid(_waves(solver, body, ["artery 1@0"]).pressure[:, 0], 2048)[0]
    time = np.arange(2048) / 2048 * 60 / 70
    late = (time > 0.4) & (time < 0.8)
    decay = np.polyfit(time[late], np.log(wave[late]), 1)[0]
    assert -1 / decay == pytest.approx(1.5, rel=2e-3)


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("length", [0.04, 0.2, 0.3])
def test_mean_state_of_an_even_tube_is_the_analytic_one(engine, length):
    """Its ends obey u^5 - v^5 = 5 f Q l / (beta A_d^2): see `linear._mean_state`."""
    body = arteries(network([1], [2], length=length, radius=1.2e-3), k3=3e4)
    solver = LinearSolver(order=1, harmonics=1, engine=engine)
    (*_, first), (*_, last) = _ends(solver, body)
    flow, lumen = body.inflow.output[0], np.pi * 1.2e-3**2
    beta = _beta(np.array([1.2e-3]), np.array([3e4]))[0]
    v = 1 + (flow * 1.1e9 - 1.2e4) / beta
    losses = 8 * np.pi * 2.5e-3 * flow * length / lumen**2
    u = (v**5 + 5 * losses / beta) ** 0.2
    assert last == pytest.approx(flow * 1.1e9, rel=1e-12)
    assert first - last == pytest.approx(beta * (u - v), rel=1e-6)
    assert first - last > 1e3  # and not small


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_mean_state_of_a_tapered_tube_is_that_of_its_differential_equation(engine):
    body = arteries(network([1], [2], length=0.3, radius=2.5e-3), k3=3e4)
    body = dataclasses.replace(body, outlet_radius=np.array([[1.6e-3]]))
    solver = LinearSolver(order=1, harmonics=1, max_segment_length=1e-3, engine=engine)
    (*_, first), (*_, last) = _ends(solver, body)
    flow = body.inflow.output[0]

    def slope(x, pressure):
        radius = np.array([2.5e-3 - 3e-3 * x])
        beta = _beta(radius, np.array([3e4]))
        lumen = area(pressure, np.array([1.2e4]), radius, beta)
        return -8 * np.pi * 2.5e-3 * flow / lumen**2

    wanted = solve_ivp(slope, (0.3, 0.0), [flow * 1.1e9], rtol=1e-10, atol=1e-6)
    assert first == pytest.approx(wanted.y[0, -1], rel=1e-6)
    assert first - last > 500


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("friction", ["poiseuille", "womersley"])
def test_what_enters_and_does_not_leave_is_stored(engine, friction):
    """Inflow less outflow is the growth of the lumen, integrated by Gauss's rule."""
    tree, (node, weight) = (
        network([1], [2], length=0.4),
        np.polynomial.legendre.leggauss(9),
    )
    body = dataclasses.replace(
        arteries(tree), viscous=np.array([True]), blood=Blood(viscosity=1e-5)
    )
    solver = LinearSolver(order=1, harmonics=10, engine=engine, friction=friction)
    inside = {
        f"artery 1@{(1 + x) / 2:.17g}": w for x, w in zip(node, weight, strict=True)
    }
    waves = _waves(solver, body, ["artery 1@0", "artery 1@1", *inside])
    growth = (
        1j * OMEGA[:10] * 0.2 * (waves.area[0, 2:, 1:].T @ np.array([*inside.values()]))
    )
    kept = waves.flow[0, 0] - waves.flow[0, 1]
    scale = abs(waves.flow[0, 0, 1:])
    assert (abs(kept[1:] - growth) / scale).max() < 1e-7
    assert abs(growth / scale).min() > 1e-2
    assert abs(kept[0]) < 1e-7 * waves.flow[0, 0, 0].real


@pytest.mark.physics
def test_the_lumen_follows_the_tube_law():
    """A small change of mean pressure and a slow wave open the lumen alike."""
    body = arteries(network([1], [2], length=0.1))
    waves = _waves(LinearSolver(order=1, harmonics=3), body, ["artery 1@0.4"])
    radius, reference = np.array([5e-3]), np.array([1.2e4])
    beta = _beta(radius, np.array([5e4]))
    mean = waves.pressure[0, :, 0].real
    lumen = area(mean, reference, radius, beta)
    np.testing.assert_allclose(waves.area[0, 0, 0], lumen[0], rtol=1e-12)
    slope = area(mean + 1.0, reference, radius, beta) - lumen
    np.testing.assert_allclose(
        waves.area[0, 0, 1:] / waves.pressure[0, 0, 1:], slope[0], rtol=1e-4
    )


@pytest.mark.physics
def test_mass_is_conserved_at_every_node():
    solver = LinearSolver(order=1, engine="torch")
    body = Cohort.sample(3, seed=0).arteries()
    layout = solver.layout(body.network, ALL)
    state = solver.propagate(solver.tensors(body), layout)
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
    np.testing.assert_allclose(drained, body.inflow.output, rtol=1e-9)


@pytest.mark.physics
def test_all_that_the_heart_ejects_leaves_through_the_beds():
    body = Cohort.sample(3, seed=0).arteries()
    solver, tree = LinearSolver(order=1, harmonics=4), body.network
    ends = {f"end {t}": Location(int(t) + 1, 1.0) for t in tree.terminals}
    waves = _waves(solver, body, ends)
    left = waves.flow[:, :, 0].real.sum(axis=1)
    np.testing.assert_allclose(left, body.inflow.output, rtol=1e-7)
    beds = (
        waves.pressure[:, :, 0].real - body.outflow_pressure[:, None]
    ) / body.beds.total
    np.testing.assert_allclose(waves.flow[:, :, 0].real, beds, rtol=1e-6)


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_names_of_nodes_and_order_of_arteries_mean_nothing(engine):
    tree = network([1, 2, 2, 3, 4, 3], [2, 3, 4, 4, 5, 6], radius=3e-3)
    rng = np.random.default_rng(3)
    body = arteries(tree)
    body = dataclasses.replace(
        body,
        length=body.length * rng.uniform(0.7, 1.3, (1, 6)),
        beds=Beds(*(rng.uniform(0.5, 2.0, (1, 2)) * v for v in (1e8, 2e9, 5e-10))),
    )
    order = rng.permutation(6)
    label = {1: 40, 2: 7, 3: 12, 4: 3, 5: 1, 6: 25}
    renamed = Network(
        name=tuple(tree.name[k] for k in order),
        inlet=np.array([label[tree.inlet[k]] for k in order]),
        outlet=np.array([label[tree.outlet[k]] for k in order]),
        length=tree.length[order],
        inlet_radius=tree.inlet_radius[order],
        outlet_radius=tree.outlet_radius[order],
    )
    beds = np.searchsorted(tree.terminals, order[renamed.terminals])
    other = dataclasses.replace(
        body,
        network=renamed,
        length=body.length[:, order],
        beds=Beds(*(getattr(body.beds, f.name)[:, beds] for f in fields(body.beds))),
    )
    sites = [f"artery {k + 1}@0.5" for k in range(6)]
    solver = LinearSolver(order=1, engine=engine)
    wanted, found = _waves(solver, body, sites), _waves(solver, other, sites)
    for name in ("pressure", "flow", "area"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert (abs(a - b) / abs(b).max(axis=2, keepdims=True)).max() < 1e-10


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_long_even_tube_may_be_cut(engine):
    """As two arteries, or by sites at which nobody looks."""
    solver = LinearSolver(order=1, engine=engine, max_segment_length=0.02)
    whole = arteries(network([1], [2], length=0.4))
    halves = arteries(network([1, 2], [2, 3], length=0.2))
    ends = ["artery 1@0", "artery 1@1"]
    wanted = _waves(solver, whole, ends)
    found = _waves(solver, halves, ["artery 1@0", "artery 2@1"])
    np.testing.assert_allclose(found.pressure, wanted.pressure, rtol=1e-10)
    np.testing.assert_allclose(found.area, wanted.area, rtol=1e-10)
    # where the shorts differ, so does the mean pressure they are linearised about
    odd = [f"artery 1@{place}" for place in (0.03, 0.37, 0.371, 0.9)]
    found = _waves(solver, whole, [*ends, *odd])
    np.testing.assert_allclose(found.pressure[:, :2], wanted.pressure, rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2])
def test_an_answer_does_not_depend_on_which_sites_were_asked_for(order):
    cohort = Cohort.sample(5, seed=2, population=Population.older_clinic())
    together = LinearSolver(order=order).solve(cohort, ALL)
    some = LinearSolver(order=order).solve(cohort, ("radial",))
    for name in ("pressure", "flow", "area"):
        np.testing.assert_array_equal(
            getattr(some, name)[:, 0], getattr(together, name)[:, 3]
        )


@pytest.mark.physics
def test_other_places_move_an_answer_little():
    """Arteries are cut into other short ones, each artery once more."""
    cohort = Cohort.sample(20, seed=2, population=Population())
    alone = LinearSolver().solve(cohort, ALL)
    names = cohort.network.name
    more = tuple(f"{name}@{0.3 + 0.05 * (k % 9)}" for k, name in enumerate(names))
    among = LinearSolver().solve(cohort, (*ALL, *more))
    for k in range(len(ALL)):
        moved = among.pressure[:, k] - alone.pressure[:, k]
        assert 0.0 < abs(grid(moved, 128)).max() / MMHG < 0.1


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_piece_may_be_as_short_as_you_like(engine):
    """An artery of a hundredth of a micrometre is one short, and drops nothing."""
    tree = network([1, 2], [2, 3])
    length = np.array([0.1, 1e-11])
    body = dataclasses.replace(
        arteries(dataclasses.replace(tree, length=length)), length=length[None]
    )
    solver = LinearSolver(order=1, harmonics=5, engine=engine)
    layout = solver.layout(body.network, ["artery 2@0", "artery 2@1"])
    assert layout.counts.min() == 1
    found = _waves(solver, body, ["artery 2@0", "artery 2@1"]).pressure
    np.testing.assert_allclose(found[:, 0], found[:, 1], rtol=1e-6)
    assert abs(found[0, 0]).min() > 1.0


def test_any_place_can_be_asked_for():
    cohort = Cohort.sample(2, seed=2)
    artery = cohort.network.name[SITES["radial"].segment - 1]
    near = LinearSolver(order=1).solve(
        cohort, (f"{artery}@0.499", "radial", f"{artery}@0.501")
    )
    np.testing.assert_allclose(near.pressure[:, 0], near.pressure[:, 1], rtol=2e-2)
    middle = (near.pressure[:, 0] + near.pressure[:, 2]) / 2
    np.testing.assert_allclose(middle, near.pressure[:, 1], rtol=1e-4)
    with pytest.raises(ConfigError, match="nowhere"):
        LinearSolver(order=1).solve(cohort, ("nowhere",))


@pytest.mark.physics
def test_finer_settings_change_little():
    cohort = Cohort.sample(6, seed=5)
    fine = LinearSolver(order=1, max_segment_length=0.01, sweeps=9).solve(cohort, ALL)
    usual = LinearSolver(order=1).solve(cohort, ALL)
    error = (grid(fine.pressure[0], 256) - grid(usual.pressure[0], 256)) / MMHG
    assert abs(error).max() < 0.1
    mean = abs(fine.pressure[:, :, 0] - usual.pressure[:, :, 0]) / MMHG
    assert mean.max() < 0.02


@pytest.mark.physics
def test_sweeps_converge_and_say_how_far():
    cohort = Cohort.sample(20, seed=5, population=Population.older_clinic())
    means = [
        LinearSolver(order=1, harmonics=1, sweeps=sweeps).solve(cohort, ALL)
        for sweeps in (2, 3, 4, LinearSolver(order=1).sweeps, 12)
    ]
    last = means[-1].pressure[:, :, 0].real
    for waves in means[:-1]:
        error = abs(waves.pressure[:, :, 0].real - last).max(axis=1)
        assert (error <= waves.residual).all()
    assert (means[1].residual < 0.2 * means[0].residual).all()
    assert (abs(means[3].pressure[:, :, 0] / last - 1.0) < 1e-9).all()
    assert (means[3].residual < LinearSolver(order=1).tolerance / 100).all()
    assert (means[0].residual > LinearSolver(order=1).tolerance).all()


PARAMETERS = [
    "length", "inlet_radius", "outlet_radius", "k3", "proximal", "distal", "capacity",
    "period", "inflow", "reference_pressure", "outflow_pressure", "k1", "k2",
]  # fmt: skip


@pytest.mark.parametrize("friction", ["poiseuille", "womersley"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_gradient_agrees_with_central_differences(name, friction):
    """Pressure, flow and lumen on a network with a loop, in a random direction."""
    tree = network([1, 2, 2, 3, 4, 3], [2, 3, 4, 4, 5, 6], radius=3e-3)
    body = dataclasses.replace(
        arteries(tree),
        viscous=np.ones(6, dtype=np.bool_),
        outflow_pressure=np.array([3e3]),
    )
    solver = LinearSolver(order=1, harmonics=6, engine="torch", friction=friction)
    layout = solver.layout(tree, ["artery 4@0.3"])
    usual = solver.tensors(body)
    probe = layout.tree.probes["artery 4@0.3"]
    generator = torch.Generator().manual_seed(len(name))
    value = getattr(usual, name)
    towards = value * torch.rand(value.shape, generator=generator, dtype=torch.float64)

    def seen(step):
        changed = dataclasses.replace(usual, **{name: value + step * towards})
        state = solver.propagate(changed, layout)
        scales = {"pressure": 1e-4, "flow": 1e4, "area": 1e5}
        return sum(
            scale
            * (wave[:, 0].real + 2 * wave[:, 1:].real.sum(dim=1) + wave.imag.sum(dim=1))
            for kind, scale in scales.items()
            for wave in [getattr(state, f"{kind}_at")(probe.piece, at_inlet=False)]
        ).sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(seen(step), step)
    with torch.no_grad():
        numeric = (seen(1e-5) - seen(-1e-5)) / 2e-5
    assert slope.item() == pytest.approx(numeric.item(), rel=1e-5)
    assert abs(slope.item()) > 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"harmonics": 0}, "harmonics is 0"),
        ({"max_segment_length": 1.0}, "0.001 to 0.2"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"sweeps": 0}, "sweeps is 0"),
        ({"tolerance": 0.0}, "wanted a positive"),
        ({"tolerance": np.inf}, "tolerance is inf Pa; wanted a positive, finite"),
        ({"tolerance": np.nan}, "wanted a positive"),
        ({"device": "cuda"}, "engine='torch'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LinearSolver(**settings)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("engine", "fused or torch"),
        ("friction", "poiseuille or womersley"),
        ("junctions", "static or total"),
        ("order", "1 or 2"),
    ],
)
def test_a_word_of_a_configuration_is_checked(name, wanted):
    """Past the type checker of the tests, as a configuration file would."""
    solver = LinearSolver(order=1)
    object.__setattr__(solver, name, "other")
    with pytest.raises(ConfigError, match=f"{name} is 'other'; wanted {wanted}"):
        solver.__post_init__()
