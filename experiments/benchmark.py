"""The frozen benchmark capnet-cap-v1, made from nothing, and its floors.

``python experiments/benchmark.py`` simulates the source and two target clinics, splits
them, draws labels, writes manifest.json with a hash of everything, judges the floors in
the source and under shift, and prints the bars, the clinic that is reported on and the
limit of the cuff. Everything else is left in benchmark.json, floors.csv, table.md,
splits.json, report.html, pictures, and the beats to train on
(beats/<clinic>/beats_*.npz).

``open=locked`` judges on the locked clinic too. A release does so once: what it saw
goes into a log beside the frozen manifest before it is shown
(`capnet.data.openings` says what that cannot prevent).
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import hydra
from omegaconf import DictConfig

import capnet
from capnet.data.openings import check_unopened, log_opening
from capnet.data.stores.table import save_beats
from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.evaluation import benchmark_report, repeats, shift_table, write_report
from capnet.evaluation.judgement import Judgement, judge_evaluation
from capnet.evaluation.statistics.bootstrap import draw_subjects
from capnet.files import write_atomic
from capnet.hemodynamics import Clinic
from capnet.models.limit import CuffLimit
from capnet.models.zoo import load_model
from capnet.prediction import DISCLAIMER
from capnet.types import Calibration
from experiments import build
from experiments.contest import (
    Bar,
    Judged,
    bars,
    by_draw,
    by_labels,
    contest,
    limit,
)
from experiments.domains import (
    FORMAT,
    Source,
    Target,
    check_apart,
    described,
    differences,
    manifest,
    manifest_hash,
    source_of,
    target_of,
    who,
)
from experiments.door import console, door, folder, plain
from experiments.results import peak_memory, provenance, save_json
from experiments.scoreboard import (
    added_lines,
    bars_table,
    floors_frame,
    limit_line,
    markdown,
    shift_figure,
    summary_table,
)
from experiments.stages import beats_file

_ROOT: Final = Path(__file__).resolve().parents[1]
_REPORTED: Final = 1
"""Of the targets: dev, test and, when it is opened, locked."""

_log = logging.getLogger(__name__)

Results = dict[tuple[str, Calibration], Judged]
Limits = dict[tuple[str, Calibration], CuffLimit]


def _place(value: object, where: str) -> Path:
    """Return a path; relative ones are of the repository, wherever one stands."""
    if not isinstance(value, str) or not value:
        msg = f"{where} is {value!r}; wanted a path."
        raise ConfigError(msg)
    return _ROOT / value


def _checked(cfg: Mapping[str, Any]) -> list[Calibration]:
    """Refuse impossible settings before minutes of work; return the calibrations."""
    known: tuple[Calibration, ...] = ("exact", "cuff SBP/DBP")
    named = build.words(cfg["calibrations"], where="calibrations")
    if "exact" not in named or not {*named} <= {*known}:
        msg = (
            f"calibrations is {named}; wanted some of {', '.join(known)}, exact among "
            "them, for the bars."
        )
        raise ConfigError(msg)
    for group in ("pool", "unlabelled"):
        build.whole(cfg["split"][group], least=1, where=f"split.{group}")
    shots, pool = cfg["shots"], cfg["split"]["pool"]
    if not isinstance(shots, list) or not shots:
        msg = f"shots is {shots!r}; wanted a list of numbers of people: [5, 10]."
        raise ConfigError(msg)
    if max(build.whole(k, least=1, where="shots") for k in shots) > pool:
        msg = f"shots is {shots}; the pool has {pool} people (split.pool)."
        raise ConfigError(msg)
    build.whole(cfg["draws"], least=1, where="draws")
    build.flag(cfg["save_beats"], where="save_beats")
    build.check_number(cfg["held_out"], float, where="held_out")
    if not 0 < cfg["held_out"] < 1:
        msg = f"held_out is {cfg['held_out']}; wanted a share of the source, 0 to 1."
        raise ConfigError(msg)
    return [c for c in known if c in named]


def _frozen(cfg: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the frozen manifest, None where there is none."""
    if cfg["frozen"] is None:
        return None
    path = _place(cfg["frozen"], "frozen")
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kind, said, held = found["format"], found["hash"], manifest_hash(found)
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is no manifest ({error}); wanted one left by benchmark.py."
        raise RecordError(msg) from error
    if kind != FORMAT or said != held:
        msg = (
            f"{path} is of format {kind!r} and says its hash is {said}, but its "
            f"content has {held}; wanted {FORMAT!r} as benchmark.py left it. Restore "
            "the file."
        )
        raise RecordError(msg)
    return dict(found)


def _log_of(frozen: object) -> Path:
    """Return where openings are logged: beside the manifest they belong to."""
    return _place(frozen, "frozen").with_suffix(".opened.jsonl")


def _check_opening(
    cfg: Mapping[str, Any], frozen: Mapping[str, Any] | None, locked: Clinic
) -> None:
    """Refuse to open the locked clinic twice, or another than the frozen one."""
    if cfg["open"] is None:
        return
    if cfg["open"] != "locked":
        msg = f"open is {cfg['open']!r}; wanted null or locked."
        raise ConfigError(msg)
    if frozen is None:
        msg = (
            f"there is no frozen manifest at {cfg['frozen']!r}; the locked clinic is "
            "opened for the frozen benchmark alone. Freeze first: keep the "
            "manifest.json of a run as frozen=<path>."
        )
        raise ProtocolError(msg)
    if frozen["locked"]["settings"] != locked.hash():
        msg = (
            f"the locked clinic is {locked.hash()}; frozen was "
            f"{frozen['locked']['settings']}. Give its settings back (locked.*)."
        )
        raise ProtocolError(msg)
    check_unopened(_log_of(cfg["frozen"]), capnet.__version__)


def compared(found: Mapping[str, Any], frozen: Mapping[str, Any] | None) -> list[str]:
    """Say whether this run is the frozen benchmark."""
    if frozen is None:
        return [f"manifest {found['hash'][:16]}, compared with none: no frozen one"]
    apart = [*differences(found, frozen)]
    if not apart:
        return [f"manifest {found['hash'][:16]}: identical to the frozen one"]
    return [
        f"manifest {found['hash'][:16]} DIFFERS from the frozen "
        f"{frozen['hash'][:16]} in {len(apart)} places:",
        *(f"  {where}" for where in apart[:12]),
    ]


def _check_frozen(said: Mapping[str, Any], frozen: Mapping[str, Any] | None) -> None:
    """Refuse to open the locked clinic beside another benchmark than the frozen one."""
    apart = [*differences(said, frozen)]
    if apart:
        msg = (
            f"this run differs from the frozen benchmark in {len(apart)} places "
            f"({apart[0]} is one, see manifest.json), so the locked clinic stays "
            "closed. Run it with the settings that were frozen."
        )
        raise ProtocolError(msg)


def _log_locked(
    cfg: Mapping[str, Any],
    target: Target,
    results: Results,
    said: Mapping[str, Any],
) -> None:
    """Write down that the locked clinic was opened, and what will be shown of it."""
    seen = {
        c: [
            [s.method, s.k, s.values["wave_rmse"], s.values["sbp_rmse"]]
            for s in judged.away.scores
        ]
        for (name, c), judged in results.items()
        if name == target.clinic.name
    }
    entry = {
        "version": capnet.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "clinic": target.clinic.hash(),
        "manifest": said["hash"],
        "content": described(target)[0],
        "models": cfg["models"],
        "columns": ["method", "k", "wave RMSE", "SBP RMSE"],
        "shown": seen,
    }
    log_opening(_log_of(cfg["frozen"]), entry)


def _leave(
    out: Path,
    targets: Sequence[Target],
    results: Results,
    limits: Limits,
    held: Sequence[Bar],
    *,
    notes: dict[str, Any],
) -> Path:
    """Write everything that is shown, and more."""
    import pandas as pd

    made = provenance(notes.pop("config"), notes)
    numbers = [
        {
            "clinic": name,
            "calibration": c,
            "in_domain": j.home.to_dict(),
            "under_shift": j.away.to_dict(),
            "limit_of_the_cuff": limits[name, c]._asdict(),
            "by_labels": json.loads(by_labels(j.few).to_json(orient="records")),
        }
        for (name, c), j in results.items()
    ]
    said = {
        "what": f"{FORMAT}: floors on virtual people. {DISCLAIMER}",
        "bars": [bar._asdict() for bar in held],
        "results": numbers,
        "provenance": made,
    }
    save_json(said, out / "benchmark.json")
    save_json({t.clinic.name: who(t) for t in targets}, out / "splits.json")
    frames = [floors_frame(name, j) for (name, _), j in results.items()]
    table = pd.concat(frames, ignore_index=True)
    write_atomic(out / "floors.csv", table.to_csv(index=False).encode())
    write_atomic(out / "table.md", markdown(results, limits, held).encode())
    for target in targets:
        name = target.clinic.name
        of = {c: j for (n, c), j in results.items() if n == name}
        marks = {c: limits[name, c] for c in of}
        shift_figure(name, of, marks).savefig(out / f"shift_{name}.png", dpi=130)
    shown: dict[str, Judgement] = {
        c: _closely(j) for (n, c), j in results.items() if n == _reported(targets)
    }
    return write_report(out / "report.html", benchmark_report(shown, made))


def _closely(judged: Judged) -> Judgement:
    """Put home beside away, and what k labels give over the draws of them."""
    away = judged.away
    draws = by_draw(judged.few, resamples=away.resamples)
    return judge_evaluation(
        away, shift=shift_table(judged.home, away), repeats=repeats(draws)
    )


def _reported(targets: Sequence[Target]) -> str:
    """Return the name of the clinic that bars are about."""
    return targets[_REPORTED].clinic.name


def _keep_beats(out: Path, source: Source, targets: Sequence[Target]) -> None:
    """Leave beats as observe.py does, so that the other doors can eat them."""
    for c, train in source.train.items():
        home = out / "beats" / source.clinic.name
        save_beats(train, home / beats_file(c))
        save_beats(source.held_out[c], home / f"held_out_{beats_file(c)}")
    for target in targets:
        for c, beats in target.beats.items():
            save_beats(beats, out / "beats" / target.clinic.name / beats_file(c))


def _show(
    targets: Sequence[Target], results: Results, limits: Limits, held: Sequence[Bar]
) -> None:
    """Print the bars and the clinics that are reported on; the rest is in files."""
    console.print(bars_table(held))
    for target in targets[_REPORTED:]:
        name = target.clinic.name
        of = {c: judged for (n, c), judged in results.items() if n == name}
        console.print(summary_table(name, of, {c: limits[name, c] for c in of}))
        for c, judged in of.items():
            _say(f"calibration {c}:", limit_line(limits[name, c]))
            _say(*(f"  {line}" for line in added_lines(judged.away.comparisons)))


def _say(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)


@hydra.main(version_base="1.3", config_path="../configs", config_name="benchmark")
@door
def main(cfg: DictConfig) -> None:
    """Make the benchmark, judge the floors, show them."""
    begun = time.monotonic()
    given = plain(cfg)
    calibrations = _checked(given)
    draw_subjects(1, resamples=cfg.resamples, seed=cfg.seed)  # refuses too few
    clinics = {n: build.clinic(given[n]) for n in ("source", "dev", "test")}
    clinics["locked"] = build.clinic(given["locked"], opening=True)
    check_apart([*clinics.values()])
    frozen = _frozen(given)
    _check_opening(given, frozen, clinics["locked"])
    models = [load_model(name) for name in build.words(given["models"], where="models")]
    source = source_of(
        clinics["source"],
        calibrations,
        held_out=cfg.held_out,
        seed=given["split"]["seed"],
        show=cfg.progress,
    )
    made = partial(
        target_of,
        calibrations=calibrations,
        split=given["split"],
        shots=given["shots"],
        draws=given["draws"],
        show=cfg.progress,
    )
    public = [made(clinics["dev"]), made(clinics["test"])]
    out = folder()
    said = manifest(source, public, locked=clinics["locked"])
    save_json(said, out / "manifest.json")
    targets = [*public]
    if given["open"] is not None:
        _check_frozen(said, frozen)
        targets.append(made(clinics["locked"]))
    results = contest(
        source, targets, calibrations, models, resamples=cfg.resamples, seed=cfg.seed
    )
    names = {t.clinic.name: t for t in targets}
    limits = {(name, c): limit(names[name], c) for name, c in results}
    held = bars(results[_reported(targets), "exact"])
    if given["open"] is not None:
        _log_locked(given, targets[-1], results, said)  # before any number is seen
    if given["save_beats"]:
        _keep_beats(out, source, public)
    seconds = time.monotonic() - begun
    notes = {"manifest": said["hash"], "seconds": round(seconds, 1), "config": given}
    report = _leave(out, targets, results, limits, held, notes=notes)
    _show(targets, results, limits, held)
    _say(*compared(said, frozen))
    _say(
        f"all clinics, metrics and k: {out / 'table.md'}; intervals: floors.csv; "
        "hashes: manifest.json; who: splits.json"
    )
    _log.info("done in %.0f s, peak %.2f GiB", seconds, peak_memory())
    print(report)


if __name__ == "__main__":
    main()
