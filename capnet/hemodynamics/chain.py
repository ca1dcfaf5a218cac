"""Short even arteries in a row: their two-ports, joined from inlet to outlet.

All tensors of shorts are in the order of `capnet.hemodynamics.linear.Layout`: step by
step away from the inlets, and within a step by falling number of shorts in the piece.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Complex
from torch import Tensor

from capnet.hemodynamics import fused
from capnet.hemodynamics.friction import womersley

__all__ = ["Chain", "Joint", "Wall", "make_chain"]


class Wall(NamedTuple):
    """What a short artery opposes to a wave; each of shape (short, subject).

    The resistance is that of steady flow, or pi mu l / A^2 for Womersley's.
    """

    resistance: Tensor
    inertance: Tensor
    capacity: Tensor
    delay: Tensor


class Joint(NamedTuple):
    """Where a short follows another; each of shape (some, subject, harmonic).

    Attributes:
        near: Part of a current entering here that reaches the inlet of the piece.
        far: Part that reaches the outlet of the short that follows.
    """

    near: Tensor
    far: Tensor


class Chain(NamedTuple):
    """Two-ports; each of shape (short or piece, subject, harmonic).

    Attributes:
        sizes: Shorts joined in each step.
        series, shunt: Of each short: admittance along it, and at both ends to ground.
        joints: One for each step but the first.
        along, left, right: Of each piece: along it, and to ground at inlet and outlet.
    """

    sizes: list[int]
    series: Complex[Tensor, "short subject harmonic"]
    shunt: Complex[Tensor, "short subject harmonic"]
    joints: list[Joint]
    along: Complex[Tensor, "piece subject harmonic"]
    left: Complex[Tensor, "piece subject harmonic"]
    right: Complex[Tensor, "piece subject harmonic"]

    def collect(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """Bring currents that enter at the ends of shorts to the ends of pieces.

        Args:
            left: Into the inlet of each short. Shape (short, subject, harmonic).
            right: Into its outlet.

        Returns:
            Into inlet and outlet of each piece. Shape (piece, subject, harmonic).
        """
        first, last = torch.split(left, self.sizes), torch.split(right, self.sizes)
        one, other = first[0], last[0]
        done: list[tuple[Tensor, Tensor]] = []
        parts = zip(self.sizes[1:], first[1:], last[1:], self.joints, strict=True)
        for size, before, behind, joint in parts:
            done.append((one[size:], other[size:]))
            enter = other[:size] + before
            one = torch.addcmul(one[:size], joint.near, enter)
            other = torch.addcmul(behind, joint.far, enter)
        done.append((one, other))
        whole = [torch.cat(ends) for ends in zip(*reversed(done), strict=True)]
        return whole[0], whole[1]

    def spread(self, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Find the potentials at the ends of shorts, where no current enters within.

        Args:
            first: At the inlet of each piece. Shape (piece, subject, harmonic).
            last: At its outlet.

        Returns:
            At inlet and outlet of each short. Shape (short, subject, harmonic).
        """
        left, right = [], []
        behind = last[: self.sizes[-1]]
        for size, joint in zip(self.sizes[:0:-1], self.joints[::-1], strict=True):
            behind = torch.cat([behind, last[len(behind) : size]])
            right.append(behind)
            behind = torch.addcmul(joint.far * behind, joint.near, first[:size])
            left.append(behind)
        right.append(torch.cat([behind, last[len(behind) :]]))
        left.append(first)
        return torch.cat(left[::-1]), torch.cat(right[::-1])


def make_chain(
    wall: Wall, omega: Tensor, sizes: Sequence[int], *, oscillating: bool
) -> Chain:
    """Return the two-ports of all shorts and pieces.

    Args:
        wall: The shorts.
        omega: Angular frequencies, 1/s. Shape (subject, harmonic).
        sizes: Shorts joined in each step.
        oscillating: Whether friction is Womersley's.
    """
    series, shunt = _shorts(wall, omega, oscillating=oscillating)
    heads = list(sizes)
    along, aside = torch.split(series, heads), torch.split(shunt, heads)
    s, left, right = along[0], aside[0], aside[0]
    joints: list[Joint] = []
    done: list[tuple[Tensor, Tensor, Tensor]] = []
    for size, y, g in zip(heads[1:], along[1:], aside[1:], strict=True):
        done.append((s[size:], left[size:], right[size:]))
        s, left, right = s[:size], left[:size], right[:size]
        inner = right + g
        inverse = (s + y + inner).reciprocal()
        near, far = s * inverse, y * inverse
        joints.append(Joint(near, far))
        left = torch.addcmul(left, near, inner)
        right = torch.addcmul(g, far, inner)
        s = near * y
    done.append((s, left, right))
    joined = [torch.cat(parts) for parts in zip(*reversed(done), strict=True)]
    return Chain(heads, series, shunt, joints, *joined)


def _shorts(wall: Wall, omega: Tensor, *, oscillating: bool) -> tuple[Tensor, Tensor]:
    """Return series and shunt admittances of every short."""

    def column(part: Tensor) -> Tensor:
        return part[:, :, None]

    reactance = column(wall.inertance) * omega
    resistance = column(wall.resistance).expand_as(reactance).contiguous()
    if oscillating:
        impedance = resistance * womersley(reactance / resistance)
    else:
        impedance = torch.complex(resistance, reactance)
    lag = column(wall.delay) * omega
    give = 0.5 * column(wall.capacity) * omega / (1.0 + lag * lag)
    times = fused.halvings(_longest(wall, omega, oscillating=oscillating))
    return _even(impedance, torch.complex(give * lag, give), times)


def _longest(wall: Wall, omega: Tensor, *, oscillating: bool) -> float:
    """Return a bound of |h|^2 over all short arteries and harmonics."""
    with torch.no_grad():
        capacity, fastest = wall.capacity, omega.amax()
        slow = (wall.resistance * capacity).nan_to_num(0.0, 0.0).amax() * fastest
        fast = (wall.inertance * capacity).nan_to_num(0.0, 0.0).amax() * fastest**2
        if oscillating:  # Womersley's impedance: at most 8 R + 4/3 i w L
            slow, fast = 8.0 * slow, 4.0 / 3.0 * fast
        return 0.25 * float(slow + fast)


def _even(impedance: Tensor, half: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Return the two-port of even arteries: series and each shunt admittance.

    They are halved until they are at most 1 rad long, where few terms give tanh(h)/h,
    and the halves are joined again.

    Args:
        impedance: Of the whole artery.
        half: Half the admittance of its wall.
        times: How often they are halved.
    """
    part = 0.5**times
    impedance, half = impedance * part, half * part
    square = impedance * half * 0.5
    top, bottom = (_polynomial(square, c) for c in (fused.TOP, fused.BOTTOM))
    along = impedance * top
    inverse = (along * bottom).reciprocal()
    series = (bottom * bottom - square * top * top) * inverse
    shunt = half * top * along * inverse
    for _ in range(times):
        share = series * (series + shunt).reciprocal()
        series, shunt = 0.5 * series * share, torch.addcmul(shunt, shunt, share)
    return series, shunt


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Evaluate c[0] + c[1] x + c[2] x^2 ... (Horner)."""
    constants = [torch.tensor(c, dtype=x.dtype, device=x.device) for c in coefficients]
    total = x * constants[-1] + constants[-2]
    for constant in reversed(constants[:-2]):
        total = torch.addcmul(constant, total, x)
    return total
