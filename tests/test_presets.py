"""Every preset and sweep runs through the script, and the embedded ones reach what they say."""

import math
from pathlib import Path

import pytest
import torch
import yaml
from conftest import EXPERIMENTS, ROOT
from test_script import Script, weights

from lab.data.diabetes import Diabetes

PRESETS = sorted(EXPERIMENTS.glob("*.yaml"))
SHORT = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"]
SHORT += ["--trainer.limit_test_batches", "1", "--trainer.max_epochs", "1"]


# Their figures or judges take long whatever the number of batches.
LONG = ("pixels_mnist", "pixels_mnist_grey", "gan_mnist")


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param(path, marks=[pytest.mark.slow] if path.stem in LONG else [], id=path.stem)
        for path in PRESETS
    ],
)
def test_two_batches(
    script: Script, image_files: Path, monkeypatch: pytest.MonkeyPatch, preset: Path
) -> None:
    monkeypatch.setenv("LAB_DATA_DIR", str(image_files))
    outcome = script("-c", preset.stem, *SHORT)
    assert outcome.code == 0, outcome.err
    tested = {key: value for key, value in outcome.summary.items() if key.startswith("test/")}
    assert outcome.summary["steps"] > 0 and tested
    assert all(math.isfinite(value) for value in tested.values())
    assert outcome.folder.name.endswith(preset.stem)


def test_a_preset_is_the_same_by_name_and_by_path(script: Script) -> None:
    preset = EXPERIMENTS / "default.yaml"
    runs = [script("-c", word, *SHORT).folder for word in (preset.stem, preset)]
    first, second = ((folder / "config.yaml").read_text() for folder in runs)
    assert runs[0] != runs[1] and first == second


def test_linear_net_on_diabetes_is_least_squares(script: Script) -> None:
    outcome = script("-c", "diabetes_linear")
    assert outcome.code == 0, outcome.err
    found = weights(outcome.folder, "best")
    data = Diabetes()
    data.setup("fit")
    x, y = (tensor.double() for tensor in data.train_set.tensors)
    ones = torch.ones(len(x), 1, dtype=x.dtype)
    exact = torch.linalg.lstsq(torch.cat([x, ones], 1), y).solution.flatten()
    fitted = torch.cat([found["net.sum.weight"].flatten(), found["net.sum.bias"]]).double()
    torch.testing.assert_close(fitted, exact, atol=1e-3, rtol=0)
    assert 0.3 < outcome.summary["test/r2"] < 1


@pytest.mark.slow
def test_curve_is_fitted_down_to_its_noise(script: Script) -> None:
    outcome = script("-c", "curve_mlp")
    assert outcome.code == 0, outcome.err
    noise = 0.05
    assert 0.9 * noise < outcome.summary["test/rmse"] < 1.1 * noise
    assert outcome.summary["baseline/test/rmse"] > 2 * noise


def test_sweeps_start_the_script_with_options_last() -> None:
    for path in (ROOT / "training" / "sweeps").glob("*.yaml"):
        sweep = yaml.safe_load(path.read_text())
        assert (ROOT / sweep["program"]).is_file()
        assert sweep["command"][-1] == "${args}" and "--wandb" in sweep["command"]
        assert sweep["metric"]["name"].startswith("val/")


def test_sweep_parameters_are_options(script: Script) -> None:
    for path in (ROOT / "training" / "sweeps").glob("*.yaml"):
        sweep = yaml.safe_load(path.read_text())
        first = {
            key: (value.get("values") or [value["min"]])[0]
            for key, value in sweep["parameters"].items()
        }
        before = sweep["command"][3:-2]
        outcome = script(*before, *[f"--{key}={value}" for key, value in first.items()], *SHORT)
        assert outcome.code == 0, outcome.err
