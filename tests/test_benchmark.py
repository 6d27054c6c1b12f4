"""The benchmark: its arithmetic, its loop by hand, and a trial of all parts; never how fast anything is."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn
from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

FILE = Path(__file__).resolve().parents[1] / "training" / "benchmark.py"
FILES = {path.stem for path in FILE.parent.glob("benchmarks/*.py")}
PARTS = sorted(FILES - {"__init__", "measuring"})


@pytest.fixture(autouse=True)
def beside_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are found as when the benchmark is run."""
    monkeypatch.syspath_prepend(FILE.parent)


@pytest.fixture
def measuring(beside_the_script: None) -> ModuleType:
    return importlib.import_module("benchmarks.measuring")


@pytest.fixture
def benchmark(beside_the_script: None) -> ModuleType:
    return importlib.import_module("benchmark")


def part(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def test_a_row_compares_medians_and_shows_the_spread(measuring: ModuleType) -> None:
    row = measuring.compare("epoch", "s", [3.0, 2.0, 8.0], [2.0, 1.0, 2.0])
    numbers = {"ours": 3.0, "theirs": 2.0, "difference": 1.0, "ratio": 1.5}
    assert row == {"what": "epoch", "unit": "s", **numbers, "lowest": 1.5, "highest": 4.0}


def test_a_row_can_compare_minima(measuring: ModuleType) -> None:
    row = measuring.compare("epoch", "s", [3.0, 2.0, 8.0], [2.0, 1.0, 2.0], min)
    assert (row["ours"], row["theirs"], row["ratio"]) == (2.0, 1.0, 2.0)


def test_lists_of_different_length_are_refused(measuring: ModuleType) -> None:
    with pytest.raises(ValueError, match="zip"):
        measuring.compare("epoch", "s", [3.0, 2.0], [2.0])


def test_contestants_take_turns(measuring: ModuleType) -> None:
    order: list[str] = []

    def contestant(name: str) -> int:
        order.append(name)
        return len(order)

    found = measuring.alternate(2, lambda: contestant("a"), lambda: contestant("b"))
    assert order == ["a", "b", "a", "b"]
    assert found == [(1, 3), (2, 4)]


def test_the_table_is_aligned(benchmark: ModuleType, measuring: ModuleType) -> None:
    rows = [measuring.compare(what, "s", [1.0], [4.0]) for what in ("short", "somewhat longer")]
    head, *lines = benchmark.table(rows).splitlines()
    assert head.split() == [*rows[0]]
    assert [line[head.index("ratio") :].split()[0] for line in lines] == ["0.25", "0.25"]
    assert benchmark.table([]) == ""


def test_generated_files_are_read_like_the_real_ones(benchmark: ModuleType, tmp_path: Path) -> None:
    benchmark.generate(tmp_path / "raw", 12)
    shapes = {
        path.name: tuple(read_sn3_pascalvincent_tensor(str(path)).shape)
        for path in (tmp_path / "raw").iterdir()
    }
    assert shapes == {
        "train-images-idx3-ubyte": (12, 28, 28),
        "train-labels-idx1-ubyte": (12,),
        "t10k-images-idx3-ubyte": (2, 28, 28),
        "t10k-labels-idx1-ubyte": (2,),
    }


def test_the_loop_by_hand_learns() -> None:
    by_hand = part("epoch").by_hand
    torch.manual_seed(0)
    x = torch.randn(64, 2)
    y = (x[:, 0] > 0).long()
    net = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(net.parameters(), 0.1)
    losses = [by_hand(net, optimizer, [(x, y)] * 50, [(x, y)] * 2)[0] for _ in range(2)]
    loss, right = by_hand(net, optimizer, [], [(x, y)] * 2)
    assert loss == losses[1] < losses[0]
    assert right >= 120
    expected = nn.functional.cross_entropy(net(x), y, reduction="sum").item()
    assert loss == pytest.approx(2 * expected)


def test_speed_counts_the_samples_after_all_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = part("loader")
    times = iter([10.0, 12.0])
    monkeypatch.setattr(loader.time, "process_time", lambda: next(times))
    batches = [(None, [0, 1]), (None, [2, 3, 4])]
    doubled = loader.speed(batches, lambda batch: (batch[0], batch[1] * 2))
    assert doubled == 5.0


def test_parts_are_the_files_of_the_folder(benchmark: ModuleType) -> None:
    known = benchmark.parts()
    assert list(known) == PARTS
    for line in known.values():
        assert " / " in line and line[-1] in ".;"


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_trial_of_each_part(tmp_path: Path, name: str) -> None:
    command = [sys.executable, str(FILE), "--quick", "--only", name, "--json", "numbers.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert numbers["data"] == "5640 generated images"
    assert {"date", "cpu", "cores", "gpu", "python", "torch", "git"} <= set(numbers)
    rows = numbers["rows"]
    assert len(rows) > 0 or (name == "gpu" and not torch.cuda.is_available())
    for row in rows:
        for key in ("ours", "theirs", "ratio", "lowest", "highest"):
            assert 0 < row[key] < math.inf
        assert row["lowest"] <= row["highest"]
        assert row["what"] in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]
