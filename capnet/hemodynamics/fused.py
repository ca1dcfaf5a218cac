"""The linear solver in one pass: mean state, waves and read-out, subject by subject.

The same equations as `capnet.hemodynamics.linear`, compiled. Subjects travel in groups
of `LANES`, side by side in the last axis of every array, so that one instruction of
the processor serves all of them and nothing outlives its group. Complex numbers are
kept as two rows, real and imaginary. Lanes never mix: but for rounding (how often
arteries are halved is decided for the group), a subject's answer does not depend on who
travels along.
"""

import math
from typing import Final, NamedTuple, no_type_check

import numpy as np

from capnet.compiled import compiled
from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.elimination import Steps
from capnet.hemodynamics.friction import LEVELS
from capnet.hemodynamics.products import (
    DUCT,
    LANES,
    multiply,
    square,
    transform,
    turns,
)
from capnet.hemodynamics.second_order import LARGEST
from capnet.hemodynamics.spectra import turn
from capnet.hemodynamics.wall import VISCOSITY_FLOOR, VISCOSITY_SLOPE

__all__ = [
    "BOTTOM",
    "LANES",
    "TOP",
    "Answer",
    "Bodies",
    "Equations",
    "Route",
    "bodies",
    "halvings",
    "run",
    "run_second",
]

_FLAGS: Final = {"contract", "arcp", "nsz"}
"""Of the compiler: nothing that would make a NaN a number or reorder sums."""

TOP: Final = (1.0, 2.0 / 15.0, 2.0 / 585.0, 8.0 / 450450.0)
"""Numerator, in powers of h^2, of tanh(h)/h within 1e-13 for |h| up to 1: eight levels
of Lambert's continued fraction 1/(1 + h^2/(3 + h^2/(5 + ...)))."""
BOTTOM: Final = (1.0, 7.0 / 15.0, 1.0 / 39.0, 2.0 / 6435.0, 1.0 / 2027025.0)
"""Its denominator."""

# What a short artery is made of: rows of `wall` ...
_LOSS, _GIVE, _LUMEN, _LENGTH, _VOIGT, _RESISTANCE, _MIDDLE, _FALL = range(8)
# ... and what it opposes to a wave: rows of `line`.
_FRICTION, _INERTANCE, _CAPACITY, _DELAY = range(4)
# A Windkessel: R1, R1 + R2 and R2 C.
_PROXIMAL, _TOTAL, _LAG = range(3)


class Route(NamedTuple):
    """Where everything lies, the same for all subjects.

    Attributes:
        inlet, outlet, link, parent: Nodes, link and artery of each piece. (piece,).
        span: Part of its artery's length that each of its shorts has. (piece,).
        first: Where the shorts of each piece begin. Shape (piece + 1,).
        place: Fraction of the artery at the middle of each short. Shape (short,).
        bed: Node of each bed. Shape (terminal,).
        probe_piece, probe_inlet, probe_place: Piece that each site ends, whether at
            its inlet, and fraction of the artery. Shape (site,).
        back: Steps that the sites need on the way back. Shape (some,).
        fork: Whether others meet the inlet, and the outlet, of a piece. (piece, 2).
    """

    inlet: np.ndarray
    outlet: np.ndarray
    link: np.ndarray
    parent: np.ndarray
    span: np.ndarray
    first: np.ndarray
    place: np.ndarray
    bed: np.ndarray
    probe_piece: np.ndarray
    probe_inlet: np.ndarray
    probe_place: np.ndarray
    back: np.ndarray
    fork: np.ndarray


class Bodies(NamedTuple):
    """Subjects, one row each; see `Arteries`.

    ``time`` and ``flow`` are the inflow's.
    """

    viscous: np.ndarray
    k1: np.ndarray
    k2: np.ndarray
    length: np.ndarray
    inlet_radius: np.ndarray
    outlet_radius: np.ndarray
    k3: np.ndarray
    reference: np.ndarray
    outflow: np.ndarray
    proximal: np.ndarray
    distal: np.ndarray
    capacity: np.ndarray
    period: np.ndarray
    time: np.ndarray
    flow: np.ndarray


class Equations(NamedTuple):
    """What is solved.

    Attributes:
        density: kg/m3.
        steady: Pressure gradient per flow times A^2 of steady flow, Pa s.
        viscosity: Pa s, of oscillating flow; 0 if its friction is that of steady flow.
        sweeps: Passes through the tube law.
        momentum: Flux of momentum over its value for a flat velocity profile.
        total: Whether arteries that meet share total pressure; static otherwise.
    """

    density: float
    steady: float
    viscosity: float
    sweeps: int
    momentum: float
    total: bool


class Answer(NamedTuple):
    """Where the answer goes, see `capnet.hemodynamics.spectra.Spectra`."""

    pressure: np.ndarray
    flow: np.ndarray
    area: np.ndarray
    residual: np.ndarray


def bodies(arteries: Arteries, *, viscoelastic: bool) -> Bodies:
    """Return what the kernel reads, row by row in memory.

    Args:
        arteries: The subjects.
        viscoelastic: Whether their walls are viscous; elastic otherwise.
    """

    def rows(array: np.ndarray) -> np.ndarray:
        # writable, so that there is one kind of array and one compilation
        return np.require(array, np.float64, ["C", "W", "E"])

    beds, inflow = arteries.beds, arteries.inflow
    return Bodies(
        viscous=arteries.viscous & viscoelastic,
        k1=rows(arteries.k1),
        k2=rows(arteries.k2),
        length=rows(arteries.length),
        inlet_radius=rows(arteries.inlet_radius),
        outlet_radius=rows(arteries.outlet_radius),
        k3=rows(arteries.k3),
        reference=rows(arteries.reference_pressure),
        outflow=rows(arteries.outflow_pressure),
        proximal=rows(beds.proximal),
        distal=rows(beds.distal),
        capacity=rows(beds.compliance),
        period=rows(inflow.period),
        time=rows(inflow.time),
        flow=rows(inflow.flow),
    )


@compiled()
@no_type_check
def halvings(largest: float) -> int:
    """Return how often arteries must be halved so that |h|^2 falls from this to 1."""
    times = 0
    while largest > 1.0 and times < 20:
        largest *= 0.25
        times += 1
    return times


class _Room(NamedTuple):
    """Where a group of subjects is solved."""

    rows: np.ndarray
    omega: np.ndarray
    source: np.ndarray
    wall: np.ndarray
    line: np.ndarray
    port: np.ndarray
    ground: np.ndarray
    link: np.ndarray
    share: np.ndarray
    enter: np.ndarray
    value: np.ndarray
    mean: np.ndarray
    flow: np.ndarray
    change: np.ndarray
    bed: np.ndarray
    local: np.ndarray


@compiled(fastmath=_FLAGS)
@no_type_check
def _make_room(route: Route, steps: Steps, harmonics: int) -> _Room:
    pieces, shorts, nodes = len(route.parent), len(route.place), steps.n_nodes
    return _Room(
        np.empty(LANES, np.int64),
        np.empty((1, LANES)),
        np.empty((harmonics + 1, 2, LANES)),
        np.empty((shorts, 8, LANES)),
        np.empty((shorts, 4, LANES)),
        np.empty((pieces, 6, LANES)),
        np.empty((nodes, 2, LANES)),
        np.empty((steps.n_links, 2, LANES)),
        np.empty((len(steps.near), 2, LANES)),
        np.empty((nodes, 2, LANES)),
        np.empty((nodes, 2, LANES)),
        np.empty((nodes, LANES)),
        np.empty((pieces, LANES)),
        np.empty(LANES),
        np.empty((len(route.bed), 3, LANES)),
        np.empty((len(route.probe_piece), 5, LANES)),
    )


@compiled(fastmath=_FLAGS)
@no_type_check
def run(
    route: Route, steps: Steps, body: Bodies, equations: Equations, answer: Answer
) -> None:
    """Solve the linear equations for all subjects of a block.

    Args:
        route: From the layout.
        steps: From the layout's plan, see `capnet.hemodynamics.elimination`.
        body: The subjects.
        equations: What is solved.
        answer: Is filled; NaN where an artery collapses or numbers are not finite.
    """
    subjects, harmonics = len(body.period), answer.pressure.shape[2] - 1
    room = _make_room(route, steps, harmonics)
    short, joint = np.empty((1, 4, LANES)), np.empty((1, 4, LANES))
    for start in range(0, subjects, LANES):
        count = min(LANES, subjects - start)
        slow, fast = _settle(route, steps, body, equations, start, count, room)
        room.local[:, 4] = 0.0
        _read_mean(route, body, start, count, room, answer)
        for k in range(1, harmonics + 1):
            largest = _set_pace(body, k, slow, fast, room)
            _cascade(
                route, equations, room.omega, largest, room.line, room.port,
                short, joint,
            )  # fmt: skip
            _connect(route, room.omega, room.bed, room.port, room.ground, room.link)
            _feed(steps, k, room)
            _eliminate(steps, route.back, False, room)
            _read_wave(route, start, count, k, room, answer)


@compiled(fastmath=_FLAGS)
@no_type_check
def run_second(
    route: Route,
    steps: Steps,
    body: Bodies,
    equations: Equations,
    samples: int,
    answer: Answer,
) -> None:
    """Solve to second order for all subjects of a block.

    See `capnet.hemodynamics.second_order`.

    Args:
        route: From the layout.
        steps: From the layout's plan.
        body: The subjects.
        equations: What is solved.
        samples: Times at which waves are multiplied.
        answer: Is filled; NaN where an artery collapses, numbers are not finite or the
            second order is too large to be a correction.
    """
    subjects, harmonics = len(body.period), answer.pressure.shape[2] - 1
    pieces, shorts, sites = len(route.parent), len(route.place), answer.flow.shape[1]
    room, rows = _make_room(route, steps, harmonics), harmonics + 1
    short, joint = np.empty((shorts, 4, LANES)), np.empty((shorts, 4, LANES))
    duct, turn = np.empty((shorts, DUCT, LANES)), turns(samples)
    wave = np.empty((shorts, rows, 4, LANES))
    head = np.zeros((pieces, rows, 4, LANES))
    into = np.empty((pieces, 4, LANES))
    both = np.empty((sites, rows, 4, LANES))
    stretch = np.empty((sites, rows, 2, LANES))
    every, ends = np.arange(len(steps.node) - 1, -1, -1), _find_ends(route, equations)
    for start in range(0, subjects, LANES):
        count = min(LANES, subjects - start)
        slow, fast = _settle(route, steps, body, equations, start, count, room)
        for k in range(rows):
            largest = _set_pace(body, k, slow, fast, room)
            if k > 0:
                _cascade(
                    route, equations, room.omega, largest, room.line, room.port,
                    short, joint,
                )  # fmt: skip
                _connect(route, room.omega, room.bed, room.port, room.ground, room.link)
                _feed(steps, k, room)
                _eliminate(steps, every, False, room)
            _spread(route, k, room, short, joint, wave)
            _keep_first(route, k, room, both)
        _make_ducts(route, body, equations, room, duct)
        multiply(duct, ends, turn, wave, head)
        _correct_mean(route, steps, every, wave, head, room)
        for v in range(sites):
            p = route.probe_piece[v]
            row = 0 if route.probe_inlet[v] else 2
            for j in range(LANES):
                room.local[v, 4, j] = head[p, 0, row, j]
        _read_mean(route, body, start, count, room, answer)
        for k in range(1, rows):
            largest = _set_pace(body, k, slow, fast, room)
            _cascade(
                route, equations, room.omega, largest, room.line, room.port,
                short, joint,
            )  # fmt: skip
            _connect(route, room.omega, room.bed, room.port, room.ground, room.link)
            room.enter[:] = 0.0
            _feed(steps, k, room)
            _collect(route, k, short, joint, wave, head, into, room)
            _eliminate(steps, route.back, True, room)
            _read_second(
                route, start, count, k, head, into, room, both, stretch, answer
            )
        for v in range(sites):
            for j in range(LANES):
                stretch[v, 0, 0, j] = room.local[v, 4, j]
                stretch[v, 0, 1, j] = 0.0
        _judge(both, stretch, turn, room.change)
        _read_lumen(start, count, turn, stretch, room, answer)
        _strike(start, count, room.change, answer)


@compiled(fastmath=_FLAGS)
@no_type_check
def _settle(
    route: Route,
    steps: Steps,
    body: Bodies,
    equations: Equations,
    start: int,
    count: int,
    room: _Room,
) -> tuple[float, float]:
    """Find the mean state of a group and linearise about it; see `_linearise`."""
    for j in range(LANES):
        room.rows[j] = start + min(j, count - 1)
    _shape_walls(route, body, room.rows, equations.steady, room.wall)
    _load_beds(body, room.rows, room.bed)
    _transform_inflow(body, room.rows, room.source)
    _find_mean(route, steps, body, equations.sweeps, room)
    return _linearise(equations, room.wall, room.line)


@compiled(fastmath=_FLAGS)
@no_type_check
def _set_pace(body: Bodies, k: int, slow: float, fast: float, room: _Room) -> float:
    """Fill the frequencies of a harmonic; return a bound of |h|^2 over all shorts."""
    largest = 0.0
    for j in range(LANES):
        omega = 2.0 * math.pi * k / body.period[room.rows[j]]
        room.omega[0, j] = omega
        bound = 0.25 * omega * (slow + fast * omega)
        if bound > largest:
            largest = bound
    return largest


@compiled(fastmath=_FLAGS)
@no_type_check
def _wall_at(body: Bodies, s: int, a: int, place: float) -> tuple[float, float, float]:
    """Return lumen, 1/beta and Voigt coefficient at a fraction of an artery."""
    first = body.inlet_radius[s, a]
    radius = first + (body.outlet_radius[s, a] - first) * place
    lumen = math.pi * radius * radius
    give = 0.75 / (body.k1[a] * math.exp(body.k2[a] * radius) + body.k3[s, a])
    voigt = 0.0
    if body.viscous[a]:
        voigt = (VISCOSITY_SLOPE / (2.0 * radius) + VISCOSITY_FLOOR) / lumen
    return lumen, give, voigt


@compiled(fastmath=_FLAGS)
@no_type_check
def _shape_walls(
    route: Route, body: Bodies, rows: np.ndarray, steady: float, wall: np.ndarray
) -> None:
    """Fill what the shorts are made of."""
    for p in range(len(route.parent)):
        a = route.parent[p]
        for i in range(route.first[p], route.first[p + 1]):
            for j in range(LANES):
                lumen, give, voigt = _wall_at(body, rows[j], a, route.place[i])
                length = body.length[rows[j], a] * route.span[p]
                wall[i, _LENGTH, j] = length
                wall[i, _LUMEN, j] = lumen
                wall[i, _GIVE, j] = give
                wall[i, _VOIGT, j] = voigt
                wall[i, _LOSS, j] = steady * length / (lumen * lumen)
                wall[i, _RESISTANCE, j] = wall[i, _LOSS, j]


@compiled(fastmath={*_FLAGS, "reassoc"})  # sums over knots in any order
@no_type_check
def _transform_inflow(body: Bodies, rows: np.ndarray, source: np.ndarray) -> None:
    """Fourier coefficients of the periodic polygon, see `Inflow.harmonics`."""
    knots = body.time.shape[1]
    cosine, sine = np.empty(knots), np.empty(knots)
    re, im = np.empty(knots), np.empty(knots)
    for j in range(LANES):
        s, last = rows[j], knots - 1
        period = body.period[s]
        gap = period - body.time[s, last] + body.time[s, 0]
        closing = 0.0
        if gap > 0.0:
            closing = (body.flow[s, 0] - body.flow[s, last]) / gap
        before = closing
        volume = 0.5 * (body.flow[s, 0] + body.flow[s, last]) * gap
        for m in range(knots):
            after = closing
            if m < last:
                step = body.time[s, m + 1] - body.time[s, m]
                after = (body.flow[s, m + 1] - body.flow[s, m]) / step
                volume += 0.5 * (body.flow[s, m + 1] + body.flow[s, m]) * step
            re[m] = after - before
            im[m] = 0.0
            before = after
        for m in range(knots):
            cosine[m], sine[m] = turn(-body.time[s, m] / period)
        source[0, 0, j] = volume / period
        source[0, 1, j] = 0.0
        omega = 2.0 * math.pi / period
        for k in range(1, len(source)):
            total_re, total_im = 0.0, 0.0
            for m in range(knots):
                x = re[m] * cosine[m] - im[m] * sine[m]
                y = re[m] * sine[m] + im[m] * cosine[m]
                re[m] = x
                im[m] = y
                total_re += x
                total_im += y
            scale = -1.0 / (period * (k * omega) ** 2)
            source[k, 0, j] = total_re * scale
            source[k, 1, j] = total_im * scale


@compiled(fastmath=_FLAGS)
@no_type_check
def _find_mean(
    route: Route, steps: Steps, body: Bodies, sweeps: int, room: _Room
) -> None:
    """Find the steady state; `change` is NaN where an artery collapses."""
    bed, wall, mean, flow = room.bed, room.wall, room.mean, room.flow
    ground, link, value, change = room.ground, room.link, room.value, room.change
    total, reference, outflow = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    low, every = np.empty(LANES), np.arange(len(steps.node) - 1, -1, -1)
    for j in range(LANES):
        reference[j] = body.reference[room.rows[j]]
        outflow[j] = body.outflow[room.rows[j]]
    for n in range(len(mean)):
        for j in range(LANES):
            mean[n, j] = reference[j]
    for _ in range(sweeps):
        ground[:] = 0.0
        link[:] = 0.0
        for p in range(len(route.parent)):
            total[:] = 0.0
            for i in range(route.first[p], route.first[p + 1]):
                for j in range(LANES):
                    total[j] += wall[i, _RESISTANCE, j]
            for j in range(LANES):
                flow[p, j] = 1.0 / total[j]
                link[route.link[p], 0, j] += flow[p, j]
        for t in range(len(route.bed)):
            for j in range(LANES):
                ground[route.bed[t], 0, j] = 1.0 / bed[t, _TOTAL, j]
        _feed(steps, 0, room)
        _eliminate(steps, every, False, room)
        change[:] = 0.0
        for n in range(len(mean)):
            for j in range(LANES):
                pressure = value[n, 0, j] + outflow[j]
                change[j] = max(change[j], abs(pressure - mean[n, j]))
                mean[n, j] = pressure
        low[:] = 1.0
        for p in range(len(route.parent)):
            a, b = route.inlet[p], route.outlet[p]
            for j in range(LANES):
                flow[p, j] *= mean[a, j] - mean[b, j]
                total[j] = mean[a, j] - reference[j]
            for i in range(route.first[p], route.first[p + 1]):
                for j in range(LANES):
                    after = total[j] - flow[p, j] * wall[i, _RESISTANCE, j]
                    u = 1.0 + total[j] * wall[i, _GIVE, j]
                    v = 1.0 + after * wall[i, _GIVE, j]
                    square = u * u + v * v
                    fourth = square * square + u * v * (square - u * v)
                    wall[i, _RESISTANCE, j] = 5.0 * wall[i, _LOSS, j] / fourth
                    wall[i, _MIDDLE, j] = 0.5 * (u + v)
                    wall[i, _FALL, j] = u - v
                    low[j] = min(low[j], min(u, v))
                    total[j] = after
    for j in range(LANES):
        if not (low[j] > 0.0 and math.isfinite(mean[steps.root, j])):
            change[j] = math.nan


@compiled(fastmath=_FLAGS)
@no_type_check
def _linearise(
    equations: Equations, wall: np.ndarray, line: np.ndarray
) -> tuple[float, float]:
    """Fill what the shorts oppose to a wave; return bounds of R C and L C."""
    slow, fast, viscosity = 0.0, 0.0, equations.viscosity
    for i in range(len(line)):
        for j in range(LANES):
            stretch = wall[i, _MIDDLE, j]
            root = math.sqrt(wall[i, _LUMEN, j]) * stretch
            lumen = root * root
            give = 2.0 * wall[i, _LUMEN, j] * stretch * wall[i, _GIVE, j]
            length = wall[i, _LENGTH, j]
            resistance = equations.steady * length / (lumen * lumen)
            if viscosity > 0.0:
                resistance = math.pi * viscosity * length / (lumen * lumen)
            line[i, _FRICTION, j] = resistance
            line[i, _INERTANCE, j] = equations.density * length / lumen
            line[i, _CAPACITY, j] = give * length
            line[i, _DELAY, j] = give * wall[i, _VOIGT, j] / root
    for i in range(len(line)):
        for j in range(LANES):
            give = line[i, _CAPACITY, j]
            # comparisons that a NaN fails, so that no lane spoils the others
            if line[i, _FRICTION, j] * give > slow:
                slow = line[i, _FRICTION, j] * give
            if line[i, _INERTANCE, j] * give > fast:
                fast = line[i, _INERTANCE, j] * give
    if viscosity > 0.0:  # Womersley's impedance is at most 8 R + 4/3 i omega L
        return 8.0 * slow, 4.0 / 3.0 * fast
    return slow, fast


@compiled(fastmath=_FLAGS)
@no_type_check
def _load_beds(body: Bodies, rows: np.ndarray, bed: np.ndarray) -> None:
    for t in range(len(bed)):
        for j in range(LANES):
            s = rows[j]
            bed[t, _PROXIMAL, j] = body.proximal[s, t]
            bed[t, _TOTAL, j] = body.proximal[s, t] + body.distal[s, t]
            bed[t, _LAG, j] = body.distal[s, t] * body.capacity[s, t]


@compiled(fastmath=_FLAGS)
@no_type_check
def _cascade(
    route: Route,
    equations: Equations,
    omega: np.ndarray,
    largest: float,
    line: np.ndarray,
    port: np.ndarray,
    short: np.ndarray,
    joint: np.ndarray,
) -> None:
    """Join the shorts of every piece: admittance along it, and to ground at its ends.

    A short is halved until it is at most 1 rad long, where few terms give its tanh,
    and the halves are joined again.

    Keeps as much as there is room for: of the shorts the same admittances; and the
    parts of a current before a short that reach the piece's inlet and its own outlet.
    """
    times = halvings(largest)
    part, one, room = 0.5**times, np.empty((7, LANES)), len(short) - 1
    for p in range(len(route.parent)):
        begin = route.first[p]
        for i in range(begin, route.first[p + 1]):
            n = min(i, room)
            if equations.viscosity > 0.0:
                _oppose_as_womersley(line, i, omega, one)
            else:
                for j in range(LANES):
                    one[0, j] = line[i, _FRICTION, j]
                    one[1, j] = line[i, _INERTANCE, j] * omega[0, j]
            for j in range(LANES):
                z, w = one[0, j] * part, one[1, j] * part
                lag = line[i, _DELAY, j] * omega[0, j]
                give = line[i, _CAPACITY, j] * omega[0, j] * (0.5 * part)
                y = give / (1.0 + lag * lag)
                x = y * lag
                a, b = 0.5 * (z * x - w * y), 0.5 * (z * y + w * x)
                aa, ab = a * a - b * b, 2.0 * a * b
                top = TOP[0] + TOP[1] * a + TOP[2] * aa
                aside = TOP[1] * b + TOP[2] * ab
                cube, cubed = aa * a - ab * b, aa * b + ab * a
                top += TOP[3] * cube
                aside += TOP[3] * cubed
                bottom = BOTTOM[0] + BOTTOM[1] * a + BOTTOM[2] * aa
                below = BOTTOM[1] * b + BOTTOM[2] * ab
                bottom += BOTTOM[3] * cube + BOTTOM[4] * (aa * aa - ab * ab)
                below += BOTTOM[3] * cubed + BOTTOM[4] * (2.0 * aa * ab)
                # s = (D^2 - x N^2) / (z N D) and g = y N / D with N/D = tanh(h)/h
                re, im = z * top - w * aside, z * aside + w * top
                c, d = re * bottom - im * below, re * below + im * bottom
                size = 1.0 / (c * c + d * d)
                c, d = c * size, -d * size
                u, v = top * top - aside * aside, 2.0 * top * aside
                e = bottom * bottom - below * below - (a * u - b * v)
                f = 2.0 * bottom * below - (a * v + b * u)
                short[n, 0, j] = e * c - f * d
                short[n, 1, j] = e * d + f * c
                # N/D = N (z N) / (z N D)
                u, v = top * re - aside * im, top * im + aside * re
                e, f = u * c - v * d, u * d + v * c
                short[n, 2, j] = x * e - y * f
                short[n, 3, j] = x * f + y * e
            for _ in range(times):
                for j in range(LANES):
                    a, b = short[n, 0, j], short[n, 1, j]
                    c, d = short[n, 2, j], short[n, 3, j]
                    e, f = a + c, b + d
                    size = 1.0 / (e * e + f * f)
                    u, v = (a * e + b * f) * size, (b * e - a * f) * size
                    short[n, 0, j] = 0.5 * (a * u - b * v)
                    short[n, 1, j] = 0.5 * (a * v + b * u)
                    short[n, 2, j] = c + c * u - d * v
                    short[n, 3, j] = d + c * v + d * u
            if i == begin:
                for j in range(LANES):
                    port[p, 0, j] = short[n, 0, j]
                    port[p, 1, j] = short[n, 1, j]
                    port[p, 2, j] = short[n, 2, j]
                    port[p, 3, j] = short[n, 3, j]
                    port[p, 4, j] = short[n, 2, j]
                    port[p, 5, j] = short[n, 3, j]
                continue
            for j in range(LANES):
                a, b = port[p, 0, j], port[p, 1, j]
                y, x = short[n, 0, j], short[n, 1, j]
                c, d = port[p, 4, j] + short[n, 2, j], port[p, 5, j] + short[n, 3, j]
                re, im = a + y + c, b + x + d
                size = 1.0 / (re * re + im * im)
                re, im = re * size, -im * size
                e, f = a * re - b * im, a * im + b * re
                u, v = y * re - x * im, y * im + x * re
                joint[n, 0, j] = e
                joint[n, 1, j] = f
                joint[n, 2, j] = u
                joint[n, 3, j] = v
                port[p, 2, j] += e * c - f * d
                port[p, 3, j] += e * d + f * c
                port[p, 4, j] = short[n, 2, j] + u * c - v * d
                port[p, 5, j] = short[n, 3, j] + u * d + v * c
                port[p, 0, j] = e * y - f * x
                port[p, 1, j] = e * x + f * y


@compiled(fastmath=_FLAGS)
@no_type_check
def _oppose_as_womersley(
    line: np.ndarray, i: int, omega: np.ndarray, one: np.ndarray
) -> None:
    """Fill the impedance of a short; see `capnet.hemodynamics.friction`."""
    order = LEVELS + 1.0
    for j in range(LANES):
        # i alpha^2 is purely imaginary: pi mu / A^2 is to rho / A as omega to alpha^2
        q = line[i, _INERTANCE, j] * omega[0, j] / line[i, _FRICTION, j]
        r = order * order
        size = math.sqrt(r * r + q * q)
        a = math.sqrt(0.5 * (size + r))
        b = 0.5 * q / a
        size = 1.0 / (size * size)
        c, d = r * size, -q * size
        # square (4 order^2 - square) / (8 inner^2 root)
        e, f = c * c - d * d, 2.0 * c * d
        u, v = e * a + f * b, f * a - e * b
        u, v = u / (a * a + b * b), v / (a * a + b * b)
        x, y = 0.125 * q * q, 0.5 * q * r
        one[2, j] = order + a + 0.5 * q * d + x * u - y * v
        one[3, j] = b - 0.5 * q * c + x * v + y * u
        one[4, j] = 1.0
        one[5, j] = 0.0
        one[6, j] = q
    for level in range(LEVELS, 1, -1):
        for j in range(LANES):
            c, d = one[2, j], one[3, j]
            one[2, j] = 2.0 * level * c - one[6, j] * one[5, j]
            one[3, j] = 2.0 * level * d + one[6, j] * one[4, j]
            one[4, j] = c
            one[5, j] = d
    for j in range(LANES):
        c, d = one[4, j], one[5, j]
        size = 2.0 * line[i, _FRICTION, j] / (c * c + d * d)
        one[0, j] = (one[2, j] * c + one[3, j] * d) * size
        one[1, j] = (one[3, j] * c - one[2, j] * d) * size
        one[1, j] += line[i, _FRICTION, j] * one[6, j]


@compiled(fastmath=_FLAGS)
@no_type_check
def _connect(
    route: Route,
    omega: np.ndarray,
    bed: np.ndarray,
    port: np.ndarray,
    ground: np.ndarray,
    link: np.ndarray,
) -> None:
    """Put pieces and beds together to a network of admittances."""
    ground[:] = 0.0
    link[:] = 0.0
    for p in range(len(port)):
        a, b, m = route.inlet[p], route.outlet[p], route.link[p]
        for j in range(LANES):
            link[m, 0, j] += port[p, 0, j]
            link[m, 1, j] += port[p, 1, j]
        for j in range(LANES):
            ground[a, 0, j] += port[p, 2, j]
            ground[a, 1, j] += port[p, 3, j]
        for j in range(LANES):
            ground[b, 0, j] += port[p, 4, j]
            ground[b, 1, j] += port[p, 5, j]
    for t in range(len(bed)):
        n = route.bed[t]
        for j in range(LANES):
            lag = bed[t, _LAG, j] * omega[0, j]
            r, x = bed[t, _TOTAL, j], bed[t, _PROXIMAL, j] * lag
            size = 1.0 / (r * r + x * x)
            ground[n, 0, j] += (r + lag * x) * size
            ground[n, 1, j] += (lag * r - x) * size


@compiled(fastmath=_FLAGS)
@no_type_check
def _feed(steps: Steps, k: int, room: _Room) -> None:
    """Let a harmonic of the inflow enter at the root."""
    for j in range(LANES):
        room.enter[steps.root, 0, j] = room.source[k, 0, j]
        room.enter[steps.root, 1, j] = room.source[k, 1, j]


@compiled(fastmath=_FLAGS)
@no_type_check
def _eliminate(steps: Steps, back: np.ndarray, everywhere: bool, room: _Room) -> None:
    """Remove node after node, then find potentials on the way back.

    Currents enter at the root, or everywhere. See
    `capnet.hemodynamics.elimination.substitute`.
    """
    ground, link, share = room.ground, room.link, room.share
    enter, value = room.enter, room.value
    root, total = steps.root, np.empty((2, LANES))
    for t in range(len(steps.node)):
        n, begin, end = steps.node[t], steps.first[t], steps.first[t + 1]
        for j in range(LANES):
            total[0, j] = ground[n, 0, j]
            total[1, j] = ground[n, 1, j]
        for q in range(begin, end):
            m = steps.link[q]
            for j in range(LANES):
                total[0, j] += link[m, 0, j]
                total[1, j] += link[m, 1, j]
        for j in range(LANES):
            re, im = total[0, j], total[1, j]
            size = 1.0 / (re * re + im * im)
            total[0, j] = re * size
            total[1, j] = -im * size
        if everywhere:
            for j in range(LANES):
                re, im = enter[n, 0, j], enter[n, 1, j]
                value[n, 0, j] = re * total[0, j] - im * total[1, j]
                value[n, 1, j] = re * total[1, j] + im * total[0, j]
        for q in range(begin, end):
            m, b = steps.link[q], steps.near[q]
            for j in range(LANES):
                re = link[m, 0, j] * total[0, j] - link[m, 1, j] * total[1, j]
                im = link[m, 0, j] * total[1, j] + link[m, 1, j] * total[0, j]
                share[q, 0, j] = re
                share[q, 1, j] = im
            for j in range(LANES):
                re, im = share[q, 0, j], share[q, 1, j]
                ground[b, 0, j] += re * ground[n, 0, j] - im * ground[n, 1, j]
                ground[b, 1, j] += re * ground[n, 1, j] + im * ground[n, 0, j]
            if everywhere:
                for j in range(LANES):
                    re, im = share[q, 0, j], share[q, 1, j]
                    enter[b, 0, j] += re * enter[n, 0, j] - im * enter[n, 1, j]
                    enter[b, 1, j] += re * enter[n, 1, j] + im * enter[n, 0, j]
        for c in range(steps.bridge_first[t], steps.bridge_first[t + 1]):
            m, q, o = steps.bridge[c], steps.one[c], steps.link[steps.other[c]]
            for j in range(LANES):
                re, im = share[q, 0, j], share[q, 1, j]
                link[m, 0, j] += re * link[o, 0, j] - im * link[o, 1, j]
                link[m, 1, j] += re * link[o, 1, j] + im * link[o, 0, j]
    for j in range(LANES):
        re, im = ground[root, 0, j], ground[root, 1, j]
        size = 1.0 / (re * re + im * im)
        value[root, 0, j] = (enter[root, 0, j] * re + enter[root, 1, j] * im) * size
        value[root, 1, j] = (enter[root, 1, j] * re - enter[root, 0, j] * im) * size
    for t in back:
        n, begin, end = steps.node[t], steps.first[t], steps.first[t + 1]
        if everywhere:
            for j in range(LANES):
                total[0, j] = value[n, 0, j]
                total[1, j] = value[n, 1, j]
        else:
            for j in range(LANES):
                total[0, j] = 0.0
                total[1, j] = 0.0
        for q in range(begin, end):
            b = steps.near[q]
            for j in range(LANES):
                re, im = share[q, 0, j], share[q, 1, j]
                total[0, j] += re * value[b, 0, j] - im * value[b, 1, j]
                total[1, j] += re * value[b, 1, j] + im * value[b, 0, j]
        for j in range(LANES):
            value[n, 0, j] = total[0, j]
            value[n, 1, j] = total[1, j]


@compiled(fastmath=_FLAGS)
@no_type_check
def _read_mean(
    route: Route, body: Bodies, start: int, count: int, room: _Room, answer: Answer
) -> None:
    """Write the mean state at the sites; keep compliance and Voigt time there.

    Pressure lies below that of the node by the last row of ``local``.
    """
    local, mean, flow, change = room.local, room.mean, room.flow, room.change
    for v in range(len(local)):
        p = route.probe_piece[v]
        n = route.inlet[p] if route.probe_inlet[v] else route.outlet[p]
        for j in range(LANES):
            s = room.rows[j]
            lumen, give, voigt = _wall_at(
                body, s, route.parent[p], route.probe_place[v]
            )
            pressure = mean[n, j] - local[v, 4, j]
            stretch = 1.0 + (pressure - body.reference[s]) * give
            local[v, 0, j] = 2.0 * lumen * stretch * give
            local[v, 1, j] = local[v, 0, j] * voigt / (math.sqrt(lumen) * stretch)
            local[v, 2, j] = lumen
            local[v, 3, j] = give
            local[v, 4, j] = stretch
            if math.isnan(change[j]):
                local[v, 0, j] = math.nan
            if j < count:
                wrong = 0.0 * local[v, 0, j]  # NaN if the subject failed
                answer.pressure[start + j, v, 0] = pressure + wrong
                answer.flow[start + j, v, 0] = flow[p, j] + wrong
                answer.area[start + j, v, 0] = lumen * stretch * stretch + wrong
    for j in range(count):
        answer.residual[start + j] = change[j]


@compiled(fastmath=_FLAGS)
@no_type_check
def _read_wave(
    route: Route, start: int, count: int, k: int, room: _Room, answer: Answer
) -> None:
    """Write one harmonic at the sites."""
    omega, port, value, local = room.omega, room.port, room.value, room.local
    for v in range(len(local)):
        p = route.probe_piece[v]
        a, b = route.inlet[p], route.outlet[p]
        for j in range(count):
            first = complex(value[a, 0, j], value[a, 1, j])
            last = complex(value[b, 0, j], value[b, 1, j])
            flow = complex(port[p, 0, j], port[p, 1, j]) * (first - last)
            pressure = last
            if route.probe_inlet[v]:
                pressure = first
                flow += complex(port[p, 2, j], port[p, 3, j]) * first
            else:
                flow -= complex(port[p, 4, j], port[p, 5, j]) * last
            give, lag = local[v, 0, j], omega[0, j] * local[v, 1, j]
            wrong = 0.0 * give
            answer.pressure[start + j, v, k] = pressure + wrong
            answer.flow[start + j, v, k] = flow + wrong
            answer.area[start + j, v, k] = pressure * give / complex(1.0, lag)


@compiled(fastmath=_FLAGS)
@no_type_check
def _find_ends(route: Route, equations: Equations) -> np.ndarray:
    """Return at which ends of shorts dynamic pressure matters, see `multiply`."""
    ends = np.full((len(route.place), 2), -1)
    if equations.total:
        for p in range(len(route.parent)):
            if route.fork[p, 0]:
                ends[route.first[p], 0] = p
            if route.fork[p, 1]:
                ends[route.first[p + 1] - 1, 1] = p
    return ends


@compiled(fastmath=_FLAGS)
@no_type_check
def _spread(
    route: Route,
    k: int,
    room: _Room,
    short: np.ndarray,
    joint: np.ndarray,
    wave: np.ndarray,
) -> None:
    """Keep elastic pressure and flow half-way along every short."""
    value, line, omega = room.value, room.line, room.omega
    behind = np.empty((2, LANES))
    for p in range(len(route.parent)):
        a, b, begin = route.inlet[p], route.outlet[p], route.first[p]
        if k == 0:
            for i in range(begin, route.first[p + 1]):
                wave[i, 0] = 0.0
                for j in range(LANES):
                    wave[i, 0, 2, j] = room.flow[p, j]
            continue
        for j in range(LANES):
            behind[0, j] = value[b, 0, j]
            behind[1, j] = value[b, 1, j]
        for i in range(route.first[p + 1] - 1, begin - 1, -1):
            for j in range(LANES):
                re, im = value[a, 0, j], value[a, 1, j]
                c, d = behind[0, j], behind[1, j]
                e, f = re, im
                if i > begin:
                    e = joint[i, 0, j] * re - joint[i, 1, j] * im
                    f = joint[i, 0, j] * im + joint[i, 1, j] * re
                    e += joint[i, 2, j] * c - joint[i, 3, j] * d
                    f += joint[i, 2, j] * d + joint[i, 3, j] * c
                behind[0, j] = e
                behind[1, j] = f
                lag = line[i, _DELAY, j] * omega[0, j]
                size = 0.5 / (1.0 + lag * lag)
                re, im = e + c, f + d
                wave[i, k, 0, j] = (re + im * lag) * size
                wave[i, k, 1, j] = (im - re * lag) * size
                y = short[i, 0, j] + 0.5 * short[i, 2, j]
                x = short[i, 1, j] + 0.5 * short[i, 3, j]
                re, im = e - c, f - d
                wave[i, k, 2, j] = y * re - x * im
                wave[i, k, 3, j] = y * im + x * re


@compiled(fastmath=_FLAGS)
@no_type_check
def _keep_first(route: Route, k: int, room: _Room, both: np.ndarray) -> None:
    """Keep a harmonic of first-order pressure at the sites, which has no mean."""
    for v in range(len(both)):
        p = route.probe_piece[v]
        n = route.inlet[p] if route.probe_inlet[v] else route.outlet[p]
        for j in range(LANES):
            both[v, k, 0, j] = room.value[n, 0, j] if k > 0 else 0.0
            both[v, k, 1, j] = room.value[n, 1, j] if k > 0 else 0.0
            both[v, k, 2, j] = 0.0
            both[v, k, 3, j] = 0.0


@compiled(fastmath=_FLAGS)
@no_type_check
def _make_ducts(
    route: Route, body: Bodies, equations: Equations, room: _Room, duct: np.ndarray
) -> None:
    """Fill what multiplies the products of waves; time in radians."""
    wall, line, rho = room.wall, room.line, equations.density
    flux = rho * equations.momentum
    for p in range(len(route.parent)):
        a, half = route.parent[p], 0.5 * route.span[p]
        for i in range(route.first[p], route.first[p + 1]):
            for j in range(LANES):
                s = room.rows[j]
                omega = 2.0 * math.pi / body.period[s]
                stretch, give = wall[i, _MIDDLE, j], wall[i, _GIVE, j]
                rest, capacity = wall[i, _LUMEN, j], line[i, _CAPACITY, j]
                lumen = rest * stretch * stretch
                rise, fall = (stretch - 1.0) / give, 0.5 * wall[i, _FALL, j] / give
                near, soft, _ = _wall_at(body, s, a, route.place[i] - half)
                u = 1.0 + (rise + fall) * soft
                near *= u * u
                far, soft, _ = _wall_at(body, s, a, route.place[i] + half)
                v = 1.0 + (rise - fall) * soft
                far *= v * v
                square = lumen * lumen
                duct[i, 0, j] = 0.5 * give / stretch
                duct[i, 1, j] = rho * capacity * omega / square
                duct[i, 2, j] = 2.0 * equations.steady * capacity / (square * lumen)
                duct[i, 3, j] = 0.5 * capacity * omega
                duct[i, 4, j] = flux / (lumen * near)
                duct[i, 5, j] = flux / (lumen * far)
                duct[i, 6, j] = 0.5 * rho / (near * near)
                duct[i, 7, j] = 0.5 * rho / (far * far)


@compiled(fastmath=_FLAGS)
@no_type_check
def _correct_mean(
    route: Route,
    steps: Steps,
    every: np.ndarray,
    wave: np.ndarray,
    head: np.ndarray,
    room: _Room,
) -> None:
    """Add to the mean state what the means of products drive."""
    ground, link, enter, value = room.ground, room.link, room.enter, room.value
    push, total = np.empty((len(route.parent), 2, LANES)), np.empty((2, LANES))
    ground[:] = 0.0
    link[:] = 0.0
    enter[:] = 0.0
    for p in range(len(push)):
        a, b = route.inlet[p], route.outlet[p]
        for j in range(LANES):
            total[0, j] = 0.0
            total[1, j] = head[p, 0, 0, j] - head[p, 0, 2, j]
        for i in range(route.first[p], route.first[p + 1]):
            for j in range(LANES):
                total[0, j] += room.wall[i, _RESISTANCE, j]
                total[1, j] += wave[i, 0, 0, j]
        for j in range(LANES):
            conductance = 1.0 / total[0, j]
            lost = conductance * total[1, j]
            push[p, 0, j] = conductance
            push[p, 1, j] = lost
            link[route.link[p], 0, j] += conductance
            enter[a, 0, j] += lost
            enter[b, 0, j] -= lost
    for t in range(len(room.bed)):
        for j in range(LANES):
            ground[route.bed[t], 0, j] = 1.0 / room.bed[t, _TOTAL, j]
    _eliminate(steps, every, True, room)
    for n in range(len(room.mean)):
        for j in range(LANES):
            room.mean[n, j] += value[n, 0, j]
    for p in range(len(push)):
        a, b = route.inlet[p], route.outlet[p]
        for j in range(LANES):
            change = push[p, 0, j] * (value[a, 0, j] - value[b, 0, j])
            room.flow[p, j] += change - push[p, 1, j]


@compiled(fastmath=_FLAGS)
@no_type_check
def _collect(
    route: Route,
    k: int,
    short: np.ndarray,
    joint: np.ndarray,
    wave: np.ndarray,
    head: np.ndarray,
    into: np.ndarray,
    room: _Room,
) -> None:
    """Bring the sources of a harmonic to the ends of pieces, and into the nodes."""
    port, enter, line, omega = room.port, room.enter, room.line, room.omega
    for p in range(len(route.parent)):
        a, b, begin = route.inlet[p], route.outlet[p], route.first[p]
        into[p] = 0.0
        for i in range(begin, route.first[p + 1]):
            for j in range(LANES):
                re, im = wave[i, k, 0, j], wave[i, k, 1, j]
                c = short[i, 0, j] * re - short[i, 1, j] * im
                d = short[i, 0, j] * im + short[i, 1, j] * re
                uptake = 0.5 * line[i, _CAPACITY, j] * omega[0, j]
                gain, more = -uptake * wave[i, k, 3, j], uptake * wave[i, k, 2, j]
                re, im = into[p, 2, j] + c - gain, into[p, 3, j] + d - more
                e, f, u, v = 1.0, 0.0, 0.0, 0.0
                if i > begin:
                    e, f = joint[i, 0, j], joint[i, 1, j]
                    u, v = joint[i, 2, j], joint[i, 3, j]
                into[p, 0, j] += e * re - f * im
                into[p, 1, j] += e * im + f * re
                into[p, 2, j] = u * re - v * im - c - gain
                into[p, 3, j] = u * im + v * re - d - more
        for j in range(LANES):
            re, im = head[p, k, 0, j], head[p, k, 1, j]
            u, v = head[p, k, 2, j], head[p, k, 3, j]
            c = port[p, 0, j] * (re - u) - port[p, 1, j] * (im - v)
            d = port[p, 0, j] * (im - v) + port[p, 1, j] * (re - u)
            into[p, 0, j] += c + port[p, 2, j] * re - port[p, 3, j] * im
            into[p, 1, j] += d + port[p, 2, j] * im + port[p, 3, j] * re
            into[p, 2, j] += port[p, 4, j] * u - port[p, 5, j] * v - c
            into[p, 3, j] += port[p, 4, j] * v + port[p, 5, j] * u - d
        for j in range(LANES):
            enter[a, 0, j] += into[p, 0, j]
            enter[a, 1, j] += into[p, 1, j]
        for j in range(LANES):
            enter[b, 0, j] += into[p, 2, j]
            enter[b, 1, j] += into[p, 3, j]


@compiled(fastmath=_FLAGS)
@no_type_check
def _read_second(
    route: Route,
    start: int,
    count: int,
    k: int,
    head: np.ndarray,
    into: np.ndarray,
    room: _Room,
    both: np.ndarray,
    stretch: np.ndarray,
    answer: Answer,
) -> None:
    """Write one harmonic of pressure and flow at the sites.

    Keeps what the second order adds to the pressure, and how walls stretch.
    """
    omega, port, value, local = room.omega, room.port, room.value, room.local
    for v in range(len(local)):
        p = route.probe_piece[v]
        a, b = route.inlet[p], route.outlet[p]
        for j in range(LANES):
            first = complex(value[a, 0, j], value[a, 1, j])
            last = complex(value[b, 0, j], value[b, 1, j])
            flow = complex(port[p, 0, j], port[p, 1, j]) * (first - last)
            if route.probe_inlet[v]:
                pressure = first - complex(head[p, k, 0, j], head[p, k, 1, j])
                flow += complex(port[p, 2, j], port[p, 3, j]) * first
                flow -= complex(into[p, 0, j], into[p, 1, j])
            else:
                pressure = last - complex(head[p, k, 2, j], head[p, k, 3, j])
                flow -= complex(port[p, 4, j], port[p, 5, j]) * last
                flow += complex(into[p, 2, j], into[p, 3, j])
            both[v, k, 2, j] = pressure.real - both[v, k, 0, j]
            both[v, k, 3, j] = pressure.imag - both[v, k, 1, j]
            lag = omega[0, j] * local[v, 1, j]
            wave = pressure * local[v, 3, j] / complex(1.0, lag)
            stretch[v, k, 0, j] = wave.real
            stretch[v, k, 1, j] = wave.imag
            if j < count:
                wrong = 0.0 * local[v, 0, j]
                answer.pressure[start + j, v, k] = pressure + wrong
                answer.flow[start + j, v, k] = flow + wrong


@compiled(fastmath=_FLAGS)
@no_type_check
def _judge(
    both: np.ndarray, stretch: np.ndarray, turn: np.ndarray, change: np.ndarray
) -> None:
    """Make ``change`` NaN where the second order is too large to be a correction.

    Args:
        both: What pressure is of first order, and what the second adds. Shape (site,
            harmonic, 4, lane).
        stretch: How the walls stretch, mean first. Shape (site, harmonic, 2, lane).
        turn: From `turns`, of `samples` of the harmonics.
        change: Shape (lane,).
    """
    sites, rows, _, _ = both.shape
    count, shape = len(turn), (len(turn), 2, LANES)
    a, b, least = np.empty(shape), np.empty(shape), np.empty(LANES)
    for v in range(sites):
        a[:] = 0.0
        for j in range(LANES):
            a[0, 0, j] = both[v, 0, 0, j]
            a[0, 1, j] = both[v, 0, 2, j]
        for k in range(1, rows):  # two real waves, one as imaginary part
            for j in range(LANES):
                c, d = both[v, k, 0, j], both[v, k, 1, j]
                e, f = both[v, k, 2, j], both[v, k, 3, j]
                a[k, 0, j] = c - f
                a[k, 1, j] = d + e
                a[count - k, 0, j] = c + f
                a[count - k, 1, j] = e - d
        x, _ = transform(a, b, turn)
        for j in range(LANES):
            low, high, under, over = x[0, 0, j], x[0, 0, j], x[0, 1, j], x[0, 1, j]
            for t in range(1, count):
                low, high = min(low, x[t, 0, j]), max(high, x[t, 0, j])
                under, over = min(under, x[t, 1, j]), max(over, x[t, 1, j])
            if over - under > LARGEST * (high - low):
                change[j] = math.nan
        a[:] = 0.0
        for k in range(rows):
            for j in range(LANES):
                c, d = stretch[v, k, 0, j], stretch[v, k, 1, j]
                a[-k, 0, j] = c
                a[-k, 1, j] = -d
                a[k, 0, j] = c
                a[k, 1, j] = d
        x, _ = transform(a, b, turn)
        for j in range(LANES):
            least[j] = x[0, 0, j]
        for t in range(1, count):
            for j in range(LANES):
                least[j] = min(least[j], x[t, 0, j])
        for j in range(LANES):
            if not least[j] > 0.0:
                change[j] = math.nan


@compiled(fastmath=_FLAGS)
@no_type_check
def _strike(start: int, count: int, change: np.ndarray, answer: Answer) -> None:
    """Write NaN for subjects who failed."""
    for j in range(count):
        if math.isnan(change[j]):
            answer.pressure[start + j] = math.nan
            answer.flow[start + j] = math.nan
            answer.area[start + j] = math.nan
            answer.residual[start + j] = math.nan


@compiled(fastmath=_FLAGS)
@no_type_check
def _read_lumen(
    start: int,
    count: int,
    turn: np.ndarray,
    stretch: np.ndarray,
    room: _Room,
    answer: Answer,
) -> None:
    """Write the lumens at the sites: that at rest times the square of the stretch."""
    for v in range(len(stretch)):
        square(stretch[v], turn)
        for j in range(count):
            lumen = room.local[v, 2, j] + 0.0 * room.local[v, 0, j]
            for k in range(stretch.shape[1]):
                wave = complex(stretch[v, k, 0, j], stretch[v, k, 1, j])
                answer.area[start + j, v, k] = lumen * wave
