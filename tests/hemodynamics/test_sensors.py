import dataclasses
from collections import Counter

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.hemodynamics import LinearSolver, simulate
from capnet.hemodynamics.catheters import COLUMN
from capnet.hemodynamics.motion import motion
from capnet.hemodynamics.sensors import (
    LEAD,
    LIFT,
    WINDOW,
    Sensor,
    apply_sensor,
    apply_sensor_record,
    settle_sensor,
)
from capnet.hemodynamics.spectra import evaluate
from capnet.signal.feet import pulse_feet
from capnet.signal.frontend import RATE, beats_of_windows, smooth
from capnet.signal.gate import judge_beats
from tests.hemodynamics.people import textbook

PRESETS = [
    Sensor.source(),
    Sensor.randomised(),
    Sensor.clinic(),
    Sensor.held_out(),
    Sensor.wrist(),
]
PERFECT = Sensor(0.0, 0.0, (), (0.0, 0.0), (0.0, 0.0), 0.0)


def _sine(n):
    wave = np.zeros((n, 31), dtype=np.complex128)
    wave[:, 0], wave[:, 1] = 0.5, -0.25
    return wave


def _rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("sensor", PRESETS)
def test_first_fingers_do_not_depend_on_the_number(sensor):
    many, few = sensor.draw(9, _rng()), sensor.draw(4, _rng())
    for name, values in vars(many.take(np.arange(4))).items():
        np.testing.assert_array_equal(values, getattr(few, name))


def test_a_perfect_sensor_gives_the_wave_itself():
    perfect = Sensor(0.0, 0.0, (), (0.0, 0.0), (0.0, 0.0), 0.0)
    period, onset = np.array([0.8, 1.5]), np.array([-0.1, -0.08])
    draw = perfect.draw(2, _rng())
    raw, r_peak = apply_sensor(_sine(2), period=period, r_peak=onset, draw=draw)
    times = onset[:, None] + (np.arange(WINDOW) - r_peak[:, None]) / RATE
    wanted = 0.5 - 0.5 * np.cos(2 * np.pi * times / period[:, None])
    np.testing.assert_allclose(raw, wanted, atol=1e-9)
    assert (r_peak >= LEAD * RATE).all()


def test_low_pass_and_noise_do_what_they_say():
    sensor = Sensor(0.0, 0.0, ((1.0, 1.0),), (0.0, 0.0), (0.0, 0.0), 0.0)
    draw = sensor.draw(1, _rng())
    one, zero = np.array([1.0]), np.array([0.0])
    raw, _ = apply_sensor(_sine(1), period=one, r_peak=zero, draw=draw)
    assert np.ptp(raw) == pytest.approx(1 / np.sqrt(2), rel=1e-3)
    noisy = dataclasses.replace(draw, level=np.array([0.1]))
    more, _ = apply_sensor(_sine(1), period=one, r_peak=zero, draw=noisy)
    assert (more - raw).std() == pytest.approx(0.1 / np.sqrt(2), rel=0.15)


def test_upside_down_ranges_are_refused():
    with pytest.raises(ConfigError, match=r"noise is 0\.2 to 0\.1"):
        Sensor(0.0, 0.0, (), (0.0, 0.0), (0.2, 0.1), 0.0)
    with pytest.raises(ConfigError, match="lowpass 0 is 0 to 1"):
        Sensor(0.0, 0.0, ((0.0, 1.0),), (0.0, 0.0), (0.1, 0.1), 0.0)


def _pulse(n):
    """Made-up volume pulses of five harmonics, 0..1, and their periods."""
    rng = np.random.default_rng(4)
    wave = np.zeros((n, 31), dtype=np.complex128)
    wave[:, 1:6] = np.exp(2j * np.pi * rng.random((n, 5))) / np.arange(1, 6) ** 2
    period = rng.integers(30, 50, n) * 0.024
    times = np.linspace(0.0, period, 1024, axis=1)
    values = evaluate(wave, period=period, times=times)
    low, height = values.min(axis=1), np.ptp(values, axis=1)
    wave[:, 0] -= low
    return wave / height[:, None], period


def _record(wave, period, rate, seconds):
    times = np.tile(np.arange(int(seconds * rate)) / rate, (len(wave), 1))
    return evaluate(wave, period=period, times=times)


def _only(**changes):
    return dataclasses.replace(PERFECT, **changes)


# contact of the second sensor, level of the third, its last noise; raw of the first
# sensor at sample 100 and of the third at the end: as they were before motion, height,
# quantisation and clipping existed
BEFORE = {
    "source": (
        0.11520270118071294,
        0.01,
        -1.710233098822383,
        0.4552958398181018,
        0.4162703659785125,
    ),
    "randomised": (
        -0.4167567811085931,
        0.009102740443685708,
        0.24192485880507453,
        0.6605118938731618,
        0.45439677396688827,
    ),
    "clinic": (
        -0.2167567811085931,
        0.025,
        0.24192485880507453,
        0.6430698357371458,
        0.4251609820267572,
    ),
}


@pytest.mark.parametrize("name", BEFORE)
def test_sensors_that_neither_move_nor_clip_are_as_they_always_were(name):
    draw = getattr(Sensor, name)().draw(3, _rng())
    wave, period = _sine(3), np.full(3, 0.8)
    raw, _ = apply_sensor(wave, period=period, r_peak=np.zeros(3), draw=draw)
    found = draw.contact[1], draw.level[2], draw.noise[2, 399], raw[0, 100], raw[2, 399]
    np.testing.assert_allclose(found, BEFORE[name], rtol=1e-9)


@pytest.mark.parametrize("sensor", PRESETS)
def test_a_steady_record_is_the_recorded_beat(sensor):
    still = {"noise": (0.0, 0.0), "drift_sd": 0.0, "motion": (0.0, 0.0)}
    exact = {"quantum": (0.0, 0.0), "rail": (0.0, 0.0)}
    draw = dataclasses.replace(sensor, **still, **exact).draw(4, _rng())
    draw = dataclasses.replace(draw, phase=np.zeros(4), coupling=draw.coupling + 0.05)
    wave, period = _pulse(4)
    onset = np.full(4, -0.08)
    raw, _ = apply_sensor(wave, period=period, r_peak=onset, draw=draw)
    seen = apply_sensor_record(
        _record(wave, period, 500.0, 120.0), sampling_rate=500.0, draw=draw
    )
    for k in range(4):
        beat = round(period[k] * 500.0)
        last = seen[k, -10 * beat :].astype(np.float64)
        start = seen.shape[1] - 10 * beat
        at = np.rint((onset[k] - LEAD) * 500.0).astype(int) + 4 * np.arange(WINDOW)
        wanted = raw[k] - last.mean()
        found = last[(at - start) % beat] - last.mean()
        offset = (wanted - found).mean()
        np.testing.assert_allclose(found, wanted - offset, atol=1e-3)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_pieces_of_a_record_are_the_record_bit_by_bit(kind):
    sensor = dataclasses.replace(Sensor.wrist(), motion=(12.0, 12.0))
    draw = sensor.draw(3, _rng())
    volume = _record(*_pulse(3), 125.0, 40.0).astype(kind)
    whole = apply_sensor_record(volume, sampling_rate=125.0, draw=draw, start=1000)
    state = settle_sensor(volume[:, 0], sampling_rate=125.0, draw=draw)
    pieces, at = [], 1000
    for part in np.split(volume, [1, 30, 31, 1500, 3001], axis=1):
        pieces.append(
            apply_sensor_record(
                part, sampling_rate=125.0, draw=draw, start=at, state=state
            )
        )
        at += part.shape[1]
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    alone = apply_sensor_record(
        volume[2:], sampling_rate=125.0, draw=draw.take(np.array([2])), start=1000
    )
    np.testing.assert_array_equal(alone[0], whole[2])


def test_a_perfect_sensor_records_the_volume_itself():
    volume = _record(*_pulse(2), 125.0, 5.0)
    seen = apply_sensor_record(
        volume, sampling_rate=125.0, draw=PERFECT.draw(2, _rng())
    )
    np.testing.assert_allclose(seen, volume, atol=1e-7)


@pytest.mark.parametrize("contact", [-1.5, 0.4, 2.0])
def test_contact_bends_as_its_law_says(contact):
    volume = np.tile(np.linspace(0.0, 1.0, 101), (1, 1))
    sides = {}
    for bend in ("exponential", "tanh"):
        draw = _only(contact_mean=contact, bend=bend).draw(1, _rng())
        sides[bend] = apply_sensor_record(volume, sampling_rate=125.0, draw=draw)[0]
        np.testing.assert_allclose(sides[bend][[0, -1]], [0.0, 1.0], atol=1e-6)
        assert (np.diff(sides[bend]) > 0).all()
    wanted = (1 - np.exp(-contact * volume[0])) / (1 - np.exp(-contact))
    np.testing.assert_allclose(sides["exponential"], wanted, atol=1e-6)
    np.testing.assert_allclose(sides["tanh"] + sides["tanh"][::-1], 1.0, atol=1e-6)
    steepness = np.gradient(sides["tanh"])
    assert steepness[50] > steepness[0]
    assert steepness[50] / steepness[0] == pytest.approx(
        np.cosh(contact / 2) ** 2, rel=0.05
    )


def test_a_raised_wrist_loses_bend():
    volume = np.tile(np.linspace(0.0, 1.0, 101), (1, 1))
    draw = _only(contact_mean=0.5).draw(1, _rng())
    raised = dataclasses.replace(draw, height=np.array([10.0]))
    plain = dataclasses.replace(draw, contact=draw.contact - LIFT * 10.0 * COLUMN)
    seen = [
        apply_sensor_record(volume, sampling_rate=125.0, draw=one)
        for one in (raised, plain, draw)
    ]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[0] <= seen[2]).all()
    assert seen[0][0, 50] < seen[2][0, 50] - 0.01
    heights = Sensor.wrist().draw(5000, _rng()).height
    assert heights.std() == pytest.approx(5.0, rel=4 / np.sqrt(2 * 5000))


def test_noise_of_a_record_has_its_sd_and_its_colour():
    n = 200_000
    draw = _only(noise=(0.02, 0.02)).draw(1, _rng())
    (seen,) = apply_sensor_record(np.zeros((1, n)), sampling_rate=125.0, draw=draw)
    x = seen.astype(np.float64) / 0.02
    assert abs(x.std() - 1.0) < 4 * np.sqrt((1 + 2 * 4 / 9 + 2 / 9) / (2 * n))
    for lag, wanted in ((1, 2 / 3), (2, 1 / 3), (3, 0.0)):
        assert (x[lag:] * x[:-lag]).mean() == pytest.approx(wanted, abs=0.02)


def test_the_baseline_of_a_record_wanders_as_fast_as_asked():
    draw = _only(drift_sd=0.1).draw(6, _rng())
    seen = apply_sensor_record(
        np.zeros((6, 125 * 1000)), sampling_rate=125.0, draw=draw
    )
    slope = np.diff(seen.astype(np.float64), axis=1) * 125.0 * 0.8
    np.testing.assert_allclose(slope.std(axis=1), np.abs(draw.drift), rtol=0.02)
    assert np.abs(np.corrcoef(seen)[0, 1:]).max() < 0.95


def test_a_converter_has_its_rails_and_its_quantum():
    wave, period = _pulse(3)
    volume = _record(wave, period, 125.0, 30.0)
    clipped = _only(rail=(0.25, 0.25)).draw(3, _rng())
    seen = apply_sensor_record(volume, sampling_rate=125.0, draw=clipped)
    np.testing.assert_array_equal(seen, np.clip(volume.astype(np.float32), 0.25, 0.75))
    rough = _only(quantum=(0.125, 0.125)).draw(3, _rng())
    seen = apply_sensor_record(volume, sampling_rate=125.0, draw=rough)
    np.testing.assert_array_equal(seen * 8 - np.rint(seen * 8), 0.0)
    assert np.abs(seen - volume).max() <= 0.0625 + 1e-6
    both = _only(quantum=(0.1, 0.1), rail=(0.3, 0.3), coupling=(0.3, 0.3))
    beat = {"period": period, "r_peak": np.zeros(3)}
    draw = both.draw(3, _rng())
    raw, _ = apply_sensor(wave, draw=draw, **beat)
    smooth_one = dataclasses.replace(draw, quantum=np.zeros(3), rail=np.zeros(3))
    clean, _ = apply_sensor(wave, draw=smooth_one, **beat)
    for k in range(3):
        steps = (np.unique(raw[k]) - raw[k].min()) / np.diff(np.unique(raw[k])).min()
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
        assert np.ptp(raw[k]) == pytest.approx(0.6 * np.ptp(clean[k]), rel=0.01)


def test_movement_comes_as_often_and_as_strong_as_asked():
    n, rate = 40, 2.0
    settings = {"strength": (2.0, 2.0), "length": (3.0, 3.0), "band": (1.0, 4.0)}
    count = 125 * 600
    moved = motion(
        np.arange(n),
        rate=np.full(n, rate),
        **settings,
        start=0,
        count=count,
        sampling_rate=125.0,
    )
    share = (moved != 0.0).mean()
    often = rate / 60.0
    assert share == pytest.approx(often * 3.0, rel=0.12)
    # a Hann window has a mean square of 3/8
    assert (moved**2).mean() == pytest.approx(often * 3.0 * 4.0 * 0.375, rel=0.15)
    spectrum = np.abs(np.fft.rfft(moved, axis=1)) ** 2
    frequency = np.fft.rfftfreq(count, 1 / 125.0)
    inside = (frequency > 0.3) & (frequency < 6.0)
    assert spectrum[:, inside].sum() > 0.99 * spectrum.sum()
    still = motion(
        np.arange(2),
        rate=np.zeros(2),
        **settings,
        start=0,
        count=500,
        sampling_rate=125.0,
    )
    assert not still.any()


def test_a_window_is_hit_as_often_as_bursts_overlap_it():
    n = 3000
    sensor = _only(
        motion=(2.0, 2.0), motion_strength=(1.0, 1.0), motion_length=(3.0, 3.0)
    )
    draw = sensor.draw(n, _rng())
    beat = {"period": np.full(n, 0.8), "r_peak": np.zeros(n)}
    moved, _ = apply_sensor(_sine(n), draw=draw, **beat)
    still = dataclasses.replace(draw, motion=np.zeros(n))
    clean, _ = apply_sensor(_sine(n), draw=still, **beat)
    hit = (moved != clean).any(axis=1).mean()
    # slots of 5 s: one ends where the window of 3.2 s begins, one begins there
    slot = 2.0 * 5.0 / 60.0
    wanted = 1.0 - (1.0 - slot * 3.0 / 5.0) * (1.0 - slot * 3.2 / 5.0)
    assert hit == pytest.approx(wanted, abs=4 * np.sqrt(wanted / n))


@pytest.fixture(scope="module")
def fingers():
    waves = simulate(
        textbook(np.linspace(25.0, 75.0, 60)),
        solver=LinearSolver(order=1, harmonics=20),
        sampling_rate=125.0,
        sites=["digital"],
    )
    return waves.volume_pulse("finger"), waves.period


def _reasons(fingers, sensor):
    """What the gate says of one beat of each finger."""
    volume, period = fingers
    raw, r_peak = apply_sensor(
        volume,
        period=period,
        r_peak=np.full(len(period), -0.09),
        draw=sensor.draw(len(period), _rng()),
    )
    raw = raw.astype(np.float32)
    wave = smooth(raw)
    start = pulse_feet(wave, r_peak, sampling_rate=RATE)
    stop = pulse_feet(wave, r_peak + period * RATE, sampling_rate=RATE)
    return judge_beats(
        raw,
        start,
        stop,
        beats_of_windows(raw, start, stop),
        subject=np.arange(len(period)).astype(str),
        rr=period,
        pat=(start - r_peak) / RATE,
    )


def test_the_gate_believes_the_less_the_more_a_sensor_moves(fingers):
    strong = dataclasses.replace(Sensor.source(), motion_strength=(2.0, 4.0))
    accepted = [
        (
            _reasons(fingers, dataclasses.replace(strong, motion=(rate, rate))) == ""
        ).mean()
        for rate in (0.0, 3.0, 12.0)
    ]
    assert accepted[0] > 0.98
    assert accepted[0] - 0.05 > accepted[1] > accepted[2] + 0.1


def test_the_gate_names_a_clipped_pulse(fingers):
    cut = dataclasses.replace(Sensor.source(), coupling=(0.1, 0.1), rail=(0.4, 0.4))
    reasons = Counter(_reasons(fingers, cut).tolist())
    assert reasons["clipped"] + reasons["flat"] > 55


def test_a_held_out_sensor_is_believed_but_unlike_those_of_the_broad_family(fingers):
    held, broad = Sensor.held_out(), Sensor.randomised()
    assert (_reasons(fingers, held) == "").mean() > 0.95
    assert (_reasons(fingers, Sensor.wrist()) == "").mean() > 0.6
    assert held.bend != broad.bend
    assert held.damping > 0.0 == broad.damping
    assert held.coupling[0] > broad.coupling[1]
    assert held.noise[0] > broad.noise[1]
    assert held.quantum[0] > broad.quantum[1]


def test_records_that_cannot_be_made_are_refused():
    draw = Sensor.clinic().draw(2, _rng())
    volume = np.zeros((2, 1000))
    volume[1, 700] = np.nan
    with pytest.raises(RecordError, match="sample 5700 of record 1 is nan"):
        apply_sensor_record(volume, sampling_rate=125.0, draw=draw, start=5000)
    with pytest.raises(ShapeError, match="3 records, 2 sensors"):
        apply_sensor_record(np.zeros((3, 10)), sampling_rate=125.0, draw=draw)
    with pytest.raises(ShapeError, match=r"state of shape \(2, 1, 2\)"):
        apply_sensor_record(
            volume, sampling_rate=125.0, draw=draw, state=np.zeros((2, 1, 2))
        )
    empty = apply_sensor_record(volume[:, :0], sampling_rate=125.0, draw=draw)
    assert empty.shape == (2, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"motion": (0.0, 30.0)}, "up to 30 bursts a minute; wanted at most 12"),
        ({"motion_length": (0.0, 1.0)}, "range of motion_length is 0 to 1"),
        ({"rail": (1.0, np.inf)}, "range of rail is 1 to inf"),
        ({"quantum": (0.2, 0.1)}, r"range of quantum is 0\.2 to 0\.1"),
        ({"damping": -1.0}, "damping is -1"),
        ({"height_sd": -1.0}, "height_sd is -1; wanted 0 to 100"),
        ({"height_sd": np.nan}, "height_sd is nan"),
        ({"drift_sd": np.inf}, "drift_sd is inf"),
        ({"contact_sd": np.nan}, "contact_sd is nan"),
        ({"contact_mean": -1000.0}, "contact_mean is -1000; wanted -30 to 30"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        _only(**changes)
