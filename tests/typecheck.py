"""The run-time type checker of the tests: an int may stand for a float.

jaxtyping decorates one function at a time, so beartype cannot tell what `Self` is; such
functions are left to mypy.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

_checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
_made: dict[object, Callable[..., Any]] = {}


def checker(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the empty function, with a signature of ours, that jaxtyping hands over.

    A function inside another is made anew at every call of the outer one. As long as
    place, code and annotations are equal, it shares the check of the one before: to
    compile the check again takes longer than what some tests are about. Functions with
    defaults share none, for beartype checks the defaults as it compiles.
    """
    if function.__defaults__ or function.__kwdefaults__:
        return _check(function)
    place = function.__module__, function.__qualname__, function.__code__
    key = *place, *function.__annotations__.items()
    if key not in _made:
        _made[key] = _check(function)
    return _made[key]


def _check(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return _checked(function)
    except BeartypeDecorHintPep673Exception:
        return function
