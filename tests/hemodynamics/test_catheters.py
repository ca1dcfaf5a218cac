import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.hemodynamics.catheters import (
    COLUMN,
    Catheter,
    CatheterDraw,
    apply_catheter,
    apply_catheter_record,
    settle_catheter,
)
from capnet.hemodynamics.spectra import evaluate


def _draw(n=2000):
    return Catheter().draw(n, np.random.default_rng(0))


def _beats(n):
    """Made-up pressures of six harmonics, mmHg."""
    rng = np.random.default_rng(1)
    wave = np.zeros((n, 7), dtype=np.complex128)
    wave[:, 0] = 95.0
    size = 12.0 / np.arange(1, 7) ** 1.5
    wave[:, 1:] = size * np.exp(2j * np.pi * rng.random((n, 6)))
    return wave, rng.uniform(0.7, 1.1, n)


def test_a_column_of_blood_weighs_what_it_weighs():
    assert pytest.approx(0.77, abs=0.005) == COLUMN
    draw = CatheterDraw(
        np.full(3, np.inf), np.ones(3), np.zeros(3), np.array([0.0, 1.0, -10.0])
    )
    wave, period = _beats(3)
    seen = apply_catheter(wave, period=period, draw=draw)
    np.testing.assert_allclose(seen[:, 0] - wave[:, 0], [0.0, -COLUMN, 10 * COLUMN])
    np.testing.assert_array_equal(seen[:, 1:], wave[:, 1:])


def test_a_perfect_catheter_reads_the_pressure_itself():
    wave, period = _beats(4)
    draw = Catheter.perfect().draw(4, np.random.default_rng(0))
    np.testing.assert_array_equal(apply_catheter(wave, period=period, draw=draw), wave)
    record = np.random.default_rng(2).normal(90, 10, (4, 300))
    seen = apply_catheter_record(record, sampling_rate=125.0, draw=draw)
    np.testing.assert_array_equal(seen, record)


def test_draws_lie_where_the_family_says():
    draw = _draw()
    for values, (low, high) in ((draw.natural, (10, 30)), (draw.damping, (0.15, 0.5))):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    error = 4 / np.sqrt(2 * len(draw))
    assert draw.zero.std() == pytest.approx(3.0, rel=error)
    assert draw.level.std() == pytest.approx(2.0, rel=error)
    assert draw.offset.std() == pytest.approx(np.hypot(3, 2 * COLUMN), rel=error)
    for name, values in vars(draw.take(np.arange(5))).items():
        np.testing.assert_array_equal(values, getattr(_draw(5), name))


def test_beats_and_records_agree():
    rate, n = 500.0, 5
    draw, (wave, period) = _draw(n), _beats(n)
    times = np.tile(np.arange(int(8 * rate)) / rate, (n, 1))
    record = evaluate(wave, period=period, times=times)
    seen = apply_catheter_record(record, sampling_rate=rate, draw=draw)
    exact = apply_catheter(wave, period=period, draw=draw)
    wanted = evaluate(exact, period=period, times=times)
    late = times[0] > 4.0
    np.testing.assert_allclose(seen[:, late], wanted[:, late], atol=1e-3)


def test_an_underdamped_line_overshoots_as_theory_says():
    natural, damping = np.array([10.0, 30.0]), np.array([0.15, 0.5])
    draw = CatheterDraw(natural, damping, np.zeros(2), np.zeros(2))
    step = np.where(np.arange(2000) < 100, 80.0, 120.0)[None].repeat(2, axis=0)
    seen = apply_catheter_record(step, sampling_rate=1000.0, draw=draw)
    over = (seen.max(axis=1) - 120.0) / 40.0
    theory = np.exp(-np.pi * damping / np.sqrt(1 - damping**2))
    np.testing.assert_allclose(over, theory, atol=2e-3)
    np.testing.assert_allclose(seen[:, -1], 120.0, atol=1e-6)


def test_pieces_of_a_record_are_the_record():
    rate, draw = 250.0, _draw(3)
    record = np.random.default_rng(3).normal(90, 10, (3, 900))
    whole = apply_catheter_record(record, sampling_rate=rate, draw=draw)
    state = settle_catheter(record[:, 0], sampling_rate=rate, draw=draw)
    pieces = [
        apply_catheter_record(part, sampling_rate=rate, draw=draw, state=state)
        for part in np.split(record, [17, 600], axis=1)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="range of natural is 30 to 10"):
        Catheter(natural=(30.0, 10.0))
    with pytest.raises(ConfigError, match="10 Hz to infinity"):
        Catheter(natural=(10.0, np.inf))
    with pytest.raises(ConfigError, match=r"range of damping is 0\.3 to inf"):
        Catheter(damping=(0.3, np.inf))
    with pytest.raises(ConfigError, match="zero_sd is -1 mmHg"):
        dataclasses.replace(Catheter(), zero_sd=-1.0)
    with pytest.raises(ConfigError, match="level_sd inf cm; wanted finite"):
        dataclasses.replace(Catheter(), level_sd=np.inf)
    with pytest.raises(ShapeError, match="2 rows"):
        apply_catheter_record(np.zeros((2, 9)), sampling_rate=125.0, draw=_draw(3))
    with pytest.raises(RecordError, match="sample 0 of row 0"):
        apply_catheter_record(
            np.full((1, 9), np.inf), sampling_rate=125.0, draw=_draw(1)
        )
