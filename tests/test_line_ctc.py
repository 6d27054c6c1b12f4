"""LineCTC: learning by heart, metrics, searches, figures, errors, and the run by the script."""
# from week 3

import csv
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_building import quiet_trainer
from test_models import Recorder
from test_script import Script, checkpoint
from torch import Tensor, nn
from torch.nn import functional as F

from lab.data.base import LabData
from lab.data.digit_lines import DigitLines
from lab.data.text_images import TextImages, pad_images, pad_targets, state_text_images
from lab.data.vocabulary import UNKNOWN, CharVocabulary
from lab.errors import LabError
from lab.figures import alignment, reading
from lab.language_model import load_language_model
from lab.models.line_ctc import LineCTC
from lab.models.reading import reading_baselines
from lab.nets.line_cnn import LineCNN
from lab.nets.line_cnn_lstm import LineCNNLSTM
from lab.nets.mlp import MLP
from lab.nets.sliding_cnn import SlidingCNN

LETTERS = "abc"
NETS: dict[str, Any] = {
    "LineCNN": partial(LineCNN, width=4, stride=2, features=24, depth=1),
    "LineCNNLSTM": partial(LineCNNLSTM, width=4, stride=2, features=16, lstm_width=12, depth=0),
    "SlidingCNN": partial(SlidingCNN, width=4, window=8, stride=2),
}
TEXTS = ("abc", "b", "ccab", "", "aa", "cab", "bcb", "a")
# Three errors.
SAID = ("abc", "b", "ccaa", "", "ab", "c", "bcb", "a")


class Bars(TextImages):
    """Images of which each letter is a bar of its own height, 6 columns from one to the next.

    Args:
        drawn: what the images show.
        texts: what is said to be there.
    """

    def __init__(self, drawn: list[str], texts: list[str], alphabet: tuple[str, ...]) -> None:
        self.drawn, self.texts, self.alphabet = drawn, texts, alphabet
        super().__init__(torch.tensor([[12, 6 * max(len(text), 1) + 3] for text in drawn]))

    def __getitems__(self, indices: Any) -> tuple[Tensor, ...]:
        images, targets = [], []
        for row in indices:
            image = torch.zeros(*self.sizes[row].tolist(), dtype=torch.uint8)
            for place, letter in enumerate(self.drawn[row]):
                image[: 3 * (1 + LETTERS.index(letter)), 6 * place + 2 : 6 * place + 5] = 255
            images.append(image)
            numbers = [self.alphabet.index(letter) for letter in self.texts[row]]
            targets.append(torch.tensor(numbers, dtype=torch.long))
        writers = torch.tensor([len(self.texts[row]) % 2 for row in indices])
        rows = torch.as_tensor(indices)
        return pad_images(images), self.sizes[rows], pad_targets(targets), writers


class BarLines(LabData):
    """The same few lines in all three sets; of the test it may be said that other texts are there."""

    writers = ("even", "odd")

    def __init__(
        self,
        *,
        batch_size: int = 8,
        num_workers: int = 0,
        said: tuple[str, ...] = TEXTS,
        unknown: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.alphabet = CharVocabulary(LETTERS, unknown=unknown).tokens
        self.text_length, self.said = 4, said
        state_text_images(self, height=12, width=27)

    def setup(self, stage: str) -> None:
        self.train_set = self.val_set = Bars(list(TEXTS), list(TEXTS), self.alphabet)
        self.test_set = Bars(list(TEXTS), list(self.said), self.alphabet)


def model(net: Any = NETS["LineCNN"], alphabet: Any = tuple(LETTERS), **options: Any) -> LineCTC:
    torch.manual_seed(0)
    return LineCTC((1, 12, 27), alphabet, 5, net, **options)


@pytest.mark.parametrize("name", NETS)
def test_the_first_loss_is_that_of_a_guess_and_a_batch_is_learnt_by_heart(name: str) -> None:
    losses, built = Recorder(), model(NETS[name], lr=2e-2, schedule="constant", warmup=0.0)
    options: dict[str, Any] = {"log_every_n_steps": 1, "limit_val_batches": 0, "max_epochs": 60}
    data = BarLines()
    trainer = quiet_trainer(logger=losses, gradient_clip_val=1.0, **options)
    trainer.fit(built, data)
    values = list(losses.values("train/loss").values())
    _, sizes, targets, _ = data.train_set.__getitems__(range(8))
    frames, lengths = (sizes[:, 1] + 1) // 2, (targets >= 0).sum(1)
    guess = torch.full((14, 8, 4), 0.25).log()
    loss = F.ctc_loss(guess, targets.clamp(min=0), frames, lengths, blank=3, reduction="sum")
    assert values[0] == pytest.approx(float(loss / lengths.sum()), rel=0.1)
    assert values[-1] < 0.1
    (found,) = quiet_trainer().validate(built, data, verbose=False)
    assert found["val/cer"] < 0.15, "the running statistics are not yet those of the batch"


class Says(nn.Module):
    """A net that says of each two columns which letter's bar is there, or none."""

    def __init__(self, input_shape: Any, num_outputs: int) -> None:
        super().__init__()
        self.sharp = nn.Parameter(torch.tensor(9.0))
        self.outputs = num_outputs

    def frames(self, sizes: Tensor) -> Tensor:
        return sizes[:, 1] // 2

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        heights = (images[:, 0, :, 2::2].sum(1) / 3).round().long()
        letter = torch.where(heights == 0, self.outputs - 1, heights + self.outputs - 5)
        return self.sharp * F.one_hot(letter, self.outputs).float()


def test_metrics_add_up_over_batches_and_figures_show_them() -> None:
    built = model(Says, beam=4)
    (found,) = quiet_trainer().test(built, BarLines(batch_size=3, said=SAID), verbose=False)
    assert found["test/cer"] == pytest.approx(4 / 15)
    assert found["test/wer"] == pytest.approx(3 / 7)
    assert found["test/exact_lines"] == pytest.approx(5 / 8)
    (whole,) = quiet_trainer().test(built, BarLines(said=SAID), verbose=False)
    assert whole == pytest.approx(found, rel=1e-5)
    names = ["alignment", "cer_by_length", "cer_by_writer", "random_lines", "worst_lines"]
    assert sorted(path.stem for path in Path("figures").glob("*.png")) == names
    rows = list(csv.DictReader(Path("figures/cer_by_writer.csv").read_text().splitlines()))
    assert [list(row.values()) for row in rows] == [
        ["even", "3", "6", "2", "0.3333"],
        ["odd", "5", "9", "2", "0.2222"],
    ]


def test_baselines_are_those_of_reading() -> None:
    data = BarLines()
    data.setup("fit")
    assert model(Says).baselines(data) == reading_baselines(data)


def test_the_unknown_character_is_never_read_and_always_an_error() -> None:
    class Unsure(Says):
        """It says the unknown character, which is the first, where there is a bar, and then the letter."""

        def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
            logits = super().forward(images, sizes)
            bar = logits[..., -1:] == 0
            return torch.cat([20.0 * bar + 0 * logits[..., :1], logits[..., 1:]], 2)

    data = BarLines(unknown=True)
    assert data.alphabet[0] == UNKNOWN
    data.setup("test")
    data.test_set.texts[0] = "ab" + "?"
    data.test_set.alphabet = ("?", *LETTERS)
    for beam in (1, 3):
        built = model(Unsure, data.alphabet, beam=beam)
        images, sizes, _, _ = batch = data.test_set.__getitems__(range(8))
        assert built.predict_step((images / 255, *batch[1:]), 0) == list(TEXTS)
    loader = BarLines(unknown=True)
    loader.setup = lambda stage: setattr(loader, "val_set", data.test_set)  # type: ignore
    (found,) = quiet_trainer().validate(built, loader, verbose=False)
    assert found["val/cer"] == pytest.approx(1 / 17)


def test_figures_draw_nothing_of_what_is_not_there() -> None:
    trainer: Any = SimpleNamespace(default_root_dir=".", loggers=[])
    right = reading.Line(0.0, torch.rand(8, 12), "ab", "ab")
    reading.ReadLines().draw(trainer, [right], [])
    assert not Path("figures").exists()
    # More characters than frames.
    line = reading.Line(0.5, torch.rand(8, 12), "a\nb$", "\u4e2d" * 200 + "$")
    few = alignment.Aligned(line, torch.randn(3, 4).log_softmax(-1), torch.zeros(201).long())
    alignment.Alignment().draw(trainer, [few])
    reading.ReadLines().draw(trainer, [line], [])
    assert Path("figures/worst_lines.png").exists()


def test_figures_of_several_processes_are_those_of_one() -> None:
    outputs = [{"read": ["ab", "c"], "truth": ["aa", "c"]}, {"read": [""], "truth": ["abc"]}]
    images, sizes = torch.zeros(2, 1, 12, 16), torch.tensor([[12, 10], [12, 16]])
    batches = [
        (images, sizes, None, torch.tensor([0, 1])),
        (images[:1], sizes[:1], None, torch.tensor([1])),
    ]
    for figure in (reading.ErrorsByLength(), reading.ErrorsByWriter()):
        parts = [figure.collect(*pair) for pair in zip(batches, outputs, strict=True)]
        (whole,) = figure.merge(parts)
        assert whole[1 if isinstance(figure, reading.ErrorsByWriter) else 3]["edits"] == 3
        assert sum(counts["lines"] for counts in whole.values()) == 3
    figure = reading.ReadLines()
    parts = [figure.collect(*pair) for pair in zip(batches, outputs, strict=True)]
    worst, random = figure.merge(parts)
    assert [line.truth for line in worst] == ["abc", "aa", "c"]
    assert sorted(line.truth for line in random) == ["aa", "abc", "c"]
    assert worst[1].ink.shape == (12, 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": ("\n", "a")}, "reads one line, the data have texts of several"),
        ({"net": partial(MLP, width=4)}, "--model.net MLP gives no logits along a line"),
        ({"net": partial(LineCNN, stride=3)}, "--model.net.stride 3"),
        (
            {"net": partial(SlidingCNN, stride=8)},
            "gives 4 frames .* 5 characters: lower its stride",
        ),
        ({"beam": 0}, "--model.beam 0"),
        ({"beam": 4, "language_model": "none.ckpt"}, "none.ckpt: there is no such checkpoint"),
        ({"language_model": "none.ckpt"}, "--model.language_model needs a search"),
        ({"lr": -1.0}, "--model.lr -1.0"),
    ],
)
def test_errors_name_the_option(change: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        model(**change)


# The script

SMALL = ["--data", "DigitLines", "--data.train_size", "40", "--data.batch_size", "20"]
SMALL += ["--model", "LineCTC", "--model.net.width", "4", "--model.net.features", "16"]
FEW = ["--trainer.max_epochs", "1", "--trainer.limit_val_batches", "2"]
FEW += ["--trainer.limit_test_batches", "2", "--trainer.enable_progress_bar", "false"]
FEW += ["--trainer.limit_predict_batches", "2"]


def test_a_run_leaves_figures_and_a_checkpoint_that_reads_with_a_language_model(
    script: Script,
) -> None:
    outcome = script(*SMALL, *FEW)
    assert outcome.code == 0, outcome.err
    head, *_ = [line for line in outcome.out.splitlines() if line.startswith("metric")]
    assert head.split()[1:] == ["value", "empty", "most_frequent"]
    assert outcome.summary["baseline/empty/test/cer"] == 1
    assert (outcome.folder / "figures/alignment.png").is_file()
    best = outcome.folder / "checkpoints/best.ckpt"
    words = ["--data", "MarkovText", "--model", "CharLM", "--model.net.width", "8"]
    language = script(*words, *FEW, "--trainer.limit_train_batches", "2")
    assert language.code == 0, language.err
    path = language.folder / "checkpoints/best.ckpt"
    search = ["predict", "--ckpt_path", best, "--model.beam", "3", *FEW]
    found = script(*search, "--model.language_model", path)
    assert found.code == 0, found.err
    assert len((found.folder / "predictions.txt").read_text().splitlines()) == 40
    with pytest.raises(LabError, match="not the checkpoint of a CharLM"):
        load_language_model(best, LETTERS)
    loaded = load_language_model(path, DigitLines().alphabet)
    saved = checkpoint(language.folder, "best")["state_dict"]
    for name, weight in loaded.net.named_parameters():
        assert torch.equal(weight, saved[f"net.{name}"])
