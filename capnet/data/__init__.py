"""Beats on disk, who is held out from whom, and batches for training."""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.data.frozen import (
        beats_hash,
        cohort_hash,
        label_draws,
        split_by_number,
    )
    from capnet.data.readers import read_record
    from capnet.data.splits import FewShotSplit, few_shot_split, hold_out
    from capnet.data.store import load_beats, save_beats
    from capnet.data.writer import RecordWriter, write_record

__all__ = [
    "FewShotSplit",
    "RecordWriter",
    "beats_hash",
    "cohort_hash",
    "few_shot_split",
    "hold_out",
    "label_draws",
    "load_beats",
    "read_record",
    "save_beats",
    "split_by_number",
    "write_record",
]

_HOMES = {
    "FewShotSplit": "splits",
    "RecordWriter": "writer",
    "beats_hash": "frozen",
    "cohort_hash": "frozen",
    "few_shot_split": "splits",
    "hold_out": "splits",
    "label_draws": "frozen",
    "load_beats": "store",
    "read_record": "readers",
    "save_beats": "store",
    "split_by_number": "frozen",
    "write_record": "writer",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
