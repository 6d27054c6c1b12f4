"""Writing down images of text with any encoder-decoder net: each character given the image and those before.

Letters: B images, L characters of the longest text, V characters of the alphabet. Number V is the end of
a text, and what the net reads before its first character.
Batch: images (B, 1, H, W), sizes (B, 2), targets (B, L), negative where a text has ended, writers (B,).
Run:   python training/run_experiment.py --data DigitParagraphs --model LineTransformer
"""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.errors import LabError
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
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
    """Reads lines and paragraphs character by character, by cross entropy of each one and of the end.

    In training the net is given the true characters before each one (teacher forcing, Williams & Zipser
    1989); in validation and test it reads on its own, greedily or by beam search. `loss` is the mean over
    characters and ends, given the true ones before, without smoothing.

    Args:
        input_shape: (1, H, W), the largest image, from the data module.
        alphabet: the V characters by number, from the data module.
        text_length: the most characters of a text, from the data module.
        net: builds the net that maps images, tokens (B, L) and sizes to logits (B, L, V + 1).
        smoothing: share of each target that is spread over all characters (Szegedy et al. 2016).
        beam: how many beginnings of a text are followed at once in test and predict.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: a net of another kind, or an option out of range.
    """

    defaults = {"data": "DigitLines", "net": "ResNetTransformer"}
    monitor = ("val/cer", "min")

    def __init__(
        self,
        input_shape: Sequence[int],
        alphabet: Sequence[str],
        text_length: int,
        net: NetBuilder,
        *,
        smoothing: float = 0.0,
        ctc_weight: float = 0.0,
        beam: int = 1,
        lr: float = 2e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "onecycle",
        warmup: float = 0.1,
    ) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise LabError(f"--model.smoothing {smoothing}: choose 0 to below 1")
        if beam < 1:
            raise LabError(f"--model.beam {beam}: choose 1 (greedy) or more")
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.alphabet, self.text_length = tuple(alphabet), text_length
        self.smoothing, self.beam, self.end = smoothing, beam, len(self.alphabet)
        self.never = never_read(self.alphabet)
        self.net = build_net(net, input_shape, self.end + 1)
        self.check_net()
        self.ctc_weight = ctc_weight
        self.ctc = nn.Linear(self.net.decoder.memory, self.end + 1) if ctc_weight else None
        self.metrics = nn.ModuleDict({stage: reading_metrics() for stage in ("val", "test")})

    def check_net(self) -> None:
        """Raise LabError when the net does not read text, or not so much of it."""
        net: Any = self.net
        if not (hasattr(net, "encode") and hasattr(net, "decoder")):
            raise LabError(
                f"--model.net {type(net).__name__} has no encoder and decoder.\n"
                "Choose LineCNNTransformer or ResNetTransformer"
            )
        if net.decoder.length <= self.text_length:
            raise LabError(
                f"--model.net.length {net.decoder.length}: the data have texts of up to "
                f"{self.text_length} characters, choose {self.text_length + 1} or more"
            )

    def forward(self, images: Tensor, tokens: Tensor, sizes: Tensor | None = None) -> Tensor:
        return self.net(images, tokens, sizes)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.training_loss(batch)
        log_training_loss(self, loss)
        return loss

    def training_loss(self, batch):
        images, sizes, targets, _ = batch
        memory, mask = self.net.encode(images, sizes)
        given, wanted = shifted(targets, self.end)
        loss = F.cross_entropy(
            self.net.decoder(given, memory, mask).flatten(0, 1),
            wanted.flatten(),
            ignore_index=IGNORED,
            label_smoothing=self.smoothing,
        )
        self.last = loss.item(), 0
        if self.ctc is not None:
            c = ctc_loss(self.ctc(memory), mask, targets, self.end)
            self.last = loss.item(), c.item()
            loss = loss + self.ctc_weight * c
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> list[str]:
        return self._step(batch, "val", beam=1)

    def test_step(self, batch: Batch, batch_idx: int) -> list[str]:
        return self._step(batch, "test", beam=self.beam)

    def predict_step(self, batch: Batch, batch_idx: int) -> list[str]:
        """The texts of the images."""
        return self.read(batch, beam=self.beam)

    def losses(self, batch: Batch, *, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """The mean cross entropy of characters and ends, and how many of them there are."""
        images, sizes, targets, _ = batch
        given, wanted = shifted(targets, self.end)
        logits = self(images, given, sizes).flatten(0, 1)
        loss = F.cross_entropy(
            logits, wanted.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
        )
        return loss, (wanted != IGNORED).sum()

    def _step(self, batch: Batch, stage: str, *, beam: int) -> list[str]:
        metrics: Any = self.metrics[stage]
        metrics["loss"].update(*self.losses(batch))
        read = self.read(batch, beam=beam)
        update_texts(metrics, read, texts_of(batch[2], self.alphabet))
        return read

    def transcribe(self, batch: Batch, *, beam: int = 1) -> Transcripts:
        """Tokens and their probabilities of a batch of images, read freely."""
        images, sizes = batch[:2]
        options: dict[str, Any] = {"end": self.end, "length": self.text_length, "beam": beam}
        return transcribe(self.net, images, sizes, never=self.never, **options)  # type: ignore[arg-type]

    def read(self, batch: Batch, *, beam: int = 1) -> list[str]:
        """The texts of a batch of images, read freely."""
        tokens = self.transcribe(batch, beam=beam).tokens
        return texts_of(tokens.where(tokens != self.end, IGNORED), self.alphabet)

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="cer")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="cer")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of reading nothing, and of always reading the most frequent training text."""
        return reading_baselines(data)


def shifted(targets: Tensor, end: int) -> tuple[Tensor, Tensor]:
    """What a net is given and what it is to say, (B, L + 1) each, from targets (B, L).

    It is given the end, then the characters; it is to say the characters, then the end.
    """
    given = F.pad(targets, (1, 0), value=end)
    given = given.where(given >= 0, end)
    wanted = F.pad(targets, (0, 1), value=IGNORED)
    length = (targets >= 0).sum(1, keepdim=True)
    return given, wanted.scatter(1, length, end)


def ctc_loss(logits: Tensor, mask: Tensor | None, targets: Tensor, blank: int) -> Tensor:
    """Mean over characters of CTC of targets (B, L) by logits (B, N, V + 1) of places in reading order."""
    if mask is not None:
        order = (~mask).int().argsort(dim=1, stable=True)
        logits = logits.take_along_dim(order[..., None], 1)
        lengths = mask.sum(1)
    else:
        lengths = torch.full((len(logits),), logits.shape[1])
    wanted = (targets >= 0).sum(1)
    loss = F.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        targets.clamp(min=0),
        lengths,
        wanted,
        blank=blank,
        reduction="sum",
        zero_infinity=True,
    )
    return loss / wanted.sum()
