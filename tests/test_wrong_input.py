"""What a person can get wrong has a short answer: cause first, nearest names, code 2 (1 while running)."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import QUICK, Outcome

Script = Callable[..., Outcome]

# Words of the command, what the first line says, what a later line or the first offers.
COMMANDS = [
    ("--data MINST", "--data MINST: no such name", "MNIST"),
    ("--data digits", "--data digits: no such name", "Digits"),
    ("--data no.such.Module", "no.such.Module: cannot import no.such", ""),
    ("--data lab.data.digits.Digitz", "lab.data.digits has no Digitz", "Digits"),
    ("--model Classifier", "--model Classifier: no such name", "Classification"),
    ("--model.net MPL", "--model.net MPL: no such name", "MLP"),
    ("--model.net torchvision.models.resnet81", "has no resnet81", "resnet18"),
    ("--model.optimizer Adm", "--model.optimizer Adm: no such name", "Adam"),
    ("--data.batchsize 3", "unknown option --data.batchsize", "batch_size"),
    ("--data Curve --model Regression --data.function sin", "--data.function sin: no such", "sine"),
    ("--data EMNIST --data.split balance", "EMNIST has no such split", "balanced"),
    ("--data.batch_size 0", "--data.batch_size 0: a batch has at least 1 sample", ""),
    ("--data.batch_size many", "--data.batch_size many: expected int", ""),
    ("--data.num_workers -1", "--data.num_workers -1: choose 0", ""),
    ("--data.augment perhaps", "--data.augment perhaps: expected bool", ""),
    ("--model.learning_rate 1", "unknown option --model.learning_rate", ""),
    ("--model.lr fast", "--model.lr fast: expected float", ""),
    ("--model.lr -1", "--model.lr -1", ""),
    ("--model.top_k 11", "--model.top_k 11: choose 1 to 10", ""),
    ("--model.label_smoothing 1", "--model.label_smoothing 1", ""),
    ("--model.schedule cosin", "--model.schedule cosin", "cosine"),
    ("--model.warmup 2", "--model.warmup 2", ""),
    ("--model.input_shape [1,8,8]", "--model.input_shape", ""),
    ("--model.net.depht 3", "unknown option --model.net.depht", "depth"),
    ("--model.net.depth -1", "--model.net.depth -1: choose 0 or more", ""),
    ("--model.net.activation rleu", "--model.net.activation rleu", "relu"),
    ("--model.net.dropout 1", "--model.net.dropout 1", ""),
    ("--model.net CNN --model.net.depth 9", "images of 8x8 are too small", "--model.net.depth"),
    ("--model.optimizer SGD --model.optimizer.lr 1", "learning rate is an option of the model", ""),
    ("--model.optimizer.momentum 1", "--model.optimizer.momentum needs a class", ""),
    ("--model.optimizer SGD --model.optimizer.momentun 1", "unknown option", "momentum"),
    (
        "--data Digits --model Regression",
        "--data Digits does not fit --model Regression",
        "Classification",
    ),
    ("--data Curve", "--data Curve does not fit --model Classification", "Regression"),
    ("--data Curve --model Regression --model.net CNN", "reads images", "MLP"),
    ("--trainer.max_epoch 3", "unknown option --trainer.max_epoch", "max_epochs"),
    ("--trainer.max_epochs x", "--trainer.max_epochs x: expected int", ""),
    ("--trainer.max_epochs -5", "--trainer.max_epochs -5", ""),
    ("--trainer.precision 15", "--trainer.precision 15: expected", "16-mixed"),
    ("--trainer.accelerator quantum", "quantum", ""),
    ("--trainer.strategy dpd", "dpd", ""),
    ("--checkpoint.moniter x", "unknown option --checkpoint.moniter", "monitor"),
    ("--epochs 3", "unknown option --epochs", ""),
    ("--wandb.projekt x", "unknown option --wandb.projekt", "project"),
    ("--run_dir", "--run_dir needs a value", ""),
    ("digits", "'digits' is no subcommand", "fit"),
    ("tset", "'tset' is no subcommand", "test"),
    ("fit Digits", "'Digits' belongs to no option", "--help"),
    ("-c mnist_cn", "-c mnist_cn: no such file or preset", "mnist_cnn"),
    ("-c missing/none.yaml", "-c missing/none.yaml: no such file or preset", ""),
    ("-c broken.yaml", "-c broken.yaml: not valid YAML", ""),
    ("-c list.yaml", "-c list.yaml: a preset is a mapping", ""),
    ("-c typo.yaml", "unknown option --data.batchsize", "batch_size"),
    ("test", "test needs weights: --ckpt_path PATH", ""),
    ("predict --data Digits", "predict needs weights: --ckpt_path PATH", ""),
    ("--resume nowhere", "--resume nowhere: no run there", ""),
    ("--ckpt_path none.ckpt", "none.ckpt: there is no such checkpoint", ""),
    ("test --ckpt_path text.ckpt", "text.ckpt:", ""),
    ("test --ckpt_path bomb.ckpt", "bomb.ckpt: refused", ""),
    ("test --ckpt_path packed.ckpt", "packed.ckpt: refused", ""),
    ("test --ckpt_path cut.ckpt", "cut.ckpt:", ""),
    ("--ckpt_path other.ckpt", "other.ckpt: says nothing of its run", ""),
    ("--run_dir full", "--run_dir full: taken", ""),
    ("--run_dir text.ckpt/below", "cannot write the run folder", ""),
    ("--help Digit", "--help Digit: no such", "Digits"),
]


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("exploded"),))


@pytest.fixture
def files(own_folder: Path) -> None:
    Path("broken.yaml").write_text("data: [Digits")
    Path("list.yaml").write_text("- data")
    Path("typo.yaml").write_text("data: {class_path: Digits, init_args: {batchsize: 3}}")
    Path("text.ckpt").write_text("not a checkpoint")
    Path("bomb.ckpt").write_bytes(pickle.dumps(Bomb()))
    torch.save({"state_dict": Bomb()}, "packed.ckpt")
    torch.save({"state_dict": {"weight": torch.zeros(3)}}, "other.ckpt")
    Path("cut.ckpt").write_bytes(Path("other.ckpt").read_bytes()[:300])
    Path("full").mkdir()
    Path("full/something.txt").write_text("mine")


@pytest.mark.parametrize("words, cause, offer", COMMANDS, ids=[row[0] for row in COMMANDS])
def test_wrong_command(script: Script, files: None, words: str, cause: str, offer: str) -> None:
    outcome = script(*words.split(), "--trainer.enable_progress_bar", "false")
    lines = outcome.err.strip().splitlines()
    assert outcome.code == 2, outcome.err
    assert len(lines) <= 6 and "Traceback" not in outcome.err, outcome.err
    assert lines[0].startswith("error: ") and cause in lines[0], outcome.err
    assert offer in outcome.err
    assert not list(Path("runs").glob("*")), "a folder was left behind"
    assert not Path("exploded").exists()
    assert Path("full/something.txt").read_text() == "mine"


def test_unwritable_run_folder_leaves_nothing(script: Script) -> None:
    Path("runs").write_text("a file where the folder should be")
    outcome = script(*QUICK)
    assert outcome.code == 2 and "cannot write the run folder" in outcome.err


def test_nan_loss_stops_the_run(script: Script) -> None:
    outcome = script(*QUICK, "--model.lr", "1e30", "--model.net.norm", "none")
    assert outcome.code == 1
    lines = outcome.err.strip().splitlines()
    assert len(lines) <= 6 and lines[0].startswith("error: the training loss is nan at step")
    assert "--model.lr" in outcome.err


def test_weights_of_another_net(script: Script) -> None:
    first = script(*QUICK, "--model.net", "Linear")
    best = first.folder / "checkpoints" / "best.ckpt"
    outcome = script("fit", "--ckpt_path", best, "--model.net", "MLP", *QUICK)
    assert outcome.code == 2 and "weights of another net" in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 6


def test_resume_refuses_another_experiment(script: Script) -> None:
    first = script(*QUICK)
    outcome = script("--resume", first.folder, "--model.lr", "1")
    assert outcome.code == 2 and "--model.lr would change" in outcome.err


def test_run_folder_of_another_run_is_kept(script: Script) -> None:
    first = script(*QUICK, "--run_dir", "mine")
    before = (first.folder / "metrics.csv").read_text()
    outcome = script(*QUICK, "--run_dir", "mine")
    assert outcome.code == 2 and "--resume mine" in outcome.err
    assert (first.folder / "metrics.csv").read_text() == before


def test_no_network(script: Script) -> None:
    outcome = script("--data", "MNIST", *QUICK)
    lines = outcome.err.strip().splitlines()
    assert outcome.code == 1
    assert lines[0].startswith("error: cannot download train-images-idx3-ubyte.gz")
    assert "data/MNIST/raw/train-images-idx3-ubyte.gz" in outcome.err
    assert "LAB_DATA_DIR" in outcome.err and len(lines) <= 6
    assert not list(Path("data").rglob("*.part"))


def test_damaged_data_file(
    script: Script, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA_DIR", str(own_folder / "data"))
    raw = own_folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(b"half")
    outcome = script("--data", "MNIST", *QUICK)
    assert (
        outcome.code == 1 and "4 bytes, but train-images-idx3-ubyte.gz has 9912422" in outcome.err
    )
    assert (raw / "train-images-idx3-ubyte.gz").read_bytes() == b"half"


def test_error_in_a_users_net(
    script: Script, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("theirs.py").write_text(
        "from torch import nn\n"
        "class Broken(nn.Linear):\n"
        "    def __init__(self, input_shape, num_outputs):\n"
        "        super().__init__(3, num_outputs)\n"
    )
    monkeypatch.syspath_prepend(own_folder)
    outcome = script("--model.net", "theirs.Broken", *QUICK)
    assert outcome.code == 1 and len(outcome.err.strip().splitlines()) <= 6
    assert "RuntimeError: mat1 and mat2" in outcome.err
    assert "Traceback" in (outcome.folder / "error.txt").read_text()
