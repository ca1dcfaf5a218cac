"""Every refused beat is counted once, under its reason."""

from dataclasses import replace

import numpy as np

from capnet.evaluation.refusals import UNSAID, count_refusals
from capnet.evaluation.reports.refused_section import refused_section
from capnet.evaluation.truth import truth_of
from tests.evaluation.conftest import make_beats, refuse, waves


def gated():
    """Three people; nobody hears the second; the gate gives three reasons."""
    plain = make_beats([4, 2, 6])
    gone = np.array([0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    words = ["", "flat", "", "", "flat", "late", "flat", "clipped", "", "", "", ""]
    return plain.replace(accepted=~gone, reason=np.array(words))


def test_counts_by_hand():
    beats = gated()
    quiet = refuse(waves(beats, "net"), np.arange(12) >= 7)
    found = count_refusals([waves(beats, "all"), quiet], truth_of(beats))
    assert (found.beats, found.subjects, found.refused) == (12, 3, 5)
    assert list(found.gate.items()) == [("flat", 3), ("clipped", 1), ("late", 1)]
    assert found.silent_subjects == 1
    assert [(m.method, dict(m.reasons)) for m in found.methods] == [
        ("net", {"too noisy": 4})
    ]


def test_a_table_of_numbers_may_refuse_without_a_word():
    truth = truth_of(gated())
    silent = replace(truth, reason=np.where(truth.reason == "flat", "", truth.reason))
    found = count_refusals([], silent)
    assert list(found.gate.items()) == [(UNSAID, 3), ("clipped", 1), ("late", 1)]
    assert str(found).splitlines()[0] == "5 of 12 beats refused by the gate"


def test_order_of_rows_does_not_matter():
    beats = gated()
    net = refuse(waves(beats, "net"), np.arange(12) >= 7)
    order = np.random.default_rng(0).permutation(12)
    mixed = beats.take(order)
    names = ["subject", "beat", "time", "duration", "waveform", "accepted", "reason"]
    names += ["csbp", "cdbp", "cmap", "cpp"]
    parts = {name: getattr(net, name)[order] for name in names}
    first = count_refusals([net], truth_of(beats)).to_dict()
    assert count_refusals([net.replace(**parts)], truth_of(mixed)).to_dict() == first


def test_all_accepted_needs_no_picture():
    beats = make_beats([2, 3])
    found = count_refusals([waves(beats, "net")], truth_of(beats))
    section = refused_section(found)
    assert section.figures == ()
    assert section.tables[0].rows == (("accepted", "5", "100.0 %"),)
    assert len(section.tables) == 1


def test_the_section_says_who_was_lost():
    beats = gated()
    net = refuse(waves(beats, "net"), np.arange(12) >= 7)
    section = refused_section(count_refusals([net], truth_of(beats)))
    assert any("1 of 3 subjects" in line for line in section.paragraphs)
    assert ("net (k = 0)", "too noisy", "4", "57.1 %") in section.tables[1].rows
    assert len(section.figures) == 1
