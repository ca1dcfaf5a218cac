r"""Transients: what one ejection does to pressure everywhere, in any state of a person.

The linear equations are solved for an ejection alone in a period of `PERIOD` seconds,
which gives the transfer from flow at the root to pressure and volume, at the mean flow
and so at the mean state of the ordinary heart beat. Behind it an ejection of any length
is a product of spectra. The answer :math:`g(t)` to one ejection is soon a pure decay of
the whole arterial reservoir, so that it is kept as

.. math:: g(t) = b(t) + A e^{-t/\tau}, \qquad b(t) = 0 \text{ for } t > 2.6\,\mathrm{s},

and what the period has folded back is taken out of the decay. Pressure in a train of
beats is then the sum of their transients upon the pressure behind the beds.

States lie on a grid of working pressure (compliance and wave speed follow it), tone
(resistance of arterioles) and ejection time. A mixture of the answers to a shorter and
to a longer ejection is the exact answer to the mixture of both; between working
pressures and tones :math:`b, A` and :math:`\tau` are interpolated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
from jaxtyping import Complex, Float, Shaped
from scipy.fft import irfft

from capnet.errors import ConfigError
from capnet.hemodynamics.beds import Beds
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.inflow import Ejection, Inflow
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.network import Network
from capnet.units import MMHG

__all__ = [
    "EJECTIONS",
    "LEAD",
    "LEVELS",
    "PERIOD",
    "RATE",
    "TONES",
    "Responses",
    "Transients",
    "solve_transients",
]

PerSubject = Float[np.ndarray, " subject"]

PERIOD: Final = 8.192
"""s between ejections in what is solved."""
HARMONICS: Final = 512
"""Of that period: up to 62.5 Hz."""
RATE: Final = 500.0
"""Hz, at which transients are kept."""
LEAD: Final = 0.06
"""s before the onset of flow with which they begin: waves of limited band ring."""
LEVELS: Final = (0.65, 1.0, 1.6)
"""Mean pressure above outflow pressure, parts of that at rest."""
TONES: Final = (0.15, 0.3, 0.5, 0.75, 1.0, 1.25, 1.6, 2.1)
"""Resistance of the arterioles (R2), parts of that at rest."""
EJECTIONS: Final = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
"""Ejection time, parts of that at rest."""

_END: Final = 2.6
"""s after onset where the body of a transient ends."""
_FADE: Final = 0.5
"""s over which what is left of it is faded out."""
_FIRST_LOOK: Final = (0.7, 1.0)
"""s after onset: the decay is first read here ..."""
_LOOK: Final = 4.0
"""... and then this many of its time constants after onset, ..."""
_EARLIEST_LOOK: Final = 0.8
"""s, but no earlier than this: waves still travel"""
_LATEST_LOOK: Final = 2.0
"""s, and no later than this."""
_STRETCH: Final = 0.4
"""Length of each of the two stretches whose means tell the decay, parts of the time at
which the first begins."""
_SPIKE: Final = 0.01
"""s: half of the base of the triangle of flow that is solved for."""
_ROWS: Final = 32
"""People solved at once."""


class Responses(NamedTuple):
    """Transients of one person, one for each ml of stroke volume.

    Channels are pressure at the sites (mmHg) and then the volume of the bed (pulse
    heights of the usual beat at rest).

    Attributes:
        body: From `LEAD` before onset on, at `RATE`, without the decay. Shape
            (level, tone, ejection, channel, time).
        tail: The decay at the beginning of ``body``. (level, tone, ejection, channel).
        decay: Its time constant, s. Shape (level, tone).
        area: Integral of ``body`` over time. Shape (level, tone, ejection, channel).
        resistance: Of the whole body, parts of that at rest, rising. Shape (tone,).
        base: What a channel shows when the heart stands still. Shape (channel,).
    """

    body: np.ndarray
    tail: np.ndarray
    decay: np.ndarray
    area: np.ndarray
    resistance: np.ndarray
    base: np.ndarray


@dataclass(frozen=True, eq=False)
class Transients:
    """How the arteries of each person answer to flow from the heart.

    Attributes:
        sites: Where pressure is taken.
        bed: Site whose bed is seen by light; the last channel.
        transfer: From flow at the root (ml/s) to pressure (mmHg) above outflow pressure
            and to the bed's volume (ml). Harmonics of 1 / `PERIOD`, mean first. Shape
            (subject, level, tone, channel, harmonic).
        outflow: Pressure behind the beds, mmHg.
        hr: Heart rate at rest, bpm.
        sv: Stroke volume at rest, ml.
        lvet, pft: Ejection time and time to peak flow at rest, ms.
        rfv: Backflow at rest, ml.
    """

    sites: tuple[str, ...]
    bed: str
    transfer: Complex[np.ndarray, "subject level tone channel harmonic"]
    outflow: PerSubject
    hr: PerSubject
    sv: PerSubject
    lvet: PerSubject
    pft: PerSubject
    rfv: PerSubject

    def __len__(self) -> int:
        return len(self.outflow)

    @property
    def interval(self) -> PerSubject:
        """Between two beats at rest, s."""
        return 60.0 / self.hr

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the people at these rows (indices, a mask or a slice)."""
        names = ("transfer", "outflow", "hr", "sv", "lvet", "pft", "rfv")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def ejections(self, row: int) -> Complex[np.ndarray, "ejection harmonic"]:
        """Return the spectra of one person's ejections of 1 ml, ml/s."""
        part, sv = np.array(EJECTIONS), self.sv[row]
        alike = np.ones(len(part))
        heart = Ejection(
            hr=60.0 / PERIOD * alike,
            sv=sv * alike,
            lvet=self.lvet[row] * part,
            pft=self.pft[row] * part,
            rfv=self.rfv[row] * alike,
        )
        count = self.transfer.shape[-1] - 1
        spectra: np.ndarray = heart.inflow().harmonics(count) * (1e6 / sv)
        return spectra

    def responses(self, row: int) -> Responses:
        """Return one person's transients in the time domain."""
        count = round(PERIOD * RATE)
        frequency = np.arange(self.transfer.shape[-1]) / PERIOD
        start = np.exp(-2j * np.pi * frequency * LEAD)
        ejection = (self.ejections(row) * start)[:, None, :].astype(np.complex64)
        # single precision, 1e-5 mmHg, is what answers are kept in
        spectra = self.transfer[row][:, :, None] * ejection
        folded = irfft(spectra, n=count, norm="forward")
        decay, level = _decay(folded)
        time = np.arange(count) / RATE
        falling = np.exp(-time / decay[:, :, None]).astype(np.float32)
        size = round((LEAD + _END) * RATE) + 1
        falls = level.astype(np.float32)[..., None] * falling[:, :, None, None, :size]
        body = folded[..., :size] - falls
        fade = np.clip((size - 1 - np.arange(size)) / (_FADE * RATE), 0.0, 1.0)
        fade = 0.5 - 0.5 * np.cos(np.pi * fade)
        # the period folds the decay back upon itself, see the module; faster decays
        # too, a little, which shows in that a transient does not begin with nothing
        tail = level * -np.expm1(-PERIOD / decay)[:, :, None, None]
        begin = (body[..., 0] + tail)[..., None]
        lost = begin * np.exp(-time[:size])
        body = (body - lost.astype(np.float32)) * fade.astype(np.float32)
        # what fits and fades have lost, less than 1 %, is given back: mean pressure is
        # that of the mean flow
        area = np.trapezoid(body, dx=1.0 / RATE, axis=-1)
        whole = self.transfer[row, ..., 0].real
        scale = whole[:, :, None] / (area + tail * decay[:, :, None, None])
        body *= scale[..., None].astype(np.float32)
        tail, area = tail * scale, area * scale
        channels = len(self.sites)
        base = np.append(np.full(channels, self.outflow[row]), 0.0)
        rest = self._at_rest(body, tail, decay, row)[-1]
        low, height = rest.min(), np.ptp(rest)
        body[..., -1, :] /= height
        tail[..., -1] /= height
        area[..., -1] /= height
        base[-1] = -low / height
        resistance = whole[LEVELS.index(1.0), :, 0]
        return Responses(
            body=body,
            tail=np.ascontiguousarray(tail),
            decay=np.ascontiguousarray(decay),
            area=np.ascontiguousarray(area),
            resistance=resistance / resistance[TONES.index(1.0)],
            base=base,
        )

    def _at_rest(
        self, body: np.ndarray, tail: np.ndarray, decay: np.ndarray, row: int
    ) -> Float[np.ndarray, "channel time"]:
        """Return one beat of a regular train at rest, without its base."""
        usual = (LEVELS.index(1.0), TONES.index(1.0), EJECTIONS.index(1.0))
        period, tau = float(self.interval[row]), float(decay[usual[:2]])
        time = np.arange(int(period * RATE) + 1) / RATE
        left = tail[usual][:, None] / -np.expm1(-period / tau)
        answer = left * np.exp(-time / tau)
        table = np.arange(body.shape[-1]) / RATE
        for k in range(int(table[-1] / period) + 1):
            for c in range(len(answer)):
                answer[c] += np.interp(
                    time + k * period, table, body[usual][c], right=0.0
                )
        rested: np.ndarray = answer * self.sv[row]
        return rested


def _decay(
    folded: Float[np.ndarray, "level tone ejection channel time"],
) -> tuple[
    Float[np.ndarray, "level tone"],
    Float[np.ndarray, "level tone ejection channel"],
]:
    """Return the time constant with which all sites decay, s, and its amplitude.

    That is the amplitude at the beginning of what is given.
    """
    decay = np.empty(folded.shape[:2])
    level = np.empty(folded.shape[:4])
    time = np.arange(folded.shape[-1]) / RATE
    for state in np.ndindex(decay.shape):
        pressure = folded[state][:, :-1].mean(axis=(0, 1))  # over ejections and sites
        tau = _time_constant(pressure, *_FIRST_LOOK)
        begin = min(max(_LOOK * tau, _EARLIEST_LOOK), _LATEST_LOOK)
        end = (1.0 + _STRETCH) * begin
        decay[state] = _time_constant(pressure, begin, end)
        first, last = (round((LEAD + t) * RATE) for t in (begin, end))
        falling = np.exp(-time[first:last] / decay[state]).sum()
        level[state] = folded[state][..., first:last].sum(axis=-1) / falling
    return decay, level


def _time_constant(wave: Float[np.ndarray, " time"], begin: float, end: float) -> float:
    """Return how fast a wave decays from one stretch after onset to the next, s."""
    first, middle = (round((LEAD + t) * RATE) for t in (begin, end))
    early = wave[first:middle].sum()
    late = wave[middle : 2 * middle - first].sum()
    return float((middle - first) / RATE / np.log(early / late))


def solve_transients(
    cohort: Cohort,
    *,
    sites: Sequence[str] = ("aortic_root", "radial"),
    bed: str = "digital",
    solver: LinearSolver | None = None,
    threads: int | None = None,
) -> Transients:
    """Solve for the transients of everybody in all states.

    The equations are linear, so that the solver's order is 1 whatever it says.

    Args:
        cohort: Virtual people, with heart rate, stroke volume and the other parameters
            of their ejection.
        sites: Where pressure is wanted; the root is always there, and first.
        bed: Site of the PPG: the end of an artery with a bed behind it.
        solver: How arteries are cut, what friction is; harmonics are given here.
        threads: All usable cores by default.

    Raises:
        ConfigError: If a site does not exist or has no bed, a parameter is missing or
            somebody's arteries collapse in some state.
    """
    missing = {"hr", "sv", "lvet", "pft", "rfv"} - set(cohort.parameters)
    if missing:
        msg = (
            f"the cohort lacks {sorted(missing)}; wanted people whose ejection is "
            "described, as those of Cohort.sample are."
        )
        raise ConfigError(msg)
    places = ("aortic_root", *(s for s in sites if s != "aortic_root"))
    terminal = _terminal(cohort.network, bed)
    base = solver or LinearSolver()
    base = replace(base, order=1, harmonics=HARMONICS, threads=1, engine="fused")
    states = (len(cohort), len(LEVELS), len(TONES))
    transfer = np.empty((*states, len(places) + 1, HARMONICS + 1), dtype=np.complex64)

    def work(rows: slice) -> None:
        people = cohort.take(rows)
        transfer[rows] = _transfer(people, base, places, bed, terminal)
        bad = ~np.isfinite(transfer[rows]).all(axis=(1, 2, 3, 4))
        if bad.any():
            who = people.index[np.flatnonzero(bad)[0]]
            msg = (
                f"subject {who} has no transient in every state: arteries collapse "
                f"between {LEVELS[0]:g} and {LEVELS[-1]:g} of the mean pressure above "
                "outflow pressure. Leave the subject out, see Waves.plausible."
            )
            raise ConfigError(msg)

    for _ in in_blocks(work, len(cohort), size=_ROWS, threads=threads):
        pass
    p = cohort.parameters
    return Transients(
        sites=places,
        bed=bed,
        transfer=transfer,
        outflow=cohort.arteries().outflow_pressure / MMHG,
        hr=p["hr"],
        sv=p["sv"],
        lvet=p["lvet"],
        pft=p["pft"],
        rfv=p["rfv"],
    )


def _terminal(network: Network, bed: str) -> int:
    """Return which terminal artery ends at a site."""
    place = network.locate(bed)
    found = np.flatnonzero(network.terminals + 1 == place.segment)
    if place.fraction != 1.0 or not len(found):
        msg = (
            f"a PPG at {bed!r} was asked for; wanted the end of an artery with a bed "
            "behind it, such as 'digital'."
        )
        raise ConfigError(msg)
    return int(found[0])


def _transfer(
    people: Cohort,
    solver: LinearSolver,
    places: tuple[str, ...],
    bed: str,
    terminal: int,
) -> Complex[np.ndarray, "subject level tone channel harmonic"]:
    r"""Return transfer functions of a few people in all states.

    The volume of the bed :math:`\int (Q - P/R)\,dt` (see
    `capnet.hemodynamics.plethysmogram`) is :math:`(R_2/R)\,C\,(P - R_1 Q)`, with the
    pressure above outflow pressure and :math:`R = R_1 + R_2`: the bed's own equation
    integrates it, so that its mean level is known too.
    """
    bodies = people.arteries()
    layout = solver.layout(people.network, (*places, bed))
    probes = {site: layout.tree.probes[site] for site in dict.fromkeys((*places, bed))}
    rest, alike = bodies.inflow.output, np.ones(len(people))
    beds, outflow = bodies.beds, bodies.outflow_pressure
    resistance = [_parallel(beds.proximal + tone * beds.distal) for tone in TONES]
    usual = resistance[TONES.index(1.0)]
    shape = (len(people), len(LEVELS), len(TONES), len(places) + 1, HARMONICS + 1)
    answer = np.empty(shape, dtype=np.complex128)
    for j, tone in enumerate(TONES):
        distal = tone * beds.distal
        load = Beds(beds.proximal, distal, beds.compliance)
        r1, r2 = beds.proximal[:, terminal], distal[:, terminal]
        gain = r2 / (r1 + r2) * beds.compliance[:, terminal]
        for i, level in enumerate(LEVELS):
            output = rest * level * usual / resistance[j]
            peak = output * PERIOD / _SPIKE
            spike = Inflow(
                period=PERIOD * alike,
                time=np.outer(alike, [0.0, _SPIKE, 2.0 * _SPIKE]),
                flow=np.outer(peak, [0.0, 1.0, 0.0]),
            )
            found = solver.waves(
                replace(bodies, beds=load, inflow=spike), layout, probes
            )
            flow = spike.harmonics(HARMONICS)
            pressure = found.pressure.copy()
            pressure[:, :, 0] -= outflow[:, None]
            rows = [found.row(site) for site in places]
            answer[:, i, j, :-1] = pressure[:, rows] / flow[:, None] / MMHG * 1e-6
            end = found.row(bed)
            held = pressure[:, end] - r1[:, None] * found.flow[:, end]
            answer[:, i, j, -1] = gain[:, None] * held / flow
    return answer


def _parallel(total: Float[np.ndarray, "subject terminal"]) -> PerSubject:
    """Return the resistance of beds side by side."""
    answer: np.ndarray = 1.0 / (1.0 / total).sum(axis=1)
    return answer
