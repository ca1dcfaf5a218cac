import time

import pytest

from capnet.data.readers.wfdb_header import parse_header
from capnet.errors import CapnetError, RecordError, UnitError

FIRST = "x 1 250 100"
LINE = "x.dat 16 200(0)/mV 16 0 5 -7 0 II"


def parse(first=FIRST, line=LINE, comments=""):
    return parse_header(f"{first}\n{line}\n{comments}", where="x.hea")


@pytest.mark.parametrize(
    ("comments", "age", "male"),
    [
        ("# <age>: 81 <sex>: F <diagnoses> (none) <medications>\n", 81.0, 0.0),
        ("#Age: 53  Sex: M\n", 53.0, 1.0),
        ("# 69 M 1085 1629 x1\n# Aldomet, Inderal\n", 69.0, 1.0),
        ("#Age: 53.5\n#Sex: Female\n#Dx: 1\n", 53.5, 0.0),
        ("# age: 71\n# sex: male\n", 71.0, 1.0),
        ("# gender f, age 20.\n", 20.0, 0.0),
        ("# -1 M 1085 1629 x1\n", None, 1.0),
        ("#Age: 90+\n#Sex: Unknown\n", None, None),
        ("# <age>: 300 <sex>: ?\n", None, None),
        ("#Age: >89\n", None, None),
        ("#Age: 92\n", None, None),
        ("#Age: NaN\n", None, None),
        ("#Age: 5 months\n", None, None),
        ("#Age: 60-65\n", None, None),
        ("#Age: 61\n#Age: 62\n", None, None),
        ("#language: 5, stage 3, sexton: M\n", None, None),
        ("", None, None),
    ],
)
def test_age_and_sex_of_comments(comments, age, male):
    header = parse(comments=comments)
    assert (header.age, header.male) == (age, male)


FAULTS = [
    ("x 1 250 100", "\uff12\uff15\uff10", "250", UnitError, "sampling rate"),
    ("x 1 250 100", "1e400", "250", UnitError, "sampling rate"),
    ("x 1 250 100", "0x10", "250", UnitError, "sampling rate"),
    ("x 1 250 100", "1_0", "250", UnitError, "sampling rate"),
    ("x 1 250 100", "0.001", "250", UnitError, "0.001 Hz"),
    ("x 1 250 100", "1e3", "100", RecordError, "no whole number"),
    ("x 1 250 100", "9" * 16, "100", RecordError, "no whole number"),
    (LINE, "(0x1)", "(0)", UnitError, "gain and unit"),
    (LINE, "(99999999999)", "(0)", RecordError, "baseline"),
    (LINE, "16:2501 ", "16 ", RecordError, "skew is 2501 frames"),
    (LINE, "16x0 ", "16 ", RecordError, "0 samples a frame"),
    (LINE, "/mV 33", "/mV 16", RecordError, "resolution"),
    (LINE, "/mV x", "/mV 16", RecordError, "resolution"),
    (LINE, " 5x ", " 5 ", RecordError, "first sample"),
    (LINE, " -7.0 ", " -7 ", RecordError, "checksum"),
    (LINE, " 65536 ", " -7 ", RecordError, "checksum"),
    (LINE, " -7 II", " -7 0 II", RecordError, "block size"),
    (LINE, " -7 0 I\x07", " -7 0 II", RecordError, "control character"),
    (LINE, " -7 0 0 II", " -7 0 II", RecordError, "a field too many"),
    (LINE, "1/0(0)/mV", "200(0)/mV", UnitError, "gain and unit"),
    ("x 1 250 100", "a.b 1", "x 1", RecordError, "first line is damaged"),
]


@pytest.mark.parametrize(("which", "new", "old", "kind", "message"), FAULTS)
def test_damaged_fields(which, new, old, kind, message):
    first = FIRST.replace(old, new) if which == FIRST else FIRST
    line = LINE.replace(old, new) if which == LINE else LINE
    with pytest.raises(kind, match=message):
        parse(first, line)


def test_lines_may_end_as_on_windows_but_not_as_on_an_old_mac():
    text = f"{FIRST}\n{LINE}\n# 61 F\n"
    crlf = parse_header(text.replace("\n", "\r\n"), where="x.hea")
    assert crlf == parse_header(text, where="x.hea")
    for other in (text.replace("\n", "\r"), text.replace("61 F", "61\rF")):
        with pytest.raises(RecordError, match="control character"):
            parse_header(other, where="x.hea")


@pytest.mark.parametrize("field", ["first sample", "checksum"])
def test_what_one_signal_declares_all_do(field):
    kept = {"first sample": 5, "checksum": 6}[field]
    cut = " ".join(LINE.replace("II", "V").split()[:kept])
    with pytest.raises(RecordError, match="for all or for none"):
        parse_header(f"x 2 250 100\n{LINE}\n{cut}\n", where="x.hea")
    both = " ".join(LINE.split()[:kept])
    assert parse_header(f"{FIRST}\n{both}\n", where="x.hea").signals


SECRET = "CANARY"
PLACES = [
    (f"x 1 250 100 {SECRET}", LINE, ""),
    (f"x 1 250 100 10:00:00 {SECRET}", LINE, ""),
    ("x 1 250 17:27:45", LINE, ""),
    ("x 1 17:27:45 15/08/1994", LINE, ""),
    ("x 1 250 100 10:00:00 15/08/1994 and more", LINE, ""),
    (FIRST, LINE + "\x00", f"# {SECRET}\n"),
    ("x/1 1 250 100", f"{SECRET} 100 {SECRET}", ""),
    (f"x 1 {SECRET} 100", LINE, ""),
    (f"x 1 250 {SECRET}", LINE, ""),
    (f"x 1 250/{SECRET} 100", LINE, ""),
    (FIRST, LINE.replace(" 16 200", f" {SECRET} 200"), ""),
    (FIRST, LINE.replace("200(0)", SECRET), ""),
    (FIRST, LINE.replace("200(0)", f"0/{SECRET}("), ""),
    (FIRST, LINE.replace("mV 16", f"mV {SECRET}"), ""),
    (FIRST, LINE.replace(" 5 ", f" {SECRET} "), ""),
    (FIRST, LINE.replace(" -7 ", f" {SECRET} "), ""),
    (FIRST, LINE.replace("II", f"{SECRET} was recorded" * 9), ""),
]


@pytest.mark.parametrize(("first", "line", "comments"), PLACES)
def test_dates_and_comments_are_not_quoted(first, line, comments):
    with pytest.raises(CapnetError) as caught:
        parse(first, line, comments)
    for word in (SECRET, "17:27", "1994", "10:00"):
        assert word not in str(caught.value)


def test_a_hundred_thousand_signals_of_one_name_are_refused_at_once():
    line = "x 16 1 0 0 0 0 0 a\n"
    with pytest.raises(RecordError, match="at most 512"):
        parse_header("x 100000 250 1\n" + line * 100_000, where="x.hea")


@pytest.mark.parametrize("word", ["<age>", "sex"])
def test_a_comment_of_blanks_is_searched_once(word):
    begun = time.process_time()
    header = parse(comments=f"# {word}" + "\t" * 500_000 + "x\n")
    assert time.process_time() - begun < 10.0  # hours, if from each blank anew
    assert (header.age, header.male) == (None, None)
