"""Faults of recordings, made on purpose: 20 classes of 5 severities.

A gate is calibrated and judged by what it does with these; later rooms train and test
against the same bank. Everything that chance decides is drawn first
(`draw_corruption`) and applied after (`corrupt`), so that a fault can be replayed.

Severities 1 to 3 rise from hardly visible to a nuisance, which a gate may pass or
refuse; 4 and 5 are severe: who believes such a window is misled. What the five mean in
numbers stands with each class in `CORRUPTIONS`, for a record of a minute: a drift that
is slight there parts the channels within an hour. "Height" is the usual range of a
channel within 2 s: a pulse, or a QRS complex.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.signal import bilinear, lfilter, lfilter_zi

from capnet.errors import ConfigError, RecordError
from capnet.records import Record, Signal
from capnet.signal.checks import checked_samples
from capnet.signal.declared import channels_of
from capnet.signal.interpolate import catmull_rom
from capnet.types import Samples
from capnet.units import MMHG

__all__ = [
    "CORRUPTIONS",
    "SEVERE",
    "WINDOW",
    "Corrupted",
    "Corruption",
    "CorruptionDraw",
    "corrupt",
    "draw_corruption",
]

WINDOW: Final = 8.0
"""Seconds that a fault of a stretch acts on: as long as a window of the gate."""

SEVERE: Final = 4
"""Severity from which on a window must be refused."""

_KINDS: Final = ("ecg", "ppg", "abp")
_PULSES: Final = ("ppg", "abp")
_BLOCK: Final = 2.0
"""Seconds within which the range of a channel is taken for its height."""
_SETTLE: Final = 8.0
"""Seconds that a filter of the bank is given before the stretch it acts on."""
_PERIODS: Final = (0.3, 1.5)
"""Seconds between which the usual interval of beats is sought."""


@dataclass(frozen=True)
class CorruptionDraw:
    """What chance decided about one fault; with a record it decides everything.

    Plain numbers: ``CorruptionDraw(**json.loads(json.dumps(asdict(draw))))`` is equal.

    Attributes:
        name: Of its class in `CORRUPTIONS`.
        severity: 0 (no fault at all) to 5.
        where: Which window is hit, 0..1 of those the record has.
        which: Which channel is hit, 0..1 of those that can be.
        place: Where within the window, 0..1.
        pitch: Frequency, delay or order within the class's range, 0..1.
        up: Towards which of two sides.
        key: Of the noise.
    """

    name: str
    severity: int
    where: float
    which: float
    place: float
    pitch: float
    up: bool
    key: int


@dataclass(frozen=True, eq=False)
class Corrupted:
    """A record with one fault in it, and what a gate should say.

    Attributes:
        record: With the fault.
        start, stop: Of what is hit, s since the start of the record.
        channels: Those hit, by their names in the record; empty if none is.
        reasons: What a gate may rightly say of them.
        severe: Whether a gate must refuse them.
    """

    record: Record
    start: float
    stop: float
    channels: tuple[str, ...]
    reasons: frozenset[str]
    severe: bool


@dataclass(frozen=True, eq=False)
class _Scene:
    """A record about to be damaged: where, by how much, by which chance."""

    record: Record
    names: Mapping[str, str]
    start: float
    level: float
    draw: CorruptionDraw

    def pick(self, kinds: tuple[str, ...]) -> str:
        found = [self.names[kind] for kind in kinds if kind in self.names]
        if not found:
            msg = (
                f"record {self.record.subject!r} has no channel that "
                f"{self.draw.name!r} acts on; wanted one of {', '.join(kinds)}, it has "
                f"{', '.join(self.record.channels) or 'none'}. Draw another class."
            )
            raise RecordError(msg)
        return found[min(int(self.draw.which * len(found)), len(found) - 1)]

    def cut(self, name: str) -> slice:
        """Return the samples of the window that is hit."""
        signal = self.record.channels[name]
        first = np.ceil((self.start - signal.start) * signal.sampling_rate - 1e-6)
        width = WINDOW * signal.sampling_rate
        low = int(np.clip(first, 0, len(signal.values)))
        return slice(low, int(np.clip(np.ceil(first + width), low, len(signal.values))))


Hit = Mapping[str, Signal]
"""Channels that changed."""
Damage = Callable[["_Scene", "Corruption"], Hit]


@dataclass(frozen=True)
class _Here:
    """A window about to be damaged: its rate (Hz), its channel's height."""

    rate: float
    height: float
    level: float
    draw: CorruptionDraw

    def random(self) -> np.random.Generator:
        return np.random.default_rng(self.draw.key)


Change = Callable[[Samples, _Here], Samples]
"""From a window's samples; may write into them."""


@dataclass(frozen=True)
class Corruption:
    """A class of faults.

    Attributes:
        name: Short, lower case.
        levels: What the five severities are, in the quantity below.
        quantity: What the levels mean, with its unit.
        kinds: Kinds of channel it acts on.
        reasons: What a gate may rightly say of it.
        scope: What is hit: one ``window``, the ``record`` from end to end, or the
            record ``after`` the window, which is hit first.
    """

    name: str
    levels: tuple[float, float, float, float, float]
    quantity: str
    kinds: tuple[str, ...]
    reasons: frozenset[str]
    damage: Damage
    scope: str = "window"


def _height(values: Samples, rate: float) -> float:
    """Median range of blocks of 2 s; 1 where there is nothing to measure."""
    width = max(2, round(_BLOCK * rate))
    whole = values[: len(values) // width * width].reshape(-1, width)
    whole = whole[np.isfinite(whole).all(axis=1)]
    height = float(np.median(np.ptp(whole, axis=1))) if len(whole) else 0.0
    return height if height > 0.0 else 1.0


def _in_window(change: Change) -> Damage:
    """Return the damage that changes the samples of one window of one channel."""

    def damage(scene: _Scene, corruption: Corruption) -> Hit:
        name = scene.pick(corruption.kinds)
        signal = scene.record.channels[name]
        values = checked_samples(signal.values, where=f"channel {name!r}").copy()
        cut = scene.cut(name)
        rate = signal.sampling_rate
        here = _Here(rate, _height(values, rate), scene.level, scene.draw)
        values[cut] = change(values[cut], here)
        return {name: replace(signal, values=values)}

    return damage


def _run(x: Samples, rate: float, seconds: float, place: float) -> slice:
    """Return a run of so many seconds, at least one sample, at a place."""
    length = min(max(1, round(seconds * rate)), len(x))
    first = round(place * (len(x) - length))
    return slice(first, first + length)


def _gap(x: Samples, here: _Here) -> Samples:
    x[_run(x, here.rate, here.level, here.draw.place)] = np.nan
    return x


def _flat(x: Samples, here: _Here) -> Samples:
    run = _run(x, here.rate, here.level, here.draw.place)
    x[run] = x[run.start]
    return x


def _clipped(x: Samples, here: _Here) -> Samples:
    known = x[np.isfinite(x)]
    if not len(known):
        return x
    cut = here.level * here.height
    if here.draw.up:
        clipped: Samples = np.minimum(x, np.percentile(known, 99.0) - cut)
    else:
        clipped = np.maximum(x, np.percentile(known, 1.0) + cut)
    return clipped


def _coloured(n: int, rate: float, corner: float, rng: np.random.Generator) -> Samples:
    """Noise of SD 1 above a corner: white noise through a low-pass of first order."""
    keep = np.exp(-2.0 * np.pi * corner / rate)
    white = rng.standard_normal(n + round(rate))
    noise: Samples = lfilter([np.sqrt(1.0 - keep**2)], [1.0, -keep], white)
    return noise[-n:]


def _noise(x: Samples, here: _Here) -> Samples:
    corner = 8.0 * 20.0**here.draw.pitch
    noise = _coloured(len(x), here.rate, corner, here.random())
    return x + here.level * here.height * noise


def _powerline(x: Samples, here: _Here) -> Samples:
    mains = 50.0 if here.draw.up else 60.0
    turns = (mains + 0.4 * (here.draw.pitch - 0.5)) * np.arange(len(x)) / here.rate
    noisy: Samples = x + here.level * here.height * np.sin(
        2.0 * np.pi * (turns + here.draw.place)
    )
    return noisy


def _baseline(x: Samples, here: _Here) -> Samples:
    frequency = 0.15 + 0.25 * here.draw.pitch
    turns = frequency * np.arange(len(x)) / here.rate + here.draw.place
    moved: Samples = x + here.level * here.height * np.sin(2.0 * np.pi * turns)
    return moved


def _motion(x: Samples, here: _Here) -> Samples:
    run = _run(x, here.rate, 3.0 + 3.0 * here.draw.pitch, here.draw.place)
    n = run.stop - run.start
    tones = np.arange(0.5, 6.0, 0.1)
    rng = here.random()
    phase, size = rng.random(len(tones)), rng.standard_normal(len(tones))
    size /= np.sqrt((size**2).sum() / 2.0)
    turns = tones[:, None] * np.arange(n) / here.rate + phase[:, None]
    burst = size @ np.sin(2.0 * np.pi * turns)
    bell = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
    x[run] += here.level * here.height * bell * burst
    return x


def _sine(x: Samples, here: _Here) -> Samples:
    turns = (0.9 + 0.9 * here.draw.pitch) * np.arange(len(x)) / here.rate
    known = x[np.isfinite(x)]
    middle = float(known.mean()) if len(known) else 0.0
    wave = middle + 0.5 * here.height * np.sin(2.0 * np.pi * (turns + here.draw.place))
    mixed: Samples = (1.0 - here.level) * x + here.level * wave
    return mixed


def _inverted(x: Samples, here: _Here) -> Samples:
    known = x[np.isfinite(x)]
    middle = float(known.mean()) if len(known) else 0.0
    return middle + here.level * (x - middle)


def _coarse(x: Samples, here: _Here) -> Samples:
    step = here.height / here.level
    stepped: Samples = (np.floor(x / step - here.draw.place) + 0.5) * step
    return stepped


def _flush(x: Samples, here: _Here) -> Samples:
    x[_run(x, here.rate, here.level, here.draw.place)] = 300.0 if here.draw.up else 0.0
    return x


def _through_line(name: str, natural: float, damping: float, scene: _Scene) -> Hit:
    """Send the window of a channel through a mass on a spring (Gardner 1981)."""
    signal = scene.record.channels[name]
    values = checked_samples(signal.values, where=f"channel {name!r}").copy()
    cut, rate = scene.cut(name), signal.sampling_rate
    # The corner is kept where it is by warping it beforehand.
    omega = 2.0 * rate * np.tan(np.pi * min(natural, 0.45 * rate) / rate)
    b, a = bilinear([omega**2], [1.0, 2.0 * damping * omega, omega**2], rate)
    first = max(0, cut.start - round(_SETTLE * rate))
    piece = values[first : cut.stop]
    known = np.isfinite(piece)
    if not known.any():
        return {name: signal}
    at = np.arange(len(piece))
    whole = np.interp(at, at[known], piece[known])
    level = whole.mean()
    passed, _ = lfilter(b, a, whole - level, zi=lfilter_zi(b, a) * (whole[0] - level))
    values[first : cut.stop][known] = np.where(
        at[known] >= cut.start - first, passed[known] + level, piece[known]
    )
    return {name: replace(signal, values=values)}


def _damped(scene: _Scene, corruption: Corruption) -> Hit:
    name = scene.pick(corruption.kinds)
    return _through_line(name, scene.level, 1.0, scene)


def _ringing(scene: _Scene, corruption: Corruption) -> Hit:
    name = scene.pick(corruption.kinds)
    return _through_line(name, 3.5 + 2.5 * scene.draw.pitch, scene.level, scene)


def _rate(scene: _Scene, corruption: Corruption) -> Hit:
    factor = scene.level if scene.draw.up else 1.0 / scene.level
    names = list(scene.names.values())
    if scene.draw.severity < 5:
        names = [scene.pick(corruption.kinds)]
    channels = scene.record.channels
    return {
        name: replace(channels[name], sampling_rate=channels[name].sampling_rate * f)
        for name, f in zip(names, [factor] * len(names), strict=True)
    }


def _unit(scene: _Scene, corruption: Corruption) -> Hit:
    name = scene.pick(corruption.kinds)
    signal = scene.record.channels[name]
    return {name: replace(signal, values=scene.level * signal.values)}


def _swapped(scene: _Scene, corruption: Corruption) -> Hit:
    names = list(scene.names.values())
    if len(names) < 2:
        scene = replace(scene, names={})
        scene.pick(corruption.kinds)
    channels = scene.record.channels
    shift = 1 if scene.draw.up else len(names) - 1
    if scene.draw.severity < 5 and len(names) == 3:
        left_out = min(int(scene.draw.which * 3), 2)
        names = [name for k, name in enumerate(names) if k != left_out]
        shift = 1
    if scene.draw.severity < SEVERE:
        return _leak(scene, names[0], names[1])
    return {
        name: replace(channels[names[(k + shift) % len(names)]], unit=signal.unit)
        for k, (name, signal) in enumerate((n, channels[n]) for n in names)
    }


def _leak(scene: _Scene, name: str, other: str) -> Hit:
    """Add a share of another channel, in heights of both."""
    mine, theirs = scene.record.channels[name], scene.record.channels[other]
    place = (mine.times - theirs.start) * theirs.sampling_rate
    source = checked_samples(theirs.values, where=f"channel {other!r}")
    known = source[np.isfinite(source)]
    middle = float(known.mean()) if len(known) else 0.0
    source = np.where(np.isfinite(source), source - middle, 0.0)
    read = catmull_rom(source[None], place[None])[0]
    values = checked_samples(mine.values, where=f"channel {name!r}")
    height = _height(values, mine.sampling_rate)
    share = scene.level * height / _height(source, theirs.sampling_rate)
    return {name: replace(mine, values=values + share * read)}


def _late(signal: Signal, late: Samples) -> Signal:
    """Delay each sample by so many seconds; NaN before the beginning and the end."""
    values = checked_samples(signal.values, where="the channel")
    place = np.arange(len(values)) - late * signal.sampling_rate
    outside = (place < 0.0) | (place > len(values) - 1)
    read = catmull_rom(values[None], place[None])[0]
    read = np.where(late == 0.0, values, read)
    return replace(signal, values=np.where(outside, np.nan, read))


def _jump(scene: _Scene, corruption: Corruption) -> Hit:
    name = scene.pick(corruption.kinds)
    signal = scene.record.channels[name]
    at = scene.start + (0.35 + 0.3 * scene.draw.place) * WINDOW
    size = scene.level if scene.draw.up else -scene.level
    return {name: _late(signal, np.where(signal.times >= at, size, 0.0))}


def _drift(scene: _Scene, corruption: Corruption) -> Hit:
    name = scene.pick(corruption.kinds)
    signal = scene.record.channels[name]
    pace = 1e-3 * (scene.level if scene.draw.up else -scene.level)
    return {name: _late(signal, pace * (signal.times - signal.start))}


def _dropped(scene: _Scene, corruption: Corruption) -> Hit:
    name = scene.pick(corruption.kinds)
    signal, cut = scene.record.channels[name], scene.cut(name)
    n = cut.stop - cut.start
    lost = max(1, round(scene.level * signal.sampling_rate))
    places = cut.start + (np.array([0.2, 0.45, 0.7]) * n).astype(np.int64)
    places += round(0.1 * scene.draw.place * n)
    kept = np.ones(len(signal.values), dtype=np.bool_)
    for place in places:
        kept[place : place + lost] = False
    return {name: replace(signal, values=signal.values[kept])}


def _period(x: Samples, rate: float) -> float:
    """Usual interval of beats, s: the highest lag of the autocorrelation."""
    centred = np.where(np.isfinite(x), x - np.nanmean(x), 0.0)
    power = np.abs(np.fft.rfft(centred, 2 * len(x))) ** 2
    like = np.fft.irfft(power)[: len(x)]
    low, high = (min(round(s * rate), len(x) - 2) for s in _PERIODS)
    return float((low + np.argmax(like[low : high + 1])) / rate)


def _ectopic(scene: _Scene, corruption: Corruption) -> Hit:
    """Let a beat come early, a pause follow, its pulse be weak: time is bent."""
    scene.pick(corruption.kinds)
    kind = next(k for k in _KINDS if k in scene.names)
    guide = scene.record.channels[scene.names[kind]]
    x = checked_samples(guide.values[scene.cut(scene.names[kind])], where="a window")
    if len(x) < 2.0 * _PERIODS[1] * guide.sampling_rate or not np.isfinite(x).any():
        return {}
    interval = _period(x, guide.sampling_rate)
    middle = scene.start + (0.3 + 0.2 * scene.draw.place) * WINDOW
    at = middle + _steepest(guide, kind, middle, interval)
    early = scene.level * interval
    answer: dict[str, Signal] = {}
    for other, name in scene.names.items():
        signal = scene.record.channels[name]
        # each channel's own beat, which comes later the farther from the heart
        beat = at if other == kind else at + _steepest(signal, other, at, interval)
        heard = np.array([0.35, 0.85, 1.45, 1.9]) * interval + beat
        heard = heard - early * np.array([0.0, 1.0, 1.0, 0.0])
        bend = np.interp(signal.times, heard, [0.0, early, early, 0.0])
        bent = _late(signal, -bend)
        if other != "ecg":
            inside = bend > 0.5 * early
            low = np.nanmin(bent.values[inside], initial=np.inf)
            weak = 1.0 - scene.level * bend / early
            if np.isfinite(low):
                smaller = low + weak * (bent.values - low)
                small = np.where(bend > 0.0, smaller, bent.values)
                bent = replace(bent, values=small)
        answer[name] = bent
    return answer


def _steepest(signal: Signal, kind: str, start: float, interval: float) -> float:
    """Return when, within an interval, a beat is steepest, s after the start."""
    rate = signal.sampling_rate
    first = max(0, round((start - signal.start) * rate))
    last = first + round(interval * rate) + 2
    x = checked_samples(signal.values, where="a channel")[first:last]
    if len(x) < 2:
        return 0.0
    slope = np.abs(np.gradient(x)) if kind == "ecg" else np.gradient(x)
    return float(np.argmax(np.nan_to_num(slope)) / rate)


def _classes() -> dict[str, Corruption]:
    pulse_faults = frozenset({"noise", "baseline", "sine", "inverted", "ectopic"})
    moved = frozenset({"unsynchronised", "ectopic", "noise", "missing"})
    rows = [
        Corruption(
            "gap",
            (0.008, 0.06, 0.2, 1.0, 4.0),
            "seconds without samples",
            _KINDS,
            frozenset({"missing"}),
            _in_window(_gap),
        ),
        Corruption(
            "flat",
            (0.02, 0.08, 0.2, 2.5, 8.0),
            "seconds for which the channel stands still",
            _KINDS,
            frozenset({"flat"}),
            _in_window(_flat),
        ),
        Corruption(
            "clipped",
            (0.01, 0.05, 0.15, 0.5, 0.7),
            "heights that a rail cuts off, above or below",
            _KINDS,
            frozenset({"clipped", "flat"}),
            _in_window(_clipped),
        ),
        Corruption(
            "noise",
            (0.005, 0.02, 0.06, 0.4, 0.8),
            "SD in heights, of noise below a corner of 8 to 160 Hz (muscle to white)",
            _KINDS,
            frozenset({"noise"}),
            _in_window(_noise),
        ),
        Corruption(
            "powerline",
            (0.005, 0.02, 0.06, 0.5, 1.0),
            "amplitude in heights, of a hum of 50 or 60 Hz",
            _KINDS,
            frozenset({"noise"}),
            _in_window(_powerline),
        ),
        Corruption(
            "baseline",
            (0.05, 0.15, 0.4, 3.0, 6.0),
            "amplitude in heights, of a wander of 0.15 to 0.4 Hz",
            _KINDS,
            frozenset({"baseline", "implausible pressure"}),
            _in_window(_baseline),
        ),
        Corruption(
            "motion",
            (0.05, 0.15, 0.4, 2.0, 4.0),
            "SD in heights in the middle of a burst of 3 to 6 s, 0.5 to 6 Hz",
            _KINDS,
            pulse_faults | {"implausible pressure"},
            _in_window(_motion),
        ),
        Corruption(
            "sine",
            (0.05, 0.15, 0.4, 0.97, 1.0),
            "share of a sine of 0.9 to 1.8 Hz in place of beats",
            _KINDS,
            frozenset({"sine"}),
            _in_window(_sine),
        ),
        Corruption(
            "inverted",
            (0.9, 0.7, 0.5, -0.7, -1.0),
            "gain about the mean",
            _PULSES,
            frozenset({"inverted"}),
            _in_window(_inverted),
        ),
        Corruption(
            "wrong rate",
            (1.01, 1.05, 1.2, 2.0, 2.0),
            "factor (or its inverse) of the declared sampling rate, of one channel; "
            "the fifth of all channels",
            _KINDS,
            frozenset({"wrong rate"}),
            _rate,
            scope="record",
        ),
        Corruption(
            "wrong unit",
            (1.02, 1.1, 1.3595, 1e-3 * MMHG, MMHG),
            "factor of the pressure; the third is cmH2O declared mmHg, the fourth kPa, "
            "the fifth Pa",
            ("abp",),
            frozenset({"implausible pressure"}),
            _unit,
            scope="record",
        ),
        Corruption(
            "swapped",
            (0.02, 0.05, 0.1, 1.0, 1.0),
            "share of another channel that leaks in; the fourth exchanges the names of "
            "two channels, the fifth those of all",
            _KINDS,
            frozenset({"swapped", "implausible pressure"}),
            _swapped,
            scope="record",
        ),
        Corruption(
            "jump",
            (0.01, 0.03, 0.06, 0.2, 0.4),
            "seconds by which a pulse is late or early from one moment on",
            _PULSES,
            moved,
            _jump,
            scope="after",
        ),
        Corruption(
            "drift",
            (0.02, 0.1, 0.3, 5.0, 10.0),
            "milliseconds by which a pulse is later, or earlier, each second",
            _PULSES,
            moved,
            _drift,
            scope="record",
        ),
        Corruption(
            "dropped packets",
            (0.01, 0.03, 0.08, 0.3, 0.4),
            "seconds lost without a mark, three times in a window",
            _KINDS,
            moved,
            _dropped,
            scope="after",
        ),
        Corruption(
            "damped line",
            (12.0, 6.0, 3.0, 0.7, 0.5),
            "natural frequency of a critically damped line, Hz",
            ("abp",),
            frozenset({"damped line", "implausible pressure", "sine"}),
            _damped,
        ),
        Corruption(
            "ringing",
            (0.6, 0.4, 0.25, 0.03, 0.015),
            "damping of a line of 3.5 to 6 Hz",
            ("abp",),
            frozenset({"ringing", "implausible pressure", "noise"}),
            _ringing,
        ),
        Corruption(
            "ectopic",
            (0.02, 0.05, 0.1, 0.32, 0.38),
            "share of an interval by which a beat comes early; a pause follows",
            _KINDS,
            frozenset({"ectopic"}),
            _ectopic,
        ),
        Corruption(
            "coarse",
            (200.0, 80.0, 40.0, 4.0, 2.0),
            "steps of the converter in a height",
            _KINDS,
            frozenset({"coarse", "flat", "clipped"}),
            _in_window(_coarse),
        ),
        Corruption(
            "flush",
            (0.02, 0.1, 0.3, 1.5, 3.0),
            "seconds at 300 or at 0 mmHg: the line is flushed, or zeroed",
            ("abp",),
            frozenset({"implausible pressure", "flat", "clipped"}),
            _in_window(_flush),
        ),
    ]
    return {row.name: row for row in rows}


CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType(_classes())
"""All classes by name, in a fixed order."""


def draw_corruption(name: str, severity: int, *, seed: int) -> CorruptionDraw:
    """Draw one fault; the same numbers for every class and severity of a seed.

    Args:
        name: Of a class in `CORRUPTIONS`.
        severity: 0 (none) to 5.
        seed: Not negative.

    Raises:
        ConfigError: If there is no such class or severity, or the seed is negative.
    """
    if name not in CORRUPTIONS:
        msg = f"no corruption {name!r}; there are {', '.join(CORRUPTIONS)}."
        raise ConfigError(msg)
    if severity not in range(6) or seed < 0:
        msg = f"severity {severity}, seed {seed}; wanted 0 to 5, and 0 or more."
        raise ConfigError(msg)
    rng = np.random.default_rng(seed)
    where, which, place, pitch, side = rng.random(5).tolist()
    key = int(rng.integers(0, 2**62))
    return CorruptionDraw(
        name, int(severity), where, which, place, pitch, side < 0.5, key
    )


def corrupt(
    record: Record,
    draw: CorruptionDraw,
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Corrupted:
    """Return the record with one fault; the given record stays as it is.

    A fault of a window hits one whole window of 8 s, counted from the earliest start
    of the channels.

    Args:
        record: Virtual or real, at least 8 s of one channel.
        draw: What chance decided.
        ecg: Name of the ECG; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure, mmHg; likewise.

    Raises:
        RecordError: If the record has no channel that the class acts on, or all are
            shorter than a window.
        ConfigError: If one channel is to be two.
    """
    found = channels_of(record, ecg=ecg, ppg=ppg, abp=abp)
    corruption = CORRUPTIONS[draw.name]
    signals = [record.signal(name) for name in found.values()]
    first = min((s.start for s in signals), default=0.0)
    last = max((s.start + s.duration for s in signals), default=0.0)
    n_windows = int((last - first) / WINDOW + 1e-9)
    if signals and n_windows < 1:
        msg = (
            f"record {record.subject!r} lasts {last - first:g} s; wanted at least a "
            f"window of {WINDOW:g} s."
        )
        raise RecordError(msg)
    start = first + WINDOW * min(int(draw.where * n_windows), max(n_windows - 1, 0))
    if draw.severity == 0:
        return Corrupted(record, start, start, (), frozenset(), severe=False)
    level = corruption.levels[draw.severity - 1]
    scene = _Scene(record, found, start, level, draw)
    hit = corruption.damage(scene, corruption)
    whole = corruption.scope == "record"
    return Corrupted(
        record=replace(record, channels={**record.channels, **hit}),
        start=first if whole else start,
        stop=last if whole else start + WINDOW,
        channels=tuple(hit),
        reasons=corruption.reasons,
        severe=draw.severity >= SEVERE,
    )
