r"""Friction of oscillating flow in a round, even lumen (Womersley 1955).

The impedance along an artery, per length, is

.. math::
    z = \frac{i\omega\rho}{A\,(1 - F_{10})}
      = \frac{\pi\mu}{A^2}\left(2 t_4 + i\alpha^2\right), \qquad
    F_{10} = \frac{2 J_1(\zeta)}{\zeta J_0(\zeta)} = \frac{2}{2 + i\alpha^2/t_4},

with :math:`\zeta^2 = -i\alpha^2`, :math:`\alpha^2 = R^2\omega\rho/\mu` and the
continued fraction

.. math:: t_n = n + \frac{i\alpha^2}{t_{n+2}} .

The form on the right subtracts nothing: it is Poiseuille's :math:`8\pi\mu/A^2` at rest
(:math:`t_4 = 4`) and :math:`i\omega\rho/A` when friction has no time to act.

J. R. Womersley, J Physiol 127 (1955) 553, doi:10.1113/jphysiol.1955.sp005276; the tail
of the fraction is the uniform expansion of :math:`y I_{\nu-1}(y) / I_\nu(y)` for large
order (NIST Digital Library of Mathematical Functions, 10.41).
"""

from typing import Final, TypeVar

import numpy as np
from torch import Tensor

__all__ = ["LEVELS", "womersley"]

LEVELS: Final = 18
"""Levels of the continued fraction in front of its tail: 1e-9 for every alpha."""

Array = TypeVar("Array", np.ndarray, Tensor)


def _fourth(square: Array) -> Array:
    """Return t_4 as a function of i alpha^2."""
    order = LEVELS + 1.0
    inner = square + order * order
    root = inner**0.5
    slope = -0.5 * square / inner
    bend = square * (4.0 * order * order - square) / (8.0 * inner * inner * root)
    top = order + root + slope + bend
    bottom = top / top
    for level in range(LEVELS, 1, -1):
        top, bottom = 2.0 * level * top + square * bottom, top
    answer: Array = top / bottom
    return answer


def womersley(alpha_squared: Array) -> Array:
    """Return the impedance per length over pi mu / A^2; 8 at rest.

    Args:
        alpha_squared: Square of Womersley's number, not negative; any shape.
    """
    square: Array = 1j * alpha_squared
    answer: Array = 2.0 * _fourth(square) + square
    return answer
