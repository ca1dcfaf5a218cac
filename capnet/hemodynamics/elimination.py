"""Solve a network of admittances by removing its nodes one after the other.

A node with neighbours is replaced by links between them (the star-mesh transform), in
a fixed order that was found once; loops (circle of Willis, palmar arches) are exact.
Only sums and products of admittances occur, never a difference of large numbers, so
mass is conserved to the last digits; all operations are differentiable.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int
from torch import Tensor, addcmul

__all__ = [
    "Factors",
    "Plan",
    "Step",
    "Steps",
    "eliminate",
    "flatten",
    "make_plan",
    "needed",
    "potentials",
    "substitute",
]

_GONE: Final[set[int]] = set()
"""Neighbours of a node that has been removed."""


class Step(NamedTuple):
    """Removal of one node.

    Attributes:
        node: What is removed.
        links: Neighbour and number of the link to it.
        bridges: New or strengthened link, and the two positions in ``links`` that
            it joins.
    """

    node: int
    links: tuple[tuple[int, int], ...]
    bridges: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Plan:
    """Order in which nodes are removed, the root last.

    Attributes:
        root: The node that stays.
        n_nodes: How many nodes there are.
        n_links: Links, those that arise on the way included.
        link: Number of the link that each branch belongs to.
        steps: Removals in their order.
    """

    root: int
    n_nodes: int
    n_links: int
    link: tuple[int, ...]
    steps: tuple[Step, ...]


class Steps(NamedTuple):
    """A `Plan` of elimination as arrays.

    Attributes:
        node: What is removed. Shape (step,).
        first: Where the links of each step begin in ``near``. Shape (step + 1,).
        near, link: Neighbour, and number of the link to it. Shape (share,).
        bridge_first: Where the bridges of each step begin. Shape (step + 1,).
        bridge, one, other: Link between two neighbours, and which two, as positions in
            ``near``. Shape (bridge,).
        n_nodes, n_links, root: See `Plan`.
    """

    node: Int[np.ndarray, " step"]
    first: Int[np.ndarray, " step+1"]
    near: Int[np.ndarray, " share"]
    link: Int[np.ndarray, " share"]
    bridge_first: Int[np.ndarray, " step+1"]
    bridge: Int[np.ndarray, " bridge"]
    one: Int[np.ndarray, " bridge"]
    other: Int[np.ndarray, " bridge"]
    n_nodes: int
    n_links: int
    root: int


def make_plan(ends: Sequence[tuple[int, int]], *, n_nodes: int, root: int) -> Plan:
    """Order the removals: always the node with the fewest neighbours next.

    Args:
        ends: The two nodes of every branch, numbered from 0.
        n_nodes: How many nodes there are.
        root: The node that stays.
    """
    number: dict[frozenset[int], int] = {}
    link = tuple(number.setdefault(frozenset(pair), len(number)) for pair in ends)
    near: dict[int, set[int]] = {node: set() for node in range(n_nodes)}
    for a, b in ends:
        near[a].add(b)
        near[b].add(a)
    queue, steps = [(len(near[n]), n) for n in range(n_nodes) if n != root], []
    heapify(queue)
    while queue:
        degree, node = heappop(queue)
        if degree != len(near[node]) or near[node] is _GONE:
            continue  # it has been put there anew
        around = sorted(near[node])
        links = tuple((m, number[frozenset((node, m))]) for m in around)
        bridges = []
        for i, a in enumerate(around):
            near[a].discard(node)
            for j in range(i + 1, len(around)):
                b = around[j]
                near[a].add(b)
                near[b].add(a)
                pair = frozenset((a, b))
                bridges.append((number.setdefault(pair, len(number)), i, j))
        steps.append(Step(node, links, tuple(bridges)))
        near[node] = _GONE
        for a in around:
            if a != root:
                heappush(queue, (len(near[a]), a))
    return Plan(root, n_nodes, len(number), link, tuple(steps))


def flatten(plan: Plan) -> Steps:
    """Return a plan as arrays."""

    def integers(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    first = np.cumsum([0, *(len(step.links) for step in plan.steps)])
    bridge_first = np.cumsum([0, *(len(step.bridges) for step in plan.steps)])
    bridges = [
        (number, start + i, start + j)
        for start, step in zip(first[:-1].tolist(), plan.steps, strict=True)
        for number, i, j in step.bridges
    ]
    return Steps(
        node=integers([step.node for step in plan.steps]),
        first=first,
        near=integers([node for step in plan.steps for node, _ in step.links]),
        link=integers([number for step in plan.steps for _, number in step.links]),
        bridge_first=bridge_first,
        bridge=integers([number for number, _, _ in bridges]),
        one=integers([i for _, i, _ in bridges]),
        other=integers([j for _, _, j in bridges]),
        n_nodes=plan.n_nodes,
        n_links=plan.n_links,
        root=plan.root,
    )


def needed(plan: Plan, nodes: Set[int]) -> Int[np.ndarray, " some"]:
    """Return the numbers of the steps, last first, that the potentials of nodes need.

    Args:
        plan: From `make_plan`.
        nodes: Whose potentials are wanted.
    """
    wanted, numbers = set(nodes), []
    for number, step in enumerate(plan.steps):
        if step.node in wanted:  # it needs the neighbours that outlive it
            wanted.update(node for node, _ in step.links)
            numbers.append(number)
    return np.array(numbers[::-1], dtype=np.int64)


class Factors(NamedTuple):
    """Admittances after the elimination: any currents can be sent through them.

    Attributes:
        plan: Order of elimination.
        shares: Of each step, one a link: part of a current that goes that way.
        inverse: Of each step: one over all admittances that meet at its node.
        drain: Admittance from the root to ground when all other nodes are gone.
    """

    plan: Plan
    shares: list[list[Tensor]]
    inverse: list[Tensor]
    drain: Tensor


def eliminate(
    plan: Plan, branches: Sequence[Tensor], shunts: Mapping[int, Tensor]
) -> Factors:
    """Remove node after node.

    Args:
        plan: From `make_plan`.
        branches: Admittance of every branch; any shape, all alike.
        shunts: Admittance from a node to ground, where there is one.
    """
    links: list[Tensor | None] = [None] * plan.n_links
    for number, branch in zip(plan.link, branches, strict=True):
        links[number] = _add(links[number], branch)
    ground: list[Tensor | None] = [shunts.get(node) for node in range(plan.n_nodes)]
    kept: list[list[Tensor]] = []
    inverses: list[Tensor] = []
    for step in plan.steps:
        weights = [w for _, number in step.links if (w := links[number]) is not None]
        shunt = ground[step.node]
        total = weights[0] if shunt is None else weights[0] + shunt
        for weight in weights[1:]:
            total = total + weight
        inverse = total.reciprocal()
        shares = [weight * inverse for weight in weights]
        for (node, _), share in zip(step.links, shares, strict=True):
            if shunt is not None:
                ground[node] = _add_product(ground[node], share, shunt)
        for number, i, j in step.bridges:
            links[number] = _add_product(links[number], shares[i], weights[j])
        kept.append(shares)
        inverses.append(inverse)
    drain = ground[plan.root]
    assert drain is not None, "a checked network drains somewhere"
    return Factors(plan, kept, inverses, drain)


def substitute(factors: Factors, currents: Mapping[int, Tensor]) -> list[Tensor]:
    """Return the potential of every node when currents enter at some.

    Args:
        factors: From `eliminate`.
        currents: Into each node where there is one, the root among them.

    Returns:
        One tensor a node.
    """
    plan = factors.plan
    enter: list[Tensor | None] = [currents.get(node) for node in range(plan.n_nodes)]
    for step, shares in zip(plan.steps, factors.shares, strict=True):
        current = enter[step.node]
        if current is not None:
            for (node, _), share in zip(step.links, shares, strict=True):
                enter[node] = _add_product(enter[node], share, current)
    inflow = enter[plan.root]
    assert inflow is not None, "a current enters at the root"
    answer = [inflow / factors.drain] * plan.n_nodes
    removed = zip(plan.steps, factors.shares, factors.inverse, strict=True)
    for step, shares, inverse in reversed(list(removed)):
        value = shares[0] * answer[step.links[0][0]]
        for (node, _), share in zip(step.links[1:], shares[1:], strict=True):
            value = addcmul(value, share, answer[node])
        current = enter[step.node]
        if current is not None:
            value = addcmul(value, inverse, current)
        answer[step.node] = value
    return answer


def potentials(
    plan: Plan, branches: Sequence[Tensor], shunts: Mapping[int, Tensor], inflow: Tensor
) -> list[Tensor]:
    """Return the potential of every node when a current enters at the root.

    Args:
        plan: From `make_plan`.
        branches: Admittance of every branch; any shape, all alike.
        shunts: Admittance from a node to ground, where there is one.
        inflow: Current into the root.

    Returns:
        One tensor a node.
    """
    return substitute(eliminate(plan, branches, shunts), {plan.root: inflow})


def _add(total: Tensor | None, value: Tensor) -> Tensor:
    return value if total is None else total + value


def _add_product(total: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    return a * b if total is None else addcmul(total, a, b)
