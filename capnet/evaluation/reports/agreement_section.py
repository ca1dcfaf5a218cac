"""Chapters of a report: errors and waves of the rows that are looked at closely."""

from typing import Final

from capnet.evaluation.judgement import Judgement
from capnet.evaluation.reports.content import FigureBlock, Section
from capnet.evaluation.reports.figures import bland_altman_figure, waveform_figure
from capnet.evaluation.wording import number, signed

__all__ = ["agreement_section", "waves_section"]

_AGREEMENT: Final = (
    "Bland-Altman plots (Bland & Altman 1986): predicted - true over the mean of both, "
    "averaged over the beats of each subject first. The slope tells whether the error "
    "grows with the pressure; an estimator that shrinks towards the mean has a "
    "negative one."
)

_FEWEST: Final = 2
"""Subjects: limits of agreement want a spread."""


def agreement_section(judgement: Judgement) -> Section | None:
    """Draw the Bland-Altman plots of the rows that are looked at closely."""
    e = judgement.evaluation
    figures = []
    for method in judgement.methods:
        score = e.score(method.key)
        if score.subjects < _FEWEST:
            continue
        figure = FigureBlock(
            png=bland_altman_figure(e.prediction(method.key), e.reference),
            caption=f"Bland-Altman plot of central SBP of {method.name}, {score.role}; "
            "one dot a subject.",
            alt="Errors of subjects over their pressure. Bias "
            f"{signed(score.values['sbp_bias'])} mmHg, SD "
            f"{number(score.values['sbp_sd'])} mmHg, n = {score.subjects} subjects.",
        )
        figures.append(figure)
    if not figures:
        return None
    return Section("Agreement", (_AGREEMENT,), figures=tuple(figures))


def waves_section(judgement: Judgement) -> Section | None:
    """Draw best, median and worst beats of the rows that answer waves."""
    e = judgement.evaluation
    figures = []
    for method in judgement.methods:
        if e.score(method.key).values["wave_rmse"] is None:
            continue
        figure = FigureBlock(
            png=waveform_figure(e.scored[e.position(method.key)]),
            caption=f"Best, median and worst beat of {method.name}, after the best "
            "time shift.",
            alt="Three aortic beats, predicted and true, from best to worst; the "
            "average RMSE stands in the tables above.",
        )
        figures.append(figure)
    if not figures:
        return None
    return Section("Best, median and worst beats", (), figures=tuple(figures))
