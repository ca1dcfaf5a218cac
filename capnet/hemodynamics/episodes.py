"""Episodes: what moves pressure within a person, by minutes and by seconds.

An `Episode` multiplies heart rate, stroke volume, vascular tone, ejection time and
pre-ejection period while it is on. Factors are typical responses of healthy adults;
people differ in how strongly they answer. `Vasomotion` is what tone does by itself:
Mayer waves at about 0.1 Hz (Julien 2006, doi:10.1016/j.cardiores.2005.11.008) and
slower ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final, Self, no_type_check

import numpy as np
from jaxtyping import Float, Shaped

from capnet.compiled import compiled
from capnet.errors import ConfigError
from capnet.hemodynamics.oscillations import Lines, draw_lines
from capnet.hemodynamics.ranges import check_ranges, draw_ranges
from capnet.hemodynamics.sensors import Range

__all__ = [
    "Episode",
    "EpisodeDraw",
    "Vasomotion",
    "VasomotionDraw",
    "draw_episodes",
    "envelope",
]

EFFECTS: Final = ("hr", "sv", "tone", "ejection", "pep")
"""What an episode multiplies, in the order of the last axis of `EpisodeDraw`."""

_LIMITS: Final = {
    "hr": (0.5, 2.5),
    "sv": (0.5, 1.6),
    "tone": (0.5, 1.6),
    "ejection": (0.65, 1.2),
    "pep": (0.5, 1.5),
}
"""What factors may be: pulses are known for tones and ejection times within these."""

_PRESSURES: Final = (0.475, 1.9)
"""Working pressures above outflow pressure, parts of that at rest, for which pulses are
known: half a cell beyond `capnet.hemodynamics.transients.LEVELS`."""
_STRONGEST: Final = 2.0
"""Standard deviations at which a person's strength is held, either way."""

_VESSELS: Final = MappingProxyType({"mayer": (0.0, 0.1), "slow": (0.0, 0.1)})
"""What the ranges of vasomotion may reach."""
_MAYER: Final = (0.07, 0.13)
"""Hz."""
_SLOW: Final = (0.005, 0.05)
"""Hz."""


@dataclass(frozen=True)
class Episode:
    """Something that happens to everybody, in each as strongly as drawn.

    Attributes:
        name: For plots and messages.
        start: When it begins, s.
        duration: Until it begins to end, s.
        rise, fall: How long its effects take to come and to go, s.
        hr, sv, tone, ejection, pep: Factors on heart rate, stroke volume, arteriolar
            resistance, ejection time and pre-ejection period.
        spread: Standard deviation over people of the strength, as a part of it; the
            strength multiplies the logarithms of the factors.

    Raises:
        ConfigError: If a number is out of its range; the message names it.
    """

    name: str
    start: float
    duration: float
    rise: float
    fall: float
    hr: float = 1.0
    sv: float = 1.0
    tone: float = 1.0
    ejection: float = 1.0
    pep: float = 1.0
    spread: float = 0.2

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name != "name" and not math.isfinite(value):
                msg = f"episode {self.name!r} has {part.name} {value}; wanted a number."
                raise ConfigError(msg)
        if self.duration < self.rise or min(self.rise, self.fall) <= 0.0:
            msg = (
                f"episode {self.name!r} lasts {self.duration:g} s, rises in "
                f"{self.rise:g} and falls in {self.fall:g}; wanted "
                "0 < rise <= duration and 0 < fall."
            )
            raise ConfigError(msg)
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                msg = (
                    f"episode {self.name!r} has {name} {getattr(self, name):g}; wanted "
                    f"a factor of {low:g} to {high:g}."
                )
                raise ConfigError(msg)
        if not 0.0 <= self.spread <= 0.5:
            msg = f"episode {self.name!r} has spread {self.spread:g}; wanted 0 to 0.5."
            raise ConfigError(msg)
        usual = self.hr * self.sv * self.tone
        most = usual ** (1.0 + _STRONGEST * self.spread)
        if not _PRESSURES[0] <= most <= _PRESSURES[1]:
            msg = (
                f"episode {self.name!r} multiplies pressure above outflow pressure by "
                f"hr sv tone = {usual:g}, by {most:g} in who answers most; wanted "
                f"{_PRESSURES[0]:g} to {_PRESSURES[1]:g}. Let one make up for another."
            )
            raise ConfigError(msg)

    @classmethod
    def exercise(cls, start: float, duration: float) -> Self:
        """Return moderate dynamic exercise: output doubled, resistance down by 40 %.

        About 50 % of maximal uptake: heart rate 70 to 115, stroke volume +20 %, mean
        pressure +10 mmHg (Higginbotham 1986, doi:10.1161/01.RES.58.2.281); pre-ejection
        period and ejection time shorten. Rounded; an assumption for older people.
        Systolic pressure rises by some 10 mmHg in the aorta and 20 in the arm, which is
        less than in people.
        """
        return cls("exercise", start, duration, 60.0, 120.0, 1.65, 1.2, 0.59, 0.78, 0.7)

    @classmethod
    def cold_pressor(cls, start: float, duration: float) -> Self:
        """Return a hand in ice water: resistance and rate rise, mean pressure +15-20 %.

        Size as in Victor 1987 (doi:10.1161/01.HYP.9.5.429), rounded.
        """
        return cls("cold pressor", start, duration, 30.0, 60.0, 1.08, 0.98, 1.2)

    @classmethod
    def vasopressor(cls, start: float, duration: float) -> Self:
        """Return phenylephrine: resistance rises, heart rate falls by reflex.

        The size, mean pressure up by a sixth, is an assumption.
        """
        return cls(
            *("vasopressor", start, duration, 60.0, 300.0),
            *(0.85, 1.02, 1.45, 1.04, 1.05),
        )

    @classmethod
    def nitroglycerin(cls, start: float, duration: float) -> Self:
        """Return nitroglycerin under the tongue: veins and arteries widen.

        Stroke volume and pressure fall, heart rate rises by reflex. The size, mean
        pressure down by a tenth, is an assumption; the fall of wave reflection beyond
        that of pressure (Kelly 1990) is not in it.
        """
        return cls(
            *("nitroglycerin", start, duration, 120.0, 600.0),
            *(1.12, 0.85, 0.87, 0.94, 1.08),
        )

    @classmethod
    def standing(cls, start: float, duration: float) -> Self:
        """Return standing up: less filling, faster heart, higher resistance.

        Stroke volume falls by a third or less and heart rate rises by a fifth; the
        sizes are assumptions. The weight of the blood between heart and arm is not in
        it.
        """
        return cls(
            *("standing", start, duration, 15.0, 20.0),
            *(1.2, 0.72, 1.25, 0.88, 1.15),
        )

    @classmethod
    def sleep(cls, start: float, duration: float) -> Self:
        """Return a night: rate and pressure fall by some 15 and 10 % ("dipping")."""
        return cls("sleep", start, duration, 1200.0, 900.0, 0.85, 1.03, 0.96)


@dataclass(frozen=True, eq=False)
class EpisodeDraw:
    """How each person goes through the episodes.

    Attributes:
        names: Of the episodes.
        times: Begin, rise, end, fall; s. Shape (episode, 4).
        effects: Logarithms of the factors, `EFFECTS`. (subject, episode, effect).
    """

    names: tuple[str, ...]
    times: Float[np.ndarray, "episode 4"]
    effects: Float[np.ndarray, "subject episode 5"]

    def __len__(self) -> int:
        return len(self.effects)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the people at these rows (indices or a mask)."""
        return replace(self, effects=self.effects[rows])


def draw_episodes(
    episodes: Sequence[Episode], n: int, rng: np.random.Generator
) -> EpisodeDraw:
    """Draw how strongly n people answer; the first ones do not depend on n."""
    strengths = [
        1.0 + episode.spread * np.clip(part.standard_normal(n), -_STRONGEST, _STRONGEST)
        for episode, part in zip(episodes, rng.spawn(len(episodes)), strict=True)
    ]
    logs = [[math.log(getattr(e, name)) for name in EFFECTS] for e in episodes]
    strength = np.reshape(strengths, (len(episodes), n)).T
    effects = np.reshape(logs, (len(episodes), len(EFFECTS)))
    times = [[e.start, e.rise, e.start + e.duration, e.fall] for e in episodes]
    return EpisodeDraw(
        names=tuple(e.name for e in episodes),
        times=np.reshape(np.array(times, dtype=np.float64), (len(episodes), 4)),
        effects=strength[:, :, None] * effects,
    )


@compiled()
@no_type_check
def envelope(times: np.ndarray, time: float) -> float:
    """Return how far an episode is on, 0..1: half cosines up and down.

    Args:
        times: Beginning, duration of the rise, end, duration of the fall; s.
        time: s.
    """
    begin, rise, end, fall = times
    if time <= begin or time >= end + fall:
        return 0.0
    if time < begin + rise:
        return 0.5 - 0.5 * math.cos(math.pi * (time - begin) / rise)
    if time > end:
        return 0.5 + 0.5 * math.cos(math.pi * (time - end) / fall)
    return 1.0


@dataclass(frozen=True, eq=False)
class VasomotionDraw:
    """Oscillations of each person's vascular tone.

    Attributes:
        mayer, slow: Root mean square of the logarithm of tone. Shape (subject,).
        lines: Of the logarithm of tone.
    """

    mayer: Float[np.ndarray, " subject"]
    slow: Float[np.ndarray, " subject"]
    lines: Lines

    def __len__(self) -> int:
        return len(self.mayer)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the people at these rows (indices or a mask)."""
        return replace(
            self,
            mayer=self.mayer[rows],
            slow=self.slow[rows],
            lines=self.lines.take(rows),
        )


@dataclass(frozen=True)
class Vasomotion:
    """How tone oscillates in some people; each range is spread evenly over people.

    The sizes are assumptions, such that mean pressure varies by 1 to 4 mmHg. They do
    not depend on what the heart rate does: there is no baroreflex from beat to beat.

    Attributes:
        mayer: Root mean square of the logarithm of tone at 0.07 to 0.13 Hz.
        slow: At 0.005 to 0.05 Hz.

    Raises:
        ConfigError: If a range is upside down or above 0.1; the message names it.
    """

    mayer: Range = (0.01, 0.05)
    slow: Range = (0.01, 0.05)

    def __post_init__(self) -> None:
        check_ranges("vasomotion", self, _VESSELS)

    @classmethod
    def none(cls) -> Self:
        """Return vessels that hold still."""
        return cls((0.0, 0.0), (0.0, 0.0))

    def draw(self, n: int, rng: np.random.Generator) -> VasomotionDraw:
        """Draw the vasomotion of n people; the first ones do not depend on n."""
        rest, fast_lines, slow_lines = rng.spawn(3)
        drawn = draw_ranges(self, _VESSELS, n, rest)
        mayer, slower = drawn["mayer"], drawn["slow"]
        bands = [
            draw_lines(n, fast_lines, band=_MAYER, rms=mayer, count=6),
            draw_lines(n, slow_lines, band=_SLOW, rms=slower, count=10),
        ]
        both = (np.concatenate(pair, axis=1) for pair in zip(*bands, strict=True))
        return VasomotionDraw(mayer, slower, Lines(*both))
