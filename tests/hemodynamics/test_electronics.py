import inspect

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError, ShapeError, UnitError
from capnet.hemodynamics.electronics import (
    LEAST_SAMPLES,
    MATCHED,
    coupling,
    coupling_section,
    digitise,
    filter_rows,
    lowpass,
    lowpass_section,
    second_order,
    second_order_section,
    settled,
    white_noise,
)

CORNERS = np.array([1.0, 4.0, 6.0, 14.0, 30.0])
COUPLINGS = np.array([0.2, 0.3, 0.5, 1.2])
NATURAL = np.array([6.0, 10.0, 10.0, 20.0, 30.0, 30.0])
DAMPING = np.array([0.866, 0.15, 0.5, 0.3, 0.15, 0.5])
CIRCUITS = [
    (
        lambda f: lowpass(f, CORNERS),
        lambda r: lowpass_section(CORNERS, sampling_rate=r),
    ),
    (
        lambda f: coupling(f, COUPLINGS),
        lambda r: coupling_section(COUPLINGS, sampling_rate=r),
    ),
    (
        lambda f: second_order(f, NATURAL, DAMPING),
        lambda r: second_order_section(NATURAL, DAMPING, sampling_rate=r),
    ),
]


def _transfer(sections, rate, frequency):
    """What a record shows: the spectrum of the answer to one sample of 1."""
    impulse = np.zeros((len(sections), int(20 * rate)))
    impulse[:, 0] = 1.0
    state = np.zeros((len(sections), 1, 2))
    answer = filter_rows(impulse, sections[:, None], state)
    time = np.arange(impulse.shape[1]) / rate
    return answer @ np.exp(-2j * np.pi * time[:, None] * frequency)


@pytest.mark.parametrize(("rate", "error"), [(125.0, 2.5e-3), (500.0, 4e-5)])
@pytest.mark.parametrize(("respond", "section"), CIRCUITS)
def test_a_record_has_the_analytic_transfer_function(respond, section, rate, error):
    frequency = np.linspace(0.0, 10.0, 101)
    found = _transfer(section(rate), rate, frequency)
    wanted = respond(np.tile(frequency, (len(found), 1)))
    assert np.abs(found - wanted).max() < error
    exact = frequency == MATCHED
    np.testing.assert_allclose(found[:, exact], wanted[:, exact], atol=1e-9)
    np.testing.assert_allclose(found[:, 0], wanted[:, 0], atol=1e-9)


@pytest.mark.parametrize("rate", [100.0, 125.0, 500.0, 1000.0])
@pytest.mark.parametrize(("respond", "section"), CIRCUITS)
def test_no_section_amplifies_what_its_circuit_does_not(respond, section, rate):
    frequency = np.linspace(0.0, rate / 2, 401)
    found = np.abs(_transfer(section(rate), rate, frequency))
    peak = np.abs(respond(np.tile(np.linspace(0, 60, 2001), (len(found), 1))))
    assert (found <= 1.15 * peak.max(axis=1, keepdims=True)).all()


def test_step_response_overshoots_and_rings_as_second_order_systems_do():
    rate, natural = 1000.0, np.array([10.0, 20.0, 30.0, 15.0])
    damping = np.array([0.15, 0.3, 0.5, 0.2])
    sections = second_order_section(natural, damping, sampling_rate=rate)[:, None]
    step = np.ones((4, 3000))
    answer = filter_rows(step, sections, np.zeros((4, 1, 2)))
    root = np.sqrt(1.0 - damping**2)
    np.testing.assert_allclose(
        answer.max(axis=1) - 1.0, np.exp(-np.pi * damping / root), atol=2e-3
    )
    # sampled, a step rises halfway between the last 0 and the first 1
    time = (np.arange(3000) + 0.5) / rate
    np.testing.assert_allclose(
        time[answer.argmax(axis=1)], 0.5 / (natural * root), atol=1e-3
    )
    decay = np.exp(-2 * np.pi * natural[:, None] * damping[:, None] * time)
    angle = 2 * np.pi * natural[:, None] * root[:, None] * time
    ring = np.cos(angle) + (damping / root)[:, None] * np.sin(angle)
    np.testing.assert_allclose(answer[:, 20:], (1.0 - decay * ring)[:, 20:], atol=1e-3)


def test_what_is_not_there_lets_all_pass():
    x = white_noise(np.arange(2), start=0, count=50)
    none = coupling_section(np.zeros(2), sampling_rate=125.0)
    at_once = second_order_section(np.full(2, np.inf), np.ones(2), sampling_rate=125.0)
    answer = filter_rows(x, np.stack([none, at_once], axis=1))
    np.testing.assert_array_equal(answer, x)
    frequency = np.array([[0.0, 1.0, 50.0]] * 2)
    np.testing.assert_array_equal(coupling(frequency, np.zeros(2)), 1.0)
    np.testing.assert_array_equal(
        second_order(frequency, np.full(2, np.inf), np.ones(2)), 1.0
    )


def test_a_settled_circuit_stays_where_it_is():
    level = np.array([3.0, -2.0])
    sections = np.stack(
        [
            lowpass_section(np.array([5.0, 9.0]), sampling_rate=125.0),
            second_order_section(
                np.array([8.0, 20.0]), np.array([0.7, 0.2]), sampling_rate=125.0
            ),
        ],
        axis=1,
    )
    flat = np.repeat(level[:, None], 400, axis=1)
    np.testing.assert_allclose(filter_rows(flat, sections), flat, rtol=1e-12)
    coupled = coupling_section(np.array([0.3, 0.3]), sampling_rate=125.0)[:, None]
    np.testing.assert_allclose(filter_rows(flat, coupled), 0.0, atol=1e-12)


def test_pieces_of_a_record_are_the_record_and_rows_do_not_meet():
    x = white_noise(np.arange(3), start=0, count=2000)
    corner = np.array([3.0, 6.0, 20.0])
    sections = lowpass_section(corner, sampling_rate=125.0)[:, None]
    whole = filter_rows(x, sections)
    state = settled(sections, x[:, 0])
    pieces = [
        filter_rows(part, sections, state)
        for part in np.split(x, [1, 700, 701], axis=1)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    alone = filter_rows(x[1:2], sections[1:2])
    np.testing.assert_array_equal(alone[0], whole[1])
    single = filter_rows(x.astype(np.float32), sections)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, whole, atol=1e-5)
    assert filter_rows(x[:, :0], sections).shape == (3, 0)


@pytest.mark.parametrize(
    ("samples", "error"), [(LEAST_SAMPLES, 0.11), (4.0, 0.03), (8.0, 0.003)]
)
def test_a_light_damped_line_rings_as_high_as_it_should(samples, error):
    rate = samples * 30.0
    section = second_order_section(
        np.array([30.0]), np.array([0.15]), sampling_rate=rate
    )
    back = np.exp(-2j * np.pi * np.linspace(0.0, 0.5, 4000)[:, None] * np.arange(3))
    seen = np.abs((back @ section[0, :3]) / (back @ np.r_[1.0, section[0, 3:]]))
    highest = 1.0 / (2.0 * 0.15 * np.sqrt(1.0 - 0.15**2))  # at fn sqrt(1 - 2 z^2)
    assert seen.max() == pytest.approx(highest, rel=error)


def test_whole_numbers_are_filtered_as_numbers():
    pressure = 60 + np.arange(40)[None]
    sections = lowpass_section(np.array([5.0]), sampling_rate=125.0)[:, None]
    bare = inspect.unwrap(filter_rows)  # as a user calls it, unchecked
    np.testing.assert_array_equal(
        bare(pressure, sections), filter_rows(pressure.astype(float), sections)
    )


def test_what_cannot_be_filtered_is_refused():
    sections = lowpass_section(np.ones(2), sampling_rate=125.0)[:, None]
    x = np.zeros((2, 10))
    x[1, 4] = np.nan
    with pytest.raises(RecordError, match="sample 4 of row 1 is missing"):
        filter_rows(x, sections)
    with pytest.raises(ShapeError, match="3 rows, sections for 2"):
        filter_rows(np.zeros((3, 10)), sections)
    with pytest.raises(ShapeError, match=r"state of shape \(2, 2, 2\)"):
        filter_rows(np.zeros((2, 10)), sections, np.zeros((2, 2, 2)))
    with pytest.raises(ConfigError, match="30 Hz cannot ring at 80 Hz; wanted 90 Hz"):
        second_order_section(NATURAL, DAMPING, sampling_rate=80.0)
    with pytest.raises(UnitError, match="sampling rate is 0"):
        lowpass_section(np.ones(2), sampling_rate=0.0)


def test_noise_is_standard_normal_and_white():
    n = 200_000
    (x,) = white_noise(np.array([5]), start=0, count=n)
    assert abs(x.mean()) < 4 / np.sqrt(n)
    assert abs(x.std() - 1.0) < 4 / np.sqrt(2 * n)
    assert abs((x**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((x**4).mean() - 3.0) < 4 * np.sqrt(96 / n)
    for lag in (1, 2, 3, 512):
        assert abs((x[lag:] * x[:-lag]).mean()) < 4 / np.sqrt(n)


def test_noise_follows_from_seed_and_sample_alone():
    seeds = np.array([5, 6, 2**61])
    whole = white_noise(seeds, start=-3, count=1000)
    for start, count in ((-3, 4), (0, 1), (1, 500), (996, 1)):
        piece = white_noise(seeds, start=start, count=count)
        np.testing.assert_array_equal(piece, whole[:, start + 3 : start + 3 + count])
    np.testing.assert_array_equal(
        white_noise(seeds[1:], start=0, count=9), whole[1:, 3:12]
    )
    assert abs(np.corrcoef(whole)[0, 1]) < 0.15


def test_a_converter_clips_and_rounds_exactly():
    x = np.linspace(-2.0, 3.0, 1001)[None].repeat(3, axis=0)
    centre, rail = np.array([0.0, 0.5, 0.5]), np.array([1.0, 0.75, 0.0])
    quantum = np.array([0.125, 0.0, 0.0])
    seen = digitise(x, centre=centre, rail=rail, quantum=quantum)
    assert seen[0].min() == -1.0
    assert seen[0].max() == 1.0
    steps = seen[0] / 0.125
    np.testing.assert_array_equal(steps, np.rint(steps))
    inside = np.abs(x[0]) <= 1.0
    assert np.abs(seen[0] - x[0])[inside].max() <= 0.0625 + 1e-12
    np.testing.assert_array_equal(seen[1], np.clip(x[1], -0.25, 1.25))
    np.testing.assert_array_equal(seen[2], x[2])
    np.testing.assert_array_equal(
        digitise(seen, centre=centre, rail=rail, quantum=quantum), seen
    )
