r"""The linear solver: pulse waves in the frequency domain, all subjects at once.

The one-dimensional equations are linearised about each subject's *own* mean pressure,
which is found first from the nonlinear tube law (linearising about the reference
pressure errs 6 to 13 times more). Then, for every harmonic, an artery is a two-port

.. math::
    Q_1 = y_s (P_1 - P_2) + y_p P_1, \qquad
    y_p = \tfrac12 Y\,\frac{\tanh h}{h}, \qquad
    y_s = \frac{1 - (h \frac{\tanh h}{h})^2}{Z\,\frac{\tanh h}{h}}, \qquad h^2 = ZY/4

with the series impedance :math:`Z = (8\pi\mu/A^2 + i\omega\rho/A)\,l` and the shunt
admittance :math:`Y = i\omega C l / (1 + i\omega C \Gamma/\sqrt A)`. Tapered arteries
are cut into short even ones. Beds are three-element Windkessels.

Differences from the nonlinear equations: no convection, and a compliance that does not
change within the beat; 0.2 mmHg at the root, up to 1 mmHg in the periphery.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from capnet.errors import ConfigError
from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.elimination import Plan, make_plan, potentials
from capnet.hemodynamics.network import (
    SITES,
    Location,
    Network,
    Tree,
    load_network,
    split,
)
from capnet.hemodynamics.spectra import Spectra
from capnet.hemodynamics.wall import (
    BLOOD_DENSITY,
    BLOOD_VISCOSITY,
    PROFILE,
    area,
    compliance,
    stiffness,
    wall_viscosity,
)
from capnet.types import Site

__all__ = ["ArteryTensors", "LinearSolver", "LinearState"]

FRICTION: Final = 2.0 * (PROFILE + 2.0) * math.pi * BLOOD_VISCOSITY
"""Pa s: pressure gradient per flow times A^2 (8 pi mu for a parabolic profile)."""

_FASTEST: Final = 2.0
"""Hz: highest heart rate that the accuracy is laid out for."""
_SLOWEST: Final = 4.0
"""m/s: lowest wave speed that the accuracy is laid out for."""
_LONGEST: Final = 1.3
"""How much longer than the textbook's an artery may be."""


@dataclass(frozen=True, eq=False)
class ArteryTensors:
    """`Arteries` as tensors, to differentiate with respect to. SI.

    Attributes:
        length, inlet_radius, outlet_radius, k3: Shape (subject, segment).
        reference_pressure, outflow_pressure, period: Shape (subject,).
        proximal, distal, capacity: Windkessels. Shape (subject, terminal).
        inflow: Fourier coefficients at the root, mean first. (subject, harmonic).
        viscous: Whether a wall is viscous. Shape (segment,).
    """

    length: Float[Tensor, "subject segment"]
    inlet_radius: Float[Tensor, "subject segment"]
    outlet_radius: Float[Tensor, "subject segment"]
    k3: Float[Tensor, "subject segment"]
    reference_pressure: Float[Tensor, " subject"]
    outflow_pressure: Float[Tensor, " subject"]
    period: Float[Tensor, " subject"]
    proximal: Float[Tensor, "subject terminal"]
    distal: Float[Tensor, "subject terminal"]
    capacity: Float[Tensor, "subject terminal"]
    inflow: Complex[Tensor, "subject harmonic"]
    viscous: Bool[Tensor, " segment"]


@dataclass(frozen=True, eq=False)
class LinearState:
    """The solution everywhere.

    Attributes:
        layout: Where pieces and nodes lie.
        mean_pressure: At each node, Pa. Shape (node, subject).
        mean_flow: In each piece, m3/s. Shape (piece, subject).
        pressure: Harmonics 1... at each node, Pa. Each of shape (subject, harmonic).
        series: Admittance along each piece. Shape (piece, subject, harmonic).
        left, right: To ground at its inlet and outlet. Same shape.
    """

    layout: "Layout"
    mean_pressure: Float[Tensor, "node subject"]
    mean_flow: Float[Tensor, "piece subject"]
    pressure: tuple[Tensor, ...]
    series: Complex[Tensor, "piece subject harmonic"]
    left: Complex[Tensor, "piece subject harmonic"]
    right: Complex[Tensor, "piece subject harmonic"]

    def pressure_at(
        self, piece: int, *, at_inlet: bool
    ) -> Complex[Tensor, "subject harmonic"]:
        """Return the pressure at an end of a piece, mean first, Pa."""
        node = int((self.layout.inlet if at_inlet else self.layout.outlet)[piece])
        return _with_mean(self.mean_pressure[node], self.pressure[node])

    def flow_at(
        self, piece: int, *, at_inlet: bool
    ) -> Complex[Tensor, "subject harmonic"]:
        """Return the flow at an end of a piece, mean first, m3/s.

        It is positive from inlet to outlet.
        """
        first = self.pressure[int(self.layout.inlet[piece])]
        last = self.pressure[int(self.layout.outlet[piece])]
        place = self.layout.rank[piece]
        along = self.series[place] * (first - last)
        lost = self.left[place] * first if at_inlet else -self.right[place] * last
        return _with_mean(self.mean_flow[piece], along + lost)


@dataclass(frozen=True, eq=False)
class Layout:
    """How a tree is cut and in which order it is solved. The same for all subjects.

    Attributes:
        tree: The tree, cut at the sites.
        inlet, outlet: Node of each piece, from 0. Shape (piece,).
        counts: Short arteries in each piece. Shape (piece,).
        order: Pieces by falling count, and ``rank`` its inverse. Shape (piece,).
        sizes: Short arteries joined in each step: heads of ``order``.
        piece: Piece of each short artery, step by step. Shape (short,).
        middle: Fraction of the piece at which each has its middle. Shape (short,).
        beds: Node of each vascular bed. Shape (terminal,).
        plan: Order of elimination.
    """

    tree: Tree
    inlet: Int[np.ndarray, " piece"]
    outlet: Int[np.ndarray, " piece"]
    counts: Int[np.ndarray, " piece"]
    order: Int[np.ndarray, " piece"]
    rank: Int[np.ndarray, " piece"]
    sizes: tuple[int, ...]
    piece: Int[np.ndarray, " short"]
    middle: Float[np.ndarray, " short"]
    beds: Int[np.ndarray, " terminal"]
    plan: Plan


def make_layout(
    network: Network, sites: dict[Site, Location], longest: float
) -> Layout:
    """Cut a network at the sites and into short arteries.

    Args:
        network: The whole arteries.
        sites: Where waves are taken.
        longest: Greatest length of a short artery in the textbook's body, m.
    """
    tree = split(network, sites)
    nodes = tree.network.nodes
    inlet = np.searchsorted(nodes, tree.network.inlet)
    outlet = np.searchsorted(nodes, tree.network.outlet)
    counts = np.ceil(tree.network.length / longest - 1e-9).astype(np.int64)
    order = np.argsort(-counts, kind="stable")
    heads = [order[counts[order] > step] for step in range(int(counts.max()))]
    ends = list(zip(inlet.tolist(), outlet.tolist(), strict=True))
    root = nodes.index(tree.network.root)
    return Layout(
        tree=tree,
        inlet=inlet,
        outlet=outlet,
        counts=counts,
        order=order,
        rank=np.argsort(order),
        sizes=tuple(len(head) for head in heads),
        piece=np.concatenate(heads),
        middle=np.concatenate([(k + 0.5) / counts[h] for k, h in enumerate(heads)]),
        beds=np.searchsorted(nodes, network.outlet[network.terminals]),
        plan=make_plan(ends, n_nodes=len(nodes), root=root),
    )


@cache
def _packaged_layout(longest: float) -> Layout:
    return make_layout(load_network(), dict(SITES), longest)


@dataclass(frozen=True)
class LinearSolver:
    """Linear pulse waves on a network of arteries.

    Attributes:
        harmonics: Highest harmonic of the heart rate.
        viscoelastic: Whether walls are viscous (Voigt); elastic otherwise.
        max_segment_length: Arteries are cut into even ones up to this long, m.
        sweeps: Passes through the nonlinear tube law that find the mean pressure.
        single_precision: Waves in complex64 (0.003 mmHg); the mean state and the
            answer stay double.
        device: Where torch computes.
        batch_size: Subjects at once; no influence on the answer beyond rounding.

    Raises:
        ConfigError: If a setting is out of its range.
    """

    harmonics: int = 30
    viscoelastic: bool = True
    max_segment_length: float = 0.05
    sweeps: int = 3
    single_precision: bool = False
    device: str = field(default="cpu", metadata={"content": False})
    batch_size: int = field(default=64, metadata={"content": False})

    def __post_init__(self) -> None:
        for name in ("harmonics", "sweeps", "batch_size"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; wanted at least 1."
                raise ConfigError(msg)
        if not 1e-3 <= self.max_segment_length <= 0.2:
            msg = (
                f"max_segment_length is {self.max_segment_length:g} m; wanted 0.001 to "
                "0.2 (arteries taper, and are even within a segment)."
            )
            raise ConfigError(msg)

    def solve(
        self,
        cohort: Cohort,
        sites: tuple[Site, ...],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Spectra:
        """Simulate a cohort.

        Args:
            cohort: Virtual people.
            sites: Where waves are wanted.
            progress: Called with the number of people done and of all.
        """
        layout, parts = _packaged_layout(self.max_segment_length), []
        for start in range(0, len(cohort), self.batch_size):
            batch = cohort.take(slice(start, start + self.batch_size))
            with torch.inference_mode():
                tensors = self.tensors(batch.arteries())
                state = self.propagate(tensors, layout)
            parts.append(_read_sites(state, sites, tensors.period))
            if progress is not None:
                progress(start + len(batch), len(cohort))
        return Spectra.concatenate(parts)

    def layout(self, network: Network, sites: dict[Site, Location]) -> Layout:
        """Return how this solver cuts a network of your own."""
        return make_layout(network, sites, self.max_segment_length)

    def tensors(self, arteries: Arteries) -> ArteryTensors:
        """Return what the waves depend on, as float64 tensors on the device."""

        def move(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        return ArteryTensors(
            length=move(arteries.length),
            inlet_radius=move(arteries.inlet_radius),
            outlet_radius=move(arteries.outlet_radius),
            k3=move(arteries.k3),
            reference_pressure=move(arteries.reference_pressure),
            outflow_pressure=move(arteries.outflow_pressure),
            period=move(arteries.ejection.period),
            proximal=move(arteries.beds.proximal),
            distal=move(arteries.beds.distal),
            capacity=move(arteries.beds.compliance),
            inflow=move(arteries.ejection.harmonics(self.harmonics)),
            viscous=move(arteries.viscous),
        )

    def propagate(self, tensors: ArteryTensors, layout: Layout) -> LinearState:
        """Solve for mean state and waves, differentiably.

        Args:
            tensors: What the waves depend on.
            layout: From `layout`, of the same network.
        """
        short = _short_arteries(tensors, layout)
        nodes, flow, static = _mean_state(tensors, short, layout, self.sweeps)
        wall = _linearise(short, static, viscous=self.viscoelastic)
        omega = 2.0 * math.pi / tensors.period[:, None]
        omega = omega * torch.arange(
            1, self.harmonics + 1, dtype=omega.dtype, device=omega.device
        )
        inflow = tensors.inflow[:, 1:]
        load = _Load(tensors.proximal.T, tensors.distal.T, tensors.capacity.T)
        if self.single_precision:
            wall = _Wall(*(part.float() for part in wall))
            omega, inflow = omega.float(), inflow.to(torch.complex64)
            load = _Load(*(part.float() for part in load))
        series, left, right = _two_ports(wall, omega, layout, self._depth)
        beds_admittance = _bed_admittance(load, omega)
        shunts = _gather(left, right, beds_admittance, layout)
        branches = [series[place] for place in layout.rank.tolist()]
        waves = potentials(layout.plan, branches, shunts, inflow)
        return LinearState(layout, nodes, flow, tuple(waves), series, left, right)

    @property
    def _depth(self) -> int:
        """Order of the rational tanh that the longest segment asks for."""
        speed = math.pi * self.harmonics * _FASTEST / _SLOWEST
        return _tanh_depth(speed * _LONGEST * self.max_segment_length)


class _Short(NamedTuple):
    """Short even arteries, each tensor of shape (short, subject)."""

    length: Tensor
    radius: Tensor
    beta: Tensor
    reference: Tensor
    viscous: Tensor


class _Wall(NamedTuple):
    """What a short artery opposes to a wave; each of shape (short, subject)."""

    resistance: Tensor
    inertance: Tensor
    capacity: Tensor
    delay: Tensor


class _Load(NamedTuple):
    """Windkessels R1-C-R2; each of shape (terminal, subject)."""

    proximal: Tensor
    distal: Tensor
    capacity: Tensor


def _short_arteries(tensors: ArteryTensors, layout: Layout) -> _Short:
    device = tensors.length.device

    def move(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    tree = layout.tree
    parent = move(tree.parent[layout.piece])
    begin, end = tree.begin[layout.piece], tree.end[layout.piece]
    where = move(begin + (end - begin) * layout.middle)[:, None]
    part = move((end - begin) / layout.counts[layout.piece])[:, None]
    first = tensors.inlet_radius.T[parent]
    radius = first + (tensors.outlet_radius.T[parent] - first) * where
    return _Short(
        length=tensors.length.T[parent] * part,
        radius=radius,
        beta=stiffness(radius, tensors.k3.T[parent]),
        reference=tensors.reference_pressure,
        viscous=tensors.viscous[parent],
    )


def _mean_state(
    tensors: ArteryTensors, short: _Short, layout: Layout, sweeps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean pressure at nodes, mean flow in pieces, mean pressure in segments.

    Steady Poiseuille flow through lumens that the mean pressure itself sets.
    """
    device = short.length.device
    piece = torch.from_numpy(layout.piece).to(device)
    middle = torch.from_numpy(layout.middle).to(device)[:, None]
    inlet = torch.from_numpy(layout.inlet).to(device)
    outlet = torch.from_numpy(layout.outlet).to(device)
    bed = (1.0 / (tensors.proximal + tensors.distal)).T.unbind(0)
    shunts = dict(zip(layout.beds.tolist(), bed, strict=True))
    static = short.reference.expand_as(short.length)
    inflow = tensors.inflow[:, 0].real
    empty = torch.zeros(
        len(layout.inlet), short.length.shape[1], dtype=inflow.dtype, device=device
    )
    for _ in range(sweeps):
        lumen = area(static, short.reference, short.radius, short.beta)
        losses = FRICTION * short.length / (lumen * lumen)
        conductance = 1.0 / empty.index_add(0, piece, losses)
        above = potentials(layout.plan, conductance.unbind(0), shunts, inflow)
        nodes = torch.stack(above) + tensors.outflow_pressure
        first, last = nodes[inlet], nodes[outlet]
        static = first[piece] + (last - first)[piece] * middle
    return nodes, (first - last) * conductance, static


def _linearise(short: _Short, static: Tensor, *, viscous: bool) -> _Wall:
    """Return resistance, inertance, compliance and Voigt time at the mean state."""
    lumen = area(static, short.reference, short.radius, short.beta)
    give = compliance(static, short.reference, short.radius, short.beta)
    delay = torch.zeros_like(give)
    if viscous:
        delay = give * wall_viscosity(short.radius, lumen) * short.viscous[:, None]
    return _Wall(
        resistance=FRICTION * short.length / (lumen * lumen),
        inertance=BLOOD_DENSITY * short.length / lumen,
        capacity=give * short.length,
        delay=delay,
    )


def _two_ports(
    wall: _Wall, omega: Tensor, layout: Layout, depth: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return series and shunt admittances of every piece, in the order of `Layout`.

    Each is of shape (piece, subject, harmonic).
    """

    def column(part: Tensor) -> Tensor:
        return part[:, :, None]

    reactance = column(wall.inertance) * omega
    impedance = torch.complex(
        column(wall.resistance).expand_as(reactance).contiguous(), reactance
    )
    lag = column(wall.delay) * omega
    give = column(wall.capacity) * omega / (1.0 + lag * lag)
    admittance = torch.complex(give * lag, give) * 0.5
    square = impedance * admittance * 0.5
    top, bottom = (_polynomial(square, c) for c in _tanh_coefficients(depth))
    ratio = top / bottom
    shunt = admittance * ratio
    series = (1.0 - square * ratio * ratio) / (impedance * ratio)
    sizes = list(layout.sizes)
    along, aside = torch.split(series, sizes), torch.split(shunt, sizes)
    s, left, right = along[0], aside[0], aside[0]
    done: list[tuple[Tensor, Tensor, Tensor]] = []
    for size, y, g in zip(sizes[1:], along[1:], aside[1:], strict=True):
        done.append((s[size:], left[size:], right[size:]))
        s, left, right = s[:size], left[:size], right[:size]
        inner = right + g
        inverse = (s + y + inner).reciprocal()
        near, far = s * inverse, y * inverse
        left = torch.addcmul(left, near, inner)
        right = torch.addcmul(g, far, inner)
        s = near * y
    done.append((s, left, right))
    joined = [torch.cat(parts) for parts in zip(*reversed(done), strict=True)]
    return joined[0], joined[1], joined[2]


def _bed_admittance(load: _Load, omega: Tensor) -> Tensor:
    """Return the admittance of the beds. Shape (terminal, subject, harmonic)."""
    lag = (load.distal * load.capacity)[:, :, None] * omega
    charge = torch.complex(torch.ones_like(lag), lag)
    total = (load.proximal + load.distal)[:, :, None].expand_as(lag)
    opposed = torch.complex(total.contiguous(), load.proximal[:, :, None] * lag)
    return charge / opposed


def _gather(
    left: Tensor, right: Tensor, beds: Tensor, layout: Layout
) -> dict[int, Tensor]:
    """Return what every node loses to ground: compliance of its arteries, and beds."""
    shape = (layout.plan.n_nodes, *left.shape[1:])
    total = torch.zeros(shape, dtype=left.dtype, device=left.device)

    def place(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(left.device)

    total = total.index_add(0, place(layout.inlet[layout.order]), left)
    total = total.index_add(0, place(layout.outlet[layout.order]), right)
    total = total.index_add(0, place(layout.beds), beds)
    return dict(enumerate(total.unbind(0)))


def _read_sites(state: LinearState, sites: tuple[Site, ...], period: Tensor) -> Spectra:
    probes = [state.layout.tree.probes[site] for site in sites]
    pressure = [state.pressure_at(p, at_inlet=inlet) for p, inlet in probes]
    flow = [state.flow_at(p, at_inlet=inlet) for p, inlet in probes]
    return Spectra(
        sites=sites,
        period=period.cpu().numpy(),
        pressure=torch.stack(pressure, dim=1).cpu().numpy(),
        flow=torch.stack(flow, dim=1).cpu().numpy(),
    )


def _with_mean(mean: Tensor, waves: Tensor) -> Tensor:
    both = torch.complex(mean, torch.zeros_like(mean))[:, None]
    return torch.cat([both, waves.to(both.dtype)], dim=1)


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Evaluate c[0] + c[1] x + c[2] x^2 ... (Horner)."""
    constants = [torch.tensor(c, dtype=x.dtype, device=x.device) for c in coefficients]
    total = x * constants[-1] + constants[-2]
    for constant in reversed(constants[:-2]):
        total = torch.addcmul(constant, total, x)
    return total


@cache
def _tanh_coefficients(depth: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return numerator and denominator of tanh(h)/h as polynomials in h^2.

    Lambert's continued fraction 1/(1 + h^2/(3 + h^2/(5 + ...))), ``depth`` levels.
    """
    after, here = np.array([1.0]), np.array([2.0 * depth - 1.0])
    for level in range(depth - 1, 0, -1):
        step = np.polynomial.polynomial.polymulx(after)
        after, here = (
            here,
            np.polynomial.polynomial.polyadd((2.0 * level - 1) * here, step),
        )
    top, bottom = after / here[0], here / here[0]
    return tuple(top.tolist()), tuple(bottom.tolist())


@cache
def _tanh_depth(largest: float) -> int:
    """Return the levels that give tanh(h)/h to 1e-10 for |h| up to ``largest``."""
    h = largest * np.exp(1j * np.linspace(0.0, 0.45 * np.pi, 16))
    for depth in range(4, 40):
        top, bottom = (
            np.polynomial.polynomial.polyval(h * h, np.array(c))
            for c in _tanh_coefficients(depth)
        )
        if (abs(top / bottom * h / np.tanh(h) - 1.0) < 1e-10).all():
            return depth
    msg = f"segments of {largest:.0f} rad at the highest harmonic; wanted shorter ones."
    raise ConfigError(msg)
