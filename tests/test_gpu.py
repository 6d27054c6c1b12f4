"""What needs a GPU: half precision, compiling, sharding, and the same numbers as on the CPU."""

import pytest
import torch
from conftest import QUICK
from test_script import Script, weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
DIGITS = ("--data", "Digits", "--model.net", "CNN", "--trainer.accelerator", "gpu")
DIGITS += ("--trainer.devices", "1", *QUICK)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_precision(script: Script, precision: str) -> None:
    outcome = script(*DIGITS, "--trainer.precision", precision, "--trainer.max_epochs", "5")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/accuracy"] > 0.9
    assert all(value.dtype != torch.half for value in weights(outcome.folder).values())


def test_first_epoch_is_that_of_the_cpu(script: Script) -> None:
    gpu = script(*DIGITS, "--trainer.limit_train_batches", "3")
    cpu = script(*DIGITS, "--trainer.accelerator", "cpu", "--trainer.limit_train_batches", "3")
    assert gpu.summary["val/loss"] == pytest.approx(cpu.summary["val/loss"], rel=1e-2)


def test_compiled(script: Script) -> None:
    outcome = script(*DIGITS, "--compile", "--trainer.precision", "bf16-mixed")
    assert outcome.code == 0, outcome.err
    tested = script("test", "--ckpt_path", outcome.folder / "checkpoints" / "best.ckpt")
    assert tested.summary["test/accuracy"] == pytest.approx(
        outcome.summary["test/accuracy"], abs=0.02
    )


def test_sharded(script: Script) -> None:
    outcome = script(*DIGITS, "--trainer.strategy", "fsdp", "--trainer.precision", "bf16-mixed")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/accuracy"] > 0.5


def test_augmentation_runs_on_the_device(script: Script) -> None:
    outcome = script(*DIGITS, "--data.augment", "true", "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/accuracy"] > 0.8
