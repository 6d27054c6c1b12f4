"""Marks of weeks: what is cut in each form, what is left, and errors with file and line."""

import re
from pathlib import Path

import pytest

from lab.errors import LabError
from tasks.labs import weeks

PYTHON = '''"""What it is."""

from lab.a import one
from lab.b import two  # from week 3

TEXT = "# >>> from week 9 is no mark here"
NAMES = [
    one,
    # >>> from week 4
    two,
    # <<< from week 4
]


# >>> from week 3
def third() -> None: ...


# <<< from week 3
def always() -> None: ...


# >>> from week 4
def fourth() -> None: ...


# <<< from week 4
'''
EARLY = '''"""What it is."""

from lab.a import one

TEXT = "# >>> from week 9 is no mark here"
NAMES = [
    one,
]


def always() -> None: ...
'''


def test_early_weeks_have_neither_later_lines_nor_marks() -> None:
    assert weeks.released(PYTHON, week=1, name="a.py") == EARLY
    assert weeks.released(PYTHON, week=2, name="a.py") == EARLY


def test_a_week_has_its_own_lines_and_blank_lines_as_before() -> None:
    third = weeks.released(PYTHON, week=3, name="a.py")
    assert third is not None and "import two\n" in third and "fourth" not in third
    assert "]\n\n\ndef third() -> None: ...\n\n\ndef always() -> None: ...\n" in third
    last = weeks.released(PYTHON, week=10, name="a.py")
    marks = re.compile(r"^ *# (>>>|<<<) from week \d\n|  # from week \d$", re.M)
    assert last == marks.sub("", PYTHON).rstrip() + "\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", '"""What it is."""\n# from week 3\n\nx = 1\n'),
        ("a.yaml", "# python training/run_experiment.py -c a   (1 %)\n# from week 3\nx: 1\n"),
        ("a.md", "# Title\n\n<!-- from week 3 -->\n\nText.\n"),
        ("Makefile", "# from week 3\nall:\n\ttrue\n"),
    ],
)
def test_a_whole_file_belongs_to_its_week(name: str, text: str) -> None:
    assert weeks.released(text, week=2, name=name) is None
    kept = weeks.released(text, week=3, name=name)
    assert kept is not None and "week" not in kept
    assert kept.split() == [
        word for word in re.sub(r"(#|<!--) from week 3( -->)?", "", text).split()
    ]


def test_rows_and_words_of_a_table_have_weeks() -> None:
    text = (
        "| net | data |\n|---|---|\n"
        "| GRU<!-- >>> from week 4 -->, Transformer<!-- <<< from week 4 --> | text |\n"
        "| CNN | lines<!-- >>> from week 6 -->, pages<!-- <<< from week 6 --> <!-- from week 3 --> |\n"
    )
    head = "| net | data |\n|---|---|\n"
    assert weeks.released(text, week=1, name="a.md") == head + "| GRU | text |\n"
    assert weeks.released(text, week=3, name="a.md") == head + "| GRU | text |\n| CNN | lines |\n"
    last = weeks.released(text, week=6, name="a.md")
    assert last == head + "| GRU, Transformer | text |\n| CNN | lines, pages |\n"


def test_sections_and_settings_have_weeks() -> None:
    text = "A.\n\n<!-- >>> from week 3 -->\n\nB.\n\n<!-- <<< from week 3 -->\n\nC.\n"
    assert weeks.released(text, week=2, name="a.md") == "A.\n\nC.\n"
    assert weeks.released(text, week=3, name="a.md") == "A.\n\nB.\n\nC.\n"
    text = "a: 1\nb: 2  # from week 5\n# >>> from week 6\nc: 3\n# <<< from week 6\nd: '#4'\n"
    assert weeks.released(text, week=4, name="a.toml") == "a: 1\nd: '#4'\n"
    assert weeks.released(text, week=6, name="a.yaml") == "a: 1\nb: 2\nc: 3\nd: '#4'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n# >>> from week 3\ny = 2\n", "line 2: the part from week 3 does not end"),
        ("x = 1\n# <<< from week 3\n", "line 2: no part from week 3 has begun"),
        ("# >>> from week 3\nx = 1\n# <<< from week 4\n", "line 3: no part from week 4"),
        ("# >>> from week 3\n# >>> from week 4\n", "line 2: a mark in the part .* in line 1"),
        ("# >>> from week 3\nx = 1  # from week 4\n", "line 2: a mark in the part"),
        ("x = 1\n# >>> from week 11\n", "line 2: there is no week 11, only 1 to 10"),
        ("# >>> from week three\n", "line 1: not a mark"),
        ("x = 1  # >>> from week 3\n", "line 1: `>>>` stands on a line of its own"),
        ("# from week 3\n# from week 4\n", "line 2: the mark of a whole file stands once"),
        ("x = [\n    1,\n]  # from week 3\n", "what is left of it in week 1 is no Python"),
        ("x = (  # from week 3\n", "not Python"),
    ],
)
def test_a_wrong_mark_is_told_with_file_and_line(text: str, message: str) -> None:
    with pytest.raises(LabError, match=rf"lab/a\.py.*{message}"):
        weeks.released(text, week=1, name="lab/a.py")


def test_other_files_are_left_alone() -> None:
    text = "# >>> from week 3\n"
    for name in ("LICENSE", "a.txt", "a.ipynb"):
        assert weeks.released(text, week=1, name=name) == text
    assert weeks.released("nothing\n\n\n", week=1, name="a.md") == "nothing\n\n\n"


def test_a_file_without_marks_keeps_every_byte(tmp_path: Path) -> None:
    text = "x = 1 \n\n\n\n# week 3 is when lines come\n\n\n"
    assert weeks.released(text, week=1, name="a.py") == text


def test_what_is_for_teachers_is_in_no_release() -> None:
    page = "a\n<!-- >>> for teachers -->\nb\n<!-- <<< for teachers -->\nc\n"
    code = "a = 1\n# >>> for teachers\nb = 2\n# <<< for teachers\nc = 3  # for teachers\n"
    for week in (1, weeks.LAST):
        assert weeks.released(page, week=week, name="README.md") == "a\nc\n"
        assert weeks.released(code, week=week, name="a.py") == "a = 1\n"
    with pytest.raises(LabError, match="does not end"):
        weeks.released("# >>> for teachers\n", week=1, name="a.py")
