"""Laws of the maximum mean discrepancy."""

import numpy as np
import pytest
import torch

from capnet.adaptation.divergences import mmd
from capnet.errors import ShapeError


def normal(n, *, seed, features=6, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, features, generator=generator, dtype=torch.float64) + shift


def kernel_means(source, target, weights):
    """The estimate written as loops over pairs, against the matrix form."""
    pooled = np.concatenate([source, target])
    square = ((pooled[:, None] - pooled) ** 2).sum(-1)
    off = square[~np.eye(len(pooled), dtype=bool)]
    median = np.sort(off)[(len(off) - 1) // 2]

    def k(a, b):
        distance = ((a - b) ** 2).sum()
        return np.mean([np.exp(-distance / (median * 2.0**q)) for q in range(-2, 3)])

    def mean(rows, columns, weight, *, same):
        total = norm = 0.0
        for i, a in enumerate(rows):
            for j, b in enumerate(columns):
                if same and i == j:
                    continue
                w = weight[0][i] * weight[1][j]
                total, norm = total + w * k(a, b), norm + w
        return total / norm

    ones = np.ones(len(target))
    return (
        mean(source, source, (weights, weights), same=True)
        + mean(target, target, (ones, ones), same=True)
        - 2 * mean(source, target, (weights, ones), same=False)
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_its_formula(weighted):
    source, target = normal(7, seed=0), normal(5, seed=1, shift=0.4)
    weights = torch.arange(1.0, 8.0, dtype=torch.float64) if weighted else None
    plain = np.ones(7) if weights is None else weights.numpy()
    wanted = kernel_means(source.numpy(), target.numpy(), plain)
    assert mmd(source, target, weights).item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(16, 16), (8, 30), (30, 3)])
def test_it_is_unbiased(n, m):
    """Two samples of one distribution are 0 apart on average, in any size."""
    values = np.array(
        [mmd(normal(n, seed=2 * s), normal(m, seed=2 * s + 1)) for s in range(300)]
    )
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean()) < 4 * error
    assert (values < 0).any()  # It is not clamped.
    assert (values > 0).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_shift_is_positive_and_grows(weighted):
    weights = torch.rand(60, generator=torch.Generator().manual_seed(3)) + 0.5
    weights = weights.double() if weighted else None
    near, far, farther = (
        mmd(normal(60, seed=0), normal(40, seed=1, shift=shift), weights)
        for shift in (0.0, 0.7, 1.4)
    )
    assert 0.05 < far < farther
    assert abs(near) < 0.3 * far


def test_spread_is_seen_where_the_means_agree():
    assert mmd(normal(80, seed=0), 2 * normal(80, seed=1)) > 0.02


def test_it_is_symmetric():
    one, other = normal(9, seed=0), normal(14, seed=1, shift=0.3)
    torch.testing.assert_close(mmd(one, other), mmd(other, one))


def test_order_of_the_rows_does_not_matter():
    one, other = normal(9, seed=0), normal(14, seed=1, shift=0.3)
    torch.testing.assert_close(mmd(one.flip(0), other.flip(0)), mmd(one, other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-4, 1e3])
def test_scale_is_not_seen(scale, dtype):
    one, other = (x.to(dtype) for x in (normal(20, seed=0), normal(15, seed=1) + 0.5))
    torch.testing.assert_close(
        mmd(scale * one, scale * other), mmd(one, other), atol=1e-5, rtol=1e-4
    )


def test_a_common_offset_is_not_seen_even_in_single_precision():
    one, other = normal(20, seed=0), normal(15, seed=1, shift=0.5)
    there = mmd((1e-2 * one + 100).float(), (1e-2 * other + 100).float())
    assert there.item() == pytest.approx(mmd(one, other).item(), abs=1e-3)


def test_a_rotation_of_the_features_is_not_seen():
    one, other = normal(20, seed=0), normal(15, seed=1, shift=0.5)
    turn, _ = torch.linalg.qr(normal(6, seed=2))
    torch.testing.assert_close(mmd(one @ turn, other @ turn), mmd(one, other))


# Weights ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [0.01, 1.0, 50.0])
def test_equal_weights_of_any_size_are_no_weights(size):
    one, other = normal(9, seed=0), normal(14, seed=1, shift=0.3)
    weighted = mmd(one, other, torch.full((9,), size, dtype=torch.float64))
    torch.testing.assert_close(weighted, mmd(one, other))


def test_weights_undo_a_shift_of_the_mixture():
    """A source of two groups is weighted to the target's mixture of them."""
    one, two = normal(60, seed=0, shift=-1.0), normal(60, seed=1, shift=1.0)
    source = torch.cat([one, two])
    target = torch.cat([normal(15, seed=2, shift=-1.0), normal(45, seed=3, shift=1.0)])
    right = torch.cat([torch.full((60,), 0.5), torch.full((60,), 1.5)]).double()
    wrong = right.flip(0)
    assert mmd(source, target, right).abs() < 0.3 * mmd(source, target)
    assert mmd(source, target, wrong) > mmd(source, target)


# Gradients -------------------------------------------------------------------


def gradients(source, target):
    source, target = (x.clone().requires_grad_() for x in (source, target))
    return torch.autograd.grad(mmd(source, target), (source, target))


def test_descent_brings_the_samples_together():
    source, target = normal(30, seed=0), normal(20, seed=1, shift=1.0)
    before = mmd(source, target)
    for _ in range(20):
        source = source - 20 * gradients(source, target)[0]
    assert mmd(source, target) < 0.3 * before


def test_a_shift_pulls_towards_the_other_sample():
    pulled, pushed = gradients(normal(30, seed=0), normal(20, seed=1, shift=1.0))
    assert (pulled.mean(dim=0) < 0).all()
    assert (pushed.mean(dim=0) > 0).all()


def test_no_gradient_flows_through_the_bandwidth():
    """Growing or shrinking all features together has a gradient, the median none."""
    source, target = normal(10, seed=0), normal(8, seed=1, shift=0.5)
    step = 1e-6
    slopes = gradients(source, target)
    along = sum((g * x).sum() for g, x in zip(slopes, (source, target), strict=True))
    total = (mmd((1 + step) * source, (1 + step) * target) - mmd(source, target)) / step
    assert total.abs() < 1e-6  # Scale-free, bandwidth included ...
    assert along.abs() > 1e-3  # ... which the gradient leaves out.


ROWS = normal(3, seed=0)
DEGENERATE = {
    "duplicates": (ROWS.repeat(4, 1), normal(8, seed=1)),
    "all equal": (torch.full((6, 6), 1.3).double(), torch.full((5, 6), 1.3).double()),
    "all zero": (torch.zeros(6, 6).double(), torch.zeros(5, 6).double()),
    "two points": (torch.zeros(6, 6).double(), torch.ones(5, 6).double()),
    "most alike": (torch.cat([torch.zeros(20, 6).double(), ROWS]), 0 * ROWS),
    "far from zero": (1e-3 * normal(9, seed=2) + 1e3, 1e-3 * normal(9, seed=3) + 1e3),
    "tiny": (1e-15 * normal(9, seed=2), 1e-15 * normal(9, seed=3)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", DEGENERATE)
def test_value_and_gradient_are_finite(name, dtype):
    pair = [x.to(dtype) for x in DEGENERATE[name]]
    assert torch.isfinite(mmd(*pair))
    spread = torch.cat(pair).std(dim=0).mean().item() or 1.0
    for slope in gradients(*pair):
        assert torch.isfinite(slope).all()
        assert slope.abs().max() * spread < 10


@pytest.mark.parametrize("name", ["all equal", "all zero"])
def test_what_is_all_alike_is_not_apart_and_not_pulled(name):
    pair = [x.float() for x in DEGENERATE[name]]
    assert mmd(*pair) == 0
    assert all((slope == 0).all() for slope in gradients(*pair))


# Errors ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "m", "features"), [(1, 5, 6), (5, 1, 6), (5, 5, 7), (0, 5, 6)]
)
def test_samples_that_do_not_do(n, m, features):
    with pytest.raises(ShapeError, match=r"MMD of samples \(\d, 6\) and .* subjects"):
        mmd(normal(n, seed=0), normal(m, seed=1, features=features))


@pytest.mark.parametrize(
    "weights",
    [[1.0], [1.0, 0, 0], [1, -1, 1], [1, np.nan, 1], [0, 0, 0], [1, np.inf, 1]],
)
def test_weights_that_do_not_do(weights):
    with pytest.raises(ShapeError, match=r"weights have shape .* two or more positive"):
        mmd(ROWS, ROWS + 1, torch.tensor(weights, dtype=torch.float64))
