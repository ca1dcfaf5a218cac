"""Heart rate variability over segments, from intervals between normal beats alone.

The numbers are neurokit2's; what it does silently with short, broken or implausible
series is asked here first, and becomes a reason.
"""

import warnings
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers
from capnet.types import Flags, Labels, PerBeat, RawSamples

__all__ = [
    "LEAST_BEATS",
    "LEAST_SECONDS",
    "SEGMENT",
    "Nonlinear",
    "Spectrum",
    "Variability",
    "nonlinear",
    "normal_intervals",
    "segments",
    "spectrum",
    "variability",
]

SEGMENT: Final = 300.0
"""Seconds that one value stands for: the short-term recording of the Task Force."""

LEAST_BEATS: Final = 30
"""Normal intervals without which no variability is told."""

LEAST_SECONDS: Final = 60.0
"""Seconds of normal intervals below which only chance is measured: the Task Force
asks for about ten periods of the slowest component, and for high frequencies 1 min."""

LEAST_NORMAL: Final = 0.8
"""Of the time between the first and the last interval that must be normal: where more
is not, the rhythm is no sinus rhythm, or the beats were found wrongly."""

LEAST_SPECTRUM: Final = 120.0
"""Seconds that the low frequencies need (Task Force: 2 min)."""

LEAST_SHARE: Final = 0.9
"""Of the time between the first and the last interval that a spectrum must know."""

LONGEST_HOLE: Final = 5.0
"""Seconds without an accepted interval that a spectrum's interpolation may span."""

LEAST_RUN: Final = 100
"""Successive beats for entropy and fluctuations: ten of the widest windows, nearly."""

PLAUSIBLE_RR: Final = (0.3, 2.0)
"""Seconds; an RR interval outside is no heart beat but a detection error."""

HIGHEST_SDNN: Final = 0.3
"""Seconds; above it the beats were found wrongly, or the rhythm is no sinus rhythm."""

LEAST_HF: Final = 1.0
"""ms2; sampling at 125 Hz alone gives that much, and a ratio to it means nothing."""

_JUMP: Final = 5.2
"""Quartile deviations of successive differences beyond which one is a jump: Lipponen
and Tarvainen (2019), whose normal beats stay within."""

_JUMPS: Final = (0.05, 0.2)
"""Of the median interval: the least and the largest that this may come to. A heart like
a clock still has noise; one whose beats all jump has no normal ones. Breathing that
swings the interval by +- 15 % with four beats a breath stays below."""

_AROUND: Final = 11
"""Intervals whose median is what is usual."""

_LONGEST_ODD: Final = 3
"""Intervals between two jumps that may be odd; a longer run is another heart rate."""

_LATEST: Final = 1e12
"""Seconds (30,000 years) from which a time is none."""

_RATE: Final = 4.0
"""Hz of the series of which the spectrum is taken, as usual."""


class Variability(NamedTuple):
    """Time-domain measures of heart rate variability (Task Force 1996).

    Attributes:
        nn_time: Sum of the intervals that count, s.
        nn_share: That sum over the time from the first to the last of them.
        sdnn: Standard deviation of the RR intervals, ms.
        rmssd: Root mean square of successive differences, ms.
        pnn50: Intervals that differ by more than 50 ms from the one before, %.
        reason: Why numbers are NaN; empty otherwise.
    """

    nn_time: float
    nn_share: float
    sdnn: float
    rmssd: float
    pnn50: float
    reason: str


class Spectrum(NamedTuple):
    """Frequency-domain measures (Task Force 1996).

    Attributes:
        lf: Power at 0.04 to 0.15 Hz, ms2.
        hf: Power at 0.15 to 0.4 Hz, ms2.
        lf_nu: LF in normalised units, 100 LF / (LF + HF).
        lf_hf: LF / HF.
        reason: Why they are NaN; empty otherwise.
    """

    lf: float
    hf: float
    lf_nu: float
    lf_hf: float
    reason: str


class Nonlinear(NamedTuple):
    """Nonlinear measures of the longest run of normal intervals.

    Attributes:
        sd1: Of the Poincare plot, across the line of identity, ms.
        sd2: Along it, ms.
        sample_entropy: Pairs, tolerance 0.2 standard deviations.
        dfa_alpha1: Slope of detrended fluctuations over 4 to 11 beats.
        reason: Why they are NaN; empty otherwise.
    """

    sd1: float
    sd2: float
    sample_entropy: float
    dfa_alpha1: float
    reason: str


class _Intervals(NamedTuple):
    """Accepted intervals and when they end.

    Attributes:
        rr: s. Shape (interval,).
        end: s, so that successive ones lie exactly one interval apart.
        follows: Whether the one before is the interval before.
        share: Their sum over the time that they span.
        reason: Why they cannot be used.
    """

    rr: np.ndarray
    end: np.ndarray
    follows: np.ndarray
    share: float
    reason: str


def _intervals(
    rr: RawSamples, accepted: RawSamples, time: RawSamples | None
) -> _Intervals:
    """Take the intervals that count; those of rows that do not touch are apart."""
    rr = checked_numbers(rr, where="the RR intervals")
    if time is not None:
        time = checked_numbers(time, where="the times of the intervals")
    if accepted.ndim != 1 or accepted.dtype.kind != "b":
        msg = (
            f"the verdicts have shape {accepted.shape} and type {accepted.dtype}; "
            "wanted truth values of shape (beat,)."
        )
        raise ShapeError(msg)
    if not len(rr) == len(accepted) == (len(rr) if time is None else len(time)):
        msg = f"{len(rr)} intervals, {len(accepted)} verdicts; wanted equally many."
        raise ShapeError(msg)
    counted = accepted & _plausible(rr)
    if time is None:
        # A refused interval lasts as long as it says, an impossible one a second.
        lasts = np.where(_plausible(rr), rr, 1.0)
        time = np.cumsum(lasts) - lasts
    counted &= np.isfinite(time)
    found, rows = rr[counted], np.flatnonzero(counted)
    follows = np.diff(rows, prepend=-2) == 1
    begin = time[counted]
    # Feet wander against R peaks, so that a run keeps the clock of its first beat.
    run = np.cumsum(~follows) - 1
    ahead = np.cumsum(found) - found
    first = np.flatnonzero(~follows)
    end = (begin[first] - ahead[first])[run] + ahead + found if len(found) else begin
    span = end[-1] - end[0] + found[0] if len(found) else 0.0
    share = float(found.sum() / span) if 0.0 < span < np.inf else 0.0
    return _Intervals(found, end, follows, share, _implausible(found, share))


def _plausible(rr: PerBeat) -> Flags:
    answer: Flags = (rr >= PLAUSIBLE_RR[0]) & (rr <= PLAUSIBLE_RR[1])
    return answer


def normal_intervals(rr: RawSamples) -> Flags:
    """Tell which RR intervals lie between normal beats (NN), from the intervals alone.

    An ectopic, missed or invented beat makes the intervals beside it jump away from
    what is usual and back. A jump is a successive difference beyond 5.2 quartile
    deviations of all of them, but at least 5 and at most 20 % of the median interval.
    One to three intervals between two jumps are not normal where they are that far
    from the median of the eleven around them; neither are those outside 0.3 to 2 s.
    A rhythm that is fast, slow or swinging stays; bigeminy and fibrillation do not.

    Args:
        rr: RR intervals in their order, s; NaN where one is unknown or the succession
            is broken. Shape (beat,).

    Returns:
        True for normal intervals. Shape (beat,).

    Raises:
        ShapeError: If they are no row of real numbers.

    Reference:
        Lipponen and Tarvainen 2019 (J Med Eng Technol 43:173) for the threshold that
        follows the series; 20 % is the usual fixed one of long recordings.
    """
    rr = checked_numbers(rr, where="the RR intervals")
    normal = _plausible(rr)
    if normal.sum() < _AROUND:
        return normal
    known = np.where(normal, rr, 0.0)  # an impossible one is far from all others
    step = np.diff(known)
    both = normal[1:] & normal[:-1]
    median = float(np.median(rr[normal]))
    quarter, most = np.percentile(step[both], [25, 75]) if both.any() else (0.0, 0.0)
    limit = np.clip(0.5 * _JUMP * (most - quarter), *(median * np.array(_JUMPS)))
    run = np.concatenate([[0], np.cumsum(np.abs(step) > limit)])
    short = np.bincount(run)[run] <= _LONGEST_ODD
    half = _AROUND // 2
    padded = np.pad(np.where(normal, rr, np.nan), half, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, _AROUND)
    usual = np.full(len(rr), np.nan)
    usual[normal] = np.nanmedian(around[normal], axis=1)
    near: Flags = ~short | (np.abs(known - usual) <= limit)
    answer: Flags = normal & near
    return answer


def _implausible(rr: np.ndarray, share: float) -> str:
    if len(rr) < LEAST_BEATS:
        return f"{len(rr)} normal intervals, wanted at least {LEAST_BEATS}"
    if share < LEAST_NORMAL:
        return f"{100.0 * share:.0f} % normal intervals, wanted {100 * LEAST_NORMAL:g}"
    sdnn = rr.std(ddof=1)
    if sdnn > HIGHEST_SDNN:
        return f"SDNN is {1e3 * sdnn:.0f} ms, plausible are {1e3 * HIGHEST_SDNN:.0f}"
    if rr.sum() < LEAST_SECONDS:
        return f"{rr.sum():.0f} s of normal intervals, wanted {LEAST_SECONDS:g}"
    return ""


def _asked(call: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Call neurokit2 without its warnings; whatever it stumbles over gives nothing."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call()
        except (ValueError, IndexError, ZeroDivisionError, KeyError, TypeError):
            return {}


def _series(found: _Intervals) -> dict[str, np.ndarray]:
    return {"RRI": 1e3 * found.rr, "RRI_Time": found.end}


def variability(
    rr: RawSamples, accepted: RawSamples, *, time: RawSamples | None = None
) -> Variability:
    """Measure heart rate variability over normal intervals.

    One that does not count breaks the succession: no difference is taken across it.

    Args:
        rr: RR intervals of one subject in their order, s; NaN, and what is outside 0.3
            to 2 s, breaks the succession. Shape (beat,).
        accepted: Which of them count, see `normal_intervals`. Shape (beat,).
        time: When they begin, s; one after the other by default. Shape (beat,).

    Returns:
        The measures (`neurokit2.hrv_time`), or NaN and the reason.

    Raises:
        ShapeError: If the arrays are not equally long, or no numbers and verdicts.

    Reference:
        Task Force of the ESC and NASPE, Heart rate variability, Circulation 93
        (1996) 1043-1065, table 1.
    """
    found = _intervals(rr, accepted, time)
    lasts, share = float(found.rr.sum()), found.share
    if found.reason:
        return Variability(lasts, share, np.nan, np.nan, np.nan, found.reason)
    sdnn = 1e3 * float(found.rr.std(ddof=1))
    pairs = int(found.follows.sum())
    if pairs < LEAST_BEATS:
        reason = f"{pairs} pairs of successive intervals, wanted {LEAST_BEATS}"
        return Variability(lasts, share, sdnn, np.nan, np.nan, reason)
    return _time_domain(found, lasts, share)


def _time_domain(found: _Intervals, lasts: float, share: float) -> Variability:
    import neurokit2 as nk

    got = _asked(lambda: nk.hrv_time(_series(found)).iloc[0].to_dict())
    sdnn, rmssd, pnn50 = (
        float(got.get(f"HRV_{k}", np.nan)) for k in ("SDNN", "RMSSD", "pNN50")
    )
    known = np.isfinite([sdnn, rmssd, pnn50]).all()
    reason = "" if known else "neurokit2 gives no number"
    return Variability(lasts, share, sdnn, rmssd, pnn50, reason)


def spectrum(
    rr: RawSamples, accepted: RawSamples, *, time: RawSamples | None = None
) -> Spectrum:
    """Measure the power of heart rate variability at low and high frequencies.

    Excluded beats leave holes, which the interpolation to 4 Hz spans; so that it never
    does much of it, holes are short (5 s) and few (a tenth of the time).

    Args:
        rr: See `variability`.
        accepted: Likewise.
        time: Likewise.

    Returns:
        The measures (`neurokit2.hrv_frequency`, Welch), or NaN and the reason.

    Raises:
        ShapeError: If the arrays are not equally long, or no numbers and verdicts.
    """
    found = _intervals(rr, accepted, time)
    nothing = (np.nan,) * 4
    if found.reason:
        return Spectrum(*nothing, found.reason)
    span = found.end[-1] - found.end[0] + found.rr[0]
    hole = float((np.diff(found.end) - found.rr[1:]).max())
    if span < LEAST_SPECTRUM:
        return Spectrum(*nothing, f"{span:.0f} s, wanted at least {LEAST_SPECTRUM:g}")
    if found.share < LEAST_SHARE or hole > LONGEST_HOLE:
        reason = f"{100.0 * found.share:.0f} % known, longest hole {hole:.0f} s"
        return Spectrum(*nothing, reason)
    return _frequency_domain(found)


def _frequency_domain(found: _Intervals) -> Spectrum:
    import neurokit2 as nk

    def power() -> dict[str, float]:
        answer: dict[str, float] = (
            nk.hrv_frequency(
                _series(found), interpolation_rate=_RATE, normalize=False, silent=True
            )
            .iloc[0]
            .to_dict()
        )
        return answer

    got = _asked(power)
    low, high = (float(got.get(f"HRV_{k}", np.nan)) for k in ("LF", "HF"))
    if not np.isfinite([low, high]).all():
        return Spectrum(*(np.nan,) * 4, "neurokit2 gives no number")
    if high < LEAST_HF:
        reason = f"HF is {high:.1g} ms2, ratios want {LEAST_HF:g}"
        return Spectrum(low, high, np.nan, np.nan, reason)
    return Spectrum(low, high, 100.0 * low / (low + high), low / high, "")


def nonlinear(
    rr: RawSamples, accepted: RawSamples, *, time: RawSamples | None = None
) -> Nonlinear:
    """Measure the longest run of normal intervals by nonlinear means.

    The numbers are those of `neurokit2.hrv_nonlinear`, which computes some fifty more
    in twenty times as long: entropy and fluctuations by its own functions, SD1 and SD2
    by their definitions. Fluctuations are those of 4 to 11 beats, as it takes them
    (Peng et al. 1995 take 4 to 16).

    Args:
        rr: See `variability`.
        accepted: Likewise.
        time: Likewise.

    Returns:
        The measures, or NaN and the reason.

    Raises:
        ShapeError: If the arrays are not equally long, or no numbers and verdicts.
    """
    found = _intervals(rr, accepted, time)
    nothing = (np.nan,) * 4
    if found.reason:
        return Nonlinear(*nothing, found.reason)
    begins = np.append(np.flatnonzero(~found.follows), len(found.rr))
    longest = int(np.diff(begins).argmax())
    run = 1e3 * found.rr[begins[longest] : begins[longest + 1]]
    if len(run) < LEAST_RUN:
        reason = f"at most {len(run)} normal intervals in a row, wanted {LEAST_RUN}"
        return Nonlinear(*nothing, reason)
    if run.std() < 1.0:
        return Nonlinear(*nothing, f"SDNN is {run.std():.2g} ms, wanted at least 1")
    return _of_run(run)


def _of_run(run: np.ndarray) -> Nonlinear:
    import neurokit2 as nk

    def measures() -> dict[str, float]:
        entropy, _ = nk.entropy_sample(
            run, delay=1, dimension=2, tolerance=0.2 * run.std(ddof=1)
        )
        slope, _ = nk.fractal_dfa(run, multifractal=False, scale=np.arange(4, 12))
        return {"entropy": float(entropy), "slope": float(slope)}

    across, along = run[:-1] - run[1:], run[:-1] + run[1:]
    poincare = [float(x.std(ddof=1) / np.sqrt(2.0)) for x in (across, along)]
    got = _asked(measures)
    values = [*poincare, got.get("entropy", np.nan), got.get("slope", np.nan)]
    values = [value if np.isfinite(value) else np.nan for value in values]
    reason = "" if np.isfinite(values).all() else "neurokit2 gives no number"
    return Nonlinear(values[0], values[1], values[2], values[3], reason)


def segments(subject: Labels, time: PerBeat) -> Labels:
    """Number the segments that beats belong to, on the clock of their record.

    Args:
        subject: Identifier. Shape (beat,).
        time: Of the heart beat, s. Shape (beat,).

    Returns:
        The same whole number for beats of a subject within the same multiples of
        `SEGMENT`; -1 where the time is unknown. Shape (beat,).
    """
    known = np.abs(time) < _LATEST  # False where it is NaN
    _, who = np.unique(subject, return_inverse=True)
    when = np.floor(np.where(known, time, 0.0) / SEGMENT).astype(np.int64)
    pair = np.stack([who, when], axis=1)
    _, number = np.unique(pair, axis=0, return_inverse=True)
    answer: Labels = np.where(known, number.reshape(-1), -1)
    return answer
