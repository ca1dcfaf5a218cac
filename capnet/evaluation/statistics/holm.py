"""Several questions at once (Holm, Scand J Stat 1979;6:65-70)."""

from collections.abc import Sequence

import numpy as np

from capnet.errors import ConfigError

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p-values so that all claims below a level hold together at that level.

    The smallest is multiplied by their number m, the next by m - 1 and so on; none
    becomes smaller than one that was smaller before, none larger than 1. No
    independence is assumed.

    Args:
        p_values: Of one family of questions.

    Returns:
        Corrected, in the order given.

    Raises:
        ConfigError: If one is no probability.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        msg = f"p-values are {p.tolist()}; wanted numbers from 0 to 1."
        raise ConfigError(msg)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return tuple(corrected.tolist())
