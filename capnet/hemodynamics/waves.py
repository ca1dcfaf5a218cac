"""Waves: what was simulated, in the units of the clinic (mmHg, ml/s, mm2, s)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from jaxtyping import Bool, Complex, Float, Shaped

from capnet.errors import ShapeError, UnitError
from capnet.hemodynamics.cohort import Cohort, Plausibility
from capnet.hemodynamics.plethysmogram import PPG_SITES, blood_volume, normalise
from capnet.hemodynamics.spectra import Spectra, evaluate, grid
from capnet.hemodynamics.startup import DURATION
from capnet.hemodynamics.storage import Stored, read_stored, write_stored
from capnet.prediction import DISCLAIMER
from capnet.signal.indices import (
    Augmentation,
    PressureLevels,
    augmentation,
    pressure_levels,
    pulse_wave_velocity,
    transit_time,
)
from capnet.units import MMHG

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Waves", "check_sampling_rate"]

PerSubject = Float[np.ndarray, " subject"]
Beat = Float[np.ndarray, "subject time"]

_FINE: Final = 1024
"""Least points of a beat at which maxima and minima are read (below 0.01 mmHg off)."""

_FINEST: Final = 4
"""Least points for each cycle of the highest harmonic."""

_RATE: Final = 500.0
"""Hz, at which shoulders and feet are read."""

_NO_WAVE: Final = "the solver gave no finite wave"
_NOT_CONVERGED: Final = "the solver did not converge within its tolerance"
_NOT_SETTLED: Final = f"PWDB's protocol stops at {DURATION:g} s, settled or not"


def check_sampling_rate(rate: Any) -> None:
    """Refuse what is no sampling rate in Hz.

    Raises:
        UnitError: If it is not a positive number.
    """
    if not (
        isinstance(rate, int | float | np.integer | np.floating)
        and np.isfinite(rate)
        and rate > 0
    ):
        msg = f"sampling rate is {rate!r} Hz; wanted a positive number."
        raise UnitError(msg)


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
        solver: What simulated them, as JSON; empty if that is not known.
        tolerance: Residual up to which a subject converged, Pa; NaN if that is not
            known, and then nobody counts as converged.
        settles: Whether the solver goes on until it converges; PWDB's protocol stops
            at 6.5 s whether beats repeat or not, so that its waves count although
            they did not converge.

    Raises:
        ShapeError: If people and waves are not equally many.
        UnitError: If the sampling rate is not a positive number.
    """

    cohort: Cohort
    spectra: Spectra
    sampling_rate: float
    solver: str = ""
    tolerance: float = math.nan
    settles: bool = True

    def __post_init__(self) -> None:
        if len(self.cohort) != len(self.spectra):
            msg = f"{len(self.cohort)} people, {len(self.spectra)} waves; wanted equal."
            raise ShapeError(msg)
        check_sampling_rate(self.sampling_rate)

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def sites(self) -> tuple[str, ...]:
        """Where waves were taken."""
        return self.spectra.sites

    @property
    def period(self) -> PerSubject:
        """Duration of a beat, s. Shape (subject,)."""
        return self.spectra.period

    @property
    def residual(self) -> PerSubject:
        """What the solver's last iteration still changed, mmHg. Shape (subject,).

        NaN where the solver failed; see `Spectra` for what was iterated.
        """
        residual: PerSubject = self.spectra.residual / MMHG
        return residual

    @property
    def converged(self) -> Bool[np.ndarray, " subject"]:
        """Whether the solver's residual fell to its tolerance. Shape (subject,)."""
        converged: np.ndarray = self.spectra.residual <= self.tolerance
        return converged

    @property
    def failed(self) -> Bool[np.ndarray, " subject"]:
        """Whether the solver gave a subject no finite wave. Shape (subject,)."""
        failed: np.ndarray = ~np.isfinite(self.spectra.residual)
        return failed

    @property
    def reason(self) -> Shaped[np.ndarray, " subject"]:
        """Why a subject did not converge; empty for the others. Shape (subject,).

        One text a cause; how far from its end the solver was is in `residual`.
        """
        left = _NOT_CONVERGED if self.settles else _NOT_SETTLED
        return np.select([self.converged, self.failed], ["", _NO_WAVE], left)

    @cached_property
    def time(self) -> Float[np.ndarray, " time"]:
        """Time since the start of aortic inflow, s, up to the longest beat's end."""
        count = int(np.ceil(self.period.max(initial=0.0) * self.sampling_rate - 1e-9))
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
            site: Whose bed: the end of an artery behind which there is one, as
                ``digital`` is. Or where a sensor sits: ``finger``, ``ear``, or
                ``wrist``, which has no bed and shows the radial artery's lumen; see
                `capnet.hemodynamics.plethysmogram.PPG_SITES` for what to simulate.

        Raises:
            ShapeError: If there is no bed behind the site.
            ConfigError: If the place was not simulated.
        """
        where = PPG_SITES.get(site, site)
        row, network = self.spectra.row(where), self.cohort.network
        if site == "wrist":
            with np.errstate(invalid="ignore"):  # who failed stays NaN
                return normalise(self.spectra.area[:, row])
        place = network.locate(where)
        ends = network.terminals + 1
        if place.fraction != 1.0 or place.segment not in ends:
            example = "digital"
            if example not in network.sites:
                example = f"{network.name[network.terminals[0]]}@1"
            msg = (
                f"a volume pulse at {site!r} was asked for; wanted the end of an "
                f"artery with a vascular bed behind it, such as {example!r}."
            )
            raise ShapeError(msg)
        with np.errstate(invalid="ignore"):  # who failed stays NaN
            volume = blood_volume(
                self.spectra.pressure[:, row],
                self.spectra.flow[:, row],
                period=self.period,
                outflow_pressure=self.cohort.arteries().outflow_pressure,
            )
            return normalise(volume)

    def pressure(self, site: str) -> Beat:
        """Return one beat of pressure, mmHg. Shape (subject, time)."""
        return self._sampled(self._pressure(site))

    def flow(self, site: str) -> Beat:
        """Return one beat of flow, ml/s. Shape (subject, time)."""
        return self._sampled(self._flow(site))

    def area(self, site: str) -> Beat:
        """Return one beat of the lumen's area, mm2. Shape (subject, time)."""
        return self._sampled(self.spectra.area[:, self.spectra.row(site)] * 1e6)

    def ppg(self, site: str = "digital") -> Beat:
        """Return one beat of the volume pulse, 0..1; see `volume_pulse` for the site.

        Shape (subject, time).
        """
        return self._sampled(self.volume_pulse(site))

    def at(self, site: str, times: Beat) -> Beat:
        """Return pressure at any times, exactly, mmHg.

        Args:
            site: Where.
            times: Seconds since the start of aortic inflow; periodic, so they may
                lie before it or after the beat. Shape (subject, time).
        """
        return evaluate(self._pressure(site), period=self.period, times=times)

    def levels(self, site: str) -> PressureLevels:
        """Return SBP, DBP, MAP, PP and form factor; see `capnet.signal.indices`.

        They are read from 1,024 points of the beat, or four a cycle of the highest
        harmonic if that is more, whatever the sampling rate.
        """
        pressure = self._pressure(site)
        points = max(_FINE, _FINEST * (pressure.shape[1] - 1))
        return pressure_levels(grid(pressure, points))

    def mean(self, site: str) -> PerSubject:
        """Return the mean pressure, mmHg (exact)."""
        answer: PerSubject = self._pressure(site)[:, 0].real
        return answer

    def systolic(self, site: str) -> PerSubject:
        """Return the highest pressure of the beat, mmHg."""
        return self.levels(site).sbp

    def diastolic(self, site: str) -> PerSubject:
        """Return the lowest pressure of the beat, mmHg."""
        return self.levels(site).dbp

    def augmentation(self, site: str = "aortic_root") -> Augmentation:
        """Return augmentation pressure and index; see `capnet.signal.indices`.

        Read from beats at 500 Hz, whatever the sampling rate.
        """
        beats = replace(self, sampling_rate=_RATE).pressure(site)
        return augmentation(beats, sampling_rate=_RATE)

    def distance(self, site: str) -> PerSubject:
        """Return the shortest way along the arteries from the root to a site, m."""
        bodies, place = self.cohort.arteries(), self.cohort.network.locate(site)
        network, row = bodies.network, place.segment - 1
        ways = {node: np.full(len(self), np.inf) for node in network.nodes}
        ways[network.root] = np.zeros(len(self))
        arteries = [*zip(network.inlet.tolist(), network.outlet.tolist(), strict=True)]
        for _ in arteries:
            before = dict(ways)
            for i, (inlet, outlet) in enumerate(arteries):
                reached = ways[inlet] + bodies.length[:, i]
                ways[outlet] = np.minimum(ways[outlet], reached)
            if all(np.array_equal(ways[node], before[node]) for node in ways):
                break
        answer: PerSubject = (
            ways[arteries[row][0]] + place.fraction * bodies.length[:, row]
        )
        return answer

    def pulse_wave_velocity(
        self, proximal: str = "carotid", distal: str = "femoral"
    ) -> PerSubject:
        """Return the foot-to-foot velocity between two sites, m/s.

        The path is the difference of the sites' distances from the root, as the
        clinic subtracts them for carotid and femoral artery. Read from beats at 500 Hz.

        Args:
            proximal: Where the pulse passes first.
            distal: Where it arrives later.

        Returns:
            NaN where a foot is not found or the way is not positive. Shape (subject,).
        """
        fine = replace(self, sampling_rate=_RATE)
        near, far = fine.pressure(proximal), fine.pressure(distal)
        passed = transit_time(near, far, sampling_rate=_RATE)
        return pulse_wave_velocity(
            self.distance(distal) - self.distance(proximal), passed.time
        )

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
        kinds = {
            (p.sampling_rate, p.solver, f"{p.tolerance:g} Pa", p.settles) for p in parts
        }
        if len(kinds) != 1:
            msg = (
                f"the parts have sampling rates (Hz), solvers and tolerances "
                f"{sorted(kinds)}; wanted one kind. Simulate them alike."
            )
            raise ShapeError(msg)
        return replace(
            parts[0],
            cohort=Cohort.concatenate([part.cohort for part in parts]),
            spectra=Spectra.concatenate([part.spectra for part in parts]),
        )

    def save(self, path: str | Path) -> Path:
        """Write people and waves to one netCDF4 file, whole or not at all.

        Any netCDF or HDF5 tool reads it; `load` gives back the same numbers bit by
        bit. The file holds Fourier coefficients in SI and says how to read them; for
        sampled waves in clinical units write ``waves.to_xarray().to_netcdf(path)``.

        Args:
            path: Its folder is made when missing; ``.nc`` is the usual ending.

        Returns:
            The path.

        Raises:
            MissingExtraError: If xarray, h5netcdf or h5py is not installed.
        """
        return write_stored(path, self.stored())

    def stored(self, identity: str = "") -> Stored:
        """Return what a file holds, see `capnet.hemodynamics.storage`.

        Args:
            identity: Of the job that this is a part of.
        """
        return Stored(
            cohort=self.cohort,
            spectra=self.spectra,
            sampling_rate=float(self.sampling_rate),
            solver=self.solver,
            tolerance=float(self.tolerance),
            settles=self.settles,
            identity=identity,
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            RecordError: If the file is missing, damaged or no file of waves.
            MissingExtraError: If xarray, h5netcdf or h5py is not installed.
        """
        return cls(*read_stored(path)[:-1])

    def to_xarray(self) -> "xr.Dataset":
        """Return sampled waves, labelled: pressure, flow, area, and who they are of.

        Dimensions are subject (labelled by the cohort's index), site and time (s, from
        the start of aortic inflow; NaN after the beat's end); age and everything drawn
        are coordinates along subject; ``ppg`` is there if ``digital`` was simulated.
        """
        import xarray as xr

        axes = ("subject", "site", "time")
        waves = {
            "pressure": (self.pressure, "mmHg"),
            "flow": (self.flow, "ml/s"),
            "area": (self.area, "mm2"),
        }
        variables = {
            name: (axes, np.stack([read(s) for s in self.sites], 1), {"units": unit})
            for name, (read, unit) in waves.items()
        }
        people = {"age": self.cohort.age, **self.cohort.parameters}
        per_subject = {name: ("subject", values) for name, values in people.items()}
        dataset = xr.Dataset(
            variables,
            coords={
                "subject": self.cohort.index,
                "site": np.array(self.sites),
                "time": ("time", self.time, {"units": "s"}),
                **per_subject,
            },
            attrs={
                "title": f"Pulse waves of {len(self)} virtual subjects",
                "comment": DISCLAIMER,
                "solver": self.solver,
                "sampling_rate_hz": self.sampling_rate,
                "cohort": list(self.cohort.provenance),
            },
        )
        dataset["period"] = ("subject", self.period, {"units": "s"})
        dataset["residual"] = ("subject", self.residual, {"units": "mmHg"})
        dataset["converged"] = ("subject", self.converged)
        if "digital" in self.sites:
            dataset["ppg"] = (("subject", "time"), self.ppg(), {"units": "1"})
        return dataset

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a subject.

        Drawn parameters, then SBP, DBP and MAP (mmHg) by site, then how it converged.
        """
        frame = self.cohort.to_frame()
        for site in self.sites:
            found = self.levels(site)
            frame[f"{site}_sbp"] = found.sbp
            frame[f"{site}_dbp"] = found.dbp
            frame[f"{site}_map"] = self.mean(site)
        frame["residual"] = self.residual
        frame["converged"] = self.converged
        return frame

    def __repr__(self) -> str:
        kind = "virtual people" if self.cohort.bodies is None else "given bodies"
        lost = int((~self.converged).sum())
        said = f"{len(self)} {kind}, {self.sampling_rate:g} Hz"
        said += f", {lost} not converged" if lost else ""
        width, rows = max(map(len, self.sites)), ""
        for site in self.sites:
            levels = self.levels(site)
            known = np.isfinite(levels.pp)
            high, low = levels.sbp[known], levels.dbp[known]
            cells = (
                f"{high.mean():6.1f} / {low.mean():.1f} mmHg" if known.any() else "-"
            )
            rows += f"\n  {site:<{width}} {cells}"
        return f"Waves({said}; mean SBP / DBP){rows}"
