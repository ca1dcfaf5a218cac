"""The door of continuous records: what is seen, what is true, and that they agree."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import wfdb

import capnet
from capnet.hemodynamics import Rhythm
from experiments.record import episodes, rates, rhythm
from experiments.recording import variability_got
from tests.experiments.conftest import PEOPLE, STEPS, assert_refused, open_door

HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}
SHORT = ("duration=140", "cuff.every=50", "people=2")
STANDING = "episodes=[{name: standing, start: 60, duration: 30}]"
OFTEN = "rhythm.ectopic_rate=[300,300]"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("record")
    return open_door("record", *SHORT, STANDING, OFTEN, folder=home / "run").check()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The same people, measured with instruments that do not err."""
    home = tmp_path_factory.mktemp("plain")
    exact = ("sensor=null", "catheter=null", "cuff.model=exact")
    more = ("rates.abp=250", "+rates.radial=250")
    given = (*SHORT, STANDING, OFTEN, *exact, *more)
    return open_door("record", *given, folder=home / "run").check()


def read(run, name):
    return pd.read_csv(run.folder / name)


def channel(run, home, name):
    return capnet.read_record(run.folder / home / "virtual-0").channels[name]


def test_it_leaves_records_and_truth_apart(run):
    each = {
        *("records/{}.hea", "records/{}.atr", "records/{}_cuffs.csv"),
        *(f"records/{{}}_{name}.dat" for name in ("ecg", "ppg", "abp")),
        *("truth/{}.hea", "truth/{}_aortic_root.dat"),
        *("truth/{}_beats.csv", "truth/{}_cuffs.csv"),
    }
    people = {part.format(f"virtual-{i}") for part in each for i in (0, 1)}
    files = {"cohort.npz", "summary.csv", "record.png", "record.log"}
    assert run.files == HYDRA | people | files
    assert run.last_line == str(run.folder / "records" / "virtual-0.hea")
    header = (run.folder / "records" / "virtual-0.hea").read_text("utf-8")
    assert "virtual person" in header
    assert "not a medical device" in header


def test_a_record_is_read_as_any_other(run):
    record = capnet.read_record(run.last_line)
    units = {name: (s.sampling_rate, s.unit) for name, s in record.channels.items()}
    assert units == {"ecg": (500, "mV"), "ppg": (125, "NU"), "abp": (250, "mmHg")}
    assert {s.duration for s in record.channels.values()} == {140.0}


def test_annotations_are_the_true_r_peaks_and_ecg_peaks_lie_there(run):
    beats = read(run, "truth/virtual-0_beats.csv")
    beats = beats[beats["r_peak"] >= 0.0]
    found = wfdb.rdann(str(run.folder / "records" / "virtual-0"), "atr")
    assert found.symbol == beats["label"].tolist()
    assert found.symbol.count("V") > 3
    time = np.array(found.sample) / found.fs
    np.testing.assert_allclose(time, beats["r_peak"], atol=1.1e-3)
    ecg = channel(run, "records", "ecg").values
    sinus = found.sample[np.array(found.symbol) == "N"]
    for at in sinus[1:-1]:
        peak = at - 40 + int(np.argmax(ecg[at - 40 : at + 40]))
        assert abs(peak - at) <= 3  # 6 ms


def test_the_table_of_beats_is_what_the_true_wave_shows(run):
    beats = read(run, "truth/virtual-0_beats.csv")
    wave = channel(run, "truth", "aortic_root")
    feet = beats["aortic_root_foot"].to_numpy()
    known = np.flatnonzero(np.isfinite(feet[:-1]) & np.isfinite(feet[1:]))
    assert len(known) > 100
    highest = [
        wave.values[(wave.times >= feet[k]) & (wave.times < feet[k + 1])].max()
        for k in known
    ]
    np.testing.assert_allclose(highest, beats["aortic_root_sbp"][known], atol=0.3)
    pep = beats["onset"] - beats["r_peak"]
    np.testing.assert_allclose(beats["pep"], pep, atol=2e-4)
    assert ((beats["aortic_root_foot"] >= beats["onset"]) | np.isnan(feet)).all()
    standing = beats["onset"].between(60.0, 110.0, inclusive="neither")
    assert (beats["state"] == np.where(standing, "standing", "rest")).all()


def test_instruments_do_not_change_what_is_true(run, plain):
    beats = "truth/virtual-1_beats.csv"
    known = read(run, beats)
    pd.testing.assert_frame_equal(read(plain, beats)[[*known]], known)
    seen, line = channel(run, "records", "abp"), channel(plain, "records", "abp")
    assert np.abs(seen.values - line.values).max() > 1.0
    true = channel(plain, "truth", "radial")
    np.testing.assert_array_equal(line.values, true.values)


def test_a_cuff_reads_the_level_of_the_arm_meanwhile(run, plain):
    beats = read(plain, "truth/virtual-0_beats.csv")
    cuffs = read(plain, "records/virtual-0_cuffs.csv")
    assert cuffs["time"].tolist() == [30.0, 80.0, 130.0]
    assert set(cuffs["site"]) == {"brachial"}
    for _, reading in cuffs.iterrows():
        during = beats["onset"].between(
            reading["time"] - 30.0, reading["time"], inclusive="left"
        )
        for word in ("sbp", "dbp"):
            wanted = beats.loc[during, f"brachial_{word}"].mean()
            assert reading[word] == pytest.approx(wanted, abs=0.06)
    errs, true = (read(run, f"{h}/virtual-0_cuffs.csv") for h in ("records", "truth"))
    assert true["true_sbp"].tolist() == pytest.approx(cuffs["sbp"].tolist(), abs=0.06)
    error = errs["sbp"] - true["true_sbp"]
    assert error.abs().max() > 1.0
    assert error.std() > 0.1


def test_a_record_does_not_depend_on_company_and_another_seed_gives_others(
    run, tmp_path
):
    given = ("duration=140", "cuff.every=50", "people=1", STANDING, OFTEN)
    alone = open_door("record", *given, folder=tmp_path / "alone").check()
    other = open_door("record", *given, "seed=1", folder=tmp_path / "other").check()
    names = [n for n in alone.files if n.startswith(("records", "truth"))]
    assert len(names) == 10
    for name in names:
        same = (run.folder / name).read_bytes()
        assert (alone.folder / name).read_bytes() == same
        if name.endswith((".dat", ".atr", ".csv")):
            assert (other.folder / name).read_bytes() != same


def test_the_summary_says_what_was_asked_for_and_what_came(tmp_path):
    given = ("people=1", "duration=1800", "cuff=null", "rates.abp=null")
    run = open_door("record", *given, folder=tmp_path / "run").check()
    (row,) = read(run, "summary.csv").to_dict("records")
    assert row["sdnn_got_ms"] == pytest.approx(row["sdnn_asked_ms"], rel=0.1)
    assert row["rsa_got_ms"] == pytest.approx(row["rsa_asked_ms"], rel=0.1)
    assert row["rest_beats"] == row["beats"]
    assert not any("cuffs" in name or "abp" in name for name in run.files)
    said = " ".join(run.out.split())
    assert "Train(1 virtual people" in said
    assert "sdnn_asked_ms" in said


@pytest.mark.parametrize("duration", [1.0, 600.001])
def test_any_duration_can_be_recorded(tmp_path, duration):
    given = ("people=1", f"duration={duration}", "cuff=null")
    run = open_door("record", *given, folder=tmp_path / "run").check()
    ecg = channel(run, "records", "ecg")
    assert np.isfinite(ecg.values).sum() == np.ceil(500.0 * duration - 1e-6)


def test_variability_is_read_from_normal_beats_at_rest():
    rng = np.random.default_rng(0)
    n, rsa = 4000, 0.03
    phase = rng.random(n)
    rr = 0.9 + 0.01 * rng.standard_normal(n)
    rr[1:] -= rsa * np.sin(2.0 * np.pi * phase[:-1])
    beats = pd.DataFrame({"rr": rr, "respiration": phase, "label": "N"})
    beats["state"] = "rest"
    spoilt = beats.copy()
    odd = np.arange(50, n, 100)
    spoilt.loc[odd, ["rr", "label"]] = 0.4, "V"
    spoilt.loc[odd + 1, "rr"] = 1.6
    spoilt.loc[3000:, "state"] = "exercise"
    spoilt.loc[3000:, "rr"] = 0.5
    for frame in (beats, spoilt):
        sdnn, amplitude = variability_got(frame)
        assert sdnn == pytest.approx(1e3 * np.sqrt(rsa**2 / 2 + 0.01**2), rel=0.03)
        assert amplitude == pytest.approx(1e3 * rsa, rel=0.03)
    assert np.isnan(variability_got(beats[:8])).all()


def test_a_person_s_record_goes_down_the_library_s_road(run, tmp_path):
    cuff = read(run, "records/virtual-0_cuffs.csv").iloc[0]
    record = capnet.read_record(run.last_line).with_cuff(cuff["sbp"], cuff["dbp"])
    prediction = capnet.predict(capnet.load_model("bilstm-virtual"), record)
    assert prediction.accepted.mean() > 0.5
    given = (f"data.record={run.last_line}", "pretrained=bilstm-virtual")
    levels = f"data.cuff=[{cuff['sbp']},{cuff['dbp']}]"
    road = open_door(
        *("pipeline", "data=wfdb", *given, levels, *PEOPLE, *STEPS),
        folder=tmp_path / "road",
    ).check()
    assert road.last_line == str(road.folder / "report.html")
    frame = pd.read_parquet(road.folder / "predictions.parquet")
    assert frame["csbp"].notna().sum() > 100


# Settings


def test_a_rhythm_is_a_word_or_numbers():
    assert rhythm("usual") == Rhythm()
    assert rhythm("regular") == Rhythm.regular()
    given = {"sdnn": 0.03, "hf": [0.2, 0.3]}
    assert rhythm(given) == dataclasses.replace(Rhythm(), sdnn=0.03, hf=(0.2, 0.3))


def test_each_episode_has_a_name():
    names = ("exercise", "cold_pressor", "vasopressor", "nitroglycerin")
    names += ("standing", "sleep")
    given = [
        {"name": n, "start": 10 * i, "duration": 1500} for i, n in enumerate(names)
    ]
    made = episodes(given, duration=60.0)
    assert [e.name.replace(" ", "_") for e in made] == [*names]
    assert [e.start for e in made] == [0, 10, 20, 30, 40, 50]


def test_a_channel_is_left_out_by_null():
    assert rates({"ecg": 500, "abp": None}) == {"ecg": 500.0}


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        (["duration=long"], "ConfigError", ["duration is 'long'"]),
        (["duration=0", "cuff=null"], "ConfigError", ["0 s"]),
        (["people=0"], "ConfigError", ["people = 0"]),
        (["rates=null"], "ConfigError", ["rates is None", "mapping"]),
        (["~rates.ecg", "~rates.ppg", "~rates.abp"], "ConfigError", ["rates has"]),
        (["rates.ecg=fast"], "ConfigError", ["rates.ecg is 'fast'"]),
        (["rates.ecg=0"], "UnitError", ["0 Hz"]),
        (["+rates.elbow=250"], "ConfigError", ["elbow"]),
        (["rhythm=waltz"], "ConfigError", ["'waltz'", "usual, regular"]),
        (["+rhythm.tempo=3"], "ConfigError", ["tempo", "ectopic_rate"]),
        (["rhythm.sdnn=9"], "ConfigError", ["SDNN 9 s"]),
        (["rhythm.hf=0.3"], "ConfigError", ["rhythm.hf is 0.3", "[low, high]"]),
        (["episodes=[{name: dance}]"], "ConfigError", ["'dance'", "start"]),
        (
            ["episodes=[{name: dance, start: 0, duration: 9}]"],
            "ConfigError",
            ["'dance' is unknown", "exercise"],
        ),
        (
            ["episodes=[{name: sleep, start: 700, duration: 1300}]"],
            "ConfigError",
            ["'sleep' begins at 700 s"],
        ),
        (["sensor=nose"], "ConfigError", ["'nose'", "wrist"]),
        (["sensor=3"], "ConfigError", ["sensor is 3"]),
        (["catheter=spoon"], "ConfigError", ["'spoon'", "fluid_filled"]),
        (["cuff.model=tight"], "ConfigError", ["'tight'"]),
        (["cuff.site=ankle"], "ConfigError", ["'ankle'", "brachial, radial"]),
        (["cuff.every=5"], "ConfigError", ["cuff.every is 5"]),
        (["cuff=often"], "ConfigError", ["cuff is 'often'"]),
        (["rates.abp=50"], "ConfigError", ["50 Hz"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_bad_settings_are_one_clear_line(door, overrides, error, words):
    run = door("record", "people=1", *overrides)
    assert_refused(run, *words, error=error)
