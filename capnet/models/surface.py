"""A quadratic surface over a few standardised numbers: small, smooth, storable."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Float

from capnet.models.inputs import standard_scale
from capnet.types import PerBeat

__all__ = ["Standard", "Surface", "terms_of"]

_FAR: Final = 4.0
"""Standard deviations beyond which a surface is held where it is: a parabola that was
fitted within them says nothing outside."""
_RIDGE: Final = 3e-3
"""Penalty of a squared coefficient, of the mean squared error."""

Numbers = Float[np.ndarray, "beat number"]
Terms = Float[np.ndarray, "beat term"]


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and standard deviation of some numbers, each subject weighing the same.

    Attributes:
        mean: Shape (number,).
        scale: Infinity where a number is constant: it then says nothing.
            Shape (number,).
    """

    mean: Float[np.ndarray, " number"]
    scale: Float[np.ndarray, " number"]

    @classmethod
    def learn(cls, numbers: Numbers, weight: PerBeat) -> Self:
        """Take them over beats; unknown numbers (NaN) are left out."""
        known = np.isfinite(numbers)
        share = np.where(known, weight[:, None], 0.0)
        total = np.maximum(share.sum(axis=0), 1e-12)
        middle = (share * np.where(known, numbers, 0.0)).sum(axis=0) / total
        return cls(*standard_scale(np.where(known, numbers, middle), weight))

    def of(self, numbers: Numbers) -> Numbers:
        """Standardise; an unknown number is taken for the mean."""
        standard = (numbers - self.mean) / self.scale
        return np.asarray(np.nan_to_num(standard, nan=0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers; a scale of infinity is None."""
        scale = [s if np.isfinite(s) else None for s in self.scale.tolist()]
        return {"mean": self.mean.tolist(), "scale": scale}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        scale = [np.inf if s is None else s for s in said["scale"]]
        return cls(np.asarray(said["mean"], float), np.asarray(scale, float))


@dataclass(frozen=True, eq=False)
class Surface:
    """Functions of numbers: constant, linear, and quadratic in the first few.

    Attributes:
        standard: Of the numbers.
        bent: How many of the numbers, the first ones, have squares and products.
        coefficients: Shape (term, output).
    """

    standard: Standard
    bent: int
    coefficients: Float[np.ndarray, "term output"]

    @classmethod
    def fit(
        cls,
        numbers: Numbers,
        wanted: Float[np.ndarray, "beat output"],
        weight: PerBeat,
        *,
        bent: int,
    ) -> Self:
        """Fit by ridge regression, each subject weighing the same.

        Args:
            numbers: Shape (beat, number).
            wanted: Shape (beat, output).
            weight: Of each beat. Shape (beat,).
            bent: How many numbers, the first ones, have squares and products.
        """
        standard = Standard.learn(numbers, weight)
        terms = terms_of(standard.of(numbers), bent=bent)
        penalty = np.full(terms.shape[1], _RIDGE)
        penalty[0] = 0.0
        share = weight / weight.sum()
        square = terms.T @ (share[:, None] * terms) + np.diag(penalty)
        found = np.linalg.solve(square, terms.T @ (share[:, None] * wanted))
        return cls(standard, bent, found)

    def of(self, numbers: Numbers) -> Float[np.ndarray, "beat output"]:
        """Return the functions' values. Shape (beat, output)."""
        terms = terms_of(self.standard.of(numbers), bent=self.bent)
        return np.asarray(terms @ self.coefficients)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {
            "standard": self.standard.to_dict(),
            "bent": self.bent,
            "coefficients": self.coefficients.tolist(),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave."""
        coefficients = np.asarray(said["coefficients"], float)
        return cls(Standard.from_dict(said["standard"]), said["bent"], coefficients)


def terms_of(standard: Numbers, *, bent: int) -> Terms:
    """Return 1, the numbers, and the products of the first few. Shape (beat, term)."""
    held = np.clip(standard, -_FAR, _FAR)
    first, second = np.triu_indices(bent)
    products = held[:, first] * held[:, second]
    return np.concatenate([np.ones((len(held), 1)), held, products], axis=1)
