"""Next character with any causal net: cross entropy of each character, given those before it.

Letters: B windows, T characters, V characters of the vocabulary.
Batch: x, y of shape (B, T), y being x moved on by one; -100 in y is no target. The net gives logits
(B, T, V).
Run:   python training/run_experiment.py --data PythonDocs --model CharLM --model.net GRU
"""

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric

from lab.errors import LabError
from lab.figures.text import SampledText
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.logging import log_metrics, log_training_loss
from lab.sampling import generate

Batch = tuple[Tensor, Tensor]


class CharLM(pl.LightningModule):
    """Language model of characters: loss in nats, bits per character; it writes, and goes on from a prompt.

    The loss of validation and test is the mean over all characters that are targets.

    Args:
        input_shape: (T,), from the data module.
        vocabulary: the V characters by number, from the data module.
        net: builds the net that maps (B, T) numbers to logits (B, T, V), each seeing none that follow.
        warmup: share of all steps in which the learning rate rises.
        length: how many characters `predict` goes on for.
        temperature: below 1 likely characters become likelier still; 0 always takes the likeliest.
        top_k: only the k likeliest characters may be drawn; all when not given.
        top_p: only the likeliest characters that together have this probability may be drawn.

    Raises:
        LabError: an option out of range.
    """

    defaults = {"data": "PythonDocs", "net": "GRU"}

    def __init__(
        self,
        input_shape: Sequence[int],
        vocabulary: Sequence[str],
        net: NetBuilder,
        *,
        lr: float = 2e-3,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
    ) -> None:
        super().__init__()
        check_sampling(length=length, temperature=temperature, top_k=top_k, top_p=top_p)
        self.optimization = optimization_options(
            optimizer=optimizer, lr=lr, schedule=schedule, warmup=warmup
        )
        self.vocabulary = tuple(vocabulary)
        self.input_shape = tuple(input_shape)
        self.net = build_net(net, input_shape, len(self.vocabulary))
        self.length = length
        self.drawing: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        self.metrics = nn.ModuleDict({stage: self.build_metrics() for stage in ("val", "test")})

    def build_metrics(self) -> nn.ModuleDict:
        """Metrics of one stage, exact over uneven batches and processes."""
        return nn.ModuleDict({"loss": MeanMetric(), "bits_per_character": MeanMetric()})

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "test")

    def predict_step(self, batch: Tensor, batch_idx: int) -> list[str]:
        """The prompts (B, n), each with how it goes on."""
        return self.write(batch, length=self.length)

    def _step(self, batch: Batch, stage: str) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x).flatten(0, 1), y.flatten())
        if stage == "train":
            log_training_loss(self, loss)
            return loss
        metrics: Any = self.metrics[stage]
        targets = (y >= 0).sum()
        metrics["loss"].update(loss, targets)
        metrics["bits_per_character"].update(loss / math.log(2), targets)
        return loss

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="bits_per_character")

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="bits_per_character")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What it takes, beside the configuration, to build the net anew without the data."""
        checkpoint["char_lm"] = {"vocabulary": self.vocabulary, "input_shape": self.input_shape}

    def configure_optimizers(self) -> Any:
        return build_optimizer(self, **self.optimization)

    def configure_callbacks(self) -> list[pl.Callback]:
        return [SampledText()]

    def write(
        self, tokens: Tensor, *, length: int, generator: torch.Generator | None = None
    ) -> list[str]:
        """Texts that begin with `tokens`, (B, n), and go on for `length` characters.

        Raises:
            LabError: the net has no `step`, by which it would read one character after another.
        """
        net: Any = self.net
        if not hasattr(net, "step"):
            raise LabError(
                f"{type(net).__name__} has no `step`: predict with GRU, LSTM or another that has"
            )
        found = generate(net, tokens, length=length, generator=generator, **self.drawing)
        rows = torch.cat([tokens, found], 1).tolist()
        return ["".join(self.vocabulary[number] for number in row) for row in rows]

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of guesses from how often characters, and pairs of them, come in training.

        Each is counted once more than it comes (Laplace), so that nothing is impossible. For a language of
        known entropy that stands beside them, and what its law itself loses on this very test text.
        """
        size = len(self.vocabulary)
        train, test = (count_pairs(part, size) for part in (data.train_set, data.test_set))
        single, pairs = train.sum(0) + 1, train + 1
        losses = {
            "uniform": math.log(size),
            "unigram": mean_surprise(single / single.sum(), test),
            "bigram": mean_surprise(pairs / pairs.sum(1, keepdim=True), test),
        }
        if hasattr(data, "entropy_rate"):
            losses |= {"entropy": data.entropy_rate, "law": data.law_loss}
        return {
            name: {"test/loss": loss, "test/bits_per_character": loss / math.log(2)}
            for name, loss in losses.items()
        }


def check_sampling(*, length: int, temperature: float, top_k: int | None, top_p: float) -> None:
    """Raise LabError when text cannot be drawn so."""
    if length < 1:
        raise LabError(f"--model.length {length}: choose 1 or more")
    if not 0 <= temperature < math.inf:
        raise LabError(f"--model.temperature {temperature}: choose 0 or more")
    if top_k is not None and top_k < 1:
        raise LabError(f"--model.top_k {top_k}: choose 1 or more")
    if not 0 < top_p <= 1:
        raise LabError(f"--model.top_p {top_p}: choose above 0, to 1")


def count_pairs(samples: Any, size: int) -> Tensor:
    """How often (V, V) each character is followed by each, where that is a target."""
    counts = torch.zeros(size * size, dtype=torch.double)
    # In portions, because windows of a whole text would take many times its memory.
    for rows in torch.arange(len(samples)).split(4096):
        x, y = samples.__getitems__(rows.tolist())
        pairs = (x * size + y)[y >= 0]
        counts += torch.bincount(pairs, minlength=size * size)
    return counts.view(size, size)


def mean_surprise(probabilities: Tensor, counts: Tensor) -> float:
    """Mean of -log p over pairs (V, V) that come so often; p is (V, V), or (V) for the second alone."""
    return float(-(counts * probabilities.log()).sum() / counts.sum())
