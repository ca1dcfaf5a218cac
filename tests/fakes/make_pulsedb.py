"""Write tiny files in the layout of PulseDB: made-up people, MATLAB 7.3 by h5py.

python tests/fakes/make_pulsedb.py FOLDER
"""

import sys
from pathlib import Path

import h5py
import numpy as np

WINDOW = 1250
SIGNALS = ("ECG_Raw", "ECG_F", "PPG_Raw", "PPG_F", "ABP_Raw", "ABP_F")


def characters(word):
    """Return text as MATLAB stores it."""
    return np.array([[ord(c)] for c in word], dtype=np.uint16)


def windows(count=3, *, seed=0):
    """Make the fields of a struct array, one value a window."""
    rng = np.random.default_rng(seed)
    made = {name: [] for name in SIGNALS}
    for _ in range(count):
        beat = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(WINDOW) / 110)
        noisy = beat + rng.normal(0, 0.01, WINDOW)
        for name in SIGNALS:
            made[name].append(100 + 40 * (noisy - 0.5) if "ABP" in name else noisy)
    time = np.arange(WINDOW) / 125
    made["T"] = [time + 10.0 * k + (30.0 if k > 1 else 0.0) for k in range(count)]
    made["SubjectID"] = ["p000001"] * count
    made["CaseID"] = ["3000001_0001"] * count
    made["Age"] = [61.0] * count
    made["Gender"] = ["F"] * count
    made["Height"] = [164.0] * count
    made["Weight"] = [58.5] * count
    made["SegSBP"] = [118.0] * count
    made["IncludeFlag"] = [1.0] * count
    return made


def _put(group, name, value, **how):
    if isinstance(value, str):
        value = characters(value)
    value = np.asarray(value)
    value = value.reshape(1, -1) if value.ndim < 2 else value
    return group.create_dataset(name, data=value, **how)


def _head(path):
    """Put MATLAB's block of text before the superblock."""
    text = b"MATLAB 7.3 MAT-file, made up"
    with path.open("r+b") as file:
        file.write(text.ljust(512))


def write(path, made, *, compression="gzip"):
    """Write a file of one person and return its path."""
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        group = file.create_group("Subj_Wins")
        for name, values in made.items():
            links = np.empty((1, len(values)), dtype=h5py.ref_dtype)
            for k, value in enumerate(values):
                how = {"compression": compression} if np.size(value) > 20 else {}
                if isinstance(value, str):
                    how = {}
                links[0, k] = _put(refs, f"{name}{k}", value, **how).ref
            if len(values) == 1:
                _put(group, name, values[0])
            else:
                group.create_dataset(name, data=links)
    _head(path)
    return path


def write_subset(path, people=("p000001_0", "p000002_1"), each=2, *, seed=0):
    """Write a subset and return its path and ``Signals`` as MATLAB has them."""
    rng = np.random.default_rng(seed)
    who = [name for name in people for _ in range(each)]
    signals = rng.normal(0.5, 0.05, (len(who), 3, WINDOW))
    signals[:, 2] = 100 + 50 * signals[:, 2]
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        group = file.create_group("Subset")
        turned = signals.transpose(2, 1, 0)
        group.create_dataset("Signals", data=turned, chunks=(WINDOW, 3, 1),
                             compression="gzip")  # fmt: skip
        for name, words in (("Subject", who), ("Gender", ["M"] * len(who))):
            links = np.empty((1, len(words)), dtype=h5py.ref_dtype)
            for k, word in enumerate(words):
                links[0, k] = _put(refs, f"{name}{k}", word).ref
            group.create_dataset(name, data=links)
        for name in ("SBP", "DBP", "Age", "Height", "Weight", "BMI"):
            _put(group, name, np.arange(len(who)) + 40.0)
    _head(path)
    return path, signals


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "p000001.mat", windows())
    write_subset(folder / "Train_Subset.mat")
