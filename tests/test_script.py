"""The script as its users call it: what a run leaves, and which options mean what."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import EXPERIMENTS, QUICK, ROOT, Outcome

Script = Callable[..., Outcome]
LEFT = ["checkpoints/best.ckpt", "checkpoints/last.ckpt", "command.txt", "config.yaml"]
LEFT += ["curves.png", "figures/confusion.png", "figures/worst_mistakes.png"]
LEFT += ["metrics.csv", "summary.json"]


def weights(folder: Path | None, name: str = "last") -> dict[str, torch.Tensor]:
    """The state of the model in a checkpoint of a run."""
    return checkpoint(folder, name)["state_dict"]


def checkpoint(folder: Path | None, name: str = "last") -> dict:
    assert folder is not None
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two states are equal to the last bit."""
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) for key in first
    )


def files(folder: Path | None) -> list[str]:
    assert folder is not None
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_run_without_arguments(script: Script) -> None:
    outcome = script()
    assert outcome.code == 0, outcome.err
    summary = outcome.summary
    assert summary["test/accuracy"] >= 0.97
    assert summary["baseline/test/accuracy"] < 0.2
    row = next(line for line in outcome.out.splitlines() if line.startswith("test/accuracy"))
    assert row.split()[1:] == [
        f"{summary['test/accuracy']:.4f}",
        f"{summary['baseline/test/accuracy']:.4f}",
    ]
    assert files(outcome.folder) == LEFT
    for key in ("seconds", "cpu_seconds", "epochs", "steps", "parameters", "torch"):
        assert summary[key], key
    # A release may have been unpacked outside of git.
    assert bool(summary["git_commit"]) == (ROOT / ".git").exists()
    assert summary["steps"] == summary["epochs"] * 19
    assert not any(isinstance(value, dict | list) for value in summary.values())
    assert "Warning" not in outcome.err


def test_config_of_a_run_repeats_it_to_the_last_bit(script: Script) -> None:
    options = ("--data.augment", "true", "--model.net.dropout", "0.2", "--trainer.max_epochs", "2")
    first = script("--data", "Digits", *options, "--seed_everything", "7")
    again = script("-c", first.folder / "config.yaml")
    assert again.code == 0, again.err
    assert same(weights(first.folder), weights(again.folder))
    assert first.folder != again.folder
    texts = [(run.folder / "config.yaml").read_text() for run in (first, again)]
    assert texts[0] == texts[1]


def test_command_is_kept_as_typed(script: Script) -> None:
    outcome = script(*QUICK, "--run_dir", "a folder")
    text = (Path("a folder") / "command.txt").read_text()
    assert text == f"python training/run_experiment.py {' '.join(QUICK)} --run_dir 'a folder'\n"
    assert outcome.folder == Path("a folder")


def test_options_before_a_preset_count_too(script: Script) -> None:
    preset = Path("mine.yaml")
    preset.write_text("data: {class_path: Digits, init_args: {batch_size: 300}}\n")
    outcome = script("--data.batch_size", "600", "-c", preset, *QUICK)
    assert outcome.summary["steps"] == 2
    assert yaml.safe_load((outcome.folder / "config.yaml").read_text())["model"]["init_args"][
        "net"
    ]["class_path"].endswith("MLP")


@pytest.mark.slow
def test_optimizer_keeps_its_own_defaults(script: Script) -> None:
    outcome = script(*QUICK, "--model.optimizer", "SGD", "--model.optimizer.momentum", "0.5")
    group = checkpoint(outcome.folder)["optimizer_states"][0]["param_groups"][0]
    assert (group["weight_decay"], group["momentum"]) == (0, 0.5)
    default = script(*QUICK)
    assert "betas" in checkpoint(default.folder)["optimizer_states"][0]["param_groups"][0]


def test_fit_from_a_checkpoint_takes_its_weights_and_the_commands_rate(script: Script) -> None:
    first = script(*QUICK)
    start = first.folder / "checkpoints" / "best.ckpt"
    outcome = script("fit", "--ckpt_path", start, "--model.lr", "1e-12", *QUICK)
    assert outcome.code == 0, outcome.err
    group = checkpoint(outcome.folder)["optimizer_states"][0]["param_groups"][0]
    assert group["initial_lr" if "initial_lr" in group else "lr"] == 1e-12
    before, after = weights(first.folder, "best"), weights(outcome.folder)
    for key in before:
        if "running" not in key and "num_batches" not in key:
            torch.testing.assert_close(after[key], before[key], atol=1e-8, rtol=0)


def test_the_best_checkpoint_is_tested_not_the_last(script: Script) -> None:
    # The highest loss as the best: that of the first epoch.
    outcome = script(
        *("--trainer.max_epochs", "4", "--checkpoint.mode", "max", "--run_dir", "run"),
    )
    assert checkpoint(outcome.folder, "best")["epoch"] == 0
    tested = [
        script("test", "--ckpt_path", f"run/checkpoints/{name}.ckpt").summary["test/loss"]
        for name in ("best", "last")
    ]
    assert outcome.summary["test/loss"] == pytest.approx(tested[0], rel=1e-6)
    assert tested[0] != pytest.approx(tested[1], rel=1e-2)


@pytest.mark.slow
def test_validate_and_predict(script: Script) -> None:
    first = script(*QUICK)
    best = first.folder / "checkpoints" / "best.ckpt"
    validated = script("validate", "--ckpt_path", best)
    assert validated.summary["val/loss"] == pytest.approx(first.summary["best/val/loss"], rel=1e-6)
    assert "val/accuracy" in validated.out
    predicted = script("predict", "--ckpt_path", best)
    assert predicted.code == 0, predicted.err
    found = torch.load(predicted.folder / "predictions.pt", weights_only=True)
    assert found.shape == (360, 10)
    torch.testing.assert_close(found.sum(1), torch.ones(360))


def test_checkpoints_have_plain_names_and_plain_values(script: Script) -> None:
    outcome = script("--trainer.max_epochs", "2", "--checkpoint.monitor", "val/accuracy")
    assert [f for f in files(outcome.folder) if "ckpt" in f] == LEFT[:2]
    assert checkpoint(outcome.folder, "best")["global_step"] == 19


def test_callbacks_of_a_preset_come_beside_our_own(script: Script) -> None:
    stop = "{class_path: EarlyStopping, init_args: {monitor: val/loss, stopping_threshold: 100.0}}"
    Path("early.yaml").write_text(f"trainer: {{callbacks: [{stop}]}}\n")
    outcome = script("-c", "early.yaml", "--trainer.max_epochs", "5")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["epochs"] == 1
    assert files(outcome.folder) == LEFT


@pytest.mark.slow
def test_without_a_logger_the_run_folder_is_the_same(script: Script) -> None:
    outcome = script(*QUICK, "--trainer.logger", "false")
    assert files(outcome.folder) == LEFT


def test_fast_dev_run_needs_a_value_and_then_works(script: Script) -> None:
    refused = script("--trainer.fast_dev_run")
    assert refused.code == 2 and "--trainer.fast_dev_run needs a value" in refused.err
    assert script("--trainer.fast_dev_run", "true").code == 0


@pytest.mark.slow
def test_one_batch_is_not_all_of_them(script: Script) -> None:
    limits = ["--trainer.limit_train_batches", "1", "--trainer.limit_test_batches=1.0"]
    outcome = script(*limits, "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["steps"] == 3
    again = script("-c", outcome.folder / "config.yaml")
    assert again.summary["steps"] == 3
    config = yaml.safe_load((again.folder / "config.yaml").read_text())["trainer"]
    kinds = [type(config[f"limit_{stage}_batches"]) for stage in ("train", "test")]
    assert kinds == [int, float]


@pytest.mark.slow
def test_accumulation_and_clipping(script: Script) -> None:
    options = ("--trainer.accumulate_grad_batches", "2", "--trainer.gradient_clip_val", "0.5")
    outcome = script(*QUICK, *options)
    assert outcome.summary["steps"] == 10


def test_steps_alone_end_a_run(script: Script) -> None:
    outcome = script("--trainer.max_steps", "25", "--trainer.max_epochs", "-1")
    assert outcome.summary["steps"] == 25
    again = script("-c", outcome.folder / "config.yaml")
    assert same(weights(outcome.folder), weights(again.folder))


@pytest.mark.slow
def test_compiling_changes_no_name_and_no_number(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = torch.nn.Module.compile
    calls = []

    def compile_eagerly(module: torch.nn.Module) -> None:
        calls.append(type(module).__name__)
        original(module, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", compile_eagerly)
    plain, compiled = script(*QUICK), script(*QUICK, "--compile")
    assert calls == ["MLP"]
    assert same(weights(plain.folder), weights(compiled.folder))
    tested = script("test", "--ckpt_path", compiled.folder / "checkpoints" / "best.ckpt")
    assert tested.code == 0, tested.err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_run(script: Script) -> None:
    outcome = script(*QUICK, "--compile")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/accuracy"] > 0.9


@pytest.mark.slow
def test_torchvision_net_by_import_path(script: Script) -> None:
    outcome = script(
        *("--model.net", "torchvision.models.mobilenet_v3_small", "--trainer.limit_train_batches"),
        *("2", "--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "1", *QUICK),
    )
    assert outcome.code == 0, outcome.err
    assert outcome.summary["parameters"] > 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop", "LBFGS", "Adagrad"])
def test_optimizers_by_name(script: Script, optimizer: str) -> None:
    outcome = script(
        *("--model.optimizer", optimizer, "--data.batch_size", "1200", "--model.lr", "0.01"), *QUICK
    )
    assert outcome.code == 0, outcome.err
    assert outcome.summary["steps"] == 1


def test_the_entry_point_names_no_problem() -> None:
    text = (ROOT / "training" / "run_experiment.py").read_text()
    code = text.partition('"""')[2].partition('"""')[2]
    names = [
        p.stem
        for folder in ("data", "nets", "models")
        for p in (ROOT / "lab" / folder).glob("*.py")
    ]
    found = [name for name in names if re.search(rf"\b{name}\b", code, re.IGNORECASE)]
    assert found == [] and len(text.splitlines()) <= 150
    for path in (ROOT / "lab" / "run").glob("*.py"):
        classes = re.findall(
            r"\b(Digits|MNIST|Classification|Regression|MLP|CNN|ResNet)\b", path.read_text()
        )
        assert classes == [] or path.name == "overview.py", path


def test_presets_begin_with_their_command() -> None:
    for preset in EXPERIMENTS.glob("*.yaml"):
        first = preset.read_text().splitlines()[0]
        assert re.fullmatch(r"# python training/run_experiment\.py.* +\(.+\)", first), preset
