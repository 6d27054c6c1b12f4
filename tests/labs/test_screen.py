"""What goes to the screen: colours on terminals only, lines no wider than it, Markdown made readable."""

import io
import os
import sys
from pathlib import Path

import pytest

from tasks.labs import screen


class Terminal(io.StringIO):
    """A screen with colours."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output from here on; not a fixture, since pytest sets its own after those."""
    made = Terminal()
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def test_no_colours_in_a_pipe() -> None:
    assert screen.paint("a", "red") == "a"
    assert screen.markdown("`a`") == ["`a`"]


def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    assert screen.paint("a", "bold", "red") == "\x1b[1;31ma\x1b[0m"
    assert screen.paint("", "red") == ""
    assert screen.markdown("`a`") == ["\x1b[36ma\x1b[0m"]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_they_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    assert screen.paint("a", "red") == "a"


def test_screen_is_cleared_and_written_over_on_terminals_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = terminal(monkeypatch)
    screen.clear()
    screen.passing("wait")
    assert made.getvalue() == "\x1b[2J\x1b[H\r\x1b[Kwait"
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    screen.clear()
    screen.passing("wait")
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(("columns", "width"), [("20", 40), ("70", 70), ("300", 100)])
def test_lines_are_no_wider_than_the_screen(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert screen.width() == width
    lines = screen.wrapped("word " * 100, indent="  ", first="- ")
    assert lines[0].startswith("- word") and lines[1].startswith("  word")
    assert width - 6 < max(map(len, lines)) <= width


def test_code_is_not_broken_over_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = screen.wrapped("ten letters and then comes `python -m tasks check w01.t11`.")
    assert "`python -m tasks check w01.t11`." in lines


def test_bar_is_full_and_empty_only_at_the_ends() -> None:
    full = [screen.bar(done, 60, cells=10).count("█") for done in (0, 1, 30, 59, 60)]
    assert full == [0, 1, 5, 9, 10]
    assert screen.bar(0, 0) == "░" * 20


def test_minutes_as_a_clock() -> None:
    assert [screen.clock(minutes) for minutes in (0, 59, 60, 125)] == [
        "0 min",
        "59 min",
        "1 h 00 min",
        "2 h 05 min",
    ]


def test_cut() -> None:
    assert screen.cut("short", 5) == "short"
    assert screen.cut("too long for it", 10) == "too lo ..."


def test_text_of_others_cannot_move_the_cursor() -> None:
    assert screen.printable("a\x1b[2Jb\nc\u202e") == "a [2Jb c "


def test_signs_that_the_screen_lacks_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    screen.say("✓ █░ é")
    assert raw.getvalue() == b"+ #. ?\n"


def test_paths_are_as_one_types_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert screen.place(tmp_path / "a" / "x") == os.path.join("a", "x")
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert screen.place(tmp_path / "x") == os.path.join("..", "..", "x")
    monkeypatch.chdir("c")
    assert screen.place(tmp_path / "x") == str(tmp_path / "x")


def test_the_command_is_called_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for called, name in [
        ("/somewhere/tasks/__main__.py", "python -m tasks"),
        ("/somewhere/bin/labs", "labs"),
        ("/somewhere/pytest/__main__.py", "labs"),
    ]:
        monkeypatch.setattr(sys, "argv", [called])
        assert screen.me() == name


def test_markdown_as_task_sheets_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = """# Title of `it`

A paragraph of more words
than one line of forty columns takes.
- item one, which goes on over the end
  of its line
- item two

| a | b |

![what is seen](figure.png)

    kept as it is

```
code  here
```

With $A$ and $n$, but $\\lambda$ and $k$:

$$x  =  y$$
"""
    assert screen.markdown(text, Path("folder").resolve()) == [
        "Title of it",
        "",
        "A paragraph of more words than one line",
        "of forty columns takes.",
        "- item one, which goes on over the end",
        "  of its line",
        "- item two",
        "",
        "| a | b |",
        "",
        "[figure: what is seen;",
        "folder/figure.png]",
        "",
        "    kept as it is",
        "",
        "    code  here",
        "",
        "With A and n, but $\\lambda$ and k:",
        "",
        "$$x  =  y$$",
    ]
