"""Weights that make the source population resemble the target clinic."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from capnet.errors import ProtocolError
from capnet.records import Beats
from capnet.types import PerBeat

__all__ = ["PriorWeights", "prior_weights"]

_LARGEST = 10.0


@dataclass(frozen=True, eq=False)
class PriorWeights:
    """Importance of each source beat.

    Attributes:
        values: Mean 1 before they are clipped at 10. Shape (beat,).
        effective: Effective sample size, (sum w)^2 / sum w^2.
    """

    values: PerBeat
    effective: float


def prior_weights(source: Beats, target: Beats) -> PriorWeights:
    """Estimate target over source density from what needs no label.

    A logistic regression on heart rate, age, cuff and its site (squares and products)
    tells the two domains apart; its odds are the density ratio. Marginal alignment
    harms when the labels shift; this takes the part of the shift that cheap
    covariates explain away first.

    Args:
        source: Beats to weight.
        target: Beats of the clinic; no label is read.

    Raises:
        ProtocolError: If either table is empty.
    """
    if min(len(source), len(target)) == 0:
        msg = f"prior weights need beats of both domains; got {source!r}, {target!r}."
        raise ProtocolError(msg)
    inside = np.concatenate([_cheap(source), _cheap(target)])
    # An age that one side does not know cannot tell the sides apart.
    known = np.isfinite(inside).all(axis=0)
    domain = np.repeat([0, 1], [len(source), len(target)])
    classifier = make_pipeline(
        StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=500)
    ).fit(inside[:, known], domain)
    log_odds = classifier.decision_function(inside[: len(source), known])
    odds = np.exp(log_odds - log_odds.max())
    values = np.clip(odds / odds.mean(), 0.0, _LARGEST)
    effective = float(values.sum() ** 2 / np.square(values).sum())
    return PriorWeights(values, effective)


def _cheap(beats: Beats) -> np.ndarray:
    site = beats.cuff_site == "radial"
    return np.column_stack([beats.hr, beats.cuff, site, beats.age])
