"""Strips say what they are, and are joined only to what follows them."""

import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics.strips import Heartbeats, Strip
from capnet.records import Signal


def _strip(start=0.0, *, subject="virtual-3", names=("ppg", "aortic_root"), age=40.0):
    """Two seconds with two beats, the second one ectopic."""
    onset = start + np.array([0.3, 1.2])
    site = np.ones((3, 2))
    beats = Heartbeats(
        ("aortic_root", "radial", "ppg"),
        *(onset - 0.1, onset, np.array([False, True])),
        *(np.full(2, v) for v in (0.9, 0.2, 70.0, 1.0, 1.0, 1.0)),
        *(onset + 0.1 * site, 120.0 * site, 80.0 * site, 93.0 * site),
    )
    channels = {
        name: Signal(np.arange(200.0) + 100 * start, 100.0, "NU", start)
        for name in names
    }
    return Strip(subject, age, start, channels, beats)


def test_strips_that_follow_each_other_are_joined():
    joined = Strip.concatenate([_strip(), _strip(2.0), _strip(4.0)])
    assert joined.duration == 6.0
    assert joined.start == joined.channels["ppg"].start == 0.0
    np.testing.assert_array_equal(joined.channels["ppg"].values, np.arange(600.0))
    assert joined.beats.foot.shape == (3, 6)
    np.testing.assert_array_equal(joined.beats.label, ["N", "V"] * 3)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ([], "at least one"),
        ([_strip(), _strip(2.5)], r"ends at 2 s and the next begins at 2\.5 s"),
        ([_strip(2.0), _strip()], "ends at 4 s and the next begins at 0 s"),
        ([_strip(), _strip(2.0, subject="virtual-4")], "one person's"),
        ([_strip(), _strip(2.0, names=("ppg",))], "same channels"),
    ],
)
def test_other_strips_are_not(parts, match):
    with pytest.raises(RecordError, match=match):
        Strip.concatenate(parts)


def test_a_record_holds_what_a_monitor_shows():
    assert list(_strip().record().channels) == ["ppg"]
    assert _strip(2.0).record().signal("ppg").start == 2.0
    assert _strip(age=np.nan).record().age is None
    with pytest.raises(ConfigError, match="channels are aortic_root; wanted one of"):
        _strip(names=("aortic_root",)).record()


def test_sites_are_found_by_name():
    beats = _strip().beats
    assert (len(beats), beats.row("radial")) == (2, 1)
    with pytest.raises(ConfigError, match="no beats at 'ankle'; there are aortic_root"):
        beats.row("ankle")


def test_what_is_saved_is_all_there_is(tmp_path):
    strip = _strip(2.0)
    strip.save(tmp_path / "strip.npz")
    with np.load(tmp_path / "strip.npz", allow_pickle=False) as file:
        for name, values in vars(strip.beats).items():
            np.testing.assert_array_equal(file[f"beat_{name}"], values)
        for k, (name, signal) in enumerate(strip.channels.items()):
            np.testing.assert_array_equal(file[f"channel_{name}"], signal.values)
            assert file["channels"][k] == name
            assert (file["rates"][k], file["starts"][k]) == (100.0, 2.0)
        assert file["subject"] == strip.subject


def test_a_strip_says_what_it_is():
    assert "2 beats, 1 ectopic, aorta 120/80 mmHg" in repr(_strip())
    none = dataclasses.replace(
        _strip(),
        beats=Heartbeats(
            **{
                k: v if k == "sites" else v[..., :0]
                for k, v in vars(_strip().beats).items()
            }
        ),
    )
    assert "0 beats" in repr(none)
    assert len(_strip().plot().axes) == 3
