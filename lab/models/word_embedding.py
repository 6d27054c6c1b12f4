"""Word relations: skip-gram with negative sampling, with any net that has two vectors per word.

Batch: words (B, C) of long and weights (B, L, C), which of them are neighbours of the L in the middle.
Run:   python training/run_experiment.py -c training/experiments/words_families.yaml
"""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lab.errors import LabError
from lab.figures.words import NearestWords, WordMap
from lab.models.building import (
    NetBuilder,
    OptimizerBuilder,
    Schedule,
    build_net,
    build_optimizer,
    optimization_options,
)
from lab.models.logging import log_metrics, log_training_loss
from lab.models.word_counts import count_vectors, frequency_loss, pairs_of
from lab.models.word_vectors import (
    analogy_accuracy,
    draw,
    expected_cost,
    nearest,
    negative_cost,
    noise,
    skip_gram_loss,
    word_similarity,
)

Batch = tuple[Tensor, Tensor]
SPARSE = (torch.optim.Adagrad, torch.optim.SGD, torch.optim.SparseAdam)


class WordEmbedding(pl.LightningModule):
    """Vectors of words by skip-gram; analogies, similarity, nearest words, a map in two dimensions.

    The loss is per pair of neighbours. In training negatives are drawn, `shared` for each block; validation
    and test take their mean over all words, so nothing there is random. Words and their frequencies come
    from the data module in `setup`; the checkpoint holds both. With several processes each takes its share
    of the blocks, and all compute the same analogies.

    Args:
        vocab_size: V, from the data module.
        net: builds a net with tables `center` and `context` that map words to vectors.
        negatives: how many negatives a pair has; k in the paper.
        shared: how many words are drawn for a block, to stand for the negatives of all its pairs.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        LabError: an option out of range, a net without the tables, an optimizer that can't train them.
    """

    counts: Tensor
    cumulative: Tensor
    net: Any
    defaults = {"data": "Families", "net": "SkipGram"}

    def __init__(
        self,
        vocab_size: int,
        net: NetBuilder,
        *,
        lr: float = 0.1,
        optimizer: OptimizerBuilder | None = None,
        schedule: Schedule = "constant",
        warmup: float = 0.0,
        negatives: int = 5,
        shared: int = 64,
    ) -> None:
        super().__init__()
        if negatives < 1 or shared < 1:
            raise LabError("--model.negatives and --model.shared must be at least 1")
        self.optimization = optimization_options(
            optimizer=optimizer or torch.optim.Adagrad, lr=lr, schedule=schedule, warmup=warmup
        )
        self.net = build_net(net, (1,), vocab_size)
        if not (hasattr(self.net, "center") and hasattr(self.net, "context")):
            raise LabError(
                f"--model.net {type(self.net).__name__} has no vectors of words.\nNearest: SkipGram"
            )
        self.vocab_size, self.negatives, self.shared = vocab_size, negatives, shared
        self.words: tuple[str, ...] = ()
        self.register_buffer("counts", torch.zeros(vocab_size, dtype=torch.long))
        self.register_buffer("cumulative", torch.zeros(vocab_size), persistent=False)
        self.metrics = nn.ModuleDict(
            {stage: nn.ModuleDict({"loss": MeanMetric()}) for stage in ("val", "test")}
        )

    def setup(self, stage: str) -> None:
        """Take words and counts from the data.

        Raises:
            LabError: the checkpoint was trained on other words.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.words and self.words != tuple(data.words):
            raise LabError(
                "the checkpoint's words are not those of the data.\n"
                "Give the same --data and its options as in training."
            )
        self.words = tuple(data.words)
        self.counts.copy_(data.counts)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["words"] = list(self.words)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.words = tuple(checkpoint["words"])

    @property
    def vectors(self) -> Tensor:
        """The vectors of all known words, detached."""
        return self.net.center.weight.detach()[: len(self.words)]

    def forward(self, words: Tensor) -> Tensor:
        return self.net(words)

    def on_fit_start(self) -> None:
        cumulative = noise(self.counts).cumsum(0)
        self.cumulative.copy_(cumulative / cumulative[-1])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> list[str]:
        """The nearest words of each query, a line each."""
        return [self.answer(*query) for query in zip(*batch, strict=True)]

    def _step(self, batch: Batch, stage: str) -> Tensor:
        words, weights = batch
        window = (words.shape[1] - weights.shape[1]) // 2
        middle = words[:, window : window + weights.shape[1]]
        center, context = self.net.center(middle), self.net.context(words)
        if stage == "train":
            drawn = draw(self.cumulative, len(words), self.shared)
            far = negative_cost(center, self.net.context(drawn))
        else:
            far = self.expected[middle]
        loss = skip_gram_loss(center, context, far, weights, negatives=self.negatives)
        if stage == "train":
            log_training_loss(self, loss)
        else:
            self.metrics[stage]["loss"].update(loss, weights.sum())  # type: ignore[index]
        return loss

    def on_validation_epoch_start(self) -> None:
        self.expected = self.expected_costs()

    def on_test_epoch_start(self) -> None:
        self.expected = self.expected_costs()

    def expected_costs(self) -> Tensor:
        """What a negative costs each known word in the mean over all of them."""
        known = len(self.words)
        center, context = (table.weight[:known] for table in (self.net.center, self.net.context))
        return expected_cost(center, context, noise(self.counts[:known]).to(center))

    def on_validation_epoch_end(self) -> None:
        log_metrics(self, "val", shown="loss")
        self.log_dict(self.scores(self.vectors, "val"), prog_bar=True, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        log_metrics(self, "test", shown="loss")
        self.log_dict(self.scores(self.vectors, "test"), sync_dist=True)

    def scores(self, vectors: Tensor, stage: str) -> dict[str, float]:
        """What vectors (V, D) reach on the data's questions; similarity in the test alone."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        found = {}
        if len(questions := data.questions.get(stage, ())):
            found[f"{stage}/analogy"] = analogy_accuracy(vectors, questions.to(vectors.device))
        if stage == "test" and data.similarities is not None and len(data.similarities[1]) > 2:
            pairs, people = (column.to(vectors.device) for column in data.similarities)
            found["test/wordsim"] = word_similarity(vectors, pairs, people)
        return found

    def answer(self, words: Tensor, signs: Tensor) -> str:
        """A query (T,), -1 where there is no word, with its nearest words and their cosines."""
        asked = words >= 0
        words, signs = words[asked], signs[asked]
        unit = nn.functional.normalize(self.vectors)
        cosines, found = nearest(unit, signs @ unit[words], 5, but=words)
        terms = [
            f"{'+' if s > 0 else '-'} {self.words[w]}" for w, s in zip(words, signs, strict=True)
        ]
        close = [f"{self.words[w]} {c:.2f}" for w, c in zip(found, cosines, strict=True)]
        return f"{' '.join(terms).removeprefix('+ ')}: {', '.join(close)}"

    def configure_optimizers(self) -> Any:
        built = build_optimizer(self, **self.optimization)
        optimizer = built["optimizer"] if isinstance(built, dict) else built
        tables = [module for module in self.net.modules() if isinstance(module, nn.Embedding)]
        if any(table.sparse for table in tables) and not isinstance(optimizer, SPARSE):
            raise LabError(
                f"--model.optimizer {type(optimizer).__name__} takes no sparse gradients:\n"
                "add --model.net.sparse false, or choose Adagrad, SGD or SparseAdam"
            )
        # Their invariants hold by construction; torch asks to be told that they need no check.
        torch.sparse.check_sparse_tensor_invariants.disable()
        return built

    def configure_callbacks(self) -> list[pl.Callback]:
        return [NearestWords(), WordMap()] if self.trainer.testing else []

    def baselines(self, data: Any) -> dict[str, dict[str, float]]:
        """Test metrics of word frequencies alone, of random vectors, and of counts without training.

        Counts are those of one epoch's pairs, of up to two million words.
        """
        words, weights = data.batch_transform(data.test_set.tensors)
        shown = data.counts * data.train_set.keep
        loss = frequency_loss(words, weights, shown, noise(data.counts), self.negatives)
        random = torch.randn(self.vectors.shape, generator=torch.Generator().manual_seed(0))
        pairs = pairs_of(data.train_set, data.batch_transform, most=30_000)
        counted = count_vectors(pairs, *self.vectors.shape)
        return {
            "frequency": {"test/loss": loss},
            "random": self.scores(random, "test"),
            "PPMI-SVD": self.scores(counted, "test"),
        }
