"""The floors: cheap estimators that a deep one must beat to be news.

Every one learns from the same beats, answers the same `Prediction`, and refuses the
same beats. A subject counts once, however many beats it has.
"""

from typing import Self

import numpy as np
from jaxtyping import Float

from capnet.errors import ProtocolError
from capnet.models.affine import apply_affine, fit_affine, mean_by_subject
from capnet.models.estimator import (
    Adaptable,
    Estimator,
    answerable,
    fitted,
    labelled,
    seen_by,
    subject_weights,
)
from capnet.models.inputs import (
    SCALARS,
    Inputs,
    looks_at,
    named,
    standard_scale,
    true_pressures,
    with_pp,
)
from capnet.models.published import gtf_beats, moving_average_beats
from capnet.models.pulse import source_wave, start_at_foot
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import N_POINTS, BeatWaves, CuffSite, Input, PerBeat

__all__ = [
    "OLS",
    "FittedGTF",
    "MovingAverage",
    "PeripheralMinusConstant",
    "PublishedGTF",
    "Ridge",
    "RidgeAffine",
    "RidgeRefit",
    "RidgeShrunk",
    "apply_affine",
    "fit_affine",
]


class PeripheralMinusConstant(Estimator):
    r"""Cuff pressures and three constants.

    .. math:: SBP = SBP_{cuff} + a, \quad DBP = DBP_{cuff} + b, \quad
        MAP = DBP_{cuff} + f (SBP_{cuff} - DBP_{cuff})

    :math:`a` and :math:`b` are the mean differences to the reference and :math:`f`
    the mean of MAP above the cuff's diastolic pressure over the mean cuff pulse
    pressure.
    """

    family = "peripheral - constant"
    looks_at = ("cuff",)

    def __init__(self) -> None:
        self.name = "cuff SBP - constant"
        self.constants: tuple[float, float, float] | None = None

    def fit(self, beats: Beats) -> Self:
        """Learn the three constants."""
        beats = self.meet(beats)
        weight = subject_weights(beats.subject)
        true, (sbp, dbp) = true_pressures(beats), beats.cuff.T
        lift = np.average(true[:, 2] - dbp, weights=weight)
        self.constants = (
            float(np.average(true[:, 0] - sbp, weights=weight)),
            float(np.average(true[:, 1] - dbp, weights=weight)),
            float(lift / np.average(sbp - dbp, weights=weight)),
        )
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        a, b, f = fitted(self.constants, method=self.name)
        sbp, dbp = beats.cuff.T
        numbers = with_pp(np.stack([sbp + a, dbp + b, dbp + f * (sbp - dbp)], axis=1))
        rows = answerable(beats)
        return self.answer(beats, rows, numbers[rows])


class OLS(Estimator):
    """Ordinary least squares: HR, age, cuff SBP and DBP -> SBP, DBP, MAP.

    An unknown age is replaced by the mean age of the training subjects; if no age is
    known in training, age is not used.
    """

    family = "OLS"
    looks_at = looks_at(SCALARS)

    def __init__(self) -> None:
        self.name = "OLS on scalars"
        self.coefficients: np.ndarray | None = None
        self._inputs = Inputs(SCALARS)

    def fit(self, beats: Beats) -> Self:
        """Learn one coefficient per scalar and output, and an intercept."""
        beats = self.meet(beats)
        self._inputs = Inputs.learn(SCALARS, beats)
        weight = np.sqrt(subject_weights(beats.subject))[:, None]
        design, target = self._design(beats), true_pressures(beats)[:, :3]
        self.coefficients = np.linalg.lstsq(weight * design, weight * target)[0]
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        coefficients = fitted(self.coefficients, method=self.name)
        rows = answerable(beats)
        numbers = with_pp(self._design(beats.take(rows)) @ coefficients)
        return self.answer(beats, rows, numbers)

    def _design(self, beats: Beats) -> Float[np.ndarray, "beat 5"]:
        ones = np.ones((len(beats), 1))
        return np.concatenate([ones, self._inputs.of(beats)], axis=1)


class Ridge(Estimator):
    """Ridge regression: calibrated PPG wave and scalars -> aortic wave.

    The inputs (68: 64 points of `calibrated_pulse`, HR, age, cuff SBP and DBP) are
    standardised inside; one penalty for all 64 outputs is chosen by the error on
    left-out beats, or on left-out subjects as soon as a subject has several beats. An
    unknown age is replaced by the mean age of the training subjects.

    Args:
        source: What it looks at: ``ppg``, ``scalars``, ``ppg alone`` or the name of one
            of ``beats.waves``, see `capnet.models.inputs.Inputs`. Beats without a cuff
            reading are refused either way.
    """

    family = "ridge"

    def __init__(self, source: str = "ppg") -> None:
        self.name = named("ridge", source)
        self.looks_at = looks_at(source)
        self.source = source
        self._fit: _Linear | None = None
        self._inputs = Inputs(source)

    def fit(self, beats: Beats) -> Self:
        """Learn 64 coefficients an input.

        Raises:
            ProtocolError: If there are fewer than two labelled subjects.
            RecordError: If the beats lack what the source reads.
        """
        beats = self.meet(beats)
        self._inputs = Inputs.learn(self.source, beats)
        target = np.asarray(beats.reference, dtype=np.float64)
        self._fit = _Linear(np.logspace(-1, 4, 11), method=self.name)
        self._fit.learn(self.inputs(beats), target, beats.subject)
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer with waves."""
        rows = answerable(beats)
        return self.answer(beats, rows, self.waves(beats.take(rows)))

    def waves(self, beats: Beats) -> BeatWaves:
        """Estimate the aortic wave of beats that all have a cuff reading, mmHg."""
        return self.linear.answer(self.inputs(beats))

    @property
    def linear(self) -> "_Linear":
        """The fitted linear function; an error before `fit`."""
        return fitted(self._fit, method=self.name)

    def inputs(self, beats: Beats) -> Float[np.ndarray, "beat input"]:
        """Return what it looks at, not standardised."""
        return self._inputs.of(beats)


class RidgeAffine(Adaptable):
    """Ridge learnt on the source, then an offset and a gain from k target subjects.

    See `fit_affine`. With k = 0 it is the ridge.

    Args:
        ridge: A ridge that was already fitted; by default a fresh one.
    """

    family = "ridge"

    def __init__(self, ridge: Ridge | None = None) -> None:
        self.name = "ridge + affine"
        self.ridge = ridge or Ridge()
        self.looks_at = self.ridge.looks_at
        self.met = self.ridge.met
        self.correction = (0.0, 1.0)

    def fit(self, beats: Beats) -> Self:
        """Learn the ridge on the source and forget any correction."""
        self.ridge = Ridge(self.ridge.source).fit(beats)
        self.met = self.ridge.met
        self.correction, self.k, self.seen = (0.0, 1.0), 0, ""
        return self

    def adapt(self, beats: Beats) -> Self:
        """Return a new estimator, corrected by the k subjects of these beats."""
        beats = labelled(beats, method=self.name)
        true = np.asarray(beats.reference, dtype=np.float64)
        new = type(self)(self.ridge)
        new.correction = fit_affine(
            mean_by_subject(self.ridge.waves(beats), beats.subject),
            mean_by_subject(true, beats.subject),
        )
        new.k, new.seen = len(beats.subjects), seen_by(beats.subjects)
        new.met |= frozenset(beats.subjects.tolist())
        return new

    def predict(self, beats: Beats) -> Prediction:
        """Answer with corrected waves."""
        rows = answerable(beats)
        waves = apply_affine(self.ridge.waves(beats.take(rows)), *self.correction)
        return self.answer(beats, rows, waves)


class RidgeShrunk(Adaptable):
    """Ridge learnt on the source, plus a ridge on what it leaves of k subjects.

    The second ridge is heavily penalised, so that few subjects leave the source's
    coefficients nearly alone: a refit shrunk to the source instead of to zero.

    Args:
        ridge: A ridge that was already fitted; by default a fresh one.
    """

    family = "ridge"

    def __init__(self, ridge: Ridge | None = None) -> None:
        self.name = "ridge shrunk to source"
        self.ridge = ridge or Ridge()
        self.looks_at = self.ridge.looks_at
        self.met = self.ridge.met
        self._rest: _Linear | None = None

    def fit(self, beats: Beats) -> Self:
        """Learn the ridge on the source and forget any correction."""
        self.ridge = Ridge(self.ridge.source).fit(beats)
        self.met = self.ridge.met
        self._rest, self.k, self.seen = None, 0, ""
        return self

    def adapt(self, beats: Beats) -> Self:
        """Return a new estimator, refitted on the k subjects of these beats.

        Raises:
            ProtocolError: If there are fewer than two labelled subjects.
        """
        beats = labelled(beats, method=self.name)
        left = np.asarray(beats.reference - self.ridge.waves(beats), dtype=np.float64)
        new = type(self)(self.ridge)
        # The source's own scale: k subjects are too few to tell one.
        scale = self.ridge.linear.scale
        new._rest = _Linear(np.logspace(1, 5, 9), method=self.name, scale=scale)
        new._rest.learn(self.ridge.inputs(beats), left, beats.subject)
        new.k, new.seen = len(beats.subjects), seen_by(beats.subjects)
        new.met |= frozenset(beats.subjects.tolist())
        return new

    def predict(self, beats: Beats) -> Prediction:
        """Answer with waves."""
        rows = answerable(beats)
        asked = beats.take(rows)
        waves = self.ridge.waves(asked)
        if self._rest is not None:
            waves = waves + self._rest.answer(self.ridge.inputs(asked))
        return self.answer(beats, rows, waves)


class RidgeRefit(Adaptable):
    """Ridge learnt on k target subjects alone; on the source while k = 0.

    Args:
        ridge: A ridge that was already fitted; by default a fresh one.
    """

    family = "ridge"

    def __init__(self, ridge: Ridge | None = None) -> None:
        self.name = "ridge refitted"
        self.ridge = ridge or Ridge()
        self.looks_at = self.ridge.looks_at
        self.met = self.ridge.met

    def fit(self, beats: Beats) -> Self:
        """Learn the ridge on the source."""
        self.ridge = Ridge(self.ridge.source).fit(beats)
        self.met = self.ridge.met
        self.k, self.seen = 0, ""
        return self

    def adapt(self, beats: Beats) -> Self:
        """Return a new estimator that knows the k subjects of these beats alone.

        Raises:
            ProtocolError: If there are fewer than two labelled subjects.
        """
        new = type(self)(Ridge(self.ridge.source).fit(beats))
        given = labelled(beats, method=self.name).subjects
        new.k, new.seen = len(given), seen_by(given)
        return new

    def predict(self, beats: Beats) -> Prediction:
        """Answer with waves."""
        rows = answerable(beats)
        return self.answer(beats, rows, self.ridge.waves(beats.take(rows)))


class FittedGTF(Estimator):
    r"""A transfer function learnt from beats: one complex number per Hz.

    .. math:: Y(f) = X(f) \sum_{g=0}^{10} h_g \max(0, 1 - |f - g|), \quad f > 0

    over the harmonics of each beat, by least squares, shrunk a little towards
    :math:`h_g = 1` (frequencies that no training beat has change nothing). The mean
    is shifted by the mean difference, so that a pressure added to the source is added
    to the answer. Nothing is left above 11 Hz. Source and reference begin at their
    own feet, so the travel time is not in the phase.

    Args:
        source: ``ppg`` for the pulse calibrated by the cuff, or the name of one of
            ``beats.waves`` (for example ``abp``), taken in its own mmHg. Beats
            without a cuff reading are refused either way.
    """

    family = "GTF"

    def __init__(self, source: str = "ppg") -> None:
        self.name = f"fitted GTF ({source})"
        self.looks_at = _of_wave(source)
        self.source = source
        self.transfer: np.ndarray | None = None
        self.shift = 0.0

    def fit(self, beats: Beats) -> Self:
        """Learn the complex gain at 0, 1, ... 10 Hz and the shift of the mean."""
        beats = self.meet(beats)
        beats = beats.take(np.isfinite(source_wave(beats, self.source)).all(axis=1))
        if len(beats) == 0:
            msg = f"{self.name!r} was given no beat with a complete {self.source!r}."
            raise ProtocolError(msg)
        weight = subject_weights(beats.subject)
        x, y = source_wave(beats, self.source), np.asarray(beats.reference)
        self.shift = float(np.average((y - x).mean(axis=1), weights=weight))
        X = np.fft.rfft(x, axis=1)[:, 1:-1] / N_POINTS
        Y = np.fft.rfft(y, axis=1)[:, 1:-1] / N_POINTS
        hats = _hats(beats.duration)
        # For h - 1 rather than h: the penalty pulls towards an unchanged wave.
        left = weight[:, None] * X.conj() * (Y - X * hats.sum(axis=0))
        weighted = hats * (weight[:, None] * np.abs(X) ** 2)
        gram = np.tensordot(weighted, hats, axes=([1, 2], [1, 2]))
        cross = np.tensordot(hats, left, axes=([1, 2], [0, 1]))
        gram += _SMALL * np.eye(len(gram))
        self.transfer = 1 + np.linalg.solve(gram, cross)
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer with waves."""
        transfer = fitted(self.transfer, method=self.name)
        rows = answerable(beats)
        asked = beats.take(rows)
        spectrum = np.fft.rfft(source_wave(asked, self.source), axis=1)
        gain = np.einsum("gbf,g->bf", _hats(asked.duration), transfer)
        answer = np.zeros_like(spectrum)
        answer[:, 0] = spectrum[:, 0] + N_POINTS * self.shift
        answer[:, 1:-1] = spectrum[:, 1:-1] * gain
        return self.answer(beats, rows, np.fft.irfft(answer, N_POINTS, axis=1))


class PublishedGTF(Estimator):
    """Karamanoglu's transfer function (`capnet.gtf`); nothing to fit.

    The answer is turned to begin at its own foot, as references do.

    Args:
        site: What the source is taken for, ``radial`` or ``brachial``.
        source: ``ppg`` or the name of a wave, as in `FittedGTF`.
    """

    family = "GTF"

    def __init__(self, site: CuffSite = "radial", source: str = "ppg") -> None:
        self.name = f"published GTF ({source} as {site})"
        self.looks_at = _of_wave(source)
        self.site: CuffSite = site
        self.source = source

    def fit(self, beats: Beats) -> Self:
        """Return the estimator: its numbers are Karamanoglu's."""
        del beats
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer with waves."""
        rows = answerable(beats)
        asked = beats.take(rows)
        source = source_wave(asked, self.source)
        waves = start_at_foot(gtf_beats(source, asked.duration, self.site))
        return self.answer(beats, rows, waves)


class MovingAverage(Estimator):
    """Williams' moving average (`capnet.moving_average_csbp`); nothing to fit.

    It answers the systolic pressure alone.

    Args:
        site: What the source is taken for, ``radial`` or ``brachial``.
        source: ``ppg`` or the name of a wave, as in `FittedGTF`.
    """

    family = "moving average"

    def __init__(self, site: CuffSite = "radial", source: str = "ppg") -> None:
        self.name = f"moving average ({source} as {site})"
        self.looks_at = _of_wave(source)
        self.site: CuffSite = site
        self.source = source

    def fit(self, beats: Beats) -> Self:
        """Return the estimator: its window is Williams'."""
        del beats
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP; the other pressures are NaN."""
        rows = answerable(beats)
        asked = beats.take(rows)
        source = source_wave(asked, self.source)
        numbers = np.full((len(asked), 4), np.nan)
        numbers[:, 0] = moving_average_beats(source, asked.duration, self.site)
        return self.answer(beats, rows, numbers)


def _of_wave(source: str) -> tuple[Input, ...]:
    """Return what a transfer function looks at: a pulse and nothing beside it."""
    return ("cuff", "ppg") if source == "ppg" else ("pressure wave",)


_SMALL = 1e-3  # mmHg^2: penalty of the fitted transfer function
_GRID = np.arange(11)[:, None, None]  # Hz


class _Linear:
    """Standardise, then ridge; the penalty is chosen on what was left out."""

    def __init__(
        self,
        penalties: np.ndarray,
        *,
        method: str,
        scale: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self._penalties = penalties
        self._method = method
        self._scale = scale
        self._slope: np.ndarray | None = None
        self._intercept: np.ndarray | None = None

    @property
    def scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each input in training."""
        return fitted(self._scale, method=self._method)

    def learn(
        self,
        inputs: Float[np.ndarray, "beat input"],
        target: BeatWaves,
        subject: np.ndarray,
    ) -> None:
        """Fit to all beats, each subject weighing the same."""
        from sklearn.linear_model import RidgeCV
        from sklearn.model_selection import GroupKFold

        subjects = len(np.unique(subject))
        if subjects < 2:
            msg = (
                f"{self._method!r} was given {subjects} labelled subject; wanted at "
                "least two, to choose its penalty on a subject left out."
            )
            raise ProtocolError(msg)
        weight = subject_weights(subject)
        if self._scale is None:
            self._scale = standard_scale(inputs, weight)
        folds = None
        if subjects < len(subject):
            splitter = GroupKFold(min(5, subjects))
            folds = list(splitter.split(inputs, groups=subject))
        ridge = RidgeCV(self._penalties, cv=folds)
        ridge.fit(self._standard(inputs), target, sample_weight=weight)
        self._slope = np.asarray(ridge.coef_).T
        self._intercept = np.asarray(ridge.intercept_)

    def answer(self, inputs: Float[np.ndarray, "beat input"]) -> BeatWaves:
        """Return the fitted linear function."""
        return np.asarray(self._standard(inputs) @ self._slope + self._intercept)

    def _standard(
        self, inputs: Float[np.ndarray, "beat input"]
    ) -> Float[np.ndarray, "beat input"]:
        mean, scale = self.scale
        return np.asarray((inputs - mean) / scale)


def _hats(duration: PerBeat) -> Float[np.ndarray, "hertz beat harmonic"]:
    """Weights of linear interpolation from whole Hz to the harmonics of beats."""
    frequency = np.arange(1, N_POINTS // 2) / duration[:, None]
    return np.asarray(np.maximum(0.0, 1 - np.abs(frequency - _GRID)))
