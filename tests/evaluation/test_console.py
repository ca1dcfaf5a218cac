"""The table in a terminal fits 80 columns, names every row, prints no NaN."""

from io import StringIO

from rich.console import Console

from capnet.evaluation import evaluate, print_evaluation
from capnet.prediction import DISCLAIMER
from tests.evaluation.conftest import make_beats, numbers


def printed(evaluation) -> str:
    buffer = StringIO()
    print_evaluation(evaluation, Console(file=buffer, width=80))
    return buffer.getvalue()


def test_all_rows_and_no_nan(evaluation):
    text = printed(evaluation)
    for score in evaluation.scores:
        assert score.method in text
    assert "nan" not in text
    assert "None" not in text
    assert DISCLAIMER in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert "reference: simulated; calibration: exact" in " ".join(text.split())


def test_few_subjects_are_told(evaluation):
    few = make_beats([2] * 9)
    text = printed(evaluate([numbers(few, "arm")], few, resamples=100))
    assert "Fewer than 20 subjects" in " ".join(text.split())
    assert "Fewer than" not in printed(evaluation)


def test_names_are_not_markup(beats):
    text = printed(evaluate([numbers(beats, "[red]arm[/x]")], beats, resamples=100))
    assert "[red]arm[/x]" in text
