"""Trains of beats: continuous records of virtual people, with their truth.

Pressure is a sum of transients (`capnet.hemodynamics.transients`), one for each beat of
an aperiodic rhythm (`capnet.hemodynamics.rhythm`), each in the state that the person is
in at that moment (`capnet.hemodynamics.episodes`): there is no stitch between beats
that could be seen. What the heart ejects in each beat follows from its filling
(`capnet.hemodynamics.circulation`). Respiration moves the pressure of the chest, and
all arteries with it, and the baseline of the PPG.

The linear equations are solved about the working pressure, which errs as `LinearSolver`
of order 1 does. What the model lacks: tone changes the resistance of beds and not their
compliance, so that the PPG does not shrink when vessels constrict; wave speed follows
pressure as the tube law has it, by about 1 % for 20 mmHg, which is less than in people;
there is no baroreflex from beat to beat, and no column of blood between heart and hand.
What a finger holds on average does not follow pressure for longer than some 15 s:
vessels give way under a lasting load, and sensors adjust their light.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, Self, TypeVar

import numpy as np
from jaxtyping import Float32

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.catheters import (
    Catheter,
    CatheterDraw,
    apply_catheter_record,
    settle_catheter,
)
from capnet.hemodynamics.circulation import (
    Body,
    Contractions,
    Tone,
    lead_on,
    no_contractions,
)
from capnet.hemodynamics.cohort import Cohort, stream
from capnet.hemodynamics.ecg import AFTER, BEFORE, Ecg, EcgDraw, electrocardiogram
from capnet.hemodynamics.episodes import (
    Episode,
    EpisodeDraw,
    Vasomotion,
    VasomotionDraw,
    draw_episodes,
)
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.rendering import OVERLAP, Found, Output, render
from capnet.hemodynamics.rhythm import (
    Respiration,
    RespirationDraw,
    Rhythm,
    RhythmDraw,
    Timing,
    beat_times,
    breath,
    heart,
)
from capnet.hemodynamics.sensors import (
    Sensor,
    SensorDraw,
    apply_sensor_record,
    settle_sensor,
)
from capnet.hemodynamics.strips import (
    LINE,
    MEASURED,
    Heartbeats,
    Strip,
    check_measured,
)
from capnet.hemodynamics.transients import (
    EJECTIONS,
    LEVELS,
    TONES,
    Responses,
    Transients,
    solve_transients,
)
from capnet.hemodynamics.waves import check_sampling_rate
from capnet.records import Record, Signal

__all__ = ["Train"]

Wave = Float32[np.ndarray, " time"]
Kept = TypeVar("Kept")

_WARM_UP: Final = 30.0
"""s before time 0 with which a train begins."""
_BEHIND: Final = OVERLAP + 2.0
"""s of beats that are kept before a strip."""
_AHEAD: Final = 3.0
"""s of beats that are made beyond it."""
_STRIP: Final = 600.0
"""s of a record that are held at once."""
_REST: Final = (LEVELS.index(1.0), TONES.index(1.0), EJECTIONS.index(1.0))
"""Where in the grid of states everybody is at rest."""
_UNITS: Final[Mapping[str, str]] = MappingProxyType({"ecg": "mV", "ppg": "NU"})
"""Of channels that are no pressure."""


@dataclass(frozen=True, eq=False)
class Train:
    """Virtual people who go on living: as many beats of each as are asked for.

    Everything that chance decides is drawn and kept here; a person's beats and waves
    are a pure function of it. Transfer functions take 0.3 MB a person.

    Attributes:
        cohort: The people.
        transients: How their arteries answer.
        rhythm, respiration, vasomotion, episodes, ecg: What was drawn.
        sensor: The finger sensors; None for the clean volume pulse.
        catheter: The arterial lines; None for the clean pressure.

    Raises:
        ShapeError: If there is not one draw for each person.
    """

    cohort: Cohort
    transients: Transients
    rhythm: RhythmDraw
    respiration: RespirationDraw
    vasomotion: VasomotionDraw
    episodes: EpisodeDraw
    ecg: EcgDraw
    sensor: SensorDraw | None = None
    catheter: CatheterDraw | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if value is not None and len(value) != len(self.cohort):
                msg = (
                    f"{part.name} is of {len(value)} people; wanted {len(self.cohort)}."
                )
                raise ShapeError(msg)

    @classmethod
    def draw(
        cls,
        cohort: Cohort,
        *,
        seed: int,
        rhythm: Rhythm | None = None,
        respiration: Respiration | None = None,
        vasomotion: Vasomotion | None = None,
        episodes: Sequence[Episode] = (),
        ecg: Ecg | None = None,
        sensor: Sensor | None = None,
        catheter: Catheter | None = None,
        solver: LinearSolver | None = None,
        sites: Sequence[str] = ("aortic_root", LINE),
        bed: str = "digital",
        threads: int | None = None,
    ) -> Self:
        """Draw everything and solve for the transients of everybody.

        Draws follow a person's ``index`` in the cohort and not how many people there
        are.

        Args:
            cohort: Virtual people.
            seed: Not negative.
            rhythm: How hearts vary; its defaults by default, as of the next three.
            respiration: How people breathe.
            vasomotion: How tone oscillates.
            episodes: What happens to people; nothing by default.
            ecg: What their ECGs look like.
            sensor: Family of finger sensors; none by default.
            catheter: Family of arterial lines; none by default.
            solver: See `solve_transients`.
            sites: Where pressure is wanted, the root and the line besides.
            bed: What the PPG sees: the end of an artery, see
                `capnet.hemodynamics.plethysmogram.PPG_SITES`.
            threads: All usable cores by default.

        Raises:
            ConfigError: If the seed is negative, or see `solve_transients`.
        """
        if seed < 0 or not len(cohort):
            msg = f"seed {seed}, {len(cohort)} people; wanted seed >= 0 and people."
            raise ConfigError(msg)
        rows, n = cohort.index, int(cohort.index.max()) + 1

        def chance(name: str) -> np.random.Generator:
            return stream(seed, "train", name)

        everywhere = dict.fromkeys(("aortic_root", LINE, *sites))
        answers = solve_transients(
            cohort, sites=tuple(everywhere), bed=bed, solver=solver, threads=threads
        )
        beats = (rhythm or Rhythm()).draw(n, chance("rhythm"))
        lungs = (respiration or Respiration()).draw(n, chance("respiration"))
        tone = (vasomotion or Vasomotion()).draw(n, chance("vasomotion"))
        course = draw_episodes(episodes, n, chance("episodes"))
        leads = (ecg or Ecg()).draw(n, chance("ecg"))
        finger = None if sensor is None else sensor.draw(n, chance("sensor"))
        line = None if catheter is None else catheter.draw(n, chance("catheter"))
        return cls(
            cohort=cohort,
            transients=answers,
            rhythm=beats.take(rows),
            respiration=lungs.take(rows),
            vasomotion=tone.take(rows),
            episodes=course.take(rows),
            ecg=leads.take(rows),
            sensor=None if finger is None else finger.take(rows),
            catheter=None if line is None else line.take(rows),
        )

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def channels(self) -> tuple[str, ...]:
        """What can be asked for: what a monitor shows, and true pressure by site."""
        return (*MEASURED, *self.transients.sites)

    def strips(
        self,
        row: int,
        *,
        duration: float,
        rates: Mapping[str, float],
        strip: float = _STRIP,
    ) -> Iterator[Strip]:
        """Make one person's record piece by piece, in constant memory.

        The pieces do not depend on how long they are.

        Args:
            row: Whose.
            duration: Of all, s.
            rates: Sampling rate of each channel wanted, Hz; see `channels`.
            strip: Of a piece, s.

        Raises:
            ConfigError: If there is no such person, channel or duration.
            UnitError: If a sampling rate is no positive number.
        """
        self._check(row, duration, strip, rates)
        player = _Player(self, row, rates)
        # the last piece is a little longer rather than without a sample
        shortest = 1.0 / min(rates.values())
        last = max(math.ceil((duration - shortest) / strip + 1e-9), 1) - 1
        return (
            player.play(k * strip, duration if k == last else (k + 1) * strip)
            for k in range(last + 1)
        )

    def strip(self, row: int, *, duration: float, rates: Mapping[str, float]) -> Strip:
        """Make one person's record whole; see `strips`."""
        return Strip.concatenate(list(self.strips(row, duration=duration, rates=rates)))

    def record(
        self, row: int, *, duration: float, rates: Mapping[str, float]
    ) -> Record:
        """Make what a monitor would have given; see `strips`.

        Whoever wants the truth as well takes a `strip`, which has a record too.

        Raises:
            ConfigError: If a channel is no monitor's, or see `strips`.
        """
        check_measured(rates)
        return self.strip(row, duration=duration, rates=rates).record()

    def each(
        self,
        read: Callable[[Strip], Kept],
        *,
        duration: float,
        rates: Mapping[str, float],
        threads: int | None = None,
    ) -> Iterator[Kept]:
        """Make everybody's record, on all cores, and keep what is read from it.

        Args:
            read: What is kept of a strip. Runs in a thread.
            duration: Of a record, s.
            rates: See `strips`.
            threads: All usable cores by default; no influence on the answer.
        """
        kept: dict[int, Kept] = {}

        def work(rows: slice) -> None:
            for row in range(rows.start, rows.stop):
                kept[row] = read(self.strip(row, duration=duration, rates=rates))

        for rows in in_blocks(work, len(self), size=1, threads=threads):
            yield kept.pop(rows.start)

    def _check(
        self, row: int, duration: float, strip: float, rates: Mapping[str, float]
    ) -> None:
        if row not in range(len(self)):
            msg = f"person {row} was asked for; there are {len(self)}, from 0 on."
            raise ConfigError(msg)
        if not (0.0 < duration < math.inf and 1.0 <= strip < math.inf):
            msg = (
                f"{duration:g} s in strips of {strip:g} s; wanted more than 0 and 1 s."
            )
            raise ConfigError(msg)
        for name, rate in rates.items():
            check_sampling_rate(rate)
            if name not in self.channels:
                msg = (
                    f"channel {name!r} was asked for; there are "
                    f"{', '.join(self.channels)}. Sites are named in Train.draw."
                )
                raise ConfigError(msg)
        if not rates or min(rates.values()) * min(strip, duration) < 1.0:
            msg = (
                f"rates are {dict(rates)} Hz; wanted at least one channel, with one "
                "sample at least in a strip."
            )
            raise ConfigError(msg)

    def __repr__(self) -> str:
        rhythm, lungs = self.rhythm, self.respiration
        told = {
            "sdnn": (1e3 * rhythm.sdnn, "ms"),
            "rsa": (1e3 * rhythm.rsa, "ms"),
            "ectopic": (rhythm.ectopic_rate, "/h"),
            "pep": (1e3 * rhythm.pep_mean, "ms"),
            "breaths": (60.0 * lungs.breaths, "/min"),
        }
        rows = "".join(
            f"\n  {name:<8} {unit:<5} {v.mean():7.1f} +- {v.std():.1f}"
            for name, (v, unit) in told.items()
        )
        happens = ", ".join(self.episodes.names) or "none"
        return (
            f"Train({len(self)} virtual people, channels {', '.join(self.channels)}; "
            f"episodes: {happens}){rows}"
        )


class _Player:
    """Plays one person's train from the beginning on."""

    def __init__(self, train: Train, row: int, rates: Mapping[str, float]) -> None:
        self._train, self._row, self._rates = train, row, dict(rates)
        answers, rhythm = train.transients, train.rhythm
        self._responses: Responses = answers.responses(row)
        self._shape = self._responses.body.shape
        interval = float(answers.interval[row])
        self._heart = heart(rhythm, row, interval)
        self._lungs = breath(train.respiration, row)
        self._course = train.episodes.times, train.episodes.effects[row]
        first = -_WARM_UP - interval * float(rhythm.offset[row])
        self._clock = np.array([first, 0.0, 0.0])
        self._memory = self._rested(interval, first)
        self._beats = no_contractions(0, self._shape[3])
        self._sensor_state: np.ndarray | None = None
        self._line_state: np.ndarray | None = None

    def _rested(self, interval: float, first: float) -> np.ndarray:
        """Return the state after a regular train at rest."""
        decay = self._responses.decay[_REST[:2]]
        tail = self._responses.tail[_REST]
        volume = self._train.transients.sv[self._row]
        carried = volume * tail / -np.expm1(-interval / decay)
        onset = first + self._train.rhythm.pep_mean[self._row]
        return np.array([first, onset, 1.0, decay, 0.0, *carried])

    def _go_on(self, until: float) -> None:
        """Make beats up to a time, and forget those long over."""
        train, row = self._train, self._row
        times, effects = self._course
        timing: Timing = beat_times(
            self._heart,
            self._lungs,
            self._clock,
            until,
            times=times,
            rates=np.ascontiguousarray(effects[:, 0]),
        )
        fresh = no_contractions(len(timing.r_peak), self._shape[3])._replace(
            r_peak=timing.r_peak, ectopic=timing.ectopic, phase=timing.phase
        )
        tone = train.vasomotion.lines
        lead_on(
            self._body(),
            Tone(
                *(tone.frequency[row], tone.phase[row], tone.amplitude[row]),
                *(times, np.ascontiguousarray(effects)),
            ),
            timing.slot,
            fresh,
            self._memory,
        )
        self._beats = Contractions(
            *(np.concatenate(both) for both in zip(self._beats, fresh, strict=True))
        )

    def _body(self) -> Body:
        train, row, answers = self._train, self._row, self._responses
        people, rhythm = train.transients, train.rhythm
        whole = answers.area[_REST] + answers.tail[_REST] * answers.decay[_REST[:2]]
        return Body(
            interval=float(people.interval[row]),
            volume=float(people.sv[row]),
            lvet=1e-3 * float(people.lvet[row]),
            pep=float(rhythm.pep_mean[row]),
            pep_sd=float(rhythm.pep_sd[row]),
            stroke=float(train.respiration.stroke[row]),
            held=float(people.sv[row] / people.interval[row] * whole[-1]),
            key=int(rhythm.key[row]) + 1,
            decay=answers.decay,
            tail=answers.tail,
            area=answers.area,
            resistance=answers.resistance,
        )

    def play(self, start: float, stop: float) -> Strip:
        """Make the next piece."""
        self._go_on(stop + _AHEAD)
        beats, train, row = self._beats, self._train, self._row
        sites = (*train.transients.sites, "ppg")
        output, names = self._output(sites, start, stop)
        found = Found(
            *(np.full((len(sites), len(beats.onset)), np.nan) for _ in range(4))
        )
        table = self._responses.body.reshape(*self._shape[:3], -1)
        draw = train.respiration
        thorax = np.full(len(sites), -float(draw.thoracic[row]))
        thorax[-1] = float(draw.baseline[row])
        render(
            *(table, self._responses.resistance, self._responses.base, self._lungs),
            *(thorax, beats, start, stop, output, found),
        )
        channels: dict[str, Signal] = {}
        for name, rate in self._rates.items():
            first, count = _samples(start, stop, rate)
            if name == "ecg":
                values = self._electrocardiogram(start, stop, rate)
            else:
                values = output.values[names.index(name), :count]
                values = self._sensed(name, values, rate, first)
            channels[name] = Signal(
                values, rate, _UNITS.get(name, "mmHg"), first / rate
            )
        held = (beats.onset >= start) & (beats.onset < stop)
        strip = Strip(
            subject=f"virtual-{train.cohort.index[row]}",
            age=float(train.cohort.age[row]),
            start=start,
            channels=channels,
            beats=Heartbeats(
                sites,
                *(beats.r_peak[held], beats.onset[held], beats.ectopic[held]),
                *(beats.interval[held], beats.phase[held], beats.volume[held]),
                *(beats.ejection[held], beats.tone[held], beats.level[held]),
                *(values[:, held] for values in found),
            ),
        )
        self._beats = Contractions(
            *(part[beats.onset > stop - _BEHIND] for part in beats)
        )
        return strip

    def _output(
        self, sites: tuple[str, ...], start: float, stop: float
    ) -> tuple[Output, list[str]]:
        """Return room for the samples of all channels but the ECG, and their names."""
        names = [name for name in self._rates if name != "ecg"]
        rows = [sites.index(LINE if name == "abp" else name) for name in names]
        spans = [_samples(start, stop, self._rates[name]) for name in names]
        counts = np.array([count for _, count in spans], dtype=np.int64)
        values = np.empty((len(names), counts.max(initial=0)), dtype=np.float32)
        output = Output(
            channel=np.array(rows, dtype=np.int64),
            rate=np.array([self._rates[name] for name in names], dtype=np.float64),
            first=np.array([first for first, _ in spans], dtype=np.int64),
            wanted=counts,
            values=values,
        )
        return output, names

    def _electrocardiogram(self, start: float, stop: float, rate: float) -> Wave:
        beats = self._beats
        near = np.flatnonzero(
            (beats.r_peak > start - AFTER) & (beats.r_peak < stop + BEFORE)
        )
        near = np.arange(max(near[0] - 1, 0), min(near[-1] + 2, len(beats.r_peak)))
        first, count = _samples(start, stop, rate)
        return electrocardiogram(
            beats.r_peak[near],
            ectopic=beats.ectopic[near],
            interval=beats.interval[near],
            phase=beats.phase[near],
            draw=self._train.ecg,
            row=self._row,
            sampling_rate=rate,
            first=first,
            count=count,
        )

    def _sensed(self, name: str, values: Wave, rate: float, first: int) -> Wave:
        """Return what the sensor of a channel makes of it."""
        train, rows = self._train, np.array([self._row])
        if name == "ppg" and train.sensor is not None:
            draw = train.sensor.take(rows)
            if self._sensor_state is None:
                self._sensor_state = settle_sensor(
                    values[:1], sampling_rate=rate, draw=draw
                )
            seen: Wave = apply_sensor_record(
                values[None],
                sampling_rate=rate,
                draw=draw,
                start=first,
                state=self._sensor_state,
            )[0]
            return seen
        if name == "abp" and train.catheter is not None:
            line = train.catheter.take(rows)
            if self._line_state is None:
                self._line_state = settle_catheter(
                    values[:1].astype(np.float64), sampling_rate=rate, draw=line
                )
            read: Wave = apply_catheter_record(
                values[None], sampling_rate=rate, draw=line, state=self._line_state
            )[0]
            return read
        return values


def _samples(start: float, stop: float, rate: float) -> tuple[int, int]:
    """Return the first sample of a piece and how many there are."""
    first = math.ceil(start * rate - 1e-6)
    return first, math.ceil(stop * rate - 1e-6) - first
