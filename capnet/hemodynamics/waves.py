"""Waves: what was simulated, in the units of the clinic (mmHg, ml/s, s)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from jaxtyping import Complex, Float, Shaped

from capnet.errors import ShapeError, UnitError
from capnet.hemodynamics.cohort import Cohort, Plausibility
from capnet.hemodynamics.plethysmogram import blood_volume, normalise
from capnet.hemodynamics.spectra import Spectra, evaluate, grid
from capnet.types import Site
from capnet.units import MMHG

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Waves"]

PerSubject = Float[np.ndarray, " subject"]
Beat = Float[np.ndarray, "subject time"]

_FINE: Final = 1024
"""Points of a beat at which maxima and minima are read (below 0.01 mmHg off)."""


@dataclass(frozen=True, eq=False)
class Waves:
    """One steady beat of every virtual person, at several sites.

    Sampled beats start with aortic inflow and are NaN after their end. The waves
    are periodic and kept as Fourier coefficients, so that any site can be read at any
    time exactly.

    Attributes:
        cohort: The people.
        spectra: Their waves in SI.
        sampling_rate: Of the sampled beats, Hz.

    Raises:
        ShapeError: If people and waves are not equally many.
        UnitError: If the sampling rate is not a positive number.
    """

    cohort: Cohort
    spectra: Spectra
    sampling_rate: float

    def __post_init__(self) -> None:
        if len(self.cohort) != len(self.spectra):
            msg = f"{len(self.cohort)} people, {len(self.spectra)} waves; wanted equal."
            raise ShapeError(msg)
        if not (np.isfinite(self.sampling_rate) and self.sampling_rate > 0):
            msg = (
                f"sampling rate is {self.sampling_rate!r} Hz; wanted a positive number."
            )
            raise UnitError(msg)

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where waves were taken."""
        return self.spectra.sites

    @property
    def period(self) -> PerSubject:
        """Duration of a beat, s. Shape (subject,)."""
        return self.spectra.period

    @cached_property
    def time(self) -> Float[np.ndarray, " time"]:
        """Time since the start of aortic inflow, s, up to the longest beat's end."""
        count = int(np.ceil(self.period.max() * self.sampling_rate - 1e-9))
        return np.arange(count) / self.sampling_rate

    def _sampled(self, coefficients: Complex[np.ndarray, "subject harmonic"]) -> Beat:
        times = np.broadcast_to(self.time, (len(self), len(self.time)))
        values = evaluate(coefficients, period=self.period, times=times)
        return np.where(times < self.period[:, None] - 1e-9, values, np.nan)

    def _pressure(self, site: str) -> Complex[np.ndarray, "subject harmonic"]:
        answer: np.ndarray = self.spectra.pressure[:, self.spectra.row(site)] / MMHG
        return answer

    def _flow(self, site: str) -> Complex[np.ndarray, "subject harmonic"]:
        answer: np.ndarray = self.spectra.flow[:, self.spectra.row(site)] * 1e6
        return answer

    def volume_pulse(
        self, site: str = "digital"
    ) -> Complex[np.ndarray, "subject harmonic"]:
        """Return the normalised volume pulse as Fourier coefficients, mean first.

        Args:
            site: Whose bed; only ``digital`` is the end of an artery.

        Raises:
            ShapeError: If a volume was asked for elsewhere.
        """
        if site != "digital":
            msg = f"a volume pulse at {site!r} was asked for; wanted 'digital'."
            raise ShapeError(msg)
        row = self.spectra.row(site)
        volume = blood_volume(
            self.spectra.pressure[:, row],
            self.spectra.flow[:, row],
            period=self.period,
            outflow_pressure=self.cohort["pout"] * MMHG,
        )
        return normalise(volume)

    def pressure(self, site: str) -> Beat:
        """Return one beat of pressure, mmHg. Shape (subject, time)."""
        return self._sampled(self._pressure(site))

    def flow(self, site: str) -> Beat:
        """Return one beat of flow, ml/s. Shape (subject, time)."""
        return self._sampled(self._flow(site))

    def ppg(self, site: str = "digital") -> Beat:
        """Return one beat of the digital volume pulse, 0..1. Shape (subject, time)."""
        return self._sampled(self.volume_pulse(site))

    def at(self, site: str, times: Beat) -> Beat:
        """Return pressure at any times, exactly, mmHg.

        Args:
            site: Where.
            times: Seconds since the start of aortic inflow; periodic, so they may
                lie before it or after the beat. Shape (subject, time).
        """
        return evaluate(self._pressure(site), period=self.period, times=times)

    def mean(self, site: str) -> PerSubject:
        """Return the mean pressure, mmHg (exact)."""
        answer: PerSubject = self._pressure(site)[:, 0].real
        return answer

    def systolic(self, site: str) -> PerSubject:
        """Return the highest pressure of the beat, mmHg."""
        answer: PerSubject = grid(self._pressure(site), _FINE).max(axis=1)
        return answer

    def diastolic(self, site: str) -> PerSubject:
        """Return the lowest pressure of the beat, mmHg."""
        answer: PerSubject = grid(self._pressure(site), _FINE).min(axis=1)
        return answer

    def plausible(self) -> Plausibility:
        """Tell who could be real; see `Cohort.plausible`."""
        return self.cohort.plausible(self)

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the people at these rows (indices, a mask or a slice)."""
        return replace(
            self, cohort=self.cohort.take(rows), spectra=self.spectra.take(rows)
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join waves of the same sites; people are numbered anew.

        Raises:
            ShapeError: If there is nothing to join or the parts do not fit.
        """
        rates = sorted({part.sampling_rate for part in parts})
        if len(rates) != 1:
            msg = f"the parts have sampling rates {rates} Hz; wanted one."
            raise ShapeError(msg)
        return cls(
            Cohort.concatenate([part.cohort for part in parts]),
            Spectra.concatenate([part.spectra for part in parts]),
            rates[0],
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a subject: drawn parameters, then SBP, DBP, MAP by site."""
        frame = self.cohort.to_frame()
        for site in self.sites:
            frame[f"{site}_sbp"] = self.systolic(site)
            frame[f"{site}_dbp"] = self.diastolic(site)
            frame[f"{site}_map"] = self.mean(site)
        return frame

    def __repr__(self) -> str:
        rows = "".join(
            f"\n  {site:<12} {self.systolic(site).mean():6.1f} / "
            f"{self.diastolic(site).mean():.1f} mmHg"
            for site in self.sites
        )
        return (
            f"Waves({len(self)} virtual people, {self.sampling_rate:g} Hz; "
            f"mean pressures){rows}"
        )
