"""Solve a network of admittances by removing its nodes one after the other.

A node with neighbours is replaced by links between them (the star-mesh transform), in
a fixed order that was found once; loops (circle of Willis, palmar arches) are exact.
Only sums and products of admittances occur, never a difference of large numbers, so
mass is conserved to the last digits; all operations are differentiable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, addcmul

__all__ = ["Plan", "Step", "make_plan", "potentials"]


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
    left, steps = set(range(n_nodes)) - {root}, []
    while left:
        node = min(left, key=lambda n: (len(near[n]), n))
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
        left.discard(node)
    return Plan(root, n_nodes, len(number), link, tuple(steps))


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
    links: list[Tensor | None] = [None] * plan.n_links
    for number, branch in zip(plan.link, branches, strict=True):
        links[number] = _add(links[number], branch)
    ground: list[Tensor | None] = [shunts.get(node) for node in range(plan.n_nodes)]
    kept: list[list[Tensor]] = []
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
    drain = ground[plan.root]
    assert drain is not None, "a checked network drains somewhere"
    answer = [inflow / drain] * plan.n_nodes
    for step, shares in zip(reversed(plan.steps), reversed(kept), strict=True):
        value = shares[0] * answer[step.links[0][0]]
        for (node, _), share in zip(step.links[1:], shares[1:], strict=True):
            value = addcmul(value, share, answer[node])
        answer[step.node] = value
    return answer


def _add(total: Tensor | None, value: Tensor) -> Tensor:
    return value if total is None else total + value


def _add_product(total: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    return a * b if total is None else addcmul(total, a, b)
