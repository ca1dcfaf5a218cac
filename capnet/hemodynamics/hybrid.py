r"""A second family of bodies: few arteries with waves in them, the rest Windkessels.

What is not kept is cut off one centimetre behind where it branches off, and all that
lies behind a cut becomes one three-element Windkessel:

.. math::
    R_1 = Z_0, \qquad R_1 + R_2 = \frac{P - P_\mathrm{out}}{Q}, \qquad
    C = \sum_\mathrm{arteries} \int \frac{dA}{dP}\,dx + \sum_\mathrm{beds} C,

with the characteristic impedance of the artery at the cut, the mean pressure and flow
there in the whole body, and the compliance of what was cut off at its own mean
pressure. So the steady flow everywhere and the compliance of the whole stay what they
were, and only the waves that came back from the cut arteries are another person's.
Several cuts can lead to the same arteries (both carotids and the vertebral arteries to
the circle of Willis): these share their compliance by flow.

Lumping of distal arteries: Epstein 2015 (doi:10.1152/ajpheart.00857.2014).
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from capnet.errors import ConfigError
from capnet.hemodynamics.arteries import LEFT_ARM, Arteries, impedance
from capnet.hemodynamics.beds import MATCH_LIMIT, Beds
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import Location, Network, Tree, load_network
from capnet.hemodynamics.wall import (
    compliance,
    pulse_wave_speed,
    stiffness,
)

__all__ = ["AORTA", "OLUFSEN", "WallLaw", "hybrid", "with_wall"]

Rows = Int[np.ndarray, " artery"]
PerSubject = Float[np.ndarray, " subject"]
PerCut = Float[np.ndarray, "subject cut"]

AORTA: Final = np.array([1, 2, 14, 18, 27, 28, 35, 37, 39, 41]) - 1
"""Rows of the packaged network from the aortic root to the aortic bifurcation."""

_STUB: Final = 0.01
"""m of each branch that stay an artery: a Windkessel needs one that it can end."""
_BLOCK: Final = 256
"""Subjects whose mean state is found at once."""
_SOFTEST, _STIFFEST = 1e-3, 1e3
"""Factors on the stiffness of wide arteries between which one is looked for."""


@dataclass(frozen=True)
class WallLaw:
    """What all subjects share of Eh/R = k1 exp(k2 R) + k3.

    Attributes:
        k1: Pa.
        k2: 1/m.
    """

    k1: float
    k2: float


OLUFSEN: Final = WallLaw(k1=2.0e6, k2=-2253.0)
"""2e7 g/s2/cm and -22.53 1/cm: Olufsen 1999 (doi:10.1152/ajpheart.1999.276.1.H257)."""


def with_wall(bodies: Arteries, law: WallLaw, *, along: Rows = AORTA) -> Arteries:
    """Return the same people with another author's wall.

    Narrow arteries get the new law. The stiffness of wide ones, k3, is scaled by one
    factor a subject, so that a pulse takes as long through the aorta as before; beds
    keep their resistance, and those that matched their artery match it again.

    Args:
        bodies: Of any network.
        law: The wall.
        along: Arteries through which the pulse takes as long as before.

    Raises:
        ConfigError: If there is no such artery, or no k3 makes the pulse that slow or
            that fast.
    """
    segments = len(bodies.network)
    if not len(along) or along.min() < 0 or along.max() >= segments:
        msg = (
            f"the pulse is to take as long through rows {along.tolist()}; wanted some "
            f"in 0..{segments - 1} of {bodies.network!r}. Name them as 'along'."
        )
        raise ConfigError(msg)
    k1, k2 = np.full(segments, law.k1), np.full(segments, law.k2)
    wanted = _transit_time(bodies, along)

    def changed(factor: PerSubject) -> Arteries:
        return replace(bodies, k1=k1, k2=k2, k3=bodies.k3 * factor[:, None])

    low = np.full(len(bodies), _SOFTEST)
    high = np.full(len(bodies), _STIFFEST)
    slowest, fastest = (_transit_time(changed(f), along) for f in (low, high))
    bad = np.flatnonzero(~((fastest < wanted) & (wanted < slowest)))
    if len(bad):
        i = int(bad[0])
        msg = (
            f"the pulse of the subject in row {i} takes {wanted[i] * 1e3:.1f} ms "
            f"through the aorta; with {law} it can take {fastest[i] * 1e3:.1f} to "
            f"{slowest[i] * 1e3:.1f} ms. Choose another wall law."
        )
        raise ConfigError(msg)
    for _ in range(50):
        middle = np.sqrt(low * high)
        slow = _transit_time(changed(middle), along) > wanted
        low, high = np.where(slow, middle, low), np.where(slow, high, middle)
    answer = changed(np.sqrt(low * high))
    before, after = _matched(bodies), _matched(answer)
    total, proximal = bodies.beds.total, bodies.beds.proximal
    alike = np.isclose(proximal, before, rtol=1e-9)
    proximal = np.where(alike, after, proximal)
    beds = Beds(proximal, total - proximal, bodies.beds.compliance)
    return replace(answer, beds=beds)


def hybrid(bodies: Arteries, kept: Rows | None = None) -> Arteries:
    """Return bodies in which only some arteries are left, see the module.

    They are those of another network and go into a cohort beside the parameters:
    ``dataclasses.replace(cohort, bodies=hybrid(cohort.arteries()))``. Named sites stay
    where their artery does.

    Args:
        bodies: Of any network.
        kept: Rows of the arteries that stay; they form one tree from the root. For the
            packaged network the aorta to its bifurcation and the left arm, palmar
            arches included, by default.

    Raises:
        ConfigError: If the arteries kept do not hang together, or blood comes back to
            them from what was cut off; the message names the artery.
    """
    network = bodies.network
    rows = _checked(network, kept)
    if len(rows) == len(network):
        return bodies
    plan = _plan(network, tuple(rows.tolist()))
    parts = [
        _lump(bodies.take(slice(i, i + _BLOCK)), plan)
        for i in range(0, len(bodies), _BLOCK)
    ]
    proximal, distal, capacity = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("proximal", "distal", "compliance")
    )
    # of the arteries kept whole, the beds stay what they were
    own = np.isin(network.terminals, rows)
    order = np.argsort(np.concatenate([network.terminals[own], plan.artery]))
    beds = Beds(
        *(
            np.concatenate([was[:, own], new], axis=1)[:, order]
            for was, new in (
                (bodies.beds.proximal, proximal),
                (bodies.beds.distal, distal),
                (bodies.beds.compliance, capacity),
            )
        )
    )
    left, share = plan.left, plan.share
    taper = bodies.outlet_radius - bodies.inlet_radius
    return replace(
        bodies,
        network=plan.network,
        length=bodies.length[:, left] * share,
        inlet_radius=bodies.inlet_radius[:, left],
        outlet_radius=(bodies.inlet_radius + taper * plan.fraction)[:, left],
        k3=bodies.k3[:, left],
        viscous=bodies.viscous[left],
        k1=bodies.k1[left],
        k2=bodies.k2[left],
        beds=beds,
    )


class _Plan(NamedTuple):
    """What becomes of a network.

    Attributes:
        whole: The network before, whose only sites are the cuts.
        network: What is left of it.
        artery, place: Row of the artery of each cut, and where it is cut (fraction).
        fraction: Up to where each artery stays; 0 for those that go. (segment,).
        left, share: Rows that stay, in order, and up to where. Shape (piece,).
    """

    whole: Network
    network: Network
    artery: Rows
    place: Float[np.ndarray, " cut"]
    fraction: Float[np.ndarray, " segment"]
    left: Int[np.ndarray, " piece"]
    share: Float[np.ndarray, " piece"]


def _checked(network: Network, kept: Rows | None) -> Rows:
    """Return the rows to keep, each once, after checking that they form a tree."""
    if kept is None:
        if not network.same(load_network()):
            msg = (
                f"{network!r} is not the packaged network; name the rows of the "
                "arteries to keep."
            )
            raise ConfigError(msg)
        kept = np.concatenate([AORTA, LEFT_ARM])
    rows = np.unique(kept)
    if not len(rows) or rows[0] < 0 or rows[-1] >= len(network):
        msg = (
            f"rows {rows.tolist()} are to be kept; wanted some in "
            f"0..{len(network) - 1}."
        )
        raise ConfigError(msg)
    fed = {network.root, *network.outlet[rows].tolist()}
    for row in rows:
        if int(network.inlet[row]) not in fed:
            msg = (
                f"{network.label(int(row))} is to be kept, but no artery that leads to "
                "it; keep those from the root to it, too."
            )
            raise ConfigError(msg)
    nodes = np.union1d(network.inlet[rows], network.outlet[rows])
    gone = np.setdiff1d(np.arange(len(network)), rows)
    back = gone[np.isin(network.outlet[gone], nodes)]
    if len(back):
        msg = (
            f"{network.label(int(back[0]))} is to be cut off, but runs into an artery "
            "that is kept; keep it, too, or cut off what it runs into."
        )
        raise ConfigError(msg)
    return rows


@lru_cache(maxsize=8)
def _plan(network: Network, kept: tuple[int, ...]) -> _Plan:
    rows = np.array(kept)
    nodes = np.union1d(network.inlet[rows], network.outlet[rows])
    gone = np.setdiff1d(np.arange(len(network)), rows)
    artery = gone[np.isin(network.inlet[gone], nodes)]
    place = np.minimum(_STUB / network.length[artery], 1.0)
    fraction = np.zeros(len(network))
    fraction[rows], fraction[artery] = 1.0, place
    left = np.sort(np.concatenate([rows, artery]))
    outlet = network.outlet.copy()
    # two cuts may lead to one node, but each bed has a node of its own
    outlet[artery] = max(network.nodes) + 1 + np.arange(len(artery))
    taper = network.outlet_radius - network.inlet_radius
    smaller = Network(
        name=tuple(network.name[row] for row in left),
        inlet=network.inlet[left],
        outlet=outlet[left],
        length=network.length[left] * fraction[left],
        inlet_radius=network.inlet_radius[left],
        outlet_radius=(network.inlet_radius + taper * fraction)[left],
        sites={
            site: Location(
                int(np.searchsorted(left, row)) + 1, float(at / fraction[row])
            )
            for site, (segment, at) in network.sites.items()
            for row in [segment - 1]
            if at <= fraction[row] and fraction[row] > 0.0
        },
    )
    cuts = {
        f"cut {k}": Location(int(row) + 1, float(at))
        for k, (row, at) in enumerate(zip(artery, place, strict=True))
    }
    whole = replace(network, sites=cuts)
    return _Plan(whole, smaller, artery, place, fraction, left, fraction[left])


def _lump(bodies: Arteries, plan: _Plan) -> Beds:
    """Return the Windkessel behind each cut."""
    solver = LinearSolver(harmonics=1, order=1, engine="torch")
    layout = solver.layout(plan.whole, tuple(plan.whole.sites))
    with torch.no_grad():
        state = solver.propagate(solver.tensors(bodies), layout)
    pressure = state.mean_pressure.numpy().T
    tree = layout.tree
    end = np.array([tree.probes[site].piece for site in plan.whole.sites])
    port = layout.outlet[end]
    flow = state.mean_flow.numpy().T[:, end]
    back = np.argwhere(~(flow > 0.0))
    if len(back):
        i, k = (int(v) for v in back[0])
        msg = (
            f"blood comes back from {plan.whole.label(int(plan.artery[k]))} in the "
            f"subject in row {i} of a block; keep what lies behind it."
        )
        raise ConfigError(msg)
    total = (pressure[:, port] - bodies.outflow_pressure[:, None]) / flow
    group = _groups(tree, layout.inlet, layout.outlet, plan)
    behind = np.flatnonzero(_behind(tree, plan))
    first, final = (pressure[:, ends[behind]] for ends in (layout.inlet, layout.outlet))
    capacity = np.zeros_like(pressure)  # of what hangs on each group's first node
    given = _compliance(bodies, tree, behind, first, final)
    np.add.at(capacity.T, group[layout.inlet[behind]], given.T)
    last = {int(tree.parent[p]): p for p in np.argsort(tree.end, kind="stable")}
    for k, row in enumerate(plan.whole.terminals):
        if plan.fraction[row] < 1.0 or row in plan.artery:
            at = group[layout.outlet[last[int(row)]]]
            capacity[:, at] += bodies.beds.compliance[:, k]
    through = np.zeros_like(pressure)
    np.add.at(through.T, group[port], flow.T)
    shared = capacity[:, group[port]] * flow / through[:, group[port]]
    matched = _impedance(bodies, plan.artery, plan.place)
    proximal = np.minimum(matched, MATCH_LIMIT * total)
    return Beds(proximal, total - proximal, shared)


def _behind(tree: Tree, plan: _Plan) -> np.ndarray:
    """Return which pieces are cut off."""
    until: np.ndarray = plan.fraction[tree.parent]
    return tree.end > until + 1e-9


def _groups(
    tree: Tree,
    inlet: Int[np.ndarray, " piece"],
    outlet: Int[np.ndarray, " piece"],
    plan: _Plan,
) -> Int[np.ndarray, " node"]:
    """Return a node that stands for all nodes which hang together behind the cuts."""
    group = np.arange(len(tree.network.nodes))
    for piece in np.flatnonzero(_behind(tree, plan)):
        one, other = group[inlet[piece]], group[outlet[piece]]
        group[group == other] = one
    return group


def _compliance(
    bodies: Arteries,
    tree: Tree,
    pieces: Int[np.ndarray, " piece"],
    first: Float[np.ndarray, "subject piece"],
    final: Float[np.ndarray, "subject piece"],
) -> Float[np.ndarray, "subject piece"]:
    """Return the compliance of pieces of artery between their end pressures, m3/Pa."""
    rows = tree.parent[pieces]
    begin, size = tree.begin[pieces], (tree.end - tree.begin)[pieces]
    inlet, outlet = bodies.inlet_radius[:, rows], bodies.outlet_radius[:, rows]
    answer = np.zeros_like(first)
    points, weights = np.polynomial.legendre.leggauss(4)
    for x, weight in zip(0.5 * (1.0 + points), 0.5 * weights, strict=True):
        radius = inlet + (outlet - inlet) * (begin + size * x)
        beta = stiffness(radius, bodies.k1[rows], bodies.k2[rows], bodies.k3[:, rows])
        pressure = first + (final - first) * x
        reference = bodies.reference_pressure[:, None]
        answer += weight * compliance(pressure, reference, radius, beta)
    answer *= bodies.length[:, rows] * size
    return answer


def _impedance(
    bodies: Arteries, rows: Rows, place: Float[np.ndarray, " cut"]
) -> PerCut:
    """Return the characteristic impedance at places of arteries, Pa s/m3."""
    inlet, outlet = bodies.inlet_radius[:, rows], bodies.outlet_radius[:, rows]
    radius = inlet + (outlet - inlet) * place
    beta = stiffness(radius, bodies.k1[rows], bodies.k2[rows], bodies.k3[:, rows])
    return impedance(radius, beta, bodies.blood.density)


def _matched(bodies: Arteries) -> Float[np.ndarray, "subject terminal"]:
    """Return the R1 of beds that match their arteries."""
    rows = bodies.network.terminals
    at_end = _impedance(bodies, rows, np.ones(len(rows)))
    matched: np.ndarray = np.minimum(at_end, MATCH_LIMIT * bodies.beds.total)
    return matched


def _transit_time(bodies: Arteries, rows: Rows) -> PerSubject:
    """Return how long a pulse takes at reference pressure, mean radii, s."""
    radius = 0.5 * (bodies.inlet_radius + bodies.outlet_radius)[:, rows]
    beta = stiffness(radius, bodies.k1[rows], bodies.k2[rows], bodies.k3[:, rows])
    speed = pulse_wave_speed(beta, bodies.blood.density)
    answer: PerSubject = (bodies.length[:, rows] / speed).sum(axis=1)
    return answer
