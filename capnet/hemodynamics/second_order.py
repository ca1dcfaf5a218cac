r"""Waves that waves make: the equations to second order in the pulse.

Pressure and flow are expanded about the mean state of the linear solver,
:math:`P = P_0 + p_1 + p_2 + \dots`, with :math:`Q_0` and everything that beats of first
order. What is linear in :math:`p_2, q_2` has the admittances of the first order; what
is quadratic in the first order drives it. In a short even artery of length :math:`l`,
with :math:`D` the lumen at :math:`P_d` over :math:`\beta^2`, the lumen is exactly

.. math::
    A = A_0 + C p_e + D p_e^2, \qquad P - P_0 = p_e + \tau \partial_t p_e

(:math:`p_e` is what the wall carries without its viscosity, whose time
:math:`\tau = C\Gamma/\sqrt{A_0}` does not depend on the pressure). Conservation of
volume and of momentum, the latter divided by :math:`A`, become

.. math::
    \partial_x q_2 + C\,\partial_t p_{e,2} = -D\,\partial_t (p_{e,1}^2), \qquad
    \partial_x p_2 + \frac{\rho}{A_0}\partial_t q_2 + \frac{f}{A_0^2} q_2
    = -\partial_x E .

So the wall takes up another :math:`N = \tfrac12 l D\,\partial_t(p_{e,1}^2)` at each
end of a short, and along the short the pressure falls by another

.. math::
    E = \frac{\rho\alpha}{A_0}\left[\frac{Q_1^2}{A_0}\right]_{inlet}^{outlet}
    - l\,C p_{e,1}\left(\frac{\rho\,\partial_t Q_1}{A_0^2}
    + \frac{2 f Q_1}{A_0^3}\right), \qquad Q_1 = Q_0 + q_1.

Taper is in the lumens at the ends. Where several arteries meet, either static pressure
is the same in all, or total pressure :math:`P + \tfrac12\rho u^2`; then the pressure
of an artery's end lies :math:`T = \tfrac12\rho (Q_1/A_0)^2` below that of the node.
Beds are linear.

:math:`E, N, T` are products in time, on a grid fine enough that no harmonic is taken
for another. Their means correct the mean pressure. First-order quantities are taken
half-way between the ends of a short, and flow at its ends differs from that by half of
what its wall takes up, :math:`\tfrac12 l C\,\partial_t p_{e,1}`.

What is left out is of third order in the pulse. With Womersley's friction, products
are those of the profile of steady flow.

It is a correction, and says nothing where it is not small: in soft arteries that are
nearly shut it can be several times what it corrects. A subject in whom it changes
pressure by more than `LARGEST` times the wave of first order (both peak to peak), or
makes the lumen vanish, at any place where waves are read, is reported as failed: NaN.
In sampled people it is at most 0.44 times that wave in the digital arteries, and 0.13
at the root.

This is a regular perturbation of the equations that `capnet.hemodynamics.nonlinear`
solves. Here are the products for torch, `capnet.hemodynamics.products` has the same for
the fused engine.
"""

from typing import Final, NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

__all__ = ["LARGEST", "Ducts", "Sources", "products", "samples", "squared"]

LARGEST: Final = 1.0
"""What the second order may add to a wave, peak to peak, over the wave of the first."""


class Ducts(NamedTuple):
    """What multiplies the products; each of shape (short, subject).

    Attributes:
        delay: Voigt time of the wall, s.
        stretch: D / C, 1/Pa: how much of its compliance a pressure adds.
        inertia: rho C l / A^2.
        friction: 2 f C l / A^3.
        uptake: C l / 2, m3/Pa.
        inlet, outlet: rho alpha / (A A at that end).
        inlet_head, outlet_head: rho / 2 over the square of the lumen at that end.
    """

    delay: Tensor
    stretch: Tensor
    inertia: Tensor
    friction: Tensor
    uptake: Tensor
    inlet: Tensor
    outlet: Tensor
    inlet_head: Tensor
    outlet_head: Tensor


class Sources(NamedTuple):
    """What drives the second order; each of shape (short, subject, harmonic).

    Attributes:
        drop: Pressure lost along each short, mean first, Pa.
        uptake: Flow taken up at each of its ends, m3/s; no mean.
        inlet, outlet: Dynamic pressure at its ends, mean first, Pa.
    """

    drop: Complex[Tensor, "short subject harmonic+1"]
    uptake: Complex[Tensor, "short subject harmonic"]
    inlet: Complex[Tensor, "short subject harmonic+1"]
    outlet: Complex[Tensor, "short subject harmonic+1"]


def samples(harmonics: int) -> int:
    """Return how many even times keep products of waves from aliasing.

    The smallest 2^n or 3 2^n above three times the highest harmonic.
    """
    count = 1
    while count <= 3 * harmonics:
        count *= 2
    shorter = count // 4 * 3
    return shorter if shorter > 3 * harmonics else count


def products(
    ducts: Ducts,
    pressure: Complex[Tensor, "short subject harmonic"],
    flow: Complex[Tensor, "short subject harmonic+1"],
    omega: Float[Tensor, "subject harmonic"],
) -> Sources:
    """Multiply waves.

    Args:
        ducts: What multiplies the products.
        pressure: Harmonics 1... half-way along each short, Pa.
        flow: There, mean first, m3/s.
        omega: Angular frequencies, 1/s.
    """
    count = samples(omega.shape[1])

    def column(part: Tensor) -> Tensor:
        return part[:, :, None]

    def wave(harmonics: Tensor) -> Tensor:
        values: Tensor = torch.fft.irfft(harmonics, n=count, norm="forward")
        return values

    def spectrum(values: Tensor) -> Tensor:
        harmonics: Tensor = torch.fft.rfft(values, norm="forward")
        return harmonics[:, :, : flow.shape[2]]

    lag = column(ducts.delay) * omega
    elastic = pressure / torch.complex(torch.ones_like(lag), lag)
    elastic = torch.nn.functional.pad(elastic, (1, 0))
    turn = 1j * torch.nn.functional.pad(omega, (1, 0))
    rise, slope, acceleration = wave(elastic), wave(elastic * turn), wave(flow * turn)
    middle, half = wave(flow), column(ducts.uptake) * slope
    inlet, outlet = (middle + half).square(), (middle - half).square()
    convection = column(ducts.outlet) * outlet - column(ducts.inlet) * inlet
    drag = column(ducts.inertia) * acceleration + column(ducts.friction) * middle
    gain = spectrum(column(ducts.stretch) * rise.square()) * column(ducts.uptake)
    return Sources(
        drop=spectrum(convection - rise * drag),
        uptake=(gain * turn)[:, :, 1:],
        inlet=spectrum(column(ducts.inlet_head) * inlet),
        outlet=spectrum(column(ducts.outlet_head) * outlet),
    )


def squared(
    wave: Complex[Tensor, "subject harmonic"],
) -> Complex[Tensor, "subject harmonic"]:
    """Return the spectrum of the square of a wave, as many harmonics of it."""
    count = samples(wave.shape[1] - 1)
    values = torch.fft.irfft(wave, n=count, norm="forward").square()
    answer: Tensor = torch.fft.rfft(values, norm="forward")
    return answer[:, : wave.shape[1]]
