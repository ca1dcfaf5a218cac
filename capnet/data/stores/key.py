"""What names a store: a hash of data, settings and code, in a folder of the system."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import capnet
from capnet.errors import ConfigError

__all__ = [
    "CACHE",
    "cache_folder",
    "code_version",
    "digest_of",
    "part_key",
    "plain_settings",
    "store_key",
]

CACHE: Final = "CAPNET_CACHE"
"""Variable of the environment that names another folder for what can be made again."""

_FORMAT: Final = 2
"""Of the files of a store; another one is another key."""

_LENGTH: Final = 32
"""Hexadecimal digits of a key: 128 bits, short enough for names of files."""

_DECIDING: Final = (
    *("signal/*.py", "data/readers/*.py", "records.py", "types.py", "units.py"),
    *("data/stores/*.py", "data/privacy/pseudonyms.py"),
    *("data/clinic/folder.py", "data/clinic/manifest.py", "data/clinic/references.py"),
)
"""Sources of the library that a file goes through until it is beats in a store."""


def digest_of(content: object) -> str:
    """Hash what JSON can hold.

    Raises:
        ConfigError: If JSON cannot hold it.
    """
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        msg = (
            f"settings hold what JSON cannot ({error}); wanted words, finite numbers, "
            "lists and mappings of them."
        )
        raise ConfigError(msg) from error
    return hashlib.sha256(text.encode()).hexdigest()


def plain_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings as JSON gives them back: lists for tuples, words for keys.

    Raises:
        ConfigError: If JSON cannot hold them.
    """
    digest_of(settings)
    plain: dict[str, object] = json.loads(json.dumps(settings))
    return plain


@cache
def code_version() -> str:
    """Hash the sources of the library that decide what a store holds.

    Any change of them is another version: a store never mixes beats of two.
    """
    root = Path(capnet.__file__).parent
    files = sorted(path for pattern in _DECIDING for path in root.glob(pattern))
    sources = [
        (path.relative_to(root).as_posix(), hashlib.sha256(path.read_bytes()))
        for path in files
    ]
    return digest_of([(name, digest.hexdigest()) for name, digest in sources])


def part_key(digest: str, domain: str, settings: Mapping[str, object]) -> str:
    """Name the part that holds one source.

    Args:
        digest: Of the source.
        domain: Of the source.
        settings: Of the whole store.

    Raises:
        ConfigError: If JSON cannot hold the settings.
    """
    content = [_FORMAT, digest, domain, settings, code_version()]
    return digest_of(content)[:_LENGTH]


def store_key(parts: Sequence[str]) -> str:
    """Name a store by its parts; their order does not matter."""
    return digest_of([_FORMAT, sorted(parts)])[:_LENGTH]


def cache_folder() -> Path:
    """Return the folder of what can be made again: the system's, or as `CACHE` says."""
    given = os.environ.get(CACHE)
    if given:
        return Path(given)
    from platformdirs import user_cache_path

    return user_cache_path("capnet")
