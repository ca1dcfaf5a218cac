"""The frozen clinics, for the parts of the judge's benchmark that need them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from hydra import compose, initialize_config_dir

from capnet.data.frozen import split_by_number
from capnet.hemodynamics import Clinic
from capnet.hemodynamics.visits import Visit
from capnet.records import Beats
from capnet.types import Calibration, CuffSite
from experiments import build
from experiments.door import plain

__all__ = ["clinic", "people_of", "source_beats", "target"]

_CONFIGS: Final = Path(__file__).resolve().parents[1] / "configs"


@lru_cache(maxsize=1)
def _benchmark() -> dict[str, Any]:
    with initialize_config_dir(config_dir=str(_CONFIGS), version_base="1.3"):
        return dict(plain(compose(config_name="benchmark")))


def clinic(name: str) -> Clinic:
    """Build a clinic of the frozen benchmark: source, dev or test."""
    return build.clinic(_benchmark()[name])


@lru_cache(maxsize=4)
def _visited(name: str, n: int) -> tuple[Clinic, Visit]:
    one = replace(clinic(name), n=n)
    return one, one.simulate()


def target(name: str, *, share: float, calibration: Calibration) -> Beats:
    """Return the beats of the test people of a target clinic.

    Args:
        name: ``dev`` or ``test``.
        share: Of the clinic's people; below 1 no split is made and all are judged.
        calibration: Of the beats.
    """
    n = clinic(name).n if share >= 1.0 else max(200, round(clinic(name).n * share))
    one, visit = _visited(name, n)
    beats = one.observe(visit, calibration=calibration, cuff_site="brachial", draw=0)
    if share < 1.0:
        return beats
    return beats.of(split_by_number(beats, **_benchmark()["split"], name=name).test)


def people_of(one: Clinic, *, seed: int, n: int, name: str, draws: int = 3) -> Beats:
    """Return people drawn as those of a clinic, other ones, seen several times.

    Args:
        one: Whose settings.
        seed: Of the people.
        n: How many are drawn.
        name: What they are called.
        draws: Of sensor and reading, which is exact; the last is taken at the wrist.
    """
    other = replace(one, seed=seed, n=n, name=name)
    visit = other.simulate()
    sites: list[CuffSite] = ["brachial"] * (draws - 1) + ["radial"]
    seen = [
        other.observe(visit, calibration="exact", cuff_site=site, draw=draw)
        for draw, site in enumerate(sites)
    ]
    return Beats.concatenate(seen).replace(raw=None, start=None, stop=None)


@lru_cache(maxsize=1)
def source_beats() -> Beats:
    """Return the beats of the source's own people, calibrated exactly."""
    one = clinic("source")
    visit = one.simulate()
    return one.observe(visit, calibration="exact", cuff_site="brachial", draw=0)
