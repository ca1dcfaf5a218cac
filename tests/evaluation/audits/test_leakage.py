"""The audit of a split: what is planted is found, and nothing else."""

import json

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from capnet.data.splits import fingerprints
from capnet.errors import ProtocolError, ShapeError
from capnet.evaluation.audits.leakage import audit_leakage, audit_rows
from capnet.evaluation.reports.leakage_section import leakage_section
from capnet.records import Beats
from tests.fakes.people import make_people


def segments(n, seed, time=200):
    """Band-limited noise with a tenth of a per cent of white noise, one a subject."""
    rng = np.random.default_rng(seed)
    spectrum = np.zeros((n, time // 2 + 1), dtype=complex)
    spectrum[:, 1:12] = rng.standard_normal((n, 11)) + 1j * rng.standard_normal((n, 11))
    wave = np.fft.irfft(spectrum, time, axis=1)
    return (
        100
        + 20 * wave / wave.std(axis=1, keepdims=True)
        + 0.02 * (rng.standard_normal(wave.shape))
    )


@pytest.fixture(scope="module")
def split():
    beats = make_people(60, beats=3, seed=1)
    return beats.of(beats.subjects[:40]), beats.of(beats.subjects[40:])


def rows_of(leakage, kind="same segments"):
    return sum(f.rows for f in leakage.findings if f.kind == kind)


def test_a_clean_split_is_clean(split):
    train, test = split
    scaler = StandardScaler().fit(train.ppg)
    found = audit_leakage(train, test, transforms=[scaler], labelled=["nobody"])
    assert found.clean
    assert not found.undecided
    assert "no leak was found" in str(found)
    assert leakage_section(found).tables == ()


def test_a_shared_subject_is_found(split):
    train, test = split
    who = str(train.subjects[3])
    found = audit_leakage(train, Beats.concatenate([test, train.of([who])]))
    assert [(f.kind, f.test, f.rows) for f in found.findings] == [
        ("subject on both sides", who, 3)
    ]
    assert not found.clean


@pytest.mark.parametrize(
    "change",
    [
        lambda x, rng: x,
        lambda x, rng: 2.5 * x - 30.0,
        lambda x, rng: np.roll(x, 1, axis=1),
        lambda x, rng: np.roll(x, -2, axis=1),
        lambda x, rng: x + 0.01 * x.std() * rng.standard_normal(x.shape),
        lambda x, rng: x + 0.01 * np.sqrt((x**2).mean()) * rng.standard_normal(x.shape),
        lambda x, rng: 0.1 * np.roll(x, 1, axis=1).astype(np.float32),
        lambda x, rng: np.round(x, 2),
    ],
    ids=[
        "exact",
        "rescaled",
        "late",
        "early",
        "noise",
        "noise_of_values",
        "all",
        "rounded",
    ],
)
def test_copied_segments_are_found_and_no_others(change):
    rng = np.random.default_rng(2)
    x, y = segments(80, 0), segments(50, 1)
    copied, planted = rng.choice(50, 6, replace=False), rng.choice(80, 6, replace=False)
    y[copied] = change(x[planted], rng)
    a, b = (np.array([f"{s}{i}" for i in range(n)]) for s, n in (("a", 80), ("b", 50)))
    found = audit_rows(x, y, a, b)
    assert {(f.train, f.test) for f in found.findings} == {
        (f"a{i}", f"b{j}") for i, j in zip(planted, copied, strict=True)
    }
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(leakage_section(found).tables[0].rows) == 6


def test_a_recording_under_another_name_is_found(split):
    train, test = split
    alias = train.of(train.subjects[:1])
    alias = alias.replace(subject=np.full(len(alias), "new"), ppg=alias.ppg[::-1] * 1.0)
    found = audit_leakage(train, Beats.concatenate([test, alias]))
    assert {(f.train, f.test) for f in found.findings} == {
        (str(train.subjects[0]), "new")
    }


@pytest.mark.parametrize("named", [True, False])
def test_labels_of_tested_people_are_found(split, named):
    train, test = split
    who = str(test.subjects[2])
    labelled = [who] if named else fingerprints(np.array([who]))
    found = audit_leakage(train, test, labelled=labelled)
    assert [(f.kind, f.test) for f in found.findings] == [
        ("labels of tested people", who)
    ]


def test_split_groups_are_found(split):
    train, test = split
    one, other = str(train.subjects[0]), str(test.subjects[0])
    together = [{str(train.subjects[1]), str(train.subjects[2])}, {one, other}]
    found = audit_leakage(train, test, groups=together)
    assert [(f.kind, f.train, f.test) for f in found.findings] == [
        ("group on both sides", one, other)
    ]


@pytest.mark.parametrize(
    "fit",
    [
        lambda x: StandardScaler().fit(x),
        lambda x: MinMaxScaler().fit(x),
        lambda x: make_pipeline(StandardScaler(), MinMaxScaler()).fit(x),
        lambda x: (x.mean(axis=0), x.std(axis=0)),
        lambda x: (float(x.mean()), float(x.std())),
        lambda x: (x.min(axis=0), x.max(axis=0)),
        lambda x: (lambda rows: rows.max(axis=0), x.max(axis=0)),
    ],
)
@pytest.mark.parametrize("column", ["ppg", "cuff"])
def test_scalers_tell_what_they_were_fitted_on(split, fit, column):
    train, test = split
    mine, theirs = getattr(train, column), getattr(test, column)
    inside = audit_leakage(train, test, transforms={"scaler": fit(mine)})
    assert inside.clean
    assert not inside.undecided
    for outside in (np.concatenate([mine, theirs]), theirs):
        found = audit_leakage(train, test, transforms={"scaler": fit(outside)})
        assert [(f.kind, f.train) for f in found.findings] == [
            ("transform fitted outside the fold", "scaler")
        ]


def test_what_cannot_be_told_is_said(split):
    train, test = split
    odd = (train.ppg[:50].mean(axis=0), train.ppg[:50].std(axis=0))
    found = audit_leakage(train, test, transforms=[odd])
    assert found.clean
    assert "neither the training rows" in found.undecided[0]
    told = audit_leakage(train, test, transforms=[odd], rows=lambda b: b.ppg[:50])
    assert not told.undecided


def test_what_is_no_split_or_no_transform_is_refused(split):
    train, test = split
    with pytest.raises(ProtocolError, match="holds no fitted numbers"):
        audit_leakage(train, test, transforms=[StandardScaler()])
    with pytest.raises(ProtocolError, match="rows on both sides"):
        audit_leakage(train, test.take(np.arange(0)))
    names = np.array(["a", "b"])
    with pytest.raises(ShapeError, match="wanted the same"):
        audit_rows(np.ones((2, 30)), np.ones((2, 31)), names, names)
    with pytest.raises(ShapeError, match="2 subjects"):
        audit_rows(np.ones((3, 30)), np.ones((2, 30)), names, names)


def test_copies_of_other_waves_are_found(split):
    train, test = split
    rng = np.random.default_rng(4)
    radial = [
        60 + 50 * b.ppg + 0.1 * rng.standard_normal(b.ppg.shape) for b in (train, test)
    ]
    clean = [b.replace(waves={"radial": w}) for b, w in zip(split, radial, strict=True)]
    assert audit_leakage(*clean).clean
    radial[1][5] = radial[0][7] * 1.5 - 3.0
    spoilt = test.replace(waves={"radial": radial[1]})
    found = audit_leakage(clean[0], spoilt)
    assert [(f.train, f.test, f.rows) for f in found.findings] == [
        (str(train.subject[7]), str(test.subject[5]), 1)
    ]


@pytest.mark.data
@pytest.mark.parametrize("site", ["Asc_Ao", "L_Brachial"])
def test_virtual_neighbours_are_no_copies(shared_data, site):
    with np.load(shared_data / "pwdb" / "pwdb_waves_500Hz.npz") as file:
        waves = file[f"{site}_P_mmHg"][::2].astype(np.float64)
    ends = np.isfinite(waves).sum(axis=1)
    grid = np.linspace(0.0, 1.0, 64)
    beats = np.stack(
        [
            np.interp(grid * (n - 1), np.arange(n), w[:n])
            for n, w in zip(ends, waves, strict=True)
        ]
    )
    order = np.random.default_rng(0).permutation(len(beats))
    half = len(beats) // 2
    one, other = order[:half], order[half:]
    names = np.array([f"p{i}" for i in range(len(beats))])
    found = audit_rows(beats[one], beats[other], names[one], names[other])
    assert found.clean
