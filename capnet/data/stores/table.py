"""Tables of beats on disk: one npz file, no pickle, written whole or not at all."""

import io
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from capnet.errors import CapnetError, RecordError
from capnet.files import write_atomic
from capnet.records import Beats

__all__ = ["load_beats", "save_beats"]

_FORMAT: Final = 1
_GROUPS: Final = ("waves", "features", "truth")
_WORDS: Final = ("calibration", "reference_type")


def save_beats(beats: Beats, path: Path) -> Path:
    """Save a table of beats.

    Args:
        beats: What to save.
        path: Ends in ``.npz``.

    Returns:
        The path.

    Raises:
        RecordError: If an array holds Python objects.
    """
    arrays: dict[str, np.ndarray] = {}
    for f in fields(beats):
        value = getattr(beats, f.name)
        if isinstance(value, np.ndarray):
            arrays[f.name] = value
        elif f.name in _GROUPS:
            arrays |= {f"{f.name}/{name}": v for name, v in value.items()}
    objects = [name for name, array in arrays.items() if array.dtype.hasobject]
    if objects:
        msg = (
            f"{objects[0]} holds Python objects, which only a pickle could store; "
            "wanted numbers or numpy strings (dtype 'U')."
        )
        raise RecordError(msg)
    words = {name: getattr(beats, name) for name in _WORDS}
    header = json.dumps({"format": _FORMAT, **words})
    buffer = io.BytesIO()
    # numpy's stub lets `arrays` fill the flag `allow_pickle` too.
    np.savez(buffer, header=np.array(header), **arrays)  # type: ignore[arg-type]
    return write_atomic(path, buffer.getvalue())


def _check_format(found: object, path: Path) -> None:
    if found != _FORMAT:
        msg = f"{path} has format {found!r}; wanted {_FORMAT}."
        raise RecordError(msg)


def load_beats(path: Path) -> Beats:
    """Load a table of beats saved by `save_beats`.

    Raises:
        RecordError: If the file is missing, damaged or something else.
    """
    if not path.is_file():
        msg = (
            f"there are no beats at {path}. `python experiments/observe.py` makes "
            "some and prints where."
        )
        raise RecordError(msg)
    try:
        # numpy leaves a damaged file open when it opens it itself.
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = {name: file[name] for name in file.files if name != "header"}
        _check_format(header["format"], path)
        single = {k: v for k, v in arrays.items() if "/" not in k}
        # Any: mypy matches each mapping with every field of `Beats`.
        groups: dict[str, Any] = {
            group: {
                name.split("/", 1)[1]: v
                for name, v in arrays.items()
                if name.startswith(f"{group}/")
            }
            for group in _GROUPS
        }
        words = {name: header[name] for name in _WORDS}
        return Beats(**single, **groups, **words)
    except CapnetError:
        raise
    except Exception as error:
        # A damaged zip raises zlib, zipfile, ValueError, KeyError and others.
        msg = f"{path} holds no table of beats: {type(error).__name__}: {error}"
        raise RecordError(msg) from error
