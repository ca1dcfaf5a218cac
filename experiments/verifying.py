"""``--verify <folder>``: the numbers of a report, made again from what lies beside.

With ``--again`` the whole run is made again as well, from its configuration and seed.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import join
from typing import Any, Final

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped, unused-ignore]

from capnet.errors import CapnetError, RecordError
from capnet.evaluation.audits.seal import SEAL
from capnet.evaluation.verification import Verification, compare_runs, verify_run
from capnet.files import sha256_of
from experiments.results import git_state

__all__ = ["AGAIN", "FLAG", "verify"]

FLAG: Final = "--verify"
"""Verify a run instead of judging."""

AGAIN: Final = "--again"
"""Make the run again, too: what cannot be made from its files, such as audits."""

_DOORS: Final = ("adapt", "evaluate", "pipeline")
"""Those that leave what can be verified."""

_CONFIG: Final = Path(".hydra", "config.yaml")
_HYDRA: Final = Path(".hydra", "hydra.yaml")
_LEFT: Final = {"config.yaml", "hydra.yaml", "overrides.yaml"}
"""What hydra leaves there."""
_HEADER: Final = re.compile(r"^\s*#\s*@", re.MULTILINE)
"""By which a file tells hydra where its values belong."""
_UNREADABLE: Final = (OSError, ValueError, TypeError, YAMLError, OmegaConfBaseException)


def verify(arguments: Sequence[str]) -> int:
    """Verify the run that the command line names.

    Args:
        arguments: Of the command line; the folder follows the flag.

    Returns:
        Exit status: 0 where every number came out again and every file is as it was, 1
        where one is not, 2 where the folder holds no run, or none to make again.
    """
    try:
        folder = _folder(arguments)
        found = verify_run(folder, _inputs(folder))
        print(found)
        _tell_commit(folder)
        _tell_seal(folder)
        if not found.holds:
            print(f"Way out: {_way_out(folder, found)}")
            return 1
        if AGAIN not in arguments:
            if found.untested:
                print(f"{AGAIN} makes the whole run again, and these numbers with it.")
            return 0
        return _again(folder)
    except CapnetError as error:
        print(f"{type(error).__name__}: {error}")
        return 2


def _again(folder: Path) -> int:
    """Make a run again that verified so far, and compare every number."""
    with tempfile.TemporaryDirectory() as home:
        other = Path(home) / "run"
        status = _run(
            [*_command(folder), f"hydra.run.dir='{other}'"], _begun_in(folder)
        )
        if status:
            print(f"The run could not be made again (exit status {status}).")
            return 1
        found = compare_runs(folder, other)
    print(f"Made again from its configuration, to a thousandth. {found}")
    return 0 if found.holds else 1


def _run(words: Sequence[str], begun_in: Path) -> int:
    """Run a script as a shell would; what it says is progress here, no result."""
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=begun_in, stdout=sys.stderr, check=False
    ).returncode


def _command(folder: Path) -> list[str]:
    """Return how a run is made again, but for its folder.

    Raises:
        RecordError: If its configuration does not say what made it, or gives orders
            to hydra.
    """
    job = _said(folder, "hydra.job.name")
    if job not in _DOORS:
        msg = (
            f"{_HYDRA.as_posix()} in {folder.name!r} says that {job!r} made the run; "
            f"wanted one of {', '.join(_DOORS)}, which can make it again."
        )
        raise RecordError(msg)
    script = Path(__file__).with_name(f"{job}.py")
    _refuse_orders(folder)
    where = (folder / _CONFIG.parent).resolve()
    return [str(script), "--config-path", str(where), "--config-name", "config"]


def _refuse_orders(folder: Path) -> None:
    """Refuse a configuration that would have hydra start what it names.

    No run leaves such a one; who was sent a folder runs no code of its sender.

    Raises:
        RecordError: If hydra would read more than values of this project's keys.
    """
    found = {p.name for p in (folder / _CONFIG.parent).iterdir()} - _LEFT
    try:
        text = (folder / _CONFIG).read_text("utf-8")
        config = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except _UNREADABLE as error:
        msg = f"{_CONFIG.as_posix()} cannot be read ({type(error).__name__})."
        raise RecordError(msg) from error
    if isinstance(config, dict):
        found |= {"hydra", "defaults"} & {str(key).partition("@")[0] for key in config}
    if _HEADER.search(text):
        found.add("a line '# @...'")
    if found:
        msg = (
            f"{_CONFIG.parent} in {folder.name!r} has {', '.join(sorted(found))}, "
            "which no run leaves and which may start anything; wanted "
            f"{', '.join(sorted(_LEFT))} with the keys of the run alone. Do not make "
            "this run again."
        )
        raise RecordError(msg)


def _way_out(folder: Path, found: Verification) -> str:
    if not found.faults:
        versions = _provenance(folder).get("versions")
        version = versions.get("capnet") if isinstance(versions, dict) else None
        return (
            "no file has changed, so the code has; verify with that of the run: "
            f"capnet {version}, commit {_commit(folder)}."
        )
    said = (
        "take what is named from where the run was made, put elsewhere what was added"
    )
    told = any(fault.file.startswith(_CONFIG.parent.name) for fault in found.faults)
    try:
        words = _command(folder)
    except RecordError:
        told = True
    if told:  # its configuration cannot be relied on
        return f"{said}, or make the run again."
    return f"{said}, or make it again: python {join(words)} hydra.run.dir=<new folder>"


def _begun_in(folder: Path) -> Path:
    """Return where a run was started: its relative paths begin there."""
    begun = Path(_said(folder, "hydra.runtime.cwd") or ".")
    try:
        return begun if begun.is_dir() else Path.cwd()
    except OSError:  # a home of somebody else
        return Path.cwd()


def _said(folder: Path, key: str) -> str | None:
    """Return what hydra has written down of a run; None where it cannot be read."""
    try:
        found = OmegaConf.select(OmegaConf.load(folder / _HYDRA), key)
    except _UNREADABLE:
        return None
    return found if isinstance(found, str) else None


def _provenance(folder: Path) -> dict[str, Any]:
    """Return what a run says it was made of; nothing where that cannot be read."""
    try:
        found = json.loads((folder / "metrics.json").read_text("utf-8"))["provenance"]
    except (*_UNREADABLE, LookupError):
        return {}
    return found if isinstance(found, dict) else {}


def _commit(folder: Path) -> object:
    """Return which code a run says it was made with; None where it does not."""
    git = _provenance(folder).get("git")
    return git.get("commit") if isinstance(git, dict) else None


def _tell_commit(folder: Path) -> None:
    """Say so where other code verifies than made the run."""
    then, now = _commit(folder), git_state()["commit"]
    if then and now and then != now:
        print(f"? the code was {then} in that run and is {now} here")


def _tell_seal(folder: Path) -> None:
    """Say the one number that tells this run from any other."""
    seal = folder / SEAL
    if seal.is_file():
        print(f"SHA-256 of {SEAL}, to be kept elsewhere: {sha256_of(seal)}")


def _folder(arguments: Sequence[str]) -> Path:
    words = [word for word in arguments if word not in (FLAG, AGAIN)]
    paths = [word for word in words if not word.startswith("hydra.")]
    if len(paths) != 1:
        msg = f"{FLAG} was given {len(paths)} folders; wanted one: {FLAG} <folder>."
        raise RecordError(msg)
    folder = Path(paths[0])
    if not folder.is_dir():
        msg = f"there is no folder {paths[0]!r}; wanted that of a run with a report."
        raise RecordError(msg)
    return folder


def _inputs(folder: Path) -> dict[str, Path]:
    """Return where the configuration of a run says that its inputs lie."""
    try:
        read = OmegaConf.load(folder / _CONFIG)
        config = OmegaConf.to_container(read, resolve=False)
    except _UNREADABLE:
        return {}
    if not isinstance(config, dict):
        return {}
    return dict(_paths(config, _begun_in(folder)))


def _paths(config: Mapping[Any, Any], begun: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for key, value in config.items():
        if isinstance(value, list):
            each = [(f"{key}[{i}]", v) for i, v in enumerate(value)]
        else:
            each = [(str(key), value)]
        found += [
            (name, begun / v)
            for name, v in each
            if isinstance(v, str) and v and not re.search(r"[\n\0]|\$\{", v)
        ]
    return [(name, path) for name, path in found if _exists(path)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for one
        return False
