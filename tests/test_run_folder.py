"""The run folder and the files in it."""

import random
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.run import folder, report
from lab.run.metrics_file import MetricsFile, read_rows


def test_folders_of_one_second_do_not_collide() -> None:
    made = [folder.make(None, "x") for _ in range(5)]
    assert len({str(path) for path in made}) == 5
    assert all(path.is_dir() and path.parent == Path("runs") for path in made)


def test_only_an_empty_folder_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert folder.make(tmp_path / "empty", "x") == tmp_path / "empty"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("")
    with pytest.raises(LabError, match="--resume"):
        folder.make(tmp_path / "run", "x")


@pytest.mark.parametrize("rank", ["RANK", "LOCAL_RANK", "GROUP_RANK", "SLURM_PROCID"])
def test_other_processes_take_the_folder_of_the_first(
    monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    monkeypatch.setenv(rank, "1")
    with pytest.raises(LabError, match="--run_dir"):
        folder.make(None, "x")
    monkeypatch.setenv(folder.VARIABLE, "runs/theirs")
    assert folder.make(None, "x") == Path("runs/theirs")
    assert not Path("runs").exists()


def test_job_names_the_folder_so_that_all_nodes_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_PROCID", "0")
    first = folder.make(None, "x")
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert folder.make(None, "x") == first == Path("runs/slurm-17-x")
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "abc")
    assert folder.make(None, "x") == Path("runs/job-abc-x")


def test_resume_auto_prefers_the_newest_unfinished_run_of_the_command() -> None:
    for name, words, finished in [
        ("1", "--data A", False),
        ("2", "--data A", False),
        ("3", "--data A", True),
        ("4", "--data B", False),
        ("5", "predict --ckpt_path A.ckpt", False),
    ]:
        path = Path("runs") / name
        path.mkdir(parents=True)
        (path / "config.yaml").write_text("")
        (path / "command.txt").write_text(f"python training/run_experiment.py {words}\n")
        if finished:
            (path / "summary.json").write_text("{}")
    assert folder.to_resume("auto", None, ["--data", "A"]) == Path("runs/2")
    assert folder.to_resume("auto", None, []) == Path("runs/4")
    assert folder.to_resume("auto", None, ["--data", "C"]) is None


def test_experiment_words_leave_out_where_the_run_lies() -> None:
    words = [
        "--data",
        "A",
        "--resume",
        "auto",
        "--run_dir=x",
        "--wandb",
        "--run_dir",
        "y",
        "-c",
        "z",
    ]
    assert folder.experiment_words(words) == ["--data", "A", "--wandb", "-c", "z"]


def test_written_files_are_old_or_new(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("file")
    folder.write(path, "old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError):
        folder.write(path, "new")
    assert path.read_bytes() == b"old"


def test_metrics_of_a_step_share_a_row_and_new_columns_keep_old_rows(tmp_path: Path) -> None:
    log = MetricsFile(tmp_path)
    log.log_metrics({"train/loss": 2.5, "epoch": 0}, step=9)
    log.log_metrics({"train/loss": 1.0, "epoch": 0}, step=19)
    log.log_metrics({"val/loss": 3.25, "epoch": 0}, step=19)
    log.log_metrics({"train/loss": 0.1, "epoch": 1}, step=29)
    log.log_metrics({"val/loss": 3.0, "epoch": 1}, step=29)
    assert (tmp_path / "metrics.csv").read_text() == (
        "step,epoch,train/loss,val/loss\n9,0,2.5,\n19,0,1.0,3.25\n29,1,0.1,3.0\n"
    )


def test_metrics_file_is_whole_after_every_call(tmp_path: Path) -> None:
    dice, log, expected = random.Random(0), MetricsFile(tmp_path), {}
    for _ in range(300):
        step, name = max(expected, default=0) + dice.randrange(2), f"m{dice.randrange(12)}"
        value = dice.random() * 10 ** dice.randrange(-9, 9)
        log.log_metrics({name: value}, step=step)
        expected.setdefault(step, {})[name] = value
        rows = read_rows(tmp_path / "metrics.csv")
        found = {
            int(row["step"]): {k: float(v) for k, v in row.items() if v and k[0] == "m"}
            for row in rows
        }
        assert found == expected


def test_resumed_metrics_drop_what_is_done_again(tmp_path: Path) -> None:
    log = MetricsFile(tmp_path)
    for step in (9, 19, 29):
        log.log_metrics({"train/loss": step}, step=step)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("39,0,3")  # cut off by the kill
    resumed = MetricsFile(tmp_path, first_step=20)
    resumed.log_metrics({"train/loss": 1.5}, step=29)
    resumed.log_metrics({"train/loss": 1.25}, step=39)
    rows = read_rows(tmp_path / "metrics.csv")
    assert [(row["step"], row["train/loss"]) for row in rows] == [
        ("9", "9.0"),
        ("19", "19.0"),
        ("29", "1.5"),
        ("39", "1.25"),
    ]


def test_table_lines_up_and_marks_what_has_no_baseline() -> None:
    lines = report.table(
        {"test/accuracy": 0.98765, "x": 1.0}, report.by_name({"test/accuracy": 0.1})
    ).splitlines()
    assert lines[1].split() == ["test/accuracy", "0.9877", "0.1000"]
    assert lines[2].split() == ["x", "1.0000", "-"]
    assert len({len(line) for line in lines}) == 1


def test_each_named_baseline_has_its_column_and_its_keys() -> None:
    guesses = {
        "uniform": {"test/loss": 4.5},
        "bigram of letters": {"test/loss": 2.5, "test/x": 1.0},
    }
    named = report.by_name(guesses)
    head, loss, x = report.table({"test/loss": 1.5, "test/x": 2.0}, named).splitlines()
    assert head.split() == ["metric", "value", "uniform", "bigram", "of", "letters"]
    assert loss.split() == ["test/loss", "1.5000", "4.5000", "2.5000"]
    assert x.split() == ["test/x", "2.0000", "-", "1.0000"]
    assert len(head) == len(loss) == len(x)
    assert report.flat(named) == {
        "baseline/uniform/test/loss": 4.5,
        "baseline/bigram of letters/test/loss": 2.5,
        "baseline/bigram of letters/test/x": 1.0,
    }
    assert report.flat(report.by_name({"test/loss": 3.0})) == {"baseline/test/loss": 3.0}
    assert report.flat(report.by_name({})) == {}


def test_curves_have_a_panel_per_metric(tmp_path: Path) -> None:
    log = MetricsFile(tmp_path)
    for step in range(1, 50):
        log.log_metrics({"train/loss": 1 / step, "val/loss": 1.1 / step}, step=step)
        log.log_metrics({"val/accuracy": 1 - 1 / step, "test/loss": 3.0}, step=step)
    report.curves(tmp_path, "a run")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert report.finals(tmp_path)["val/accuracy"] == 1 - 1 / 49
