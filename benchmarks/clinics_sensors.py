"""Figures of sensors, cuffs and catheters: each model's law and how far it is off.

    python benchmarks/clinics_sensors.py

A law is an analytic one (a transfer function, a step response, a variance); its error
is that of the very functions that make beats and records of virtual people. That a
model keeps its law says nothing about how well the law describes a real device.
"""

import time
from dataclasses import replace

import numpy as np

from capnet.hemodynamics.catheters import (
    COLUMN,
    Catheter,
    CatheterDraw,
    apply_catheter,
    apply_catheter_record,
)
from capnet.hemodynamics.cuffs import CuffModel, apply_cuff
from capnet.hemodynamics.electronics import (
    Sections,
    coupling,
    coupling_section,
    filter_rows,
    lowpass,
    lowpass_section,
    second_order,
    second_order_section,
)
from capnet.hemodynamics.oximetry import (
    ratio_of_ratios,
    saturation_of_ratio,
    transmit,
)
from capnet.hemodynamics.sensors import (
    Sensor,
    SensorDraw,
    apply_sensor,
    apply_sensor_record,
    settle_sensor,
)
from capnet.hemodynamics.spectra import evaluate

PERFECT = Sensor(0.0, 0.0, (), (0.0, 0.0), (0.0, 0.0), 0.0)


def say(what: str, figure: str) -> None:
    """Print one row."""
    print(f"{what:<70} {figure}", flush=True)


def sensors() -> None:
    """Print each law and its error."""
    for rate in (125.0, 500.0):
        transfer_functions(rate)
    catheters()
    noise_and_converter()
    twins()
    cuffs()
    oximetry()
    speed()


def transfer_functions(rate: float) -> None:
    """Hold the records' response against the circuits', 0 to 10 Hz."""
    rng = np.random.default_rng(0)
    frequency = np.tile(np.linspace(0.0, 10.0, 201), (200, 1))
    corner, slow = rng.uniform(1.0, 30.0, 200), rng.uniform(0.1, 1.2, 200)
    natural, damping = rng.uniform(10.0, 30.0, 200), rng.uniform(0.15, 0.5, 200)
    bessel = np.full(200, 0.866)
    cases = {
        "low-pass, 1 to 30 Hz": (
            lowpass_section(corner, sampling_rate=rate),
            lowpass(frequency, corner),
        ),
        "AC coupling, 0.1 to 1.2 Hz": (
            coupling_section(slow, sampling_rate=rate),
            coupling(frequency, slow),
        ),
        "Bessel low-pass, 1 to 30 Hz": (
            second_order_section(corner, bessel, sampling_rate=rate),
            second_order(frequency, corner, bessel),
        ),
        "catheter, 10 to 30 Hz, damping 0.15 to 0.5": (
            second_order_section(natural, damping, sampling_rate=rate),
            second_order(frequency, natural, damping),
        ),
    }
    for name, (section, wanted) in cases.items():
        found = _transfer(section[:, None], rate, frequency[0])
        error = np.abs(found - wanted).max()
        say(f"response below 10 Hz at {rate:g} Hz: {name}", f"{error:.1e}")


def _transfer(sections: Sections, rate: float, frequency: np.ndarray) -> np.ndarray:
    """Return the spectrum of the answer to one sample of 1."""
    impulse = np.zeros((len(sections), int(20 * rate)))
    impulse[:, 0] = 1.0
    answer = filter_rows(impulse, sections, np.zeros((len(sections), 1, 2)))
    time = np.arange(impulse.shape[1]) / rate
    transfer: np.ndarray = answer @ np.exp(-2j * np.pi * time[:, None] * frequency)
    return transfer


def catheters() -> None:
    """Step response, hydrostatics, and what the reference errs by."""
    rng, n = np.random.default_rng(1), 200
    draw = Catheter().draw(n, rng)
    still = replace(draw, zero=np.zeros(n), level=np.zeros(n))
    step = np.tile(np.where(np.arange(3000) < 10, 0.0, 1.0), (n, 1))
    seen = apply_catheter_record(step, sampling_rate=1000.0, draw=still)
    root = np.sqrt(1.0 - draw.damping**2)
    over = np.exp(-np.pi * draw.damping / root)
    worst = np.abs(seen.max(axis=1) - 1.0 - over).max()
    say("step at 1 kHz: overshoot - exp(-pi z / sqrt(1 - z^2))", f"{worst:.1e}")
    peak = (seen.argmax(axis=1) - 9.5) / 1000.0
    late = np.abs(peak - 0.5 / (draw.natural * root)).max()
    say("step at 1 kHz: time of the peak - 1 / (2 fn sqrt(1 - z^2)), s", f"{late:.1e}")
    say("column of blood (1050 kg/m3), mmHg a cm", f"{COLUMN:.4f}")
    lost = CatheterDraw(np.full(1, np.inf), np.ones(1), np.zeros(1), np.full(1, 10.0))
    read = apply_catheter(np.full((1, 1), 95.0 + 0j), period=np.ones(1), draw=lost)[
        0, 0
    ].real
    say("transducer 10 cm too high, mmHg", f"{read - 95.0:+.2f}")


def noise_and_converter() -> None:
    """Noise, wander, quanta, rails."""
    n = 500_000
    draw = replace(PERFECT, noise=(0.02, 0.02)).draw(4, np.random.default_rng(2))
    seen = apply_sensor_record(np.zeros((4, n)), sampling_rate=125.0, draw=draw)
    spread = seen.astype(np.float64).std(axis=1) / 0.02 - 1.0
    say("noise: SD / SD asked for - 1, 4 x 500,000 samples", f"{_worst(spread):.1e}")
    draw = replace(PERFECT, drift_sd=0.1).draw(4, np.random.default_rng(2))
    seen = apply_sensor_record(np.zeros((4, n)), sampling_rate=125.0, draw=draw)
    slope = np.diff(seen.astype(np.float64), axis=1).std(axis=1) * 125.0 * 0.8
    off = slope / np.abs(draw.drift) - 1.0
    say("wander: SD of the slope / drift asked for - 1", f"{_worst(off):.1e}")
    ramp = np.tile(np.linspace(-1.0, 2.0, 30_001), (1, 1))
    rough = replace(PERFECT, quantum=(0.125, 0.125), rail=(0.75, 0.75))
    seen = apply_sensor_record(
        ramp, sampling_rate=125.0, draw=rough.draw(1, np.random.default_rng(3))
    )
    steps = (seen - 0.5) / 0.125
    say(
        "converter: distance from whole quanta", f"{_worst(steps - np.rint(steps)):.1e}"
    )
    say("converter: rails at 0.5 +- 0.75", f"{seen.min():g} {seen.max():g}")


def twins() -> None:
    """Hold beats (frequency domain) against records (time domain)."""
    n = 50
    rng = np.random.default_rng(4)
    wave = np.zeros((n, 31), dtype=np.complex128)
    wave[:, 1:6] = np.exp(2j * np.pi * rng.random((n, 5))) / np.arange(1, 6) ** 2
    period = rng.integers(30, 50, n) * 0.024
    dense = evaluate(wave, period=period, times=np.linspace(0.0, period, 1024, axis=1))
    wave[:, 0] -= dense.min(axis=1)
    wave /= np.ptp(dense, axis=1)[:, None]
    for name in ("source", "randomised", "clinic", "held_out", "wrist"):
        clean = replace(
            getattr(Sensor, name)(),
            **{"noise": (0.0, 0.0), "drift_sd": 0.0, "motion": (0.0, 0.0)},
            **{"quantum": (0.0, 0.0), "rail": (0.0, 0.0)},
        )
        draw = clean.draw(n, np.random.default_rng(5))
        draw = replace(draw, phase=np.zeros(n))
        errors = [_twin(wave, period, draw, rate) for rate in (125.0, 500.0)]
        both = " ".join(f"{error:.1e}" for error in errors)
        say(f"record - beat at 125, 500 Hz, pulse heights: {name}", both)
    draw = Sensor.wrist().draw(4, np.random.default_rng(6))
    volume = rng.random((4, 20_000))
    whole = apply_sensor_record(volume, sampling_rate=125.0, draw=draw)
    state = settle_sensor(volume[:, 0], sampling_rate=125.0, draw=draw)
    same, at = True, 0
    for part in np.array_split(volume, 13, axis=1):
        piece = apply_sensor_record(
            part, sampling_rate=125.0, draw=draw, start=at, state=state
        )
        same &= np.array_equal(piece, whole[:, at : at + part.shape[1]])
        at += part.shape[1]
    say("a record in 13 pieces is the whole one, bit by bit", str(same))


def _twin(wave: np.ndarray, period: np.ndarray, draw: SensorDraw, rate: float) -> float:
    """Return the largest difference after both have their mean taken away."""
    onset = np.full(len(wave), -0.08)
    raw, _ = apply_sensor(wave, period=period, r_peak=onset, draw=draw)
    times = np.tile(np.arange(int(240 * rate)) / rate, (len(wave), 1))
    record = evaluate(wave, period=period, times=times)
    seen = apply_sensor_record(record, sampling_rate=rate, draw=draw)
    worst = 0.0
    for k in range(len(wave)):
        beat, first = round(period[k] * rate), round((onset[k] - 0.6) * rate)
        at = first + round(rate / 125.0) * np.arange(raw.shape[1])
        begin = (seen.shape[1] // beat - 1) * beat
        off = raw[k] - seen[k, begin + at % beat].astype(np.float64)
        worst = max(worst, float(np.ptp(off)) / 2.0)
    return worst


def cuffs() -> None:
    """What is averaged away, and what a raised wrist loses."""
    n = 200_000
    for readings in (1, 3, 10):
        cuff = CuffModel(sbp_sd=8.0, persistent=0.3, readings=readings)
        draw = cuff.draw(n, np.random.default_rng(7), person=np.random.default_rng(8))
        law = 64.0 * (0.3 + 0.7 / readings)
        off = draw.sbp_error.var() / law - 1.0
        say(
            f"cuff: variance / (lasting + repeating / k) - 1, k = {readings}",
            f"{off:+.1e}",
        )
    cuff = CuffModel(least_pulse=0.0)
    draw = cuff.draw(1, np.random.default_rng(7), person=np.random.default_rng(8))
    raised = replace(draw, height=np.full(1, 10.0))
    shown = apply_cuff(np.full(1, 120.0), np.full(1, 80.0), raised, site="radial")
    say("wrist cuff raised by 10 cm, mmHg", f"{shown[0, 0] - 120.0:+.2f}")


def oximetry() -> None:
    """Hold the saturation that light tells against the declared one."""
    declared = np.linspace(0.6, 1.0, 41)
    time = np.arange(1000) / 125.0
    volume = np.tile(0.5 - 0.5 * np.cos(2 * np.pi * time), (41, 1))
    light = transmit(volume, saturation=declared[:, None], perfusion=np.full(41, 0.02))
    found = saturation_of_ratio(ratio_of_ratios(light))
    say("SpO2 from the ratio of ratios - declared", f"{_worst(found - declared):.1e}")
    simple = [np.ptp(colour, axis=1) / colour.mean(axis=1) for colour in light]
    rough = saturation_of_ratio(simple[0] / simple[1])
    say("the same by AC / DC, perfusion 0.02", f"{_worst(rough - declared):.1e}")


def speed() -> None:
    """Million samples a second of a core's time, one thread's worth."""
    volume = np.random.default_rng(9).random((8, 450_000)).astype(np.float32)
    for name in ("randomised", "held_out", "wrist"):
        draw = getattr(Sensor, name)().draw(8, np.random.default_rng(10))
        apply_sensor_record(volume[:, :600], sampling_rate=125.0, draw=draw)
        begun = time.process_time()
        apply_sensor_record(volume, sampling_rate=125.0, draw=draw)
        spent = time.process_time() - begun
        say(
            f"{name} sensor, million samples a core second",
            f"{volume.size / spent / 1e6:.0f}",
        )
    line = Catheter().draw(8, np.random.default_rng(10))
    apply_catheter_record(volume[:, :600], sampling_rate=125.0, draw=line)
    begun = time.process_time()
    apply_catheter_record(volume, sampling_rate=125.0, draw=line)
    spent = time.process_time() - begun
    say("catheter, million samples a core second", f"{volume.size / spent / 1e6:.0f}")


def _worst(values: np.ndarray) -> float:
    return float(np.abs(values).max())


if __name__ == "__main__":
    sensors()
