"""What JSON can hold: no NaN, no array, no key that is not a word."""

import math
from collections.abc import Mapping

import numpy as np

__all__ = ["plain"]


def plain(value: object) -> object:
    """Return a value as strict JSON can hold it.

    Numbers that are not finite become None, arrays and tuples become lists, keys and
    whatever else there is (paths, dates) become text.

    Args:
        value: A mapping, a sequence, a number, a word ...

    Example:
        >>> plain({"rate": float("nan"), 3: (np.float64(0.5), True)})
        {'rate': None, '3': [0.5, True]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)
