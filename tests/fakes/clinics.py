"""Folders of clinics for tests: an example made once, copied and spoilt."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from capnet.data.clinic.manifest import FORMAT
from capnet.data.readers import read_record
from capnet.data.writers.records import write_record
from capnet.hemodynamics import Cohort, Train
from capnet.records import Record

KEY = bytes(range(32))
"""Of pseudonyms: the same on every computer, and nobody's own."""


def copied(source, target):
    """Copy a clinic's folder, to spoil it."""
    shutil.copytree(source, target)
    return target


def rows_of(root):
    with (root / "manifest.csv").open(newline="") as file:
        return [*csv.DictReader(file)]


def write_rows(root, rows):
    heads = [*dict.fromkeys(head for row in rows for head in row)]
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, heads, restval="")
        writer.writeheader()
        writer.writerows(rows)


def change_row(root, number, **cells):
    """Change cells of a row, as a spreadsheet numbers it."""
    rows = rows_of(root)
    rows[number - 2] |= cells
    write_rows(root, rows)


def change_settings(root, **settings):
    path = root / "clinic.json"
    content = json.loads(path.read_text()) | settings
    path.write_text(json.dumps(content))


def rewrite(root, name, change):
    """Change the channels of a recording, and write it as if nothing had been."""
    path = root / name
    record = read_record(path)
    for old in path.parent.glob(f"{path.stem}*"):
        old.unlink()
    channels = change(dict(record.channels))
    write_record(Record(record.subject, channels, age=record.age), path)


def scaled(signal, gain, shift=0):
    return replace(signal, values=np.roll(signal.values, shift) * gain)


def strip_of(*, seconds=40.0, seed=5):
    """A virtual person's strip with finger, true radial and aortic pressure."""
    train = Train.draw(Cohort.sample(2, seed=4), seed=seed)
    rates = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0, "aortic_root": 125.0}
    return train.strip(1, duration=seconds, rates=rates)


def write_simultaneous(root, *, people=2):
    """A clinic whose monitors hold the aortic pressure, too."""
    train = Train.draw(Cohort.sample(people, seed=4), seed=5)
    rates = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0, "aortic_root": 125.0}
    rows = []
    for i in range(people):
        strip = train.strip(i, duration=40.0, rates=rates)
        names = ("II", "PLETH", "ART", "P2")
        channels = dict(zip(names, strip.channels.values(), strict=True))
        name = f"records/case{i}.hea"
        write_record(Record("x", channels), root / name)
        cuff = {"cuff_sbp": 120 + i, "cuff_dbp": 75, "sex": "f", "height_m": 1.7}
        rows.append({"subject": f"Case-{i}", "record": name, "role": "monitor", **cuff})
    write_rows(root, rows)
    settings = {
        "format": FORMAT,
        "name": "together",
        "virtual": True,
        "reference_type": "simulated",
        "simultaneous": True,
        "sync": "trusted",
        "calibration": "cuff SBP/DBP",
        "names": {"P2": "aortic"},
        "notes": "Dr Secret",
    }
    (root / "clinic.json").write_text(json.dumps(settings))
    return Path(root)
