"""Distances between two samples of features, as losses."""

from typing import Final

import torch
from torch import Tensor

from capnet.errors import ShapeError

__all__ = ["mmd"]

_OCTAVES: Final = (-2, -1, 0, 1, 2)


def _scale(distances: Tensor) -> Tensor:
    """Median; where most rows are alike the mean; where all are, anything."""
    least = 8 * torch.finfo(distances.dtype).tiny  # Its inverse is finite.
    median, mean = distances.median(), distances.mean()
    found = torch.where(median > least, median, mean)
    return torch.where(found > least, found, torch.ones_like(found))


def _usable(weights: Tensor, rows: int) -> bool:
    right = weights.shape == (rows,) and bool(torch.isfinite(weights).all())
    return right and bool((weights >= 0).all()) and int((weights > 0).sum()) >= 2


def mmd(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    r"""Unbiased squared maximum mean discrepancy with five Gaussian kernels.

    .. math:: \frac{1}{n(n-1)}\sum_{i\ne j} k(s_i, s_j)
        + \frac{1}{m(m-1)}\sum_{i\ne j} k(t_i, t_j)
        - \frac{2}{nm}\sum_{i,j} k(s_i, t_j)

    (Gretton et al. 2012, JMLR 13:723, eq. 3.) The kernel is the average of
    :math:`\exp(-d^2 / (2^q\,\mathrm{med}))`, q = -2..2, with the median of the squared
    distances off the diagonal of the *pooled* sample, detached: so no gradient flows
    through the bandwidth, and shrinking all features gains nothing. The two samples
    may differ in size. The value may be negative; it is never clamped. Rows must be
    independent: one row a subject.

    Args:
        source: Shape (n, features), n >= 2.
        target: Shape (m, features), m >= 2.
        weights: Importance of the source rows, any positive scale. Shape (n,).

    Returns:
        A scalar.

    Raises:
        ShapeError: If a sample has fewer than two rows, the features differ, or the
            weights are not one a row with at least two of them positive.
    """
    n, m = len(source), len(target)
    if min(n, m) < 2 or source.shape[1:] != target.shape[1:]:
        msg = (
            f"MMD of samples {tuple(source.shape)} and {tuple(target.shape)}; wanted "
            "(n, f) and (m, f) with n, m >= 2 subjects."
        )
        raise ShapeError(msg)
    if weights is not None and not _usable(weights, n):
        msg = (
            f"weights have shape {tuple(weights.shape)}, {int((weights > 0).sum())} "
            f"positive; wanted ({n},), finite, none negative, two or more positive."
        )
        raise ShapeError(msg)
    pooled = torch.cat([source, target])
    # Far from zero, float32 would lose the differences; distances do not mind.
    pooled = pooled - pooled[0].detach()
    square = pooled.square().sum(dim=1)
    distance = (square[:, None] + square - 2 * pooled @ pooled.T).clamp_min(0.0)
    apart = ~torch.eye(n + m, dtype=torch.bool, device=pooled.device)
    bandwidth = _scale(distance.detach()[apart])
    kernels = [torch.exp(-distance / (bandwidth * 2.0**q)) for q in _OCTAVES]
    kernel = torch.stack(kernels).mean(dim=0) * apart
    uniform = torch.ones_like(source[:, 0])
    share = uniform / n if weights is None else weights / weights.sum()
    within = share @ kernel[:n, :n] @ share / (1 - share.square().sum())
    between = (share @ kernel[:n, n:]).mean()
    return within + kernel[n:, n:].sum() / (m * (m - 1)) - 2 * between
