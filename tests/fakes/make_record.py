"""Write a tiny WFDB record of a person who does not exist.

    python tests/fakes/make_record.py FOLDER

ECG, PPG and arterial pressure (120/75 mmHg at the arm), breathing, a little heart rate
variability, correct checksums and first samples: what a strict reader accepts.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

RATE = 250
NAME = "virtual"
GAIN = {"II": (2000, 0, "mV"), "ABP": (100, 0, "mmHg"), "PLETH": (10000, 0, "NU")}


def draw_beats(seconds, heart_rate, rng):
    """Draw the times of the R peaks: breathing changes the rate by 3 %."""
    times = [0.3]
    while times[-1] < seconds:
        breath = 1.0 + 0.03 * np.sin(2.0 * np.pi * 0.25 * times[-1])
        jitter = 1.0 + 0.01 * rng.standard_normal()
        times.append(times[-1] + 60.0 / heart_rate * breath * jitter)
    return np.array(times)


def bump(time, *, at, before, after):
    """A peak of height 1 that rises and falls at its own pace, s."""
    width = np.where(time < at, before, after)
    return np.exp(-0.5 * ((time - at) / width) ** 2)


def ecg(time):
    """One heart beat, R peak at 0, mV."""
    wave = 1.0 * bump(time, at=0.0, before=0.010, after=0.010)
    wave += -0.15 * bump(time, at=-0.025, before=0.008, after=0.008)
    wave += -0.20 * bump(time, at=0.030, before=0.010, after=0.010)
    wave += 0.12 * bump(time, at=-0.16, before=0.025, after=0.025)
    return wave + 0.25 * bump(time, at=0.28, before=0.05, after=0.04)


def pulse(time, *, delay, crest):
    """One pulse of height about 1, foot about ``delay`` after the R peak, s.

    A systolic wave, a reflected one after it, and the run-off of diastole.
    """
    wave = 0.92 * bump(time, at=delay + crest, before=crest / 2.5, after=0.10)
    wave += 0.36 * bump(time, at=delay + crest + 0.21, before=0.09, after=0.17)
    return wave


def train(time, beats, shape):
    """Add up the same wave after every heart beat."""
    total = np.zeros_like(time)
    for beat in beats:
        near = (time > beat - 0.5) & (time < beat + 1.6)
        total[near] += shape(time[near] - beat)
    return total


def scaled(wave, low, high):
    """Map a wave's usual minimum and maximum to two values."""
    bottom, top = np.percentile(wave[len(wave) // 10 :], [2.0, 99.0])
    return low + (wave - bottom) / (top - bottom) * (high - low)


def channels(seconds, heart_rate, rng):
    """Continuous channels at `RATE`."""
    time = np.arange(round(seconds * RATE)) / RATE
    # Beats before the record begins and after it ends leave their tails in it.
    beats = draw_beats(seconds + 4.0, heart_rate, rng) - 2.0
    noise = rng.standard_normal((3, len(time)))
    breath = np.sin(2.0 * np.pi * 0.25 * time)
    finger = train(time, beats, lambda t: pulse(t, delay=0.20, crest=0.14))
    artery = train(time, beats, lambda t: pulse(t, delay=0.15, crest=0.11))
    return {
        "II": train(time, beats, ecg) + 0.03 * breath + 0.008 * noise[0],
        "ABP": scaled(artery, 75.0, 120.0) + 1.5 * breath + 0.2 * noise[1],
        "PLETH": scaled(finger, 0.4, 0.7) + 0.01 * breath + 0.001 * noise[2],
    }


def write(folder, name, signals):
    """Write channels as WFDB format 16, interleaved, with an honest header."""
    digital = {
        key: np.round(wave * GAIN[key][0]).astype("<i2")
        for key, wave in signals.items()
    }
    table = np.stack(list(digital.values()), axis=1)
    (folder / f"{name}.dat").write_bytes(table.tobytes())
    lines = [f"{name} {len(digital)} {RATE} {len(table)}"]
    for key, wave in digital.items():
        gain, baseline, unit = GAIN[key]
        checksum = int(wave.sum(dtype=np.int64)) % 65536
        lines.append(
            f"{name}.dat 16 {gain}({baseline})/{unit} 16 0 {wave[0]} {checksum} 0 {key}"
        )
    header = folder / f"{name}.hea"
    header.write_text("\n".join(lines) + "\n", encoding="ascii")
    return header


def make_record(
    folder,
    *,
    seconds=60.0,
    heart_rate=70.0,
    seed=0,
    with_ecg=True,
    with_ppg=True,
    with_abp=True,
    name=NAME,
):
    """Write a record and return the path of its header."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    signals = channels(seconds, heart_rate, np.random.default_rng(seed))
    wanted = {"II": with_ecg, "ABP": with_abp, "PLETH": with_ppg}
    kept = {key: wave for key, wave in signals.items() if wanted[key]}
    return write(folder, name, kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write virtual.hea, .dat")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--heart-rate", type=float, default=70.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.stdout.write(f"{make_record(**vars(given))}\n")
