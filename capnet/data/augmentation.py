"""Augmentation: another sensor, another cuff, and inputs that are missing.

What chance decides is drawn first (`draw_augmentation`), can be saved, and is applied
after (`augment`): the same draw on the same beats gives the same beats, bit by bit.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from jaxtyping import Bool

from capnet.data.frozen import words_hash
from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.files import write_atomic
from capnet.hemodynamics.cohort import stream
from capnet.hemodynamics.cuffs import CuffDraw, CuffModel, apply_cuff
from capnet.hemodynamics.sensors import Sensor, SensorDraw, apply_sensor_record
from capnet.records import Beats
from capnet.signal.feet import pulse_feet
from capnet.signal.gate import judge_beats
from capnet.signal.interpolate import catmull_rom
from capnet.signal.sampling import RATE
from capnet.signal.smoothing import HALF, beat_shapes, smoothed_rows
from capnet.types import N_POINTS, PerBeat, Windows

__all__ = [
    "MODALITIES",
    "Augmentation",
    "AugmentationDraw",
    "augment",
    "draw_augmentation",
]

MODALITIES: Final = ("age", "cuff_map", "pat")
"""What may be hidden: numbers that an estimator reads where they are known and does
without where they are NaN. A beat without its PPG or cuff would have no estimate."""

_FORMAT: Final = "capnet augmentation 1"
_BEHIND: Final = 0.15
"""s before the former foot that stand for the R peak after which feet are looked for;
a sensor's low-passes delay a foot by less than 0.1 s."""
_READINGS: Final = ("exact", "cuff SBP/DBP", "invasive SBP/DBP")


@dataclass(frozen=True)
class Augmentation:
    """What is done to beats; nothing by default.

    Attributes:
        sensor: Family of sensors through which the recorded pulse goes once more; None
            leaves it.
        cuff: Kind of cuff whose errors are laid on the readings; None leaves them.
        dropout: Share of the beats in which a modality is hidden, by its name, see
            `MODALITIES`.

    Raises:
        ConfigError: If a modality is unknown, or a share not within 0..1.
    """

    sensor: Sensor | None = None
    cuff: CuffModel | None = None
    dropout: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, share in self.dropout.items():
            if name not in MODALITIES:
                msg = (
                    f"dropout of {name!r} is unknown; wanted some of "
                    f"{', '.join(MODALITIES)}."
                )
                raise ConfigError(msg)
            if not 0.0 <= share <= 1.0:
                msg = f"dropout of {name!r} is {share:g}; wanted a share, 0 to 1."
                raise ConfigError(msg)

    def __bool__(self) -> bool:
        hidden = any(share > 0.0 for share in self.dropout.values())
        return self.sensor is not None or self.cuff is not None or hidden


@dataclass(frozen=True, eq=False)
class AugmentationDraw:
    """What chance decided for each beat of one table.

    Attributes:
        beats: Hash of the rows that it was drawn for.
        sensor: One sensor a beat; None for none.
        cuff: Errors of each beat's reading; None for none.
        hidden: Whether a modality is hidden, by its name. Shape (beat,) each.
    """

    beats: str
    sensor: SensorDraw | None
    cuff: CuffDraw | None
    hidden: Mapping[str, Bool[np.ndarray, " beat"]]

    def save(self, path: str | Path) -> Path:
        """Write everything to an .npz file (no pickle), whole or not at all."""
        arrays: dict[str, np.ndarray] = {
            f"hidden/{name}": rows for name, rows in self.hidden.items()
        }
        meta: dict[str, Any] = {"format": _FORMAT, "beats": self.beats}
        for group, part in (("sensor", self.sensor), ("cuff", self.cuff)):
            if part is None:
                continue
            found = {f.name: getattr(part, f.name) for f in fields(part)}
            plain = {k: v for k, v in found.items() if not isinstance(v, np.ndarray)}
            meta[group] = plain
            arrays |= {f"{group}/{k}": v for k, v in found.items() if k not in plain}
        buffer = io.BytesIO()
        # numpy's stub lets `arrays` fill the flag `allow_pickle` too.
        np.savez_compressed(buffer, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]
        return write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            RecordError: If the file is missing, damaged, or something else.
        """
        path = Path(path)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            # Any: mypy matches each mapping with every field.
            groups: dict[str, dict[str, Any]] = {}
            for name, values in arrays.items():
                group, _, rest = name.partition("/")
                groups.setdefault(group, {})[rest] = values
            sensor, cuff = meta.get("sensor"), meta.get("cuff")
            if sensor is not None:
                sensor = {
                    k: tuple(v) if isinstance(v, list) else v for k, v in sensor.items()
                }
            known = meta["format"] == _FORMAT
            draw = cls(
                str(meta["beats"]),
                None if sensor is None else SensorDraw(**groups["sensor"], **sensor),
                None if cuff is None else CuffDraw(**groups["cuff"], **cuff),
                groups.get("hidden", {}),
            )
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError),
            *(zipfile.BadZipFile, zlib.error, RecursionError, NotImplementedError),
        ) as error:
            msg = (
                f"{path} cannot be read as a drawn augmentation "
                f"({type(error).__name__}: {error}); wanted a file written by "
                "AugmentationDraw.save. Draw it again from its seed."
            )
            raise RecordError(msg) from error
        if not known:
            msg = f"{path} has another format; wanted {_FORMAT!r}."
            raise RecordError(msg)
        return draw


def draw_augmentation(
    beats: Beats, settings: Augmentation, *, seed: int
) -> AugmentationDraw:
    """Draw what will be done to each beat.

    All beats of a session see one sensor (the noise is new with each), all beats of a
    reading its one error, all readings of a person the part of the error that lasts.
    A session is a recording; where a subject has the same beat several times, as
    virtual people who are observed often, each time is a session of its own.

    Args:
        beats: The table.
        settings: What is wanted.
        seed: Not negative.

    Raises:
        ProtocolError: If the readings are none that a cuff could have given, or a real
            cuff's, whose errors nobody can take away first.
        ConfigError: If a modality is to be hidden that the beats do not have, or the
            seed is negative.
    """
    if seed < 0:
        msg = f"seed is {seed}; wanted 0 or more."
        raise ConfigError(msg)
    for name, share in settings.dropout.items():
        if share > 0.0 and name != "age" and name not in beats.features:
            found = ", ".join(beats.features) or "none"
            msg = (
                f"{name!r} is to be hidden, but the beats have no such feature "
                f"(features: {found}); leave it out of dropout."
            )
            raise ConfigError(msg)
    _, person = np.unique(beats.subject, return_inverse=True)
    session = _sessions(beats, person)
    sensor = None
    if settings.sensor is not None:
        rng = stream(seed, "augmentation", "sensor")
        drawn = settings.sensor.draw(int(session.max(initial=-1)) + 1, rng)
        drawn = replace(drawn, noise=drawn.noise[:, :0])  # of single beats, not records
        noise = stream(seed, "augmentation", "noise").integers(0, 2**62, len(beats))
        sensor = replace(drawn.take(session), seed=noise)
    hidden = {
        name: stream(seed, "augmentation", "hide", name).random(len(beats)) < share
        for name, share in sorted(settings.dropout.items())
        if share > 0.0
    }
    cuff = settings.cuff
    return AugmentationDraw(
        beats=_rows_hash(beats),
        sensor=sensor,
        cuff=None if cuff is None else _cuffs(beats, cuff, person, session, seed),
        hidden=hidden,
    )


def augment(beats: Beats, draw: AugmentationDraw) -> Beats:
    """Apply what was drawn.

    The pulse (raw samples, or the beat repeated where there are none) goes through the
    sensor in units of its own height; feet, shape, duration, PAT and the gate's verdict
    follow from what comes out. Refused beats stay as they are.

    A cuff errs from the true arm pressure where ``truth`` has it (virtual people),
    else from what an arterial line read. The readings are those of a cuff then. A
    sensor sees what the former sensor recorded, not the pulse under the skin.

    Args:
        beats: Those it was drawn for.
        draw: From `draw_augmentation`.

    Returns:
        New beats in the same order; their reference is that of before.

    Raises:
        ProtocolError: If it was drawn for other beats.
    """
    if _rows_hash(beats) != draw.beats:
        msg = (
            f"the augmentation was drawn for other beats than these {len(beats)}; "
            "wanted the same subjects and beats in the same order. Draw it anew."
        )
        raise ProtocolError(msg)
    if draw.sensor is not None:
        beats = _through_sensor(beats, draw.sensor)
    if draw.cuff is not None:
        beats = _read_by(beats, draw.cuff)
    for name, rows in draw.hidden.items():
        if name == "age":
            beats = beats.replace(age=np.where(rows, np.nan, beats.age))
        else:
            shown = np.where(rows, np.nan, beats.features[name])
            beats = beats.replace(features={**beats.features, name: shown})
    return beats


def _rows_hash(beats: Beats) -> str:
    return words_hash([beats.subject.astype(str).tolist(), beats.beat.tolist()])


def _sessions(beats: Beats, person: np.ndarray) -> np.ndarray:
    """Number the sessions: a beat that a subject has again begins another one."""
    order = np.lexsort((np.arange(len(beats)), beats.beat, person))
    new = np.ones(len(beats), dtype=np.bool_)
    new[1:] = (np.diff(person[order]) != 0) | (np.diff(beats.beat[order]) != 0)
    first = np.maximum.accumulate(np.where(new, np.arange(len(beats)), 0))
    turn = np.empty(len(beats), dtype=np.int64)
    turn[order] = np.arange(len(beats)) - first
    _, session = np.unique(np.stack([person, turn], 1), axis=0, return_inverse=True)
    return np.asarray(session).reshape(-1)


def _cuffs(
    beats: Beats, cuff: CuffModel, person: np.ndarray, session: np.ndarray, seed: int
) -> CuffDraw:
    """Draw the error of each reading: a part that lasts, and a new one."""
    if beats.calibration not in _READINGS:
        msg = (
            f"the beats are calibrated by {beats.calibration!r}; wanted one of "
            f"{', '.join(map(repr, _READINGS))} for errors of a cuff."
        )
        raise ProtocolError(msg)
    if beats.calibration == "cuff SBP/DBP" and not _true_arms(beats):
        msg = (
            "the readings are a cuff's already, and the true pressure of the arm is "
            "unknown: another cuff's errors would come on top of its own. Leave cuff "
            "out, or augment beats with 'exact' or 'invasive SBP/DBP' readings."
        )
        raise ProtocolError(msg)
    same = np.stack([session, *np.nan_to_num(beats.cuff, nan=-1.0).T], axis=1)
    _, reading = np.unique(same, axis=0, return_inverse=True)
    reading = np.asarray(reading).reshape(-1)

    def drawn(persistent: float, rows: np.ndarray, name: str) -> CuffDraw:
        rng = stream(seed, "augmentation", "cuff", name)
        n = int(rows.max(initial=-1)) + 1
        held = replace(cuff, persistent=persistent)
        return held.draw(n, rng, person=rng.spawn(1)[0]).take(rows)

    lasting, fresh = drawn(1.0, person, "lasting"), drawn(0.0, reading, "fresh")
    old, new = np.sqrt(cuff.persistent), np.sqrt(1.0 - cuff.persistent)

    def error(name: str, bias: float) -> PerBeat:
        once, again = getattr(lasting, name) - bias, getattr(fresh, name) - bias
        total: PerBeat = bias + old * once + new * again
        return total

    return CuffDraw(
        sbp_error=error("sbp_error", cuff.sbp_bias),
        dbp_error=error("dbp_error", cuff.dbp_bias),
        height=lasting.height,
        least_pulse=cuff.least_pulse,
    )


def _true_arms(beats: Beats) -> bool:
    """Say whether the true pressure is known wherever a cuff was."""
    return all(
        f"{site}_{name}" in beats.truth
        for site in np.unique(beats.cuff_site[np.isfinite(beats.cuff).all(axis=1)])
        for name in ("sbp", "dbp")
    )


def _read_by(beats: Beats, draw: CuffDraw) -> Beats:
    """Let another cuff read the arms."""
    shown = np.full((len(beats), 2), np.nan)
    sites: tuple[Any, ...] = ("brachial", "radial")
    for site in sites:
        rows = beats.cuff_site == site
        sbp, dbp = (
            beats.truth.get(f"{site}_{name}", beats.cuff[:, column])[rows]
            for column, name in enumerate(("sbp", "dbp"))
        )
        shown[rows] = apply_cuff(sbp, dbp, draw.take(rows), site=site)
    shown[~np.isfinite(beats.cuff)] = np.nan
    return beats.replace(cuff=shown, calibration="cuff SBP/DBP")


def _through_sensor(beats: Beats, draw: SensorDraw) -> Beats:
    """Record the accepted beats once more."""
    raw, start, stop = _recorded(beats)
    rows = np.flatnonzero(beats.accepted & np.isfinite(raw).all(axis=1))
    if not len(rows):
        return beats
    volume, start_in, stop_in = raw[rows], start[rows], stop[rows]
    smooth = smoothed_rows(volume)
    foot = catmull_rom(smooth, start_in[:, None])
    place = np.arange(raw.shape[1])
    inside = (place >= start_in[:, None]) & (place <= stop_in[:, None])
    peak = np.where(inside, smooth, -np.inf).max(axis=1, keepdims=True)
    height = np.where(peak > foot, peak - foot, 1.0)
    seen = apply_sensor_record(
        (volume - foot) / height, sampling_rate=RATE, draw=draw.take(rows)
    )
    smooth = smoothed_rows(seen.astype(np.float64))
    lead = _BEHIND * RATE
    first = pulse_feet(smooth, start_in - lead, sampling_rate=RATE)
    last = pulse_feet(smooth, stop_in - lead, sampling_rate=RATE)
    ahead = np.arange(len(rows)) * float(raw.shape[1])  # all windows in a row
    wave = beat_shapes(smooth.ravel(), first + ahead, last + ahead)
    later = (first - start_in) / RATE
    unknown = np.full(len(beats), np.nan)
    pat = np.array(beats.features.get("pat", unknown), dtype=np.float64)
    pat[rows] += later
    reason = judge_beats(
        seen,
        first,
        last,
        wave,
        subject=beats.subject[rows],
        rr=beats.duration[rows],
        pat=pat[rows],
    )
    features = dict(beats.features)
    if "pat" in features:
        features["pat"] = pat
    start, stop = start.copy(), stop.copy()
    start[rows], stop[rows] = first, last
    raw = raw.astype(np.float32)
    raw[rows] = seen
    words = beats.reason.astype(np.result_type(beats.reason, reason))
    words[rows] = reason
    duration = beats.duration.astype(np.float64)
    measured = (last - first) / RATE
    duration[rows] = np.where(np.isfinite(measured), measured, duration[rows])
    time = beats.time.astype(np.float64)
    time[rows] += np.where(np.isfinite(later), later, 0.0)
    ppg = beats.ppg.copy()
    ppg[rows] = wave
    return beats.replace(
        raw=raw,
        start=start,
        stop=stop,
        ppg=ppg,
        duration=duration,
        time=time,
        accepted=words == "",
        reason=words,
        features=features,
    )


def _recorded(beats: Beats) -> tuple[Windows, PerBeat, PerBeat]:
    """Return raw windows, made of the beat itself, again and again, without any."""
    if beats.raw is not None and beats.start is not None and beats.stop is not None:
        return beats.raw.astype(np.float64), beats.start, beats.stop
    duration = beats.duration.astype(np.float64)
    usable = np.isfinite(duration) & (duration > 0.0)
    lead = round((HALF + _BEHIND) * RATE)
    longest = float(duration[usable & beats.accepted].max(initial=1.0))
    count = 2 * lead + int(np.ceil(longest * RATE))
    start = np.full(len(beats), float(lead))
    turn = (np.arange(count) - lead) / RATE / np.where(usable, duration, 1.0)[:, None]
    place = np.mod(turn, 1.0) * N_POINTS + 2.0
    around = np.concatenate([beats.ppg[:, -2:], beats.ppg, beats.ppg[:, :3]], axis=1)
    raw = catmull_rom(around.astype(np.float64), place)
    raw[~usable] = np.nan
    return raw, start, start + np.where(usable, duration, 1.0) * RATE
