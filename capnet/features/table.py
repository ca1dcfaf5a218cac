"""The table of features: one row a beat, every column documented in one place."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from capnet.features.hrv import variability
from capnet.records import Beats
from capnet.types import PerBeat

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "Feature", "features_of"]


class Feature(NamedTuple):
    """What a column means.

    Attributes:
        name: Column of the table.
        unit: Its unit.
        formula: How it is computed.
        source: Where the definition comes from.
    """

    name: str
    unit: str
    formula: str
    source: str


_TASK_FORCE: Final = "Task Force of the ESC and NASPE, Circulation 93 (1996) 1043"

FEATURES: Final = (
    Feature(
        "pat",
        "s",
        "pulse foot of the PPG (intersecting tangents) minus R peak",
        "Mukkamala et al., IEEE Trans Biomed Eng 62 (2015) 1879",
    ),
    Feature("hr", "bpm", "60 / RR interval; 60 / foot to foot without RR", "-"),
    Feature(
        "sdnn", "ms", "standard deviation of RR, one number a subject", _TASK_FORCE
    ),
    Feature(
        "rmssd",
        "ms",
        "root mean square of successive RR differences, one number a subject",
        _TASK_FORCE,
    ),
    Feature(
        "pnn50",
        "%",
        "successive RR differences above 50 ms, one number a subject",
        _TASK_FORCE,
    ),
)
"""The registry: every column of `features_of`, in its order."""


def _feature(beats: Beats, name: str) -> PerBeat:
    found = beats.features.get(name)
    return np.full(len(beats), np.nan) if found is None else found


def features_of(beats: Beats) -> "pd.DataFrame":
    """Compute the features of beats.

    Refused beats keep their row with NaN in the numbers of the beat; variability is
    taken over the accepted beats of each subject and stands in all of their rows.

    Args:
        beats: The beats, each subject's in their order.

    Returns:
        Columns ``subject``, ``beat``, those of `FEATURES`, and ``hrv_reason``: why
        the variability is NaN, empty where it is known. One row a beat.
    """
    import pandas as pd

    measured_rr = _feature(beats, "rr")
    rr = np.where(np.isfinite(measured_rr), measured_rr, beats.duration)
    measured = np.full((len(beats), 3), np.nan)
    reason = np.full(len(beats), "", dtype="U80")
    for subject in beats.subjects:
        rows = np.flatnonzero(beats.subject == subject)
        rows = rows[np.argsort(beats.beat[rows], kind="stable")]
        # Rows may be a selection: what was left out between two breaks them too.
        follows = np.diff(beats.beat[rows].astype(np.int64), prepend=-2) == 1
        found = variability(*_broken(rr[rows], beats.accepted[rows], follows))
        measured[rows] = found[:3]
        reason[rows] = found.reason
    columns: dict[str, object] = {
        "subject": beats.subject,
        "beat": beats.beat,
        "pat": np.where(beats.accepted, _feature(beats, "pat"), np.nan),
        "hr": np.where(beats.accepted, 60.0 / rr, np.nan),
        "sdnn": measured[:, 0],
        "rmssd": measured[:, 1],
        "pnn50": measured[:, 2],
        "hrv_reason": reason,
    }
    return pd.DataFrame(columns)


def _broken(
    rr: PerBeat, accepted: np.ndarray, follows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put a refused beat wherever rows do not follow each other."""
    gaps = np.flatnonzero(~follows)
    return np.insert(rr, gaps, np.nan), np.insert(accepted, gaps, values=False)
