"""What the heart ejects into the aorta.

An `Inflow` is a periodic polygon, so that volumes and Fourier coefficients are exact
sums and need no sampling. An `Ejection` describes a heart beat as clinicians do and
stretches a template (Mynard and Smolich 2015) piece by piece: onset to peak flow,
peak to end of ejection, backflow at valve closure.
"""

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple, Self

import numpy as np
from jaxtyping import Complex, Float, Int, Shaped

from capnet.errors import ConfigError, ShapeError

__all__ = ["Ejection", "Inflow"]

PerSubject = Float[np.ndarray, " subject"]
PerKnot = Float[np.ndarray, "subject knot"]
Template = Float[np.ndarray, " sample"]

CLOSURE: Final = 0.309 / 0.282
"""End of the backflow over the ejection time (PWDB)."""


@dataclass(frozen=True, eq=False)
class Inflow:
    """Periodic flow into the root of each subject, linear between its knots.

    The last knot is joined to the first one of the next beat by a straight line.

    Attributes:
        period: Duration of a beat, s. Shape (subject,).
        time: Of the knots, rising within [0, period], s. Shape (subject, knot).
        flow: At the knots, m3/s. Shape (subject, knot).
        index: Who they are, for messages (not kept); their rows by default.

    Raises:
        ShapeError: If the arrays do not fit each other.
        ConfigError: If a number is not finite, the times do not rise within the
            beat, the flow jumps, or no blood is ejected; the message names the first
            subject concerned.
    """

    period: PerSubject
    time: PerKnot
    flow: PerKnot
    index: InitVar[Int[np.ndarray, " subject"] | None] = None

    def __post_init__(self, index: Int[np.ndarray, " subject"] | None) -> None:
        shape = self.time.shape
        fits = shape == self.flow.shape and shape[0] == len(self.period)
        if not fits or shape[1] < 2:
            msg = (
                f"period, time and flow have shapes {self.period.shape}, {shape}, "
                f"{self.flow.shape}; wanted (subject,) and twice (subject, knot) with "
                "at least two knots."
            )
            raise ShapeError(msg)
        self._blame(
            ~(np.isfinite(self.period) & (self.period > 0)),
            lambda i: f"a period of {self.period[i]:g} s; wanted a positive number",
            index,
        )
        finite = np.isfinite(self.time) & np.isfinite(self.flow)
        self._blame(
            ~finite.all(axis=1),
            lambda i: f"an inflow with {int((~finite[i]).sum())} knots not finite",
            index,
        )
        rising = (np.diff(self.time, axis=1) > 0).all(axis=1)
        inside = (self.time[:, 0] >= 0) & (self.time[:, -1] <= self.period)
        self._blame(
            ~(rising & inside),
            lambda i: (
                f"inflow knots at {self.time[i, 0]:g} to {self.time[i, -1]:g} s; "
                f"wanted rising times within 0 to {self.period[i]:g} s (one beat)"
            ),
            index,
        )
        self._blame(
            (self._gap == 0) & (self.flow[:, 0] != self.flow[:, -1]),
            lambda i: (
                f"an inflow that jumps from {self.flow[i, -1]:g} to "
                f"{self.flow[i, 0]:g} m3/s when the beat begins anew; wanted the same "
                "flow at both ends"
            ),
            index,
        )
        self._blame(
            ~(self.output > 0),
            lambda i: f"a mean inflow of {self.output[i]:g} m3/s; wanted more than 0",
            index,
        )

    def _blame(
        self,
        bad: Shaped[np.ndarray, " subject"],
        found: Callable[[int], str],
        index: Int[np.ndarray, " subject"] | None,
    ) -> None:
        rows = np.flatnonzero(bad)
        if len(rows):
            i = int(rows[0])
            who = i if index is None else index[i]
            msg = f"subject {who} has {found(i)}. Correct the inflow."
            raise ConfigError(msg)

    def __len__(self) -> int:
        return len(self.period)

    @property
    def _gap(self) -> PerSubject:
        """From the last knot to the first one of the next beat, s."""
        gap: PerSubject = self.period - self.time[:, -1] + self.time[:, 0]
        return gap

    @property
    def output(self) -> PerSubject:
        """Mean flow (cardiac output), m3/s."""
        closing = 0.5 * (self.flow[:, -1] + self.flow[:, 0]) * self._gap
        volume = np.trapezoid(self.flow, self.time, axis=1) + closing
        output: PerSubject = volume / self.period
        return output

    def harmonics(self, count: int) -> Complex[np.ndarray, "subject harmonic"]:
        r"""Return the Fourier coefficients, m3/s, mean flow first.

        With the slope jumping by :math:`d_j` at knot :math:`t_j`,
        :math:`c_k = -\sum_j d_j e^{-i\omega_k t_j} / (T \omega_k^2)`.

        Args:
            count: Highest harmonic.

        Returns:
            Coefficients so that the flow is ``c[0] + 2 Re sum c[k] exp(i w_k t)``.
            Shape (subject, count + 1).
        """
        gap = self._gap
        closing = np.zeros_like(gap)
        step = self.flow[:, 0] - self.flow[:, -1]
        np.divide(step, gap, out=closing, where=gap > 0)
        slope = np.diff(self.flow, axis=1) / np.diff(self.time, axis=1)
        slope = np.concatenate([closing[:, None], slope, closing[:, None]], axis=1)
        jump = np.diff(slope, axis=1)
        omega = 2.0 * np.pi / self.period
        turn = np.exp(-1j * omega[:, None] * self.time)
        answer = np.empty((len(self), count + 1), dtype=np.complex128)
        answer[:, 0] = self.output
        term = jump.astype(np.complex128)
        for k in range(1, count + 1):
            term = term * turn
            answer[:, k] = -term.sum(axis=1) / (self.period * (k * omega) ** 2)
        return answer

    def at(
        self, times: Float[np.ndarray, "subject time"]
    ) -> Float[np.ndarray, "subject time"]:
        """Return the flow at any times, m3/s.

        Args:
            times: s; periodic, so they may lie before or after the beat.
        """
        if len(times) != len(self):
            msg = f"there are {len(times)} rows of times; wanted {len(self)}."
            raise ShapeError(msg)
        answer = np.empty(times.shape)
        for i, row in enumerate(times):
            answer[i] = np.interp(
                row, self.time[i], self.flow[i], period=self.period[i]
            )
        return answer

    def volume(
        self, times: Float[np.ndarray, "subject time"]
    ) -> Float[np.ndarray, "subject time"]:
        """Return what has been ejected since time 0, exactly, m3.

        Args:
            times: s, not before 0.
        """
        # One beat as a closed polygon from 0 to the period.
        ends = np.stack([np.zeros_like(self.period), self.period], axis=1)
        edge = self.at(ends[:, :1])
        knots = np.concatenate([ends[:, :1], self.time, ends[:, 1:]], axis=1)
        flow = np.concatenate([edge, self.flow, edge], axis=1)
        gap = np.diff(knots, axis=1)
        parts = 0.5 * gap * (flow[:, 1:] + flow[:, :-1])
        total = np.concatenate([np.zeros_like(edge), parts.cumsum(axis=1)], axis=1)
        answer = np.empty(times.shape)
        for i, row in enumerate(times):
            beats, rest = np.divmod(row, self.period[i])
            k = np.searchsorted(knots[i], rest, side="right") - 1
            k = np.clip(k, 0, gap.shape[1] - 1)
            late = rest - knots[i, k]
            slope = np.zeros_like(late)
            step = flow[i, k + 1] - flow[i, k]
            np.divide(step, gap[i, k], out=slope, where=gap[i, k] > 0)
            inside = total[i, k] + late * (flow[i, k] + 0.5 * late * slope)
            answer[i] = beats * total[i, -1] + inside
        return answer

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the subjects at these rows (indices, a mask or a slice)."""
        return replace(
            self, period=self.period[rows], time=self.time[rows], flow=self.flow[rows]
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join subjects; polygons of fewer knots get more on their first line.

        Raises:
            ShapeError: If there is nothing to join.
        """
        if not parts:
            msg = "no inflows to join; wanted at least one."
            raise ShapeError(msg)
        knots = max(part.time.shape[1] for part in parts)
        even = [part._refined(knots) for part in parts]
        return cls(
            np.concatenate([part.period for part in even]),
            np.concatenate([part.time for part in even]),
            np.concatenate([part.flow for part in even]),
        )

    def _refined(self, knots: int) -> Self:
        """Return the same flow with this many knots."""
        more = knots - self.time.shape[1]
        if not more:
            return self

        def fill(ends: PerKnot) -> Float[np.ndarray, "subject finer"]:
            first = np.linspace(ends[:, 0], ends[:, 1], more + 2, axis=1)
            return np.concatenate([first, ends[:, 2:]], axis=1)

        return replace(self, time=fill(self.time), flow=fill(self.flow))


class _Shape(NamedTuple):
    """A template as a polygon over its own clock.

    The clock reads 0 at onset, 1 at peak flow, 2 at end of ejection, 3 at closure.
    Volumes are those of each of the three pieces if it lasted 1 s.
    """

    clock: Float[np.ndarray, " knot"]
    flow: Float[np.ndarray, " knot"]
    volume: Float[np.ndarray, "3"]


def _shape(samples: Template) -> _Shape:
    """Read a template: even samples from onset, backflow, then zeros or the end."""
    flow = np.array(samples, dtype=np.float64)
    flow[0] = 0.0
    peak = int(flow.argmax())
    last = int(np.flatnonzero(flow)[-1]) + 1
    after = peak + int(np.flatnonzero(flow[peak:] <= 0.0)[0])  # first backward sample
    crossing = after - 1 + flow[after - 1] / (flow[after - 1] - flow[after])
    time = np.concatenate([np.arange(after), [crossing], np.arange(after, last + 1)])
    flow = np.concatenate([flow[:after], [0.0], flow[after:last], [0.0]])
    clock = np.interp(time, [0.0, peak, crossing, last], [0.0, 1.0, 2.0, 3.0])
    pieces = [(clock >= k) & (clock <= k + 1) for k in range(3)]
    volume = np.array([np.trapezoid(flow[p], clock[p]) for p in pieces])
    return _Shape(clock, flow, volume)


@cache
def _packaged_shape() -> _Shape:
    table = (
        files("capnet.hemodynamics") / "tables" / "inflow_template_mynard2015_1kHz.csv"
    )
    return _shape(np.loadtxt(table.read_text("utf-8").splitlines(), dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Ejection:
    """How each subject's heart ejects.

    Attributes:
        hr: Heart rate, bpm.
        sv: Net volume of a beat, ml.
        lvet: Ejection time, ms.
        pft: Onset to peak flow, ms.
        rfv: Volume that flows back at valve closure, ml.
        index: Who they are, for messages; their rows by default.

    Raises:
        ConfigError: If a number is not finite, the times do not follow each other
            within one beat or a volume is not positive; the message names the first
            subject concerned.
    """

    hr: PerSubject
    sv: PerSubject
    lvet: PerSubject
    pft: PerSubject
    rfv: PerSubject
    index: Int[np.ndarray, " subject"] | None = None

    def __post_init__(self) -> None:
        good = np.isfinite(self.hr + self.sv + self.lvet + self.pft + self.rfv)
        good &= (self.hr > 0) & (self.pft > 0) & (self.pft < self.lvet)
        # the ejection time times the heart rate, so that a rate of 0 divides nothing
        good &= self.lvet * CLOSURE * self.hr < 60e3
        bad = np.flatnonzero(~(good & (self.sv > 0) & (self.rfv > 0)))
        if len(bad):
            i = int(bad[0])
            who = i if self.index is None else self.index[i]
            msg = (
                f"subject {who} has heart rate {self.hr[i]:.1f} bpm, stroke volume "
                f"{self.sv[i]:.1f} ml, ejection time {self.lvet[i]:.0f} ms, peak flow "
                f"at {self.pft[i]:.0f} ms, backflow {self.rfv[i]:.2f} ml; wanted a "
                "positive rate, positive volumes and 0 < peak < ejection time < 0.91 "
                "of the beat. Narrow the population's deviates."
            )
            raise ConfigError(msg)

    def __len__(self) -> int:
        return len(self.hr)

    @property
    def period(self) -> PerSubject:
        """Duration of a beat, s."""
        return 60.0 / self.hr

    @property
    def output(self) -> PerSubject:
        """Cardiac output, m3/s."""
        output: PerSubject = self.sv * 1e-6 / self.period
        return output

    def inflow(self) -> Inflow:
        """Return the flow, which is zero between valve closure and the next beat."""
        shape = _packaged_shape()
        ends = (
            np.stack([0 * self.lvet, self.pft, self.lvet, CLOSURE * self.lvet], 1) / 1e3
        )
        piece = np.minimum(shape.clock.astype(np.int64), 2)
        duration = np.diff(ends, axis=1)
        time = ends[:, piece] + (shape.clock - piece) * duration[:, piece]
        forward = (self.sv + self.rfv) / (duration[:, :2] @ shape.volume[:2])
        backward = -self.rfv / (duration[:, 2] * shape.volume[2])
        gain = np.where(shape.clock < 2.0, forward[:, None], backward[:, None])
        return Inflow(self.period, time, gain * shape.flow * 1e-6, self.index)
