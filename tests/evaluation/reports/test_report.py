"""One page that needs nothing else, escapes what it is given, and says no "nan"."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from capnet.errors import ProtocolError, ShapeError
from capnet.evaluation import (
    FigureBlock,
    Report,
    Section,
    TableBlock,
    benchmark_report,
    evaluate,
    record_report,
    render_report,
    write_report,
)
from capnet.evaluation.reports.report import MAX_BYTES
from capnet.prediction import DISCLAIMER
from tests.evaluation.conftest import numbers, refuse, waves, with_controls

PROVENANCE = {"config": {"seed": 0, "k": [0, 10]}, "rate": 1e-4, "broken": float("nan")}


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag == "style"

    def handle_endtag(self, tag):
        self._hidden -= tag == "style"

    def handle_data(self, data):
        if not self._hidden:
            self.text += data + "\n"

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def benchmark(predictions, beats, evaluation) -> Report:
    cuff = [p.replace(calibration="cuff SBP/DBP") for p in predictions]
    noisy = beats.replace(calibration="cuff SBP/DBP")
    other = evaluate(cuff, noisy, resamples=100)
    return benchmark_report({"exact": evaluation, "cuff SBP/DBP": other}, PROVENANCE)


@pytest.fixture(scope="module")
def real(record, real_beats, real_predictions) -> Report:
    return record_report(
        record,
        real_beats,
        {"brachial": real_predictions, "radial": real_predictions},
        PROVENANCE,
        alignment="Nothing was fitted to this record.",
    )


@pytest.mark.parametrize("kind", ["benchmark", "real"])
def test_the_page_stands_alone(kind, request, tmp_path):
    path = write_report(tmp_path / "new" / "report.html", request.getfixturevalue(kind))
    page = path.read_text("utf-8")
    assert path.stat().st_size < MAX_BYTES
    left = sorted(p.name for p in path.parent.iterdir())
    assert left == ["report.html", "report.json"]
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"(?i)https?:|//[a-z]|url\(|@import|<script|<link", words)
    found = Page(page)
    assert all(i["src"].startswith("data:image/png;base64,") for i in found.of("img"))
    assert all(i["alt"] for i in found.of("img"))
    assert found.of("html") == [{"lang": "en"}]
    assert any(m.get("name") == "viewport" for m in found.of("meta"))
    assert found.text.count(DISCLAIMER) == 2


@pytest.mark.parametrize("kind", ["benchmark", "real"])
def test_structure_for_readers_of_all_kinds(kind, request):
    found = Page(render_report(request.getfixturevalue(kind)))
    levels = [int(t[1]) for t, _ in found.tags if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    tables = len(found.of("table"))
    assert tables == len(found.of("caption"))
    scroll = [d for d in found.of("div") if d.get("class") == "scroll"]
    assert tables + len(found.of("figure")) == len(scroll)
    assert all(d["tabindex"] == "0" and d["aria-label"] for d in scroll)
    assert all(t["scope"] in ("row", "col") for t in found.of("th"))
    assert len(found.of("figure")) == len(found.of("figcaption")) > 0
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("kind", ["benchmark", "real"])
def test_never_nan_or_none(kind, request):
    text = Page(render_report(request.getfixturevalue(kind))).text
    assert not re.search(r"\b(nan|NaN|None|inf)\b", text)


@pytest.mark.usefixtures("unpainted")
def test_a_silent_method_prints_dashes(predictions, beats):
    silent = refuse(waves(beats, "silent"), np.ones(len(beats), dtype=bool))
    scored = evaluate([silent, *predictions], beats, resamples=100)
    text = Page(render_report(benchmark_report({"exact": scored}, {}))).text
    assert not re.search(r"\b(nan|NaN|None)\b", text)
    assert "–" in text


def test_verdict_comes_first(benchmark):
    text = Page(render_report(benchmark)).text
    assert text.index("better than the floor") < text.index("How to read this")
    assert "virtual" in text
    assert "never" not in benchmark.verdict[0]
    assert "exact" in benchmark.verdict[0]


def test_a_record_without_reference_gets_no_error_figures(real):
    text = Page(render_report(real)).text
    assert not re.search(r"RMSE|MAE|R2|AAMI|Bland|bias", text)
    assert "34 of 40 beats (85 %) were accepted" in text
    assert "Nobody measured the central pressure" in text
    assert "if the line is brachial" in text
    assert "if the line is radial" in text
    assert "shuffled PPG" in text
    assert "flat PPG" in text


def test_a_record_of_which_nothing_was_accepted(record, real_beats, real_predictions):
    n = len(real_beats)
    none = real_beats.replace(
        accepted=np.zeros(n, dtype=bool),
        reason=np.full(n, "flat PPG"),
        waves={"abp": np.full((n, 64), np.nan)},
    )
    silent = [refuse(p, np.ones(n, dtype=bool)) for p in real_predictions]
    report = record_report(record, none, {"radial": silent}, {}, alignment="None made.")
    text = Page(render_report(report)).text
    assert "0 of 40 beats (0 %) were accepted" in text
    assert "no method answers" in text
    assert not re.search(r"\bnan\b", text)


def test_what_comes_from_outside_is_escaped(record, real_beats, real_predictions):
    evil = "<script>alert(1)</script>"
    named = [p.replace(method=f"{evil}{i}") for i, p in enumerate(real_predictions)]
    report = record_report(
        replace(record, subject=evil),
        real_beats,
        {"brachial": named},
        {evil: evil},
        alignment=evil,
    )
    page = render_report(report)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 5
    quoted = Report('a" onload="x', "", (), (), {}, ())
    assert Page(render_report(quoted)).of("title") == [{}]


def test_an_evil_caption_stays_inside_its_attribute():
    table = TableBlock('x" onclick="y', ("a",), (("b",),))
    figure = FigureBlock(b"png", "c", 'x" onerror="y')
    report = Report("t", "s", (), (Section("s", (), (table,), (figure,)),), {}, ())
    found = Page(render_report(report))
    assert found.of("img")[0]["alt"] == 'x" onerror="y'
    assert all("onclick" not in a and "onerror" not in a for _, a in found.tags)


def test_too_large_is_refused_and_the_old_page_stays(tmp_path):
    path = write_report(tmp_path / "r.html", Report("old", "", (), (), {}, ()))
    big = FigureBlock(bytes(MAX_BYTES), "c", "a")
    large = Report("new", "", (), (Section("s", figures=(big,)),), {}, ())
    with pytest.raises(ProtocolError, match="Leave out figures"):
        write_report(path, large)
    assert "<h1>old</h1>" in path.read_text("utf-8")


def test_refusals(evaluation, record, beats, real_beats, real_predictions):
    with pytest.raises(ProtocolError, match="file it under its own"):
        benchmark_report({"cuff SBP/DBP": evaluation}, {})
    with pytest.raises(ProtocolError, match="no evaluation"):
        benchmark_report({}, {})
    with pytest.raises(ProtocolError, match="for records without a truth"):
        record_report(record, beats, {"radial": []}, {}, alignment="")
    with pytest.raises(ProtocolError, match="assumed sites; wanted"):
        record_report(record, real_beats, {}, {}, alignment="")
    part = real_beats.take(np.arange(5))
    with pytest.raises(ProtocolError, match="not the 5 reference beats"):
        record_report(record, part, {"radial": real_predictions}, {}, alignment="")
    with pytest.raises(ShapeError, match="row 0 of table 'c' has 1 cells"):
        TableBlock("c", ("a", "b"), (("x",),))
    with pytest.raises(ShapeError, match="the figure 'c' has no alternative text"):
        FigureBlock(b"png", "c", " ")
    inner = Section("b", parts=(Section("c"),))
    with pytest.raises(ShapeError, match="part 'b' of section 'a' has parts itself"):
        Section("a", parts=(inner,))


def test_every_caption_says_calibration_and_reference(benchmark):
    for section in benchmark.sections:
        if not section.title.startswith("Calibration: "):
            continue
        calibration = section.title.removeprefix("Calibration: ")
        blocks = [b for p in section.parts for b in (*p.tables, *p.figures)]
        assert len(blocks) > 10
        for block in blocks:
            assert f"calibration {calibration}" in block.caption
            assert "reference simulated" in block.caption
    for line in benchmark.verdict:
        assert re.match(r"Calibration (exact|cuff SBP/DBP), reference simulated", line)


def _judged(beats, *rows):
    rows = with_controls([numbers(beats, "arm - 8"), *rows], beats)
    return benchmark_report({"exact": evaluate(rows, beats, resamples=100)}, {})


@pytest.mark.usefixtures("unpainted")
def test_the_first_line_is_the_answer(beats):
    for error, spread, words in (
        (9.0, 0.5, "the deep row is worse than the best floor with no more labels"),
        (0.0, 0.5, "the deep row is shown to be better than the best floor"),
        (0.0, 4.0, "no deep row is shown to be better than the best floor"),
    ):
        report = _judged(beats, waves(beats, "net", error=error, spread=spread))
        assert words in report.verdict[0]
    n = len(beats)
    silent = refuse(waves(beats, "net"), np.ones(n, dtype=bool))
    assert "no deep row answers a beat" in _judged(beats, silent).verdict[0]
    assert "there is no deep row" in _judged(beats).verdict[0]


@pytest.mark.usefixtures("unpainted")
def test_many_k_do_not_bury_the_answer(beats):
    rows = [waves(beats, "net", spread=3.0, k=k) for k in range(12)]
    report = _judged(beats, *rows)
    assert len(report.verdict) <= 5
    assert "9 more k stand in its chapter" in report.verdict[-1]
    (chapter,) = [s for s in report.sections if s.title == "Calibration: exact"]
    assert sum(p.startswith("k = ") for p in chapter.paragraphs) == 12


@pytest.mark.usefixtures("unpainted")
def test_a_control_that_does_as_well_is_told(beats):
    net = waves(beats, "net", spread=3.0)
    off = waves(beats, "net, off", spread=3.0, role="control")
    rows = with_controls([numbers(beats, "arm - 8"), net, off], beats)
    e = evaluate(rows, beats, resamples=100, compare=[("net", "net, off")])
    verdict = " ".join(benchmark_report({"exact": e}, {}).verdict)
    assert "not shown to be better than its control: net (k = 0)" in verdict


@pytest.mark.usefixtures("unpainted")
def test_what_a_deep_row_does_not_say_is_told(beats):
    report = _judged(beats, waves(beats, "net", k=5))
    (part,) = [s for s in report.walk() if s.title == "Floors and controls"]
    text = " ".join(part.paragraphs)
    assert "net (k = 5): not said what is looked at" in text
    assert "net (k = 5): not said whose labels were seen" in text


def test_long_tables_are_folded_and_short_ones_are_not(benchmark):
    found = Page(render_report(benchmark))
    assert len(found.of("details")) == len(found.of("summary")) > 5
    tables = [t for s in benchmark.walk() for t in s.tables]
    assert not tables[0].folded
    assert sum(t.folded for t in tables) == len(found.of("details"))
    many = {"config": {str(i): i for i in range(50)}, "git": "abc"}
    page = Page(render_report(Report("t", "s", (), (), many, ())))
    assert len(page.of("details")) == 1
    assert "config.49" in page.text


def test_no_name_turns_what_follows_it():
    report = Report("t", "s", ("\u202eevil 1.0 \u2066x",), (), {}, ())
    page = render_report(report)
    assert "□evil 1.0 □x" in page
    assert "\u202e" not in page
