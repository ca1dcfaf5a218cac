"""Clinics: virtual people, a solver, sensors, a cuff and a reference, frozen together.

A clinic simulates its people once and can then observe them as often as wanted: each
draw is another day, with another sensor on the finger, another cuff reading and another
catheter in the same people. What comes out is a table of beats like that of a real
recording, cut by the same code.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final, Literal, NamedTuple, get_args, get_type_hints

import numpy as np

from capnet.errors import ConfigError, ProtocolError, ShapeError
from capnet.hemodynamics.catheters import Catheter, apply_catheter
from capnet.hemodynamics.cohort import Cohort, stream
from capnet.hemodynamics.cuffs import CuffModel, apply_cuff
from capnet.hemodynamics.hybrid import OLUFSEN, hybrid, with_wall
from capnet.hemodynamics.plethysmogram import PPG_SITES, PpgSite
from capnet.hemodynamics.population import Population
from capnet.hemodynamics.sensors import Sensor, apply_sensor
from capnet.hemodynamics.simulation import Solver, simulate
from capnet.hemodynamics.spectra import evaluate
from capnet.hemodynamics.visits import Apart, Moment, Visit
from capnet.hemodynamics.waves import Waves
from capnet.records import Beats
from capnet.signal.feet import pulse_feet
from capnet.signal.frontend import RATE, beats_of_windows, smooth
from capnet.signal.gate import judge_beats
from capnet.types import (
    N_POINTS,
    BeatWaves,
    Calibration,
    CuffSite,
    PerBeat,
    Site,
    Windows,
)
from capnet.units import MMHG

__all__ = ["Clinic"]

_SITES: Final[tuple[Site, ...]] = ("aortic_root", "brachial", "radial", "digital")
_RATE: Final = 500.0
"""Hz: of the waves, and of the search for the radial foot."""
_FORMAT: Final = "capnet clinic 2"

Body = Literal["whole", "hybrid"]
"""Which arteries are one-dimensional: all 116, or the aorta and one arm (and then with
another author's wall)."""

_LONGEST_PEP: Final = 0.25
"""s: what is more was given in ms, or is no heart's."""

_PERFECT: Final = Catheter.perfect()
_AT_ONCE: Final = Apart()

_log = logging.getLogger(__name__)


class _Pulse(NamedTuple):
    """One recorded beat of each finger; times in samples, NaN where not found."""

    raw: Windows
    r_peak: PerBeat
    start: PerBeat
    stop: PerBeat


@dataclass(frozen=True)
class Clinic:
    """Where virtual people are seen, and with what.

    Attributes:
        name: Part of its people's names; letters, digits, dots, - and _.
        population: Who comes.
        solver: What their waves follow from; a frozen dataclass.
        sensor: The pulse sensors.
        cuff: The arm cuffs.
        pep_mean, pep_sd: Pre-ejection period (R peak to aortic flow), s.
        n: How many people are drawn, before the implausible are left out.
        seed: Not negative.
        body: ``whole`` (116 arteries) or ``hybrid``: aorta and left arm with the walls
            of Olufsen 1999, everything else lumped (`capnet.hemodynamics.hybrid`).
        ppg_site: Where the pulse sensor sits: ``finger``, ``wrist`` or ``ear``.
        catheter: What measures the reference; by default nothing stands between the
            aortic wave and `Beats.reference`.
        apart: How far people wander between pulse, reference and cuff reading.

    Raises:
        ConfigError: If the name or a number is out of its range.
    """

    name: str
    population: Population
    solver: Solver
    sensor: Sensor
    cuff: CuffModel
    pep_mean: float
    pep_sd: float
    n: int
    seed: int
    body: Body = "whole"
    ppg_site: PpgSite = "finger"
    catheter: Catheter = _PERFECT
    apart: Apart = _AT_ONCE

    def __post_init__(self) -> None:
        for name, kind in (("body", Body), ("ppg_site", PpgSite)):
            value = getattr(self, name)
            if value not in get_args(kind):
                wanted = ", ".join(get_args(kind))
                msg = f"clinic has {name} {value!r}; wanted one of {wanted}."
                raise ConfigError(msg)
        if self.body == "hybrid" and self.ppg_site == "ear":
            msg = (
                f"clinic {self.name!r} has hybrid bodies, which are the aorta and the "
                "left arm, and a pulse sensor at an ear; wanted it at the finger or "
                "wrist, or whole bodies."
            )
            raise ConfigError(msg)
        if not self.name or not set(self.name) <= _LETTERS:
            msg = (
                f"clinic is named {self.name!r}; wanted letters, digits, '.', '-', '_'."
            )
            raise ConfigError(msg)
        pep = 0 <= 2.5 * self.pep_sd < self.pep_mean <= _LONGEST_PEP
        if self.n < 1 or self.seed < 0 or not pep:
            msg = (
                f"clinic {self.name!r} has n {self.n}, seed {self.seed}, PEP "
                f"{self.pep_mean:g} +- {self.pep_sd:g} s; wanted n >= 1, seed >= 0 and "
                f"a mean PEP above 2.5 SDs and up to {_LONGEST_PEP:g} s."
            )
            raise ConfigError(msg)

    def hash(self) -> str:
        """Return 16 hexadecimal digits that change with every setting that matters.

        Equal numbers are equal however they are written (-4 or -4.0). The library's
        code and its packaged tables are not looked at.
        """
        text = json.dumps([_FORMAT, _content(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def simulate(self, *, progress: Callable[[int, int], None] | None = None) -> Visit:
        """Simulate the clinic's people and leave out those who could not be real.

        Who was left out and why is logged; people keep the index they were drawn at.

        Args:
            progress: Called with the number of people done and of all; people count
                once for each moment that is simulated.

        Raises:
            ProtocolError: If nobody is left.
        """
        cohort = Cohort.sample(self.n, seed=self.seed, population=self.population)
        moments: list[Cohort] = [cohort]
        if self.apart:
            moments += [
                self.apart.at(cohort, moment, seed=self.seed, n=self.n)
                for moment in get_args(Moment)
            ]
        found = [
            self._waves(people, i, len(moments), progress)
            for i, people in enumerate(moments)
        ]
        visit = Visit(*found) if self.apart else Visit.at_once(found[0])
        kept = np.ones(self.n, dtype=np.bool_)
        for waves in found:
            plausible = waves.plausible()
            _log.info("clinic %s: %r", self.name, plausible)
            kept &= plausible.kept
        if not kept.any():
            msg = f"clinic {self.name!r} has no plausible person left: {plausible!r}"
            raise ProtocolError(msg)
        return visit.take(kept)

    def _waves(
        self,
        cohort: Cohort,
        moment: int,
        moments: int,
        progress: Callable[[int, int], None] | None,
    ) -> Waves:
        """Simulate everyone at one moment; progress counts all moments."""
        if self.body == "hybrid":
            bodies = hybrid(with_wall(cohort.arteries(), OLUFSEN))
            cohort = replace(cohort, bodies=bodies)

        def report(done: int, total: int) -> None:
            if progress is not None:
                progress(moment * total + done, moments * total)

        return simulate(
            cohort,
            solver=self.solver,
            sampling_rate=_RATE,
            sites=(*_SITES, *self._ppg_place()),
            progress=report if progress is not None else None,
        )

    def _ppg_place(self) -> tuple[str, ...]:
        """Return where waves are needed for the pulse sensor alone."""
        place = PPG_SITES[self.ppg_site]
        return () if place in _SITES else (place,)

    def observe(
        self,
        visit: Visit,
        *,
        calibration: Calibration,
        cuff_site: CuffSite = "brachial",
        draw: int = 0,
    ) -> Beats:
        """Record one steady beat of each person.

        Args:
            visit: From `simulate` of this clinic, or a selection of its people; who
                comes from elsewhere gets the name and the sensor of this clinic's
                person with that number.
            calibration: ``exact`` (true arm pressures) or ``cuff SBP/DBP`` (what the
                clinic's cuff shows).
            cuff_site: Whose pressures calibrate.
            draw: Which day: sensor, cuff reading, catheter and PEP are drawn anew for
                each; a person's cuff error keeps its lasting part.

        Returns:
            One row a person, named ``virtual-<clinic>-<index>``. The gate judges the
            beats as it judges those of a real recording; a beat that it refuses, or
            whose radial foot is not found, has its reason. ``reference`` is what the
            catheter shows at the moment of the reference; ``truth`` holds the aortic
            SBP and DBP of the very beats that ``ppg`` shows, and their PEP (s).

        Raises:
            ProtocolError: If the calibration is none that virtual people can have.
            ConfigError: If the cuff is not at the ``brachial`` or ``radial`` artery, or
                there are no waves where the pulse sensor sits.
            ShapeError: If somebody has a number that this clinic has not, or the draw
                is negative.
        """
        if cuff_site not in get_args(CuffSite):
            msg = (
                f"a cuff at {cuff_site!r} was asked of clinic {self.name!r}; wanted "
                f"one of {', '.join(get_args(CuffSite))}."
            )
            raise ConfigError(msg)
        if calibration not in ("exact", "cuff SBP/DBP"):
            msg = (
                f"calibration {calibration!r} was asked of clinic {self.name!r}; "
                "wanted 'exact' or 'cuff SBP/DBP'."
            )
            raise ProtocolError(msg)
        waves, person = visit.pulse, visit.cohort.index
        if draw < 0 or (len(person) and person.max() >= self.n):
            msg = (
                f"draw {draw} of people up to number {person.max(initial=0)}; clinic "
                f"{self.name!r} has {self.n} people and draws from 0 on."
            )
            raise ShapeError(msg)
        day = f"draw {draw}"
        pep = stream(self.seed, day, "pep").standard_normal(self.n)[person]
        onset = -(self.pep_mean + self.pep_sd * np.clip(pep, -2.2, 2.2))
        pulse = self._pulse(waves, onset, day)
        radial = _radial_foot(waves, onset)
        subject = np.array([f"virtual-{self.name}-{i}" for i in person])
        wave = beats_of_windows(pulse.raw, pulse.start, pulse.stop)
        pat = (pulse.start - pulse.r_peak) / RATE
        reason = judge_beats(
            pulse.raw,
            pulse.start,
            pulse.stop,
            wave,
            subject=subject,
            rr=waves.period,
            pat=pat,
        )
        lost = (reason == "") & ~np.isfinite(radial)
        reason[lost] = "no foot of the radial pulse"
        measured = (pulse.stop - pulse.start) / RATE
        return Beats(
            subject=subject,
            beat=np.zeros(len(waves), dtype=np.int64),
            time=np.zeros(len(waves)),
            duration=np.where(np.isfinite(measured), measured, waves.period),
            ppg=wave,
            age=waves.cohort.age,
            cuff=self._cuff(visit.cuff, calibration, cuff_site, day),
            cuff_site=np.full(len(waves), str(cuff_site)),
            calibration=calibration,
            accepted=reason == "",
            reason=reason,
            waves={"radial": _one_beat(waves, "radial", radial)},
            features={"pat": pat, "hr": 60.0 / waves.period},
            raw=pulse.raw,
            start=pulse.start,
            stop=pulse.stop,
            reference=self._reference(visit.reference, day),
            reference_type="simulated",
            truth={
                "aortic_sbp": waves.systolic("aortic_root"),
                "aortic_dbp": waves.diastolic("aortic_root"),
                "brachial_sbp": waves.systolic("brachial"),
                "brachial_dbp": waves.diastolic("brachial"),
                "radial_sbp": waves.systolic("radial"),
                "radial_dbp": waves.diastolic("radial"),
                "pwv": waves.cohort["pwv"],
                "pep": -onset,
            },
        )

    def _pulse(self, waves: Waves, onset: PerBeat, day: str) -> _Pulse:
        """Put a sensor on every finger and find the feet around one beat."""
        drawn = self.sensor.draw(self.n, stream(self.seed, day, "sensor"))
        raw, r_peak = apply_sensor(
            waves.volume_pulse(self.ppg_site),
            period=waves.period,
            r_peak=onset,
            draw=drawn.take(waves.cohort.index),
        )
        raw = raw.astype(np.float32)
        wave = smooth(raw)
        following = r_peak + waves.period * RATE
        start = pulse_feet(wave, r_peak, sampling_rate=RATE)
        stop = pulse_feet(wave, following, sampling_rate=RATE)
        return _Pulse(raw, r_peak, start, stop)

    def _reference(self, waves: Waves, day: str) -> BeatWaves:
        """Return what the catheter shows of the aortic beat from flow onset on."""
        drawn = self.catheter.draw(self.n, stream(self.seed, day, "catheter"))
        row = waves.spectra.row("aortic_root")
        shown = apply_catheter(
            waves.spectra.pressure[:, row] / MMHG,
            period=waves.period,
            draw=drawn.take(waves.cohort.index),
        )
        steps = np.arange(N_POINTS) / N_POINTS * waves.period[:, None]
        return evaluate(shown, period=waves.period, times=steps)

    def _cuff(
        self, waves: Waves, calibration: Calibration, site: CuffSite, day: str
    ) -> np.ndarray:
        sbp, dbp = waves.systolic(site), waves.diastolic(site)
        if calibration == "exact":
            return np.stack([sbp, dbp], axis=1)
        drawn = self.cuff.draw(
            self.n,
            stream(self.seed, day, "cuff"),
            person=stream(self.seed, "person", "cuff"),
        )
        return apply_cuff(sbp, dbp, drawn.take(waves.cohort.index), site=site)


_LETTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
)


def _radial_foot(waves: Waves, onset: PerBeat) -> PerBeat:
    """Return when the radial pulse begins, s; onset is the time of the R peak."""
    lead = int(0.2 * _RATE)
    times = onset[:, None] + (np.arange(int(0.9 * _RATE)) - lead) / _RATE
    after = np.full(len(waves), float(lead))
    foot = pulse_feet(waves.at("radial", times), after, sampling_rate=_RATE)
    return onset + (foot - lead) / _RATE


def _one_beat(waves: Waves, site: Site, start: PerBeat) -> BeatWaves:
    """Return 64 points of one period from a time on, mmHg; NaN where that is NaN."""
    steps = np.arange(N_POINTS) / N_POINTS
    known = np.nan_to_num(start)[:, None]
    values = waves.at(site, known + steps * waves.period[:, None])
    return np.where(np.isfinite(start)[:, None], values, np.nan)


def _content(value: object, kind: object = object) -> object:
    """Return what a setting says, as JSON can hold it, with the names of classes.

    ``kind`` is the setting's type: a whole number in place of a fractional one says the
    same as that.
    """
    if is_dataclass(value) and not isinstance(value, type):
        kinds = get_type_hints(type(value))
        said = {
            f.name: _content(getattr(value, f.name), kinds[f.name])
            for f in fields(value)
            if f.metadata.get("content", True)
        }
        return {"class": type(value).__name__, **said}
    if isinstance(value, Mapping):
        return {str(key): _content(part) for key, part in value.items()}
    if isinstance(value, tuple):
        first = next(iter(get_args(kind)), object)  # a tuple's parts are of one kind
        return [_content(part, first) for part in value]
    if kind is float and isinstance(value, int | float):
        return float(value) + 0.0  # 0.0 for -0.0
    if value is None or isinstance(value, bool | int | float | str):
        return value
    msg = (
        f"a clinic holds {type(value).__name__} {value!r}; wanted frozen dataclasses "
        "of numbers and words, so that its hash says what it is."
    )
    raise ConfigError(msg)
