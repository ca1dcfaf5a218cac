"""Put several runs of the same study together: what is left of a gain over seeds.

``python experiments/pipeline.py -m seed=0,1,2`` leaves a run a seed: other weights,
other people with labels, the same people tested.
``python experiments/repeats.py 'runs=[<folder>,<folder>,<folder>]'`` averages them,
with intervals that hold subjects and seeds, and leaves repeats.html and its twin
repeats.report.json.
"""

from dataclasses import replace
from pathlib import Path

import hydra
from omegaconf import DictConfig

from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.evaluation import Evaluation, evaluate, write_report
from capnet.evaluation.audits.trail import PREDICTIONS, TRUTH, load_run
from capnet.evaluation.reports.content import Report
from capnet.evaluation.reports.strata_section import repeats_section
from capnet.evaluation.variation.repeats import Repeated, Repeats, repeats
from capnet.evaluation.wording import between, label, p_value, signed
from capnet.files import sha256_of
from capnet.prediction import DISCLAIMER
from capnet.types import Calibration, ReferenceType
from experiments import build
from experiments.door import console, door, folder, plain
from experiments.results import provenance


@hydra.main(version_base="1.3", config_path="../configs", config_name="repeats")
@door
def main(cfg: DictConfig) -> None:
    """Load the runs, judge each anew, average, write the page."""
    runs = [Path(name) for name in build.words(plain(cfg)["runs"], where="runs")]
    if len({run.resolve() for run in runs}) < max(2, len(runs)):
        msg = f"runs has {len(runs)} folders; wanted two or more different ones."
        raise ConfigError(msg)
    hashes = _hashes(runs)
    judged = _judged(runs, resamples=cfg.resamples, seed=cfg.seed)
    metrics = build.words(plain(cfg)["metrics"], where="metrics")
    found = {
        (c, metric): repeats(evaluations, metric)
        for c, evaluations in judged.items()
        for metric in metrics
        if any(s.values.get(metric) is not None for s in evaluations[0].scores)
    }
    if not found:
        msg = f"no method of these runs answers {', '.join(metrics)}; choose others."
        raise ProtocolError(msg)
    for (calibration, _), result in found.items():
        console.print(f"calibration {calibration}: {result}\n", highlight=False)
    kinds = {e.reference_type for each in judged.values() for e in each}
    print(
        write_report(folder() / "repeats.html", _page(hashes, kinds, found, plain(cfg)))
    )


def _hashes(runs: list[Path]) -> dict[str, str]:
    """Return the hash of what each run left, by number of the run and file.

    Raises:
        RecordError: If one of the folders is not that of a run.
        ConfigError: If two runs left the same predictions: a copy is no repeat.
    """
    found: dict[str, str] = {}
    first: dict[str, Path] = {}
    for i, run in enumerate(runs):
        for name in (PREDICTIONS, TRUTH):
            path = run / name
            if not path.is_file():
                msg = f"{str(run)!r} holds no {name}; wanted the folder of a run."
                raise RecordError(msg)
            found[f"runs[{i}]: {run.name}/{name}"] = sha256_of(path)
        same = first.setdefault(sha256_of(run / PREDICTIONS), run)
        if same != run:
            msg = (
                f"{str(run)!r} has the predictions of {str(same)!r}: a copy is no "
                "repeat. Give runs of other seeds."
            )
            raise ConfigError(msg)
    return found


def _judged(
    runs: list[Path], *, resamples: int, seed: int
) -> dict[Calibration, list[Evaluation]]:
    """Judge every run under the calibrations that all have."""
    loaded = [load_run(run) for run in runs]
    shared = [c for c in loaded[0] if all(c in run for run in loaded)]
    if not shared:
        said = "; ".join(", ".join(run) for run in loaded)
        msg = f"the runs have no calibration in common ({said}); wanted one."
        raise ProtocolError(msg)
    return {
        c: [evaluate(*run[c], resamples=resamples, seed=seed) for run in loaded]
        for c in shared
    }


def _page(
    hashes: dict[str, str],
    kinds: set[ReferenceType],
    found: dict[tuple[Calibration, str], Repeats],
    config: dict[str, object],
) -> Report:
    count = next(iter(found.values())).count
    return Report(
        title="Central arterial pressure: the same study several times",
        subtitle=f"{count} runs. Reference: {', '.join(sorted(kinds))}.",
        verdict=tuple(
            f"Calibration {calibration}: {_line(row)}"
            for (calibration, _), result in found.items()
            for row in result.rows
            if row.against is not None
        ),
        sections=tuple(
            replace(repeats_section(result), title=f"{c}: {label(metric)}")
            for (c, metric), result in found.items()
        ),
        provenance=provenance(config, hashes),
        limits=(
            DISCLAIMER,
            "Runs that differ in training seed and in who had labels test the same "
            "people after the same source, so what another clinic would say is not in "
            "these intervals. What else the runs differ in, their own configurations "
            "tell.",
        ),
        numbers={
            "repeats": [
                {"calibration": c, **result.to_dict()}
                for (c, _), result in found.items()
            ]
        },
    )


def _line(row: Repeated) -> str:
    """Say one difference in words."""
    assert row.against is not None
    said = (
        f"{label(row.metric)} of {row.method[0]} (k = {row.method[1]}) less that of "
        f"{row.against[0]} (k = {row.against[1]}): {signed(row.mean)} "
        f"{between(row.interval)}, {len(row.values)} runs"
    )
    return said if row.p_holm is None else f"{said}, {p_value(row.p_holm)} (Holm)"


if __name__ == "__main__":
    main()
