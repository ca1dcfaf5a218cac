"""Storage: people and their waves in one netCDF4 file, to be read by any tool.

The groups of the file are the dataclasses of this room (``spectra``, ``cohort``,
``cohort/bodies``...), its variables their arrays, its dimensions those of their types.
A complex array has a last dimension ``part``: real, imaginary. Whatever is no array
(names of arteries, provenance) is a scalar variable of JSON. Nothing is pickled,
numbers come back bit by bit, and a checksum over everything that is read (arrays, words
and settings) tells a damaged file.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args, get_origin

import numpy as np

from capnet.errors import CapnetError, MissingExtraError, RecordError
from capnet.files import write_atomic
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.spectra import Spectra
from capnet.prediction import DISCLAIMER

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Stored", "fingerprint", "read_identity", "read_stored", "write_stored"]

_FORMAT: Final = "capnet waves 2"
_FORMULA: Final = (
    "wave(t) = c[0] + 2 Re sum over k > 0 of c[k] exp(2 pi i k t / period), c[k] = "
    "(real, imaginary) along the last dimension; t = 0 is the start of aortic inflow"
)
_UNITS: Final = {
    "period": "s",
    "pressure": "Pa",
    "flow": "m3/s",
    "area": "m2",
    "residual": "Pa",
    "age": "years",
    "reference_pressure": "Pa",
    "outflow_pressure": "Pa",
    "length": "m",
    "inlet_radius": "m",
    "outlet_radius": "m",
}
_PART: Final = "part"
_DAMAGE: Final = (
    *(ArithmeticError, AttributeError, CapnetError, LookupError, MemoryError),
    *(OSError, RuntimeError, TypeError, ValueError),
)
"""What the layers below raise at a damaged file, by what was hit."""

_Packed = dict[str, dict[str, "tuple[tuple[str, ...], np.ndarray] | str"]]
"""By group and name: dimensions and array, or JSON."""


class Stored(NamedTuple):
    """What a file of waves holds.

    Attributes:
        cohort: The people.
        spectra: Their waves.
        sampling_rate: Hz.
        solver: What simulated them, as JSON.
        tolerance: Residual up to which a subject converged, Pa.
        settles: Whether the solver goes on until it converges.
        identity: Of the job that this is a part of, see `fingerprint`; empty for none.
    """

    cohort: Cohort
    spectra: Spectra
    sampling_rate: float
    solver: str
    tolerance: float
    settles: bool
    identity: str


def _entries(thing: Any, group: str) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield group, name, type and value of everything in a dataclass."""
    for field in fields(thing):
        value = getattr(thing, field.name)
        inner, array = f"{group}/{field.name}", _array_of_mapping(field.type)
        if is_dataclass(value):
            yield from _entries(value, inner)
        elif array is not None:
            yield from ((inner, name, array, part) for name, part in value.items())
        elif value is not None:
            yield group, field.name, field.type, value


def _array_of_mapping(hint: Any) -> Any:
    """Return the type of arrays that are kept by name; None for anything else."""
    kind = get_args(hint)[1] if get_origin(hint) is Mapping else None
    return kind if hasattr(kind, "dim_str") else None


def _pack(things: Mapping[str, Any]) -> _Packed:
    packed: _Packed = {}
    for root, thing in things.items():
        for group, name, kind, value in _entries(thing, root):
            into = packed.setdefault(group, {})
            if not hasattr(kind, "dim_str"):
                into[name] = json.dumps(value, default=lambda number: number.item())
                continue
            axes = tuple(kind.dim_str.split())
            if np.iscomplexobj(value):
                value = np.stack([value.real, value.imag], axis=-1)
                axes = (*axes, _PART)
            into[name] = (axes, value)
    return packed


def fingerprint(*things: Any) -> str:
    """Return 64 hexadecimal digits that change with any number or word in things.

    Args:
        things: Dataclasses of arrays such as `Cohort`, numbers, words, tuples of them.
    """
    digest = hashlib.sha256(_FORMAT.encode())
    for i, thing in enumerate(things):
        if not is_dataclass(thing):
            digest.update(json.dumps([i, thing]).encode())
            continue
        for group, part in sorted(_pack({str(i): thing}).items()):
            for name, value in sorted(part.items()):
                digest.update(f"\0{group}/{name}\0".encode())
                if isinstance(value, str):
                    digest.update(value.encode())
                else:
                    axes, array = value
                    digest.update(f"{axes}{array.shape}{array.dtype.str}".encode())
                    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _checksum(stored: Stored) -> str:
    return fingerprint(stored.cohort, stored.spectra, list(stored[2:]))


def _xarray() -> Any:
    for package in ("xarray", "h5netcdf", "h5py"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            what = "a file of waves"
            raise MissingExtraError(what, package) from error
    import xarray as xr

    return xr


def write_stored(path: str | Path, stored: Stored) -> Path:
    """Write people and waves to one file, whole or not at all.

    Args:
        path: Its folder is made when missing; ``.nc`` is the usual ending.
        stored: What to write.

    Returns:
        The path.

    Raises:
        MissingExtraError: If xarray, h5netcdf or h5py is not installed.
    """
    xr = _xarray()
    attributes = {
        "title": f"Pulse waves of {len(stored.cohort)} virtual subjects",
        "comment": DISCLAIMER,
        "format": _FORMAT,
        "formula": _FORMULA,
        "solver": stored.solver,
        "sampling_rate_hz": float(stored.sampling_rate),
        "tolerance_pa": float(stored.tolerance),
        "settles": int(stored.settles),
        "identity": stored.identity,
        "checksum": _checksum(stored),
    }
    sites = np.array(stored.spectra.sites, dtype=object)
    groups = {"/": xr.Dataset(coords={"site": sites}, attrs=attributes)}
    encoding: dict[str, dict[str, dict[str, Any]]] = {}
    packed = _pack({"spectra": stored.spectra, "cohort": stored.cohort})
    for group, part in packed.items():
        variables = {}
        for name, value in part.items():
            if isinstance(value, str):
                variables[name] = xr.Variable((), np.array(value, dtype=object))
                continue
            axes, array = value
            unit = {"units": _UNITS[name]} if name in _UNITS else {}
            variables[name] = xr.Variable(axes, array, unit)
            stores = encoding.setdefault(f"/{group}", {})
            stores[name] = {"_FillValue": None, "fletcher32": array.size > 1}
        groups[f"/{group}"] = xr.Dataset(variables)
    tree = xr.DataTree.from_dict(groups)
    content = tree.to_netcdf(None, engine="h5netcdf", encoding=encoding)
    return write_atomic(Path(path), bytes(content))


def _restore(kind: Any, value: Any) -> Any:
    """Give what JSON knows no type for its type again."""
    if get_origin(kind) is tuple:
        return tuple(value)
    if get_origin(kind) is not None and isinstance(value, dict):
        inner = get_args(kind)[1]
        return {name: inner(*part) for name, part in value.items()}
    return value


def _unpack(kind: Any, group: str, tree: "xr.DataTree") -> Any:
    """Build a dataclass from a group of the file."""
    given: dict[str, Any] = {}
    variables, children = tree[group].dataset, tree[group].children
    for field in fields(kind):
        hint, inner = field.type, f"{group}/{field.name}"
        options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        made = next((option for option in options if is_dataclass(option)), None)
        array = _array_of_mapping(hint)
        if array is not None:
            parts = tree[inner].data_vars if field.name in children else {}
            given[field.name] = {str(k): _value(array, v) for k, v in parts.items()}
        elif made is not None and field.name in children:
            given[field.name] = _unpack(made, inner, tree)
        elif field.name in variables:
            given[field.name] = _value(hint, variables[field.name])
    return kind(**given)


def _value(hint: Any, variable: "xr.DataArray") -> Any:
    if not hasattr(hint, "dim_str"):
        return _restore(hint, json.loads(variable.item()))
    values = variable.to_numpy()
    if variable.dims[-1:] == (_PART,):
        answer = np.empty(values.shape[:-1], np.result_type(values, np.complex64))
        answer.real, answer.imag = values[..., 0], values[..., 1]  # -0.0 and NaN as is
        return answer
    return values


@contextmanager
def _opened(path: Path) -> Iterator["xr.DataTree"]:
    """Open a file of waves; numbers are read when they are asked for."""
    xr, h5py = _xarray(), import_module("h5py")
    try:
        with h5py.File(path) as plain:
            said = plain.attrs.get("format")
            ours = isinstance(said, str) and said == _FORMAT
            # h5netcdf cannot tidy up behind itself where this very look-up fails
            plain.attrs.get("_nc3_strict")
        if ours:
            with xr.open_datatree(
                path,
                engine="h5netcdf",
                mask_and_scale=False,
                decode_times=False,
                decode_timedelta=False,
            ) as tree:
                yield tree
    except _DAMAGE as error:
        msg = (
            f"{path} cannot be read as waves ({error}); wanted a file written by "
            "Waves.save, whole. Simulate it again, or copy it anew."
        )
        raise RecordError(msg) from error
    if not ours:
        msg = (
            f"{path} has format {said!r}; wanted {_FORMAT!r}, as Waves.save writes it."
        )
        raise RecordError(msg)


def read_identity(path: str | Path) -> str:
    """Return of which job a file is a part, without reading its waves.

    Raises:
        RecordError: If the file is missing, damaged or no file of waves.
        MissingExtraError: If xarray, h5netcdf or h5py is not installed.
    """
    with _opened(Path(path)) as tree:
        return str(tree.attrs["identity"])


def read_stored(path: str | Path) -> Stored:
    """Read what `write_stored` wrote.

    Raises:
        RecordError: If the file is missing, damaged or no file of waves.
        MissingExtraError: If xarray, h5netcdf or h5py is not installed.
    """
    with _opened(Path(path)) as tree:
        tree.load()
        stored = Stored(
            cohort=_unpack(Cohort, "cohort", tree),
            spectra=_unpack(Spectra, "spectra", tree),
            sampling_rate=float(tree.attrs["sampling_rate_hz"]),
            solver=str(tree.attrs["solver"]),
            tolerance=float(tree.attrs["tolerance_pa"]),
            settles=bool(tree.attrs["settles"]),
            identity=str(tree.attrs["identity"]),
        )
        if _checksum(stored) != tree.attrs["checksum"]:
            msg = "its checksum is not that of its numbers and words"
            raise RecordError(msg)
    return stored
