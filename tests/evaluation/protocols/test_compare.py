"""A method beside the limits of all standards, from predictions and truth."""

import json

import numpy as np
import pytest

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation.protocols.compare import compare_protocols
from capnet.evaluation.protocols.dead_band import readings
from capnet.evaluation.protocols.iso81060_2 import Iso81060Part2
from capnet.evaluation.reports.protocols_section import protocols_section
from capnet.evaluation.truth import truth_of
from tests.evaluation.conftest import make_beats, numbers, refuse, waves

STANDARDS = [
    ("AAMI/ISO 81060-2", "criterion 1"),
    ("AAMI/ISO 81060-2", "criterion 2"),
    ("AAMI/ISO 81060-2, invasive route", "dead-band error"),
    ("ISO 81060-3:2022", "continuous readings"),
    ("IEEE 1708 (2014, 2019)", "mean absolute difference"),
    ("BHS grades", "shares of errors"),
]


def test_all_standards_in_order_with_n(beats):
    found = compare_protocols(waves(beats, "net", spread=3.0), beats)
    assert [(c.standard, c.criterion) for c in found] == STANDARDS
    assert [c.n for c in found] == [30, 30, 0, 30, 30, 30]
    assert found[2].inside is None
    assert "30 s" in found[2].text
    for c in found:
        assert "numerical comparison with" in c.text
        assert "simulated reference, calibration exact" in c.text
        assert json.loads(json.dumps(c.to_dict(), allow_nan=False)) == c.to_dict()


@pytest.mark.parametrize("quantity", ["sbp", "dbp", "map", "pp"])
def test_each_quantity_is_read_from_its_own_columns(quantity, beats):
    net = waves(beats, "net", error=2.0, spread=3.0)
    truth = truth_of(beats)
    column = ["sbp", "dbp", "map", "pp"].index(quantity)
    rows = getattr(net, f"c{quantity}"), truth.pressures[:, column], beats.subject
    expected = Iso81060Part2(1).compare(*rows, quantity=quantity)
    found = compare_protocols(net, truth, quantity)[0]
    assert (found.values, found.inside) == (expected.values, expected.inside)


def test_refused_beats_are_left_out(beats):
    net = waves(beats, "net", spread=3.0)
    hidden = np.isin(beats.subject, ["v001", "v002"])
    found = compare_protocols(refuse(net, hidden), beats)
    kept = beats.take(~hidden)
    rows = net.csbp[~hidden], truth_of(kept).pressures[:, 0], kept.subject
    assert found[0].values == Iso81060Part2(1).compare(*rows).values
    assert found[0].n == 28


def test_readings_of_half_a_minute():
    beats = make_beats([200, 10, 90])
    net = waves(beats, "net", spread=3.0)
    truth = truth_of(beats)
    true = truth.pressures[:, 0]
    found = readings(net.csbp, true, np.ones(300, dtype=bool), truth)
    assert set(found.subject) == {"v000", "v002"}
    begin = beats.time[0]
    first = (beats.subject == "v000") & (beats.time < begin + 35)
    assert beats.duration[first].sum() >= 30
    assert found.predicted[0] == pytest.approx(net.csbp[first].mean())
    assert found.reference[0] == pytest.approx(true[first].mean())
    assert found.band[0] == pytest.approx(true[first].std(ddof=1))
    few = np.arange(300) % 2 == 0  # half of the beats are not half a minute
    assert len(readings(net.csbp, true, few, truth).subject) == 0
    dead = compare_protocols(net, beats)[2]
    assert dead.n == 2
    assert dead.inside


def test_unknown_durations_give_no_readings():
    beats = make_beats([100])
    unknown = truth_of(beats.replace(duration=np.full(100, np.nan)))
    everything = np.ones(100, dtype=bool)
    true = unknown.pressures[:, 0]
    assert len(readings(true, true, everything, unknown).subject) == 0


def test_refusals(beats):
    net = waves(beats, "net")
    with pytest.raises(ConfigError, match="quantity is 'hr'"):
        compare_protocols(net, beats, "hr")
    with pytest.raises(ProtocolError, match="not the 5 reference beats"):
        compare_protocols(net, beats.take(np.arange(5)))
    with pytest.raises(ProtocolError, match="answers no DBP"):
        compare_protocols(numbers(beats, "arm - 8"), beats, "dbp")


def test_section_shows_every_comparison_once_and_claims_nothing(beats):
    found = {
        f"{p.method} (k = {p.k})": compare_protocols(p, beats)
        for p in (waves(beats, "net", spread=3.0), numbers(beats, "arm - 8"))
    }
    section = protocols_section(found)
    assert [len(t.rows) for t in section.tables] == [6, 6]
    assert "simulated reference" in section.tables[0].caption
    said = " ".join([*section.paragraphs, *(t.caption for t in section.tables)])
    assert "no validation" in said
    assert "derived" in said
    assert "meets" not in said
    first = section.tables[0].rows[0]
    assert first[0] == "net (k = 0)"
    assert first[3] == "30 (asked for: 85)"
    assert first[5] == "inside"
    assert protocols_section({"nothing": ()}).tables == ()
