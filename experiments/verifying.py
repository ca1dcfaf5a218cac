"""``--verify <folder>``: the numbers of a report, made again from what lies beside."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from omegaconf import OmegaConf

from capnet.errors import CapnetError, RecordError
from capnet.evaluation.verification import verify_run

__all__ = ["FLAG", "verify"]

FLAG: Final = "--verify"


def verify(arguments: Sequence[str]) -> int:
    """Verify the run that the command line names.

    Args:
        arguments: Of the command line; the folder follows the flag.

    Returns:
        Exit status: 0 where every number came out again and no file has changed, 1
        where one did not, 2 where the folder holds no run.
    """
    try:
        folder = _folder(arguments)
        found = verify_run(folder, _inputs(folder))
    except CapnetError as error:
        print(f"{type(error).__name__}: {error}")
        return 2
    print(found)
    return 0 if found.holds else 1


def _folder(arguments: Sequence[str]) -> Path:
    place = arguments.index(FLAG)
    rest = [*arguments[:place], *arguments[place + 1 :]]
    paths = [word for word in rest if not word.startswith("hydra.")]
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
    file = folder / ".hydra" / "config.yaml"
    if not file.is_file():
        return {}
    config = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    return dict(_paths(config)) if isinstance(config, dict) else {}


def _paths(config: Mapping[Any, Any]) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for key, value in config.items():
        if isinstance(value, list):
            each = [(f"{key}[{i}]", v) for i, v in enumerate(value)]
        else:
            each = [(str(key), value)]
        found += [
            (name, Path(v))
            for name, v in each
            if isinstance(v, str) and v and not re.search(r"[\n\0]|\$\{", v)
        ]
    return [(name, path) for name, path in found if _exists(path)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for one
        return False
