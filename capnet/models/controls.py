"""Inputs spoilt on purpose: what an estimate still knows without them."""

import numpy as np

from capnet.errors import ProtocolError
from capnet.records import Beats

__all__ = ["borrowed_ppg", "shuffled_ppg"]


def shuffled_ppg(beats: Beats, *, seed: int) -> Beats:
    """Exchange the PPG waves among the accepted beats, and leave all else.

    Among beats of many people this takes away everything that the shape of a person's
    own pulse says beyond cuff, age and heart rate. Among beats of one person it takes
    away only what changes from beat to beat.

    Args:
        beats: Of any number of people.
        seed: Of the permutation.
    """
    rows = np.flatnonzero(beats.accepted)
    mixed = np.random.default_rng(seed).permutation(rows)
    ppg = beats.ppg.copy()
    ppg[rows] = beats.ppg[mixed]
    return beats.replace(ppg=ppg, raw=None, start=None, stop=None)


def borrowed_ppg(beats: Beats, lenders: Beats, *, seed: int) -> Beats:
    """Replace every PPG wave by that of a random other person, and leave all else.

    Args:
        beats: Whose PPG is replaced.
        lenders: Other people, for example virtual ones.
        seed: Of the draw.

    Raises:
        ProtocolError: If the lenders have no accepted beat.
    """
    pool = lenders.usable().ppg
    if len(pool) == 0:
        msg = f"{lenders!r} has no accepted beat to lend; give other people."
        raise ProtocolError(msg)
    drawn = np.random.default_rng(seed).integers(len(pool), size=len(beats))
    ppg = np.where(beats.accepted[:, None], pool[drawn], beats.ppg)
    return beats.replace(ppg=ppg, raw=None, start=None, stop=None)
