"""Simulate: defaults, sites, progress, and what a solver cannot do."""

import inspect
import json
import logging
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from capnet.errors import ConfigError, UnitError
from capnet.hemodynamics import simulation
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.simulation import (
    Solver,
    default_sites,
    describe,
    prepare,
    reported,
    simulate,
)
from capnet.hemodynamics.waves import check_sampling_rate
from tests.hemodynamics.people import arteries, network
from tests.hemodynamics.swing import Swing


@dataclass(frozen=True)
class Half:
    """A solver that fails for every other subject."""

    tolerance: float = 1.0

    def solve(self, cohort, sites, *, progress=None):
        spectra = Swing().solve(cohort, sites, progress=progress)
        residual = spectra.residual.copy()
        residual[1::2] = np.nan
        return replace(spectra, residual=residual)


@dataclass(frozen=True)
class Never:
    """A solver that must not be asked."""

    tolerance: float = 1.0

    def solve(self, cohort, sites, *, progress=None):
        pytest.fail("nothing should have been computed")


def test_all_but_people_and_sampling_rate_have_a_default():
    cohort = Cohort.sample(2, seed=0)
    plain = simulate(cohort, sampling_rate=500.0)
    assert plain.sites == tuple(cohort.network.sites)
    assert json.loads(plain.solver)["class"] == "LinearSolver"
    said = simulate(
        cohort,
        solver=LinearSolver(),
        sites=("aortic_root", "radial"),
        sampling_rate=500.0,
        progress=None,
    )
    np.testing.assert_allclose(said.pressure("radial"), plain.pressure("radial"))


def test_a_solver_is_what_solves_and_has_a_tolerance():
    assert isinstance(LinearSolver(), Solver)
    assert isinstance(Swing(), Solver)
    assert not isinstance(object(), Solver)


def test_settings_that_change_nothing_are_not_told():
    @dataclass(frozen=True)
    class Quick(Swing):
        threads: int = field(default=2, metadata={"content": False})

    assert json.loads(describe(Quick())) == {"class": "Quick", "tolerance": 1.0}


def test_a_network_without_named_sites_is_seen_everywhere():
    tree = network([1, 2, 2], [2, 3, 4])
    wanted = ("artery 1@0", "artery 1@0.5", "artery 2@0.5", "artery 3@0.5")
    assert default_sites(tree) == wanted
    bodies = arteries(tree)
    cohort = Cohort(np.zeros(1, np.int64), np.full(1, np.nan), {}, bodies=bodies)
    waves = simulate(cohort, LinearSolver(harmonics=5), sampling_rate=500.0)
    assert waves.sites == wanted
    assert waves.converged.all()
    with pytest.raises(ConfigError, match="'radial'"):
        simulate(cohort, Never(), sites=["radial"], sampling_rate=500.0)


@pytest.mark.parametrize("sites", [["aortic_root", "elbow"], []])
def test_an_unknown_site_is_refused_before_anything_is_computed(sites):
    with pytest.raises(ConfigError, match="radial"):
        simulate(Cohort.sample(2, seed=0), Never(), sites=sites, sampling_rate=500.0)


@pytest.mark.parametrize("rate", [0.0, -500.0, np.nan, np.inf])
def test_an_impossible_sampling_rate_is_refused_before_anything_is_computed(rate):
    with pytest.raises(UnitError, match="wanted a positive number"):
        simulate(Cohort.sample(2, seed=0), Never(), sampling_rate=rate)


def test_a_sampling_rate_in_words_is_refused():
    with pytest.raises(UnitError, match="'500' Hz; wanted a positive number"):
        check_sampling_rate("500")


@pytest.mark.parametrize(
    ("solver", "said"),
    [(LinearSolver, "the class LinearSolver; wanted an"), ("linear", "is 'linear'")],
)
def test_what_is_no_solver_is_refused(solver, said):
    """The type checker of the tests would refuse it first."""
    bare = inspect.unwrap(prepare)
    with pytest.raises(ConfigError, match=said):
        bare(Cohort.sample(2, seed=0), solver, None, 500.0)


def test_each_cause_is_told_once(caplog):
    @dataclass(frozen=True)
    class Stopping(Half):
        settles: bool = False

        def solve(self, cohort, sites, *, progress=None):
            spectra = super().solve(cohort, sites, progress=progress)
            return replace(spectra, residual=spectra.residual + 7.0)

    with caplog.at_level(logging.WARNING):
        waves = simulate(Cohort.sample(5, seed=0), Stopping(), sampling_rate=500.0)
    assert not waves.settles
    assert not waves.converged.any()
    assert waves.failed.tolist() == [False, True, False, True, False]
    stopped, failed = caplog.messages
    assert stopped.startswith("3 of 5 subjects did not converge")
    assert "protocol stops at 6.5 s, settled or not" in stopped
    assert failed.startswith("2 of 5 subjects did not converge")


def test_who_failed_is_told(caplog):
    cohort = Cohort.sample(5, seed=0).take(np.array([0, 4, 2, 1]))
    with caplog.at_level(logging.WARNING):
        waves = simulate(cohort, Half(), sampling_rate=500.0)
    assert waves.converged.tolist() == [True, False, True, False]
    (line,) = caplog.messages
    assert line.startswith("2 of 4 subjects did not converge")
    assert "subject 4: the solver gave no finite wave" in line
    caplog.clear()
    simulate(cohort, Swing(), sampling_rate=500.0)
    assert caplog.messages == []


def test_progress_is_called_until_all_are_done():
    seen = []
    simulate(
        Cohort.sample(5, seed=0),
        solver=LinearSolver(batch_size=2),
        sites=["radial"],
        progress=lambda done, total: seen.append((done, total)),
        sampling_rate=500.0,
    )
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def test_a_bar_comes_on_a_terminal_for_long_jobs_alone(monkeypatch, capsys):
    monkeypatch.setattr(simulation.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with reported("simulating", None) as report:
        report(1, 9)
        report(9, 9)
    assert "simulating" not in capsys.readouterr().err
    monkeypatch.setattr(simulation, "_PATIENCE", -1.0)
    monkeypatch.setattr(simulation.sys.stderr, "isatty", lambda: True)
    with reported("simulating", None) as report:
        report(1, 9)
        report(9, 9)
    assert "simulating" in capsys.readouterr().err


def test_no_bar_without_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(simulation, "_PATIENCE", -1.0)
    with reported("simulating", None) as report:
        report(1, 2)
    assert capsys.readouterr().err == ""


def test_a_callback_stands_in_for_the_bar(monkeypatch):
    monkeypatch.setattr(simulation.sys.stderr, "isatty", lambda: True)
    seen = []
    own = lambda done, total: seen.append(done)
    with reported("simulating", own) as report:
        report(3, 4)
    assert seen == [3]
    assert inspect.signature(simulate).parameters["progress"].default is None
