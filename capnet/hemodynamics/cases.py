"""Cases: one network of arteries from a YAML file, as benchmarks are given.

The format is that of openBF (Melis 2018, INSIGNEO), whose files hold the cases of
Boileau 2015 (doi:10.1002/cnm.2732), Matthys 2007 and Alastruey 2007. A tube::

    project_name: tube
    inlet_file: tube_inlet.dat      # two columns: time (s), flow (m3/s); one beat
    reference_pressure: 9467.0      # Pa, at which the radii hold; 0 by default
    Pout: 0.0                       # Pa, behind the beds; 0 by default
    blood: {rho: 1060.0, mu: 4.0e-3}
    network:
      - label: aorta                # sites are "aorta@0.5" and the like
        sn: 1                       # node where it begins, and where it ends
        tn: 2
        L: 0.24                     # m
        R0: 12.0e-3                 # m; or Rp at the inlet and Rd at the outlet
        h0: 1.2e-3                  # m, thickness of the wall
        E: 400.0e3                  # Pa
        gamma_profile: 9            # exponent of the velocity profile; 2 by default
        R1: 1.1752e7                # Pa s/m3, the Windkessel of a terminal artery
        R2: 1.1167e8
        Cc: 1.0163e-8               # m3/Pa

A wall has P = Pref + 4/3 (E h/R) (sqrt(A/Aref) - 1): Poisson's ratio is 1/2, and it is
elastic. ``visco-elastic: true`` is refused: the format has no key for the viscosity,
and that in `capnet.hemodynamics.wall` was fitted to the packaged network alone.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, MissingExtraError, RecordError
from capnet.hemodynamics.arteries import Arteries, impedance
from capnet.hemodynamics.beds import MATCH_LIMIT, Beds
from capnet.hemodynamics.blood import Blood
from capnet.hemodynamics.inflow import Inflow
from capnet.hemodynamics.network import Network
from capnet.hemodynamics.wall import stiffness

__all__ = ["read_case"]

Overrides = Mapping[str, Mapping[str, float]]

_FILE_KEYS: Final = frozenset({"blood", "network", "inlet_file", "project_name"})
_SEGMENT_KEYS: Final = frozenset(
    {"label", "sn", "tn", "L", "E", "R0", "Rp", "Rd", "h0", "Pext", "gamma_profile"}
    | {"R1", "R2", "Cc", "outlet", "visco-elastic"}
)
_OURS: Final = frozenset({"reference_pressure", "Pout"})
_IDLE: Final = frozenset(
    {"write_results", "solver", "output_directory", "M", "to_save"}
    | {"initial_pressure", "initial_flow", "inlet_impedance_matching"}
)
"""Keys that choose how another program computes, not what."""

# Thickness over radius where none is given: two exponentials of the radius in m.
_FAST, _FAST_RATE = 0.2802, -505.3
_SLOW, _SLOW_RATE = 0.1324, -11.14

_WIDEST, _LONGEST = 0.05, 5.0
"""m: what is larger is most likely not in metres."""

_HIGHEST: Final = {"E": 1e9, "h0": 0.02, "R1": 1e13, "R2": 1e13, "Cc": 1e-6}
"""SI: more is another unit, or a number that lost its exponent."""

_QUICK: Final = 1e-3
"""Time constant R C over the beat below which a bed is a plain resistance."""

_CLOSED: Final = 1e-3
"""Flow that may be missing between the ends of a beat, over the highest flow."""


class _Wall(NamedTuple):
    """Eh/R = k1 exp(k2 R) + k3."""

    k1: float
    k2: float
    k3: float


def read_case(
    path: str | Path,
    *,
    overrides: Overrides | None = None,
    reference_pressure: float | None = None,
) -> Arteries:
    """Read one network from a YAML file in openBF's format.

    Where no thickness is given it is h = R (0.2802 exp(-505.3 R) + 0.1324 exp(-11.14
    R)), R in m (Avolio 1980, as in Boileau 2015); the second exponential is taken at
    each artery's mean radius (E h/R then errs by up to 2 % at the ends of the aortic
    arch, less elsewhere). An artery that tapers under one given thickness is exact at
    both ends and within 1 % between them for a taper by a quarter. A
    bed with R1 and Cc alone is a resistance R1 if R1 Cc is short (in-vitro networks);
    it is then split so that its first part matches the artery.

    Args:
        path: The file; its ``inlet_file`` lies beside it.
        overrides: Values for some arteries in place of those in the file, by label:
            ``{"aorta": {"R0": 12e-3, "h0": 1.2e-3}}``.
        reference_pressure: At which all radii hold, Pa, in place of the file's.

    Returns:
        One subject.

    Raises:
        RecordError: If a file is missing, damaged, or no such network.
        ConfigError: If a value is missing, unknown, or means nothing; the message
            names file and segment.
        MissingExtraError: If PyYAML is not installed.
    """
    path = Path(path)
    case = _load(path)
    segments = _segments(path, case, overrides or {})
    blood = _blood(path, case, segments)
    network = _network(path, segments)
    walls = [_wall(segment) for segment in segments]
    k1, k2, k3 = (np.array(column) for column in zip(*walls, strict=True))
    period, time, flow = _beat(path, case)
    outlet = network.outlet_radius[None]
    beta = stiffness(outlet, k1, k2, k3[None])
    matched = impedance(outlet, beta, blood.density)[0]
    beds = [
        _bed(segments[row], float(matched[row]), float(period))
        for row in network.terminals
    ]
    proximal, distal, capacity = (np.array(c)[None] for c in zip(*beds, strict=True))
    pressure = _pressure(path, case, segments, reference_pressure)
    outflow = _number(case, "Pout", str(path), default=0.0)
    try:
        return Arteries(
            network=network,
            length=network.length[None],
            inlet_radius=network.inlet_radius[None],
            outlet_radius=network.outlet_radius[None],
            k3=k3[None],
            viscous=np.zeros(len(network), dtype=np.bool_),
            reference_pressure=np.array([pressure]),
            outflow_pressure=np.array([outflow]),
            beds=Beds(proximal, distal, capacity),
            k1=k1,
            k2=k2,
            blood=blood,
            inflow=Inflow(np.array([period]), time[None], flow[None]),
        )
    except ConfigError as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error


def _load(path: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        what = f"reading the network {path.name}"
        raise MissingExtraError(what, "PyYAML") from error
    try:
        text = path.read_text("utf-8")
        case = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path} cannot be read ({error}); wanted a network in YAML."
        raise RecordError(msg) from error
    if not isinstance(case, dict) or not isinstance(case.get("network"), list):
        msg = f"{path} holds no network; wanted the keys blood and network."
        raise RecordError(msg)
    if text[-1] in "0123456789.":
        msg = (
            f"{path} ends with {text.split()[-1]!r} and no newline, so that the number "
            "may have been cut. Fetch the file again, or end its last line if it is "
            "whole."
        )
        raise RecordError(msg)
    _check_keys(case, _FILE_KEYS | _OURS | _IDLE, str(path))
    return case


def _check_keys(values: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(str(key) for key in values if key not in known)
    if unknown:
        msg = (
            f"{where} has the unknown key {unknown[0]!r}; wanted some of "
            f"{', '.join(sorted(known - _IDLE))}. Correct its spelling or remove it."
        )
        raise ConfigError(msg)


def _number(
    values: Mapping[str, Any], key: str, where: str, *, default: float | None = None
) -> float:
    """Return a finite number, or the default where there is none."""
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        try:  # YAML 1.1 reads 1e-13 as text
            value = float(value) if isinstance(value, str) else math.nan
        except ValueError:
            value = math.nan
    if not math.isfinite(value):
        found = repr(values[key]) if key in values else "missing"
        msg = f"{where}: {key} is {found}; wanted a number in SI units."
        raise ConfigError(msg)
    return float(value)


def _positive(values: Mapping[str, Any], key: str) -> float:
    number = _number(values, key, values["where"])
    if number <= 0:
        msg = f"{values['where']}: {key} is {number:g}; wanted more than 0."
        raise ConfigError(msg)
    if number > _HIGHEST.get(key, math.inf):
        msg = (
            f"{values['where']}: {key} is {number:g}; wanted at most "
            f"{_HIGHEST[key]:g}. Give SI units."
        )
        raise ConfigError(msg)
    return number


def _segments(
    path: Path, case: Mapping[str, Any], overrides: Overrides
) -> list[dict[str, Any]]:
    """Return the arteries, each with ``where`` it stands for the messages."""
    segments: list[dict[str, Any]] = []
    for row, entry in enumerate(case["network"], start=1):
        if not isinstance(entry, dict) or not entry.get("label"):
            msg = f"{path}, segment {row} has no label; wanted a name for each artery."
            raise ConfigError(msg)
        label = str(entry["label"])
        segment = {str(key).replace(" ", "_"): v for key, v in entry.items()}
        changes = overrides.get(label, {})
        if not isinstance(changes, Mapping):
            msg = (
                f"the overrides of {label!r} are {changes!r}; wanted values by key "
                "such as {'R0': 0.012}."
            )
            raise ConfigError(msg)
        if "R0" in changes:  # one radius in place of two
            segment.pop("Rp", None)
            segment.pop("Rd", None)
        segment |= changes
        where = f"{path}, segment {row} ({label!r})"
        _check_keys(segment, _SEGMENT_KEYS | _IDLE, where)
        if segment.get("inlet_impedance_matching"):
            msg = (
                f"{where}: inlet_impedance_matching makes R1 follow the lumen, which "
                "is not offered. Give R1 and R2, and set it to false."
            )
            raise ConfigError(msg)
        if segment.get("visco-elastic"):
            msg = (
                f"{where}: visco-elastic is {segment['visco-elastic']!r}, and only "
                "elastic walls are offered. Set it to false."
            )
            raise ConfigError(msg)
        segments.append(segment | {"label": label, "where": where})
    labels = [segment["label"] for segment in segments]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    unknown = sorted(set(overrides) - set(labels))
    if not segments or twice or unknown:
        found = (
            f"several arteries {twice[0]!r}"
            if twice
            else f"no artery {unknown[0]!r} to override"
            if unknown
            else "no arteries"
        )
        msg = f"{path} has {found}; wanted arteries with a label each."
        raise ConfigError(msg)
    return segments


def _radii(segment: Mapping[str, Any]) -> tuple[float, float]:
    if "R0" in segment and ("Rp" in segment or "Rd" in segment):
        msg = f"{segment['where']} has R0 and Rp or Rd; wanted R0, or Rp and Rd."
        raise ConfigError(msg)
    names = ("R0", "R0") if "R0" in segment else ("Rp", "Rd")
    first, last = (_positive(segment, name) for name in names)
    length = _positive(segment, "L")
    if max(first, last) > _WIDEST or length > _LONGEST:
        msg = (
            f"{segment['where']} is {length:g} m long and {max(first, last):g} m in "
            f"radius; wanted at most {_LONGEST:g} and {_WIDEST:g} m. Give metres."
        )
        raise ConfigError(msg)
    return first, last


def _wall(segment: Mapping[str, Any]) -> _Wall:
    """Return the stiffness as a function of the radius."""
    first, last = _radii(segment)
    young = _positive(segment, "E")
    if "h0" not in segment:
        slow = _SLOW * math.exp(_SLOW_RATE * 0.5 * (first + last))
        return _Wall(young * _FAST, _FAST_RATE, young * slow)
    thickness = _positive(segment, "h0")
    if math.isclose(first, last, rel_tol=1e-9):
        return _Wall(0.0, 0.0, young * thickness / first)
    # E h/R as one exponential through its values at both ends
    rate = math.log(first / last) / (last - first)
    return _Wall(young * thickness / first * math.exp(-rate * first), rate, 0.0)


def _network(path: Path, segments: list[dict[str, Any]]) -> Network:
    radii = [_radii(segment) for segment in segments]
    nodes = []
    for segment in segments:
        for key in ("sn", "tn"):
            number = _number(segment, key, segment["where"])
            if number != int(number):
                msg = f"{segment['where']}: {key} is {number:g}; wanted a whole number."
                raise ConfigError(msg)
            nodes.append(int(number))
    try:
        return Network(
            name=tuple(segment["label"] for segment in segments),
            inlet=np.array(nodes[::2]),
            outlet=np.array(nodes[1::2]),
            length=np.array([_positive(segment, "L") for segment in segments]),
            inlet_radius=np.array([first for first, _ in radii]),
            outlet_radius=np.array([last for _, last in radii]),
        )
    except ConfigError as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error


def _blood(
    path: Path, case: Mapping[str, Any], segments: list[dict[str, Any]]
) -> Blood:
    blood = case.get("blood")
    if not isinstance(blood, dict):
        msg = f"{path} says nothing of the blood; wanted blood: {{rho: ..., mu: ...}}."
        raise ConfigError(msg)
    where = f"{path}, blood"
    _check_keys(blood, frozenset({"rho", "mu"}), where)
    profiles = [
        _number(segment, "gamma_profile", segment["where"], default=2.0)
        for segment in segments
    ]
    for segment, profile in zip(segments, profiles, strict=True):
        if profile != profiles[0]:
            msg = (
                f"{segment['where']}: gamma_profile is {profile:g}, and "
                f"{profiles[0]:g} in {segments[0]['label']!r}; wanted one velocity "
                "profile for the whole network."
            )
            raise ConfigError(msg)
    density, viscosity = (_number(blood, key, where) for key in ("rho", "mu"))
    try:
        return Blood(density, viscosity, profiles[0])
    except ConfigError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error


def _bed(
    segment: Mapping[str, Any], matched: float, period: float
) -> tuple[float, float, float]:
    """Return R1, R2 and C of a terminal artery."""
    where = segment["where"]
    if segment.get("outlet", "wk3") not in ("wk3", "wk2"):
        msg = f"{where}: outlet is {segment['outlet']!r}; wanted 'wk3' (R1, R2, Cc)."
        raise ConfigError(msg)
    missing = [key for key in ("R1", "Cc") if key not in segment]
    if missing:
        msg = (
            f"{where} is terminal and lacks {' and '.join(missing)}; wanted the "
            "Windkessel R1, R2 (Pa s/m3) and Cc (m3/Pa), or an artery behind it."
        )
        raise ConfigError(msg)
    proximal, capacity = _positive(segment, "R1"), _positive(segment, "Cc")
    if "R2" in segment:
        return proximal, _positive(segment, "R2"), capacity
    if proximal * capacity > _QUICK * period:
        msg = (
            f"{where} has R1 and Cc but no R2, with R1 Cc = {proximal * capacity:.3g} "
            "s; whether R1 stands before Cc or beside it matters there. Give R1 and "
            "R2, in the file or as overrides."
        )
        raise ConfigError(msg)
    first = min(matched, MATCH_LIMIT * proximal)
    return first, proximal - first, capacity


def _pressure(
    path: Path,
    case: Mapping[str, Any],
    segments: list[dict[str, Any]],
    given: float | None,
) -> float:
    """Return the pressure at which all radii hold, Pa."""
    if given is not None:
        return float(given)
    usual = _number(case, "reference_pressure", str(path), default=0.0)
    pressures = [_number(s, "Pext", s["where"], default=usual) for s in segments]
    for segment, pressure in zip(segments, pressures, strict=True):
        if pressure != pressures[0]:
            msg = (
                f"{segment['where']}: Pext is {pressure:g} Pa, and {pressures[0]:g} in "
                f"{segments[0]['label']!r}; wanted one pressure at which all radii "
                "hold. Give reference_pressure."
            )
            raise ConfigError(msg)
    return pressures[0]


def _beat(
    path: Path, case: Mapping[str, Any]
) -> tuple[float, Float[np.ndarray, " knot"], Float[np.ndarray, " knot"]]:
    """Return period (s), times (s) and flow (m3/s) of the inflow."""
    name = case.get("inlet_file") or f"{case.get('project_name', path.stem)}_inlet.dat"
    inlet = path.parent / str(name)
    try:
        table = np.loadtxt(inlet, dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        msg = (
            f"{inlet}, the inflow of {path.name}, cannot be read ({error}); wanted two "
            "columns, time (s) and flow (m3/s)."
        )
        raise RecordError(msg) from error
    if table.shape[1] != 2 or len(table) < 3 or not np.isfinite(table).all():
        msg = (
            f"{inlet} holds a table of {table.shape[0]} rows and {table.shape[1]} "
            "columns; wanted time (s) and flow (m3/s), three rows or more, all finite."
        )
        raise RecordError(msg)
    time, flow = table.T
    largest = float(np.abs(flow).max())
    back = np.flatnonzero(np.diff(time, prepend=-1.0) <= 0)
    if time[0] != 0 or len(back):
        row = int(back[0]) if len(back) else 0
        msg = (
            f"{inlet}, row {row + 1}: time is {time[row]:g} s; wanted rising times "
            "from 0 to the end of the beat."
        )
        raise RecordError(msg)
    if abs(flow[-1] - flow[0]) > _CLOSED * largest:
        msg = (
            f"{inlet}: the flow ends with {flow[-1]:g} and begins with {flow[0]:g} "
            "m3/s; wanted one beat that ends as it begins."
        )
        raise RecordError(msg)
    # the last row is the first one of the next beat
    return float(time[-1]), time[:-1], flow[:-1]
