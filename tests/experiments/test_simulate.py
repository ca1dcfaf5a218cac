"""The door of virtual people: what it leaves, and what it says of whom it left out."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from capnet.hemodynamics import (
    Cohort,
    LinearSolver,
    Population,
    Waves,
    simulate,
)
from capnet.hemodynamics.targets import mceniery_2005
from capnet.units import MMHG
from experiments.ages import by_decade, printed, summary, waves_by_age
from experiments.simulate import left_out
from tests.experiments.conftest import assert_refused, open_door
from tests.hemodynamics.people import arteries, network, textbook

HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("simulate")
    some = ("cohort.n=60", "cohort.population=pwdb", "solver=linear")
    return open_door("simulate", *some, folder=home / "run")


@pytest.fixture(scope="module")
def everyone():
    """The same people, all of them."""
    cohort = Cohort.sample(60, seed=0, population=Population())
    return simulate(cohort, LinearSolver(), sampling_rate=500.0)


def rows_of(run, name="summary.csv"):
    return [*csv.DictReader((run.folder / name).read_text("utf-8").splitlines())]


def test_it_leaves_people_waves_figure_and_table(run, everyone):
    run.check()
    assert run.files == HYDRA | {
        *("cohort.npz", "waves.nc", "waves.png", "simulate.log"),
        *("summary.csv", "summary.json", "dropped.csv"),
    }
    assert run.last_line == str(run.folder / "waves.nc")
    kept = Waves.load(run.last_line)
    plausible = everyone.plausible()
    wanted = everyone.take(plausible.kept)
    np.testing.assert_allclose(kept.spectra.pressure, wanted.spectra.pressure)
    people = Cohort.load(run.folder / "cohort.npz")
    np.testing.assert_array_equal(people.index, wanted.cohort.index)
    assert len(kept.sites) == 6


def test_it_says_who_was_left_out_and_why(run, everyone):
    plausible = everyone.plausible()
    assert plausible.dropped  # or nothing is tested here
    log = (run.folder / "simulate.log").read_text("utf-8")
    assert f"kept {int(plausible.kept.sum())} of 60 people" in log
    for reason, count in plausible.dropped.items():
        assert f"left out {count}: {reason}" in log
    dropped = rows_of(run, "dropped.csv")
    assert [int(row["index"]) for row in dropped] == [*np.flatnonzero(~plausible.kept)]
    assert {row["reason"] for row in dropped} == set(plausible.dropped)
    assert {row["converged"] for row in dropped} == {"True"}
    assert all(float(row["residual"]) < 0.1 for row in dropped)
    said = json.loads((run.folder / "summary.json").read_text("utf-8"))
    assert said["left_out"] == plausible.dropped


def test_the_table_is_of_the_people_that_stayed(run):
    kept = Waves.load(run.last_line)
    rows = {(row["age"], row["quantity"]): row for row in rows_of(run)}
    sbp, decade = kept.systolic("brachial"), kept.cohort.age // 10 * 10
    for first in np.unique(decade):
        row = rows[f"{first:.0f}-{first + 9:.0f}", "brachial SBP"]
        assert int(row["n"]) == (decade == first).sum()
        assert float(row["mean"]) == pytest.approx(sbp[decade == first].mean())
        known = mceniery_2005()["brachial_sbp"].of_decade(int(first))
        assert float(row["reference_mean"]) == known[0]
        assert row["reference"] == "McEniery 2005"
    quantities = {quantity for _, quantity in rows}
    assert {"aortic SBP", "aortic PP", "PP amplification", "AIx", "cfPWV"} <= quantities
    assert {f"form factor {s}" for s in ("aortic", "brachial", "radial")} <= quantities
    said = json.loads((run.folder / "summary.json").read_text("utf-8"))
    assert len(said["rows"]) == len(rows)
    assert "transfer function" in said["references"]["McEniery 2005"]


def test_the_terminal_shows_it_with_its_source(run):
    shown = " ".join(run.out.split())
    for word in ("brachial SBP", "AIx", "transfer function", "not a medical device"):
        assert word in shown


def test_a_run_can_be_repeated_and_another_seed_gives_others(run, tmp_path):
    small = ("cohort.n=8", "plausible=false", "sites=[radial]")
    a, b, c = (
        open_door("simulate", *small, seed, folder=tmp_path / name).check()
        for name, seed in (("a", "seed=0"), ("b", "seed=0"), ("c", "seed=1"))
    )
    one, same, other = (Waves.load(r.last_line) for r in (a, b, c))
    np.testing.assert_array_equal(one.spectra.pressure, same.spectra.pressure)
    assert not np.array_equal(one.cohort.age, other.cohort.age)
    assert one.sites == ("radial",)
    assert "dropped.csv" not in a.files


def test_what_needs_other_sites_is_said(tmp_path):
    given = ("cohort.n=4", "sites=[radial]")
    run = open_door("simulate", *given, folder=tmp_path / "run").check()
    log = (run.folder / "simulate.log").read_text("utf-8")
    assert "nobody was held against what is plausible" in log
    assert "kept 4 of 4 people" in log


@pytest.mark.data
def test_people_of_the_pulse_wave_database(shared_data, tmp_path):
    given = ("cohort=pwdb", f"cohort.folder={shared_data / 'pwdb'}")
    subjects = ("cohort.subjects=[1,6]", "solver.settings.harmonics=12")
    run = open_door("simulate", *given, *subjects, folder=tmp_path / "run").check()
    waves = Waves.load(run.last_line)
    assert waves.cohort.index.tolist() == [1, 6]
    assert {row["age"] for row in rows_of(run)} == {"20-29", "70-79"}


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        (["cohort.n=0"], "ConfigError", ["cohort.n = 0"]),
        (["cohort.n=many"], "ConfigError", ["cohort.n is 'many'"]),
        (["cohort.population=young"], "ConfigError", ["'young'", "older_clinic"]),
        (["cohort=pwdb"], "ConfigError", ["folder"]),
        (
            ["cohort=pwdb", "cohort.folder=nowhere"],
            "RecordError",
            ["nowhere"],
        ),
        (["cohort=yaml", "cohort.path=nowhere.yaml"], "RecordError", ["nowhere.yaml"]),
        (["solver.kind=magic"], "ConfigError", ["'magic'", "linear, nonlinear"]),
        (["solver.settings.harmonics=0"], "ConfigError", ["harmonics is 0"]),
        (["sites=[elbow]"], "ConfigError", ["elbow", "radial"]),
        (["sites=radial"], "ConfigError", ["sites is 'radial'", "a list"]),
        (["sampling_rate=0"], "UnitError", ["0 Hz", "positive"]),
        (["sampling_rate=fast"], "ConfigError", ["sampling_rate is 'fast'"]),
        (["plausible=maybe"], "ConfigError", ["plausible is 'maybe'"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_bad_settings_stop_before_any_work(door, overrides, error, words):
    """Nobody could simulate a million people in the time that this takes."""
    people = [] if "cohort" in overrides[0] else ["cohort.n=1000000"]
    assert_refused(door("simulate", *people, *overrides), *words, error=error)


def test_a_protocol_that_stops_early_keeps_whoever_has_waves(everyone):
    residual = everyone.spectra.residual.copy()
    residual[::2], residual[1] = 1e3, np.nan
    spectra = replace(everyone.spectra, residual=residual)
    stopped = replace(everyone, spectra=spectra, settles=False)
    assert np.flatnonzero(left_out(stopped, plausible=False) != "").tolist() == [1]
    strict = left_out(replace(stopped, settles=True), plausible=False)
    assert (strict != "").sum() == 31
    kept = stopped.take(left_out(stopped, plausible=False) == "")
    frame = summary(kept).drop_duplicates("age")
    assert frame["people"].sum() == 59
    assert frame["converged"].sum() == 29
    assert frame["residual"].max() == pytest.approx(1e3 / MMHG)


# The table and the figure


def test_a_decade_is_held_against_the_people_of_that_decade():
    frame = summary(simulate(textbook(), LinearSolver(), sampling_rate=500.0))
    aix = frame[frame["quantity"] == "AIx"].set_index("age")
    assert aix["reference_mean"].tolist() == [2, 12, 19, 24, 28, 30]
    speed = frame[frame["quantity"] == "cfPWV"].set_index("age")
    np.testing.assert_allclose(speed["mean"], speed["reference_mean"], rtol=0.06)
    assert set(speed["reference"]) == {"Mattace-Raso 2010"}
    assert (frame.loc[frame["quantity"] == "PP amplification", "n"] == 1).all()


def test_people_of_unknown_age_stand_together():
    tree = network([1, 2, 2], [2, 3, 4])
    bodies = arteries(tree)
    cohort = Cohort(np.zeros(1, np.int64), np.full(1, np.nan), {}, bodies=bodies)
    waves = simulate(cohort, LinearSolver(harmonics=4), sampling_rate=500.0)
    assert [decade for decade, _ in by_decade(waves)] == ["unknown"]
    frame = summary(waves)
    assert frame["reference_mean"].isna().all()
    assert "artery 1@0 SBP" in set(frame["quantity"])
    assert printed(frame).row_count == 2 * len(waves.sites)
    assert len(waves_by_age(waves).axes) == 6  # four tubes in two rows of three


def test_the_older_the_brighter():
    waves = simulate(textbook(), LinearSolver(), ["radial"], sampling_rate=500.0)
    lines = waves_by_age(waves).axes[0].get_lines()
    red, green, blue = np.array([to_rgb(line.get_color()) for line in lines]).T
    assert (np.diff(0.2126 * red + 0.7152 * green + 0.0722 * blue) > 0).all()


def test_what_cannot_be_read_is_a_dash():
    frame = summary(
        simulate(
            textbook((30.0,)), LinearSolver(), ["aortic_root"], sampling_rate=500.0
        )
    )
    frame.loc[frame["quantity"] == "AIx", ["n", "mean", "sd"]] = [0, math.nan, math.nan]
    table = printed(frame)
    cells = dict(zip(*(column.cells for column in table.columns), strict=True))
    assert cells["AIx, %"] == "-"
    assert "cfPWV, m/s" not in cells
