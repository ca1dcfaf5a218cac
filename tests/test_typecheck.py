"""What is checked once is checked at every call, and nothing else is taken for it."""

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError, jaxtyped

from tests.typecheck import checker


def made(kind):
    """A function that is made anew, as one inside another is at every call."""

    @jaxtyped(typechecker=checker)
    def twice(x: Float[np.ndarray, " beat"], y: kind) -> Float[np.ndarray, " beat"]:
        return np.concatenate([x, x]) if y == "long" else 2 * x

    return twice


@pytest.mark.parametrize("time", ["first", "again"])
def test_a_function_made_anew_is_checked_like_the_first(time):
    words, whole = made(str), made(int)
    np.testing.assert_array_equal(words(np.ones(3), "short"), np.full(3, 2.0))
    np.testing.assert_array_equal(whole(np.ones(3), 1), np.full(3, 2.0))
    with pytest.raises(TypeCheckError, match="'y'"):
        words(np.ones(3), 1)
    with pytest.raises(TypeCheckError, match="'y'"):
        whole(np.ones(3), "short")
    with pytest.raises(TypeCheckError, match="'x'"):
        words(np.ones((3, 1)), "short")
    with pytest.raises(TypeCheckError, match="return value"):
        words(np.ones(3), "long")


def test_the_check_itself_is_shared():
    def signature(kind):
        def empty(x: kind):
            """As jaxtyping makes one."""

        return empty

    assert checker(signature(int)) is checker(signature(int))
    assert checker(signature(int)) is not checker(signature(str))
