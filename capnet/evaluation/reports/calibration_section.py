"""What is known of one calibration, in reading order."""

from collections.abc import Mapping
from dataclasses import replace

from capnet.evaluation.evaluate import Evaluation
from capnet.evaluation.judgement import Judgement
from capnet.evaluation.reports.agreement_section import agreement_section, waves_section
from capnet.evaluation.reports.alignment_section import alignment_section
from capnet.evaluation.reports.circularity_section import circularity_section
from capnet.evaluation.reports.content import Section, TableBlock
from capnet.evaluation.reports.floors_section import floors_section
from capnet.evaluation.reports.protocols_section import protocols_section
from capnet.evaluation.reports.refused_section import refused_section
from capnet.evaluation.reports.scores_section import scores_section
from capnet.evaluation.reports.strata_section import (
    repeats_section,
    shift_section,
    strata_section,
)
from capnet.evaluation.reports.summary import MANY, each_k
from capnet.evaluation.reports.uncertainty_section import uncertainty_section
from capnet.evaluation.uncertainty.coverage import Coverage
from capnet.evaluation.wording import DASH

__all__ = ["calibration_section"]


def calibration_section(judgement: Judgement) -> Section:
    """Tell what is known of one calibration, every caption with it."""
    e = judgement.evaluation
    told = f"calibration {e.calibration}", f"reference {e.reference_type}"
    close = " and ".join(m.name for m in judgement.methods)
    text = (
        f"{e.subjects} subjects, {e.beats} beats, refused ones included. Bootstrap "
        f"with {e.resamples} resamples of subjects, seed {e.seed}.",
        *([f"Looked at closely below: {close}."] if close else []),
        *(each_k(e) if len(each_k(e)) > MANY else ()),
    )
    return Section(
        title=f"Calibration: {e.calibration}",
        paragraphs=text,
        parts=tuple(_placed(part, told) for part in _parts(judgement, ", ".join(told))),
    )


def _parts(judgement: Judgement, where: str) -> list[Section]:
    """Return the chapters, in reading order."""
    j = judgement
    found = [
        scores_section(j.evaluation, where),
        agreement_section(j),
        _strata_part(j),
        *_uncertainty_parts(j),
        refused_section(j.refused),
        waves_section(j),
        None if j.alignment is None else alignment_section(j.alignment),
        _protocols_part(j),
        floors_section(j.evaluation),
        *_cuff_parts(j),
        _leakage_part(j),
        None if j.circularity is None else circularity_section(j.circularity),
        None if j.repeats is None else repeats_section(j.repeats),
        None if j.shift is None else shift_section(j.shift),
    ]
    return [part for part in found if part is not None]


def _placed(section: Section, told: tuple[str, ...]) -> Section:
    """Let every caption say the calibration and the reference type of its numbers."""

    def said(caption: str) -> str:
        lost = [words for words in told if words not in caption]
        if not lost:
            return caption
        start = caption.rstrip(" .")
        return f"{start}; {', '.join(lost)}."

    return replace(
        section,
        tables=tuple(replace(t, caption=said(t.caption)) for t in section.tables),
        figures=tuple(replace(f, caption=said(f.caption)) for f in section.figures),
    )


def _folded(section: Section, *, after: int = 0) -> Section:
    """Fold the tables of a chapter, all or those after the first."""
    rest = tuple(replace(table, folded=True) for table in section.tables[after:])
    return replace(section, tables=section.tables[:after] + rest)


def _strata_part(judgement: Judgement) -> Section | None:
    """Show the figures of groups; their tables are folded."""
    if not judgement.methods:
        return None
    return _folded(strata_section({m.name: m.strata for m in judgement.methods}))


def _uncertainty_parts(judgement: Judgement) -> list[Section]:
    """Tell what intervals and doubts are worth, of each method that has them."""
    found = []
    for place, m in enumerate(judgement.methods):
        if m.coverage is None and m.risk_coverage is None:
            continue
        held: Coverage | Mapping[str, Coverage] | None = m.coverage
        if m.coverage is not None and judgement.elsewhere and place == 0:
            held = {"the people of this page": m.coverage, **judgement.elsewhere}
        section = uncertainty_section(held, m.risk_coverage)
        found.append(replace(section, title=f"{section.title}: {m.name}"))
    return found


def _protocols_part(judgement: Judgement) -> Section:
    """Hold the rows looked at closely beside all standards, every row beside AAMI."""
    found = {m.name: m.comparisons for m in judgement.methods}
    section = _folded(protocols_section(found), after=1)
    every = _aami_table(judgement.evaluation)
    return replace(section, tables=(*section.tables, every))


def _aami_table(evaluation: Evaluation) -> TableBlock:
    rows = tuple(
        (f"{s.method} (k = {s.k})", s.role, s.aami or DASH) for s in evaluation.scores
    )
    caption = (
        "Central SBP: numerical comparison with the AAMI limits (|bias| <= 5, SD <= 8 "
        f"mmHg) on a {evaluation.reference_type} reference, calibration "
        f"{evaluation.calibration}."
    )
    columns = ("method", "role", "comparison")
    return TableBlock(caption, columns, rows, folded=True)


def _cuff_parts(judgement: Judgement) -> list[Section]:
    """Tell what the cuff has to do with the errors, where somebody found out."""
    if judgement.budget is None and not judgement.noise:
        return []
    # Imported here: whoever made a budget has loaded torch, no other reader needs to.
    from capnet.evaluation.reports.budget_section import budget_section, noise_section

    found = [] if judgement.budget is None else [budget_section(judgement.budget)]
    if judgement.noise:
        found.append(_folded(noise_section(judgement.noise)))
    return found


def _leakage_part(judgement: Judgement) -> Section | None:
    if judgement.leakage is None:
        return None
    from capnet.evaluation.reports.leakage_section import leakage_section  # likewise

    return leakage_section(judgement.leakage)
