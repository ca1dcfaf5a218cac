"""The audit of a split: what is planted is found, and nothing else."""

import json

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler, TargetEncoder

from capnet.data.splits import fingerprints
from capnet.errors import ConfigError, ProtocolError, ShapeError
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


def test_copies_with_noise_like_that_of_the_sensor_are_found():
    """Nothing but their own fine structure tells them."""
    rng = np.random.default_rng(8)
    x, y = segments(120, 10, time=64), segments(60, 11, time=64)
    x, y = (w + 0.2 * rng.standard_normal(w.shape) for w in (x, y))
    y[:20] = 1.7 * (x[:20] + 0.2 * rng.standard_normal((20, 64))) + 5.0
    names = np.array([f"p{i}" for i in range(180)])
    found = audit_rows(x, y, names[:120], names[120:])
    assert {(f.train, f.test) for f in found.findings} == {
        (f"p{i}", f"p{120 + i}") for i in range(20)
    }


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("p1", "P1 "),
        ("p1", "p\u00a01"),
        ("1", "1.0"),
        ("1", "01"),
        ("p7", "P007"),
        (" \u00e9", "e\u0301"),
    ],
)
def test_one_subject_in_two_spellings_is_found(mine, other):
    x, y = segments(4, 0), segments(3, 1)
    train = np.array([mine, "a", "b", "c"])
    found = audit_rows(x, y, train, np.array(["d", other, "e"]))
    assert [(f.kind, f.train, f.test) for f in found.findings] == [
        ("subject on both sides", mine, other)
    ]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (["a", "A"], ["b", "B"]),
        (["a", "A"], ["b", "a "]),
        (["1.05", "2"], ["1.5", "3"]),
        (["p1", "p01"], ["p001", "q"]),
    ],
)
def test_spellings_that_tell_people_apart_are_left_alone(train, test):
    x, y = segments(2, 0), segments(2, 1)
    found = audit_rows(x, y, np.array(train), np.array(test))
    assert [f.test for f in found.findings] == [n for n in test if n.strip() in train]


LEARNERS = {
    "imputer": lambda x, y: SimpleImputer().fit(x),
    "neighbours": lambda x, y: KNNImputer().fit(x),
    "imputed_axes": lambda x, y: make_pipeline(SimpleImputer(), PCA(2)).fit(x),
    "means": lambda x, y: (np.nanmean(x, axis=0), np.nanstd(x, axis=0)),
    "union": lambda x, y: FeatureUnion([("s", StandardScaler())]).fit(x),
    "columns": lambda x, y: ColumnTransformer([("s", MinMaxScaler(), [0, 2])]).fit(x),
    "selected": lambda x, y: make_pipeline(
        SimpleImputer(), SelectKBest(f_regression, k=2)
    ).fit(x, y),
    "encoder": lambda x, y: TargetEncoder(target_type="continuous").fit(x, y),
}


@pytest.mark.parametrize("learner", LEARNERS)
def test_whatever_learns_from_gaps_or_labels_tells_whose(learner):
    rng = np.random.default_rng(5)
    x, y = segments(60, 0, time=24).round(-1), segments(30, 1, time=24).round(-1)
    for rows in (x, y):
        rows[rng.random(rows.shape) < 0.02] = np.nan
    mine, theirs = rng.normal(120, 10, 60), rng.normal(120, 10, 30)
    names = np.array([f"p{i}" for i in range(90)])
    everything = np.concatenate([x, y]), np.concatenate([mine, theirs])
    told = [
        audit_rows(
            *(x, y, names[:60], names[60:]),
            transforms=[LEARNERS[learner](*seen)],
            targets=(mine, theirs),
        )
        for seen in ((x, mine), everything, (y, theirs))
    ]
    kinds = [[f.kind for f in audit.findings] for audit in told]
    outside = "transform fitted outside the fold"
    assert kinds == [[], [outside], [outside]]
    assert not any("neither" in said for audit in told for said in audit.undecided)


def test_a_fit_that_fails_on_other_rows_tells_of_its_own(split):
    train, test = split
    every = np.concatenate([train.ppg, test.ppg])

    def fit(rows):
        return [rows[:, 20].mean()]

    found = audit_leakage(train, test, transforms=[(fit, fit(every))])
    assert [f.kind for f in found.findings] == ["transform fitted outside the fold"]


def test_rows_that_are_flat_where_both_know_them_are_no_copies():
    first, second = np.zeros((2, 3, 20))
    first[:, -1], second[:, 0] = 1.0, 1.0
    found = audit_rows(first, second, *np.array([["a"] * 3, ["b"] * 3]), shifts=9)
    assert found.clean
    assert "by up to 2 samples" in str(found)


def test_rows_that_were_not_compared_are_counted():
    names = np.array([f"p{i}" for i in range(20)])
    x = segments(20, 0)
    x[3, 5], x[12] = np.nan, 7.0
    told = audit_rows(x[:10], x[10:], names[:10], names[10:])
    assert "1 training and 1 tested rows lack samples" in told.undecided[0]
    short = audit_rows(x[:10, 10:20], x[10:, 10:20], names[:10], names[10:])
    assert "fewer than 16" in short.undecided[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"train_x": np.array([["a", "b"]])}, ShapeError, "wanted real numbers"),
        ({"train_x": np.ones(30)}, ShapeError, r"wanted \(row, time\)"),
        ({"train_subject": np.array(["a", " "])}, ProtocolError, "row 1 has the subj"),
        ({"test_subject": np.array([1.0, np.nan])}, ProtocolError, "wanted a name"),
        ({"shifts": -1}, ConfigError, "shifts = -1"),
        ({"targets": (np.ones(2), np.ones(3))}, ShapeError, "wanted two arrays"),
    ],
)
def test_what_cannot_be_audited_is_refused(change, error, message):
    x, names = segments(4, 0, time=30), np.array(["a", "b", "c", "d"])
    given = {"train_x": x[:2], "test_x": x[2:]}
    given |= {"train_subject": names[:2], "test_subject": names[2:]}
    with pytest.raises(error, match=message):
        audit_rows(**(given | change))
