"""One filter in seconds for everybody, where the clock of a beat is not known.

A beat that was resampled has lost its duration, and one that was cut at a foot of its
own has lost its delay. A filter that ran over the recording before that is no longer
the same in points of the beat, but for a delay, a gain and a speed of each subject.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Complex, Float, Int

from capnet.evaluation.audits.beat_spectra import BAND
from capnet.evaluation.audits.shared_filter import FADE, Fold

__all__ = ["Laid", "Timed", "as_complex", "laid_over", "timed_residuals"]

_WINDOWS: Final = ((0.15, 0.5), (0.1, 1.0))
"""Beats of usual length that a filter looks ahead and back."""
_RIDGES: Final = (1e-3, 1e-4, 1e-5)
"""Stiff filters first: each starts where the last one ended."""
_WIDEST: Final = 0.35
"""Logarithm of the speed of a beat over the usual one: hearts of 50 to 100 bpm where
70 is usual. The wider, the more of physiology is taken for a clock."""
_SPEEDS: Final = np.exp(np.linspace(-_WIDEST, _WIDEST, 57))
_SHIFTS: Final = 256
"""Of a beat: steps in which delays are tried before the top is found between them."""
_MOST_STEPS: Final = 12
_ENOUGH: Final = 1e-4
"""A step that gains less than this share of the squares is the last."""
_HELD: Final = 1e-3
"""Of the target's power: weight of the mean speed, which the filter can undo."""


class Laid(NamedTuple):
    """Answers laid over targets.

    Attributes:
        left: What they leave. Shape (beat, harmonic).
        shift: Delay of each beat that fits best, of a beat. Shape (beat,).
    """

    left: Complex[np.ndarray, "beat harmonic"]
    shift: Float[np.ndarray, " beat"]


class Timed(NamedTuple):
    """A filter in seconds.

    Attributes:
        kind, taps: Of it.
        residual: What it leaves of beats it has not met. Shape (beat, number).
    """

    kind: str
    taps: int
    residual: Float[np.ndarray, "beat number"]


def as_complex(
    spectra: Float[np.ndarray, "beat number"],
) -> Complex[np.ndarray, "beat harmonic"]:
    """Return cosine and sine parts as one number for each harmonic."""
    half = spectra.shape[1] // 2
    return np.asarray(spectra[:, :half] + 1j * spectra[:, half:])


def laid_over(
    answer: Complex[np.ndarray, "beat tried harmonic"],
    target: Complex[np.ndarray, "beat harmonic"],
    subject: Int[np.ndarray, " beat"],
) -> Laid:
    """Lay answers over targets, with gain and delay of each beat free.

    Only the judged harmonics decide on them.

    Args:
        answer: Of a filter, for every clock that is tried.
        target: What it should be.
        subject: Who has one clock.
    """
    order = np.arange(1, target.shape[1] + 1)
    low = slice(0, BAND)
    power = np.maximum(np.sum(np.abs(answer[..., low]) ** 2, axis=2), 1e-12)
    cross = np.zeros((*answer.shape[:2], _SHIFTS // 2 + 1), dtype=complex)
    cross[..., 1 : BAND + 1] = np.conj(answer[..., low]) * target[:, None, low]
    match = np.fft.irfft(cross, _SHIFTS, axis=2) * (_SHIFTS / 2)
    at = match.argmax(axis=2)
    before, best, after = (
        np.take_along_axis(match, (at + step)[..., None] % _SHIFTS, axis=2)[..., 0]
        for step in (-1, 0, 1)
    )
    # the top of the parabola through three values: shifts between the steps
    bend = np.minimum(before - 2.0 * best + after, -1e-12)
    part = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    best = best - 0.25 * (before - after) * part
    explained = best**2 / power
    total = np.zeros((int(subject.max()) + 1, explained.shape[1]))
    np.add.at(total, subject, explained)
    chosen = total.argmax(axis=1)[subject]
    beat = np.arange(len(target))
    shift = ((at + part) / _SHIFTS)[beat, chosen]
    turn = np.exp(-2j * np.pi * order * shift[:, None])
    gain = (best / power)[beat, chosen]
    return Laid(target - gain[:, None] * answer[beat, chosen] * turn, shift)


def timed_residuals(
    x: Float[np.ndarray, "beat number"],
    y: Float[np.ndarray, "beat number"],
    subject: Int[np.ndarray, " beat"],
    split: Sequence[Fold],
    *,
    rate: Float[np.ndarray, " beat"] | None,
) -> Iterator[Timed]:
    """Fit filters in seconds, and yield what they leave of beats they have not met.

    A filter is fitted on the mean beats of its training subjects, whose gains, delays
    and (where they are not known) speeds are found with it by damped least squares
    (Levenberg 1944, Marquardt 1963), from equal ones. A left-out subject gets the speed
    that fits best, and each of its beats a gain and a delay.

    Args:
        x: Inputs, harmonics.
        y: Targets, harmonics.
        subject: Position of the subject of each beat.
        split: Who is tested on whose filter.
        rate: Heart rate of each beat over the usual one; None where it is not known.
    """
    first, second = as_complex(x), as_complex(y)
    beats = np.bincount(subject)
    mean = np.zeros((2, len(beats), first.shape[1]), dtype=complex)
    for into, of in zip(mean, (first, second), strict=True):
        np.add.at(into, subject, of)
    mean /= beats[:, None]
    own = np.zeros((3, len(beats)))
    own[0] = 1.0
    shift = laid_over(mean[0][:, None], mean[1], np.arange(len(beats))).shift
    own[1] = (shift - shift[0] + 0.5) % 1.0 - 0.5
    tried = np.broadcast_to(_SPEEDS, (len(x), len(_SPEEDS)))
    clock = "seconds of an unknown clock"
    if rate is not None:
        own[2] = np.log(np.bincount(subject, rate) / beats)
        tried, clock = rate[:, None], "seconds"
    step = 1.0 / x.shape[1]
    for ahead, back in _WINDOWS:
        lag = np.arange(-round(ahead / step), round(back / step) + 1) * step
        fade = np.exp(2.0 * np.abs(lag) / FADE) / len(lag)
        fits = [_Fit(np.zeros(len(lag)), own[:, train]) for _, train in split]
        for ridge in _RIDGES:
            left = np.empty_like(second)
            for i, (test, train) in enumerate(split):
                fits[i] = _fitted(
                    mean[0, train],
                    mean[1, train],
                    fits[i],
                    lag=lag,
                    ridge=ridge * fade,
                    timed=rate is None,
                )
                rows = np.isin(subject, test)
                answer = _delays(tried[rows], lag, first.shape[1]) @ fits[i].taps
                answer *= first[rows, None]
                left[rows] = laid_over(answer, second[rows], subject[rows]).left
            kind = (
                f"FIR of {len(lag)} taps (ridge {ridge:.0e}) in {clock}, filter + gain "
                "+ delay"
            )
            residual = np.concatenate([left.real, left.imag], axis=1)
            yield Timed(kind, len(lag), residual)


class _Fit(NamedTuple):
    """A filter, and what is their own of those it was fitted on.

    Attributes:
        taps: Of the filter. Shape (lag,).
        own: Gain, delay in beats, logarithm of the speed. Shape (3, subject).
    """

    taps: Float[np.ndarray, " lag"]
    own: Float[np.ndarray, "3 subject"]


def _delays(
    speed: Float[np.ndarray, "*any"], lag: Float[np.ndarray, " lag"], count: int
) -> Complex[np.ndarray, "*any harmonic lag"]:
    """What each lag does to every harmonic, for each speed."""
    order = np.arange(1, count + 1)
    turn = speed[..., None, None] * order[:, None] * lag
    return np.asarray(np.exp(-2j * np.pi * turn))


def _fitted(
    x: Complex[np.ndarray, "subject harmonic"],
    y: Complex[np.ndarray, "subject harmonic"],
    start: _Fit,
    *,
    lag: Float[np.ndarray, " lag"],
    ridge: Float[np.ndarray, " lag"],
    timed: bool,
) -> _Fit:
    """Find filter, gains, delays and, where ``timed``, speeds by damped least squares.

    Args:
        x: Inputs.
        y: Targets.
        start: Where to begin.
        lag: Of the taps, beats.
        ridge: Of each tap, of the power of the inputs.
        timed: Whether speeds are free.
    """
    count, lags = len(x), len(lag)
    turn = -2j * np.pi * np.arange(1, x.shape[1] + 1)
    penalty = ridge * np.sum(np.abs(x) ** 2)
    held = _HELD * float(np.sum(np.abs(y) ** 2)) / count
    kinds = 3 if timed else 2
    own = np.arange(count)

    def inputs(fit: _Fit) -> Complex[np.ndarray, "subject harmonic lag"]:
        _, shift, pace = fit.own
        moved = x * np.exp(shift[:, None] * turn)
        return np.asarray(moved[:, :, None] * _delays(np.exp(pace), lag, x.shape[1]))

    def cost(fit: _Fit, through: np.ndarray) -> float:
        left = y - fit.own[0][:, None] * (through @ fit.taps)
        squares = np.sum(np.abs(left) ** 2) + np.sum(penalty * fit.taps**2)
        return float(squares + held * fit.own[2].sum() ** 2 * timed)

    best, through = start, inputs(start)
    least, damping = cost(best, through), 1e-2
    for _ in range(_MOST_STEPS):
        gain, _, pace = best.own
        answer = through @ best.taps
        slope = np.zeros((count, x.shape[1], lags + kinds * count), dtype=complex)
        slope[..., :lags] = gain[:, None, None] * through
        slope[own, :, lags + own] = answer
        slope[own, :, lags + count + own] = gain[:, None] * answer * turn
        if timed:
            late = (through * lag) @ best.taps * np.exp(pace)[:, None]
            slope[own, :, lags + 2 * count + own] = gain[:, None] * late * turn
        flat = slope.reshape(-1, slope.shape[2])
        flat = np.concatenate([flat.real, flat.imag])
        left = (y - gain[:, None] * answer).ravel()
        normal = flat.T @ flat
        pull = flat.T @ np.concatenate([left.real, left.imag])
        normal[range(lags), range(lags)] += penalty
        pull[:lags] -= penalty * best.taps
        if timed:
            normal[lags + 2 * count :, lags + 2 * count :] += held
            pull[lags + 2 * count :] -= held * pace.sum()
        size = np.diag(normal)
        size = np.maximum(size, 1e-9 * size.max())
        before = least
        while damping < 1e6:
            move = np.linalg.solve(normal + np.diag(damping * size), pull)
            moved = best.own.copy()
            moved[:kinds] += move[lags:].reshape(kinds, count)
            if timed:
                moved[2] = np.clip(moved[2], -_WIDEST, _WIDEST)
            fit = _Fit(best.taps + move[:lags], moved)
            tried = inputs(fit)
            now = cost(fit, tried)
            if now < least:
                best, through, least = fit, tried, now
                damping = max(damping / 5.0, 1e-7)
                break
            damping *= 5.0
        if before - least < _ENOUGH * before:
            break
    return best
