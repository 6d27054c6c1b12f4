"""Handing in and grading: zips, whoever made them, scores, and the analysis of a class."""

import csv
import io
import json
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from one_task import ALL, NAME, PLACE, SOLUTION, TESTS, graded, hand_in, only_task, repository

from lab.errors import LabError
from tasks.labs import catalog, class_report, grading, handed_in, regions, reports, submission
from tasks.labs.cli import main
from tasks.labs.reports import Report, Row
from tasks.labs.runner import FAILED, NOT_STARTED, PASSED, TestResult
from tasks.labs.state import State

STUB = regions.stub(SOLUTION, "w01.t11")
WRONG = SOLUTION.replace("return 2 / len(y)", "return 1 / len(y)")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "repository")


@pytest.fixture
def student(root, monkeypatch) -> Path:
    """A student's clone: the file under work/, progress, a figure."""
    file = only_task(root).file
    file.parent.mkdir(parents=True)
    file.write_text(SOLUTION)
    figures = root / ".labs" / "figures"
    figures.mkdir(parents=True)
    (figures / "w01.t11.png").write_bytes(b"figure")
    state = State.load(root)
    progress = state.of("w01.t11")
    progress.outcome, progress.checks, progress.hints, progress.seconds = PASSED, 4, [1, 2], 3.5
    progress.opened, progress.passed = "2026-11-02T10:00:00+00:00", "2026-11-02T10:21:00+00:00"
    monkeypatch.setattr(State, "load", lambda root: state)
    return file


def test_submission_holds_the_students_files_and_records(root, student, tmp_path):
    out = tmp_path / "new" / "a.zip"
    assert submission.pack(root, out, week=1, name="Ada") == []
    given = handed_in.read(out)
    assert given.problems == () and given.name == "Ada"
    assert given.files == {
        PLACE: SOLUTION.encode(),
        TESTS: (only_task(root).folder / "test_task.py").read_bytes(),
    }
    assert given.progress("w01.t11") == {
        "outcome": PASSED,
        "checks": 4,
        "hints": [1, 2],
        "gave_up": False,
        "minutes": 21.0,
    }
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert archive.read("figures/w01.t11.png") == b"figure"
        assert {entry.date_time for entry in archive.infolist()} == {submission.WHEN}
    before = out.read_bytes()
    submission.pack(root, out, week=1, name="Ada")
    assert out.read_bytes() == before


def test_submission_lacks_nothing_in_silence(root, student, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(root)
    student.write_bytes(b"x = '\xff'")
    assert main(["submit"]) == 2
    assert "w01.t11" in (told := capsys.readouterr().err) and "not UTF-8 text (byte 5)" in told
    student.unlink()
    assert main(["submit"]) == 2
    told = capsys.readouterr().err
    assert f"work/week01_fundamentals/{NAME}/task.py: is missing" in told
    assert not (root / "submission.zip").exists()
    student.write_text(STUB)
    assert main(["submit", "--week", "1"]) == 0
    assert "as they were given: w01.t11" in capsys.readouterr().out
    assert main(["submit", "--week", "9"]) == 2
    assert "no tasks of week 9; there are those of week 1" in capsys.readouterr().err
    assert main(["submit", "--out", "tasks"]) == 2


def test_a_release_submits_and_does_not_grade(root, tmp_path):
    folder = only_task(root).folder
    (folder / "stub.py").write_text(STUB)
    (folder / "task.py").write_text(WRONG)
    (root / "tasks" / "MANIFEST.json").write_text("{}")
    out = tmp_path / "a.zip"
    assert submission.pack(root, out) == []
    given = handed_in.read(out)
    assert given.files[PLACE] == WRONG.encode() and len(given.manifest["release"]) == 64
    with pytest.raises(LabError, match="this is a release"):
        grading.grade(root, out, name="a")


def zip_of(path: Path, *entries: tuple[str, bytes] | tuple[zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def lying(path: Path) -> Path:
    """A zip whose directory states sizes that are not so."""
    zip_of(path, (PLACE, bytes(8 * 2**20)))
    content = path.read_bytes()
    size = (8 * 2**20).to_bytes(4, "little")
    path.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    return path


def encrypted(path: Path) -> Path:
    zip_of(path, (PLACE, b"x"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"no zip"), "cannot be read as a zip"),
        (lambda path: path.write_bytes(b""), "cannot be read as a zip"),
        (lambda path: zip_of(path, ("../../" + PLACE, b"x")), "a path that leads elsewhere"),
        (lambda path: zip_of(path, ("/" + PLACE, b"x")), "a path that leads elsewhere"),
        (lambda path: zip_of(path, ("C:\\task.py", b"x")), "a path that leads elsewhere"),
        (lambda path: zip_of(path, (link(PLACE), b"/etc/passwd")), "a link or a device"),
        (lambda path: zip_of(path, (PLACE, b"x"), (PLACE, b"y")), "stands 2 times"),
        (lambda path: zip_of(path, (PLACE, bytes(3 * 2**20))), "larger than 2 MiB"),
        (lying, "cannot be read"),
        (encrypted, "cannot be read"),
        (lambda path: zip_of(path, *((str(n), b"") for n in range(501))), "501 files, more than"),
        (lambda path: zip_of(path, ("manifest.json", b"[" * 10**5)), "manifest.json cannot be"),
        (lambda path: zip_of(path, ("manifest.json", b"[]")), "manifest.json is not as"),
        (
            lambda path: zip_of(path, (PLACE, b"x"), ("manifest.json", b'{"files": 3}')),
            "is not the",
        ),
    ],
    ids=[*("text", "empty", "traversal", "absolute", "drive", "link", "twice", "big", "lying")]
    + [*("encrypted", "many", "deep", "list", "sums")],
)
def test_hostile_zips_have_a_clear_result(root, tmp_path, make, says):
    path = tmp_path / "a.zip"
    make(path)
    given = handed_in.read(path)
    assert any(says in problem for problem in given.problems), given.problems
    assert set(given.files) <= ({PLACE} if "sums" in says or "is not the" in says else set())


def test_a_bomb_of_many_files_is_not_read(tmp_path):
    names = [f"tasks/week{n:02d}_a/t01_b/task.py" for n in range(40)]
    path = zip_of(tmp_path / "a.zip", *((name, bytes(2 * 2**20)) for name in names))
    assert path.stat().st_size < 2**20
    given = handed_in.read(path)
    assert given.files == {} and "more than 64 MiB" in given.problems[0]


@pytest.mark.parametrize(
    "progress",
    [
        {"w01.t11": 3},
        {"w01.t11": {"hints": "all", "checks": -4, "minutes": float("nan"), "outcome": ["x"]}},
        {"w01.t11": {"hints": [9, "1"], "checks": 10**400, "minutes": "2", "outcome": "great"}},
        [1],
    ],
)
def test_records_that_are_out_of_range_count_as_none(progress):
    told = handed_in.Submission({}, {"progress": progress, "name": 3}).progress("w01.t11")
    assert (told["hints"], told["checks"], told["outcome"], told["minutes"] or 0) == ([], 0, "", 0)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"x = '\xff'", "not UTF-8 text (byte 5)"), (b"x = 1\0", "NUL bytes")],
)
def test_text_that_is_none_is_told(root, content, says):
    report, row = graded(root, content)
    assert report.score == 0 and says in row.message


def test_points_are_shared_among_all_tests(root, tmp_path):
    report, row = graded(root, WRONG)
    assert row.outcome == FAILED and 0 < row.passed < len(row.tests) == ALL
    assert row.score == round(10 * row.passed / ALL, 4) and "gradient-scale" in row.concepts
    grading.write(report, tmp_path / "one")
    again, _ = graded(root, WRONG)
    grading.write(again, tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["junit.xml", "report.html", "report.json", "report.md", "timing.json"]
    for name in ("junit.xml", "report.html", "report.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    one, two = (
        json.loads((tmp_path / place / "report.json").read_text()) for place in ("one", "two")
    )
    assert one.pop("created") and two.pop("created") and one == two


def test_a_stub_is_run_once_and_has_no_points(root):
    report, row = graded(root, STUB)
    assert (row.outcome, report.score, len(row.seconds), row.fingerprint) == (NOT_STARTED, 0, 1, "")


def test_a_class_with_one_broken_zip(root, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    hand_in(folder, SOLUTION, name="ada")
    hand_in(folder, "# a note\n" + SOLUTION, name="bob")
    (folder / "carl.zip").write_bytes(b"no zip")
    # What a run gives is tested elsewhere; here each file is "run" by a look at it.
    seen = TestResult("test_task::test_a", PASSED)
    result = grading.Result("w01.t11", PASSED, (seen,), 0.1)
    monkeypatch.setattr(grading.runner, "run", lambda *words, **options: result)
    monkeypatch.chdir(root)
    assert main(["grade", "--class", str(folder), "--out", str(tmp_path / "out")]) == 1
    out = capsys.readouterr().out
    assert "ada: 10 of 10" in out and "carl: 0 of 10\n  it cannot be read as a zip" in out
    facts = json.loads((tmp_path / "out" / "class.json").read_text())
    assert (facts["submissions"], facts["graded"], facts["unread"]) == (3, 2, ["carl"])
    assert facts["same_files"] == [{"task": "w01.t11", "names": ["ada", "bob"]}]
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / "grades.csv").read_text())))
    assert rows[0] == ["name", "score", "points", "w01.t11", "flags"]
    assert rows[3] == ["carl", "0", "10", "0", ""]
    assert "carl" in (tmp_path / "out" / "class.md").read_text()
    assert (tmp_path / "out" / "carl" / "report.html").is_file()


def test_an_error_of_the_grader_itself_ends_one_submission_only(root, monkeypatch):
    def broken(*words, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(grading.runner, "run", broken)
    report, row = graded(root, SOLUTION)
    assert (row.message, report.score) == ("not graded", 0)
    assert "RuntimeError: out of luck" in report.problems[0]


def test_wrong_calls_are_told(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(root)
    for words, says in (
        ([], "name zips, or a folder"),
        (["none.zip"], "is no file"),
        (["--class", str(tmp_path / "empty")], "no zip in"),
    ):
        assert main(["grade", *words]) == 2
        assert says in capsys.readouterr().err


def test_the_worse_of_two_runs_counts(root, monkeypatch):
    outcomes = iter([PASSED, FAILED])

    def run(task, file, **options):
        outcome = next(outcomes)
        test = TestResult(
            "test_task::test_a", outcome, got="<f at 0x7f01> in /tmp/labs-ab1/task.py"
        )
        return grading.Result(
            task.id, outcome, (test, TestResult("test_task::test_b", PASSED)), 0.1
        )

    monkeypatch.setattr(grading.runner, "run", run)
    _, row = graded(root, SOLUTION)
    assert (row.flags, row.outcome, row.score) == (("nondeterministic",), FAILED, 5)
    assert row.tests[0].got == "<f at 0x...> in task.py"


def test_a_class_that_equals_anything_is_pointed_at(root, monkeypatch):
    result = grading.Result("w01.t11", PASSED, (TestResult("test_task::test_a", PASSED),), 0.1)
    monkeypatch.setattr(grading.runner, "run", lambda *words, **options: result)
    own = "class Any:\n    def __eq__(self, other):\n        return True\n"
    _, row = graded(root, SOLUTION + own)
    assert row.flags == ("own-comparison",) and row.score == 10


def test_names_of_folders_differ():
    paths = [Path("a/x y.zip"), Path("b/x_y.zip"), Path("b/X_Y.zip"), Path("...zip")]
    names = [name for name, _ in grading.named(paths)]
    assert names[:3] == ["x_y", "x_y-2", "X_Y-3"] and len(set(names)) == 4


def test_fingerprint_sees_code_only():
    text = 'def f(x):\n    """Text."""\n    return x + 1\n'
    assert grading.fingerprint(text) == grading.fingerprint(
        "def f(x):  # one\n\n    return (x+1)\n"
    )
    assert grading.fingerprint(text) != grading.fingerprint("def f(x):\n    return x + 2\n")
    assert grading.fingerprint("def f(") == grading.fingerprint("(" * 10**5) == ""


def test_discrimination_by_hand():
    """Four of eight pass, the best four: correlation of 1..8 with 0,0,0,0,1,1,1,1 is 2 * sqrt(4/21)."""
    passed = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    told = class_report.discrimination(passed, np.arange(1.0, 9))
    assert told == {"correlation": round(2 * (4 / 21) ** 0.5, 4), "upper_lower": 1.0}
    same = class_report.discrimination(np.ones(8), np.arange(8.0))
    assert same == {"correlation": None, "upper_lower": 0.0}
    assert class_report.discrimination(np.ones(1), np.ones(1))["upper_lower"] is None


def test_analysis_of_a_class(tmp_path):
    def row(good: int, minutes: float | None, **facts: object) -> Row:
        tests = tuple(
            TestResult(
                f"test_task::test_{n}",
                PASSED if n < good else FAILED,
                concept="" if n < good else "c",
            )
            for n in range(2)
        )
        outcome = PASSED if good == 2 else FAILED
        return Row("w01.t01", outcome, 10.0, 5.0 * good, tests=tests, minutes=minutes, **facts)

    class_ = [
        Report("", (row(2, 10.0, hints=(1,)),), name="a"),
        Report("", (row(1, 30.0),), name="=b"),
        Report("", (row(1, None, flags=("network",)),), name="c"),
        Report("", (row(0, 20.0, gave_up=True),), name="d"),
    ]
    (task,) = class_report.analysis(class_)["tasks"]
    assert (task["pass_rate"], task["mean_score"], task["median_minutes"]) == (0.25, 0.5, 20.0)
    assert (task["hints"], task["gave_up"]) == (1, 1)
    assert task["concepts"] == [{"tag": "c", "submissions": 3}]
    first, second = task["tests"]
    # Three are best at everything but the second test, and one of them passes it.
    assert (first["pass_rate"], second["pass_rate"], second["upper_lower"]) == (0.75, 0.25, 0.3333)
    class_report.write(class_, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "'=b,5,10,5," in before["grades.csv"].decode()
    assert "c, w01.t01: network" in before["class.md"].decode()
    class_report.write(class_, tmp_path)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_every_flag_of_the_sandbox_has_a_meaning():
    """A flag that the reports do not know would end the grading of its submission."""
    import re

    from tasks.labs import fence, runner, sandbox

    for module in (fence, sandbox, runner, grading):
        text = Path(str(module.__file__)).read_text()
        told = re.findall(r'flags\.add\("([a-z-]+)"\)|return "([a-z]+-?[a-z]+)", (?:f?")', text)
        assert {one or two for one, two in told} <= set(reports.FLAGS)


@pytest.mark.slow
def test_solutions_of_all_tasks_have_all_points(tmp_path):
    """Of this repository: no test and no solution of ours trips a wire of the sandbox."""
    known = catalog.tasks(catalog.HOME)
    files = {submission.inside(task, "task.py"): task.source.read_bytes() for task in known}
    path = tmp_path / "all.zip"
    path.write_bytes(submission.zipped(files))
    report = grading.grade(catalog.HOME, path, name="all")
    wrong = [(row.task, row.outcome, row.flags, row.message) for row in report.rows if row.flags]
    assert not wrong and report.score == report.points
