"""Show one person of a run on one page; no diagnosis.

``python experiments/report.py run=<folder of a run> case=<subject>`` leaves case.html
and case.report.json: waves, estimates with intervals beside the truth where there is
one, change against measurement error, age and sex centile, whether a new reading is
due. ``method=`` and ``k=`` choose whose answer.
"""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from capnet.errors import ConfigError, RecordError
from capnet.evaluation import write_report
from capnet.evaluation.audits.trail import TRUTH, load_run
from capnet.evaluation.cases.case_of import case_of
from capnet.evaluation.cases.shown import shown_row
from capnet.evaluation.reports.case_report import case_report
from capnet.evaluation.truth import Truth
from capnet.files import sha256_of
from capnet.prediction import Prediction
from capnet.records import Beats
from experiments.answers import load_answers
from experiments.door import console, door, folder
from experiments.results import provenance


@hydra.main(version_base="1.3", config_path="../configs", config_name="report")
@door
def main(cfg: DictConfig) -> None:
    """Load a run, choose a row and a person, write the page."""
    where = Path(str(cfg.run))
    if not where.is_dir():
        msg = f"run is {str(cfg.run)!r}: no such folder. Give that of a run."
        raise RecordError(msg)
    predictions, people = asked(where, cfg)
    k = None if OmegaConf.is_missing(cfg, "k") else int(cfg.k)
    row = shown_row(predictions, people, method=cfg.method, k=k)
    case = case_of(row, people, _typed(str(cfg.case)))
    files = [p for p in sorted(where.glob("*.parquet")) if p.is_file()]
    made = provenance(
        {"case": case.subject, "method": row.method, "k": row.k},
        {f"{path.name}_sha256": sha256_of(path) for path in files},
    )
    console.print(str(case))
    print(write_report(folder() / "case.html", case_report(case, made)))


def _typed(case: str) -> str:
    """Return the subject as typed on the command line, where it was.

    Hydra reads 3000003_0012 as a number, and loses what stands in it.
    """
    for word in HydraConfig.get().overrides.task:
        key, _, value = word.partition("=")
        if key == "case":
            return value.strip("'\"")
    return case


def asked(where: Path, cfg: DictConfig) -> tuple[list[Prediction], Beats | Truth]:
    """Return the answers of a run, and the people, with their truth where it is known.

    Raises:
        ConfigError: If the run has no such calibration or site, or knows of none.
        RecordError: If the run left no answers.
    """
    known = (where / TRUTH).is_file()
    # With a truth everybody has one site; without one there is one calibration.
    for name, fits in (("site", not known), ("calibration", known)):
        if cfg[name] is not None and not fits:
            msg = (
                f"{name} is {cfg[name]!r}, but this run is one "
                f"{'with' if known else 'without'} a truth and has no choice of it. "
                "Leave it out."
            )
            raise ConfigError(msg)
    if not known:
        return load_answers(where, cfg.site)
    found = load_run(where)
    wanted = cfg.calibration
    if wanted is not None and wanted not in found:
        msg = f"calibration is {wanted!r}; the run has {', '.join(map(repr, found))}."
        raise ConfigError(msg)
    real = (c for c in found if c != "exact")
    return found[wanted or next(real, next(iter(found)))]


if __name__ == "__main__":
    main()
