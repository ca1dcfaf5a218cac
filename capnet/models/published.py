"""Published estimators of central pressure: nothing in them is fitted here.

`gtf` inverts the generalised transfer function of Karamanoglu et al. (1993);
`moving_average_csbp` is the N-point moving average of Williams et al. (2011). Both
exist for samples and, as `gtf_beats` and `moving_average_beats`, for beats of 64
points. Research software, not a medical device.

References:
    M. Karamanoglu, M. F. O'Rourke, A. P. Avolio, R. P. Kelly. An analysis of the
    relationship between central aortic and peripheral upper limb pressure waves in
    man. European Heart Journal 14, 160-167 (1993).

    B. Williams, P. S. Lacy, P. Yan, C.-N. Hwee, C. Liang, C.-M. Ting. Development and
    validation of a novel method to derive central aortic systolic pressure from the
    radial pressure waveform using an N-point moving average method. Journal of the
    American College of Cardiology 57, 951-961 (2011).
"""

from collections.abc import Mapping
from typing import Final, get_args

import numpy as np
from jaxtyping import Complex, Float

from capnet.errors import ConfigError, ShapeError, UnitError
from capnet.records import Cuff
from capnet.signal.checks import checked_samples
from capnet.types import N_POINTS, BeatWaves, CuffSite, PerBeat, RawSamples, Samples

__all__ = [
    "TOP_FREQUENCY",
    "forward_transfer",
    "gtf",
    "gtf_beats",
    "moving_average_beats",
    "moving_average_csbp",
]

TOP_FREQUENCY: Final = 9.0
"""Highest frequency of the tabulated transfer functions, Hz."""

# Aorta to artery at 0, 1, ... 9 Hz: gain, phase in radians (negative: comes later).
# Digitised by eye from Figure 2b of Karamanoglu et al. (1993) by P. Charlton: the
# second decimal is not to be trusted.
_AORTA_TO: Final[Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "radial": (
        (1.00, 1.11, 1.47, 2.03, 3.10, 2.37, 1.81, 1.96, 1.69, 1.47),
        (0.0, -0.35, -0.66, -1.22, -2.43, -3.62, -4.38, -5.04, -6.03, -6.59),
    ),
    "brachial": (
        (1.00, 1.07, 1.19, 1.79, 2.50, 2.27, 2.18, 2.65, 2.35, 1.99),
        (0.0, -0.09, -0.28, -0.59, -1.38, -1.75, -2.27, -2.57, -3.01, -3.56),
    ),
}

# Williams et al.: the window is this part of a second.
_WINDOW: Final[Mapping[str, float]] = {"radial": 1 / 4, "brachial": 1 / 6}

_SHORTEST = 0.25  # s: 240 bpm, and the longest window of the moving average
_LONGEST_BEAT = 2.5  # s: 24 bpm; what is longer is a recording, not a beat
_MARGIN = 2.0  # s: reflected at both ends of a recording


def forward_transfer(
    frequency: Float[np.ndarray, "*any"], *, site: CuffSite
) -> Complex[np.ndarray, "*any"]:
    r"""Transfer function from the aorta to an artery of the arm.

    .. math:: P_{site}(f) = H(f) P_{aorta}(f), \quad H(f) = g(f) e^{i \varphi(f)}

    Gain and (unwrapped) phase are interpolated linearly between the tabulated
    frequencies; interpolating the complex values instead would lose up to a fifth of
    the gain between two points whose phases lie 1.2 rad apart. Zero above 9 Hz.

    Args:
        frequency: Hz.
        site: ``radial`` or ``brachial``.

    Raises:
        ConfigError: If the site is another one.
    """
    _check_site(site)
    gain, phase = _AORTA_TO[site]
    tabulated = np.arange(len(gain), dtype=np.float64)
    value = np.interp(frequency, tabulated, gain) * np.exp(
        1j * np.interp(frequency, tabulated, phase)
    )
    return np.where(frequency <= TOP_FREQUENCY, value, 0.0)


def gtf(
    pressure: RawSamples,
    *,
    sampling_rate: float,
    site: CuffSite = "radial",
    cuff: tuple[float, float] | None = None,
) -> Samples:
    """Estimate aortic pressure by the inverted transfer function of Karamanoglu.

    The mean stays; nothing is left above 9 Hz. The answer keeps the clock of the
    input, so the aortic upstroke comes before the peripheral one. Up to 2.5 s are
    taken as one period (a beat, foot to foot); anything longer is a recording, whose
    ends are reflected: its first and last half second are less certain.

    Args:
        pressure: Peripheral pressure, mmHg, or any wave of its shape when ``cuff``
            is given. Shape (time,).
        sampling_rate: Hz, more than 18.
        site: Where the pressure was taken, ``radial`` or ``brachial``.
        cuff: Systolic and diastolic pressure, mmHg: the wave is first stretched so
            that its maximum and minimum become these. Give a steady stretch: one
            outlier would set the scale.

    Returns:
        Aortic pressure, mmHg. Shape (time,).

    Raises:
        UnitError: If the sampling rate is not a number above 18 Hz.
        ShapeError: If samples are missing, too few, flat, or the cuff is impossible.
        ConfigError: If the site is not known.

    Example:
        >>> import numpy as np
        >>> t = np.arange(0, 1, 1 / 100)
        >>> radial = 90 + 15 * np.sin(2 * np.pi * t) + 6 * np.sin(4 * np.pi * t)
        >>> aortic = gtf(radial, sampling_rate=100, cuff=(128, 77))
        >>> aortic.shape, bool(aortic.max() < 128)
        ((100,), True)
    """
    wave = _checked(pressure, sampling_rate)
    if cuff is not None:
        wave = _calibrated(wave, cuff)
    n = len(wave)
    margin = 0
    if n / sampling_rate > _LONGEST_BEAT:
        # A recording does not end as it began: a reflection has no jump to ring at.
        margin = min(n - 1, round(_MARGIN * sampling_rate))
        wave = np.pad(wave, margin, mode="reflect")
    frequency = np.fft.rfftfreq(len(wave), 1 / sampling_rate)
    spectrum = np.fft.rfft(wave) * _inverse_transfer(frequency, site=site)
    return np.fft.irfft(spectrum, len(wave))[margin : margin + n]


def gtf_beats(
    waves: BeatWaves, duration: PerBeat, site: CuffSite = "radial"
) -> BeatWaves:
    """Estimate aortic pressure of beats as `gtf` does, each taken as periodic.

    Args:
        waves: Peripheral pressure, foot to foot, mmHg; NaN rows stay NaN.
            Shape (beat, 64).
        duration: Of each beat, s. Shape (beat,).
        site: ``radial`` or ``brachial``.

    Returns:
        Aortic pressure over the same span, so that its foot lies before the first
        point (and, the beat being periodic, near the last). Shape (beat, 64).

    Raises:
        ShapeError: If a beat with a wave has no positive duration.
        ConfigError: If the site is not known.
    """
    _check_durations(waves, duration)
    order = np.arange(N_POINTS // 2 + 1, dtype=np.float64)
    frequency = order / np.where(duration > 0, duration, np.nan)[:, None]
    spectrum = np.fft.rfft(waves, axis=1) * _inverse_transfer(frequency, site=site)
    return np.fft.irfft(spectrum, N_POINTS, axis=1)


def moving_average_csbp(
    pressure: RawSamples, *, sampling_rate: float, site: CuffSite = "radial"
) -> float:
    """Estimate central systolic pressure by the N-point moving average of Williams.

    The largest mean of N consecutive samples, where N is a quarter (radial) or a
    sixth (brachial) of the samples of a second, rounded.

    Args:
        pressure: Calibrated peripheral pressure of one beat or of a steady
            recording, mmHg. Shape (time,).
        sampling_rate: Hz, more than 18.
        site: Where the pressure was taken, ``radial`` or ``brachial``.

    Returns:
        Central systolic pressure, mmHg.

    Raises:
        UnitError: If the sampling rate is not a number above 18 Hz.
        ShapeError: If samples are missing or too few.
        ConfigError: If the site is not known.

    Example:
        >>> import numpy as np
        >>> step = np.where(np.arange(100) < 10, 130.0, 80.0)
        >>> round(moving_average_csbp(step, sampling_rate=100), 6)
        100.0
    """
    _check_site(site)
    wave = _checked(pressure, sampling_rate)
    window = round(sampling_rate * _WINDOW[site])
    return float(np.convolve(wave, np.full(window, 1 / window), mode="valid").max())


def moving_average_beats(
    waves: BeatWaves, duration: PerBeat, site: CuffSite = "radial"
) -> PerBeat:
    """Estimate central systolic pressure of beats as `moving_average_csbp` does.

    Each beat is taken as periodic. The window is a quarter (radial) or a sixth
    (brachial) of a second; its last point counts in part when the window is not a
    whole number of points.

    Args:
        waves: Peripheral pressure, foot to foot, mmHg; NaN rows stay NaN.
            Shape (beat, 64).
        duration: Of each beat, s. Shape (beat,).
        site: ``radial`` or ``brachial``.

    Returns:
        Central systolic pressure, mmHg. Shape (beat,).

    Raises:
        ShapeError: If a beat with a wave has no positive duration.
        ConfigError: If the site is not known.
    """
    _check_site(site)
    _check_durations(waves, duration)
    # No beat is shorter than its window: the mean of a whole period is the least
    # that a periodic wave can answer.
    length = np.where(duration > 0, duration, np.nan)
    window = np.minimum(_WINDOW[site] * N_POINTS / length, N_POINTS)
    known = np.isfinite(window)
    whole = np.where(known, np.floor(window), 0).astype(int)
    running = np.cumsum(np.tile(waves, 2), axis=1)
    running = np.concatenate([np.zeros((len(waves), 1)), running], axis=1)
    start = np.arange(N_POINTS)
    stop = start + whole[:, None]
    rows = np.arange(len(waves))[:, None]
    last = waves[rows, stop % N_POINTS] * (window - whole)[:, None]
    total = running[rows, stop] - running[:, :N_POINTS] + last
    return np.asarray((total / window[:, None]).max(axis=1))


def _inverse_transfer(
    frequency: Float[np.ndarray, "*any"], *, site: CuffSite
) -> Complex[np.ndarray, "*any"]:
    """One over `forward_transfer` up to 9 Hz, zero above; NaN stays out of it."""
    inside = frequency <= TOP_FREQUENCY
    forward = forward_transfer(np.where(inside, frequency, 0.0), site=site)
    return np.where(inside, 1 / forward, 0.0)


def _calibrated(wave: Samples, cuff: tuple[float, float]) -> Samples:
    """Stretch a wave so that its maximum is SBP and its minimum DBP."""
    reading = Cuff(time=0.0, sbp=float(cuff[0]), dbp=float(cuff[1]))
    low, high = wave.min(), wave.max()
    if not high > low:
        msg = (
            f"all {len(wave)} samples are {low:g}: a flat wave cannot be stretched "
            "to a cuff reading; wanted a pulsating one."
        )
        raise ShapeError(msg)
    gain = (reading.sbp - reading.dbp) / (high - low)
    return np.asarray(reading.dbp + gain * (wave - low))


def _checked(pressure: RawSamples, sampling_rate: float) -> Samples:
    """Return the samples as float64, or say what is wrong with them."""
    if not (np.isfinite(sampling_rate) and sampling_rate > 2 * TOP_FREQUENCY):
        msg = (
            f"sampling rate is {sampling_rate!r} Hz; wanted more than "
            f"{2 * TOP_FREQUENCY:g} Hz, because the method looks at frequencies up to "
            f"{TOP_FREQUENCY:g} Hz. Pass the rate the samples were taken at."
        )
        raise UnitError(msg)
    wave = checked_samples(pressure, where="the pressure")
    if len(wave) < _SHORTEST * sampling_rate:
        msg = (
            f"pressure has {len(wave)} samples, {len(wave) / sampling_rate:g} s; "
            f"wanted a whole beat, at least {_SHORTEST:g} s."
        )
        raise ShapeError(msg)
    missing = ~np.isfinite(wave)
    if missing.any():
        msg = (
            f"{int(missing.sum())} of {len(wave)} samples are not finite, the first "
            f"at index {int(missing.argmax())}; wanted no gaps. Cut the gaps out, or "
            "pass one beat at a time."
        )
        raise ShapeError(msg)
    return wave


def _check_site(site: str) -> None:
    """Refuse a site without a published table."""
    if site not in get_args(CuffSite):
        wanted = " or ".join(map(repr, get_args(CuffSite)))
        msg = f"site is {site!r}; wanted {wanted}: the only ones that were published."
        raise ConfigError(msg)


def _check_durations(waves: BeatWaves, duration: PerBeat) -> None:
    """Refuse beats that have a wave but no length."""
    known = np.isfinite(waves).all(axis=1)
    wrong = known & ~(np.isfinite(duration) & (duration > 0))
    if wrong.any():
        row = int(wrong.argmax())
        msg = (
            f"beat {row} lasts {duration[row]} s; wanted a positive number of seconds."
        )
        raise ShapeError(msg)
