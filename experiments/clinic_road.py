"""The road of a clinic that somebody brings: check, adapt, judge or estimate."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from capnet.adaptation.strategies import Shots
from capnet.data.clinic.checkup import Checkup, check_clinic
from capnet.data.clinic.manifest import ClinicSettings
from capnet.data.splits import FewShotSplit
from capnet.errors import ConfigError, RecordError
from capnet.evaluation import (
    predictions_frame,
    print_evaluation,
    write_report,
)
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.reports.clinic_report import (
    ClinicNotes,
    clinic_report,
    with_clinic,
)
from capnet.evaluation.statistics.bootstrap import MIN_SUBJECTS, draw_subjects
from capnet.export import export_folder
from capnet.files import sha256_of, write_atomic
from capnet.models.central import CentralPressureModel
from capnet.models.checkpoint import save_model
from capnet.models.estimator import answerable
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import CuffSite
from experiments import build
from experiments.answers import leave_answers
from experiments.beside import (
    aligned,
    at_home,
    audited,
    reproduced,
    with_intervals,
)
from experiments.door import advance, console, folder, plain
from experiments.judging import Source, judge, said
from experiments.real import estimates, matching, pretrained
from experiments.results import (
    leave_benchmark,
    provenance,
    save_frame,
    save_json,
)
from experiments.stages import floors

__all__ = ["clinic_road", "clinic_split"]

_log = logging.getLogger(__name__)

LEAST_POOL: Final = 3
"""People who may give labels: of fewer, an affine correction fits their noise."""

LEAST_UNLABELLED: Final = 2
"""People without labels, between whom and the source a divergence is defined."""

LEAST: Final = LEAST_POOL + LEAST_UNLABELLED + MIN_SUBJECTS
"""People with a reference: the pool, those without labels, those held out."""


def clinic_split(
    beats: Beats, *, pool: float, unlabelled: float, seed: int
) -> FewShotSplit:
    """Split a clinic, small as it is, by subject.

    The shares are of those who have a beat with an answer and a reference; who has
    none can still serve without a label.

    Args:
        beats: Of everybody, with references.
        pool: Share whose labels may be drawn; at least `LEAST_POOL` people.
        unlabelled: Share whose inputs alone are seen; at least `LEAST_UNLABELLED`, and
            fewer than the share where they are wanted to be held out.
        seed: Of the permutation.

    Raises:
        ConfigError: If too few have a reference.
    """
    usable = answerable(beats)
    known = usable & np.isfinite(np.asarray(beats.reference)).all(axis=1)
    ready = np.unique(beats.subject[known])
    others = np.setdiff1d(beats.subject[usable], ready)
    people = np.random.default_rng(seed).permutation(ready)
    first = max(LEAST_POOL, round(pool * len(people)))
    spared = len(people) - first - MIN_SUBJECTS
    wanted = max(LEAST_UNLABELLED, round(unlabelled * len(people)))
    second = first + min(wanted, spared)
    if spared < LEAST_UNLABELLED:
        msg = (
            f"{len(people)} of {len(beats.subjects)} people have accepted and "
            f"calibrated beats with a reference; wanted at least {LEAST} "
            f"({LEAST_POOL} who give labels, {LEAST_UNLABELLED} without, "
            f"{MIN_SUBJECTS} held out, fewer of which give no interval) and a share "
            "split.pool that leaves as many. Add people, or say reference_type 'none' "
            "in clinic.json for estimates without errors."
        )
        raise ConfigError(msg)
    without = np.concatenate([people[first:second], others])
    return FewShotSplit(people[:first], without, people[second:])


def checked(root: Path, *, show: bool | None) -> Checkup:
    """Look at the folder; errors stop the road.

    Raises:
        RecordError: The message lists all errors.
    """
    with advance("looking at the recordings", show=show) as bar:
        checkup = check_clinic(root, progress=bar)
    for warning in checkup.warnings:
        _log.warning("%s", warning)
    if checkup.errors:
        told = " ".join(f"({i}) {p}" for i, p in enumerate(checkup.errors, start=1))
        msg = (
            f"the clinic's folder has {len(checkup.errors)} errors, nothing was "
            f"learned: {told} Pictures and a table: python experiments/check_data.py."
        )
        raise RecordError(msg)
    _log.info("%s", checkup.headline())
    return checkup


def _notes(checkup: Checkup, settings: ClinicSettings) -> ClinicNotes:
    """Collect what the report has to say of the clinic, by recording of a pulse."""
    changes, minutes, left_out = {}, {}, {}
    started = {r.subject: r.start_min for r in checkup.records if r.role == "reference"}
    pulses = [r for r in checkup.records if r.role == "monitor"]
    often = Counter(r.subject for r in pulses)
    for r in pulses:
        who = f"{r.subject}, row {r.row}" if often[r.subject] > 1 else r.subject
        if r.change is not None:
            changes[who] = (r.change.hr, r.change.mean)
        begun = started.get(r.subject)
        if r.start_min is not None and begun is not None:
            minutes[who] = r.start_min - begun
        if r.unlabelled:
            left_out[who] = r.unlabelled
    return ClinicNotes(
        name=settings.name,
        virtual=settings.virtual,
        simultaneous=settings.simultaneous,
        changes=changes,
        minutes=minutes,
        left_out=left_out,
    )


def clinic_road(cfg: DictConfig, source: Callable[[], Source]) -> Path:
    """Walk the road of a clinic's folder.

    Returns:
        Path of the report.

    Raises:
        ConfigError: If a setting is wrong or the clinic too small for its reference.
        RecordError: If the folder has an error.
    """
    root = cfg.data.root
    if not isinstance(root, str) or not root:
        msg = f"data.root is {root!r}; wanted the path of a clinic's folder."
        raise ConfigError(msg)
    draw_subjects(1, resamples=cfg.resamples, seed=cfg.seed)  # refuses too few
    for chosen in plain(cfg.strategies).values():
        build.strategy(chosen)
    checkup = checked(Path(root), show=cfg.progress)
    settings, beats = checkup.settings, checkup.beats
    if settings is None or beats is None or not answerable(beats).any():
        found = 0 if beats is None else len(beats)
        msg = (
            f"none of {found} beats is accepted and calibrated; wanted some. See "
            "python experiments/check_data.py data.root=<folder>."
        )
        raise RecordError(msg)
    notes = _notes(checkup, settings)
    if settings.reference_type == "none":
        return _estimated(cfg, source, checkup, settings, beats, notes)
    return _judged(cfg, source, checkup, beats, notes)


def _leave_check(checkup: Checkup, out: Path) -> None:
    """Leave what was found in the folder, before the run is sealed."""
    write_atomic(out / "check.json", checkup.to_json().encode())
    write_atomic(out / "check.csv", checkup.to_csv().encode())


def _learnt(
    cfg: DictConfig, source: Callable[[], Source], beats: Beats
) -> tuple[Beats, CentralPressureModel, Source]:
    """Return virtual people calibrated as the clinic is, a model of them, the source.

    The virtual pressures of a line without error stand for an arterial line.
    """
    kind = matching(beats.calibration)
    given = pretrained(cfg.pretrained, kind)
    virtual = source()
    learnt = virtual.beats(kind)
    model = virtual.model(learnt) if given is None else given
    return learnt.replace(calibration=beats.calibration), model, virtual


def _config(cfg: DictConfig, notes: ClinicNotes) -> dict[str, Any]:
    """Return what of the configuration was used, without the place of the folder."""
    config: dict[str, Any] = plain(cfg)
    config["data"]["root"] = notes.name
    unused = ("target", "calibrations")  # of the virtual clinic
    return {name: value for name, value in config.items() if name not in unused}


def _judged(
    cfg: DictConfig,
    source: Callable[[], Source],
    checkup: Checkup,
    beats: Beats,
    notes: ClinicNotes,
) -> Path:
    """Adapt with some of the people, and judge on the others."""
    out = folder()
    split = clinic_split(beats, **build.split(plain(cfg.split)))
    k = min(cfg.k, len(split.pool))
    said_k = (
        f"Split by subject: {len(split.pool)} may give labels (k = {k} of them do), "
        f"{len(split.unlabelled)} serve without, {len(split.test)} are held out."
    )
    if k < cfg.k:
        said_k += f" Asked for was k = {cfg.k}: more than may give labels."
    _log.info("%s", said_k)
    people = {
        "labelled": k,
        "pool": len(split.pool),
        "unlabelled": len(split.unlabelled),
        "held out": len(split.test),
    }
    # of who gives labels, only beats that have one
    known = np.isfinite(np.asarray(beats.reference)).all(axis=1)
    beats = beats.take(known | ~np.isin(beats.subject, split.pool))
    _check_sites(cfg, np.unique(beats.cuff_site[answerable(beats)]).tolist())
    learnt, model, virtual = _learnt(cfg, source, beats)
    apart, home = virtual.apart(beats.calibration)
    finished = with_intervals(apart, cfg)
    found = judge(cfg, learnt, model, beats, split, k=k, finished=finished)
    shown = found.models.get(cfg.export.strategy, found.models["source"])
    scores = found.evaluation.score((shown.name, shown.k))
    metrics = {
        "calibration": beats.calibration,
        "reference_type": beats.reference_type,
        "reference": notes.when,
        "held_out_subjects": scores.subjects,
        "units": "mmHg; *_r2 without unit; timing_ms in ms",
        "values": dict(scores.values),
    }
    _leave_check(checkup, out)
    save_model(shown, out / "model")
    export_folder(shown, out, metrics=metrics)
    told = {
        "clinic": notes.name,
        "clinic_sha256": _digest(Path(cfg.data.root)),
        "reference": f"{beats.reference_type}, {notes.when}",
        "people": people,
        "adaptation": {
            name: said(m) for name, m in found.models.items() if "adaptation" in m.info
        },
    }
    config = _config(cfg, notes)
    test = beats.of(split.test)
    judgement = judge_evaluation(
        found.evaluation,
        leakage=audited(learnt, beats, split),
        circularity=reproduced(test),
        alignment=aligned(found, learnt, test, seed=cfg.seed),
        elsewhere=at_home(found, home),
    )
    print_evaluation(found.evaluation, console)
    told_of = replace(notes, split=said_k)
    return leave_benchmark(
        {beats.calibration: judgement},
        out,
        config=config,
        notes=told,
        page=lambda report: with_clinic(report, found.evaluation, told_of),
    )


def _digest(root: Path) -> str:
    """Return one hash of all files of the clinic; their names may tell who it was."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    found = sorted(map(sha256_of, files))
    return hashlib.sha256("".join(found).encode()).hexdigest()


def _check_sites(cfg: DictConfig, taken: Sequence[str]) -> None:
    """Refuse a cuff site that no virtual person is calibrated at.

    Raises:
        ConfigError: The message names the setting.
    """
    looks = cfg.pretraining
    wrist = looks.radial_every and looks.draws >= looks.radial_every
    has = {"radial"} if wrist else set()
    has |= {"brachial"} if looks.radial_every != 1 else set()
    lacking = sorted(set(taken) - has)
    if lacking:
        msg = (
            f"pressures of the clinic were taken at the {lacking[0]} artery; of "
            f"{looks.draws} draws of the virtual people none is calibrated there "
            f"(radial_every = {looks.radial_every}). Set pretraining.draws and "
            "pretraining.radial_every."
        )
        raise ConfigError(msg)


def _sites(settings: ClinicSettings, beats: Beats) -> dict[CuffSite, Beats]:
    """Return the beats by where their calibrating pressure is taken to be.

    A line of unknown site is taken to be either; a transfer function is only asked of
    a line at that very site.
    """
    if settings.calibration == "invasive SBP/DBP":
        sites: tuple[CuffSite, ...] = ("brachial", "radial")
        if settings.line_site is not None:
            sites = (settings.line_site,)
        return {s: beats.replace(cuff_site=np.full(len(beats), s)) for s in sites}
    found: dict[CuffSite, Beats] = {}
    for site in ("brachial", "radial"):
        part = beats.take(beats.cuff_site == site)
        if answerable(part).any():
            if settings.line_site != site:
                waves = {k: v for k, v in part.waves.items() if k != "abp"}
                part = part.replace(waves=waves)
            found[site] = part
    return found


def _estimated(
    cfg: DictConfig,
    source: Callable[[], Source],
    checkup: Checkup,
    settings: ClinicSettings,
    beats: Beats,
    notes: ClinicNotes,
) -> Path:
    """Align to everybody without labels, and estimate; no error is printed."""
    out = folder()
    sites = _sites(settings, beats)
    _check_sites(cfg, list(sites))
    learnt, model, virtual = _learnt(cfg, source, beats)
    apart, _ = virtual.apart(beats.calibration)
    finished = with_intervals(apart, cfg)
    model.name = "Bi-LSTM, source only"
    found: dict[str, tuple[CentralPressureModel, list[Prediction]]] = {}
    for site, table in sites.items():
        adapted, rows = estimates(finished(model), table, learnt, site, cfg, finished)
        shots = Shots(source=learnt, unlabelled=table)
        found[site] = adapted, [*rows, *floors(learnt, table, shots)]
    exported = next(iter(found.values()))[0]
    _leave_check(checkup, out)
    save_model(exported, out / "model")
    export_folder(exported, out, metrics={"reference_type": "none"})
    answers = {site: rows for site, (_, rows) in found.items()}
    frames = [predictions_frame(answers[s], b).assign(site=s) for s, b in sites.items()]
    save_frame(pd.concat(frames, ignore_index=True), out / "predictions.parquet")
    leave_answers(
        {str(s): rows for s, rows in answers.items()},
        {str(s): table for s, table in sites.items()},
        out,
    )
    adaptation = said(exported)
    made = provenance(
        _config(cfg, notes),
        {
            "clinic": notes.name,
            "clinic_sha256": _digest(Path(cfg.data.root)),
            "adaptation": adaptation,
        },
    )
    counts = {
        "name": notes.name,
        "virtual": notes.virtual,
        "people": len(beats.subjects),
        "beats": len(beats),
        "accepted": int(beats.accepted.sum()),
        "reference_type": "none",
        "calibration": beats.calibration,
    }
    save_json({"clinic": counts, "provenance": made}, out / "metrics.json")
    alignment = (
        "The network was pretrained on virtual people and then aligned to the "
        f"{adaptation['unlabelled_beats']} accepted and calibrated beats of "
        f"{adaptation['unlabelled_subjects']} people of this clinic by MMD with weight "
        f"{adaptation['lambda']:g}, {adaptation['steps']} steps of LoRA and source "
        "replay. No label was used: nobody measured the central pressure."
    )
    named = {str(site): table for site, table in sites.items()}
    report = clinic_report(named, answers, made, notes, alignment=alignment)
    return write_report(out / "report.html", report)
