"""One small page of every kind of report."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from capnet.evaluation import (
    Evaluation,
    Report,
    benchmark_report,
    evaluate,
    record_report,
    write_report,
)
from capnet.evaluation.alignment import domain_alignment
from capnet.evaluation.audits.leakage import Finding, Leakage
from capnet.evaluation.budget import NoiseLevel
from capnet.evaluation.cases.case_of import case_of
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.reports.case_report import case_report
from capnet.evaluation.reports.clinic_report import (
    ClinicNotes,
    clinic_report,
    with_clinic,
)
from capnet.evaluation.reports.strata_section import repeats_section
from capnet.evaluation.variation.repeats import repeats
from capnet.evaluation.variation.shift import shift_table
from capnet.prediction import Prediction
from capnet.records import Beats, Record, Signal
from tests.evaluation.conftest import (
    make_beats,
    numbers,
    refuse,
    waves,
    with_controls,
)

PROVENANCE = {
    "config": {"seed": 0, "k": [0, 10]},
    "weights": "sha256:" + "0123456789abcdef" * 4,
    "git": {"commit": "f" * 40, "changed": False},
}


def _sure(prediction: Prediction, beats: Beats) -> Prediction:
    """The same answers with intervals that are too narrow, and a doubt."""
    p = prediction
    values = np.stack([p.csbp, p.cdbp, p.cmap, p.cpp], axis=1)
    doubt = np.abs(p.csbp - beats.reference.max(axis=1))
    return p.replace(low=values - 1, high=values + 1, coverage=0.9, doubt=doubt)


def _away(beats: Beats) -> Evaluation:
    others = beats.replace(subject=np.char.add("away ", beats.subject))
    rows = [waves(others, "ridge", spread=5.0, role="floor")]
    return evaluate(rows, others, resamples=100)


def benchmark() -> Report:
    """Two calibrations, labels and none, refused beats, all that can be handed in."""
    plain = make_beats([2 + i % 3 for i in range(30)])
    gone = np.arange(len(plain)) % 11 == 3
    reason = np.where(gone, "the PPG is clipped", "")
    beats = plain.replace(accepted=~gone, reason=reason)
    own = [
        numbers(beats, "arm - 8"),
        waves(beats, "ridge", error=3.0, spread=3.0, role="floor"),
        waves(beats, "ridge", error=1.0, spread=3.0, role="floor", k=10),
        refuse(waves(beats, "net", spread=4.0), np.arange(len(beats)) % 9 == 1),
        waves(beats, "net", spread=0.5, seed=3, k=10),
        waves(beats, "shuffled", error=2.0, spread=9.0, role="control", seed=4),
    ]
    rows = with_controls(own, beats)
    rows = [_sure(p, beats) if p.role == "deep" else p for p in rows]
    cuff = [p.replace(calibration="cuff SBP/DBP") for p in rows]
    noisy = beats.replace(calibration="cuff SBP/DBP")
    exact = evaluate(rows, beats, resamples=100)
    away = _away(beats)
    source, target, adapted = np.random.default_rng(0).normal(size=(3, 25, 6))
    said = "v001 is on both sides."
    known = Finding("subject on both sides", "v001", "v001", 3, None, said)
    each = {
        "exact": judge_evaluation(
            exact,
            leakage=Leakage((known,), ("who is on both sides",)),
            alignment=domain_alignment(
                (source, target + 1), (source, adapted), permutations=100
            ),
            shift=shift_table(exact, away),
            repeats=repeats([exact, exact]),
        ),
        "cuff SBP/DBP": judge_evaluation(
            evaluate(cuff, noisy, resamples=100),
            noise=[NoiseLevel(0.0, 0.0, exact), NoiseLevel(5.0, 1.0, exact)],
        ),
    }
    notes = ClinicNotes(
        name="here",
        virtual=True,
        simultaneous=False,
        changes={"a": (2.0, -4.0)},
        minutes={"a": 8.0},
        left_out={"d": "there is no reference recording"},
    )
    return with_clinic(benchmark_report(each, PROVENANCE), exact, notes)


def _real() -> tuple[Record, Beats, list[Prediction]]:
    made = make_beats([40], reference=False)
    bad = np.arange(40) % 7 == 3
    beats = made.replace(accepted=~bad, reason=np.where(bad, "flat PPG", ""))
    time = np.arange(int(125.0 * (beats.time[-1] + 2))) / 125.0
    wave = np.sin(2 * np.pi * 1.2 * time)
    channels = {"PLETH": Signal(wave, 125.0, "NU"), "ABP": Signal(wave, 125.0, "mmHg")}
    own = beats.waves["abp"]
    answers = [
        Prediction.from_waveform("net", beats, own - 9, role="deep"),
        Prediction.from_waveform("GTF", beats, own - 7, role="floor"),
    ]
    return Record("real", channels), beats, answers


def record() -> Report:
    """One person without a reference."""
    person, beats, answers = _real()
    sites = {"brachial": answers, "radial": answers}
    return record_report(person, beats, sites, PROVENANCE, alignment="None was made.")


def clinic() -> Report:
    """People without a reference."""
    _, beats, answers = _real()
    notes = ClinicNotes(name="here", virtual=True, simultaneous=None)
    return clinic_report(
        {"radial": beats}, {"radial": answers}, PROVENANCE, notes, alignment="None."
    )


def one_case() -> Report:
    """One person of a run, with intervals, a refused beat and a change."""
    beats = make_beats([25] * 8)
    beats = beats.replace(features={"male": np.ones(len(beats))})
    answer = _sure(waves(beats, "net", error=2.0, spread=3.0, k=5), beats)
    found = case_of(refuse(answer, beats.beat == 3), beats, "v003")
    return case_report(found, PROVENANCE)


def several() -> Report:
    """The same study twice, as the door of repeats tells it."""
    beats = make_beats([2] * 25)
    rows = [numbers(beats, "arm - 8"), waves(beats, "net", spread=0.5)]
    runs = [evaluate(with_controls(rows, beats), beats, resamples=100)] * 2
    section = repeats_section(repeats(runs))
    return Report("Twice", "the same", ("So.",), (section,), PROVENANCE, ("One.",))


def odd() -> Report:
    """Names that are long, wide, from right to left, or markup."""
    names = ["x" * 200, "<img src=x onerror=alert(1)>", "\u202eevil", "שלום"]
    names.append("🫀 $\\frac$")
    beats = make_beats([2] * 25)
    beats = beats.replace(subject=np.char.add(names[1], beats.subject))
    rows = [waves(beats, name, spread=2.0 + i) for i, name in enumerate(names)]
    rows = with_controls([numbers(beats, names[0] + "y"), *rows], beats)
    return benchmark_report(
        {"exact": evaluate(rows, beats, resamples=100)},
        {names[1]: {str(i): names[0] for i in range(20)}},
    )


def empty() -> Report:
    """Nothing to tell."""
    return Report("Nothing", "of nobody", (), (), {}, ())


def write_pages(folder: Path) -> Mapping[str, Path]:
    """Write every kind into a folder of its own."""
    kinds = (benchmark, record, clinic, one_case, several, odd, empty)
    return {
        kind.__name__: write_report(folder / kind.__name__ / "report.html", kind())
        for kind in kinds
    }
