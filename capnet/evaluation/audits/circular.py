"""Circularity: is a "measured" target only a linear filter of its input?

Much of what the literature calls measured central pressure is the output of a device's
fixed transfer function. An estimator that is judged against it learns that filter and
nothing about an aorta. The test fits a short filter on a few subjects and asks what it
leaves over of the others.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from capnet.evaluation.audits.beat_pairs import Pairs, checked_pairs
from capnet.evaluation.audits.beat_spectra import BAND, EXTENSIONS, harmonics, lagged
from capnet.evaluation.audits.free_timing import timed_residuals
from capnet.evaluation.audits.published_filters import SITES, published
from capnet.evaluation.audits.scalar_targets import (
    DERIVATION,
    NOT_RECALIBRATED,
    judge_scalars,
)
from capnet.evaluation.audits.second_order import second_order
from capnet.evaluation.audits.shared_filter import (
    FREEDOMS,
    Fit,
    Fold,
    Products,
    fit_common,
    folds,
)
from capnet.types import RawSamples

__all__ = ["Candidate", "Circularity", "circularity"]

FLOOR: Final = 0.15
"""mmHg that a filter fitted here may leave; see `circularity`."""
PUBLISHED_FLOOR: Final = 0.125
"""mmHg for a published filter, which has gain, delay and heart rate of a subject free:
three of the twelve numbers of a beat."""
TIMED_FLOOR: Final = 0.05
"""mmHg for a filter in seconds, which has gain, delay and, where it is not known, the
clock of a subject free."""
RESONANCE_FLOOR: Final = 0.25
"""mmHg for a resonance, which has two numbers to fit everybody with."""
_GRANTED: Final = 2.0
"""Standard errors of the squared score that are granted to the noise."""
_PUBLISHED_GRANTED: Final = 1.0
"""The same for published filters: what is free there follows noise."""
_TIMED_LEAST: Final = 0.16
"""mmHg that physiology leaves to an unknown clock (PWDB, carotid to aorta, median):
where the noise is granted more, such a filter tells nothing and is left out."""
_RESONANCE_LEAST: Final = 0.5
"""The same for a resonance; physiology leaves 0.6 at least."""
_BLIND: Final = 0.03
"""Of the target's pulse: a threshold from which nothing can be told."""

_WINDOWS: Final = ((0.08, 0.08), (0.15, 0.15), (0.25, 0.25), (0.5, 0.5), (0.1, 1.0))
"""Beats that a filter looks ahead and back; the last is for what rings."""
_RIDGES: Final = (1e-6, 1e-4, 1e-3)
"""What left-out subjects choose from: the more noise, the smoother a filter pays."""
_HARMONICS: Final = 24
_NOISE_FROM: Final = 10
"""Harmonic above which a smooth pulse leaves little but noise."""
_NOISE_PARTED: Final = 16
"""Harmonic at which the noise above is looked at in two parts."""


@dataclass(frozen=True)
class Candidate:
    """One kind of filter, and what it left over.

    Attributes:
        kind: Which.
        left: RMS of what was left over of subjects that it was not fitted on, noise
            and all, in the judged harmonics (of the scalar itself for scalars), mmHg.
    """

    kind: str
    left: float


@dataclass(frozen=True)
class Circularity:
    """Whether a filter that is the same in everybody reproduces the target.

    Attributes:
        flagged: True: it does, so the target may not be called measured. False: it does
            not. None: the data cannot tell.
        score: What the best filter leaves over beyond the target's own noise, mmHg RMS.
        threshold: At or below which a target is flagged, mmHg; grows with the noise.
        kind: The filter that came closest.
        taps: Of it; 0 where nothing was fitted.
        noise: Of the target as estimated, SD of a sample if it were white, mmHg; NaN
            for scalars without repeated beats.
        left: Left over with the noise, mmHg RMS.
        n_subjects, n_beats: That were used.
        target: ``wave`` or ``scalar``.
        candidates: Every kind of filter that was tried, best first.
        assumed: What had to be taken for granted.
        seed: Of the draw of subjects, beats and folds.
    """

    flagged: bool | None
    score: float
    threshold: float
    kind: str
    taps: int
    noise: float
    left: float
    n_subjects: int
    n_beats: int
    target: str
    candidates: tuple[Candidate, ...]
    assumed: tuple[str, ...]
    seed: int

    @property
    def verdict(self) -> str:
        """The answer in a sentence or two."""
        numbers = f"{self.score:.2f} mmHg (threshold {self.threshold:.2f} mmHg)"
        if self.flagged is None and self.target == "scalar":
            return (
                f"Cannot be told: {self.kind}, leaves {self.score:.2f} mmHg, and "
                f"physiology may leave as little as that ({self.threshold:.2f} mmHg): "
                "near the heart, for mean and lowest pressure, and within a person "
                "numbers follow each other whether measured or computed. Bring waves."
            )
        if self.flagged is None:
            return (
                f"Cannot be told: the target's noise ({self.noise:.2f} mmHg) hides "
                f"differences up to {self.threshold:.2f} mmHg. Bring more subjects, or "
                "more beats of each, before the target is called measured."
            )
        if self.flagged:
            return (
                f"Circular: {self.kind} reproduces the target of other subjects to "
                f"{numbers}. This target may not be called measured: it says nothing "
                "about the aorta that its input does not say."
            )
        return (
            f"Not circular by this test: the best common filter ({self.kind}) leaves "
            f"{numbers} of the target of other subjects. That excludes a fixed linear "
            "filter, not every kind of computation."
        )

    @property
    def derivation(self) -> str:
        """Where the threshold comes from."""
        return _DERIVATION[self.target]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and words; None where there is no number."""
        return {
            "flagged": self.flagged,
            "score_mmhg": _plain(self.score),
            "threshold_mmhg": _plain(self.threshold),
            "kind": self.kind,
            "taps": self.taps,
            "noise_mmhg": _plain(self.noise),
            "left_mmhg": _plain(self.left),
            "n_subjects": self.n_subjects,
            "n_beats": self.n_beats,
            "target": self.target,
            "candidates": [
                {"kind": c.kind, "left_mmhg": _plain(c.left)} for c in self.candidates
            ],
            "assumed": list(self.assumed),
            "seed": self.seed,
            "verdict": self.verdict,
            "derivation": self.derivation,
        }

    def __str__(self) -> str:
        """Verdict, numbers, the best candidates and the derivation."""
        taps = f", {self.taps} taps" if self.taps else ""
        lines = [
            self.verdict,
            f"  {self.n_subjects} subjects, {self.n_beats} beats{taps}; left over with "
            f"noise {self.left:.2f} mmHg; seed {self.seed}.",
            "  tried, with noise, mmHg:",
            *(f"    {c.left:6.2f}  {c.kind}" for c in self.candidates[:6]),
            *(f"  assumed: {text}" for text in self.assumed),
            f"  threshold: {self.derivation}",
        ]
        return "\n".join(lines)


_DERIVATION: Final[Mapping[str, str]] = {
    "wave": (
        f"{FLOOR:g} mmHg ({PUBLISHED_FLOOR:g} for a published filter, {TIMED_FLOOR:g} "
        f"for one in seconds whose clock was found with it, {RESONANCE_FLOOR:g} for a "
        f"resonance), in the harmonics 1 to {BAND}, with level, gain and shift of "
        "every beat free. It lies between what device-like filters leave there with "
        "little noise (0.08 mmHg; 0.05 with the clock free) and the least that "
        "physiology leaves to a filter of four people (virtual people of PWDB, carotid "
        "to aorta: median 0.4, 5th percentile 0.2 mmHg; 0.16 and 0.09 with the clock "
        "free; 0.6 at least to a resonance). Two standard errors of the squared score "
        "(one for a published filter) are granted to the noise. Chosen on draws of "
        "these same people, and never tried on recordings of a device."
    ),
    "scalar": DERIVATION,
}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


class _Judged(NamedTuple):
    """A residual without its noise.

    Attributes:
        square: What is left over beyond the noise, mmHg^2; may be negative.
        error: Standard error of that.
        noise: SD of the noise in one harmonic number, mmHg.
        left: With the noise, mmHg RMS.
    """

    square: float
    error: float
    noise: float
    left: float


def circularity(
    x: RawSamples,
    y: RawSamples,
    *,
    subject: RawSamples,
    duration: RawSamples | None = None,
    sampling_rate: float | None = None,
    seed: int = 0,
) -> Circularity:
    r"""Ask whether one short linear filter makes the target out of the input.

    Filters of 0.16 to 1.1 beats are fitted by least squares (with three ridges) on up
    to eight subjects and held against the others: as they are, with a gain of each
    beat, and with a gain and a small shift; levels are always free. Before and after a
    beat they meet the same beat again, its ends held, its reflection, its mean, zero,
    or its neighbours. The published filters of Karamanoglu et al. (1993) are held
    against the target, too, with gain and delay free, and the heart rate where it is
    not known. So are filters in seconds that are fitted with gain and delay of each
    subject and, where beats have lost their durations, with its clock: up to 1.4 times
    faster or slower than the usual one. So is a resonance, whose frequency and damping
    (at most 0.7 of the critical) all share: it rings for longer than those filters
    last. Of the filter that leaves least in the harmonics 1 to 6 the score is

    .. math:: S^2 = \overline{|\bar r_s|^2 - v (d / B_s + l_s)}

    with :math:`\bar r_s` the mean residual of the :math:`B_s` beats of subject s,
    :math:`d` the free numbers of a beat, :math:`l_s` the variance that the filter's own
    uncertainty adds, and v the variance of the target's noise: from the harmonics above
    the 10th, or from the scatter of repeated beats, whichever is more (for filters in
    seconds and resonances the lower of what the 11th to 16th and those above say; for
    all of these at most what the shared filter says). White noise and rounding thus do
    not hide a device, and do not pass for physiology.

    The target is flagged where :math:`S^2 \le T_0^2 + 2 se(S^2)`. :math:`T_0` is
    0.15 mmHg (0.125 for a published filter, with one standard error; 0.05 for filters
    in seconds with gain, delay and clock, which are left out where the noise hides
    0.16 mmHg; 0.25 for a resonance, to which physiology leaves 0.6 at least). Devices
    with 0.1 mmHg of noise leave up to 0.08 mmHg by this score (0.05 with the clock
    free); carotid to aorta in virtual
    people, the least physiological case known, 0.4 (median; 5th percentile 0.2) with
    five subjects, brachial to aorta 0.8 (5th percentile 0.4). To an unknown clock they
    leave 0.16 (0.09) and 0.4 (0.2) only: bring durations where there are any. Noise of
    1 mmHg in single beats of five people makes physiology hard to tell from a device:
    the more noise, the more must be left over to go unflagged. Repeated beats help
    most. These numbers were chosen on draws of the same virtual people (PWDB) that give
    them; no recordings of a device were at hand.

    A scalar target (SBP) is held against numbers of the wave (SBP, PP, MAP, DBP,
    MAP^2 / DBP) and against maxima and pulses of moving averages, low-pass filters and,
    where the heart rate is known, published transfer functions: as they are, with a
    constant, a gain or a line that all share, and, with four beats of everybody that
    vary, with a line of each subject. The score is the RMS of what is left of each
    subject's mean, noise and all; `Circularity.derivation` has the thresholds. A
    number of a person cannot tell everything: from an input near the heart (mean form
    factor above 0.49), for mean and diastolic pressure, and where the changes within
    a person follow a line, the answer is None where physiology may leave as little.
    Other filters (a resonance, an FIR filter with taps of its own) and a gain of each
    person are not found out from one number a person: bring waves.

    Args:
        x: Peripheral beats, mmHg. Shape (n, time), all resampled to the same number of
            points, or on a time grid with NaN after the end of each beat. Beats of a
            subject in the order in which they were recorded.
        y: Target beats on the same grid, or one number a beat (n,), mmHg.
        subject: Whose they are. Shape (n,).
        duration: Of beats that were resampled, s. Shape (n,). Without it a filter in
            seconds is found with a clock of each subject, which takes more of
            physiology, too.
        sampling_rate: Of a time grid, Hz, where it is known.
        seed: Of the draw of at most 24 subjects with 8 beats each, and of the folds.

    Raises:
        ShapeError: If the shapes do not agree, a value is missing within a beat, a beat
            has fewer than 25 samples, or does not vary.
        ProtocolError: If there are fewer than 3 subjects or the values cannot be mmHg.
        ConfigError: If duration or sampling_rate are impossible, or do not go with the
            grid.

    References:
        M. Karamanoglu et al. European Heart Journal 14, 160-167 (1993).
        B. Williams et al. J Am Coll Cardiol 57, 951-961 (2011).
    """
    rng = np.random.default_rng(seed)
    pairs = checked_pairs(
        x, y, subject, duration=duration, sampling_rate=sampling_rate, rng=rng
    )
    if pairs.scalar is not None:
        return _of_scalars(pairs, pairs.scalar, seed)
    return _of_waves(pairs, rng, seed)


class _Best(NamedTuple):
    left: float
    kind: str
    freedom: str
    fit: Fit
    inputs: Float[np.ndarray, "beat number lag"]
    residual: Float[np.ndarray, "beat number"]


def _of_waves(pairs: Pairs, rng: np.random.Generator, seed: int) -> Circularity:
    waves, who = pairs.waves, pairs.subject
    split = folds(int(who.max()) + 1, rng)
    length = float(np.median([len(w) for w in waves]))
    count = min(_HARMONICS, (min(len(w) for w in waves) - 1) // 2)
    x = np.stack([harmonics(w, count) for w in waves])
    y = np.stack([harmonics(w, count) for w in pairs.targets])
    order = np.tile(np.arange(1, count + 1), 2)
    reach = int(length)
    best: list[_Best] = []
    found = []
    repeated = bool(np.bincount(who).max() > 1)
    for extension in EXTENSIONS if repeated else EXTENSIONS[:-1]:
        wide = lagged(waves, who, reach=reach, extension=extension, count=count)
        products = Products.of(wide, y, who)
        for (ahead, back), ridge in product(_WINDOWS, _RIDGES):
            first, last = -max(1, round(ahead * length)), max(1, int(back * length))
            lags = slice(reach + first, reach + last + 1)
            inputs, part = wide[:, :, lags], products.inner(lags)
            common, gained = (
                fit_common(
                    part,
                    split,
                    lag=np.arange(first, last + 1),
                    gains=gains,
                    ridge=ridge,
                    length=length,
                )
                for gains in (False, True)
            )
            for freedom in FREEDOMS:
                fit = common if freedom == FREEDOMS[0] else gained
                residual = fit.residual(inputs, y, who, split, freedom=freedom)
                left = _rms(residual[:, order <= BAND])
                kind = (
                    f"{extension} FIR of {inputs.shape[2]} taps (ridge {ridge:.0e}), "
                    f"{freedom}"
                )
                found.append(Candidate(kind, left))
                if not best or left < best[0].left:
                    best = [_Best(left, kind, freedom, fit, inputs, residual)]
    (winner,) = best
    judged = _judged(
        winner.residual,
        winner.fit.leverage(winner.inputs, who, split),
        who,
        order,
        spent=FREEDOMS.index(winner.freedom),
    )
    kind, taps, floor, granted = winner.kind, winner.inputs.shape[2], FLOOR, _GRANTED
    for other in _laid(pairs, x, y, split, order, most=judged.noise**2):
        found += other.tried
        near = (
            other.judged.square <= other.floor**2 + other.granted * other.judged.error
        )
        if near and other.judged.square / other.floor**2 < judged.square / floor**2:
            judged, floor, granted = other.judged, other.floor, other.granted
            kind, taps = other.kind, other.taps
    threshold = (floor**2 + granted * judged.error) ** 0.5
    score = max(judged.square, 0.0) ** 0.5
    flagged = bool(score <= threshold)
    blind = _BLIND * float(np.median([np.ptp(w) for w in pairs.targets]))
    return Circularity(
        flagged=None if flagged and threshold > blind else flagged,
        score=score,
        threshold=threshold,
        kind=kind,
        taps=taps,
        noise=judged.noise * length**0.5,
        left=judged.left,
        n_subjects=int(who.max()) + 1,
        n_beats=len(waves),
        target="wave",
        candidates=tuple(sorted(found, key=lambda c: c.left)),
        assumed=pairs.assumed,
        seed=seed,
    )


class _Laid(NamedTuple):
    """A filter that was laid over beats with a delay, and maybe a clock, of their own.

    Attributes:
        judged: What it leaves.
        kind, taps: Of it.
        floor, granted: For its threshold.
        tried: What it is the best of.
    """

    judged: _Judged
    kind: str
    taps: int
    floor: float
    granted: float
    tried: Sequence[Candidate]


def _laid(
    pairs: Pairs,
    x: Float[np.ndarray, "beat number"],
    y: Float[np.ndarray, "beat number"],
    split: Sequence[Fold],
    order: Int[np.ndarray, " number"],
    *,
    most: float,
) -> Iterator[_Laid]:
    """Judge the best filter in seconds, a resonance, and the published filters."""
    who, band = pairs.subject, order <= BAND
    lengths = np.array([len(w) for w in pairs.waves])
    # beats of different length stand on a time grid, whatever its step
    told = bool((lengths != lengths[0]).any()) or pairs.rate is not None
    rate = np.median(lengths) / lengths if told else None
    timed = list(timed_residuals(x, y, who, split, rate=rate))
    best = min(timed, key=lambda t: _rms(t.residual[:, band]))
    judged = _judged(
        best.residual,
        np.zeros_like(x),
        who,
        order,
        spent=2 if told else 3,
        cautious=True,
        most=most,
    )
    tried = [Candidate(t.kind, _rms(t.residual[:, band])) for t in timed]
    if _GRANTED * judged.error <= _TIMED_LEAST**2:
        yield _Laid(judged, best.kind, best.taps, TIMED_FLOOR, _GRANTED, tried)
    residual = second_order(x, y, who, rate=rate)
    judged = _judged(
        residual, np.zeros_like(x), who, order, spent=2, cautious=True, most=most
    )
    if _GRANTED * judged.error <= _RESONANCE_LEAST**2:
        kind = "a resonance (second order)"
        tried = [Candidate(kind, judged.left)]
        yield _Laid(judged, kind, 0, RESONANCE_FLOOR, _GRANTED, tried)
    for site in SITES:
        residual = published(x, y, who, site=site, rate=pairs.rate)
        judged = _judged(
            residual,
            np.zeros_like(x),
            who,
            order,
            spent=2 + (pairs.rate is None),
            most=most,
        )
        kind = f"published {site} transfer function"
        tried = [Candidate(kind, judged.left)]
        yield _Laid(judged, kind, 0, PUBLISHED_FLOOR, _PUBLISHED_GRANTED, tried)


def _rms(residual: Float[np.ndarray, "beat number"]) -> float:
    """Of beats, given by their harmonics."""
    return float(np.sum(residual**2, axis=1).mean() ** 0.5)


def _judged(
    residual: Float[np.ndarray, "beat number"],
    leverage: Float[np.ndarray, "beat number"],
    subject: Int[np.ndarray, " beat"],
    order: Int[np.ndarray, " number"],
    *,
    spent: int,
    cautious: bool = False,
    most: float = math.inf,
) -> _Judged:
    """Take the noise from a residual; see `circularity`.

    ``cautious`` takes the lower of what two bands say about the noise: physiology that
    a flexible filter leaves in one of them is no noise. Nor is what another filter,
    which said ``most``, has made: there is one noise of a target.
    """
    beats = np.bincount(subject)
    band = order <= BAND
    mean = _per_subject(residual, subject)
    above = order > _NOISE_FROM
    parts = [above & (order <= _NOISE_PARTED), above]
    if cautious and order.max() > _NOISE_PARTED:
        parts[1] = order > _NOISE_PARTED
    noises = []
    for part in parts:
        inflation = float((1.0 + leverage[:, part]).mean())
        value = float((residual[:, part] ** 2).mean()) / inflation
        noises.append((value, len(residual) * int(part.sum())))
    density, told = min(noises) if cautious else max(noises)
    spare = (len(residual) - len(beats)) * int(band.sum())
    if spare:
        value = float(((residual - mean[subject])[:, band] ** 2).sum()) / spare
        if value > density:
            density, told = value, spare
    density = min(density, most)
    free = int(band.sum()) - spent
    added = _per_subject(leverage, subject)[:, band].sum(axis=1)
    noise = density * (free / beats + added)
    square = float(((mean[:, band] ** 2).sum(axis=1) - noise).mean())
    own = float(np.sum(2.0 * noise**2 / free)) / len(beats) ** 2
    error = (own + 2.0 * float(noise.mean()) ** 2 / told) ** 0.5
    return _Judged(square, error, density**0.5, _rms(residual[:, band]))


def _per_subject(
    values: Float[np.ndarray, "..."], subject: Int[np.ndarray, " beat"]
) -> Float[np.ndarray, "..."]:
    """Mean over the beats of each subject; beats are the first axis."""
    beats = np.bincount(subject)
    total = np.zeros((len(beats), *values.shape[1:]))
    np.add.at(total, subject, values)
    return total / beats.reshape(-1, *[1] * (values.ndim - 1))


def _of_scalars(
    pairs: Pairs, target: Float[np.ndarray, " beat"], seed: int
) -> Circularity:
    found = judge_scalars(pairs.waves, target, pairs.subject, pairs.rate)
    best = found[0]
    hidden = best.flags < best.score <= best.hides
    return Circularity(
        flagged=None if hidden else best.score <= best.flags,
        score=best.score,
        threshold=best.hides if hidden else best.flags,
        kind=best.kind,
        taps=0,
        noise=best.noise,
        left=best.left,
        n_subjects=int(pairs.subject.max()) + 1,
        n_beats=len(target),
        target="scalar",
        candidates=tuple(
            sorted((Candidate(f.kind, f.left) for f in found), key=lambda c: c.left)
        ),
        assumed=(*pairs.assumed, NOT_RECALIBRATED),
        seed=seed,
    )
