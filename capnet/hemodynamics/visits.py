"""Visits: the waves of the same people at the moments when something is measured.

In a catheter laboratory the pullback through the aorta, the recording at the finger and
the cuff reading follow each other, minutes apart, and pressure and heart rate wander in
between. `Apart` says how far; the walls stay those of the person.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

import numpy as np
from jaxtyping import Shaped

from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.cohort import Cohort, stream
from capnet.hemodynamics.waves import Waves

__all__ = ["Apart", "Moment", "Visit"]

Moment = Literal["reference", "cuff"]
"""What may be measured at another time than the pulse."""

_CLIP: Final = 2.2
"""Standard deviates are held within plus and minus this, as those of a cohort."""

_LEAST_ABOVE: Final = 20.0
"""mmHg that the mean pressure stays above the pressure behind the beds."""


@dataclass(frozen=True)
class Apart:
    """How far a person's state wanders between two moments of a visit.

    The default is a visit where everything is measured at once.

    Attributes:
        mbp_sd: Standard deviation of the change of mean pressure, mmHg.
        hr_sd: Standard deviation of the relative change of heart rate.

    Raises:
        ConfigError: If one is negative, or the heart rate could change by half.
    """

    mbp_sd: float = 0.0
    hr_sd: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.mbp_sd <= 15 and 0 <= self.hr_sd <= 0.2):
            msg = (
                f"moments are apart by {self.mbp_sd:g} mmHg and {self.hr_sd:g} of the "
                "heart rate; wanted SDs of 0 to 15 mmHg and 0 to 0.2."
            )
            raise ConfigError(msg)

    def __bool__(self) -> bool:
        return self.mbp_sd > 0 or self.hr_sd > 0

    def at(self, cohort: Cohort, moment: Moment, *, seed: int, n: int) -> Cohort:
        """Return the same people in the state of another moment.

        Ejection time follows the heart rate by -1.7 ms/bpm (Weissler 1961); vessels,
        stroke volume and everything else stay.

        Args:
            cohort: The people at the moment of the pulse.
            moment: Each has draws of its own.
            seed: Of the clinic.
            n: How many people the clinic has; nobody's draw depends on the others.
        """
        p, who = dict(cohort.parameters), cohort.index

        def deviate(word: str) -> np.ndarray:
            drawn = stream(seed, "apart", moment, word).standard_normal(n)[who]
            held: np.ndarray = np.clip(drawn, -_CLIP, _CLIP)
            return held

        faster = np.exp(self.hr_sd * deviate("hr"))
        p["lvet"] = p["lvet"] - 1.7 * p["hr"] * (faster - 1.0)
        p["hr"] = p["hr"] * faster
        least = np.minimum(p["mbp"], p["pout"] + _LEAST_ABOVE)
        p["mbp"] = np.maximum(p["mbp"] + self.mbp_sd * deviate("mbp"), least)
        return replace(cohort, parameters=p)


@dataclass(frozen=True, eq=False)
class Visit:
    """Waves of the same people at each moment of a visit.

    Attributes:
        pulse: While the finger (and whatever else is peripheral) is recorded.
        reference: While the central pressure is measured.
        cuff: While the cuff is read.

    Raises:
        ShapeError: If they are not the same people.
    """

    pulse: Waves
    reference: Waves
    cuff: Waves

    def __post_init__(self) -> None:
        who = self.pulse.cohort.index
        for waves in (self.reference, self.cuff):
            if not np.array_equal(waves.cohort.index, who):
                msg = (
                    f"a visit has waves of {len(self.pulse)} and of {len(waves)} "
                    "people, or of others; wanted the same people in the same order."
                )
                raise ShapeError(msg)

    @classmethod
    def at_once(cls, waves: Waves) -> Self:
        """Return a visit where everything is measured in the same beats."""
        return cls(waves, waves, waves)

    def __len__(self) -> int:
        return len(self.pulse)

    @property
    def cohort(self) -> Cohort:
        """The people, in their state while the pulse is recorded."""
        return self.pulse.cohort

    def map(self, change: Callable[[Waves], Waves]) -> Self:
        """Return the visit with its waves changed; those shared stay shared."""
        changed: dict[int, Waves] = {}
        for waves in (self.pulse, self.reference, self.cuff):
            if id(waves) not in changed:
                changed[id(waves)] = change(waves)
        return type(self)(
            *(changed[id(w)] for w in (self.pulse, self.reference, self.cuff))
        )

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the people at these rows (indices, a mask or a slice)."""
        return self.map(lambda waves: waves.take(rows))

    def __repr__(self) -> str:
        when = "at once" if self.reference is self.pulse else "one after the other"
        return f"Visit({len(self)} virtual people, everything measured {when})"
