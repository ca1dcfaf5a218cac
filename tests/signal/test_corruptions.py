import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError
from capnet.records import Record, Signal
from capnet.signal.corruptions import (
    CORRUPTIONS,
    WINDOW,
    CorruptionDraw,
    corrupt,
    draw_corruption,
)
from capnet.signal.windows import REASONS
from tests.signal.trains import virtual


def record():
    return virtual()[0].record()


def same(left, right):
    return (
        left.sampling_rate == right.sampling_rate
        and left.unit == right.unit
        and np.array_equal(left.values, right.values, equal_nan=True)
    )


def test_there_are_twenty_classes_whose_reasons_the_gate_knows():
    assert len(CORRUPTIONS) == 20
    for name, corruption in CORRUPTIONS.items():
        assert corruption.name == name
        assert corruption.reasons
        assert corruption.reasons <= set(REASONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_no_severity_is_no_change(name):
    whole = record()
    case = corrupt(whole, draw_corruption(name, 0, seed=3))
    assert case.record is whole
    assert case.channels == ()
    assert not case.severe


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_draw_replayed_is_equal_to_the_bit_and_spares_what_is_given(name):
    whole = record()
    before = {k: s.values.copy() for k, s in whole.channels.items()}
    draw = draw_corruption(name, 4, seed=11)
    assert draw == draw_corruption(name, 4, seed=11)
    assert draw == CorruptionDraw(**json.loads(json.dumps(asdict(draw))))
    one, two = corrupt(whole, draw), corrupt(whole, draw)
    assert one.channels == two.channels
    for channel, values in before.items():
        assert same(one.record.channels[channel], two.record.channels[channel])
        assert np.array_equal(whole.channels[channel].values, values)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("severity", [1, 5])
def test_every_class_changes_what_it_says_it_hits_and_nothing_else(name, severity):
    whole = record()
    for seed in range(4):
        case = corrupt(whole, draw_corruption(name, severity, seed=seed))
        assert case.channels
        assert case.severe == (severity == 5)
        for channel, signal in whole.channels.items():
            hit = case.record.channels[channel]
            if channel not in case.channels:
                assert hit is signal
        assert any(
            not same(case.record.channels[c], whole.channels[c]) for c in case.channels
        )


@pytest.mark.parametrize(
    "name", [n for n, c in CORRUPTIONS.items() if c.scope == "window"]
)
def test_a_fault_of_a_window_stays_in_its_window(name):
    whole = record()
    case = corrupt(whole, draw_corruption(name, 5, seed=5))
    assert case.stop - case.start == WINDOW
    for channel in case.channels:
        old, new = whole.channels[channel], case.record.channels[channel]
        outside = (old.times < case.start) | (old.times >= case.stop)
        assert np.array_equal(old.values[outside], new.values[outside])


def test_severities_are_what_they_say():
    whole = record()
    seconds = []
    for severity in range(1, 6):
        case = corrupt(whole, draw_corruption("gap", severity, seed=2))
        signal = case.record.channels[case.channels[0]]
        seconds.append(np.isnan(signal.values).sum() / signal.sampling_rate)
    wanted = CORRUPTIONS["gap"].levels
    assert np.abs(np.array(seconds) - wanted).max() <= 0.004
    half = corrupt(whole, draw_corruption("wrong unit", 4, seed=2)).record
    ratio = half.channels["abp"].values / whole.channels["abp"].values
    assert ratio == pytest.approx(0.133322, rel=1e-5)


def test_inversion_mirrors_about_the_mean():
    whole = record()
    case = corrupt(whole, draw_corruption("inverted", 5, seed=2))
    (name,) = case.channels
    signal = whole.channels[name]
    inside = (signal.times >= case.start) & (signal.times < case.stop)
    old, new = signal.values[inside], case.record.channels[name].values[inside]
    assert old + new == pytest.approx(2.0 * old.mean(), rel=1e-6)


def test_a_jump_is_a_delay_of_that_size_and_drift_grows():
    whole = record()
    late = corrupt(whole, replace(draw_corruption("jump", 5, seed=4), up=True))
    (name,) = late.channels
    old, new = whole.channels[name], late.record.channels[name]
    shift = round(0.4 * old.sampling_rate)
    behind = np.flatnonzero(old.times >= late.stop)
    assert new.values[behind] == pytest.approx(old.values[behind - shift])
    off = corrupt(whole, replace(draw_corruption("drift", 5, seed=4), up=True))
    (name,) = off.channels
    old, new = whole.channels[name], off.record.channels[name]
    # 10 ms each second: at 40 s a sample is 0.4 s late
    at = round(40.0 * old.sampling_rate)
    assert new.values[at] == pytest.approx(old.values[at - shift], abs=1e-3)


def test_any_rates_lengths_and_real_gaps_are_taken():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(571)
    values[40:60] = np.nan
    short = Record("short", {"ART": Signal(values, 71.3, "mmHg", start=-3.2)})
    for name, corruption in CORRUPTIONS.items():
        if "abp" not in corruption.kinds or name == "swapped":
            continue
        case = corrupt(short, draw_corruption(name, 5, seed=1))
        assert case.start == pytest.approx(-3.2)


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="no corruption 'rust'; there are gap, flat"):
        draw_corruption("rust", 1, seed=0)
    with pytest.raises(ConfigError, match="severity 6"):
        draw_corruption("gap", 6, seed=0)
    with pytest.raises(ConfigError, match="seed -1"):
        draw_corruption("gap", 1, seed=-1)
    lead = Record("x", {"II": Signal(np.zeros(4000), 250.0, "mV")})
    for name in ("flush", "swapped"):
        with pytest.raises(RecordError, match=f"no channel that '{name}' acts on"):
            corrupt(lead, draw_corruption(name, 4, seed=0))
    brief = Record("x", {"II": Signal(np.zeros(100), 250.0, "mV")})
    with pytest.raises(RecordError, match=r"lasts 0\.4 s; wanted at least a window"):
        corrupt(brief, draw_corruption("gap", 4, seed=0))
