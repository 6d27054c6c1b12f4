"""The files of a report: JSON by its schema, XML by a parser, pages by what they must not let through."""

import json
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tasks.labs import reports
from tasks.labs.reports import Report, Row
from tasks.labs.runner import ERROR, FAILED, NOT_STARTED, PASSED, TIMEOUT, Result, TestResult

EVIL = "<script>alert(1)</script> | `x` \x00\x1b\ud800 ]]> &amp; \n# head"
TESTS = (
    TestResult("test_task::test_a", PASSED, says="All is well."),
    TestResult("test_task::test_b", FAILED, concept="c", why=EVIL, expected="1", got=EVIL, line=3),
    TestResult("test_hidden::test_c", ERROR, concept="crash", message=EVIL),
    TestResult("test_hidden::test_d", TIMEOUT),
)
REPORT = Report(
    title=f"Grade of {EVIL}",
    name="a",
    rows=(
        Row(
            "w01.t01", TIMEOUT, 8.0, 2.0, title="One", tests=TESTS, flags=("network",), hints=(1, 2)
        ),
        Row("w01.t02", PASSED, 5.0, 0.0, tests=TESTS[:1], flags=("forged",), minutes=12.5),
        Row("w01.t03", ERROR, 10.0, 0.0, message="not handed in", gave_up=True),
        Row(
            "w01.t04", NOT_STARTED, 1.0, 0.0, tests=(TestResult("test_task::test_e", NOT_STARTED),)
        ),
    ),
    problems=(EVIL,),
    environment={"python": "3.11", "torch": "2.14"},
)

SCHEMA: dict[str, Any] = {
    "schema_version": int,
    "title": str,
    "score": (int, float),
    "max_score": (int, float),
    "output": str,
    "created": str,
    "problems": [str],
    "environment": dict,
    "tests": [
        {
            "name": str,
            "status": ("passed", "failed"),
            "score": (int, float),
            "max_score": (int, float),
            "output": str,
            "tags": [str],
            "visibility?": ("visible", "hidden"),
        }
    ],
    "tasks": [
        {
            "id": str,
            "title": str,
            "points": (int, float),
            "score": (int, float),
            "outcome": (PASSED, FAILED, NOT_STARTED, ERROR, TIMEOUT),
            "message": str,
            "passed": int,
            "tests": int,
            "concepts": [str],
            "flags": [tuple(reports.FLAGS)],
            "checks": int,
            "hints": [(1, 2, 3)],
            "gave_up": bool,
            "minutes": (int, float, type(None)),
        }
    ],
}


def valid(value: Any, schema: Any, place: str = "report") -> None:
    """A dict of fields (`?` is optional), a list of a schema, types, or the values there are."""
    if isinstance(schema, dict):
        needed = {name for name in schema if not name.endswith("?")}
        assert needed <= value.keys() <= {name.rstrip("?") for name in schema}, place
        for name, inner in schema.items():
            if name.rstrip("?") in value:
                valid(value[name.rstrip("?")], inner, f"{place}.{name}")
    elif isinstance(schema, list):
        assert isinstance(value, list), place
        for number, one in enumerate(value):
            valid(one, schema[0], f"{place}[{number}]")
    elif isinstance(schema, tuple) and not isinstance(schema[0], type):
        assert value in schema, place
    else:
        assert isinstance(value, schema), place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    reports.save(REPORT, tmp_path)
    return tmp_path


def test_json_follows_its_schema_and_adds_up(folder):
    facts = json.loads((folder / "report.json").read_text())
    valid(facts, SCHEMA)
    assert (facts["score"], facts["max_score"]) == (2, 24)
    assert sum(test["score"] for test in facts["tests"]) == facts["score"]
    assert sum(test["max_score"] for test in facts["tests"]) == facts["max_score"]
    assert [test["tags"] for test in facts["tests"]][1:3] == [["failed", "c"], ["error", "crash"]]
    assert "network" in facts["output"] and "refused" in facts["output"]
    hidden = [test["name"] for test in facts["tests"] if test.get("visibility") == "hidden"]
    assert hidden == ["w01.t01 test_c", "w01.t01 test_d"]


def test_junit_is_xml_with_its_counts(folder):
    top = xml.parse(folder / "junit.xml").getroot()
    assert [suite.get("name") for suite in top] == ["w01.t01", "w01.t02", "w01.t03", "w01.t04"]
    for suite in top:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == sum(case.find("failure") is not None for case in cases)
        assert int(suite.get("errors")) == sum(case.find("error") is not None for case in cases)
        assert all(case.get("time") is None for case in cases)
    facts = {one.get("name"): one.get("value") for one in top[0].find("properties")}
    assert (facts["score"], facts["flags"], facts["hints"], facts["torch"]) == (
        "2",
        "network",
        "1 2",
        "2.14",
    )


class Tags(HTMLParser):
    """Which tags there are, and whether each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)
        assert not any(name in ("src", "href") or name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_needs_nothing_else_and_lets_no_markup_through(folder):
    page = Tags()
    page.feed((folder / "report.html").read_text())
    assert not page.open and "script" not in page.seen
    assert {"table", "details", "pre", "h1"} <= page.seen
    assert "http" not in (folder / "report.html").read_text()


def test_markdown_keeps_what_students_wrote_in_its_place(folder):
    lines = (folder / "report.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("# ")] == [lines[0]]
    assert len([line for line in lines if line.startswith("|")]) == 6
    assert not any(
        "<script>" in line and not line.startswith("    ") for line in lines if "\\<" not in line
    )
    assert "## w01.t03" in lines and "not handed in" in lines
    assert "## w01.t04" not in lines


def test_reports_of_checks(tmp_path):
    results = [Result("w01.t01", FAILED, TESTS, 1.0), Result("w01.t02", ERROR, (), 0.0, "no file")]
    reports.write(results, tmp_path / "new", title="Check")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["junit.xml", "report.json", "report.md"]
    facts = json.loads((tmp_path / "new" / "report.json").read_text())
    valid(facts, SCHEMA)
    assert (facts["title"], facts["score"], facts["max_score"]) == ("Check", 1, 4)
    xml.parse(tmp_path / "new" / "junit.xml")


def test_a_flag_that_voids_takes_all_points_of_its_tests(folder):
    facts = json.loads((folder / "report.json").read_text())
    (test,) = [test for test in facts["tests"] if test["name"].startswith("w01.t02")]
    assert (test["status"], test["score"], test["max_score"]) == ("passed", 0, 5)
