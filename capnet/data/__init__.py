"""From a recording to beats, who is held out from whom, and batches for training."""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.data.augmentation import (
        Augmentation,
        AugmentationDraw,
        augment,
        draw_augmentation,
    )
    from capnet.data.catalog.archives import unpack
    from capnet.data.catalog.downloads import download
    from capnet.data.catalog.entries import CATALOG
    from capnet.data.clinic.checkup import Checkup, check_clinic
    from capnet.data.clinic.examples import write_example_clinic
    from capnet.data.clinic.folder import (
        ClinicFolder,
        clinic_beats,
        read_clinic,
        sources_of,
    )
    from capnet.data.duplicates import Duplicates, find_duplicates, virtual_neighbours
    from capnet.data.folds import (
        Fold,
        check_disjoint,
        k_fold,
        leave_one_domain_out,
        load_split,
        nested_folds,
        save_split,
    )
    from capnet.data.frozen import beats_hash, cohort_hash, label_draws, split_by_number
    from capnet.data.privacy.pseudonyms import deidentified, pseudonym, pseudonym_key
    from capnet.data.privacy.search import Hit, scan
    from capnet.data.readers import read_record, stream_record
    from capnet.data.readers.arrays import record_of_arrays
    from capnet.data.splits import FewShotSplit, few_shot_split, hold_out
    from capnet.data.stores.beat_store import BeatStore, build_store
    from capnet.data.stores.sources import Source, source_of_record
    from capnet.data.stores.table import load_beats, save_beats
    from capnet.data.writers.records import RecordWriter, write_record

__all__ = [
    "CATALOG",
    "Augmentation",
    "AugmentationDraw",
    "BeatStore",
    "Checkup",
    "ClinicFolder",
    "Duplicates",
    "FewShotSplit",
    "Fold",
    "Hit",
    "RecordWriter",
    "Source",
    "augment",
    "beats_hash",
    "build_store",
    "check_clinic",
    "check_disjoint",
    "clinic_beats",
    "cohort_hash",
    "deidentified",
    "download",
    "draw_augmentation",
    "few_shot_split",
    "find_duplicates",
    "hold_out",
    "k_fold",
    "label_draws",
    "leave_one_domain_out",
    "load_beats",
    "load_split",
    "nested_folds",
    "pseudonym",
    "pseudonym_key",
    "read_clinic",
    "read_record",
    "record_of_arrays",
    "save_beats",
    "save_split",
    "scan",
    "source_of_record",
    "sources_of",
    "split_by_number",
    "stream_record",
    "unpack",
    "virtual_neighbours",
    "write_example_clinic",
    "write_record",
]

_HOMES = {
    "Augmentation": "augmentation",
    "AugmentationDraw": "augmentation",
    "BeatStore": "stores.beat_store",
    "CATALOG": "catalog.entries",
    "Checkup": "clinic.checkup",
    "ClinicFolder": "clinic.folder",
    "Duplicates": "duplicates",
    "FewShotSplit": "splits",
    "Fold": "folds",
    "Hit": "privacy.search",
    "RecordWriter": "writers.records",
    "Source": "stores.sources",
    "augment": "augmentation",
    "beats_hash": "frozen",
    "build_store": "stores.beat_store",
    "check_clinic": "clinic.checkup",
    "check_disjoint": "folds",
    "clinic_beats": "clinic.folder",
    "cohort_hash": "frozen",
    "deidentified": "privacy.pseudonyms",
    "download": "catalog.downloads",
    "draw_augmentation": "augmentation",
    "few_shot_split": "splits",
    "find_duplicates": "duplicates",
    "hold_out": "splits",
    "k_fold": "folds",
    "label_draws": "frozen",
    "leave_one_domain_out": "folds",
    "load_beats": "stores.table",
    "load_split": "folds",
    "nested_folds": "folds",
    "pseudonym": "privacy.pseudonyms",
    "pseudonym_key": "privacy.pseudonyms",
    "read_clinic": "clinic.folder",
    "read_record": "readers",
    "record_of_arrays": "readers.arrays",
    "save_beats": "stores.table",
    "save_split": "folds",
    "scan": "privacy.search",
    "source_of_record": "stores.sources",
    "sources_of": "clinic.folder",
    "split_by_number": "frozen",
    "stream_record": "readers",
    "unpack": "catalog.archives",
    "virtual_neighbours": "duplicates",
    "write_example_clinic": "clinic.examples",
    "write_record": "writers.records",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
