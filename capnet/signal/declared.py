"""Whether channels are what their header says: their kind, rate and unit.

Nothing in the samples says how fast they were taken, but bodies do: repolarisation
takes so long at a given heart rate, a pulse rises so fast, hearts beat so often. Each
channel's numbers are held against what they are at the declared rate, at twice and at
half of it, and channels of one body must have one heart rate. What is nearer than
that cannot be told: a rate that is 2 % wrong looks like another person, and so does one
of 20 %. A pulse without an ECG beside it may be that of a driven heart, and one that is
declared twice too fast is let go.
"""

from collections.abc import Mapping
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError
from capnet.records import Record
from capnet.signal.faults import Look, PerWindow
from capnet.signal.pressure import DBP_RANGE, MEAN_RANGE, PP_RANGE, SBP_RANGE

__all__ = [
    "channels_of",
    "implausible",
    "look_swapped",
    "wrong_rates",
]

QUICK_ECG: Final = 0.035
"""Part of an ECG's power above 8 Hz, at least. Virtual people have 0.45 to 0.65, a real
one 0.47; pulses have less than 0.02."""

QUICK_PULSE: Final = 0.2
"""The same of a pulse wave, at most, and also of one declared twice too fast."""

SAME_HEART: Final = 0.12
"""Part by which heart rates of two channels may differ; beats are missed, or dicrotic
waves taken for beats, in some windows."""


class _Scale(NamedTuple):
    """Mean and SD of a logarithm, at half the rate, the right one and twice that.

    Times are in s. Means are those of virtual people (`benchmarks/signal_gate.py`), but
    for the QRS, which is wider in people; SDs are widened for what they do not vary.
    """

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]

    def fits(self, value: float) -> np.ndarray:
        """Log-likelihood of each scale; no single number decides alone."""
        if not np.isfinite(value):
            return np.zeros(3)
        mean, sd = np.array(self.mean), np.array(self.sd)
        off = np.clip((value - mean) / sd, -_FAR, _FAR)
        answer: np.ndarray = -0.5 * off**2 - np.log(sd)
        return answer


Hearts = Float[np.ndarray, " _"]
"""Logarithms of intervals between beats, s."""

_FAR: Final = 4.0
"""SDs beyond which a number is equally impossible."""
_PULSES: Final = 0.5
"""Weight of each number of a pulse: they go together, and all are less in exercise."""
_FACTORS: Final = (0.5, 1.0, 2.0)
"""Declared rate over the true one."""
_ONE_OFF: Final = -4.0
"""Log-prior of one channel, or all alike, at a wrong rate; of anything else twice."""
_EXERCISE: Final = -3.5
"""Log-prior of a heart that is driven."""
_APART: Final = -25.0
"""Log-likelihood of a heart rate that differs from that of another channel."""
_PACES: Final = np.linspace(0.0, 100.0, 21)
"""Percentiles that stand for how fast a heart beats within a record."""

INTERVAL: Final = _Scale((0.44, -0.25, -0.94), (0.38, 0.38, 0.38))
"""Interval of beats: 78 bpm, from 36 to 165 within two SDs, as people exercise."""

REPOLARISATION: Final = _Scale((-0.88, -1.25, -1.56), (0.1, 0.09, 0.1))
"""R peak to top of T, over the root of the interval (Bazett)."""

QRS: Final = _Scale((-2.05, -2.5, -2.75), (0.3, 0.3, 0.3))
"""Duration of the QRS complex."""

SHARP: Final[Mapping[str, _Scale]] = {
    "ppg": _Scale((1.85, 2.15, 2.63), (0.25, 0.17, 0.12)),
    "abp": _Scale((2.15, 2.5, 2.75), (0.28, 0.12, 0.06)),
}
"""Steepest rise of a pulse, heights a second, after the smoothing of `faults`."""

RISE: Final[Mapping[str, _Scale]] = {
    "ppg": _Scale((-1.65, -2.3, -2.95), (0.3, 0.3, 0.25)),
    "abp": _Scale((-2.0, -2.75, -3.2), (0.25, 0.25, 0.15)),
}
"""Steepest rise of a pulse to its peak."""

FALL: Final[Mapping[str, _Scale]] = {
    "ppg": _Scale((-0.95, -1.6, -2.25), (0.35, 0.35, 0.35)),
    "abp": _Scale((-1.3, -2.0, -2.55), (0.3, 0.22, 0.18)),
}
"""Steepest rise of a pulse to its steepest fall."""


def _typical(values: PerWindow) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


def _log(values: PerWindow) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _typical(np.where(values > 0.0, np.log(values), np.nan))


def _fits(kind: str, look: Look) -> np.ndarray:
    """Log-likelihood of a channel at half, right and twice the rate."""
    if kind == "ecg":
        late = look.late / np.sqrt(look.interval)
        parts = [REPOLARISATION.fits(_log(late)), QRS.fits(_log(look.width))]
    else:
        parts = [
            _PULSES * SHARP[kind].fits(_log(look.sharp)),
            _PULSES * RISE[kind].fits(_log(look.width)),
            _PULSES * FALL[kind].fits(_log(look.late)),
        ]
    answer: np.ndarray = np.sum(parts, axis=0)
    return answer


def channels_of(
    record: Record, *, ecg: str | None, ppg: str | None, abp: str | None
) -> dict[str, str]:
    """Return the channel of each kind: the one that is named, else a usual name.

    Raises:
        ConfigError: If one channel is to be two.
        RecordError: If a channel that is named is missing.
    """
    given = {"ecg": ecg, "ppg": ppg, "abp": abp}
    taken = {name for name in given.values() if name is not None}
    found: dict[str, str] = {}
    for kind, name in given.items():
        if name is None:
            name = record.find(kind)
            if name in taken:
                continue
        elif name in found.values():
            msg = f"channel {name!r} is named as two of {', '.join(given)}; wanted one."
            raise ConfigError(msg)
        if name is not None:
            record.signal(name)
            found[kind] = name
    return found


def wrong_rates(looks: Mapping[str, Look]) -> set[str]:
    """Tell which channels are declared at twice or half their rate.

    All combinations of right and wrong rates are compared, at rest and in exercise, and
    the one that the numbers of all channels together make most likely is taken. In
    exercise pulses are as short as if they were declared twice too fast (systole halves
    from 60 to 150 bpm, Weissler 1968), so that the ECG alone can tell the two apart:
    its T wave follows the root of the interval.

    Args:
        looks: Of windows with steady beats, by kind: ``ecg``, ``ppg``, ``abp``.
    """
    kinds = [k for k, look in looks.items() if np.isfinite(look.interval).any()]
    if not kinds:
        return set()
    fits = [_fits(kind, looks[kind]) for kind in kinds]
    hearts = [_hearts(looks[kind].interval) for kind in kinds]
    # noise adds beats and hides others: the heart is that of the steadiest channel
    steady = int(np.argmin([np.ptp(np.percentile(x, [25.0, 75.0])) for x in hearts]))
    paces = np.percentile(hearts[steady], _PACES)
    best, found = -np.inf, (1,) * len(kinds)
    for guess in product(range(3), repeat=len(kinds)):
        moved = np.log([_FACTORS[g] for g in guess])
        true = paces + moved[steady]
        agree = sum(
            _agree(heart + move, true)
            for heart, move in zip(hearts, moved, strict=True)
        )
        usual = INTERVAL.fits(float(np.median(true)))
        for driven in (0, 1):
            score = _EXERCISE * driven + usual[1 + driven]
            score += _APART * (len(kinds) - agree)
            for kind, fit, g in zip(kinds, fits, guess, strict=True):
                score += fit[g if kind == "ecg" else min(g + driven, 2)]
            wrong = sum(g != 1 for g in guess)
            if wrong:
                alike = wrong == 1 or len(set(guess)) == 1
                score += _ONE_OFF * (1.0 if alike else 2.0)
            if score > best:
                best, found = score, guess
    return {kind for kind, g in zip(kinds, found, strict=True) if g != 1}


def _hearts(intervals: PerWindow) -> Hearts:
    """Logarithms of the intervals that are known."""
    known: Hearts = np.log(intervals[np.isfinite(intervals)])
    return known


def _agree(heart: Hearts, paces: Hearts) -> float:
    """Part of the windows in which a heart beats as it does elsewhere."""
    off = np.abs(heart[:, None] - paces).min(axis=1)
    return float((off <= SAME_HEART).mean())


def implausible(look: Look) -> np.ndarray:
    """Tell which windows hold no pressure of a living artery (mmHg).

    Limits are those of `capnet.signal.pressure`, for percentiles 1 and 99, the mean and
    the usual range within a second.
    """
    checks = [
        (look.high, SBP_RANGE),
        (look.mean, MEAN_RANGE),
        (look.low, DBP_RANGE),
        (look.height, PP_RANGE),
    ]
    answer = np.zeros(len(look.mean), dtype=np.bool_)
    for values, (low, high) in checks:
        answer |= ~((values >= low) & (values <= high))
    return answer


def look_swapped(looks: Mapping[str, Look]) -> set[str]:
    """Tell which channels look like another kind than they are called.

    An ECG is told from a pulse by how quick it is, a pressure from a PPG by its level:
    a PPG is taken for the pressure only if the pressure cannot be one.

    Args:
        looks: Of windows that hold something, by kind.
    """
    quick = {kind: _typical(look.quick) for kind, look in looks.items()}
    found = {
        kind
        for kind, share in quick.items()
        if (share < QUICK_ECG if kind == "ecg" else share > QUICK_PULSE)
    }
    if "ppg" in looks and "ppg" not in found and "abp" in looks:
        pressure = implausible(looks["ppg"]).mean() < 0.5
        other = implausible(looks["abp"]).mean() >= 0.5
        if pressure and (other or "abp" in found):
            found |= {"ppg", "abp"}
    return found
