"""How long the pulse travels: from the R peak to a foot, from one foot to another.

Every row belongs to one reference event, an R peak or a near foot, and holds the time
until the event that it caused. What cannot be told is NaN and has a reason; the two
series are never shifted against each other (see `capnet.signal.synchrony`).
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from capnet.errors import ShapeError
from capnet.types import Labels, PerBeat, RawSamples

__all__ = ["Transit", "checked_times", "pulse_arrival", "pulse_transit"]

Events = Shaped[np.ndarray, "..."]
"""Times as a user gives them, before `checked_times` has looked at them."""

ARRIVAL: Final = (0.08, 0.5)
"""s from R peak to pulse foot. The heart alone takes some 65 ms to open its valve; at
the finger people have 231 +- 26 ms, at the toe 100 more, and cold or old age add."""

TRANSIT: Final = (-0.03, 0.35)
"""s between two feet of one beat. From the ear to a toe the pulse takes 0.15 to 0.25;
below zero lies what noise makes of two sites close together."""


Found = Float[np.ndarray, " found"]


class Transit(NamedTuple):
    """Times of travel, one row a reference event.

    Attributes:
        seconds: s; NaN where it cannot be told. Shape (event,).
        reason: Why not; empty otherwise. Shape (event,).
    """

    seconds: PerBeat
    reason: Labels


def pulse_arrival(r_peaks: Events, feet: Events) -> Transit:
    """Return the pulse arrival time (PAT) of every heart beat: R peak to pulse foot.

    PAT = PEP + PTT: it holds the pre-ejection period and is no transit time (Mukkamala
    et al. 2015, IEEE Trans Biomed Eng 62:1879). The foot is the only one that comes
    0.08 to 0.5 s after the R peak and not 0.08 s after the next one.

    Args:
        r_peaks: s, ascending, NaN where one was not found. Shape (event,).
        feet: On the same clock, likewise, in any number. Shape (foot,).

    Returns:
        One row an R peak; NaN with the reason ``no R peak``, ``no pulse`` or
        ``ambiguous`` (more than one foot in that time).

    Raises:
        ShapeError: If times are not ascending.
    """
    peaks = checked_times(r_peaks, where="the R peaks", missing=True)
    found = checked_times(feet, where="the pulse feet", missing=True)
    return _follow(peaks, found, ARRIVAL, nothing="no R peak")


def pulse_transit(near: Events, far: Events) -> Transit:
    """Return the pulse transit time (PTT) of every beat: foot to foot of two sites.

    The far foot is the only one that comes -0.03 to 0.35 s after the near one and not
    yet with the next one. Feet jitter by some milliseconds, so the time between two
    sites close together may come out negative; it is kept, or medians would be biased.

    Args:
        near: Feet at the site nearer to the heart, s, ascending, NaN where one was not
            found. Shape (event,).
        far: Feet at the other site on the same clock, likewise. Shape (foot,).

    Returns:
        One row a near foot; NaN with the reason ``no near pulse``, ``no pulse`` or
        ``ambiguous``.

    Raises:
        ShapeError: If times are not ascending.
    """
    first = checked_times(near, where="the near feet", missing=True)
    found = checked_times(far, where="the far feet", missing=True)
    return _follow(first, found, TRANSIT, nothing="no near pulse")


def _follow(
    reference: Found, events: PerBeat, limits: tuple[float, float], *, nothing: str
) -> Transit:
    """Match every reference event with the only other event it can have caused."""
    seconds = np.full(len(reference), np.nan)
    reason = np.full(len(reference), nothing, dtype="U16")
    events = events[np.isfinite(events)]
    rows = np.flatnonzero(np.isfinite(reference))
    known = reference[rows]
    following = np.append(known[1:], np.inf) + limits[0]
    first = np.searchsorted(events, known + limits[0])
    last = np.searchsorted(events, np.minimum(known + limits[1], following))
    count = last - first
    reason[rows] = np.select([count <= 0, count > 1], ["no pulse", "ambiguous"], "")
    one = count == 1
    seconds[rows[one]] = events[first[one]] - known[one]
    return Transit(seconds, reason)


def checked_times(
    times: RawSamples, *, where: str, missing: bool = False
) -> Float[np.ndarray, " time"]:
    """Return times as float64 that are finite and ascending.

    Args:
        times: Real numbers, s. Shape (event,), may be empty.
        where: What they are, for the error message, e.g. ``"the R peaks"``.
        missing: Whether NaN may stand for an event that was not found.

    Raises:
        ShapeError: If they are no such times; the message names the first that is not.
    """
    array = np.asarray(times)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        msg = (
            f"{where} have shape {array.shape} and type {array.dtype}; wanted real "
            "numbers of shape (event,), seconds since the first sample."
        )
        raise ShapeError(msg)
    found: np.ndarray = array.astype(np.float64)
    known = np.flatnonzero(np.isfinite(found))
    lost = ~np.isnan(found) if missing else np.ones(len(found), dtype=np.bool_)
    bad = np.flatnonzero(lost & ~np.isfinite(found))
    if len(bad):
        msg = f"{where} hold {found[bad[0]]} at row {bad[0]}; wanted finite seconds."
        raise ShapeError(msg)
    back = np.flatnonzero(np.diff(found[known]) < 0.0)
    if len(back):
        row = known[back[0] + 1]
        msg = (
            f"{where} are not ascending: row {row} is {found[row]:g} s, the one before "
            f"{found[known[back[0]]]:g} s. Sort them."
        )
        raise ShapeError(msg)
    return found
