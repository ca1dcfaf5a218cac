"""The report of a benchmark with a known truth: verdict first, floors beside."""

from collections.abc import Mapping, Sequence
from typing import Final

from capnet.errors import ProtocolError
from capnet.evaluation.evaluate import Evaluation
from capnet.evaluation.judgement import Judgement, judge_evaluation
from capnet.evaluation.reports.calibration_section import calibration_section
from capnet.evaluation.reports.content import Report, Section, TableBlock
from capnet.evaluation.reports.summary import cautions, summary
from capnet.evaluation.wording import DASH, label, number

__all__ = ["LIMITS", "benchmark_report"]

LIMITS: Final[Mapping[str, tuple[str, ...]]] = {
    "simulated": (
        "All people here are virtual: the truth comes from a simulator, not from a "
        "catheter. The numbers rank methods and size gaps; they claim no accuracy on "
        "people.",
        "The virtual people learned from and those tested differ in what the "
        "configuration below says (population, hidden arm properties, walls, sensor, "
        "cuff), yet both are models of the same circulation.",
    ),
    "device": (
        "The truth is the output of a device, which is itself an estimate. A network "
        "can learn the device's filter and still be wrong about the aorta.",
    ),
    "tonometry": (
        "The truth was taken with a tonometer and calibrated by other means; it is not "
        "the pressure in the aorta.",
    ),
    "catheter": (
        "The truth was taken with a catheter in people who needed one; healthy people "
        "may differ.",
    ),
}
"""What a reference type does not allow to say."""

_COMMON_LIMITS: Final = (
    "Intervals are over subjects. They do not hold the luck of the training seed or of "
    "the draw of the labelled subjects unless repeats are shown, and each stands for "
    "itself; the outcomes of deep rows against floors are corrected for their number "
    "(Holm 1979).",
    "The best floor and the best deep row of a k are chosen on the scored subjects.",
    "R2 of SBP flatters wherever pressures vary much; the amplification R2 is zero for "
    "'true brachial SBP minus the right constant'.",
    "A comparison with the AAMI limits is numerical. No replay of data is a "
    "validation of a device.",
)

_READING: Final = (
    "Every beat is scored, scores are averaged over the beats of a subject, then over "
    "subjects. Errors are predicted - true, in mmHg. SD is that of the subjects' mean "
    "errors. Square brackets hold 95 % intervals over subjects; a dash means that a "
    "method does not answer.",
    "Waveform RMSE is taken after the best time shift of each beat; the unaligned "
    "score and the timing error stand beside. Shape RMSE also leaves out each wave's "
    "mean.",
    "MASE is the mean absolute error over that of holding the reading that calibrates: "
    "below 1 is news. Explained deviation is the SD of the true pressures over that of "
    "the errors. The tracking slope is the predicted over the true change within a "
    "subject: 1 follows it, 0 is what a held reading does.",
    "A floor is a cheap estimator that a deep one must beat to be news. k is the "
    "number of labelled target subjects that a row has seen; a floor that does with "
    "fewer labels counts too. A row has won or lost only where the paired interval of "
    "the difference is clear of zero and Holm's corrected p-value of all such pairs of "
    "the calibration is below 0.05; everything else is a tie.",
)


def benchmark_report(
    evaluations: Mapping[str, Evaluation | Judgement], provenance: Mapping[str, object]
) -> Report:
    """Tell what a benchmark with a known truth has shown.

    Args:
        evaluations: One a calibration, by the name of the calibration, in the order
            to show them; `capnet.evaluation.judge_evaluation` makes a judgement with
            more to tell (leakage, circularity, an error budget ...), and is called for
            plain evaluations.
        provenance: What made the numbers: configuration, seeds, versions, hashes.

    Returns:
        The report, for `capnet.evaluation.write_report`.

    Raises:
        ProtocolError: If there is no evaluation, one is filed under a calibration
            that it does not have, or their reference types differ.
    """
    each = {
        name: found if isinstance(found, Judgement) else judge_evaluation(found)
        for name, found in evaluations.items()
    }
    plain = {name: j.evaluation for name, j in each.items()}
    _check(plain)
    first = next(iter(plain.values()))
    kind = first.reference_type
    people = "virtual people" if kind == "simulated" else "people"
    verdict = [line for j in each.values() for line in cautions(j)]
    verdict += summary([*plain.values()])
    sections = [Section("How to read this", _READING)]
    sections += [calibration_section(j) for j in each.values()]
    if len(each) > 1:
        sections.append(_side_by_side([*plain.values()]))
    return Report(
        title="Central arterial pressure: deep estimators against floors",
        subtitle=(
            f"Reference: {kind}. {first.subjects} held-out {people}; calibration: "
            f"{', '.join(each)}."
        ),
        verdict=tuple(verdict),
        sections=tuple(sections),
        provenance=provenance,
        limits=LIMITS[kind] + _COMMON_LIMITS,
        numbers={"evaluations": {name: j.to_dict() for name, j in each.items()}},
    )


def _check(evaluations: Mapping[str, Evaluation]) -> None:
    if not evaluations:
        msg = "no evaluation to report; wanted at least one calibration."
        raise ProtocolError(msg)
    for name, e in evaluations.items():
        if name != e.calibration:
            msg = (
                f"the evaluation under {name!r} is of calibration {e.calibration!r}; "
                "file it under its own."
            )
            raise ProtocolError(msg)
    kinds = sorted({e.reference_type for e in evaluations.values()})
    if len(kinds) > 1:
        msg = f"reference types {kinds} are never pooled; write one report for each."
        raise ProtocolError(msg)


def _side_by_side(evaluations: Sequence[Evaluation]) -> Section:
    metrics = ("wave_rmse", "sbp_rmse", "amplification_r2")
    heads = [
        f"{label(m, unit=False)}, {e.calibration}" for m in metrics for e in evaluations
    ]
    keys = dict.fromkeys(s.key for e in evaluations for s in e.scores)
    rows = []
    for key in keys:
        scores = [{s.key: s for s in e.scores}.get(key) for e in evaluations]
        cells = [
            DASH if s is None else number(s.values[m]) for m in metrics for s in scores
        ]
        rows.append((f"{key[0]} (k = {key[1]})", *cells))
    n = ", ".join(f"{e.subjects} subjects with {e.calibration}" for e in evaluations)
    kind = evaluations[0].reference_type
    caption = (
        "The same rows under each calibration, pressures in mmHg; reference "
        f"{kind}, {n}. Intervals stand in the chapters."
    )
    return Section(
        title="The calibrations side by side",
        paragraphs=(
            "An exact calibration judges methods: what remains is shape and "
            "amplification. A noisy cuff judges usefulness: its own error is then the "
            "greater part of every number.",
        ),
        tables=(TableBlock(caption, ("method", *heads), tuple(rows)),),
    )
