"""LineTransformer: losses by hand, learning by heart, metrics, figures, errors, and the run by the script."""
# from week 4

import math
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
from lab.data.text_images import TextImages, pad_images, pad_targets, state_text_images
from lab.data.vocabulary import CharVocabulary
from lab.errors import LabError
from lab.figures.attention import Attention
from lab.models import line_transformer
from lab.models.line_transformer import LineTransformer, shifted
from lab.models.reading import reading_baselines
from lab.nets.line_cnn import LineCNN
from lab.nets.line_cnn_transformer import LineCNNTransformer
from lab.nets.resnet_transformer import ResNetTransformer  # from week 6

ALPHABET = tuple("\nabc")
END = len(ALPHABET)
SMALL = {"channels": 6, "width": 32, "heads": 1, "length": 16}
NETS: dict[str, Any] = {
    "LineCNNTransformer": partial(LineCNNTransformer, features=24, layers=1, depth=1, **SMALL),
    "ResNetTransformer": partial(ResNetTransformer, depth=2, **SMALL),  # from week 6
}
TEXTS = {
    "LineCNNTransformer": ("abc", "b", "ccab", "aa", "cab", "bcb"),
    "ResNetTransformer": ("ab\nc", "b", "cc\nab", "a\na\nb", "ca\nbc", "bc"),
}
every_net = pytest.mark.parametrize("name", NETS)


class Bars(TextImages):
    """Images of which each letter is a bar of its own height, 6 columns wide, in rows of 14."""

    def __init__(self, texts: tuple[str, ...], alphabet: tuple[str, ...]) -> None:
        self.texts, self.alphabet = list(texts), alphabet
        lines = [text.split("\n") for text in texts]
        sizes = [[14 * len(page), 6 * max(map(len, page)) + 3] for page in lines]
        super().__init__(torch.tensor(sizes))

    def __getitems__(self, indices: Any) -> tuple[Tensor, ...]:
        images, targets = [], []
        for number in indices:
            image = torch.zeros(*self.sizes[number].tolist(), dtype=torch.uint8)
            for row, line in enumerate(self.texts[number].split("\n")):
                for place, letter in enumerate(line):
                    top, left = 14 * row + 1, 6 * place + 2
                    image[top : top + 3 * "abc".index(letter) + 3, left : left + 3] = 255
            images.append(image)
            targets.append(torch.tensor([*map(self.alphabet.index, self.texts[number])]))
        rows = torch.as_tensor(indices)
        return pad_images(images), self.sizes[rows], pad_targets(targets), rows * 0


class BarPages(LabData):
    """The same few pages in all three sets."""

    writers = ("unknown",)

    def __init__(
        self, *, batch_size: int = 6, num_workers: int = 0, kind: str = "LineCNNTransformer"
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.alphabet, self.text_length, self.kind = ALPHABET, 6, kind
        state_text_images(self, height=42, width=27)

    def setup(self, stage: str) -> None:
        self.train_set = self.val_set = self.test_set = Bars(TEXTS[self.kind], self.alphabet)

    def batch(self) -> Any:
        """All pages as the net sees them."""
        self.setup("test")
        assert self.batch_transform is not None
        return self.batch_transform(self.test_set.__getitems__(range(6)))


def model(net: Any = "LineCNNTransformer", alphabet: Any = ALPHABET, **options: Any) -> Any:
    torch.manual_seed(0)
    height = 14 if net == "LineCNNTransformer" else 42
    return LineTransformer((1, height, 27), alphabet, 6, NETS.get(net, net), **options)


@pytest.mark.parametrize("name", NETS)
def test_the_first_loss_is_that_of_a_guess_and_a_batch_is_learnt_by_heart(name: str) -> None:
    losses, built = Recorder(), model(name, lr=1e-2, schedule="constant", warmup=0.0)
    options: dict[str, Any] = {"log_every_n_steps": 1, "limit_val_batches": 0, "max_epochs": 50}
    data = BarPages(kind=name)
    quiet_trainer(logger=losses, gradient_clip_val=1.0, **options).fit(built, data)
    values = list(losses.values("train/loss").values())
    assert values[0] == pytest.approx(math.log(5), abs=0.2)
    assert values[-1] < 0.1
    (found,) = quiet_trainer().validate(built, data, verbose=False)
    assert found["val/cer"] < 0.15, "the running statistics are not yet those of the batch"
    assert set(found) == {"val/loss", "val/cer", "val/wer", "val/exact_lines"}


def test_a_net_is_given_what_comes_before_and_padding_is_no_target() -> None:
    targets = torch.tensor([[2, 1, 3], [1, -100, -100], [-100, -100, -100]])
    given, wanted = shifted(targets, 4)
    assert given.tolist() == [[4, 2, 1, 3], [4, 1, 4, 4], [4, 4, 4, 4]]
    assert wanted.tolist() == [[2, 1, 3, 4], [1, 4, -100, -100], [4, -100, -100, -100]]


@every_net
def test_the_loss_is_the_mean_over_characters_and_ends_of_each_image_alone(name: str) -> None:
    built = model(name).double().eval()
    images, sizes, targets, _ = BarPages(kind=name).batch()
    images, smoothing = images.double(), 0.2
    memory, mask = built.encode(images, sizes)
    loss, count = built.text_loss(memory, mask, targets)
    smooth, _ = built.text_loss(memory, mask, targets, smoothing=smoothing)
    terms, smooth_terms, ctc = [], [], 0.0
    for image, (height, width), target in zip(images, sizes.tolist(), targets, strict=True):
        text = target[target >= 0].tolist()
        alone = image[None, :, :height, :width]
        log_probs = built(alone, torch.tensor([[END, *text]]))[0].log_softmax(-1)
        for row, token in zip(log_probs, [*text, END], strict=True):
            terms.append(-row[token])
            smooth_terms.append(-(1 - smoothing) * row[token] - smoothing * row.mean())
        frames = built.places(built.encode(alone, None)[0]).log_softmax(-1).transpose(0, 1)
        length = torch.tensor([len(text)])
        ctc += F.ctc_loss(
            frames, torch.tensor([text]), torch.tensor([len(frames)]), length, END, reduction="sum"
        )
    assert int(count) == len(terms)
    torch.testing.assert_close(loss.double(), torch.stack(terms).mean(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        smooth.double(), torch.stack(smooth_terms).mean(), rtol=1e-5, atol=1e-5
    )
    characters = (targets >= 0).sum()
    found = built.place_loss(memory, mask, targets)
    torch.testing.assert_close(found.double(), ctc / characters, rtol=1e-5, atol=1e-5)


def test_training_adds_the_weighted_second_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_transformer, "log_training_loss", lambda model, loss: None)
    batch, found = BarPages().batch(), []
    for weight in (0.0, 0.5, 1.0):
        built = model(ctc_weight=weight, smoothing=0.1)
        found.append(built.training_step(batch, 0).item())
        assert hasattr(built, "places") == (weight > 0)
    assert (
        found[2] - found[1] == pytest.approx(found[1] - found[0], rel=1e-4) and found[1] > found[0]
    )


@every_net
def test_padding_changes_nothing_of_what_is_read(name: str) -> None:
    built = model(name)
    images, sizes, targets, _ = BarPages(kind=name).batch()
    built.train()
    for _ in range(3):
        built.encode(images, sizes)
    built.eval()
    given, _ = shifted(targets, END)
    more = 0 if name == "LineCNNTransformer" else 17
    logits = built(F.pad(images, (0, 21, 0, more)), given, sizes)
    torch.testing.assert_close(logits, built(images, given, sizes), rtol=1e-5, atol=1e-5)
    for place, (height, width) in enumerate(sizes.tolist()):
        alone = built(images[[place], :, :height, :width], given[[place]])
        torch.testing.assert_close(alone[0], logits[place], rtol=1e-5, atol=1e-5)
        _, looks = built.looks(images[place, :, :height, :width])
        down, along = built.net.strides
        assert looks.shape[1:] == (-(-height // down), -(-width // along))


class Says(nn.Module):
    """A net that reads the bars of a single line, and looks at each where it is."""

    strides = (14, 6)

    def __init__(self, input_shape: Any, num_outputs: int) -> None:
        super().__init__()
        self.decoder = Spells(num_outputs)

    def encode(self, images: Tensor, sizes: Any) -> tuple[Tensor, None]:
        heights = images[:, 0, :, 3::6].sum(1).long() // 3
        letters = (heights + self.decoder.outputs - 5).where(heights > 0, self.decoder.outputs - 1)
        return F.pad(letters, (0, 1), value=self.decoder.outputs - 1), None


class Spells(nn.Module):
    """A decoder whose memory (B, N) is what it is to say."""

    length, memory_width = 9, 4

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs, self.sharp = outputs, nn.Parameter(torch.tensor(9.0))

    def forward(self, tokens: Tensor, memory: Tensor, mask: None) -> Tensor:
        return self.sharp * F.one_hot(memory, self.outputs).float()[:, : tokens.shape[1]]

    def start(self, memory: Tensor, mask: None, room: int) -> Any:
        self.seen, self.place = memory, 0
        return self

    def step(self, tokens: Tensor, cache: Any) -> Tensor:
        self.place += 1
        return self.sharp * F.one_hot(self.seen[:, self.place - 1], self.outputs).float()

    def keep(self, rows: Tensor) -> None:
        self.seen = self.seen[rows]

    swap = keep

    def looks(self, tokens: Tensor, memory: Tensor, mask: None) -> Tensor:
        return torch.eye(memory.shape[1])[None, : tokens.shape[1]]


@pytest.mark.parametrize("beam", [1, 3])
def test_metrics_add_up_over_batches_and_figures_show_them(beam: int) -> None:
    data = BarPages(kind="LineCNNTransformer", batch_size=4)
    built = model(Says, beam=beam)
    (found,) = quiet_trainer().test(built, data, verbose=False)
    assert found["test/cer"] == 0 and found["test/exact_lines"] == 1
    assert found["test/loss"] == pytest.approx(math.log(1 + 4 * math.exp(-9)), rel=1e-3)
    names = ["attention", "cer_by_length", "cer_by_writer", "random_lines"]
    assert sorted(path.stem for path in Path("figures").glob("*.png")) == names
    assert built.baselines(data) == reading_baselines(data)
    assert built.predict_step(data.batch(), 0) == list(TEXTS["LineCNNTransformer"])
    text, looks = built.looks(data.batch()[0][0])
    assert text == "abc" and looks.shape == (3, 1, 6) and looks.sum() == 3


def test_the_unknown_character_is_never_read() -> None:
    vocabulary = CharVocabulary("abc", unknown=True).tokens
    built = model(Says, vocabulary)
    images, sizes, _, _ = BarPages(kind="LineCNNTransformer").batch()
    # What is a bar of height a is now taken for the unknown one.
    built.net.decoder.outputs -= 1
    assert built.never == [0] and vocabulary[0] not in "".join(built.read(images, sizes))


def test_of_an_empty_text_only_the_image_is_shown() -> None:
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=".", loggers=[])
    trainer.sanity_checking = trainer.strategy = False
    nothing = SimpleNamespace(
        net=Says((1, 14, 27), 5), looks=lambda image: ("", torch.zeros(0, 1, 5))
    )
    figure = Attention()
    figure.on_test_epoch_end(trainer, nothing)
    assert not Path("figures").exists(), "no image, no figure"
    figure.on_test_batch_end(trainer, nothing, None, BarPages(kind="ResNetTransformer").batch(), 0)
    assert len(figure.kept) == 4 and {tuple(image.shape[1:]) for _, image in figure.kept} <= {
        (28, 15), (14, 9), (42, 9), (14, 15),
    }  # fmt: skip
    figure.on_test_epoch_end(trainer, nothing)
    assert Path("figures/attention.png").is_file() and figure.kept == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": partial(LineCNN, width=4)}, "--model.net LineCNN has no encoder and decoder"),
        ({"net": partial(LineCNNTransformer, length=6)}, "--model.net.length 6: .* choose 7 or"),
        ({"smoothing": 1.0}, "--model.smoothing 1.0"),
        ({"ctc_weight": -1.0}, "--model.ctc_weight -1.0"),
        ({"beam": 0}, "--model.beam 0"),
        ({"lr": -1.0}, "--model.lr -1.0"),
        # >>> from week 6
        ({"net": partial(ResNetTransformer, channels=0)}, "--model.net.channels 0"),
        ({"net": partial(ResNetTransformer, blocks=0)}, "--model.net.blocks 0"),
        ({"net": partial(ResNetTransformer, stem_stride=0)}, "--model.net.stem_stride 0"),
        ({"net": partial(ResNetTransformer, length=0)}, "--model.net.length 0"),
        ({"net": partial(ResNetTransformer, width=30, heads=4)}, "--model.net.width 30"),
        ({"net": partial(ResNetTransformer, stem_stride=9)}, "images of 42x27 are too small"),
        # <<< from week 6
        ({"net": partial(LineCNNTransformer, channels=0)}, "--model.net.channels 0"),
        ({"net": partial(LineCNNTransformer, layers=-1)}, "--model.net.layers -1"),
        ({"net": partial(LineCNNTransformer, length=0)}, "--model.net.length 0"),
        ({"net": partial(LineCNNTransformer, stride=3)}, "--model.net.stride 3"),
        ({"net": partial(LineCNNTransformer, heads=0)}, "--model.net.heads 0"),
    ],
)
def test_errors_name_the_option(change: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        model(**change)


# >>> from week 6
def test_a_stem_that_keeps_the_size_gives_places_of_half_the_side() -> None:
    net = ResNetTransformer((3, 21, 14), 5, channels=4, blocks=2, stem_stride=1)
    memory, mask = net.encode(torch.rand(2, 3, 21, 14), torch.tensor([[21, 14], [9, 3]]))
    assert net.strides == (4, 2) and memory.shape == (2, 6 * 7, net.decoder.memory_width)
    assert mask is not None and mask.sum(1).tolist() == [6 * 7, 3 * 2]


# <<< from week 6
# The script


def test_a_run_leaves_figures_and_a_checkpoint_that_reads_by_beam_search(script: Script) -> None:
    words = ["--data", "DigitLines", "--model", "LineTransformer"]
    # >>> from week 6
    words = ["--data", "DigitParagraphs", "--model", "LineTransformer"]
    words += ["--model.net", "ResNetTransformer"]
    # <<< from week 6
    words += ["--data.train_size", "32", "--model.net.channels", "4"]
    few = ["--trainer.max_epochs", "1", "--trainer.limit_val_batches", "1"]
    few += ["--trainer.limit_test_batches", "1", "--trainer.enable_progress_bar", "false"]
    outcome = script(*words, *few)
    assert outcome.code == 0, outcome.err
    assert outcome.summary["baseline/empty/test/cer"] == 1
    assert (outcome.folder / "figures/attention.png").is_file()
    best = outcome.folder / "checkpoints/best.ckpt"
    loaded = torch.load(best, weights_only=True)["state_dict"]
    assert loaded.keys() == checkpoint(outcome.folder, "best")["state_dict"].keys()
    limit = ("--trainer.limit_predict_batches", "1", "--data.batch_size", "2")
    found = script("predict", "--ckpt_path", best, "--model.beam", "2", *limit)
    assert found.code == 0, found.err
    assert (found.folder / "predictions.txt").is_file()
    wrong = script("--data", "Digits", "--model", "LineTransformer")
    assert wrong.code == 2 and "it states no alphabet" in wrong.err
