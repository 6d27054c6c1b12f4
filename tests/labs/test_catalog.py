"""Weeks and tasks are found, whatever a student calls them, and mistakes of authors are named."""

from pathlib import Path

import pytest
import small_repository as small

from lab.errors import LabError
from tasks.labs import catalog, regions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    small.source(tmp_path)
    return tmp_path


def test_tasks_are_in_order_with_what_they_state(root: Path) -> None:
    for number in (12, 2):
        small.add(root, number, deps=("w01.t11",))
    (week,) = catalog.weeks(root)
    assert (week.number, week.title) == (1, "Fundamentals")
    assert [task.id for task in catalog.tasks(root)] == ["w01.t02", "w01.t11", "w01.t12"]
    task = catalog.find(root, "t11")
    assert (task.week, task.minutes, task.points, task.budget) == (1, 25, 10, 20)
    assert task.deps == () and catalog.find(root, "t12").deps == ("w01.t11",)
    assert task.seeds == (0, 1, 2) and task.memory == 2048


@pytest.mark.parametrize(
    "name",
    [
        "w01.t11",
        "W01.T11",
        "t11",
        " T11 ",
        "11",
        "t11_linear_regression",
        "linear_regression",
        f"tasks/{small.T11}",
        f"tasks/{small.T11}/README.md",
        f"work/{small.T11}/task.py",
    ],
)
def test_a_task_has_many_names(root: Path, name: str) -> None:
    assert catalog.find(root, name).id == "w01.t11"


def test_one_digit_is_a_number_too(root: Path) -> None:
    small.add(root, 1)
    assert {catalog.find(root, name).id for name in ("1", "t1", "t01", "01")} == {"w01.t01"}


def test_wrong_names_lead_to_the_right_one(root: Path) -> None:
    with pytest.raises(LabError, match="nearest: linear_regression"):
        catalog.find(root, "linear-regresion")
    with pytest.raises(LabError, match="no task ' '; nearest: "):
        catalog.find(root, " ")
    for number in (1, 2):
        small.add(root, number)
    with pytest.raises(LabError, match=r"w01.t01, w01.t02: give the whole id"):
        catalog.find(root, "small")


def test_a_clone_of_the_source_keeps_the_students_file_apart(root: Path) -> None:
    task = catalog.find(root, "t11")
    assert catalog.is_source(root)
    assert task.file == root / "work" / small.T11 / "task.py"
    assert task.stub() == regions.stub(task.source.read_text(), "w01.t11")


def test_in_a_release_the_student_edits_the_task_itself(tmp_path: Path) -> None:
    file = small.release(tmp_path)
    task = catalog.find(tmp_path, "t11")
    assert not catalog.is_source(tmp_path)
    assert task.file == task.source == file
    file.unlink()
    assert "raise NotDone" in task.stub()


def test_the_repository_is_found_from_within(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (root, root / "tasks", root / "tasks" / small.T11):
        monkeypatch.chdir(folder)
        assert catalog.repository() == root
    assert catalog.repository(root / "tasks" / small.WEEK) == root


def test_elsewhere_it_is_that_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalog.repository() == small.HOME
    monkeypatch.setattr(catalog, "HOME", tmp_path)
    with pytest.raises(LabError, match="call `labs` inside of the repository"):
        catalog.repository()


@pytest.mark.parametrize(
    ("find", "replace", "told"),
    [
        ("minutes = 25", "minuets = 25", "unknown 'minuets'; nearest: minutes"),
        ("minutes = 25\n", "", "task.toml: missing 1 required positional argument: 'minutes'"),
        ('"w01.t11"', '"w01.t12"', "the id of this folder is w01.t11, not w01.t12"),
        ('"w01.t11"', '"w02.t11"', "the id of this folder is w01.t11, not w02.t11"),
        ("points = 10", "points = ", "task.toml: Invalid value"),
    ],
)
def test_mistakes_in_a_task_are_named(root: Path, find: str, replace: str, told: str) -> None:
    path = root / "tasks" / small.T11 / "task.toml"
    text = path.read_text()
    assert text.count(find) == 1
    path.write_text(text.replace(find, replace))
    with pytest.raises(LabError, match=told):
        catalog.weeks(root)


@pytest.mark.parametrize(
    ("text", "told"), [("title = 'a'", "lacks 'lecture'"), ("title =", "Invalid value")]
)
def test_mistakes_in_a_week_are_named(root: Path, text: str, told: str) -> None:
    (root / "tasks" / small.WEEK / "week.toml").write_text(text)
    with pytest.raises(LabError, match=told):
        catalog.weeks(root)


def test_every_task_of_this_repository_states_what_it_should() -> None:
    for task in catalog.tasks(small.HOME):
        assert 5 <= task.points <= 15 and 1 <= task.difficulty <= 5 and 20 <= task.budget <= 120
        assert task.sources and task.title and task.topic and task.minutes
        known = {other.id for other in catalog.tasks(small.HOME)}
        assert set(task.deps) <= known
