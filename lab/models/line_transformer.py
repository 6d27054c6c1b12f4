"""Writing down images of text with any encoder-decoder net: each character given the image and those before.

Letters: B images, L characters of the longest text, V characters of the alphabet, N places of a memory.
Number V is the end of a text, and what the net reads before its first character.
Batch: images (B, 1, H, W), sizes (B, 2), targets (B, L), writers (B,), see `lab.data.text_images`.
Run:   python training/run_experiment.py --data DigitLines --model LineTransformer
"""
# from week 4

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.errors import LabError
from lab.figures.attention import Attention
from lab.figures.reading import ErrorsByLength, ErrorsByWriter, ReadLines
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.line_ctc import ctc_losses
from lab.models.logging import log_metrics, log_training_loss
from lab.models.reading import (
    never_read,
    reading_baselines,
    reading_metrics,
    texts_of,
    update_texts,
)
from lab.transcribing import Transcripts, transcribe

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
# Such a target is none.
IGNORED = -100


class LineTransformer(pl.LightningModule):
    """Reads lines or pages character by character, by cross entropy of each one and of the end.

    In training the net is given the true characters before each one (teacher forcing, Williams & Zipser
    1989); in validation and test it reads on its own. Their `loss` is the mean over characters and ends,
    given the true ones before.

    Args:
        input_shape: (1, H, W) of the largest image, from the data module.
        alphabet: the V characters by number, from the data module.
        text_length: most characters of a text, from the data module.
        net: builds the net that maps images, tokens (B, L) and sizes to logits (B, L, V + 1).
        smoothing: share of each target that is spread over all tokens (Szegedy et al. 2016).
        ctc_weight: weight of a second loss, CTC of the memory's places in reading order, from which the net
            learns where characters are long before it could by attention (Watanabe et al. 2017).
        beam: how many beginnings of a text `test` and `predict` follow at once; 1 takes the likeliest
            character each time, as validation does.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: a net of another kind, or an option out of range.
    """

    defaults = {"data": "DigitLines", "net": "LineCNNTransformer"}
    monitor = ("val/cer", "min")

    def __init__(
        self,
        input_shape: Sequence[int],
        alphabet: Sequence[str],
        text_length: int,
        net: NetBuilder,
        *,
        smoothing: float = 0.0,
        ctc_weight: float = 1.0,
        beam: int = 1,
        lr: float = 2e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "onecycle",
        warmup: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise LabError(f"--model.smoothing {smoothing}: choose 0 to below 1")
        if not 0 <= ctc_weight < math.inf:
            raise LabError(f"--model.ctc_weight {ctc_weight}: choose 0 (none) or more")
        if beam < 1:
            raise LabError(f"--model.beam {beam}: choose 1 (none) or more")
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.alphabet, self.text_length = tuple(alphabet), text_length
        self.smoothing, self.beam, self.end = smoothing, beam, len(self.alphabet)
        self.never = never_read(self.alphabet)
        self.net = build_net(net, input_shape, self.end + 1)
        check_net(self.net, text_length)
        self.ctc_weight = ctc_weight
        if ctc_weight:
            self.places = nn.Linear(self.decoder.memory_width, self.end + 1)
        self.metrics = nn.ModuleDict({stage: reading_metrics() for stage in ("val", "test")})

    @property
    def decoder(self) -> Any:
        return self.net.decoder

    def forward(self, images: Tensor, tokens: Tensor, sizes: Tensor | None = None) -> Tensor:
        return self.net(images, tokens, sizes)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, sizes, targets, _ = batch
        memory, mask = self.encode(images, sizes)
        loss, _ = self.text_loss(memory, mask, targets, smoothing=self.smoothing)
        log_training_loss(self, loss)
        if self.ctc_weight:
            loss = loss + self.ctc_weight * self.place_loss(memory, mask, targets)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        return self.measure(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> list[str]:
        """What is read in each image."""
        return self.read(*batch[:2], beam=self.beam)

    def encode(self, images: Tensor, sizes: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The net's memory (B, N, M) of images, and where it is not padding, (B, N)."""
        net: Any = self.net
        return net.encode(images, sizes)

    def text_loss(
        self, memory: Tensor, mask: Tensor | None, targets: Tensor, *, smoothing: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Mean cross entropy of characters and ends; how many of them there are."""
        given, wanted = shifted(targets, self.end)
        logits = self.decoder(given, memory, mask).float().flatten(0, 1)
        loss = F.cross_entropy(
            logits, wanted.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
        )
        return loss, (wanted != IGNORED).sum()

    def place_loss(self, memory: Tensor, mask: Tensor | None, targets: Tensor) -> Tensor:
        """CTC per character, where the memory's places are taken as frames, row by row."""
        logits = self.places(memory).float()
        frames = torch.full_like(targets[:, 0], logits.shape[1])
        if mask is not None:
            # Those that are no padding come first.
            order = (~mask).int().argsort(dim=1, stable=True)
            logits, frames = logits.take_along_dim(order[..., None], 1), mask.sum(1)
        losses, lengths = ctc_losses(logits, frames, targets)
        return losses.sum() / lengths.sum().clamp(min=1)

    def measure(self, batch: Batch, stage: str) -> dict[str, Any]:
        """Update the metrics of a stage; what was read and what is true, for the figures."""
        images, sizes, targets, _ = batch
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(*self.text_loss(*self.encode(images, sizes), targets))
        read = self.read(images, sizes, beam=self.beam if stage == "test" else 1)
        truth = texts_of(targets, self.alphabet)
        update_texts(metrics, read, truth)
        return {"read": read, "truth": truth}

    def transcribe(self, images: Tensor, sizes: Tensor | None, *, beam: int = 1) -> Transcripts:
        """Tokens that are read in images, and their probabilities."""
        net: Any = self.net
        length = self.text_length
        return transcribe(
            net, images, sizes, end=self.end, length=length, beam=beam, never=self.never
        )

    def read(self, images: Tensor, sizes: Tensor | None, *, beam: int = 1) -> list[str]:
        """The texts that are read in images."""
        tokens = self.transcribe(images, sizes, beam=beam).tokens
        return texts_of(tokens.where(tokens != self.end, IGNORED), self.alphabet)

    @torch.no_grad()
    def looks(self, image: Tensor) -> tuple[str, Tensor]:
        """What is read in an image (C, H, W), and where the net looks for each character: (L, h, w)."""
        net: Any = self.net
        tokens = self.transcribe(image[None], None).tokens
        given, _ = shifted(tokens, self.end)
        looks = self.decoder.looks(given[:, :-1], *self.encode(image[None], None))[0]
        shape = [
            -(-side // stride) for side, stride in zip(image.shape[1:], net.strides, strict=True)
        ]
        return texts_of(tokens, self.alphabet)[0], looks.unflatten(1, shape)

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="cer")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="cer")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        figures = [ReadLines(), Attention(), ErrorsByLength(), ErrorsByWriter()]
        return [*figures] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of reading nothing at all, and of always reading the most frequent training text."""
        return reading_baselines(data)


def check_net(net: Any, text_length: int) -> None:
    """Raise LabError when a net does not write texts, or none of such a length."""
    if not (hasattr(net, "encode") and hasattr(net, "decoder")):
        raise LabError(
            f"--model.net {type(net).__name__} has no encoder and decoder: "
            "choose LineCNNTransformer"
            " or ResNetTransformer"  # from week 6
        )
    if net.decoder.length <= text_length:
        raise LabError(
            f"--model.net.length {net.decoder.length}: texts of these data have up to {text_length} "
            f"characters, choose {text_length + 1} or more"
        )


def shifted(targets: Tensor, end: int) -> tuple[Tensor, Tensor]:
    """What a net is given and what it is to say, (B, L + 1) each, from targets (B, L).

    It is given the end, then the characters; it is to say the characters, then the end.
    """
    given = F.pad(targets, (1, 0), value=end)
    wanted = F.pad(targets, (0, 1), value=IGNORED)
    lengths = (targets >= 0).sum(1, keepdim=True)
    return given.where(given >= 0, end), wanted.scatter(1, lengths, end)
