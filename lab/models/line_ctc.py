"""Lines of writing with any net that says at each position which character is there, or none.

Letters: B lines, T output positions (frames) of the net, V characters, L characters of the longest text.
Batch: images (B, 1, H, W), sizes (B, 2), targets (B, L), writers (B,), see `lab.data.text_images`. The net
gives logits (B, T, V + 1), the last for the blank, and `frames(sizes)` (B,).
Source: Graves, Fernandez, Gomez, Schmidhuber, "Connectionist temporal classification", 2006.
Run:   python training/run_experiment.py --data DigitLines --model LineCTC --model.net LineCNN
"""
# from week 3

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lab.ctc import ctc_greedy
from lab.ctc_beam import beam_search
from lab.errors import LabError
from lab.figures.alignment import Alignment
from lab.figures.reading import ErrorsByLength, ErrorsByWriter, ReadLines
from lab.language_model import load_language_model
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

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


class LineCTC(pl.LightningModule):
    """Reader of lines by CTC: character and word error rates, exact lines; greedy or beam search.

    The loss is in nats per character. A line with more characters than frames adds nothing to it.

    Args:
        input_shape: (1, H, W) of the largest image, from the data module.
        alphabet: the V characters by number, from the data module.
        text_length: most characters of a text, from the data module.
        net: builds the net that maps images and their sizes to logits (B, T, V + 1).
        warmup: share of all steps in which the learning rate rises.
        beam: how many texts of a line `test` and `predict` compare; 1 takes the likeliest path, as
            validation does.
        language_model: the checkpoint of a CharLM that joins in; it must not know the texts of the test.
        lm_weight: factor on its log probabilities.
        length_bonus: what each character adds to the score of a text, in nats.

    Raises:
        LabError: texts of several lines, a net of another kind or with too few frames, or an option out of
            range.
    """

    defaults = {"data": "DigitLines", "net": "LineCNN"}
    monitor = ("val/cer", "min")

    def __init__(
        self,
        input_shape: Sequence[int],
        alphabet: Sequence[str],
        text_length: int,
        net: NetBuilder,
        *,
        lr: float = 2e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "onecycle",
        warmup: float = 0.1,
        beam: int = 1,
        language_model: str | None = None,
        lm_weight: float = 0.3,
        length_bonus: float = 0.0,
    ) -> None:
        super().__init__()
        if "\n" in alphabet:
            raise LabError(
                "--model LineCTC reads one line, the data have texts of several: take lines"
                ", or use LineTransformer"  # from week 4
            )
        if beam < 1:
            raise LabError(f"--model.beam {beam}: choose 1 (none) or more")
        if language_model is not None and beam == 1:
            raise LabError(
                "--model.language_model needs a search: give --model.beam too, such as 16"
            )
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.alphabet = tuple(alphabet)
        self.blank, self.never = len(self.alphabet), never_read(alphabet)
        self.net = build_net(net, input_shape, self.blank + 1)
        check_frames(self.net, input_shape, text_length)
        scorer = language_model and load_language_model(Path(language_model), self.alphabet)
        self.search: dict[str, Any] = {"beam": beam, "scorer": scorer or None}
        self.search |= {"lm_weight": lm_weight, "length_bonus": length_bonus}
        self.metrics = nn.ModuleDict({stage: reading_metrics() for stage in ("val", "test")})

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V + 1) and how many frames (B,) of each line are its own."""
        net: Any = self.net
        # In full precision, as the loss needs them.
        return net(images, sizes).float(), net.frames(sizes)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, sizes, targets, _ = batch
        logits, frames = self(images, sizes)
        losses, lengths = ctc_losses(logits, frames, targets)
        loss = losses.sum() / lengths.sum().clamp(min=1)
        log_training_loss(self, loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        return self.measure(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> list[str]:
        """What is read in each line."""
        return self.read(*self(*batch[:2]), **self.search)

    def read(self, logits: Tensor, frames: Tensor, *, beam: int = 1, **search: Any) -> list[str]:
        """Texts of logits (B, T, V + 1): of the likeliest paths, or the best of a beam search."""
        never = torch.tensor(self.never, dtype=torch.long, device=logits.device)
        readable = logits.index_fill(2, never, -torch.inf)
        if beam == 1:
            return texts_of(ctc_greedy(readable, frames), self.alphabet)
        return texts_of(beam_search(readable, frames, beam=beam, **search)[0], self.alphabet)

    def measure(self, batch: Batch, stage: str) -> dict[str, Any]:
        """Update the metrics of a stage; what was read and what is true, for the figures."""
        images, sizes, targets, _ = batch
        logits, frames = self(images, sizes)
        losses, lengths = ctc_losses(logits, frames, targets)
        search = self.search if stage == "test" else {}
        read, truth = self.read(logits, frames, **search), texts_of(targets, self.alphabet)
        metrics: Any = self.metrics[stage]
        characters = lengths.sum().clamp(min=1)
        metrics["loss"].update(losses.sum() / characters, characters)
        update_texts(metrics, read, truth)
        return {"read": read, "truth": truth, "logits": logits, "frames": frames}

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="cer")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="cer")

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        figures = [ReadLines(), Alignment(), ErrorsByLength(), ErrorsByWriter()]
        return [*figures] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of reading nothing at all, and of always reading the most frequent training line."""
        return reading_baselines(data)


def check_frames(net: Any, input_shape: Sequence[int], text_length: int) -> None:
    """Raise LabError when a net says nothing along a line, or less than there may be."""
    kind = type(net).__name__
    if not hasattr(net, "frames"):
        raise LabError(
            f"--model.net {kind} gives no logits along a line: "
            "choose LineCNN, LineCNNLSTM, SlidingCNN or one with `frames`"
        )
    frames = int(net.frames(torch.tensor([input_shape[1:]])))
    if frames < text_length:
        raise LabError(
            f"--model.net {kind} gives {frames} frames for the widest line, "
            f"which may have {text_length} characters: lower its stride"
        )


def ctc_losses(logits: Tensor, frames: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """CTC losses (B,) in nats of whole lines, 0 of those with too few frames; lengths (B,) of the texts."""
    lengths = (targets >= 0).sum(1)
    log_probs = logits.log_softmax(-1).transpose(0, 1)
    losses = F.ctc_loss(
        log_probs,
        targets.clamp(min=0),
        frames,
        lengths,
        blank=logits.shape[2] - 1,
        reduction="none",
        zero_infinity=True,
    )
    return losses, lengths
