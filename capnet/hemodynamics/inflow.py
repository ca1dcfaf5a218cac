"""What the heart ejects into the aorta during one beat.

A template (Mynard and Smolich 2015) is stretched piece by piece: onset to peak flow,
peak to end of ejection, backflow at valve closure. It is a polygon, so volumes and
Fourier coefficients are exact sums and need no sampling.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from capnet.errors import ConfigError

__all__ = ["Ejection"]

PerSubject = Float[np.ndarray, " subject"]

CLOSURE: Final = 0.309 / 0.282
"""End of the backflow over the ejection time (PWDB)."""


class _Shape(NamedTuple):
    """The template as a polygon over its own clock.

    The clock reads 0 at onset, 1 at peak flow, 2 at end of ejection, 3 at closure.
    Volumes are those of each of the three pieces if it lasted 1 s.
    """

    clock: Float[np.ndarray, " knot"]
    flow: Float[np.ndarray, " knot"]
    volume: Float[np.ndarray, "3"]


@cache
def _template() -> _Shape:
    table = (
        files("capnet.hemodynamics") / "tables" / "inflow_template_mynard2015_1kHz.csv"
    )
    flow = np.loadtxt(table.read_text("utf-8").splitlines(), dtype=np.float64)
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


@dataclass(frozen=True, eq=False)
class Ejection:
    """How each subject's heart ejects.

    Attributes:
        hr: Heart rate, bpm.
        sv: Net volume of a beat, ml.
        lvet: Ejection time, ms.
        pft: Onset to peak flow, ms.
        rfv: Volume that flows back at valve closure, ml.

    Raises:
        ConfigError: If the times do not follow each other within one beat or a
            volume is not positive; the message names the first subject concerned.
    """

    hr: PerSubject
    sv: PerSubject
    lvet: PerSubject
    pft: PerSubject
    rfv: PerSubject

    def __post_init__(self) -> None:
        period = 60e3 / self.hr
        good = (self.pft > 0) & (self.pft < self.lvet) & (self.lvet * CLOSURE < period)
        bad = np.flatnonzero(~(good & (self.sv > 0) & (self.rfv > 0)))
        if len(bad):
            i = int(bad[0])
            msg = (
                f"subject {i} has heart rate {self.hr[i]:.1f} bpm, stroke volume "
                f"{self.sv[i]:.1f} ml, ejection time {self.lvet[i]:.0f} ms, peak flow "
                f"at {self.pft[i]:.0f} ms, backflow {self.rfv[i]:.2f} ml; wanted "
                "positive volumes and 0 < peak < ejection time < 0.91 of the beat. "
                "Narrow the population's deviates."
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

    def polygon(
        self,
    ) -> tuple[Float[np.ndarray, "subject knot"], Float[np.ndarray, "subject knot"]]:
        """Return the corners of the flow: time since onset (s) and flow (m3/s).

        It is zero between the last corner and the next beat.
        """
        shape = _template()
        ends = (
            np.stack([0 * self.lvet, self.pft, self.lvet, CLOSURE * self.lvet], 1) / 1e3
        )
        piece = np.minimum(shape.clock.astype(np.int64), 2)
        duration = np.diff(ends, axis=1)
        time = ends[:, piece] + (shape.clock - piece) * duration[:, piece]
        forward = (self.sv + self.rfv) / (duration[:, :2] @ shape.volume[:2])
        backward = -self.rfv / (duration[:, 2] * shape.volume[2])
        gain = np.where(shape.clock < 2.0, forward[:, None], backward[:, None])
        return time, gain * shape.flow * 1e-6

    def harmonics(self, count: int) -> Complex[np.ndarray, "subject harmonic"]:
        r"""Return the Fourier coefficients, m3/s, mean flow first.

        With the slope jumping by :math:`d_j` at corner :math:`t_j`,
        :math:`c_k = -\sum_j d_j e^{-i\omega_k t_j} / (T \omega_k^2)`.

        Args:
            count: Highest harmonic.

        Returns:
            Coefficients so that the flow is ``c[0] + 2 Re sum c[k] exp(i w_k t)``.
            Shape (subject, count + 1).
        """
        time, flow = self.polygon()
        slope = np.diff(flow, axis=1) / np.diff(time, axis=1)
        jump = np.diff(slope, axis=1, prepend=0.0, append=0.0)
        omega = 2.0 * np.pi / self.period
        turn = np.exp(-1j * omega[:, None] * time)
        answer = np.empty((len(self), count + 1), dtype=np.complex128)
        answer[:, 0] = self.output
        term = jump.astype(np.complex128)
        for k in range(1, count + 1):
            term = term * turn
            answer[:, k] = -term.sum(axis=1) / (self.period * (k * omega) ** 2)
        return answer
