"""Ranges: between what and what a property of people lies, spread evenly."""

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError
from capnet.hemodynamics.sensors import Range

__all__ = ["check_ranges", "draw_ranges"]


def check_ranges(what: str, family: object, limits: Mapping[str, Range]) -> None:
    """Refuse ranges that are upside down or reach beyond their limits.

    Args:
        what: Name of the family in messages.
        family: Has the ranges.
        limits: Least and most that each range may reach, by name.

    Raises:
        ConfigError: The message names the range.
    """
    for name, (least, most) in limits.items():
        low, high = getattr(family, name)
        if not least <= low <= high <= most:
            msg = (
                f"{what} has {name} {low:g} to {high:g}; wanted "
                f"{least:g} <= low <= high <= {most:g}."
            )
            raise ConfigError(msg)


def draw_ranges(
    family: object, names: Collection[str], n: int, rng: np.random.Generator
) -> dict[str, Float[np.ndarray, " subject"]]:
    """Draw evenly from ranges; the first subjects do not depend on ``n``.

    Args:
        family: Has the ranges.
        names: Of the ranges.
        n: Subjects.
        rng: Where chance comes from.
    """
    drawn = {}
    for name, part in zip(names, rng.spawn(len(names)), strict=True):
        low, high = getattr(family, name)
        drawn[name] = part.uniform(low, high, n)
    return drawn
