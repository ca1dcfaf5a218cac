import numpy as np
import torch

from capnet.hemodynamics.elimination import flatten, make_plan, needed, potentials

ENDS = [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (2, 4), (2, 4), (4, 5), (1, 6)]
"""A graph with loops, a parallel branch and a dead end (6)."""


def test_agrees_with_a_dense_solution():
    """Random admittances on a graph with loops and a parallel branch."""
    torch.manual_seed(0)
    branches = torch.rand(len(ENDS), dtype=torch.complex128) + 0.5
    shunts = {n: torch.rand((), dtype=torch.complex128) for n in (2, 4, 5)}
    inflow = torch.tensor(1.0 + 0.5j, dtype=torch.complex128)
    plan = make_plan(ENDS, n_nodes=7, root=0)
    found = torch.stack(potentials(plan, branches.unbind(0), shunts, inflow)).numpy()
    matrix = np.zeros((7, 7), dtype=complex)
    for (a, b), y in zip(ENDS, branches.numpy(), strict=True):
        matrix[[a, b], [a, b]] += y
        matrix[[a, b], [b, a]] -= y
    for node, y in shunts.items():
        matrix[node, node] += complex(y)
    wanted = np.linalg.solve(matrix, [complex(inflow), 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_arrays_say_what_the_plan_says():
    plan = make_plan(ENDS, n_nodes=7, root=0)
    steps = flatten(plan)
    assert (steps.root, steps.n_nodes, steps.n_links) == (0, 7, plan.n_links)
    for k, step in enumerate(plan.steps):
        links = slice(steps.first[k], steps.first[k + 1])
        found = zip(steps.near[links].tolist(), steps.link[links].tolist(), strict=True)
        assert (steps.node[k], tuple(found)) == (step.node, step.links)
        bridges = slice(steps.bridge_first[k], steps.bridge_first[k + 1])
        ends = (steps.one[bridges], steps.other[bridges])
        pairs = zip(
            steps.bridge[bridges], *(e - steps.first[k] for e in ends), strict=True
        )
        assert tuple(pairs) == step.bridges


def test_a_potential_needs_only_the_nodes_that_outlive_it():
    plan = make_plan(ENDS, n_nodes=7, root=0)
    every = list(range(len(plan.steps)))[::-1]
    assert needed(plan, set(range(7))).tolist() == every
    assert needed(plan, {0}).tolist() == []
    for node in range(1, 7):
        some = needed(plan, {node}).tolist()
        assert some == sorted(some, reverse=True)
        known = {0}
        for k in some:
            assert {n for n, _ in plan.steps[k].links} <= known
            known.add(plan.steps[k].node)
        assert node in known
