"""Beats on disk, who is held out from whom, and batches for training."""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.data.readers import read_record
    from capnet.data.splits import FewShotSplit, few_shot_split, hold_out
    from capnet.data.store import load_beats, save_beats

__all__ = [
    "FewShotSplit",
    "few_shot_split",
    "hold_out",
    "load_beats",
    "read_record",
    "save_beats",
]

_HOMES = {
    "FewShotSplit": "splits",
    "few_shot_split": "splits",
    "hold_out": "splits",
    "load_beats": "store",
    "read_record": "readers",
    "save_beats": "store",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
