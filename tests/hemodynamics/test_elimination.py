import numpy as np
import torch

from capnet.hemodynamics.elimination import make_plan, potentials


def test_agrees_with_a_dense_solution():
    """Random admittances on a graph with loops and a parallel branch."""
    ends = [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (2, 4), (2, 4), (4, 5)]
    torch.manual_seed(0)
    branches = torch.rand(len(ends), dtype=torch.complex128) + 0.5
    shunts = {n: torch.rand((), dtype=torch.complex128) for n in (2, 4, 5)}
    inflow = torch.tensor(1.0 + 0.5j, dtype=torch.complex128)
    plan = make_plan(ends, n_nodes=6, root=0)
    found = torch.stack(potentials(plan, branches.unbind(0), shunts, inflow)).numpy()
    matrix = np.zeros((6, 6), dtype=complex)
    for (a, b), y in zip(ends, branches.numpy(), strict=True):
        matrix[[a, b], [a, b]] += y
        matrix[[a, b], [b, a]] -= y
    for node, y in shunts.items():
        matrix[node, node] += complex(y)
    wanted = np.linalg.solve(matrix, [complex(inflow), 0, 0, 0, 0, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
