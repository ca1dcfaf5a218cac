"""The start-up of the Pulse Wave Database, and what it took for a beat.

Its simulations (Charlton 2019) began at rest with p = 0 everywhere and ended at 6.5 s,
settled or not. At every site on its own the last whole beat was taken: from foot to
foot before the last upstroke that was recognised; then a straight line was added so
that the beat ends as high as it began. Those waves are reproduced here, artefacts and
all; see `capnet.hemodynamics.pwdb.pwdb_quality` for whom they concern.
"""

from typing import Final

import numpy as np
from jaxtyping import Float

__all__ = ["DURATION", "LONGEST", "last_beat"]

DURATION: Final = 6.5
"""s."""
LONGEST: Final = DURATION / 3.5
"""s: longest beat of which a last whole one and the one before can be told."""

_BLIND: Final = 1e-3
"""s before the end in which the steepest rise is not recognised any more.

The database's own waves say 3 ms; ours reach the arm 2 ms later than they do.
"""
_SAMPLE: Final = 2e-3
"""s between two samples of the database's waves."""


def last_beat(
    run: Float[np.ndarray, "wave time"], *, steps: int, step: float
) -> tuple[Float[np.ndarray, "wave step"], float]:
    """Cut the last whole beat of one site, as the database did.

    Args:
        run: Waves since rest, pressure first; sample k is at time (k + 1) ``step``.
        steps: Samples of a beat.
        step: s.

    Returns:
        One beat of each wave from the beginning of inflow, and by how much the last
        beat's pressure differed from the beat before, Pa.
    """
    pressure = run[0]
    seen = min(int((DURATION - _BLIND) / step + 1e-9), len(pressure))
    rise = np.diff(pressure[seen - steps - 1 : seen])
    upstroke = seen - steps + int(rise.argmax())
    before = pressure[upstroke - steps // 2 : upstroke + 1]
    foot = upstroke - steps // 2 + int(before.argmin())
    first = foot - steps
    beat = run[:, first:foot].copy()
    change = float(np.abs(beat[0] - pressure[first - steps : first]).max())
    # the line brings what would follow the last sample down to the first one
    sample = max(round(_SAMPLE / step), 1)
    last = steps - sample
    gap = 2.0 * beat[:, last] - beat[:, last - sample] - beat[:, 0]
    beat -= gap[:, None] * np.arange(steps) / last
    # sample `first` is at time (first + 1) steps since rest
    return np.roll(beat, (first + 1) % steps, axis=1), change
