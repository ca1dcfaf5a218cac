"""Tests of capnet."""

import tests.typecheck  # noqa: F401  # jaxtyping imports `tests` and reads from it
