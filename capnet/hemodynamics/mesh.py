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
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from capnet.hemodynamics.arteries import Arteries
from capnet.hemodynamics.elimination import Steps, flatten, make_plan
from capnet.hemodynamics.network import Tree
from capnet.hemodynamics.wall import stiffness, wall_viscosity

__all__ = ["Mesh", "Physics", "discretise", "make_mesh"]

Ints = Int[np.ndarray, " _"]
PerNode = Float[np.ndarray, "subject node"]
PerInterval = Float[np.ndarray, "subject interval"]


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
        through: Nodes inside a piece; ``after`` is the interval behind each, the one
            before has the number before. Shape (through,).
        through_piece, through_place: Piece of each and fraction along it.
        end_node, end_first, end_side: The other places where a piece meets a node, all
            inlets and then all outlets: the interval there, and +1 for an inlet, -1 for
            an outlet. Shape (end,).
        end_piece: Piece of each. Shape (end,).
        link: Link of every interval in the elimination. Shape (interval,).
        steps: Order of elimination.
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
    after: Ints
    through_piece: Ints
    through_place: Float[np.ndarray, " through"]
    end_node: Ints
    end_first: Ints
    end_side: Ints
    end_piece: Ints
    link: Ints
    steps: Steps


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
    every = np.arange(len(counts))
    bed_piece = _bed_pieces(tree)
    root = names.index(tree.network.root)
    plan = make_plan(
        list(zip(left.tolist(), right.tolist(), strict=True)),
        n_nodes=int(inner[-1]),
        root=root,
    )
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
        through=left[after],
        after=after,
        through_piece=piece[after],
        through_place=(position / counts[piece])[after],
        end_node=np.concatenate([inlet, outlet]),
        end_first=np.concatenate([start[:-1], start[1:] - 1]),
        end_side=np.repeat([1, -1], len(counts)),
        end_piece=np.concatenate([every, every]),
        link=np.array(plan.link),
        steps=flatten(plan),
    )


def _bed_pieces(tree: Tree) -> Ints:
    """Return the piece that ends in each bed, in the order of the whole network."""
    last = np.flatnonzero(~np.isin(tree.network.outlet, tree.network.inlet))
    return last[np.argsort(tree.parent[last])]


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
