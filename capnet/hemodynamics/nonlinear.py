"""The nonlinear solver: waves that carry each other along, walls that stiffen.

The one-dimensional equations with convection and the whole tube law, in time, on the
mesh of `capnet.hemodynamics.mesh` by the scheme of `capnet.hemodynamics.staggered`.
It starts from the second-order solution in the frequency domain and goes on, beat after
beat, until they repeat.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Complex, Float, Int

from capnet.errors import ConfigError
from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.linear import LinearSolver, make_layout
from capnet.hemodynamics.mesh import Mesh, Physics, discretise, make_mesh
from capnet.hemodynamics.network import Location, Network, Probe, Tree, split
from capnet.hemodynamics.spectra import Spectra
from capnet.hemodynamics.staggered import LANES, beat
from capnet.hemodynamics.startup import DURATION, LONGEST, last_beat
from capnet.hemodynamics.wall import area, stiffness

__all__ = ["NonlinearSolver"]

Coefficients = Complex[np.ndarray, "subject site harmonic"]

Protocol = Literal["converged", "pwdb"]
Junctions = Literal["total", "static"]

_LADDER: Final = 32
"""A beat has a multiple of this many steps, so that many subjects share one number.

Only harmonics that ask for more steps than the time step does break the rule.
"""
_CHUNK: Final = 512
"""Subjects whose coefficients are held at once."""
_START_HARMONICS: Final = 24
_PRESSURE: Final = 2
"""Where the pressure stands in the kernel's state."""


class _Probes(NamedTuple):
    """Where sites are read, one row a site.

    Attributes:
        end: Row of the end of a piece, see `capnet.hemodynamics.mesh.Mesh`.
        piece, place: Piece of artery, and fraction along it, of its wall.
    """

    end: Int[np.ndarray, " site"]
    piece: Int[np.ndarray, " site"]
    place: Float[np.ndarray, " site"]


class _State(NamedTuple):
    """What a simulation starts from, one row a subject."""

    pressure: Float[np.ndarray, "subject node"]
    flow: Float[np.ndarray, "subject interval"]
    store: Float[np.ndarray, "subject terminal"]


class _Record(NamedTuple):
    """What was recorded at the sites after every step.

    ``wall`` is the pressure without the viscous part, which sets the lumen.
    """

    pressure: Float[np.ndarray, "step site lane"]
    wall: Float[np.ndarray, "step site lane"]
    flow: Float[np.ndarray, "step site lane"]


@dataclass(frozen=True)
class NonlinearSolver:
    """Nonlinear pulse waves on a network of arteries.

    Attributes:
        protocol: ``converged`` starts from the second-order solution and stops when
            beats repeat; ``pwdb`` does what the Pulse Wave Database did (see
            `capnet.hemodynamics.startup`): from rest at p = 0 until 6.5 s, whatever has
            settled by then.
        viscoelastic: Whether walls are viscous (Voigt); elastic otherwise.
        junctions: What is the same in all arteries that meet: ``total`` pressure
            (static and kinetic) or ``static`` pressure.
        max_interval: Wanted length of a mesh interval, m.
        max_step: Longest time step, s.
        harmonics: Highest harmonic of the heart rate that is kept of the answer.
        tolerance: Largest difference of pressure between the end and the beginning of
            a beat, Pa, anywhere, with which a subject counts as converged.
        max_beats: After so many beats a subject is given up as not converged.
        threads: All usable cores by default.

    Raises:
        ConfigError: If a setting is out of its range.
    """

    protocol: Protocol = "converged"
    viscoelastic: bool = True
    junctions: Junctions = "total"
    max_interval: float = 0.01
    max_step: float = 1e-3
    harmonics: int = 64
    tolerance: float = 3.0
    max_beats: int = 30
    threads: int | None = field(default=None, metadata={"content": False})

    def __post_init__(self) -> None:
        for name, kind in (("protocol", Protocol), ("junctions", Junctions)):
            if getattr(self, name) not in get_args(kind):
                wanted = " or ".join(get_args(kind))
                msg = f"{name} is {getattr(self, name)!r}; wanted {wanted}."
                raise ConfigError(msg)
        for name, least in (("harmonics", 1), ("max_beats", 2), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                msg = f"{name} is {value}; wanted at least {least}."
                raise ConfigError(msg)
        ranges = (
            ("max_interval", 1e-4, 0.05, "m"),
            ("max_step", 1e-5, 5e-3, "s"),
            ("tolerance", 1e-9, 1e3, "Pa"),
        )
        for name, low, high, unit in ranges:
            value = getattr(self, name)
            if not low <= value <= high:
                msg = f"{name} is {value:g} {unit}; wanted {low:g} to {high:g}."
                raise ConfigError(msg)

    @property
    def settles(self) -> bool:
        """Whether it goes on until beats repeat; PWDB's protocol stops before."""
        return self.protocol == "converged"

    def solve(
        self,
        cohort: Cohort,
        sites: tuple[str, ...],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Spectra:
        """Simulate a cohort.

        Args:
            cohort: Virtual people, or a case.
            sites: Where waves are wanted, see `Network.locate`.
            progress: Called with the number of people done and of all.

        Raises:
            ConfigError: If a site is unknown, or a heart beats too slowly for PWDB's
                6.5 s.
        """
        if self.protocol == "pwdb":
            _check_long_enough(cohort)
        network = cohort.network
        places = {site: network.locate(site) for site in (*network.sites, *sites)}
        mesh = _mesh(network, tuple(places.items()), self.max_interval)
        probes = _probes(mesh, [mesh.tree.probes[site] for site in sites])
        shape = (len(cohort), len(sites), self.harmonics + 1)
        answer = Spectra(
            sites=sites,
            period=np.empty(len(cohort)),
            pressure=np.empty(shape, dtype=np.complex128),
            flow=np.empty(shape, dtype=np.complex128),
            area=np.empty(shape, dtype=np.complex128),
            residual=np.empty(len(cohort)),
        )
        for start in range(0, len(cohort), _CHUNK):
            rows = slice(start, min(start + _CHUNK, len(cohort)))
            arteries = cohort.take(rows).arteries()
            for done in self._chunk(arteries, mesh, probes, answer.take(rows)):
                if progress is not None:
                    progress(start + done, len(cohort))
        return answer

    def _chunk(
        self, arteries: Arteries, mesh: Mesh, probes: _Probes, answer: Spectra
    ) -> Iterator[int]:
        """Simulate some subjects into the answer; yield how many are done."""
        period = arteries.inflow.period
        answer.period[:] = period
        physics = discretise(arteries, mesh, viscoelastic=self.viscoelastic)
        rest = self.protocol == "pwdb"
        state = _at_rest(arteries, mesh) if rest else self._linear(arteries, mesh)
        # A subject's number of steps is its own affair: company changes nothing.
        steps = np.ceil(period / (self.max_step * _LADDER) - 1e-9).astype(np.int64)
        steps = np.maximum(steps * _LADDER, 2 * (self.harmonics + 1))
        blocks = [
            rows[i : i + LANES]
            for count in np.unique(steps)
            for rows in [np.flatnonzero(steps == count)]
            for i in range(0, len(rows), LANES)
        ]

        def work(which: slice) -> None:
            rows = blocks[which.start]
            lanes = np.resize(rows, LANES)
            count = int(steps[rows[0]])
            block = _Block(self, arteries.take(lanes), mesh, physics, lanes, count)
            run = block.from_rest if rest else block.until_repeating
            record, residual = run(state, probes)
            coefficients = self._transform(record, block.arteries, mesh.tree, probes)
            parts = (answer.pressure, answer.flow, answer.area)
            for part, values in zip(parts, coefficients, strict=True):
                part[rows] = values[: len(rows)]
            answer.residual[rows] = residual[: len(rows)]

        done = 0
        for which in in_blocks(work, len(blocks), size=1, threads=self.threads):
            done += len(blocks[which.start])
            yield done

    def _linear(self, arteries: Arteries, mesh: Mesh) -> _State:
        """Return the second-order solution at the moment the beat begins."""
        tree = mesh.tree
        solver = LinearSolver(
            junctions=self.junctions,
            harmonics=_START_HARMONICS,
            viscoelastic=self.viscoelastic,
        )
        pieces = range(len(tree.network))
        ends = {
            f"{p} {at}": Probe(p, at_inlet=at) for at in (True, False) for p in pieces
        }
        layout = make_layout(tree, solver.max_segment_length)
        waves = solver.waves(arteries, layout, ends)
        # Order 2 abstains where it cannot hold; order 1 is a start all the same.
        lost = np.flatnonzero(~np.isfinite(waves.residual))
        if len(lost):
            first = replace(solver, order=1).waves(arteries.take(lost), layout, ends)
            waves.pressure[lost], waves.flow[lost] = first.pressure, first.flow
        pressure, flow = (
            wave[:, :, 0].real + 2.0 * wave[:, :, 1:].real.sum(axis=2)
            for wave in (waves.pressure, waves.flow)
        )

        def along(values: np.ndarray, place: np.ndarray) -> np.ndarray:
            """Interpolate between inlet and outlet of the intervals' pieces."""
            first, last = np.split(values, 2, axis=1)
            answer: np.ndarray = (
                first[:, mesh.piece] + (last - first)[:, mesh.piece] * place
            )
            return answer

        half = 0.5 / mesh.counts[mesh.piece]
        nodes = np.empty((len(arteries), mesh.n_nodes))
        nodes[:, mesh.left] = along(pressure, mesh.middle - half)
        nodes[:, mesh.right] = along(pressure, mesh.middle + half)
        drained = flow[:, len(pieces) + mesh.bed_piece]
        store = nodes[:, mesh.beds] - arteries.beds.proximal * drained
        return _State(nodes, along(flow, mesh.middle), store)

    def _transform(
        self,
        record: _Record,
        arteries: Arteries,
        tree: Tree,
        probes: _Probes,
    ) -> tuple[Coefficients, Coefficients, Coefficients]:
        """Return pressure, flow and lumen as Fourier coefficients."""
        parent = tree.parent[probes.piece]
        begin, end = tree.begin[probes.piece], tree.end[probes.piece]
        first = arteries.inlet_radius[:, parent]
        radius = first + (arteries.outlet_radius[:, parent] - first) * (
            begin + (end - begin) * probes.place
        )
        beta = stiffness(
            radius, arteries.k1[parent], arteries.k2[parent], arteries.k3[:, parent]
        )
        lumen = area(record.wall, arteries.reference_pressure, radius.T, beta.T)

        def coefficients(wave: Float[np.ndarray, "step site lane"]) -> Coefficients:
            count = self.harmonics + 1
            values: np.ndarray = np.fft.rfft(wave, axis=0)[:count] / len(wave)
            return np.ascontiguousarray(values.transpose(2, 1, 0))

        return (
            coefficients(record.pressure),
            coefficients(record.flow),
            coefficients(lumen),
        )


@lru_cache(maxsize=8)
def _mesh(
    network: Network, places: tuple[tuple[str, Location], ...], longest: float
) -> Mesh:
    return make_mesh(split(network, dict(places)), longest)


def _probes(mesh: Mesh, probes: list[Probe]) -> _Probes:
    """Find the ends of pieces at which sites are read."""
    piece = np.array([probe.piece for probe in probes])
    outlet = np.array([not probe.at_inlet for probe in probes])
    return _Probes(piece + len(mesh.counts) * outlet, piece, outlet.astype(np.float64))


def _check_long_enough(cohort: Cohort) -> None:
    """Refuse hearts of which the database's 6.5 s hold too few beats."""
    for start in range(0, len(cohort), _CHUNK):
        part = cohort.take(slice(start, start + _CHUNK))
        period = part.arteries().inflow.period
        slow = np.flatnonzero(period > LONGEST)
        if len(slow):
            i = int(slow[0])
            msg = (
                f"subject {part.index[i]} has beats of {period[i]:.2f} s; wanted at "
                f"most {LONGEST:.2f} s, of which {DURATION:g} s hold three and a half "
                "(PWDB's protocol). Use protocol='converged'."
            )
            raise ConfigError(msg)


def _at_rest(arteries: Arteries, mesh: Mesh) -> _State:
    n = len(arteries)
    return _State(
        np.zeros((n, mesh.n_nodes)),
        np.zeros((n, len(mesh.left))),
        np.zeros((n, len(mesh.beds))),
    )


def _lanes(values: Float[np.ndarray, "lane any"]) -> Float[np.ndarray, "any lane"]:
    return np.ascontiguousarray(values.T)


class _Block:
    """One block of subjects, packed for the kernel."""

    def __init__(
        self,
        solver: NonlinearSolver,
        arteries: Arteries,
        mesh: Mesh,
        physics: Physics,
        rows: Int[np.ndarray, " lane"],
        steps: int,
    ) -> None:
        self.solver, self.arteries = solver, arteries
        self.rows, self.steps = rows, steps
        blood, beds, inflow = arteries.blood, arteries.beds, arteries.inflow
        self.step = inflow.period / steps
        implicit = (2.0 / 3.0 * self.step)[:, None]
        p = physics.take(rows)
        self.volume = _lanes(p.c0), _lanes(p.c1), _lanes(p.c2)
        c0, c1, c2 = self.volume
        order = mesh.steps
        self.mesh = (
            mesh.left, mesh.right, mesh.through, mesh.after, mesh.end_node,
            mesh.end_first, mesh.end_side, mesh.link, order.n_links, order.node,
            order.first, order.near, order.link, order.bridge_first, order.bridge,
            order.one, order.other, mesh.root, mesh.beds,
        )  # fmt: skip
        self.body = (
            c1, c1 * c1 - 4.0 * c2 * c0, 4.0 * c2, 0.5 / c2, _lanes(p.area),
            _lanes(p.stretch), implicit[:, 0] * blood.friction / blood.density,
            _lanes(implicit / (blood.density * p.size)), _lanes(implicit / p.size),
            _lanes(p.through_area), _lanes(p.through_stretch), _lanes(p.end_area),
            _lanes(p.end_stretch), _lanes(p.end_share),
            _lanes(1.0 / (implicit + p.relaxation)), arteries.reference_pressure.copy(),
        )  # fmt: skip
        lag = implicit / beds.compliance
        total = 1.0 + lag / beds.proximal + lag / beds.distal
        outflow = arteries.outflow_pressure[:, None]
        self.beds = (
            _lanes(1.0 / beds.proximal), _lanes(1.0 / total),
            _lanes(lag / beds.proximal / total),
            _lanes(lag * outflow / beds.distal / total),
        )  # fmt: skip
        # Flow in the middle of each step, so that every beat ejects its volume exactly.
        edges = (np.arange(steps + 1) + 0.5) / steps * inflow.period[:, None]
        volume = inflow.volume(edges)
        self.source = _lanes(np.diff(volume, axis=1) / self.step[:, None])

    def until_repeating(
        self, start: _State, probes: _Probes
    ) -> tuple[_Record, Float[np.ndarray, " lane"]]:
        """Go on until each subject's beats repeat.

        Returns:
            The beat of each subject, from the beginning of inflow, with which it
            converged (the last one if it did not), and the largest difference of
            pressure between its end and its beginning, Pa, anywhere: NaN where
            something was no number.
        """
        state = self._state(start)
        answer = self._record(self.steps, probes)
        last = self._record(self.steps, probes)
        residual = np.full(LANES, np.inf)
        going = np.ones(LANES, dtype=np.bool_)
        for _ in range(self.solver.max_beats):
            before = state[_PRESSURE].copy()
            self._advance(self.source, state, probes, last)
            change = abs(state[_PRESSURE] - before).max(axis=0)
            residual[going] = change[going]
            for kept, new in zip(answer, last, strict=True):
                kept[:, :, going] = new[:, :, going]
            # a subject that is no number any more has come to its end too
            going &= change > self.solver.tolerance
            if not going.any():
                break
        # the first row is the end of the first step: the last one is time 0
        return _Record(*(np.roll(w, 1, axis=0) for w in answer)), residual

    def from_rest(
        self, start: _State, probes: _Probes
    ) -> tuple[_Record, Float[np.ndarray, " lane"]]:
        """Do what the Pulse Wave Database did; see `capnet.hemodynamics.startup`."""
        count = math.ceil(DURATION / self.step.min())
        repeats = math.ceil(count / self.steps)
        source = np.tile(self.source, (repeats, 1))[:count]
        whole = self._record(count, probes)
        self._advance(source, self._state(start), probes, whole)
        answer, residual = self._record(self.steps, probes), np.zeros(LANES)
        for lane in range(LANES):
            for site in range(len(probes.end)):
                run = np.stack([wave[:, site, lane] for wave in whole])
                waves, change = last_beat(run, steps=self.steps, step=self.step[lane])
                residual[lane] = np.maximum(residual[lane], change)  # keeps NaN
                for kept, wave in zip(answer, waves, strict=True):
                    kept[:, site, lane] = wave
        return answer, residual

    def _state(self, start: _State) -> tuple[np.ndarray, ...]:
        """Return the kernel's state at rest in time: all its levels alike."""
        pressure, flow, store = (_lanes(part[self.rows]) for part in start)
        c0, c1, c2 = self.volume
        volume = c0 + (c1 + c2 * pressure) * pressure
        gain = np.zeros_like(volume)
        levels = (volume, 2), (pressure, 3), (flow, 3), (store, 2), (gain, 2)
        return tuple(part.copy() for part, count in levels for _ in range(count))

    def _record(self, count: int, probes: _Probes) -> _Record:
        shape = (count, len(probes.end), LANES)
        return _Record(*(np.zeros(shape) for _ in _Record._fields))

    def _advance(
        self,
        source: np.ndarray,
        state: tuple[np.ndarray, ...],
        probes: _Probes,
        record: _Record,
    ) -> None:
        blood, total = self.arteries.blood, self.solver.junctions == "total"
        run = (source, 2.0 / 3.0 * self.step, blood.momentum, blood.density, total)
        beat(self.mesh, self.body, (*run, *self.beds), state, (probes.end, *record))
