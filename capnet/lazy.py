"""Names of a room that are loaded on first use (PEP 562)."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from capnet.errors import MissingExtraError

__all__ = ["loaded", "on_first_use"]


def loaded(module: str, name: str, *, what: str) -> Any:
    """Load a name of a module that needs a package which may not be installed.

    Args:
        module: Of capnet.
        name: In it.
        what: Needs the package, for the message.

    Raises:
        MissingExtraError: If the package is not installed.
    """
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("capnet"):
            raise
        raise MissingExtraError(what, error.name) from error


def on_first_use(
    room: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make ``__getattr__`` and ``__dir__`` of a package that loads its names late.

    Importing a room then costs no torch, pandas or matplotlib until a name that needs
    them is used.

    Args:
        room: ``__name__`` of the package.
        homes: Module of the package that each name lives in.

    Returns:
        The two functions, to be assigned in the package.
    """

    def load(name: str) -> object:
        if name not in homes:
            msg = f"module {room!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value: object = getattr(import_module(f"{room}.{homes[name]}"), name)
        setattr(sys.modules[room], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[room]), *homes})

    return load, names
