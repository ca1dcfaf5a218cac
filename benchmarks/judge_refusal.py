"""Is the doubt of the shipped model worth anything: faults, and ranks of errors.

Part of `judge.py`. Everybody is virtual. Two questions: are beats hit by a severe fault
of the corruption bank doubted more than sound ones, and does refusing the most doubtful
fifth of accepted beats lower the error in a clinic that nothing was chosen on?
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from judge_clinics import clinic, people_of, source_beats, target
from judge_table import Row
from signal_gate import Person, people
from sklearn.metrics import roc_auc_score

from capnet.errors import CapnetError
from capnet.evaluation.uncertainty.risk_coverage import risk_coverage
from capnet.models.central import CentralPressureModel
from capnet.models.classical import Ridge
from capnet.models.svr import SVR
from capnet.models.uncertainty import learn_doubt
from capnet.models.zoo import load_model
from capnet.prediction import Prediction
from capnet.records import Record
from capnet.signal.beats import beats_of
from capnet.signal.corruptions import (
    CORRUPTIONS,
    SEVERE,
    WINDOW,
    Corrupted,
    corrupt,
    draw_corruption,
)

__all__ = ["rows"]

_SEED: Final = 91_000
"""Of people and faults; settings were chosen on those of another seed."""
_PEOPLE: Final = 48
_EACH: Final = 12
"""Faults of a class and severity."""
_BAR: Final = 0.95
_RATIO: Final = 0.9
_LONGEST: Final = 2.0


@dataclass(frozen=True, eq=False)
class _Doubts:
    """Of some beats: doubt, with and without windows, and the verdict of the gate."""

    doubt: np.ndarray
    bare: np.ndarray
    accepted: np.ndarray

    @classmethod
    def of(cls, said: Prediction, bare: Prediction, rows: np.ndarray) -> "_Doubts":
        both = (np.asarray(p.doubt)[rows] for p in (said, bare))
        return cls(*both, said.accepted[rows])


def _asked(
    model: CentralPressureModel, record: Record
) -> tuple[Prediction, Prediction]:
    """Return what is said of a record, and of its beats without verdicts of windows."""
    beats = beats_of(record.with_cuff(120.0, 75.0))
    known = {k: v for k, v in beats.features.items() if k != "window"}
    return model.predict(beats), model.predict(beats.replace(features=known))


def _sound(model: CentralPressureModel, person: Person) -> _Doubts:
    """Return doubts of the beats whose window holds no ectopic beat."""
    said, bare = _asked(model, person.record)
    apart = np.abs(person.ectopic[:, None] - said.time[None, :])
    calm = (apart > WINDOW + _LONGEST).all(axis=0)
    return _Doubts.of(said, bare, calm)


def _case(record: Record, name: str, severity: int, seed: int) -> Corrupted:
    """Draw a fault that hits what beats are cut from: the PPG, or the ECG."""
    for again in range(50):
        draw = draw_corruption(name, severity, seed=seed + 1_000_003 * again)
        case = corrupt(record, draw)
        if {record.find("ppg"), record.find("ecg")} & {*case.channels}:
            break
    return case


def _hit(model: CentralPressureModel, case: Corrupted) -> _Doubts | None:
    """Return doubts of the beats in what is hit; None where no beat can be cut."""
    try:
        said, bare = _asked(model, case.record)
    except CapnetError:
        return None
    inside = (said.time < case.stop) & (said.time + said.duration > case.start)
    lost = ~np.isfinite(said.duration) & (said.time > case.start)
    inside |= lost & (said.time < case.stop)
    return _Doubts.of(said, bare, inside)


def _joined(parts: list[_Doubts]) -> _Doubts:
    return _Doubts(
        np.concatenate([p.doubt for p in parts]),
        np.concatenate([p.bare for p in parts]),
        np.concatenate([p.accepted for p in parts]),
    )


def _area(
    sound: _Doubts, severe: _Doubts, *, accepted: bool = False, bare: bool = False
) -> float:
    """Area under the ROC curve of severe against sound; NaN without both."""
    one, other = sound.doubt, severe.doubt
    if bare:
        one, other = sound.bare, severe.bare
    if accepted:
        one, other = one[sound.accepted], other[severe.accepted]
    if not len(one) or not len(other):
        return float("nan")
    truth = np.repeat([0, 1], [len(one), len(other)])
    return float(roc_auc_score(truth, np.concatenate([one, other])))


def _bank(model: CentralPressureModel, share: float) -> Iterator[Row]:
    count, each = max(12, round(_PEOPLE * share)), max(2, round(_EACH * share))
    group = people(count, seed=_SEED)
    sound = _joined([_sound(model, person) for person in group])
    by_class: dict[str, _Doubts] = {}
    refused: list[str] = []
    drawn = 0
    for number, (name, kind) in enumerate(CORRUPTIONS.items()):
        if not {"ppg", "ecg"} & {*kind.kinds}:
            continue
        parts = []
        for severity in range(SEVERE, 6):
            for k in range(each):
                key = (number * 6 + severity) * each + k
                record = group[key % count].record
                found = _hit(model, _case(record, name, severity, _SEED * 97 + key))
                drawn += 1
                if found is None:
                    refused.append(name)
                else:
                    parts.append(found)
        by_class[name] = _joined(parts)
    severe = _joined([*by_class.values()])
    area = _area(sound, severe)
    yield Row(
        f"AUROC of the doubt, {len(severe.doubt)} beats of {drawn} severe faults "
        f"({len(by_class)} classes) against {len(sound.doubt)} sound beats; those the "
        "gate refused have the worst doubt",
        f"{area:.3f}",
        f">= {_BAR}",
        area >= _BAR,
    )
    gate = float((~severe.accepted).mean()), float((~sound.accepted).mean())
    left = _area(sound, severe, accepted=True)
    yield Row(
        "the same among beats that the gate let through",
        f"{left:.3f} (gate alone refuses {gate[0]:.0%} of severe, {gate[1]:.1%} of "
        "sound)",
    )
    yield Row(
        "the same of all beats, without the verdicts of windows (features['window'])",
        f"{_area(sound, severe, bare=True):.3f}",
    )
    for name, found in by_class.items():
        area, left = _area(sound, found), _area(sound, found, accepted=True)
        told = "none" if np.isnan(left) else f"{left:.3f}"
        figure = f"{area:.3f}; let through: {told}"
        what = f"  {name}, {len(found.doubt)} beats"
        yield Row(what, figure, f">= {_BAR}", area >= _BAR)
    no_beats = ", ".join(f"{n} {refused.count(n)}" for n in dict.fromkeys(refused))
    yield Row("  records from which no beat can be cut (not counted)", no_beats or "0")
    others = ", ".join(n for n in CORRUPTIONS if n not in by_class)
    yield Row(
        "  not judged: faults of the arterial line, which no estimate reads", others
    )


def _ranks(model: CentralPressureModel, share: float) -> Iterator[Row]:
    """Yield the risk at 80 % coverage of three estimators in both clinics."""
    learning = people_of(clinic("source"), seed=500, n=2400, name="doubt")
    deep = learn_doubt(model, learning) if model.uncertainty.doubt is None else model
    source = source_beats()
    # Floors do not know where a pressure was taken: one place, here as in the source.
    upper = learning.take(learning.cuff_site == "brachial")
    floors = [learn_doubt(f.fit(source), upper) for f in (Ridge(), SVR())]
    resamples = max(200, round(2000 * share))
    for name in ("dev", "test"):
        for calibration in ("exact", "cuff SBP/DBP"):
            beats = target(name, share=share, calibration=calibration)
            for one in (deep, *floors):
                said = one.predict(beats)
                found = risk_coverage(said, beats, resamples=resamples)
                barred = name == "test" and calibration == "exact"
                low, high = found.interval or (np.nan, np.nan)
                yield Row(
                    f"{found.method}: SBP RMSE at {found.kept:.0%} coverage over that "
                    f"of all, {name} clinic, {calibration}, n = {found.subjects}",
                    f"{found.ratio:.3f} [{low:.3f}, {high:.3f}] ({found.risk:.2f} of "
                    f"{found.full:.2f} mmHg)",
                    f"<= {_RATIO}, interval below 1" if barred else "",
                    (found.ratio <= _RATIO and high < 1.0) if barred else None,
                )


def rows(*, share: float = 1.0, data: Path | None = None) -> Iterator[Row]:
    """Yield the figures of refusal.

    Args:
        share: Of the draws.
        data: Not needed.
    """
    del data
    model = load_model("bilstm-virtual")
    yield from _bank(model, share)
    yield from _ranks(model, share)
