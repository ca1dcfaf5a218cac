"""What is quadratic in the pulse: products of waves, and the laws of smallness."""

import dataclasses

import numpy as np
import pytest
import torch

from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.inflow import Inflow
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import SITES
from capnet.hemodynamics.nonlinear import NonlinearSolver
from capnet.hemodynamics.population import Population
from capnet.hemodynamics.products import LANES, square, transform, turns
from capnet.hemodynamics.second_order import LARGEST, Ducts, products, samples, squared
from capnet.hemodynamics.spectra import grid
from capnet.hemodynamics.wall import area
from capnet.units import MMHG
from tests.hemodynamics.people import arteries, inflow, network

ALL = tuple(SITES)
FORK = network([1, 2, 2], [2, 3, 4], length=0.1)


def _pulses(sizes, *, viscous=True):
    """One tapered fork with pulses of several sizes about the same mean pressure."""
    size = np.array(sizes)
    count = len(size)
    body = Arteries.concatenate([arteries(FORK)] * count)
    angle = np.linspace(0.0, 2 * np.pi, 65)
    beat = 1e-4 * (1.0 - np.cos(angle)) * (1.0 + 0.5 * np.sin(angle))
    return dataclasses.replace(
        body,
        inlet_radius=body.inlet_radius * np.array([1.0, 0.8, 0.6]),
        outlet_radius=body.outlet_radius * np.array([0.8, 0.7, 0.8]),
        viscous=np.full(3, viscous),
        outflow_pressure=1.2e4 - 0.55e5 * size,
        inflow=Inflow(
            np.full(count, 0.8),
            np.tile(angle * 0.8 / (2 * np.pi), (count, 1)),
            size[:, None] * beat,
        ),
    )


def _cohort(body):
    n = len(body)
    return Cohort(np.arange(n), np.full(n, 30.0), {}, bodies=body)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 12, 64, 96, 192])
def test_transform_is_the_inverse_fourier_transform(count):
    rng = np.random.default_rng(count)
    x = rng.normal(size=(count, 2, LANES))
    wanted = np.fft.ifft(x[:, 0] + 1j * x[:, 1], axis=0) * count
    found, spare = transform(x.copy(), np.empty_like(x), turns(count))
    assert found is not spare
    np.testing.assert_allclose(found[:, 0], wanted.real, atol=1e-12)
    np.testing.assert_allclose(found[:, 1], wanted.imag, atol=1e-12)


@pytest.mark.parametrize("harmonics", [1, 2, 5, 10, 24, 30, 60, 120])
def test_grid_is_fine_enough_and_has_small_factors(harmonics):
    count = samples(harmonics)
    assert 3 * harmonics < count <= 6 * harmonics + 2
    while count % 2 == 0:
        count //= 2
    assert count in (1, 3)


def _convolved(one, other, harmonics):
    """Spectrum of the product of two real waves, from their harmonics alone."""
    two_sided = [np.concatenate([w[:0:-1].conj(), w]) for w in (one, other)]
    whole = np.convolve(*two_sided)
    middle = len(whole) // 2
    return whole[middle : middle + harmonics + 1]


def _wave(rng, harmonics):
    wave = rng.normal(size=harmonics + 1) + 1j * rng.normal(size=harmonics + 1)
    wave[0] = wave[0].real
    return wave


def test_squares_do_not_alias():
    rng, harmonics = np.random.default_rng(0), 10
    waves = np.stack([_wave(rng, harmonics) for _ in range(LANES)])
    wanted = np.stack([_convolved(w, w, harmonics) for w in waves])
    found = squared(torch.from_numpy(waves)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    both = np.stack([waves.real.T, waves.imag.T], axis=1)
    square(both, turns(samples(harmonics)))
    np.testing.assert_allclose(both[:, 0] + 1j * both[:, 1], wanted.T, atol=1e-12)


def test_sources_are_the_products_they_are_said_to_be():
    rng, harmonics = np.random.default_rng(1), 9
    omega = 2.0 * np.arange(1, harmonics + 1)
    pressure, flow = _wave(rng, harmonics), _wave(rng, harmonics)
    pressure[0] = 0.0
    delay, stretch, inertia, friction, uptake, inlet, outlet, above, below = values = (
        rng.uniform(0.1, 1.0, len(Ducts._fields))
    )
    found = products(
        Ducts(*(torch.full((1, 1), v, dtype=torch.float64) for v in values)),
        torch.from_numpy(pressure[None, None, 1:]),
        torch.from_numpy(flow[None, None]),
        torch.from_numpy(omega[None]),
    )
    turn = 1j * np.concatenate([[0.0], omega])
    elastic = pressure / (1.0 + delay * turn)
    half = uptake * elastic * turn
    near, far = (_convolved(w, w, harmonics) for w in (flow + half, flow - half))
    drag = inertia * flow * turn + friction * flow
    drop = outlet * far - inlet * near - _convolved(elastic, drag, harmonics)
    gain = uptake * stretch * turn * _convolved(elastic, elastic, harmonics)
    for got, wanted in zip(
        found, (drop, gain[1:], above * near, below * far), strict=True
    ):
        np.testing.assert_allclose(got[0, 0].numpy(), wanted, rtol=1e-10)


@pytest.mark.physics
@pytest.mark.parametrize("junctions", ["static", "total"])
@pytest.mark.parametrize("viscous", [True, False])
def test_error_falls_with_the_square_and_with_the_cube_of_the_pulse(junctions, viscous):
    """Against the nonlinear solver, whose own error in space and time is linear.

    What is linear in the pulse is taken from a very small one.
    """
    sizes = np.array([0.4, 0.2, 0.1, 1.0 / 64.0])
    people = _cohort(_pulses(sizes, viscous=viscous))
    sites = ("artery 1@0", "artery 1@0.6", "artery 2@1", "artery 3@0.5")
    wanted = NonlinearSolver(
        junctions=junctions, harmonics=20, tolerance=1e-3, max_beats=60
    ).solve(people, sites)

    def errors(order, name):
        found = LinearSolver(
            order=order, junctions=junctions, harmonics=20, max_segment_length=0.02
        ).solve(people, sites)
        error = (getattr(wanted, name) - getattr(found, name))[:, :, :8]
        error = error[:3] - (sizes[:3] / sizes[3])[:, None, None] * error[3]
        return np.sqrt((abs(error) ** 2).sum(axis=(1, 2)))

    for name in ("pressure", "flow", "area"):
        first, second = errors(1, name), errors(2, name)
        # from 0.2 to 0.1 of a pulse: 4 times and 8 times smaller
        assert 3.6 < first[1] / first[2] < 4.6, name
        assert 6.3 < second[1] / second[2] < 9.5, name
        assert second[2] < 0.15 * first[2], name


@pytest.mark.physics
@pytest.mark.parametrize("junctions", ["static", "total"])
def test_people_resemble_the_nonlinear_ones(junctions):
    people = Cohort.sample(4, seed=1, population=Population())
    solver = NonlinearSolver(junctions=junctions, harmonics=30, tolerance=2.0)
    wanted = solver.solve(people, ALL).pressure
    limits = np.array([0.25, 0.25, 0.35, 0.8, 1.3, 0.8])
    errors, means = [], []
    for order in (1, 2):
        found = LinearSolver(order=order, junctions=junctions).solve(people, ALL)
        error = (found.pressure - wanted) / MMHG
        waves = np.stack([grid(error[:, k], 128) for k in range(len(ALL))])
        errors.append(np.sqrt((waves**2).mean(axis=2)).mean(axis=1))
        means.append(abs(error[:, :, 0].real.mean(axis=0)))
    assert (errors[1] < limits).all()
    assert (errors[1] < 0.5 * errors[0]).all()
    assert (means[1] < 0.05).all()
    assert (means[1][:2] < 0.3 * means[0][:2]).all()


def _ends(body, **settings):
    """Spectra at both ends of every artery of the fork."""
    solver = LinearSolver(harmonics=12, order=2, **settings)
    sites = [f"artery {a}@{end}" for a in (1, 2, 3) for end in (0, 1)]
    layout = solver.layout(FORK, sites)
    return solver.waves(body, layout, {s: layout.tree.probes[s] for s in sites})


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("junctions", ["static", "total"])
def test_all_that_enters_a_fork_leaves_it(engine, junctions):
    body = _pulses([1.0, 0.3])
    waves = _ends(body, engine=engine, junctions=junctions)
    root, before, left, leftmost, right, rightmost = np.moveaxis(waves.flow, 1, 0)
    scale = abs(root).max()
    np.testing.assert_allclose(before, left + right, atol=1e-9 * scale)
    np.testing.assert_allclose(root, body.inflow.harmonics(12), atol=1e-9 * scale)
    mean = (leftmost + rightmost)[:, 0]
    np.testing.assert_allclose(mean, body.inflow.output, rtol=1e-9)


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_beds_stay_what_they_are(engine):
    """Pressure over flow at an outlet is the impedance of the Windkessel."""
    waves = _ends(_pulses([1.0]), engine=engine)
    omega = 2 * np.pi / 0.8 * np.arange(1, 13)
    load = 1e8 + 1e9 / (1 + 1j * omega * 1e9 * 1e-9)
    for k in (3, 5):
        pressure, flow = waves.pressure[0, k], waves.flow[0, k]
        np.testing.assert_allclose(pressure[1:] / flow[1:], load, rtol=1e-9)
        above = pressure[0].real - (1.2e4 - 0.55e5)
        assert above / flow[0].real == pytest.approx(1.1e9, rel=1e-9)


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_what_is_the_same_in_arteries_that_meet(engine):
    """Static pressure, or what the linear part of velocity squared adds to it."""
    body = _pulses([0.01])
    static = _ends(body, engine=engine, junctions="static").pressure[0, [1, 2, 4]]
    np.testing.assert_array_equal(static[0], static[1])
    np.testing.assert_array_equal(static[0], static[2])
    total = _ends(body, engine=engine, junctions="total")
    lumens, flows = total.area[0, [1, 2, 4], 0].real, total.flow[0, [1, 2, 4]]
    heads = np.stack(
        [
            530.0 * _convolved(flow, flow, 12) / lumen**2
            for flow, lumen in zip(flows, lumens, strict=True)
        ]
    )
    whole = total.pressure[0, [1, 2, 4]] + heads
    spread = abs(whole - whole[0]).max()
    assert spread < 0.05 * abs(heads - heads[0]).max()
    assert abs(total.pressure[0, 1] - total.pressure[0, 2]).max() > 20 * spread


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_lumen_follows_the_pressure_by_the_whole_tube_law(engine):
    body = _pulses([1.0], viscous=False)
    waves = _ends(body, engine=engine)
    radius = np.array([5e-3])
    beta = (body.k1[0] * np.exp(body.k2[0] * radius) + 5e4) * 4.0 / 3.0
    fine = grid(waves.pressure[:, 0], 64)[0]
    lumen = area(fine, np.full(64, 1.2e4), np.full(64, 5e-3), np.full(64, beta[0]))
    wanted = np.fft.rfft(lumen)[:13] / 64
    np.testing.assert_allclose(waves.area[0, 0], wanted, atol=1e-12)


def test_nobody_depends_on_company():
    people = Cohort.sample(LANES + 3, seed=2)
    solver = LinearSolver(harmonics=6, order=2, batch_size=2 * LANES, threads=1)
    together = solver.solve(people, ALL)
    alone = dataclasses.replace(solver, batch_size=1, threads=2).solve(people, ALL)
    for name in ("pressure", "flow", "area"):
        np.testing.assert_allclose(
            getattr(together, name), getattr(alone, name), rtol=1e-7, atol=1e-16
        )


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_collapsed_artery_is_nobodys_number_and_nobody_elses_trouble(engine):
    body = _pulses([1.0, 0.5, 0.3])
    reference = body.reference_pressure.copy()
    reference[1] = 3e5
    bad = dataclasses.replace(body, reference_pressure=reference)
    found, wanted = _ends(bad, engine=engine), _ends(body, engine=engine)
    for name in ("pressure", "flow", "area"):
        assert np.isnan(getattr(found, name)[1]).all()
        np.testing.assert_allclose(
            getattr(found, name)[[0, 2]], getattr(wanted, name)[[0, 2]], rtol=1e-9
        )


def _wild():
    """Forks so soft that the expansion says nothing, and one that is sound between."""
    soft = arteries(FORK, k3=1.5e4)
    wild = [dataclasses.replace(soft, inflow=inflow(sv=sv)) for sv in (1.0, 5.0, 20.0)]
    body = Arteries.concatenate([wild[0], soft, *wild[1:]])
    return body, np.array([True, False, True, True])


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
@pytest.mark.parametrize("place", ["artery 1@0", "artery 2@0.5", "artery 3@1"])
def test_what_is_no_correction_is_reported_as_failed(engine, place):
    body, wild = _wild()
    solver = LinearSolver(engine=engine)
    sites = ("artery 2@1", place)
    linear = dataclasses.replace(solver, order=1).solve(_cohort(body), sites)
    assert np.isfinite(linear.pressure).all()
    found = solver.solve(_cohort(body), sites)
    for name in ("pressure", "flow", "area", "residual"):
        value = getattr(found, name)
        assert np.isnan(value[wild]).all(), name
        assert np.isfinite(value[~wild]).all(), name
    sound = solver.solve(_cohort(body.take(np.flatnonzero(~wild))), sites)
    np.testing.assert_allclose(found.pressure[~wild], sound.pressure, rtol=1e-9)


@pytest.mark.physics
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_wave_that_shuts_an_artery_is_reported_as_failed(engine):
    """A short soft tube follows the pressure of its bed, until there is no lumen."""
    tube = arteries(network([1], [2], length=1e-3, radius=1e-2), k3=3e4)
    tube = dataclasses.replace(tube, k1=np.zeros(1))
    solver = LinearSolver(engine=engine, harmonics=12)
    wave = grid(solver.solve(_cohort(tube), ("artery 1@0",)).pressure[:, 0], 64)
    beta = 4.0 / 3.0 * 3e4
    body = Arteries.concatenate([tube] * 3)
    shut = wave.min() + beta + np.array([-2e3, 2e3, -2e3])
    bad = dataclasses.replace(body, reference_pressure=shut)
    found = solver.solve(_cohort(bad), ("artery 1@0",))
    assert np.isnan(found.residual).tolist() == [False, True, False]
    assert np.isnan(found.area[1]).all()
    assert np.isnan(found.pressure[1]).all()
    # it is the lumen only: the wave is nearly what it is in a wide tube
    np.testing.assert_allclose(grid(found.pressure[0], 64), wave, rtol=0.05)


@pytest.mark.physics
@pytest.mark.parametrize("population", [Population(), Population.older_clinic()])
def test_people_are_far_from_the_limit_of_the_second_order(population):
    people = Cohort.sample(400, seed=0, population=population)
    second = LinearSolver().solve(people, ALL)
    assert np.isfinite(second.residual).all()
    first = LinearSolver(order=1).solve(people, ALL)
    for k in range(len(ALL)):
        added = grid(second.pressure[:, k] - first.pressure[:, k], 96)
        wave = grid(first.pressure[:, k], 96)
        assert (np.ptp(added, axis=1) / np.ptp(wave, axis=1)).max() < 0.5 * LARGEST


@pytest.mark.parametrize("name", ["length", "inlet_radius", "k3", "inflow", "period"])
def test_gradient_agrees_with_central_differences(name):
    body = _pulses([1.0])
    solver = LinearSolver(harmonics=6, engine="torch", order=2)
    layout = solver.layout(FORK, ["artery 2@0.3"])
    usual = solver.tensors(body)
    probe = layout.tree.probes["artery 2@0.3"]
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
