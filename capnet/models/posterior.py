"""What a cuff alone says: the linear-Gaussian posterior of pressures given a reading.

A noisy reading is not the pressure of the arm: the best guess lies between the reading
and what is usual.
"""

from typing import Self

import numpy as np
from jaxtyping import Float

from capnet.errors import ProtocolError, RecordError
from capnet.hemodynamics.catheters import COLUMN
from capnet.hemodynamics.cuffs import CuffModel
from capnet.models.estimator import (
    Estimator,
    answerable,
    fitted,
    labelled,
    subject_weights,
)
from capnet.models.inputs import true_pressures, with_pp
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = [
    "CuffPosterior",
    "ReadingPosterior",
    "arm_pressures",
    "cuff_error",
    "cuff_posterior",
    "posterior_covariance",
]

Moments = tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2 2"]]


class CuffPosterior(Estimator):
    r"""Central pressure given the cuff's SBP and DBP alone, all jointly Gaussian.

    The training people's true arm pressures :math:`a` and central pressures :math:`y`
    give the prior; a reading is :math:`c = a + b + e`, with the cuff's bias :math:`b`
    and an error :math:`e` of covariance :math:`R` that knows nothing of :math:`a`:

    .. math:: \hat y = \bar y + C_{ya} (C_{aa} + R)^{-1} (c - b - \bar a)

    (Rasmussen & Williams 2006, equation A.6). Without an error that is ordinary least
    squares on the true arm pressures; with a growing one it shrinks to the prior mean.

    Args:
        cuff: The error of the readings it will be given. By default it is learnt:
            mean and covariance of the training people's readings minus their true arm
            pressures, which are zero where the calibration is exact.
    """

    family = "cuff posterior"
    looks_at = ("cuff",)

    def __init__(self, cuff: CuffModel | None = None) -> None:
        self.name = "cuff posterior" if cuff is None else "cuff posterior, declared"
        self.cuff = cuff
        self.error: Moments | None = None
        self._line: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def fit(self, beats: Beats) -> Self:
        """Learn the prior, and the cuff's error where it was not declared.

        Raises:
            RecordError: If the true pressures of the arm are not known.
            ProtocolError: If a declared cuff sat at more than one site.
        """
        beats = self.meet(beats)
        weight = subject_weights(beats.subject)
        arm, central = arm_pressures(beats), true_pressures(beats)[:, :3]
        mean = np.average(arm, axis=0, weights=weight)
        usual = np.average(central, axis=0, weights=weight)
        away = weight[:, None] * (arm - mean)
        prior = away.T @ (arm - mean) / weight.sum()
        shared = (central - usual).T @ away / weight.sum()
        if self.cuff is None:
            self.error = _moments(beats.cuff - arm, weight)
        else:
            self.error = cuff_error(self.cuff, _one_site(beats))
        bias, noise = self.error
        # pinv: nobody may differ from anybody else in a training set of one person.
        gain = shared @ np.linalg.pinv(prior + noise, hermitian=True)
        self._line = mean + bias, gain, usual
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        centre, gain, usual = fitted(self._line, method=self.name)
        rows = answerable(beats)
        numbers = usual + (beats.cuff[rows] - centre) @ gain.T
        return self.answer(beats, rows, with_pp(numbers))


class ReadingPosterior(Estimator):
    r"""Central pressure given the cuff's SBP and DBP, learnt from readings alone.

    Where nobody knows the true pressures of the arm (a real clinic), bias and error of
    the cuff cannot be told from the arm's own spread, and need not be for readings of
    the same cuff: with :math:`c` and :math:`y` jointly Gaussian

    .. math:: \hat y = \bar y + C_{yc} C_{cc}^{-1} (c - \bar c),

    ordinary least squares on the reading, which is `CuffPosterior` with the error that
    those people's readings have. It does not know another cuff.
    """

    family = "cuff posterior"
    looks_at = ("cuff",)

    def __init__(self) -> None:
        self.name = "cuff posterior, of readings"
        self._line: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def fit(self, beats: Beats) -> Self:
        """Learn means and covariances of readings and central pressures."""
        beats = self.meet(beats)
        weight = subject_weights(beats.subject)
        central = true_pressures(beats)[:, :3]
        centre = np.average(beats.cuff, axis=0, weights=weight)
        usual = np.average(central, axis=0, weights=weight)
        away = weight[:, None] * (beats.cuff - centre)
        spread = away.T @ (beats.cuff - centre)
        shared = (central - usual).T @ away
        # pinv: as above.
        self._line = centre, shared @ np.linalg.pinv(spread, hermitian=True), usual
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        centre, gain, usual = fitted(self._line, method=self.name)
        rows = answerable(beats)
        numbers = usual + (beats.cuff[rows] - centre) @ gain.T
        return self.answer(beats, rows, with_pp(numbers))


def cuff_posterior(source: Beats) -> CuffPosterior | ReadingPosterior:
    """Return the posterior that these people allow, fitted on them.

    `CuffPosterior` where the true pressures of every arm are known, as of virtual
    people; `ReadingPosterior` otherwise. Its name says which.

    Raises:
        ProtocolError: If nobody is labelled.
    """
    try:
        arm_pressures(labelled(source, method="cuff posterior"))
    except RecordError:
        return ReadingPosterior().fit(source)
    return CuffPosterior().fit(source)


def arm_pressures(beats: Beats) -> Float[np.ndarray, "beat 2"]:
    """Return the true SBP and DBP of the arm where the cuff sat, mmHg.

    Raises:
        RecordError: If they are not known.
    """
    columns = []
    for what in ("sbp", "dbp"):
        values = np.full(len(beats), np.nan)
        for site in np.unique(beats.cuff_site):
            here = beats.cuff_site == site
            truth = beats.truth.get(f"{site}_{what}", values)
            values[here] = truth[here]
        columns.append(values)
    arm = np.stack(columns, axis=1)
    lost = ~np.isfinite(arm).all(axis=1)
    if lost.any():
        i = int(np.flatnonzero(lost)[0])
        site = beats.cuff_site[i]
        msg = (
            f"beat {i} of {beats.subject[i]!r} has no true pressure of the arm; "
            f"wanted truth['{site}_sbp'] and truth['{site}_dbp'], as virtual people "
            "have them. Without them a cuff's error cannot be told from the arm's."
        )
        raise RecordError(msg)
    return arm


def cuff_error(cuff: CuffModel, site: str = "brachial") -> Moments:
    """Return bias (2,) and covariance (2, 2) of a cuff's SBP and DBP, mmHg.

    Averaged over its readings; the part that stays with a person is not averaged away,
    nor is the height at which a wrist (``radial``) is held, which moves both alike.

    Args:
        cuff: The cuff.
        site: Where it sits.
    """
    sd = np.array([cuff.sbp_sd, cuff.dbp_sd])
    share = cuff.persistent + (1.0 - cuff.persistent) / cuff.readings
    correlation = np.array([[1.0, cuff.correlation], [cuff.correlation, 1.0]])
    bias = np.array([cuff.sbp_bias, cuff.dbp_bias])
    height = COLUMN * cuff.height_sd if site == "radial" else 0.0
    return bias, share * np.outer(sd, sd) * correlation + height**2


def posterior_covariance(
    prior: Float[np.ndarray, "2 2"], error: Float[np.ndarray, "2 2"]
) -> Float[np.ndarray, "2 2"]:
    """Return what is not known of SBP and DBP after a reading: P - P (P + R)^-1 P.

    Args:
        prior: Covariance among people, mmHg^2.
        error: Covariance of the reading's error, mmHg^2.
    """
    gain = prior @ np.linalg.pinv(prior + error, hermitian=True)
    return np.asarray(prior - gain @ prior)


def _one_site(beats: Beats) -> str:
    sites = np.unique(beats.cuff_site)
    if len(sites) > 1:
        msg = (
            f"a declared cuff was given readings at {', '.join(sites)}; wanted one "
            "site, whose error it has. Take the beats of one: "
            "beats.take(beats.cuff_site == 'brachial')."
        )
        raise ProtocolError(msg)
    return str(sites[0])


def _moments(values: Float[np.ndarray, "beat 2"], weight: np.ndarray) -> Moments:
    mean = np.average(values, axis=0, weights=weight)
    away = values - mean
    return mean, (weight[:, None] * away).T @ away / weight.sum()
