"""The seal of a run: what each of its files was when the run ended.

``SHA256SUMS`` is a file that ``sha256sum --check SHA256SUMS`` reads, too. Whoever keeps
its own hash, e.g. in a paper, can tell every byte of the run from any other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from capnet.errors import RecordError
from capnet.files import sha256_of, write_atomic

__all__ = ["SEAL", "Fault", "fault_of", "faults_of", "read_seal", "seal_run"]

SEAL: Final = "SHA256SUMS"
"""Name of the seal in the folder of a run."""

_ROOMS: Final = (".", ".hydra", "model")
"""Where a run leaves files. What lies in other folders is nobody's."""

_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclass(frozen=True)
class Fault:
    """A file that is not as the run has left it.

    Attributes:
        file: Its name in the folder of the run, or that of an input.
        kind: What happened to it.
        found: What is there now, in words.
        wanted: What was there.
    """

    file: str
    kind: Literal["changed", "missing", "added"]
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.file} ({self.kind}): found {self.found}; wanted {self.wanted}"


def seal_run(folder: Path) -> Path:
    """Write down what every file of a run is; nothing may be written afterwards.

    Logs are left out: they are still open. So is what lies in folders that no run
    makes.

    Args:
        folder: Of the run.

    Returns:
        Path of the seal.

    Raises:
        StorageError: If it cannot be written.
    """
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in sorted(_files(folder))]
    return write_atomic(folder / SEAL, "".join(lines).encode())


def read_seal(folder: Path) -> dict[str, str]:
    """Read the seal of a run.

    Args:
        folder: Of the run.

    Returns:
        SHA-256 of every file, by its name.

    Raises:
        RecordError: If there is none, or a line is something else.
    """
    try:
        lines = (folder / SEAL).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        msg = f"{SEAL} cannot be read ({type(error).__name__})"
        raise RecordError(msg) from error
    found = {}
    for i, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            msg = f"{line[:80]!r} in line {i}, which is no hash with a name"
            raise RecordError(msg)
        found[match[2]] = match[1]
    return found


def fault_of(file: str, path: Path, wanted: str) -> Fault | None:
    """Hold one file against its hash.

    Args:
        file: What it is called.
        path: Where it lies.
        wanted: Its SHA-256 in hexadecimal digits.

    Returns:
        None where it is as it was.
    """
    try:
        if not path.is_file():
            return Fault(file, "missing", "no file", f"SHA-256 {wanted}")
        found = sha256_of(path)
    except OSError as error:
        return Fault(
            file, "changed", f"one that cannot be read ({error})", f"SHA-256 {wanted}"
        )
    if found == wanted:
        return None
    return Fault(file, "changed", f"SHA-256 {found}", f"SHA-256 {wanted}")


def faults_of(folder: Path, sealed: Mapping[str, str]) -> tuple[list[str], list[Fault]]:
    """Hold the files of a run against its seal.

    Args:
        folder: Of the run.
        sealed: SHA-256 by name, of `read_seal`.

    Returns:
        Names of files that are as they were; what changed, is lost or was added.
    """
    same, faults = [], []
    for name, wanted in sealed.items():
        fault = fault_of(name, folder / name, wanted)
        if fault is None:
            same.append(name)
        else:
            faults.append(fault)
    faults += [
        Fault(name, "added", "a file", "none: the run has not left it")
        for name in sorted({*_files(folder)} - sealed.keys())
    ]
    return same, faults


def _files(folder: Path) -> Iterator[str]:
    """Yield the names of what a run has left."""
    for room in _ROOMS:
        for path in (folder / room).glob("*"):
            log = room == "." and path.suffix == ".log"
            if path.is_file() and not log and path.name != SEAL:
                yield path.relative_to(folder).as_posix()
