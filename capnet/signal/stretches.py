"""Stretches: what lies between the gaps of a channel, which nothing may cross."""

import numpy as np
from jaxtyping import Int

from capnet.types import Samples

__all__ = ["Stretches", "stretches"]

Stretches = Int[np.ndarray, "stretch 2"]
"""First sample of each stretch, and one after its last."""


def stretches(values: Samples) -> Stretches:
    """Find the stretches of finite samples.

    Args:
        values: NaN (or infinite) where missing. Shape (time,).

    Returns:
        Begin and end (excluded) of each, ascending. Shape (stretch, 2).
    """
    known = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    found: Stretches = edges.reshape(-1, 2)
    return found
