"""Errors that a user can cause, and act upon.

Every message says what was found, what was wanted, where, and the way out.
"""

__all__ = [
    "AdapterError",
    "CapnetError",
    "ConfigError",
    "MissingExtraError",
    "ProtocolError",
    "RecordError",
    "ShapeError",
    "StorageError",
    "UnitError",
]


class CapnetError(Exception):
    """Base of every error that a user of capnet can cause."""


class RecordError(CapnetError):
    """A recording is missing, damaged, empty, or lacks a channel."""


class UnitError(CapnetError):
    """A unit or a sampling rate is missing, unknown or impossible."""


class ShapeError(CapnetError):
    """Arrays do not fit together, or hold values that mean nothing."""


class ConfigError(CapnetError):
    """A setting is unknown or out of its range."""


class ProtocolError(CapnetError):
    """An evaluation was asked for that would not mean anything."""


class AdapterError(CapnetError):
    """An adapter is not live: it was not attached, not trained, or not applied."""


class StorageError(CapnetError, OSError):
    """A file could not be written: the disk is full, broken or closed to us."""


class MissingExtraError(CapnetError):
    """An optional package is not installed.

    Args:
        what: What needs the package.
        package: Its name.
    """

    def __init__(self, what: str, package: str) -> None:
        super().__init__(
            f"{what} needs the package {package!r}, which is not installed. Install it "
            "with: pip install 'capnet[all]'"
        )
