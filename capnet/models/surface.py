"""A quadratic surface over a few standardised numbers: small, smooth, storable."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.models.inputs import standard_scale
from capnet.types import PerBeat

__all__ = ["Standard", "Surface", "check_numbers", "terms_of"]

_FAR: Final = 4.0
"""Standard deviations beyond which a surface is held where it is: a parabola that was
fitted within them says nothing outside."""
_RIDGE: Final = 3e-3
"""Penalty of a squared coefficient, of the mean squared error."""
_LARGEST: Final = 1e6
"""Nothing that is learnt of pressures, years and pulses is larger."""

Numbers = Float[np.ndarray, "beat number"]
Terms = Float[np.ndarray, "beat term"]


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and standard deviation of some numbers, each subject weighing the same.

    Attributes:
        mean: Shape (number,).
        scale: Infinity where a number is constant: it then says nothing.
            Shape (number,).

    Raises:
        ShapeError: If a mean is no usual number, or a scale not positive.
    """

    mean: Float[np.ndarray, " number"]
    scale: Float[np.ndarray, " number"]

    def __post_init__(self) -> None:
        check_numbers("mean", self.mean, (len(self.mean),))
        known = np.where(np.isposinf(self.scale), 1.0, self.scale)
        check_numbers("scale", known, self.mean.shape, least=0.0)
        if not (known > 0.0).all():
            msg = f"scale is {self.scale.min()!r}; wanted positive numbers."
            raise ShapeError(msg)

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

    Raises:
        ShapeError: If the parts do not fit, or a coefficient is no usual number.
    """

    standard: Standard
    bent: int
    coefficients: Float[np.ndarray, "term output"]

    def __post_init__(self) -> None:
        numbers = len(self.standard.mean)
        if isinstance(self.bent, bool) or self.bent not in range(numbers + 1):
            msg = f"bent is {self.bent!r}; wanted a number from 0 to {numbers}."
            raise ShapeError(msg)
        terms = 1 + numbers + self.bent * (self.bent + 1) // 2
        outputs = self.coefficients.shape[-1]
        check_numbers("coefficients", self.coefficients, (terms, outputs))

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


def check_numbers(
    name: str,
    numbers: np.ndarray,
    shape: tuple[int, ...],
    *,
    least: float = -_LARGEST,
) -> None:
    """Refuse what cannot have been learnt: another shape, NaN, infinity, huge numbers.

    Args:
        name: Of what, for the error message.
        numbers: To look at.
        shape: Wanted.
        least: Smallest number that can be.

    Raises:
        ShapeError: If they are not such numbers.
    """
    if numbers.shape != shape:
        msg = f"{name} has shape {numbers.shape}; wanted {shape}."
        raise ShapeError(msg)
    wrong = ~((numbers >= least) & (numbers <= _LARGEST))
    if wrong.any():
        msg = (
            f"{name} holds {float(numbers[wrong][0])!r}; wanted numbers from "
            f"{least:g} to {_LARGEST:g}."
        )
        raise ShapeError(msg)
