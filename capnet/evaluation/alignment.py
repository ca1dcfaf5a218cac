r"""How far two domains are apart in a network's features, before and after adaptation.

The number is the squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13:723,
eq. 3, unbiased) with the average of five Gaussian kernels whose widths are octaves
around the median squared distance of the pooled sample. What it would be if the labels
"source" and "target" meant nothing is found by exchanging them.

The widths are those of each network's own features. With shared ones a network whose
features shrink would seem to bring the domains together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.wording import p_value

__all__ = ["DomainAlignment", "DomainView", "domain_alignment", "kernel_mmd"]

_OCTAVES: Final = (-2, -1, 0, 1, 2)

LEAST_PERMUTATIONS: Final = 100
"""Fewer exchanges say nothing about a tail of 5 %."""

Features = Float[np.ndarray, "_ feature"]
Plane = Float[np.ndarray, "_ 2"]


@dataclass(frozen=True, eq=False)
class DomainView:
    """Two domains in the features of one network.

    Attributes:
        name: Of the network.
        source: First two principal components. Shape (source subject, 2).
        target: Likewise. Shape (target subject, 2).
        mmd: Squared MMD in all features, unbiased: it may be negative.
        by_chance: 95 % of the values that exchanged labels give lie below this.
        p_value: Share of the exchanges, the found one among them, that give as much
            or more (Phipson & Smyth 2010).
    """

    name: str
    source: Plane
    target: Plane
    mmd: float
    by_chance: float
    p_value: float

    @property
    def apart(self) -> bool:
        """Whether the domains are further apart than exchanged labels would be."""
        return self.mmd > self.by_chance

    def to_dict(self) -> dict[str, object]:
        """Return the numbers, ready for strict JSON."""
        return {
            "name": self.name,
            "source_subjects": len(self.source),
            "target_subjects": len(self.target),
            "mmd2": self.mmd,
            "by_chance_95": self.by_chance,
            "p_value": self.p_value,
            "apart": self.apart,
        }


@dataclass(frozen=True, eq=False)
class DomainAlignment:
    """Source and target before and after adaptation, the same people in both.

    Attributes:
        before: In the features of the network as it came.
        after: In those of the adapted one, on the same axes.
        explained: Share of the pooled variance that the two axes show.
        permutations: Exchanges of labels behind each `DomainView.p_value`.
        seed: Of the exchanges.
        people: Who source and target are, in words; empty when not said.
    """

    before: DomainView
    after: DomainView
    explained: float
    permutations: int
    seed: int
    people: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the numbers, ready for strict JSON."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "explained_by_two_axes": self.explained,
            "permutations": self.permutations,
            "seed": self.seed,
            "people": self.people,
        }

    def __str__(self) -> str:
        parts = [
            f"{when} ({view.name}): squared MMD {view.mmd:.4f}, by chance up to "
            f"{view.by_chance:.4f}, {p_value(view.p_value)}"
            for when, view in (("before", self.before), ("after", self.after))
        ]
        return "; ".join(parts)


def _kernel(pooled: Features) -> np.ndarray:
    """Return the average of five Gaussians, 0 on the diagonal. Shape (row, row)."""
    centred = pooled - pooled.mean(axis=0)
    square = np.square(centred).sum(axis=1)
    product = centred @ centred.T
    distance = np.maximum(square[:, None] + square - 2 * product, 0.0)
    apart = ~np.eye(len(pooled), dtype=bool)
    width = float(np.median(distance[apart])) or float(distance[apart].mean()) or 1.0
    kernel = sum(np.exp(-distance / (width * 2.0**q)) for q in _OCTAVES)
    return np.asarray(kernel / len(_OCTAVES) * apart)


def _mmds(kernel: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the squared MMD of several ways to tell the rows apart.

    Args:
        kernel: With an empty diagonal. Shape (row, row).
        inside: 1 for source, 0 for target. Shape (way, row).

    Returns:
        Shape (way,).
    """
    n = inside.sum(axis=1)
    m = kernel.shape[0] - n
    reached = inside @ kernel
    within = (reached * inside).sum(axis=1)
    between = (reached * (1 - inside)).sum(axis=1)
    other = kernel.sum() - within - 2 * between
    return np.asarray(
        within / (n * (n - 1)) + other / (m * (m - 1)) - 2 * between / (n * m)
    )


def _ways(n: int, m: int, *, permutations: int, seed: int) -> np.ndarray:
    """Return the found labels, then exchanged ones. Shape (1 + permutation, row)."""
    found = np.repeat([1.0, 0.0], [n, m])
    rng = np.random.default_rng(seed)
    return np.stack([found, *(rng.permutation(found) for _ in range(permutations))])


def kernel_mmd(source: Features, target: Features) -> float:
    """Return the unbiased squared MMD of two samples; it may be negative.

    Args:
        source: One row a subject. Shape (n, feature).
        target: Shape (m, feature).

    Raises:
        ShapeError: If a sample has fewer than two rows, the features differ or are not
            finite.
    """
    _check(source, target, where="the samples")
    ways = np.repeat([1.0, 0.0], [len(source), len(target)])[None]
    return float(_mmds(_kernel(np.concatenate([source, target])), ways)[0])


def domain_alignment(
    before: tuple[Features, Features],
    after: tuple[Features, Features],
    *,
    names: tuple[str, str] = ("source only", "adapted"),
    people: str = "",
    permutations: int = 500,
    seed: int = 0,
) -> DomainAlignment:
    """Compare source and target before and after adaptation.

    Rows must be independent of each other: one a subject. The axes of the picture are
    the first two principal components of all four samples together, so that neither
    network chooses them.

    Args:
        before: Source and target in the features of the network as it came. Shapes
            (n, feature) and (m, feature).
        after: The same subjects in those of the adapted one, likewise.
        names: Of the two networks.
        people: Who source and target are, in words.
        permutations: Exchanges of labels.
        seed: Of the exchanges.

    Raises:
        ShapeError: If a sample has fewer than two rows, the people before and after are
            not as many, or the features differ or are not finite.
        ConfigError: If there are fewer than `LEAST_PERMUTATIONS` permutations.
    """
    for name, pair in zip(names, (before, after), strict=True):
        _check(*pair, where=name)
    if [part.shape for part in before] != [part.shape for part in after]:
        shapes = [tuple(part.shape for part in pair) for pair in (before, after)]
        msg = (
            f"features have shapes {shapes[0]} before and {shapes[1]} after; wanted "
            "the same subjects and features both times."
        )
        raise ShapeError(msg)
    if permutations < LEAST_PERMUTATIONS:
        msg = f"permutations is {permutations}; wanted {LEAST_PERMUTATIONS} or more."
        raise ConfigError(msg)
    pooled = np.concatenate([*before, *after])
    centre = pooled.mean(axis=0)
    _, spread, axes = np.linalg.svd(pooled - centre, full_matrices=False)
    axes = axes[:2]
    # The sign of a component is free: its largest loading points up.
    axes = (
        axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    )
    total = float(np.square(spread).sum())
    ways = _ways(*map(len, before), permutations=permutations, seed=seed)

    def view(name: str, pair: tuple[Features, Features]) -> DomainView:
        values = _mmds(_kernel(np.concatenate(pair)), ways)
        flat = [_plane((part - centre) @ axes.T) for part in pair]
        return DomainView(
            name=name,
            source=flat[0],
            target=flat[1],
            mmd=float(values[0]),
            by_chance=float(np.quantile(values[1:], 0.95)),
            p_value=float((values >= values[0] - 1e-12).mean()),
        )

    return DomainAlignment(
        before=view(names[0], before),
        after=view(names[1], after),
        explained=float(np.square(spread[:2]).sum()) / total if total > 0 else 1.0,
        permutations=permutations,
        seed=seed,
        people=people,
    )


def _plane(points: np.ndarray) -> Plane:
    """Fill up where there is a single feature. Shape (row, 2)."""
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _check(source: Features, target: Features, *, where: str) -> None:
    n, m = len(source), len(target)
    if min(n, m) < 2 or source.shape[1:] != target.shape[1:]:
        msg = (
            f"{where}: features of shapes {source.shape} and {target.shape}; wanted "
            "(n, feature) and (m, feature) with two or more subjects each."
        )
        raise ShapeError(msg)
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        msg = f"{where}: features are not finite; leave out beats without an answer."
        raise ShapeError(msg)
