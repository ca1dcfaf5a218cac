r"""The linear solver: pulse waves in the frequency domain.

The one-dimensional equations are linearised about each subject's *own* mean pressure,
which is found first from the nonlinear tube law (linearising about the reference
pressure errs 6 to 13 times more). Then, for every harmonic, an artery is a two-port

.. math::
    Q_1 = y_s (P_1 - P_2) + y_p P_1, \qquad
    y_p = \tfrac12 Y\,\frac{\tanh h}{h}, \qquad
    y_s = \frac{1 - (h \frac{\tanh h}{h})^2}{Z\,\frac{\tanh h}{h}}, \qquad h^2 = ZY/4

with the series impedance :math:`Z = z\,l` and the shunt admittance
:math:`Y = i\omega C l / (1 + i\omega C \Gamma/\sqrt A)`. Friction is that of steady
flow, :math:`z = f/A^2 + i\omega\rho/A`, or Womersley's, see
`capnet.hemodynamics.friction`. Tapered arteries are cut into short even ones. Beds are
three-element Windkessels.

What the nonlinear equations have besides, convection and a compliance that changes
within the beat, is 0.3 mmHg at the root and up to 1 mmHg in the periphery. To second
order (`capnet.hemodynamics.second_order`) it is accounted for, all but 0.1 to 0.2 mmHg.

Two engines solve the same equations: ``torch`` here, differentiable, on any device, and
``fused`` (`capnet.hemodynamics.fused`), compiled for all cores of the processor.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from capnet.errors import ConfigError
from capnet.hemodynamics import fused
from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.chain import Chain, Wall, make_chain
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.elimination import (
    Plan,
    Steps,
    eliminate,
    flatten,
    make_plan,
    needed,
    potentials,
    substitute,
)
from capnet.hemodynamics.network import Location, Network, Probe, Tree, split
from capnet.hemodynamics.second_order import (
    LARGEST,
    Ducts,
    Sources,
    products,
    samples,
    squared,
)
from capnet.hemodynamics.spectra import Spectra
from capnet.hemodynamics.wall import area, compliance, stiffness, wall_viscosity

__all__ = [
    "ArteryTensors",
    "Layout",
    "LinearSolver",
    "LinearState",
    "make_layout",
]

Engine = Literal["fused", "torch"]
Friction = Literal["poiseuille", "womersley"]
Junctions = Literal["static", "total"]


@dataclass(frozen=True, eq=False)
class ArteryTensors:
    """`Arteries` as tensors, to differentiate with respect to. SI.

    Attributes:
        length, inlet_radius, outlet_radius, k3: Shape (subject, segment).
        reference_pressure, outflow_pressure, period: Shape (subject,).
        proximal, distal, capacity: Windkessels. Shape (subject, terminal).
        inflow: Fourier coefficients at the root, mean first. (subject, harmonic).
        k1, k2: Eh/R = k1 exp(k2 R) + k3. Shape (segment,).
        viscous: Whether a wall is viscous. Shape (segment,).
        blood: What flows.
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
    k1: Float[Tensor, " segment"]
    k2: Float[Tensor, " segment"]
    viscous: Bool[Tensor, " segment"]
    blood: Blood


@dataclass(frozen=True, eq=False)
class LinearState:
    """The solution everywhere; all NaN for a subject whose arteries collapse.

    Attributes:
        layout: Where pieces and nodes lie.
        tensors: What was solved for.
        mean_pressure: At each node, Pa. To second order it is total pressure where
            pieces meet, if that is what they share. Shape (node, subject).
        mean_flow: In each piece, m3/s. Shape (piece, subject).
        residual: Largest change of the mean pressure in the last sweep, Pa. (subject,).
        pressure: Harmonics 1... at each node, Pa. Each of shape (subject, harmonic).
        series: Admittance along each piece. Shape (piece, subject, harmonic).
        left, right: To ground at its inlet and outlet. Same shape.
        second: What the second order adds where pieces end; nothing to first order.
    """

    layout: "Layout"
    tensors: ArteryTensors
    mean_pressure: Float[Tensor, "node subject"]
    mean_flow: Float[Tensor, "piece subject"]
    residual: Float[Tensor, " subject"]
    pressure: tuple[Tensor, ...]
    series: Complex[Tensor, "piece subject harmonic"]
    left: Complex[Tensor, "piece subject harmonic"]
    right: Complex[Tensor, "piece subject harmonic"]
    second: "SecondOrder | None" = None

    def is_sound(self, piece: int, *, at_inlet: bool) -> Bool[Tensor, " subject"]:
        """Return whether the second order is a correction at an end of a piece.

        It changes pressure by no more than `capnet.hemodynamics.second_order.LARGEST`
        times the wave of first order, and the lumen stays open. True to first order.
        """
        pressure = self.pressure_at(piece, at_inlet=at_inlet)
        if self.second is None:
            return torch.ones_like(pressure[:, 0].real, dtype=torch.bool)
        node = int((self.layout.inlet if at_inlet else self.layout.outlet)[piece])
        first = torch.nn.functional.pad(self.second.first[node], (1, 0))
        count = samples(first.shape[1] - 1)

        def size(wave: Tensor) -> Tensor:
            values: Tensor = torch.fft.irfft(wave, n=count, norm="forward")
            return values.amax(dim=1) - values.amin(dim=1)

        stretch = self._stretch_at(piece, at_inlet=at_inlet)
        least = torch.fft.irfft(stretch, n=count, norm="forward").amin(dim=1)
        sound: Tensor = (least > 0) & ~(size(pressure - first) > LARGEST * size(first))
        return sound

    def _stretch_at(
        self, piece: int, *, at_inlet: bool
    ) -> Complex[Tensor, "subject harmonic"]:
        """Return the radius over that at rest by the whole tube law, mean first."""
        radius, beta = self._wall_at(piece, at_inlet=at_inlet)
        pressure = self.pressure_at(piece, at_inlet=at_inlet)
        mean, reference = pressure[:, 0].real, self.tensors.reference_pressure
        elastic = self._elastic(pressure, piece, radius, beta)
        return _with_mean(1.0 + (mean - reference) / beta, elastic / beta[:, None])

    def pressure_at(
        self, piece: int, *, at_inlet: bool
    ) -> Complex[Tensor, "subject harmonic"]:
        """Return the pressure at an end of a piece, mean first, Pa."""
        node = int((self.layout.inlet if at_inlet else self.layout.outlet)[piece])
        wave = _with_mean(self.mean_pressure[node], self.pressure[node])
        if self.second is None:
            return wave
        head = self.second.inlet_head if at_inlet else self.second.outlet_head
        return wave - head[self.layout.rank[piece]]

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
        if self.second is not None:
            into = self.second
            gain = -into.inlet[place] if at_inlet else into.outlet[place]
            lost = lost + gain
        return _with_mean(self.mean_flow[piece], along + lost)

    def area_at(
        self, piece: int, *, at_inlet: bool
    ) -> Complex[Tensor, "subject harmonic"]:
        """Return the lumen at an end of a piece, mean first, m2.

        The wall is that of this piece's artery, exactly there. To second order the
        lumen follows the pressure by the whole tube law.
        """
        radius, beta = self._wall_at(piece, at_inlet=at_inlet)
        if self.second is not None:
            rest = math.pi * radius * radius
            stretch = self._stretch_at(piece, at_inlet=at_inlet)
            return rest[:, None] * squared(stretch)
        pressure = self.pressure_at(piece, at_inlet=at_inlet)
        mean, reference = pressure[:, 0].real, self.tensors.reference_pressure
        give = compliance(mean, reference, radius, beta)
        elastic = self._elastic(pressure, piece, radius, beta)
        lumen = area(mean, reference, radius, beta)
        return _with_mean(lumen, elastic * give[:, None])

    def _wall_at(self, piece: int, *, at_inlet: bool) -> tuple[Tensor, Tensor]:
        """Return radius and beta at an end of a piece, each of shape (subject,)."""
        tree, tensors = self.layout.tree, self.tensors
        artery = int(tree.parent[piece])
        place = float((tree.begin if at_inlet else tree.end)[piece])
        first = tensors.inlet_radius[:, artery]
        radius = first + (tensors.outlet_radius[:, artery] - first) * place
        k1, k2 = tensors.k1[artery], tensors.k2[artery]
        return radius, stiffness(radius, k1, k2, tensors.k3[:, artery])

    def _elastic(
        self, pressure: Tensor, piece: int, radius: Tensor, beta: Tensor
    ) -> Complex[Tensor, "subject harmonic"]:
        """Return what the wall carries without its viscosity, harmonics 1..., Pa."""
        mean, reference = pressure[:, 0].real, self.tensors.reference_pressure
        lumen = area(mean, reference, radius, beta)
        give = compliance(mean, reference, radius, beta)
        viscous = self.tensors.viscous[int(self.layout.tree.parent[piece])]
        delay = give * wall_viscosity(radius, lumen) * viscous
        lag = delay[:, None] * _frequencies(self.tensors)
        return pressure[:, 1:] / torch.complex(torch.ones_like(lag), lag)


@dataclass(frozen=True, eq=False)
class SecondOrder:
    """What the second order adds where pieces end, in the order of `Layout`.

    Attributes:
        inlet, outlet: Flow into the node at its inlet and outlet, m3/s, harmonics 1...
            Each of shape (piece, subject, harmonic).
        inlet_head, outlet_head: How far its pressure lies below that of the node, mean
            first, Pa. Shape (piece, subject, harmonic).
        first: Pressure of first order at each node, harmonics 1..., Pa. Each of shape
            (subject, harmonic).
    """

    inlet: Complex[Tensor, "piece subject harmonic"]
    outlet: Complex[Tensor, "piece subject harmonic"]
    inlet_head: Complex[Tensor, "piece subject harmonic+1"]
    outlet_head: Complex[Tensor, "piece subject harmonic+1"]
    first: tuple[Tensor, ...]


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


@lru_cache(maxsize=8)
def _route(layout: Layout, probes: tuple[Probe, ...]) -> tuple[fused.Route, Steps]:
    """Return a layout as arrays for the fused engine, which reads at the probes."""
    tree, counts = layout.tree, layout.counts
    forks = _forks(layout)
    first = np.concatenate([[0], np.cumsum(counts)])
    piece = np.repeat(np.arange(len(counts)), counts)
    middle = (np.arange(len(piece)) - first[piece] + 0.5) / counts[piece]
    span = tree.end - tree.begin
    ends = np.array([probe.piece for probe in probes], dtype=np.int64)
    at_inlet = np.array([probe.at_inlet for probe in probes], dtype=np.bool_)
    read = {*layout.inlet[ends].tolist(), *layout.outlet[ends].tolist()}
    route = fused.Route(
        inlet=layout.inlet,
        outlet=layout.outlet,
        link=np.array(layout.plan.link, dtype=np.int64),
        parent=tree.parent,
        span=span / counts,
        first=first,
        place=tree.begin[piece] + span[piece] * middle,
        bed=layout.beds,
        probe_piece=ends,
        probe_inlet=at_inlet,
        probe_place=np.where(at_inlet, tree.begin[ends], tree.end[ends]),
        back=needed(layout.plan, read),
        fork=np.stack([forks[layout.inlet], forks[layout.outlet]], axis=1),
    )
    return route, flatten(layout.plan)


def _forks(layout: Layout) -> Bool[np.ndarray, " node"]:
    """Return the nodes where pieces meet; at the others there is one piece only."""
    ends = np.concatenate([layout.inlet, layout.outlet])
    return np.bincount(ends, minlength=layout.plan.n_nodes) > 1


def make_layout(tree: Tree, longest: float) -> Layout:
    """Cut the pieces of a tree into short even arteries, and order the elimination.

    Args:
        tree: From `capnet.hemodynamics.network.split`.
        longest: Greatest length of a short artery in the textbook's body, m.
    """
    nodes = tree.network.nodes
    inlet = np.searchsorted(nodes, tree.network.inlet)
    outlet = np.searchsorted(nodes, tree.network.outlet)
    counts = np.ceil(tree.network.length / longest - 1e-9).astype(np.int64)
    counts = np.maximum(counts, 1)  # however short a piece is
    order = np.argsort(-counts, kind="stable")
    heads = [order[counts[order] > step] for step in range(int(counts.max()))]
    ends = list(zip(inlet.tolist(), outlet.tolist(), strict=True))
    root = nodes.index(tree.network.root)
    last = tree.network.terminals
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
        beds=outlet[last[np.argsort(tree.parent[last])]],
        plan=make_plan(ends, n_nodes=len(nodes), root=root),
    )


@lru_cache(maxsize=8)
def _layout(
    network: Network, places: tuple[tuple[str, Location], ...], longest: float
) -> Layout:
    return make_layout(split(network, dict(places)), longest)


@dataclass(frozen=True)
class LinearSolver:
    """Pulse waves on a network of arteries, by harmonics of the heart rate.

    Attributes:
        order: 1 solves the linear equations; against the nonlinear ones, on sampled
            people, it errs by 0.4 mmHg (RMSE) at the root, 0.5 at the brachial artery
            and 1.1 at the finger. 2 adds what is quadratic in the pulse, of mean
            pressure too: 0.1, 0.1 and 0.2 mmHg, for three to six times the time. A
            subject in whom that is no small correction where waves are read (nearly
            shut, soft arteries) is reported as failed: NaN, of residual too. See
            `capnet.hemodynamics.second_order`.
        junctions: What arteries that meet share, static or ``total`` pressure. The
            difference is of second order; to first order they are the same.
        harmonics: Highest harmonic.
        friction: Of oscillating flow: as if it were steady (``poiseuille``, with the
            velocity profile of the blood) or ``womersley``'s, for which steady flow has
            a parabolic profile.
        viscoelastic: Whether walls are viscous (Voigt); elastic otherwise.
        max_segment_length: Arteries are cut into even ones up to this long, m.
        sweeps: Passes through the nonlinear tube law that find the mean pressure.
        tolerance: Largest change of the mean pressure in the last sweep, Pa, with
            which a subject counts as converged.
        engine: ``fused`` is fast, ``torch`` runs on any device; the same answer.
        device: Where torch computes.
        batch_size: Subjects at once; no influence on the answer beyond rounding.
        threads: Of the fused engine; all usable cores by default.

    Raises:
        ConfigError: If a setting is out of its range.
    """

    harmonics: int = 30
    friction: Friction = "poiseuille"
    viscoelastic: bool = True
    max_segment_length: float = 0.05
    sweeps: int = 8
    tolerance: float = 0.1
    order: Literal[1, 2] = 2
    junctions: Junctions = "total"
    engine: Engine = field(default="fused", metadata={"content": False})
    device: str = field(default="cpu", metadata={"content": False})
    batch_size: int = field(default=128, metadata={"content": False})
    threads: int | None = field(default=None, metadata={"content": False})

    def __post_init__(self) -> None:
        for name in ("harmonics", "sweeps", "batch_size", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name} is {value}; wanted at least 1."
                raise ConfigError(msg)
        words = {
            "engine": Engine,
            "friction": Friction,
            "junctions": Junctions,
            "order": Literal[1, 2],
        }
        for name, kind in words.items():
            if getattr(self, name) not in get_args(kind):
                wanted = " or ".join(map(str, get_args(kind)))
                msg = f"{name} is {getattr(self, name)!r}; wanted {wanted}."
                raise ConfigError(msg)
        if self.engine == "fused" and self.device != "cpu":
            msg = (
                f"the fused engine computes on the cpu; device is {self.device!r}. "
                "Choose engine='torch' for it."
            )
            raise ConfigError(msg)
        if not 1e-3 <= self.max_segment_length <= 0.2:
            msg = (
                f"max_segment_length is {self.max_segment_length:g} m; wanted 0.001 to "
                "0.2 (arteries taper, and are even within a segment)."
            )
            raise ConfigError(msg)
        if not 0 < self.tolerance < math.inf:
            msg = (
                f"tolerance is {self.tolerance!r} Pa; wanted a positive, finite number."
            )
            raise ConfigError(msg)

    def solve(
        self,
        cohort: Cohort,
        sites: tuple[str, ...],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Spectra:
        """Simulate a cohort.

        Holds the answer and, besides, only the subjects being solved.

        Args:
            cohort: Virtual people.
            sites: Where waves are wanted, see `Network.locate`.
            progress: Called with the number of people done and of all.

        Raises:
            ConfigError: If a site does not exist.
        """
        layout = self.layout(cohort.network, sites)
        probes = {site: layout.tree.probes[site] for site in sites}
        answer = self._empty(tuple(sites), len(cohort))

        def work(rows: slice) -> None:
            arteries = cohort.take(rows).arteries()
            self._fill(answer.take(rows), arteries, layout, tuple(probes.values()))

        threads = self.threads if self.engine == "fused" else 1
        blocks = in_blocks(work, len(cohort), size=self.batch_size, threads=threads)
        for rows in blocks:
            if progress is not None:
                progress(rows.stop, len(cohort))
        return answer

    def waves(
        self, arteries: Arteries, layout: Layout, probes: Mapping[str, Probe]
    ) -> Spectra:
        """Solve for bodies given whole, and read at any ends of pieces.

        Args:
            arteries: The bodies.
            layout: From `layout` or `make_layout`, of the same network.
            probes: Ends of pieces by any name; it becomes the site's.
        """
        answer = self._empty(tuple(probes), len(arteries))
        self._fill(answer, arteries, layout, tuple(probes.values()))
        return answer

    def _empty(self, sites: tuple[str, ...], subjects: int) -> Spectra:
        """Return an answer that is to be filled."""
        shape = (subjects, len(sites), self.harmonics + 1)
        return Spectra(
            sites=sites,
            period=np.empty(subjects),
            pressure=np.empty(shape, dtype=np.complex128),
            flow=np.empty(shape, dtype=np.complex128),
            area=np.empty(shape, dtype=np.complex128),
            residual=np.empty(subjects),
        )

    def _fill(
        self,
        answer: Spectra,
        arteries: Arteries,
        layout: Layout,
        probes: tuple[Probe, ...],
    ) -> None:
        answer.period[:] = arteries.inflow.period
        if self.engine == "fused":
            route, steps = _route(layout, probes)
            bodies = fused.bodies(arteries, viscoelastic=self.viscoelastic)
            equations = self._equations(arteries.blood)
            waves = (answer.pressure, answer.flow, answer.area)
            found = fused.Answer(*waves, answer.residual)
            if self.order == 1:
                fused.run(route, steps, bodies, equations, found)
            else:
                count = samples(self.harmonics)
                fused.run_second(route, steps, bodies, equations, count, found)
            return
        with torch.inference_mode():
            state = self.propagate(self.tensors(arteries), layout)
            for k, (piece, at_inlet) in enumerate(probes):
                for name in ("pressure", "flow", "area"):
                    read = getattr(state, f"{name}_at")
                    wave = read(piece, at_inlet=at_inlet).cpu().numpy()
                    getattr(answer, name)[:, k] = wave
            answer.residual[:] = state.residual.cpu().numpy()
            if self.order == 2:
                sound = [state.is_sound(piece, at_inlet=end) for piece, end in probes]
                failed = ~torch.stack(sound).all(dim=0).cpu().numpy()
                for part in (answer.pressure, answer.flow, answer.area):
                    part[failed] = math.nan
                answer.residual[failed] = math.nan

    def layout(
        self, network: Network, sites: Sequence[str] | Mapping[str, Location]
    ) -> Layout:
        """Return how this solver cuts a network.

        Args:
            network: The whole arteries.
            sites: Where they are cut besides the network's own sites (at which they
                always are, so that an answer does not depend on which of them were
                asked for). Any other place moves all waves a little, as an artery is
                cut into other short ones: a few by 0.02 mmHg, one in every artery by
                up to 0.07.

        Raises:
            ConfigError: If a site does not exist.
        """
        places = dict(network.sites)
        if isinstance(sites, Mapping):
            places |= sites
        else:
            places |= {site: network.locate(site) for site in sites}
        return _layout(network, tuple(places.items()), self.max_segment_length)

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
            period=move(arteries.inflow.period),
            proximal=move(arteries.beds.proximal),
            distal=move(arteries.beds.distal),
            capacity=move(arteries.beds.compliance),
            inflow=move(arteries.inflow.harmonics(self.harmonics)),
            k1=move(arteries.k1),
            k2=move(arteries.k2),
            viscous=move(arteries.viscous & self.viscoelastic),
            blood=arteries.blood,
        )

    def _equations(self, blood: Blood) -> fused.Equations:
        steady, viscosity = blood.friction, 0.0
        if self.friction == "womersley":
            steady, viscosity = 8.0 * math.pi * blood.viscosity, blood.viscosity
        return fused.Equations(
            density=float(blood.density),
            steady=float(steady),
            viscosity=float(viscosity),
            sweeps=self.sweeps,
            momentum=float(blood.momentum),
            total=self.junctions == "total",
        )

    def propagate(self, tensors: ArteryTensors, layout: Layout) -> LinearState:
        """Solve for mean state and waves, differentiably.

        Args:
            tensors: What the waves depend on.
            layout: From `layout`, of the same network.
        """
        equations = self._equations(tensors.blood)
        short = _short_arteries(tensors, layout)
        mean = _mean_state(tensors, short, layout, equations)
        wall = _linearise(short, mean.static, equations)
        omega = _frequencies(tensors)
        oscillating = equations.viscosity > 0
        chain = make_chain(wall, omega, layout.sizes, oscillating=oscillating)
        load = _Load(tensors.proximal.T, tensors.distal.T, tensors.capacity.T)
        beds = _bed_admittance(load, omega)
        ends = torch.from_numpy(layout.beds).to(beds.device)
        shunts = _gather(chain.left, chain.right, layout).index_add(0, ends, beds)
        branches = [chain.along[place] for place in layout.rank.tolist()]
        factors = eliminate(layout.plan, branches, dict(enumerate(shunts.unbind(0))))
        inflow = tensors.inflow[:, 1:] + mean.fault[:, None]
        waves = substitute(factors, {layout.plan.root: inflow})
        second = None
        if self.order == 2:
            ducts = _ducts(tensors, short, mean, wall, layout, equations)
            sources = _multiply(ducts, mean, waves, chain, omega, layout)
            second = _forces(sources, waves, chain, layout, total=equations.total)
            currents = list(_gather(second.inlet, second.outlet, layout).unbind(0))
            currents[layout.plan.root] = currents[layout.plan.root] + inflow
            waves = substitute(factors, dict(enumerate(currents)))
            mean = _corrected(mean, tensors, sources, second, layout)
        return LinearState(
            layout=layout,
            tensors=tensors,
            mean_pressure=mean.nodes + mean.fault,
            mean_flow=mean.flow + mean.fault,
            residual=mean.change + mean.fault,
            pressure=tuple(waves),
            series=chain.along,
            left=chain.left,
            right=chain.right,
            second=second,
        )


class _Short(NamedTuple):
    """Short even arteries, each tensor of shape (short, subject)."""

    length: Tensor
    radius: Tensor
    beta: Tensor
    reference: Tensor
    viscous: Tensor


class _Mean(NamedTuple):
    """The mean state.

    Pressure at nodes, flow in pieces, pressure at both ends of shorts and resistance of
    each, largest change of the last sweep, and what is added to the answer: NaN where
    an artery collapses.
    """

    nodes: Tensor
    flow: Tensor
    first: Tensor
    last: Tensor
    resistance: Tensor
    change: Tensor
    fault: Tensor

    @property
    def static(self) -> Tensor:
        """Pressure in the middle of shorts."""
        return 0.5 * (self.first + self.last)


class _Load(NamedTuple):
    """Windkessels R1-C-R2; each of shape (terminal, subject)."""

    proximal: Tensor
    distal: Tensor
    capacity: Tensor


def _frequencies(tensors: ArteryTensors) -> Float[Tensor, "subject harmonic"]:
    """Return the angular frequencies of the harmonics, 1/s."""
    first = 2.0 * math.pi / tensors.period[:, None]
    count = tensors.inflow.shape[1]
    return first * torch.arange(1, count, dtype=first.dtype, device=first.device)


def _short_arteries(tensors: ArteryTensors, layout: Layout) -> _Short:
    device = tensors.length.device

    def move(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    tree = layout.tree
    parent = move(tree.parent[layout.piece])
    begin, end = tree.begin[layout.piece], tree.end[layout.piece]
    part = move((end - begin) / layout.counts[layout.piece])[:, None]
    radius, beta = _wall_at(tensors, layout, 0.0)
    return _Short(
        length=tensors.length.T[parent] * part,
        radius=radius,
        beta=beta,
        reference=tensors.reference_pressure,
        viscous=tensors.viscous[parent],
    )


def _wall_at(
    tensors: ArteryTensors, layout: Layout, shift: float
) -> tuple[Tensor, Tensor]:
    """Return radius and beta of shorts, at a part of their length from the middle."""
    tree, device = layout.tree, tensors.length.device

    def move(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    parent = move(tree.parent[layout.piece])
    begin, end = tree.begin[layout.piece], tree.end[layout.piece]
    middle = layout.middle + shift / layout.counts[layout.piece]
    where = move(begin + (end - begin) * middle)[:, None]
    first = tensors.inlet_radius.T[parent]
    radius = first + (tensors.outlet_radius.T[parent] - first) * where
    k1, k2 = tensors.k1[parent][:, None], tensors.k2[parent][:, None]
    return radius, stiffness(radius, k1, k2, tensors.k3.T[parent])


def _mean_state(
    tensors: ArteryTensors, short: _Short, layout: Layout, equations: fused.Equations
) -> _Mean:
    r"""Find steady flow through lumens that the mean pressure itself sets.

    With :math:`u, v = 1 + (P - P_d)/\beta` at the ends of an even artery, the tube law
    and :math:`dP/dx = -f Q/A^2` integrate to

    .. math:: P_1 - P_2 = Q\,\frac{f l}{A_d^2}\,
        \frac{5}{u^4 + u^3 v + u^2 v^2 + u v^3 + v^4} .
    """
    device = short.length.device
    piece = torch.from_numpy(layout.piece).to(device)
    inlet = torch.from_numpy(layout.inlet).to(device)
    outlet = torch.from_numpy(layout.outlet).to(device)
    bed = (1.0 / (tensors.proximal + tensors.distal)).T.unbind(0)
    shunts = dict(zip(layout.beds.tolist(), bed, strict=True))
    inflow = tensors.inflow[:, 0].real
    empty = torch.zeros(
        len(layout.inlet), short.length.shape[1], dtype=inflow.dtype, device=device
    )
    lumen = math.pi * short.radius * short.radius
    rest = equations.steady * short.length / (lumen * lumen)
    nodes = short.reference.expand(layout.plan.n_nodes, -1)
    resistance = rest
    for _ in range(equations.sweeps):
        conductance = 1.0 / empty.index_add(0, piece, resistance)
        above = potentials(layout.plan, conductance.unbind(0), shunts, inflow)
        before, nodes = nodes, torch.stack(above) + tensors.outflow_pressure
        flow = (nodes[inlet] - nodes[outlet]) * conductance
        drop = flow[piece] * resistance
        first = nodes[inlet][piece] - flow[piece] * _upstream(resistance, layout.sizes)
        last = first - drop
        u = 1.0 + (first - short.reference) / short.beta
        v = 1.0 + (last - short.reference) / short.beta
        square = u * u + v * v
        resistance = 5.0 * rest / (square * square + u * v * (square - u * v))
    with torch.no_grad():
        change = (nodes - before).abs().amax(0)
        good = (torch.minimum(u, v).amin(0) > 0) & torch.isfinite(nodes[0])
        fault = torch.where(good, 0.0, math.nan).to(change.dtype)
    return _Mean(nodes, flow, first, last, resistance, change, fault)


def _upstream(resistance: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return the resistance between the inlet of a piece and each of its shorts."""
    parts = torch.split(resistance, list(sizes))
    total = [torch.zeros_like(parts[0])]
    for size, part in zip(sizes[1:], parts, strict=False):
        total.append((total[-1] + part)[:size])
    return torch.cat(total)


def _linearise(short: _Short, static: Tensor, equations: fused.Equations) -> Wall:
    """Return resistance, inertance, compliance and Voigt time at the mean state."""
    lumen = area(static, short.reference, short.radius, short.beta)
    give = compliance(static, short.reference, short.radius, short.beta)
    drag = equations.steady
    if equations.viscosity > 0:
        drag = math.pi * equations.viscosity
    viscous = short.viscous[:, None]
    return Wall(
        resistance=drag * short.length / (lumen * lumen),
        inertance=equations.density * short.length / lumen,
        capacity=give * short.length,
        delay=give * wall_viscosity(short.radius, lumen) * viscous,
    )


def _ducts(
    tensors: ArteryTensors,
    short: _Short,
    mean: _Mean,
    wall: Wall,
    layout: Layout,
    equations: fused.Equations,
) -> Ducts:
    """Return what multiplies the products of waves."""
    rho, reference = equations.density, short.reference
    lumen = area(mean.static, reference, short.radius, short.beta)
    near, far = (
        area(pressure, reference, *_wall_at(tensors, layout, shift))
        for pressure, shift in ((mean.first, -0.5), (mean.last, 0.5))
    )
    square = lumen * lumen
    flux = rho * equations.momentum / lumen
    return Ducts(
        delay=wall.delay,
        stretch=0.5 / (short.beta + mean.static - reference),
        inertia=rho * wall.capacity / square,
        friction=2.0 * equations.steady * wall.capacity / (square * lumen),
        uptake=0.5 * wall.capacity,
        inlet=flux / near,
        outlet=flux / far,
        inlet_head=0.5 * rho / (near * near),
        outlet_head=0.5 * rho / (far * far),
    )


def _multiply(
    ducts: Ducts,
    mean: _Mean,
    waves: Sequence[Tensor],
    chain: Chain,
    omega: Tensor,
    layout: Layout,
) -> Sources:
    """Return the sources of second order of waves at the nodes."""
    nodes = torch.stack(tuple(waves))

    def place(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(nodes.device)

    inlet, outlet = place(layout.inlet), place(layout.outlet)
    order = place(layout.order)
    left, right = chain.spread(nodes[inlet[order]], nodes[outlet[order]])
    flow = (chain.series + 0.5 * chain.shunt) * (left - right)
    steady = mean.flow[place(layout.piece)][:, :, None]
    flow = torch.cat([steady.to(flow.dtype), flow], dim=2)
    return products(ducts, 0.5 * (left + right), flow, omega)


def _forces(
    sources: Sources,
    waves: Sequence[Tensor],
    chain: Chain,
    layout: Layout,
    *,
    total: bool,
) -> SecondOrder:
    """Bring sources to the ends of pieces."""
    drop = sources.drop[:, :, 1:] * chain.series
    inlet, outlet = chain.collect(drop - sources.uptake, -drop - sources.uptake)
    first, last = _end_shorts(layout)
    forks = _forks(layout)

    def head(spectra: Tensor, shorts: np.ndarray, node: np.ndarray) -> Tensor:
        there = torch.from_numpy(forks[node[layout.order]] & total)[:, None, None]
        return spectra[torch.from_numpy(shorts)] * there.to(spectra.device)

    above = head(sources.inlet, first, layout.inlet)
    below = head(sources.outlet, last, layout.outlet)
    near, far = above[:, :, 1:], below[:, :, 1:]
    across = chain.along * (near - far)
    return SecondOrder(
        inlet=inlet + across + chain.left * near,
        outlet=outlet - across + chain.right * far,
        inlet_head=above,
        outlet_head=below,
        first=tuple(waves),
    )


def _end_shorts(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last short of every piece, in the order of `Layout`."""
    first = np.arange(len(layout.order))
    before = np.concatenate([[0], np.cumsum(layout.sizes)])
    return first, before[layout.counts[layout.order] - 1] + first


def _corrected(
    mean: _Mean,
    tensors: ArteryTensors,
    sources: Sources,
    second: SecondOrder,
    layout: Layout,
) -> _Mean:
    """Add to the mean state what the means of products drive."""
    device = mean.nodes.device

    def place(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    piece, rank = place(layout.piece), place(layout.rank)
    inlet, outlet = place(layout.inlet), place(layout.outlet)
    head = (second.inlet_head - second.outlet_head)[rank][:, :, 0].real
    drop = head.index_add(0, piece, sources.drop[:, :, 0].real)
    total = torch.zeros_like(drop).index_add(0, piece, mean.resistance)
    conductance = 1.0 / total
    beds = (1.0 / (tensors.proximal + tensors.distal)).T.unbind(0)
    shunts = dict(zip(layout.beds.tolist(), beds, strict=True))
    factors = eliminate(layout.plan, conductance.unbind(0), shunts)
    lost = conductance * drop
    currents = torch.zeros_like(mean.nodes)
    currents = currents.index_add(0, inlet, lost).index_add(0, outlet, -lost)
    rise = torch.stack(substitute(factors, dict(enumerate(currents.unbind(0)))))
    flow = mean.flow + conductance * (rise[inlet] - rise[outlet]) - lost
    return mean._replace(nodes=mean.nodes + rise, flow=flow)


def _bed_admittance(load: _Load, omega: Tensor) -> Tensor:
    """Return the admittance of the beds. Shape (terminal, subject, harmonic)."""
    lag = (load.distal * load.capacity)[:, :, None] * omega
    charge = torch.complex(torch.ones_like(lag), lag)
    total = (load.proximal + load.distal)[:, :, None].expand_as(lag)
    opposed = torch.complex(total.contiguous(), load.proximal[:, :, None] * lag)
    return charge / opposed


def _gather(left: Tensor, right: Tensor, layout: Layout) -> Tensor:
    """Sum at every node what belongs to the inlets and outlets of its pieces."""
    shape = (layout.plan.n_nodes, *left.shape[1:])
    total = torch.zeros(shape, dtype=left.dtype, device=left.device)

    def place(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(left.device)

    total = total.index_add(0, place(layout.inlet[layout.order]), left)
    return total.index_add(0, place(layout.outlet[layout.order]), right)


def _with_mean(mean: Tensor, waves: Tensor) -> Tensor:
    both = torch.complex(mean, torch.zeros_like(mean))[:, None]
    return torch.cat([both, waves.to(both.dtype)], dim=1)
