"""The door of the Pulse Wave Database: one virtual person as a record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from capnet.data.readers.plausibility import check_plausible
from capnet.errors import ConfigError, RecordError
from capnet.files import sha256_of
from capnet.hemodynamics.pwdb_release import (
    RELEASE_SITES,
    ReleaseSignal,
    read_pwdb_haemodynamics,
    read_pwdb_release,
)
from capnet.records import Record, Signal
from capnet.types import Samples

__all__ = ["read_pwdb_person"]

_USUAL: Final = (
    *("aortic_root", "carotid", "brachial", "radial", "digital", "femoral"),
    "ppg",
)
_PPG_SITE: Final = "digital"
"""Where ``ppg`` is taken: at the finger."""

_TABLES: Final = (
    *("pwdb_model_configs.csv", "pwdb_onset_times.csv", "pwdb_haemod_params.csv"),
)


def read_pwdb_person(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read one virtual person of the Pulse Wave Database's official release.

    The record is one beat of each channel at 500 Hz; a channel's start is when the beat
    begins there, so that delays between sites are those of the simulation.

    Args:
        path: Folder of the release, see `read_pwdb_release`.
        channels: Names of sites for their pressure (`RELEASE_SITES`), ``ppg`` for the
            photoplethysmogram at the finger or ``ppg_<site>`` for another; by default
            the pressures of aortic root, carotid, brachial, radial, digital and femoral
            artery, and ``ppg``.
        subject: PWDB's number of the person, as text.
        age: Years; as the release has it by default.

    Returns:
        The record of reference type ``simulated``.

    Raises:
        RecordError: If no person or an unknown one is asked for, a channel is not
            known, or a file is missing or damaged.
    """
    folder = Path(path)
    where = folder.name
    names = _USUAL if channels is None else channels
    sites = _sites(names, where=where)
    people = read_pwdb_haemodynamics(folder)
    number = _number(subject, people.index, where=where)
    signals: list[ReleaseSignal] = ["pressure"]
    if any(kind == "ppg" for kind, _ in sites.values()):
        signals.append("ppg")
    try:
        waves = read_pwdb_release(
            folder,
            sites=list(dict.fromkeys(site for _, site in sites.values())),
            signals=signals,
            subjects=[number],
        )
    except ConfigError as error:
        msg = f"{where}: {error}"
        raise RecordError(msg) from error
    found = {}
    for name, (kind, site) in sites.items():
        table, start = (
            (waves.ppg, waves.ppg_start)
            if kind == "ppg"
            else (waves.pressure, waves.start)
        )
        values: Samples = table[site][0]
        found[name] = Signal(
            values[: int(np.isfinite(values).sum())],
            waves.sampling_rate,
            "NU" if kind == "ppg" else "mmHg",
            start=float(start[site][0]),
        )
    check_plausible(found, where=where)
    row = int(np.searchsorted(people.index, number))
    return Record(
        subject=str(number),
        channels=found,
        age=float(people["age"][row]) if age is None else age,
        source=f"PWDB {where}, virtual person {number}",
        reference_type="simulated",
        sync="trusted",
        files={
            name: sha256_of(folder / name)
            for name in (*_TABLES, "PWs_csv.zip")
            if (folder / name).is_file()
        },
    )


def _sites(names: Sequence[str], *, where: str) -> dict[str, tuple[str, str]]:
    """Return kind and site of each channel."""
    found: dict[str, tuple[str, str]] = {}
    for name in [] if isinstance(names, str) else names:
        plain = str(name).lower()
        kind = "ppg" if plain.startswith("ppg") else "pressure"
        site = plain.removeprefix("ppg_") if plain != "ppg" else _PPG_SITE
        if site in RELEASE_SITES:
            found[name] = (kind, site)
    if isinstance(names, str) or len(found) < len(names) or not found:
        msg = (
            f"{where} has no such channels as {names!r}; wanted a list of some of "
            f"{', '.join(RELEASE_SITES)} (pressure), 'ppg' and 'ppg_<site>'."
        )
        raise RecordError(msg)
    return found


def _number(subject: str | None, known: np.ndarray, *, where: str) -> int:
    """Return the number of the person asked for."""
    word = "" if subject is None else str(subject).strip()
    number = int(word) if word.isascii() and word.isdigit() and len(word) < 9 else 0
    if number not in known:
        asked = "no subject was named" if subject is None else f"{word[:20]!r} is none"
        msg = (
            f"{where} holds {len(known)} virtual people and {asked}; wanted the number "
            f"of one, e.g. subject='{known[0]}'."
        )
        raise RecordError(msg)
    return number
