"""The end of the road that is a real record: estimates, no errors."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from omegaconf import DictConfig, ListConfig
from rich.table import Table

from capnet.adaptation.strategies import Shots
from capnet.data.privacy.pseudonyms import pseudonym_key, unnamed
from capnet.data.readers import read_record
from capnet.errors import ConfigError, RecordError
from capnet.evaluation import predictions_frame, record_report, write_report
from capnet.export import export_folder
from capnet.models.anchor import anchor_mean
from capnet.models.central import CentralPressureModel
from capnet.models.checkpoint import save_model
from capnet.models.classical import MovingAverage, PublishedGTF
from capnet.models.controls import borrowed_ppg, shuffled_ppg
from capnet.models.zoo import load_model
from capnet.prediction import DISCLAIMER, Prediction
from capnet.records import Beats, Record
from capnet.signal.beats import beats_of
from capnet.signal.line import abp_verdict, cuffs_from_abp
from capnet.types import Calibration, CuffSite
from experiments import build
from experiments.answers import leave_answers
from experiments.beside import with_intervals
from experiments.door import console, folder, plain
from experiments.judging import Finish, Source, said
from experiments.results import provenance, save_frame, save_json

__all__ = ["estimates", "matching", "pretrained", "real_record"]


def calibrated(record: Record, cfg: DictConfig) -> Record:
    """Give a record its pressure readings: a cuff's, or its own arterial line's.

    Raises:
        ConfigError: If ``data.cuff`` is not [SBP, DBP].
        RecordError: If there is no cuff and the arterial line is refused.
    """
    if cfg.cuff is None:
        line = cuffs_from_abp(record, every=cfg.cuff_every, ecg=cfg.ecg, abp=cfg.abp)
        return record.with_cuffs(line, "invasive SBP/DBP")
    if not isinstance(cfg.cuff, ListConfig) or len(cfg.cuff) != 2:
        msg = f"data.cuff is {cfg.cuff}; wanted [SBP, DBP] in mmHg."
        raise ConfigError(msg)
    for value in cfg.cuff:
        build.check_number(value, float, where="data.cuff")
    return record.with_cuff(*map(float, cfg.cuff))


def check_any_beat(record: Record, beats: Beats) -> None:
    """Refuse a record that the gate refused, before an hour's work.

    Raises:
        RecordError: If no beat was accepted; the message counts the reasons.
    """
    if beats.accepted.any():
        return
    reasons, counts = np.unique(beats.reason, return_counts=True)
    found = ", ".join(f"{n} {w}" for w, n in zip(reasons, counts, strict=True))
    msg = (
        f"record {record.subject!r}: none of {len(beats)} beats was accepted "
        f"({found}); wanted one or more. Choose other channels or a cleaner part."
    )
    raise RecordError(msg)


def matching(calibration: Calibration) -> Calibration:
    """Return how virtual people are calibrated beside beats of a calibration.

    A line that is read as if it were a cuff has no cuff's error.
    """
    return "cuff SBP/DBP" if calibration == "cuff SBP/DBP" else "exact"


def pretrained(name: str | None, kind: Calibration) -> CentralPressureModel | None:
    """Load the model that stands in for pretraining; None where there is none.

    Raises:
        ConfigError: If it was trained with another calibration.
        RecordError: If there is no such model.
    """
    given = None if name is None else load_model(name)
    if given is not None and given.info.get("calibration") != kind:
        msg = (
            f"model {name!r} was trained with calibration "
            f"{given.info.get('calibration')!r}; this record needs {kind!r}. Pretrain "
            "one on beats of that calibration, or leave `pretrained` out."
        )
        raise ConfigError(msg)
    return given


def estimates(
    model: CentralPressureModel,
    beats: Beats,
    source: Beats,
    site: CuffSite,
    cfg: DictConfig,
    finished: Finish,
) -> tuple[CentralPressureModel, list[Prediction]]:
    """Align the model to the record without labels and ask everyone.

    Args:
        model: Finished already.
        beats: Of the record.
        source: Virtual people it was trained on.
        site: Where the calibrating pressure is taken to be.
        cfg: ``strategies`` and ``seed``.
        finished: Gives the aligned model what it says beside its answers.
    """
    taken = beats.replace(cuff_site=np.full(len(beats), str(site)))
    strategy = build.strategy(
        plain(cfg.strategies.mmd_lora), name="Bi-LSTM, aligned without labels"
    )
    unit: Literal["subject", "beat"] = "subject" if len(beats.subjects) > 1 else "beat"
    shots = Shots(source=source, unlabelled=taken, unit=unit)
    aligned = finished(strategy.adapt(model, shots, seed=cfg.seed))
    rows = [model.predict(taken), aligned.predict(taken)]
    if np.isfinite(taken.features["cuff_map"]).any():
        rows.append(anchor_mean(rows[-1], taken))
    if "abp" in taken.waves:
        rows.append(PublishedGTF(site, source="abp").predict(taken))
        rows.append(MovingAverage(site, source="abp").predict(taken))
    others = borrowed_ppg(taken, source, seed=cfg.seed)
    mixed = shuffled_ppg(taken, seed=cfg.seed)
    for spoilt, what in ((others, "PPG of virtual people"), (mixed, "PPG shuffled")):
        answer = aligned.predict(spoilt)
        rows.append(answer.replace(method=f"{aligned.name}, {what}", role="control"))
    return aligned, rows


def real_record(cfg: DictConfig, source: Callable[[], Source]) -> Path:
    """Read, calibrate, align, estimate, report; no error is ever printed.

    Returns:
        Path of the report.
    """
    data = cfg.data
    if data.age is not None:
        build.check_number(data.age, float, where="data.age")
    build.check_number(data.cuff_every, float, where="data.cuff_every")
    named = read_record(Path(data.record), age=data.age)
    record = unnamed(named, key=pseudonym_key())
    verdict = abp_verdict(record, abp=data.abp)
    record = calibrated(record, data)
    beats = beats_of(record, ecg=data.ecg, ppg=data.ppg, abp=data.abp)
    check_any_beat(record, beats)
    kind = matching(beats.calibration)
    given = pretrained(cfg.pretrained, kind)
    virtual = source()
    learnt = virtual.beats(kind)
    model = virtual.model(learnt) if given is None else given
    model.name = "Bi-LSTM, source only"
    sites: tuple[CuffSite, ...] = ("brachial", "radial")
    if data.cuff is not None:
        sites = ("brachial",)
    apart, _ = virtual.apart(beats.calibration)
    finished = with_intervals(apart, cfg)
    model = finished(model)
    found = {s: estimates(model, beats, learnt, s, cfg, finished) for s in sites}
    out = folder()
    exported = found[sites[0]][0]
    save_model(exported, out / "model")
    export_folder(exported, out, metrics={"reference_type": "none"})
    rows: dict[str, list[Prediction]] = {
        site: predictions for site, (_, predictions) in found.items()
    }
    frames = [predictions_frame(p, beats).assign(site=s) for s, p in rows.items()]
    save_frame(pd.concat(frames, ignore_index=True), out / "predictions.parquet")
    leave_answers(rows, dict.fromkeys(rows, beats), out)
    adaptation = exported.info["adaptation"]
    settings = plain(cfg)
    del settings["data"]["record"]  # a path may name somebody; the hashes tell which
    if data.age is not None:
        settings["data"]["age"] = record.age
    made = provenance(
        settings,
        {
            "record": record.source,
            "files": dict(record.files),
            "arterial line": verdict or "accepted",
            "adaptation": said(exported),
        },
    )
    counts = {
        "beats": len(beats),
        "accepted": int(beats.accepted.sum()),
        "reference_type": "none",
        "calibration": beats.calibration,
        "cuff_readings": [asdict(c) for c in record.cuffs],
    }
    save_json({"record": counts, "provenance": made}, out / "metrics.json")
    age = "unknown and masked" if record.age is None else f"{record.age:g}"
    alignment = (
        f"The network was pretrained on virtual people and then aligned to the "
        f"{adaptation['unlabelled_beats']} accepted and calibrated beats of this "
        f"record by MMD with weight {adaptation['lambda']:g}, {adaptation['steps']} "
        "steps of LoRA and source replay. No label was used: nobody measured this "
        "person's central pressure. "
        "All beats are one person's, so this MMD is a heuristic, not a test of two "
        f"populations. Age is {age}."
    )
    report = record_report(record, beats, rows, made, alignment=alignment)
    for site, predictions in rows.items():
        console.print(_table(site, beats, predictions))
    return write_report(out / "report.html", report)


def _table(site: str, beats: Beats, predictions: list[Prediction]) -> Table:
    table = Table(
        title=f"{len(beats)} beats, {int(beats.accepted.sum())} accepted; pressure "
        f"line taken as {site} (mmHg, means; no reference, so no errors)",
        caption=DISCLAIMER,
    )
    for column in ("method", "role", "beats", "SBP", "DBP", "MAP", "PP"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for p in predictions:
        ok = p.accepted
        known = [v[np.isfinite(v)] for v in (p.csbp, p.cdbp, p.cmap, p.cpp)]
        cells = [f"{v.mean():.1f}" if v.size else "-" for v in known]
        table.add_row(p.method, p.role, str(int(ok.sum())), *cells)
    return table
