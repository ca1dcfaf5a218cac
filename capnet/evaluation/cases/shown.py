"""The row of a run that a case shows."""

from collections.abc import Sequence

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.cases.person import true_pressures
from capnet.evaluation.truth import Truth
from capnet.metrics import per_subject
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Labels, PerBeat

__all__ = ["shown_row"]


def shown_row(
    predictions: Sequence[Prediction],
    people: Beats | Truth,
    *,
    method: str | None = None,
    k: int | None = None,
) -> Prediction:
    """Return the row that a case shows.

    Args:
        predictions: Of these people.
        people: With or without a truth.
        method: Its name. By default the deep row with the lowest RMSE of SBP (errors
            squared are averaged within people first), or the best floor where there
            is no deep row.
        k: Its labelled subjects; wanted where the name appears more than once.

    Raises:
        ProtocolError: If there is no such row or several, or no truth to choose by.
    """
    found = [
        p
        for p in predictions
        if method in (None, p.method) and k in (None, p.k) and p.accepted.any()
    ]
    if len(found) == 1 and method is not None:
        return found[0]
    truth = true_pressures(people)[:, 0]
    if method is None and np.isfinite(truth).any():
        for role in ("deep", "floor"):
            scored = [
                (_square(p, truth, people.subject), i)
                for i, p in enumerate(found)
                if p.role == role
            ]
            if scored and np.isfinite(min(scored)[0]):
                return found[min(scored)[1]]
    asked = "a row" if method is None else repr(method)
    asked += "" if k is None else f" with k = {k}"
    known = ", ".join(f"{p.method!r} (k = {p.k})" for p in predictions)
    none = "none answers" if not found else f"{len(found)} answer"
    blind = method is None and not np.isfinite(truth).any()
    why = ", and nobody measured a truth to choose the best by" if blind else ""
    msg = f"wanted {asked}: {none}{why}. There are {known}. Name one by method and k."
    raise ProtocolError(msg)


def _square(prediction: Prediction, truth: PerBeat, subject: Labels) -> float:
    """Return the squared error of SBP, averaged within people first, then over them."""
    error = prediction.csbp - truth
    known = np.isfinite(error) & prediction.accepted
    if not known.any():
        return np.inf
    return float(per_subject(np.square(error[known]), subject[known]).mean())
