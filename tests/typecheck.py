"""The run-time type checker of the tests: an int may stand for a float.

jaxtyping decorates one function at a time, so beartype cannot tell what `Self` is; such
functions are left to mypy.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

_checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checker(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return _checked(function)
    except BeartypeDecorHintPep673Exception:
        return function
