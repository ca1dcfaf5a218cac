"""Figures of filters: what they change, what they leave alone, how fast they are.

    python benchmarks/signal_filters.py            # everything, some minutes
    python benchmarks/signal_filters.py --quick

Gaps are put into virtual recordings; what a local operator answers further away than
half its support must not change. Virtual people are virtual, and so is their noise.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.trains import Train
from capnet.records import Signal
from capnet.signal.baseline import remove_baseline
from capnet.signal.derivatives import savitzky_golay
from capnet.signal.fir import FIRStream, filter_fir
from capnet.signal.gaps import fill_gaps
from capnet.signal.grid import on_grid
from capnet.signal.linear_filter import fit_fir
from capnet.signal.powerline import remove_powerline
from capnet.signal.resampling import resample
from capnet.signal.taps import bandpass_taps, highpass_taps, lowpass_taps
from capnet.signal.wavelets import shrink_wavelets

SEED: Final = 5
RATE: Final = 125.0
FAST: Final = 250.0
DAY: Final = 86_400.0

Waves = np.ndarray


class Local(NamedTuple):
    """A local operator: what it is called with, and how far it reaches, s."""

    name: str
    call: Callable[[np.ndarray], np.ndarray]
    reach: float
    new_rate: float = FAST


def report(console: Console, *, quick: bool, data: Path) -> None:
    """Print every table.

    Args:
        console: Where to.
        quick: Few cases, to try it out.
        data: Folder of reference data; what needs them is skipped where it is absent.
    """
    people = virtual_people(2 if quick else 8, seconds=120.0)
    gap_law(console, people, cases=100 if quick else 1000)
    streams(console, cases=50 if quick else 1000)
    responses(console)
    denoisers(console, people)
    derivatives(console, people)
    resampling(console)
    far_into_a_day(console, samples=10**6 if quick else 10**7)
    transfer_functions(console, data, draws=2 if quick else 20)
    speed(console, seconds=3600.0 if quick else DAY)


def virtual_people(n: int, *, seconds: float) -> Waves:
    """PPGs without noise of virtual people. Shape (person, time)."""
    train = Train.draw(Cohort.sample(n, seed=SEED), seed=SEED)
    rates = {"ecg": FAST, "ppg": RATE}
    strips = (train.strip(row, duration=seconds, rates=rates) for row in range(n))
    return np.stack([strip.channels["ppg"].values for strip in strips])


def operators() -> list[Local]:
    """Every operator that promises to be local, at 250 Hz."""
    low = lowpass_taps(cutoff=20.0, sampling_rate=FAST, n_taps=101)
    high = highpass_taps(cutoff=1.0, sampling_rate=FAST, n_taps=501)
    band = bandpass_taps(low=0.5, high=10.0, sampling_rate=FAST, n_taps=1001)

    def fir(taps: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: filter_fir(x, taps)

    def slope(order: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: savitzky_golay(
            x, sampling_rate=FAST, derivative=order, window=0.1, degree=5
        )

    def new(rate: float) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: resample(x, sampling_rate=FAST, new_rate=rate)

    def reach(rate: float) -> float:
        """Of the windowed sinc: 24 zero crossings, fewer samples spread them out."""
        return 24.0 / FAST if rate >= FAST else 24.0 / (0.896 * rate)

    return [
        Local("low-pass, 101 taps", fir(low), 50 / FAST),
        Local("high-pass, 501 taps", fir(high), 250 / FAST),
        Local("band-pass, 1,001 taps", fir(band), 500 / FAST),
        Local("remove_baseline", lambda x: remove_baseline(x, sampling_rate=FAST), 3.3),
        Local(
            "remove_powerline",
            lambda x: remove_powerline(x, sampling_rate=FAST, mains=50.0),
            0.83,
        ),
        *(Local(f"savitzky_golay {k}", slope(k), 0.05) for k in range(5)),
        Local("fill_gaps", lambda x: fill_gaps(x, sampling_rate=FAST).values, 0.3),
        *(
            Local(f"resample to {r:g} Hz", new(r), reach(r), r)
            for r in (125.0, 100.0, 249.89, 360.0)
        ),
    ]


def gap_law(console: Console, people: Waves, *, cases: int) -> None:
    """Put a gap anywhere: what lies beyond half a support does not change."""
    table = Table(title=f"Gap law, {cases:,} gaps an operator (virtual PPG, seed 5)")
    for column in ("operator", "reach, s", "largest change beyond", "bar", "lost, s"):
        table.add_column(column)
    recordings = np.stack(
        [resample(row[:3000], sampling_rate=RATE, new_rate=FAST) for row in people]
    )
    recordings = 80.0 + 40.0 * recordings / np.ptp(recordings, axis=1, keepdims=True)
    for operator in operators():
        rng = np.random.default_rng(SEED)
        wholes = [operator.call(row) for row in recordings]
        worst, lost = 0.0, 0.0
        for case in range(cases):
            row = case % len(recordings)
            torn, clear = _torn(recordings[row], operator, len(wholes[row]), rng)
            found = operator.call(torn)
            whole = wholes[row]
            known = np.isfinite(whole) & clear
            change = np.abs(found - whole)[known] / np.abs(whole[known]).max()
            worst = max(worst, float(np.where(np.isnan(change), np.inf, change).max()))
            more = np.isnan(found) & ~np.isnan(whole)
            lost = max(lost, float(more.sum() / operator.new_rate))
        table.add_row(
            operator.name,
            f"{operator.reach:.2f}",
            f"{worst:.1e}",
            "1e-6",
            f"{lost:.2f}",
        )
    console.print(table)


def _torn(
    x: np.ndarray, operator: Local, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Tear a gap; also return which answers it may not touch."""
    length = int(rng.choice([1, 2, 10, 25, 60, 500]))
    begin = int(rng.integers(-length + 1, len(x)))
    torn = x.copy()
    torn[max(0, begin) : begin + length] = np.nan
    when = np.arange(n) / operator.new_rate
    slack = operator.reach + 1.5 / FAST
    before, after = begin / FAST - slack, (begin + length - 1) / FAST + slack
    return torn, (when < before) | (when > after)


def streams(console: Console, *, cases: int) -> None:
    """Chunks of any sizes give what the whole gives."""
    rng = np.random.default_rng(SEED)
    taps = bandpass_taps(low=0.5, high=10.0, sampling_rate=RATE, n_taps=501)
    worst = 0.0
    for _ in range(cases):
        n = int(rng.integers(1, 4000))
        x = 1e3 + rng.standard_normal(n)
        x[rng.random(n) < rng.choice([0.0, 0.001])] = np.nan
        cuts = np.sort(rng.integers(0, n + 1, rng.integers(0, 40)))
        stream = FIRStream(taps)
        parts = [stream.push(part) for part in np.split(x, cuts)]
        joined = np.concatenate([*parts, stream.finish()])
        whole = filter_fir(x, taps)
        same = np.array_equal(np.isnan(joined), np.isnan(whole))
        change = np.abs(joined - whole)[np.isfinite(whole)].max(initial=0.0)
        worst = max(worst, float(change) if same else np.inf)
    console.print(
        f"Streaming, {cases:,} random chunkings (0 to 4,000 samples a chunk): largest "
        f"difference to the whole {worst:.1e} (bar 1e-6)."
    )


def _gain(taps: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Gain of symmetric taps at frequencies in cycles a sample, dB."""
    order = np.arange(len(taps)) - len(taps) // 2
    turns = np.cos(2.0 * np.pi * np.outer(frequency, order))
    gain: np.ndarray = 20.0 * np.log10(np.maximum(np.abs(turns @ taps), 1e-12))
    return gain


def _words(taps: np.ndarray, rate: float, at: tuple[float, ...]) -> str:
    found = _gain(taps, np.array(at) / rate)
    return ", ".join(
        f"{f:g} Hz {max(db, -200.0):.2f}" for f, db in zip(at, found, strict=True)
    )


def responses(console: Console) -> None:
    """What remove_baseline and remove_powerline let through."""
    table = Table(title="Frequency responses, dB")
    for column in ("filter", "rate, Hz", "taps", "gain", "ripple where it passes"):
        table.add_column(column)
    for rate in (125.0, 250.0, 500.0):
        # What a filter answers to a single 1 are its taps.
        length = round(10.0 * rate)
        pulse = np.zeros(2 * length + 1)
        pulse[length] = 1.0
        taps = remove_baseline(pulse, sampling_rate=rate)
        inside = np.arange(0.75, rate / 2, 0.01)
        at = (0.1, 0.25, 0.4, 0.5, 0.6, 0.67, 0.75, 1.0)
        ripple = np.abs(_gain(taps, inside / rate)).max()
        count = f"{np.count_nonzero(taps)}"
        words = _words(taps, rate, at)
        table.add_row("remove_baseline", f"{rate:g}", count, words, f"{ripple:.3f}")
        for mains in (50.0, 60.0):
            taps = remove_powerline(pulse, sampling_rate=rate, mains=mains)
            frequency = np.arange(0.0, rate / 2, 0.01)
            harmonics = np.arange(mains, rate / 2, mains)
            away = np.abs(frequency[:, None] - harmonics).min(axis=1) > 2.0
            ripple = np.abs(_gain(taps, frequency[away] / rate)).max()
            at = (mains, mains + 0.1, mains + 0.2, mains + 0.5, mains + 1, mains + 2)
            table.add_row(
                f"remove_powerline {mains:g}",
                f"{rate:g}",
                f"{np.count_nonzero(taps)}",
                _words(taps, rate, at),
                f"{ripple:.3f} (promised 0.1)",
            )
    console.print(table)


def _decibel(clean: np.ndarray, found: np.ndarray) -> float:
    known = np.isfinite(found)
    error = np.mean((found - clean)[known] ** 2)
    return float(10.0 * np.log10(clean[known].var() / error))


def denoisers(console: Console, people: Waves) -> None:
    """Gain in signal over noise at 10 dB, and what a clean wave loses."""
    rng = np.random.default_rng(SEED)
    low = lowpass_taps(cutoff=10.0, sampling_rate=RATE, n_taps=101)

    def savgol(x: np.ndarray) -> np.ndarray:
        return savitzky_golay(
            x, sampling_rate=RATE, derivative=0, window=0.15, degree=3
        )

    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "low-pass 10 Hz (front end)": lambda x: filter_fir(x, low),
        "Savitzky-Golay 0.15 s, cubic": savgol,
        "shrink_wavelets": lambda x: shrink_wavelets(x, sampling_rate=RATE).values,
    }
    table = Table(
        title=f"Denoising {len(people)} virtual PPGs at 125 Hz, white noise, seed 5"
    )
    for column in (
        *("method", "gain at 10 dB", "worst person"),
        *("clean wave, SNR", "gain, motion at 10 dB (0.5 to 6 Hz)"),
    ):
        table.add_column(column)
    noisy = [
        row + row.std() * 10.0**-0.5 * rng.standard_normal(len(row)) for row in people
    ]
    moved = [row + _motion(row, rng) for row in people]
    for name, method in methods.items():
        gains, still = (
            [
                _decibel(row, method(x)) - _decibel(row, x)
                for row, x in zip(people, spoilt, strict=True)
            ]
            for spoilt in (noisy, moved)
        )
        clean = np.median([_decibel(row, method(row)) for row in people])
        table.add_row(
            name,
            f"{np.median(gains):.1f} dB",
            f"{min(gains):.1f} dB",
            f"{clean:.0f} dB",
            f"{np.median(still):.1f} dB",
        )
    console.print(table)


def _motion(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tones from 0.5 to 6 Hz of random phase, 10 dB below the wave."""
    tones = np.arange(0.5, 6.0, 0.01)
    phase = 2.0 * np.pi * rng.random(len(tones))
    spectrum = np.zeros(len(clean) // 2 + 1, dtype=np.complex128)
    spectrum[np.round(tones * len(clean) / RATE).astype(np.int64)] = np.exp(1j * phase)
    noise = np.fft.irfft(spectrum, len(clean))
    answer: np.ndarray = noise / noise.std() * clean.std() * 10.0**-0.5
    return answer


def derivatives(console: Console, people: Waves) -> None:
    """What local polynomials make of slopes: bias and noise, beside the true ones."""
    rng = np.random.default_rng(SEED)
    table = Table(
        title=f"savitzky_golay of {len(people)} virtual PPGs at 125 Hz, signal over "
        "error of the derivative, dB (median person)"
    )
    columns = ("derivative", "window, s", "degree", "clean", "noise at 40 dB", "20 dB")
    for column in columns:
        table.add_column(column)
    # Smoothed first, so that there is one true derivative: of a band-limited wave.
    low = lowpass_taps(cutoff=15.0, sampling_rate=RATE, n_taps=101)
    waves = [filter_fir(row, low) for row in people]
    for order in (1, 2):
        for window, degree in ((0.06, 3), (0.1, 3), (0.1, 4), (0.15, 4)):
            found: list[list[float]] = [[], [], []]
            for row in waves:
                frequency = 2j * np.pi * np.fft.rfftfreq(len(row), 1.0 / RATE)
                true = np.fft.irfft(np.fft.rfft(row) * frequency**order, len(row))
                noise = row.std() * rng.standard_normal(len(row))
                for into, level in zip(found, (0.0, 1e-2, 1e-1), strict=True):
                    slope = savitzky_golay(
                        row + level * noise,
                        sampling_rate=RATE,
                        derivative=order,
                        window=window,
                        degree=degree,
                    )
                    slope[:250] = slope[-250:] = np.nan  # the spectrum's ends ring
                    into.append(_decibel(true, slope))
            cells = (f"{np.median(x):.1f}" for x in found)
            table.add_row(str(order), f"{window:g}", str(degree), *cells)
    console.print(table)


def far_into_a_day(console: Console, *, samples: int) -> None:
    """Error of on_grid at the beginning and after so many samples."""
    table = Table(title=f"on_grid of a 5 Hz tone, beginning and sample {samples:,}")
    for column in ("from", "to", "at the beginning", "far on", "as time, us"):
        table.add_column(column)
    pairs = (
        *((250.0, 125.0), (124.945, 125.0), (249.8914, 125.0)),
        *((125.0 * np.pi / 3.0, 125.0), (125.0, 360.0)),
    )
    for rate, new in pairs:
        tone = np.sin(2.0 * np.pi * 5.0 * np.arange(samples) / rate)
        stop = samples / rate
        signal = Signal(tone, rate, "NU")
        found = on_grid(signal, sampling_rate=new, start=0.0, stop=stop)
        time_ = np.arange(len(found)) / new
        error = np.abs(found - np.sin(2.0 * np.pi * np.mod(5.0 * time_, 1.0)))
        near, far = (
            error[(time_ > low) & (time_ < low + 10.0)].max()
            for low in (1.0, stop - 11.0)
        )
        late = f"{1e6 * far / (10.0 * np.pi):.3f}"
        table.add_row(f"{rate:.4f}", f"{new:g}", f"{near:.1e}", f"{far:.1e}", late)
    console.print(table)


def resampling(console: Console) -> None:
    """Error on tones, time shift, what folds back."""
    table = Table(title="Resampling of tones, inner part")
    names = ("from", "to", "11 Hz: largest error", "time shift, us", "80 Hz left")
    for column in names:
        table.add_column(column)
    for rate in (124.945, 125.0, 249.89, 250.0, 500.0, 1000.0):
        for new in (100.0, 125.0, 250.0):
            when = np.arange(round(20 * rate)) / rate
            found = resample(
                np.sin(2 * np.pi * 11.0 * when), sampling_rate=rate, new_rate=new
            )
            fresh = np.arange(len(found)) / new
            inner = (fresh > 1.0) & (fresh < 19.0)
            tone = 2.0 * np.pi * 11.0 * fresh[inner]
            error = np.abs(found[inner] - np.sin(tone)).max()
            pair = np.stack([np.sin(tone), np.cos(tone)], axis=1)
            sine, cosine = np.linalg.lstsq(pair, found[inner])[0]
            shift = -np.arctan2(cosine, sine) / (2.0 * np.pi * 11.0) * 1e6
            left = "-"
            if rate > 160.0 and new < 160.0:
                x = np.sin(2.0 * np.pi * 80.0 * when)
                folded = resample(x, sampling_rate=rate, new_rate=new)
                left = f"{np.abs(folded[inner]).max():.1e}"
            table.add_row(f"{rate:g}", f"{new:g}", f"{error:.1e}", f"{shift:.3f}", left)
    console.print(table)


def transfer_functions(console: Console, data: Path, *, draws: int) -> None:
    """Fit filters on a few people of an independent simulator, apply to others."""
    path = data / "pwdb" / "pwdb_waves_500Hz.npz"
    if not path.is_file():
        console.print(f"{path} is absent: transfer functions are left out.")
        return
    sites = ("Asc_Ao", "L_Carotid", "L_Brachial", "L_Femoral")
    with np.load(path) as file:
        start = file["start_sample"]
        waves = {site: file[f"{site}_P_mmHg"] for site in sites}
    table = Table(
        title="fit_fir, aorta from another site, 5 virtual people of PWDB, 200 others, "
        f"{draws} draws (seeds from 0), 125 Hz, 60 taps, 30 of them ahead"
    )
    mean = "RMSE, mmHg: mean (least to most draw)"
    for column in ("site", mean, "median person", "explained", "earlier study"):
        table.add_column(column)
    for site, known in zip(sites[1:], ("0.74", "1.62", "-"), strict=True):
        errors, middles, shares = [], [], []
        for draw in range(draws):
            rows = np.random.default_rng(draw).permutation(len(start))[:205]
            x, y = (
                [_recording(waves[s], start[:, sites.index(s)], row) for row in rows]
                for s in (site, "Asc_Ao")
            )
            found = fit_fir(x[:5], y[:5], n_taps=60, delay=30, ridge=1e-6)
            left = found.apply(np.stack(x[5:])) - np.stack(y[5:])
            error = np.sqrt(np.nanmean(left**2, axis=1))
            errors.append(error.mean())
            middles.append(np.median(error))
            shares.append(found.explained)
        table.add_row(
            site,
            f"{np.mean(errors):.2f} ({min(errors):.2f} to {max(errors):.2f})",
            f"{np.mean(middles):.2f}",
            f"{np.mean(shares):.4f}",
            known,
        )
    console.print(table)


def _recording(waves: Waves, start: np.ndarray, row: int) -> np.ndarray:
    """Four seconds of a beat over and over, on the aorta's clock, 125 Hz."""
    beat = waves[row][np.isfinite(waves[row])].astype(np.float64)
    repeated: np.ndarray = beat[(np.arange(500) * 4 - start[row]) % len(beat)]
    return repeated


def speed(console: Console, *, seconds: float) -> None:
    """Processor seconds a day of one channel, one core."""
    table = Table(title=f"One core, {seconds / 3600:g} h of one channel")
    for column in ("operation", "s", "bar, s a day"):
        table.add_column(column)
    for name, call, bar in _timed(seconds):
        call(1000)  # compile
        begin = time.process_time()
        call(None)
        table.add_row(name, f"{time.process_time() - begin:.2f}", bar)
    console.print(table)


def _timed(
    seconds: float,
) -> Iterator[tuple[str, Callable[[int | None], object], str]]:
    """Yield what is timed: a function of how many samples (None: all)."""
    rng = np.random.default_rng(SEED)

    def grid(rate: float, new: float, x: np.ndarray) -> Callable[[int | None], object]:
        def call(n: int | None) -> object:
            signal = Signal(x[:n], rate, "NU")
            stop = signal.duration
            return on_grid(signal, sampling_rate=new, start=0.0, stop=stop)

        return call

    for rate, new, bar in (
        (125.0, 125.0, "1"),
        (250.0, 125.0, "5"),
        (124.945, 125.0, "-"),
        (125.0 * np.pi / 3.0, 125.0, "-"),
    ):
        x = rng.standard_normal(round(seconds * rate))
        yield f"on_grid {rate:.3f} to {new:g} Hz", grid(rate, new, x), bar
    x = rng.standard_normal(round(seconds * RATE))
    taps = lowpass_taps(cutoff=10.0, sampling_rate=RATE, n_taps=101)
    torn = x.copy()
    torn[rng.random(len(x)) < 0.01] = np.nan
    kwargs = {"sampling_rate": RATE}
    yield "filter_fir, 101 taps, 125 Hz", lambda n: filter_fir(x[:n], taps), "-"
    yield "remove_baseline, 125 Hz", lambda n: remove_baseline(x[:n], **kwargs), "-"
    yield "shrink_wavelets, 125 Hz", lambda n: shrink_wavelets(x[:n], **kwargs), "-"
    yield "fill_gaps, 1 % missing", lambda n: fill_gaps(torn[:n], **kwargs), "-"
    yield (
        "savitzky_golay 2, 125 Hz",
        lambda n: savitzky_golay(
            x[:n], sampling_rate=RATE, derivative=2, window=0.1, degree=4
        ),
        "-",
    )
    yield "fit_fir, 60 taps", lambda n: fit_fir(x[:n], x[:n], n_taps=60), "-"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few cases, to try it out")
    default = os.environ.get("CAPNET_SHARED_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    given_ = parser.parse_args()
    torch.set_num_threads(1)
    width = None if sys.stdout.isatty() else 150
    report(Console(width=width), quick=given_.quick, data=given_.data)
