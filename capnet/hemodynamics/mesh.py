r"""The mesh of the nonlinear solver: where volumes, flows and junctions lie.

Every piece of artery is cut into even intervals. Pressure and volume live at the
nodes between them (a node owns half of every interval that meets there), flow lives in
the middle of the intervals. With the tube law
:math:`P = P_d + \beta(\sqrt{A/A_d} - 1)` the volume that a node stores is a quadratic
function of its pressure, whatever number of arteries meet there:

.. math:: V(P) = c_0 + c_1 P + c_2 P^2,

so pressure follows from volume in closed form, at junctions too.
"""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Int

from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.elimination import make_plan
from capnet.hemodynamics.network import Tree
from capnet.hemodynamics.wall import stiffness, wall_viscosity

__all__ = ["Mesh", "Physics", "Schedule", "discretise", "make_mesh"]

Ints = Int[np.ndarray, " _"]
PerNode = Float[np.ndarray, "subject node"]
PerInterval = Float[np.ndarray, "subject interval"]

_MOST: Final = 3
"""Neighbours that a node may have when it is removed (3 on 116 arteries)."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Order in which the nodes are removed, see `capnet.hemodynamics.elimination`.

    Attributes:
        node: What is removed. Shape (step,).
        degree: How many neighbours it has then. Shape (step,).
        near: Its neighbours. Shape (step, most).
        link: Number of the link to each. Shape (step, most).
        bridge: Number of the link between neighbours (0, 1), (0, 2), (1, 2) ...
            Shape (step, most (most - 1) / 2).
        n_links: All links, those that arise on the way included.
    """

    node: Ints
    degree: Ints
    near: Int[np.ndarray, "step most"]
    link: Int[np.ndarray, "step most"]
    bridge: Int[np.ndarray, "step pair"]
    n_links: int


@dataclass(frozen=True, eq=False)
class Mesh:
    """Where everything lies. The same for all subjects.

    Attributes:
        tree: The arteries, cut at the sites.
        n_nodes: Number of nodes; those of the tree come first, in its order.
        root: Node where the heart ejects.
        beds, bed_piece: Node of each vascular bed and piece that ends there. Shape
            (terminal,).
        left, right: Nodes of every interval. Shape (interval,).
        piece: Piece that it belongs to. Shape (interval,).
        middle: Its middle, as a fraction of the piece. Shape (interval,).
        counts: Intervals of each piece. Shape (piece,).
        through: Nodes inside an artery; ``before`` and ``after`` are the intervals
            around them, ``share`` the weight of the one before. Shape (through,).
        through_piece, through_place: Piece of each and fraction along it.
        end_node, end_first, end_side: All other places where an artery meets a node:
            the interval there, and +1 where the artery begins, -1 where it ends.
            Shape (end,).
        end_piece: Piece of each. Shape (end,).
        link: Link of every interval in the elimination. Shape (interval,).
        schedule: Order of elimination.
    """

    tree: Tree
    n_nodes: int
    root: int
    beds: Ints
    bed_piece: Ints
    left: Ints
    right: Ints
    piece: Ints
    middle: Float[np.ndarray, " interval"]
    counts: Ints
    through: Ints
    before: Ints
    after: Ints
    share: Float[np.ndarray, " through"]
    through_piece: Ints
    through_place: Float[np.ndarray, " through"]
    end_node: Ints
    end_first: Ints
    end_side: Ints
    end_piece: Ints
    link: Ints
    schedule: Schedule


@dataclass(frozen=True, eq=False)
class Physics:
    """Coefficients of the scheme, one row a subject. SI.

    Attributes:
        c0, c1, c2: Volume of a node as a function of its pressure.
        relaxation: Voigt time of a node's wall at the reference pressure, s: the
            viscous pressure is this times dV/dt over dV/dP.
        area, stretch: Reference lumen and 1/beta at the middle of the intervals.
        size: Length of the intervals, m.
        through_area, through_stretch: The same inside arteries' nodes.
        end_area, end_stretch: At the ends of arteries.
        end_share: Part that each end has in the compliance of its node.
    """

    c0: PerNode
    c1: PerNode
    c2: PerNode
    relaxation: PerNode
    area: PerInterval
    stretch: PerInterval
    size: PerInterval
    through_area: Float[np.ndarray, "subject through"]
    through_stretch: Float[np.ndarray, "subject through"]
    end_area: Float[np.ndarray, "subject end"]
    end_stretch: Float[np.ndarray, "subject end"]
    end_share: Float[np.ndarray, "subject end"]

    def take(self, rows: Ints) -> Self:
        """Return the subjects at these rows."""
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))


def make_mesh(tree: Tree, longest: float) -> Mesh:
    """Cut the pieces of a tree into even intervals.

    Args:
        tree: The arteries, cut at the sites.
        longest: Wanted length of an interval, m; a piece gets the number of intervals
            that comes nearest, and one at least.
    """
    names = tree.network.nodes
    inlet = np.searchsorted(names, tree.network.inlet)
    outlet = np.searchsorted(names, tree.network.outlet)
    counts = np.maximum(np.rint(tree.network.length / longest), 1).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(counts)])
    inner = len(names) + np.concatenate([[0], np.cumsum(counts - 1)])
    piece = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(start[-1]) - start[piece]
    left = np.where(position == 0, inlet[piece], inner[piece] + position - 1)
    last = position == counts[piece] - 1
    right = np.where(last, outlet[piece], inner[piece] + position)
    after = np.flatnonzero(position > 0)
    through, before = left[after], after - 1
    place = (position / counts[piece])[after]
    share, through_piece = np.full(len(after), 0.5), piece[after]
    ends = [(int(inlet[p]), int(start[p]), 1, p) for p in range(len(counts))]
    ends += [(int(outlet[p]), int(start[p + 1] - 1), -1, p) for p in range(len(counts))]
    # A cut at a site is no junction: the artery goes on behind it.
    for p in range(len(tree.network)):
        follower = np.flatnonzero(
            (inlet == outlet[p])
            & (tree.parent == tree.parent[p])
            & (tree.begin == tree.end[p])
        )
        if tree.end[p] < 1.0 and len(follower):
            f = int(follower[0])
            a, b = int(start[p + 1] - 1), int(start[f])
            spans = [(tree.end[q] - tree.begin[q]) / counts[q] for q in (p, f)]
            through = np.append(through, outlet[p])
            before, after = np.append(before, a), np.append(after, b)
            share = np.append(share, spans[1] / sum(spans))
            through_piece = np.append(through_piece, p)
            place = np.append(place, 1.0)
            ends.remove((int(outlet[p]), a, -1, p))
            ends.remove((int(inlet[f]), b, 1, f))
    node, first, side, at = (np.array(column) for column in zip(*ends, strict=True))
    bed_piece = _bed_pieces(tree)
    root = names.index(tree.network.root)
    schedule, link = _schedule(left, right, int(inner[-1]), root)
    return Mesh(
        tree=tree,
        n_nodes=int(inner[-1]),
        root=root,
        beds=outlet[bed_piece],
        bed_piece=bed_piece,
        left=left,
        right=right,
        piece=piece,
        middle=(position + 0.5) / counts[piece],
        counts=counts,
        through=through,
        before=before,
        after=after,
        share=share,
        through_piece=through_piece,
        through_place=place,
        end_node=node,
        end_first=first,
        end_side=side,
        end_piece=at,
        link=link,
        schedule=schedule,
    )


def _bed_pieces(tree: Tree) -> Ints:
    """Return the piece that ends in each bed, in the order of the whole network."""
    last = np.flatnonzero(~np.isin(tree.network.outlet, tree.network.inlet))
    return last[np.argsort(tree.parent[last])]


def _schedule(
    left: Ints, right: Ints, n_nodes: int, root: int
) -> tuple[Schedule, Ints]:
    ends = list(zip(left.tolist(), right.tolist(), strict=True))
    plan = make_plan(ends, n_nodes=n_nodes, root=root)
    steps, most = len(plan.steps), max([_MOST, *(len(s.links) for s in plan.steps)])
    near = np.zeros((steps, most), dtype=np.int64)
    link, bridge = (
        near.copy(),
        np.zeros((steps, most * (most - 1) // 2), dtype=np.int64),
    )
    for k, step in enumerate(plan.steps):
        degree = len(step.links)
        near[k, :degree] = [node for node, _ in step.links]
        link[k, :degree] = [number for _, number in step.links]
        bridge[k, : len(step.bridges)] = [number for number, _, _ in step.bridges]
    schedule = Schedule(
        node=np.array([step.node for step in plan.steps]),
        degree=np.array([len(step.links) for step in plan.steps]),
        near=near,
        link=link,
        bridge=bridge,
        n_links=plan.n_links,
    )
    return schedule, np.array(plan.link)


def discretise(arteries: Arteries, mesh: Mesh, *, viscoelastic: bool) -> Physics:
    """Return the coefficients of every node and interval.

    Args:
        arteries: The bodies.
        mesh: From `make_mesh`, of the same network.
        viscoelastic: Whether walls are viscous; elastic otherwise.
    """
    tree, reference = mesh.tree, arteries.reference_pressure[:, None]

    def wall(
        piece: Ints, place: Float[np.ndarray, " row"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return radius, lumen and beta at fractions of pieces."""
        parent = tree.parent[piece]
        begin, end = tree.begin[piece], tree.end[piece]
        where = begin + (end - begin) * place
        first = arteries.inlet_radius[:, parent]
        radius = first + (arteries.outlet_radius[:, parent] - first) * where
        beta = stiffness(
            radius, arteries.k1[parent], arteries.k2[parent], arteries.k3[:, parent]
        )
        return radius, np.pi * radius**2, beta

    span = ((tree.end - tree.begin) / mesh.counts)[mesh.piece]
    size = arteries.length[:, tree.parent[mesh.piece]] * span
    _, area, beta = wall(mesh.piece, mesh.middle)
    shape = (len(arteries), mesh.n_nodes)
    c0, c1, c2, slow = (np.zeros(shape) for _ in range(4))
    quarter = 0.25 / mesh.counts[mesh.piece]
    for node, shift in ((mesh.left, -quarter), (mesh.right, quarter)):
        radius, lumen, stiff = wall(mesh.piece, mesh.middle + shift)
        volume, rest = lumen * size / 2.0, 1.0 - reference / stiff
        give = 2.0 * volume / stiff
        _scatter(c0, node, volume * rest * rest)
        _scatter(c1, node, give * rest)
        _scatter(c2, node, volume / stiff**2)
        if viscoelastic:
            time = wall_viscosity(radius, lumen) * 2.0 * lumen / stiff
            viscous = arteries.viscous[tree.parent[mesh.piece]]
            _scatter(slow, node, give * time * viscous)
    _, through_area, through_beta = wall(mesh.through_piece, mesh.through_place)
    at_end = np.where(mesh.end_side > 0, 0.0, 1.0)
    _, end_area, end_beta = wall(mesh.end_piece, at_end)
    half = size[:, mesh.end_first] * end_area / end_beta
    whole = np.zeros(shape)
    _scatter(whole, mesh.end_node, half)
    return Physics(
        c0=c0,
        c1=c1,
        c2=c2,
        relaxation=slow / (c1 + 2.0 * c2 * reference),
        area=area,
        stretch=1.0 / beta,
        size=size,
        through_area=through_area,
        through_stretch=1.0 / through_beta,
        end_area=end_area,
        end_stretch=1.0 / end_beta,
        end_share=half / whole[:, mesh.end_node],
    )


def _scatter(total: np.ndarray, node: Ints, part: np.ndarray) -> None:
    """Add the columns of ``part`` to the nodes' columns of ``total``."""
    np.add.at(total.T, node, part.T)
