"""The Pulse Wave Database: 4,374 virtual people of an independent simulator.

Charlton 2019 (doi:10.1152/ajpheart.00218.2019; data doi:10.5281/zenodo.3275625)
simulated them with Nektar1D. Read here: the exact inputs, as bodies for the solvers of
this library; the waves, as a reference; and where those waves are not what they seem.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Bool, Float, Int

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics.arteries import (
    Arteries,
    carotid_femoral_speed,
    impedance,
)
from capnet.hemodynamics.beds import MATCH_LIMIT, Beds
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.inflow import CLOSURE, Inflow
from capnet.hemodynamics.network import Network, load_network
from capnet.hemodynamics.wall import (
    ELASTIC_LENGTH,
    VISCOSITY_FLOOR,
    VISCOSITY_SLOPE,
    area,
    compliance,
    stiffness,
)
from capnet.units import MMHG

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PwdbPeople",
    "PwdbQuality",
    "PwdbWaves",
    "beat_length",
    "choose_subjects",
    "first_sample",
    "load_pwdb_waves",
    "pwdb_quality",
    "read_pwdb",
]

PerSubject = Float[np.ndarray, " subject"]
Numbers = Int[np.ndarray, " subject"]
Flags = Bool[np.ndarray, " subject"]

GEOMETRY: Final = "pwdb_geometry.npz"
CONFIGS: Final = "pwdb_model_configs.csv"
TEMPLATE: Final = "Q_template.csv"
WAVES: Final = "pwdb_waves_500Hz.npz"
_RELEASED: Final = ("geo.zip", "geo")
_GEOMETRY_NAME: Final = re.compile(r"pwdb_geo_(\d{4})\.csv")
_GEOMETRY_HEADING: Final = (
    "seg_no,inlet_node,outlet_node,length,inlet_radius,outlet_radius,"
    "peripheral_c,peripheral_r"
)
_LARGEST_TABLE: Final = 1 << 20
"""Bytes of one body's table (PWDB's have 6 kB)."""

_COLUMNS: Final = {
    "subject": "Subject Number",
    "age": "age [years]",
    "hr": "hr [bpm]",
    "sv": "sv [ml]",
    "lvet": "lvet [ms]",
    "pft": "pft [ms]",
    "rfv": "rfv [ml]",
    "mbp": "mbp [mmHg]",
    "dbp": "dbp [mmHg]",
    "pvc": "pvc [scaling factor]",
    "pout": "p_out [mmHg]",
    "density": "density [kg /m^3]",
    "viscosity": "viscosity [Pa s]",
    "alpha": "alpha [-]",
    "b0": "b0 [g/s]",
    "b1": "b1 [g cm/s]",
    "k1": "k1 [g/s^2/cm]",
    "k2": "k2 [/cm]",
    "k3": "k3 [g/s^2/cm]",
}
_RECORDED: Final = (
    "hr",
    "sv",
    "lvet",
    "pft",
    "rfv",
    "mbp",
    "dbp",
    "pvc",
    "pout",
)
_POSITIVE: Final = ("age", *_RECORDED, "density", "viscosity", "k1", "k3")
_SLOWEST, _FASTEST = 10.0, 600.0
"""bpm: what is outside is no heart rate."""
_SAME: Final = ("density", "viscosity", "alpha", "b0", "b1", "k1", "k2")
"""Columns that all subjects of a network must share."""

_PRESSURES: Final = {
    "aortic_root": "Asc_Ao_P_mmHg",
    "carotid": "L_Carotid_P_mmHg",
    "brachial": "L_Brachial_P_mmHg",
    "femoral": "L_Femoral_P_mmHg",
}
_FLOW: Final = "Asc_Ao_Q_mlps"
_RATE: Final = 500.0
_DURATION: Final = 6500
"""ms: how long every simulation ran, from rest."""

_ONSET, _END = 52, 361
"""Samples of the template (1 kHz) between which flow is not zero."""


@dataclass(frozen=True, eq=False)
class PwdbPeople:
    """People of the Pulse Wave Database, as they were simulated.

    Attributes:
        index: PWDB's subject numbers.
        age: Years.
        parameters: By the names of sampled cohorts.
        bodies: The exact inputs of the simulations.
    """

    index: Numbers
    age: PerSubject
    parameters: dict[str, PerSubject]
    bodies: Arteries


def read_pwdb(folder: str | Path, subjects: Sequence[int] | None = None) -> PwdbPeople:
    """Read the exact inputs of the Pulse Wave Database.

    Radii hold at each subject's diastolic pressure; R1 is the characteristic impedance
    there, at most 0.9 of the bed's resistance (501 subjects have a bed narrower than
    its artery). The inflow is what Nektar1D was given: the template stretched, sampled
    at 1 kHz over a beat of a whole number of milliseconds (so that a beat lasts up to
    1 ms longer than 60/HR) and scaled to the volumes.

    Args:
        folder: Holds ``pwdb_model_configs.csv``, ``Q_template.csv``, and the geometry:
            ``pwdb_geometry.npz``, or the official release's ``geo.zip`` or what is in
            it (``geo/pwdb_geo_0001.csv`` ...).
        subjects: PWDB's subject numbers, in the order wanted; all by default.

    Raises:
        RecordError: If a file is missing or damaged, lacks a column or a subject that
            the other one has, holds somebody twice, or numbers that mean nothing; the
            message names file, subject and segment.
        ConfigError: If a subject is in neither file, or ``subjects`` are no numbers.
    """
    folder = Path(folder)

    def inflow(p: Mapping[str, np.ndarray]) -> Inflow:
        return _inflow(p, _template(folder / TEMPLATE), folder / CONFIGS)

    return _read_people(folder, subjects, inflow)


def _read_people(
    folder: Path,
    subjects: Sequence[int] | None,
    inflow: Callable[[Mapping[str, np.ndarray]], Inflow],
) -> PwdbPeople:
    """Read people whose inflow follows from their parameters."""
    place = _find_geometry(folder)
    table, (known, geometry) = _configs(folder / CONFIGS), _geometry(place)
    everyone = np.union1d(table["subject"], known)
    index = choose_subjects(everyone, subjects, folder / CONFIGS)
    rows = _rows(table["subject"], index, folder / CONFIGS)
    p = {name: values[rows] for name, values in table.items()}
    _check_parameters(p, folder / CONFIGS)
    network = load_network()
    geo = geometry[_rows(known, index, place)]
    _check_geometry(geo, index, network, place)
    length, inlet, outlet = (np.ascontiguousarray(geo[:, :, k]) for k in (3, 4, 5))
    capacity, total = geo[:, network.terminals, 6], geo[:, network.terminals, 7]
    n = len(network)
    # g/s2/cm is 0.1 Pa, and 1/cm is 100/m
    k1, k2 = np.full(n, 0.1 * p["k1"][0]), np.full(n, 100.0 * p["k2"][0])
    blood = Blood(float(p["density"][0]), float(p["viscosity"][0]))
    trunk = 0.1 * p["k3"]
    k3 = np.repeat(trunk[:, None], n, axis=1)
    matched = impedance(outlet, stiffness(outlet, k1, k2, k3), blood.density)
    proximal = np.minimum(matched[:, network.terminals], MATCH_LIMIT * total)
    bodies = Arteries(
        network=network,
        length=length,
        inlet_radius=inlet,
        outlet_radius=outlet,
        k3=k3,
        viscous=network.length > ELASTIC_LENGTH,
        reference_pressure=p["dbp"] * MMHG,
        outflow_pressure=p["pout"] * MMHG,
        beds=Beds(proximal, total - proximal, capacity),
        k1=k1,
        k2=k2,
        blood=blood,
        inflow=inflow(p),
        index=index,
    )
    parameters = {name: p[name] for name in _RECORDED}
    parameters["pwv"] = carotid_femoral_speed(
        length=length,
        inlet_radius=inlet,
        outlet_radius=outlet,
        k3=trunk,
        density=blood.density,
    )
    parameters["len"] = length[:, 0] / network.length[0]
    parameters["dia"] = inlet[:, 0] / network.inlet_radius[0]
    return PwdbPeople(index, p["age"], parameters, bodies)


@dataclass(frozen=True, eq=False)
class PwdbWaves:
    """Reference waves of the Pulse Wave Database: one beat at several sites.

    Each site's beat starts at its own foot, and a linear ramp was added to it so that
    it looks periodic.

    Attributes:
        index: PWDB's subject numbers. Shape (subject,).
        sampling_rate: Hz.
        period: Duration of a beat, s. Shape (subject,).
        pressure: mmHg by site, NaN after the end. Shape (subject, time).
        flow: At the aortic root, ml/s. Shape (subject, time).
        start: When the first sample was taken, by site: s after aortic inflow began.
            Shape (subject,).
        velocity, area: m/s and mm2 by site, where they were read. As ``pressure``.
        ppg: Photoplethysmogram by site, no unit; it starts at its own foot, which
            ``ppg_start`` tells as ``start`` does for the others.
    """

    index: Numbers
    sampling_rate: float
    period: PerSubject
    pressure: Mapping[str, Float[np.ndarray, "subject time"]]
    flow: Float[np.ndarray, "subject time"]
    start: Mapping[str, PerSubject]
    velocity: Mapping[str, Float[np.ndarray, "subject time"]] = field(
        default_factory=dict
    )
    area: Mapping[str, Float[np.ndarray, "subject time"]] = field(default_factory=dict)
    ppg: Mapping[str, Float[np.ndarray, "subject time"]] = field(default_factory=dict)
    ppg_start: Mapping[str, PerSubject] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)

    def times(self, site: str) -> Float[np.ndarray, "subject time"]:
        """Return when each sample of a site was taken, s after aortic inflow began.

        Args:
            site: One of those in ``pressure``; the flow is that of ``aortic_root``.
        """
        if site not in self.start:
            msg = f"there are no waves at {site!r}; wanted {', '.join(self.start)}."
            raise ConfigError(msg)
        samples = np.arange(self.flow.shape[1]) / self.sampling_rate
        return self.start[site][:, None] + samples

    def __repr__(self) -> str:
        sites = ", ".join(self.pressure)
        return f"PwdbWaves({len(self)} people at {self.sampling_rate:g} Hz: {sites})"


def load_pwdb_waves(
    folder: str | Path, subjects: Sequence[int] | None = None
) -> PwdbWaves:
    """Read the reference waves of the Pulse Wave Database.

    Args:
        folder: Holds ``pwdb_waves_500Hz.npz`` and ``pwdb_model_configs.csv``.
        subjects: PWDB's subject numbers, in the order wanted; all that have waves by
            default.

    Raises:
        RecordError: If a file is missing or damaged, holds somebody twice, or lacks a
            subject; the message names it.
        ConfigError: If a subject has no waves there, or ``subjects`` are no numbers.
    """
    folder = Path(folder)
    arrays = _arrays(
        folder / WAVES, ("subject", "start_sample", _FLOW, *_PRESSURES.values())
    )
    order = _order(arrays["subject"], folder / WAVES)
    known = arrays["subject"][order]
    index = choose_subjects(known, subjects, folder / WAVES)
    rows = order[_rows(known, index, folder / WAVES)]
    table = _configs(folder / CONFIGS)
    chosen = _rows(table["subject"], index, folder / CONFIGS)
    p = {name: values[chosen] for name, values in table.items()}
    _check_parameters(p, folder / CONFIGS)
    beat = beat_length(p["hr"])
    count = np.isfinite(arrays[_FLOW][rows]).sum(axis=1)
    first = first_sample(beat, count)
    samples = arrays["start_sample"][rows].astype(np.float64) - 1.0
    start = first[:, None] * 1e-3 + samples / _RATE
    return PwdbWaves(
        index=index,
        sampling_rate=_RATE,
        period=beat * 1e-3,
        pressure={
            site: arrays[name][rows].astype(np.float64)
            for site, name in _PRESSURES.items()
        },
        flow=arrays[_FLOW][rows].astype(np.float64),
        start={site: start[:, k] for k, site in enumerate(_PRESSURES)},
    )


@dataclass(frozen=True, eq=False)
class PwdbQuality:
    """What in the waves of the Pulse Wave Database is an artefact, by subject.

    Every simulation started at rest, ran for 6.5 s and gave its last whole beat,
    settled or not. Observed numbers are NaN for people without stored waves. All
    arrays are of shape (subject,), pressures in mmHg.

    Attributes:
        index: PWDB's subject numbers.
        age: Years.
        mbp: Mean pressure asked for.
        settled: Mean pressure at the aortic root once everything has settled: the
            pressure asked for and what friction in the arteries takes.
        deficit: By how much the last whole beat is predicted to lie below that.
        root_mean, brachial_mean: Observed.
        earlier: Whether the brachial wave is of an earlier beat than that of the
            root: the upstroke of the last one came after the end of the simulation.
        negative_distal: Whether a bed's resistance is below the impedance of its
            artery, so that R2 = R - Z0 is negative.
    """

    index: Numbers
    age: PerSubject
    mbp: PerSubject
    settled: PerSubject
    deficit: PerSubject
    root_mean: PerSubject
    brachial_mean: PerSubject
    earlier: Flags
    negative_distal: Flags

    def __len__(self) -> int:
        return len(self.index)

    @property
    def predicted_mean(self) -> PerSubject:
        """Mean pressure at the root that the last whole beat should have, mmHg."""
        mean: PerSubject = self.settled - self.deficit
        return mean

    @property
    def unsettled(self) -> Flags:
        """Mean pressure at the root more than 1 mmHg below what was asked for.

        As observed, or as predicted where there are no waves.
        """
        mean = np.where(
            np.isfinite(self.root_mean), self.root_mean, self.predicted_mean
        )
        low: Flags = mean < self.mbp - 1.0
        return low

    @property
    def mismatched(self) -> Flags:
        """Root and brachial artery more than 3 mmHg apart in mean pressure.

        Nothing between them takes 3 mmHg: the beats do not belong together.
        """
        apart: Flags = np.abs(self.root_mean - self.brachial_mean) > 3.0
        return apart

    @property
    def sound(self) -> Flags:
        """Free of all these artefacts, as far as they were observed."""
        sound: Flags = ~(self.unsettled | self.mismatched | self.negative_distal)
        return sound

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a subject with every field and every verdict."""
        import pandas as pd

        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        verdicts = ("predicted_mean", "unsettled", "mismatched", "sound")
        columns |= {name: getattr(self, name) for name in verdicts}
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        seen = np.isfinite(self.root_mean)
        return (
            f"PwdbQuality({len(self)} people, {int(seen.sum())} with waves)"
            f"\n  {int(self.unsettled.sum()):>5} not settled "
            "(mean pressure over 1 mmHg low)"
            f"\n  {int(self.mismatched.sum()):>5} whose beats do not belong together"
            f"\n  {int(self.earlier.sum()):>5} with an earlier beat at the arm"
            f"\n  {int(self.negative_distal.sum()):>5} with R2 below 0"
            f"\n  {int(self.sound.sum()):>5} sound"
        )


def pwdb_quality(
    folder: str | Path,
    subjects: Sequence[int] | None = None,
    *,
    waves: PwdbWaves | None = None,
) -> PwdbQuality:
    r"""Tell the artefacts of the Pulse Wave Database.

    The start-up deficit is that of a Windkessel which fills from 0 for k beats,
    :math:`1.08\,\mathrm{MBP}\,e^{-kT/\tau}` with
    :math:`\tau = R\,(0.89\,C_\mathrm{arteries} + 0.67\,C_\mathrm{beds})` and
    k = floor(6.5 s / T) - 1; the three factors were fitted to these same waves.

    Args:
        folder: That of `read_pwdb`; ``Q_template.csv`` is not asked for.
        subjects: PWDB's subject numbers; all by default.
        waves: In which artefacts are observed, those of ``pwdb_waves_500Hz.npz`` in
            the folder by default, if it is there.

    Raises:
        RecordError: If a file is missing or damaged, see `read_pwdb`.
        ConfigError: If a subject is not there.
    """
    folder = Path(folder)
    people = _read_people(folder, subjects, _steady_inflow)
    bodies, p = people.bodies, people.parameters
    mean = p["mbp"] * MMHG
    resistance = (p["mbp"] - p["pout"]) * MMHG / bodies.inflow.output
    capacity = 0.89 * _arterial_compliance(bodies, mean)
    capacity += 0.67 * bodies.beds.compliance.sum(axis=1)
    period = 60.0 / p["hr"]
    beats = np.floor(_DURATION * 1e-3 / period) - 1.0
    outlet = bodies.outlet_radius
    matched = impedance(
        outlet, stiffness(outlet, bodies.k1, bodies.k2, bodies.k3), bodies.blood.density
    )[:, bodies.network.terminals]
    root, brachial = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    earlier = np.zeros(len(mean), dtype=np.bool_)
    if waves is None and (folder / WAVES).is_file():
        waves = load_pwdb_waves(folder)
    if waves is not None:
        rows = np.flatnonzero(np.isin(people.index, waves.index))
        order = np.argsort(waves.index)
        found = order[np.searchsorted(waves.index, people.index[rows], sorter=order)]
        root[rows] = np.nanmean(waves.pressure["aortic_root"][found], axis=1)
        brachial[rows] = np.nanmean(waves.pressure["brachial"][found], axis=1)
        earlier[rows] = _ends_before_upstroke(
            waves.pressure["brachial"][found],
            waves.start["brachial"][found] * 1e3,
            beat_length(p["hr"][rows]),
        )
    return PwdbQuality(
        index=people.index,
        age=people.age,
        mbp=p["mbp"],
        settled=_steady_root(bodies, mean) / MMHG,
        deficit=1.08 * p["mbp"] * np.exp(-beats * period / (resistance * capacity)),
        root_mean=root,
        brachial_mean=brachial,
        earlier=earlier,
        negative_distal=np.any(matched > bodies.beds.total, axis=1),
    )


def _arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays of an .npz file."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            missing = sorted(set(names) - set(file.files))
            arrays = {name: file[name] for name in names if name not in missing}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        msg = (
            f"{path} cannot be read ({error}); wanted an .npz file of the Pulse Wave "
            "Database. Fetch it again."
        )
        raise RecordError(msg) from error
    if missing:
        msg = f"{path} lacks {', '.join(missing)}; wanted {', '.join(names)}."
        raise RecordError(msg)
    return arrays


def _configs(path: Path) -> dict[str, np.ndarray]:
    """Read the table of parameters, in the order of the subject numbers."""
    try:
        text = path.read_text("utf-8")
        rows = list(
            csv.DictReader(text.splitlines(), skipinitialspace=True, strict=True)
        )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} cannot be read ({error}); wanted PWDB's table of parameters."
        raise RecordError(msg) from error
    missing = [name for name in _COLUMNS.values() if not rows or name not in rows[0]]
    if missing:
        msg = f"{path} lacks the columns {', '.join(missing)}. Fetch it again."
        raise RecordError(msg)
    table: dict[str, np.ndarray] = {}
    for key, name in _COLUMNS.items():
        for line, row in enumerate(rows, start=2):
            if not _is_finite(row[name]):
                msg = (
                    f"{path}, line {line} (subject {row[_COLUMNS['subject']]}): {name} "
                    f"is {row[name]!r}; wanted a finite number. Fetch the file again."
                )
                raise RecordError(msg)
        table[key] = np.array([row[name] for row in rows], dtype=np.float64)
    if not text.endswith("\n"):
        msg = (
            f"{path} ends in the line of subject {rows[-1][_COLUMNS['subject']]} "
            "without a newline, so that its last number may have been cut. Fetch the "
            "file again."
        )
        raise RecordError(msg)
    order = _order(table["subject"], path)
    table["subject"] = table["subject"].astype(np.int64)
    table = {key: values[order] for key, values in table.items()}
    wanted = {
        "alpha": (4.0 / 3.0, "a parabolic profile"),
        "b0": (VISCOSITY_FLOOR * 1e3, "the wall viscosity of this library"),
        "b1": (VISCOSITY_SLOPE * 1e5, "the wall viscosity of this library"),
    }
    for key in _SAME:
        first, why = wanted.get(key, (table[key][0], "one value for all subjects"))
        unlike = np.flatnonzero(~np.isclose(table[key], first, rtol=1e-4))
        if len(unlike):
            row = unlike[0]
            msg = (
                f"{path}, subject {table['subject'][row]}: {_COLUMNS[key]} is "
                f"{table[key][row]:g}; wanted {first:g} ({why})."
            )
            raise RecordError(msg)
    return table


def _is_finite(cell: str | None) -> bool:
    try:
        # Python's own "1_0" is no number in a table
        known = cell is not None and "_" not in cell
        return known and bool(np.isfinite(float(cell or "nan")))
    except ValueError:
        return False


def _order(subject: np.ndarray, path: Path) -> Int[np.ndarray, " subject"]:
    """Return the order of the subject numbers, after checking that they are ones."""
    if subject.ndim != 1 or not np.array_equal(subject, np.floor(subject)):
        msg = f"{path}: subjects are no whole numbers. Fetch the file again."
        raise RecordError(msg)
    order = np.argsort(subject, kind="stable")
    twice = np.flatnonzero(np.diff(subject[order]) == 0)
    if len(twice):
        msg = (
            f"{path} has subject {subject[order][twice[0]]:g} more than once; wanted "
            "each once. Fetch the file again."
        )
        raise RecordError(msg)
    return order


def _rows(
    known: Int[np.ndarray, " known"], index: Numbers, path: Path
) -> Int[np.ndarray, " subject"]:
    """Return where the subjects are among those of a file, in ascending order."""
    lost = index[~np.isin(index, known)]
    if len(lost):
        msg = (
            f"{path} lacks subject {lost[0]} ({len(lost)} of {len(index)} subjects), "
            "whom another file of the folder has; wanted everyone in both. Fetch it "
            "again."
        )
        raise RecordError(msg)
    return np.searchsorted(known, index)


def _check_parameters(p: Mapping[str, np.ndarray], path: Path) -> None:
    """Raise if a number means nothing, before anything is computed with it."""

    def refuse(wrong: Flags, key: str, wanted: str) -> None:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            msg = (
                f"{path}, subject {p['subject'][row]}: {_COLUMNS[key]} is "
                f"{p[key][row]:g}; wanted {wanted}. Fetch the file again."
            )
            raise RecordError(msg)

    for key in _POSITIVE:
        refuse(p[key] <= 0, key, "more than 0")
    refuse(
        (p["hr"] < _SLOWEST) | (p["hr"] > _FASTEST),
        "hr",
        f"{_SLOWEST:g} to {_FASTEST:g}",
    )
    refuse(p["mbp"] <= p["pout"], "mbp", f"more than {_COLUMNS['pout']}")


def _find_geometry(folder: Path) -> Path:
    """Return where the geometry lies, as one file or as the release has it."""
    places = [folder / name for name in (GEOMETRY, *_RELEASED)]
    return next((place for place in places if place.exists()), places[0])


def _geometry(
    path: Path,
) -> tuple[Int[np.ndarray, " subject"], Float[np.ndarray, "subject segment column"]]:
    """Return subject numbers and geometry, in the order of the numbers."""
    if path.name in _RELEASED:
        geo, subject = _released_geometry(path)
    else:
        arrays = _arrays(path, ("geo", "subject"))
        geo, subject = arrays["geo"], arrays["subject"]
    if geo.ndim != 3 or geo.shape[1:] != (len(load_network()), 8):
        msg = (
            f"{path}: geo has shape {geo.shape}; wanted (subject, "
            f"{len(load_network())}, 8)."
        )
        raise RecordError(msg)
    order = _order(subject, path)
    if len(subject) != len(geo):
        msg = f"{path} has {len(subject)} subject numbers for {len(geo)} bodies."
        raise RecordError(msg)
    return subject[order].astype(np.int64), geo[order].astype(np.float64)


def _released_geometry(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one table a subject, from an archive or a folder."""
    bodies: list[np.ndarray] = []
    subjects: list[int] = []
    for name, text in _released_tables(path):
        number = _GEOMETRY_NAME.fullmatch(name)
        if number is None:
            continue
        heading, *lines = text.split("\n")
        cells = [cell for line in lines[:-1] for cell in line.split(",")]
        whole = len(lines) == len(load_network()) + 1 and lines[-1] == ""
        if heading.replace(" ", "") != _GEOMETRY_HEADING or not whole:
            msg = (
                f"{path}, {name}: {len(lines) - 1} lines under {heading[:40]!r}; "
                f"wanted {len(load_network())} under {_GEOMETRY_HEADING!r}. Fetch it "
                "again."
            )
            raise RecordError(msg)
        if len(cells) != 8 * (len(lines) - 1) or not all(map(_is_finite, cells)):
            msg = f"{path}, {name} has a cell that is no number. Fetch it again."
            raise RecordError(msg)
        bodies.append(np.array(cells, dtype=np.float64).reshape(-1, 8))
        subjects.append(int(number[1]))
    if not bodies:
        msg = f"{path} has no table pwdb_geo_0001.csv or so. Fetch it again."
        raise RecordError(msg)
    return np.stack(bodies), np.array(subjects)


def _released_tables(path: Path) -> Iterator[tuple[str, str]]:
    """Yield names and texts of the tables of an archive or a folder."""
    try:
        if path.is_dir():
            for file in sorted(path.iterdir()):
                if file.is_file() and file.stat().st_size <= _LARGEST_TABLE:
                    yield file.name, _text(path, file.name, file.read_bytes())
            return
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = PurePosixPath(member.filename).name
                if member.file_size <= _LARGEST_TABLE:
                    yield name, _text(path, name, archive.read(member))
    except (
        *(OSError, EOFError, NotImplementedError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        msg = f"{path} cannot be read ({error}). Fetch it again."
        raise RecordError(msg) from error


def _text(path: Path, name: str, raw: bytes) -> str:
    try:
        return raw.decode("ascii").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        msg = f"{path}, {name} is no text ({error}). Fetch it again."
        raise RecordError(msg) from error


def _check_geometry(
    geo: Float[np.ndarray, "subject segment column"],
    index: Numbers,
    network: Network,
    path: Path,
) -> None:
    """Raise if arteries join otherwise than in the packaged network, or no numbers."""
    sizes = np.isfinite(geo).all(axis=2) & (geo[:, :, 3:6] > 0).all(axis=2)
    terminal = np.isin(np.arange(len(network)), network.terminals)
    sizes &= ~terminal | (geo[:, :, 6:] > 0).all(axis=2)
    joined = (geo[:, :, 1] == network.inlet) & (geo[:, :, 2] == network.outlet)
    # which walls are viscous is the same in everyone
    joined &= (geo[:, :, 3] > ELASTIC_LENGTH) == (network.length > ELASTIC_LENGTH)
    for good, what in (
        (sizes, "length, radii, or R and C of the bed are not positive numbers"),
        (joined, "nodes or length are not those of PWDB's network"),
    ):
        bad = np.argwhere(~good)
        if len(bad):
            row, segment = (int(k) for k in bad[0])
            msg = (
                f"{path}, subject {index[row]}, {network.label(segment)}: {what} "
                f"({', '.join(f'{v:g}' for v in geo[row, segment])}). Fetch it again."
            )
            raise RecordError(msg)


def choose_subjects(
    known: Int[np.ndarray, " known"], subjects: Sequence[int] | None, path: Path
) -> Numbers:
    """Return the subject numbers asked for, after checking that they are there."""
    if subjects is None:
        return np.asarray(known, dtype=np.int64)
    try:
        given = np.asarray(subjects)
    except ValueError:  # lists of unequal length
        given = np.asarray(str(subjects))
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        msg = f"subjects is {subjects!r}; wanted whole numbers such as [1, 3]."
        raise ConfigError(msg)
    index = given.astype(np.int64)
    unknown = index[~np.isin(index, known)]
    if len(unknown) or not len(index) or len(np.unique(index)) != len(index):
        found = f"no subject {unknown[0]}" if len(unknown) else "none, or some twice"
        msg = (
            f"{path} has {found} among {len(known)} people, numbered {known.min()} to "
            f"{known.max()}; wanted each subject once."
        )
        raise ConfigError(msg)
    return index


def _template(path: Path) -> Float[np.ndarray, " sample"]:
    """Read the template of the inflow, from onset, without its ripple in diastole."""
    try:
        flow = np.loadtxt(path, dtype=np.float64)
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}); wanted one flow a line, at 1 kHz."
        raise RecordError(msg) from error
    if flow.ndim != 1 or len(flow) < _END or not np.isfinite(flow).all():
        msg = (
            f"{path} holds an array of shape {flow.shape}; wanted one flow a line, at "
            f"least {_END} of them, all finite."
        )
        raise RecordError(msg)
    return flow[_ONSET:_END]


def beat_length(hr: PerSubject) -> Int[np.ndarray, " subject"]:
    """Return how many samples at 1 kHz a beat of the simulations has."""
    return np.floor(60e3 / hr).astype(np.int64) + 1


def first_sample(
    beat: Int[np.ndarray, " subject"], count: Int[np.ndarray, " subject"]
) -> PerSubject:
    """Return when the stored beat of the root begins, ms after the onset of flow.

    Samples were taken at odd milliseconds of the simulation, beats begin at multiples
    of their length, and the last whole beat ends with the sample before the first one
    after the next onset; where its foot was found late, it has a sample less.

    Args:
        beat: Length of a beat, ms.
        count: Samples of the stored beat.
    """
    following = 1.0 + (_DURATION // beat * beat) % 2
    first: PerSubject = beat + following - 2.0 * count
    return first


def _steady_inflow(p: Mapping[str, np.ndarray]) -> Inflow:
    """Return the cardiac output without a pulse, for all that is steady."""
    period = beat_length(p["hr"]) * 1e-3
    ends = np.stack([np.zeros_like(period), period], axis=1)
    output = p["sv"] * p["hr"] / 60e6
    return Inflow(period, ends, np.tile(output[:, None], (1, 2)), p["subject"])


def _inflow(
    p: Mapping[str, np.ndarray], template: Float[np.ndarray, " sample"], path: Path
) -> Inflow:
    """Stretch, sample and scale the template as PWDB does.

    Upstroke, downstroke and backflow are stretched one by one, 1 ms apart.
    """
    beat = beat_length(p["hr"])
    closure = CLOSURE * p["lvet"]
    wrong = ~((p["pft"] > 0) & (p["pft"] < p["lvet"]) & (closure + 2.0 < beat))
    wrong |= ~((p["sv"] > 0) & (p["rfv"] > 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        found = ", ".join(
            f"{key} {p[key][row]:g}" for key in ("hr", "sv", "pft", "lvet", "rfv")
        )
        msg = (
            f"{path}, subject {p['subject'][row]} has {found}; wanted positive volumes "
            "and 0 < pft < lvet < 0.91 of the beat. Fetch the file again."
        )
        raise RecordError(msg)
    peak, last = int(template.argmax()), len(template) - 1
    crossing = peak + int(np.flatnonzero(template[peak:] <= 0.0)[0]) - 1
    ms = np.arange(int(closure.max()) + 3, dtype=np.float64)
    pieces = [  # from and to when, and from and to which sample of the template
        (0.0 * closure, p["pft"], 0, peak),
        (p["pft"] + 1.0, p["lvet"], peak + 1, crossing),
        (p["lvet"] + 1.0, closure, crossing + 1, last),
    ]
    place = np.zeros((len(beat), len(ms)))
    for begin, end, first, final in pieces:
        part = np.clip((ms - begin[:, None]) / (end - begin)[:, None], 0.0, 1.0)
        place += part * (final - first)
        # the millisecond to the first sample of the next piece
        place += np.clip(ms - end[:, None], 0.0, 1.0)
    flow = np.interp(place, np.arange(last + 2), np.append(template, 0.0))
    back, ahead = np.minimum(flow, 0.0), np.maximum(flow, 0.0)
    flow = ahead * ((p["sv"] + p["rfv"]) / ahead.sum(axis=1))[:, None]
    flow -= back * (p["rfv"] / back.sum(axis=1))[:, None]
    output = p["sv"] * p["hr"] / 60e6
    flow *= (output * beat / flow.sum(axis=1))[:, None]
    # flow is 0 up to the last millisecond, which leads to the next onset
    return Inflow(
        beat * 1e-3,
        np.concatenate([np.tile(ms, (len(beat), 1)), beat[:, None] - 1.0], 1) * 1e-3,
        np.concatenate([flow, np.zeros((len(beat), 1))], axis=1),
        p["subject"],
    )


def _slices(
    bodies: Arteries, count: int = 4
) -> list[tuple[float, Float[np.ndarray, "subject segment"]]]:
    """Return weights and radii of points along all arteries (Gauss-Legendre)."""
    points, weights = np.polynomial.legendre.leggauss(count)
    taper = bodies.outlet_radius - bodies.inlet_radius
    return [
        (0.5 * float(w), bodies.inlet_radius + taper * 0.5 * (1.0 + x))
        for x, w in zip(points, weights, strict=True)
    ]


def _arterial_compliance(bodies: Arteries, pressure: PerSubject) -> PerSubject:
    """Return the compliance of all arteries at one pressure, m3/Pa."""
    total = np.zeros(len(bodies))
    for weight, radius in _slices(bodies):
        beta = stiffness(radius, bodies.k1, bodies.k2, bodies.k3)
        give = compliance(
            pressure[:, None], bodies.reference_pressure[:, None], radius, beta
        )
        total += weight * (give * bodies.length).sum(axis=1)
    return total


def _steady_root(
    bodies: Arteries, pressure: PerSubject, *, block: int = 256
) -> PerSubject:
    """Return the root pressure of steady flow through lumens at ``pressure``, Pa."""
    losses = np.zeros_like(bodies.length)
    for weight, radius in _slices(bodies):
        beta = stiffness(radius, bodies.k1, bodies.k2, bodies.k3)
        lumen = area(
            pressure[:, None], bodies.reference_pressure[:, None], radius, beta
        )
        losses += weight * bodies.blood.friction * bodies.length / lumen**2
    network, conductance = bodies.network, 1.0 / losses
    nodes = np.array(network.nodes)
    inlet, outlet = (
        np.searchsorted(nodes, ends) for ends in (network.inlet, network.outlet)
    )
    beds, root = outlet[network.terminals], int(np.searchsorted(nodes, network.root))
    answer = np.empty(len(bodies))
    for i in range(0, len(bodies), block):
        part = slice(i, i + block)
        matrix = np.zeros((len(losses[part]), len(nodes), len(nodes)))
        for k, (a, b) in enumerate(zip(inlet, outlet, strict=True)):
            for here, there in ((a, b), (b, a)):
                matrix[:, here, here] += conductance[part, k]
                matrix[:, here, there] -= conductance[part, k]
        matrix[:, beds, beds] += 1.0 / bodies.beds.total[part]
        source = np.zeros((len(matrix), len(nodes), 1))
        source[:, root, 0] = bodies.inflow.output[part]
        answer[part] = np.linalg.solve(matrix, source)[:, root, 0]
    answer += bodies.outflow_pressure
    return answer


def _ends_before_upstroke(
    pressure: Float[np.ndarray, "subject time"],
    start: PerSubject,
    beat: Int[np.ndarray, " subject"],
) -> Flags:
    """Tell where the last upstroke came too late to be recognised.

    PWDB recognises a beat by its steepest rise, in a running mean of 5 samples; a beat
    whose rise lies beyond the end does not count, nor does then the one before it.

    Args:
        pressure: mmHg, at 500 Hz.
        start: Of the foot, ms after the onset of aortic flow.
        beat: ms.
    """
    window = np.lib.stride_tricks.sliding_window_view(pressure[:, :120], 5, axis=1)
    rise = np.diff(window.mean(axis=2), axis=1)
    steepest = 2.0 * (2.0 + rise.argmax(axis=1))
    last = (_DURATION // beat) * beat + start + steepest
    late: Flags = _DURATION - last < 3.0
    return late
