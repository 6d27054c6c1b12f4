"""The base of all data modules: three sets of tensors in, three loaders of whole batches out.

A batch is one indexing operation on tensors in memory. Which samples are in it depends on (seed, epoch)
alone, never on workers, processes or the global random state; several processes share each global batch.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lab.errors import LabError
from lab.seeding import mixed_seed

Batch = tuple[Tensor, ...]
# As a class number or token: no target. `cross_entropy` leaves it out.
IGNORED = -100


class TensorSet(Dataset[Batch]):
    """Tensors of equal length as a data set that is indexed by whole batches."""

    def __init__(self, *tensors: Tensor) -> None:
        assert len({len(tensor) for tensor in tensors}) == 1
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int) -> Batch:
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        rows = torch.as_tensor(indices)
        return tuple(tensor.index_select(0, rows) for tensor in self.tensors)


def as_it_is(batch: Any) -> Any:
    """The collate function of sets that give whole batches."""
    return batch


class BatchIndices:
    """Which samples each batch holds: a batch sampler for one of several processes.

    Global batch k is a slice of the epoch's permutation; process `rank` takes every `world_size`-th of it.
    The last global batch is as small as it comes, but never smaller than the number of processes: then it
    joins the one before, so that all take the same number of steps. Nothing is dropped or repeated.

    Raises:
        LabError: fewer samples than processes.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if count < world_size:
            raise LabError(
                f"{count} samples can't be shared by {world_size} processes: use fewer devices"
            )
        self.count, self.shuffle, self.seed = count, shuffle, seed
        self.rank, self.world_size = rank, world_size
        self.step = batch_size * world_size
        self.epoch = 0
        tail = count % self.step
        self.batches = max(count // self.step + (tail >= world_size), 1)

    @property
    def sampler(self) -> "BatchIndices":
        """Lightning looks here for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def span(self, batch: int) -> tuple[int, int]:
        """Start and end of a global batch in the permutation."""
        last = batch == self.batches - 1
        return batch * self.step, self.count if last else (batch + 1) * self.step

    def global_size(self, batch: int) -> int:
        """Samples of a batch over all processes."""
        start, end = self.span(batch)
        return end - start

    def local_size(self, batch: int) -> int:
        """Samples of a batch in this process."""
        return len(range(*self.span(batch))[self.rank :: self.world_size])

    def order(self) -> Tensor:
        """All samples in the order of this epoch."""
        if not self.shuffle:
            return torch.arange(self.count)
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, self.epoch))
        return torch.randperm(self.count, generator=generator)

    def __iter__(self) -> Iterator[Any]:
        order = self.order()
        for batch in range(self.batches):
            start, end = self.span(batch)
            yield order[start + self.rank : end : self.world_size].numpy()


class MadeBatches:
    """A set whose batches are made while they are asked for, such as those of an agent that acts.

    It is its own loader: an iterable of whole batches, of known length.
    """

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError


Loader = DataLoader[Batch] | MadeBatches


def epochs_done(trainer: pl.Trainer) -> int:
    """How many epochs a run has behind it; before its first step, those before it was stopped."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    return progress.processed


class LabData(pl.LightningDataModule):
    """Subclasses state their facts in `__init__` and fill the three sets in `setup`.

    Facts are known before any file is read: `input_shape`, and `num_classes` or `output_shape`.

    Attributes:
        batch_transform: from a batch of the set to what the net sees, at every stage, on the device.
        train_transform: augmentation of a training batch, after it, on the device.

    Raises:
        LabError: a batch size below 1 or a negative number of workers.
    """

    # Each a TensorSet, or MadeBatches of some kind.
    train_set: Any
    val_set: Any
    test_set: Any
    batch_transform: Callable[[Batch], Batch] | None = None
    train_transform: Callable[[Batch], Batch] | None = None

    def __init__(self, *, batch_size: int = 128, num_workers: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise LabError(f"--data.batch_size {batch_size}: a batch has at least 1 sample")
        if num_workers < 0:
            raise LabError(f"--data.num_workers {num_workers}: choose 0 (none) or more")
        self.batch_size = batch_size
        self.num_workers = num_workers

    def train_dataloader(self) -> Loader:
        return self.loader(self.train_set, shuffle=True)

    def val_dataloader(self) -> Loader:
        return self.loader(self.val_set, shuffle=False)

    def test_dataloader(self) -> Loader:
        return self.loader(self.test_set, shuffle=False)

    def predict_dataloader(self) -> Loader:
        return self.loader(self.test_set, shuffle=False, in_order=True)

    def loader(self, samples: Any, *, shuffle: bool, in_order: bool = False) -> Loader:
        """A loader of whole batches; every process gets its share of each.

        A set may have a `sampler` of its own, which is called as `BatchIndices` is, unless the samples shall
        come in their order.
        """
        if isinstance(samples, MadeBatches):
            return samples
        trainer = self.trainer
        indices = (BatchIndices if in_order else getattr(samples, "sampler", BatchIndices))(
            len(samples),
            self.batch_size,
            shuffle=shuffle,
            seed=int(os.environ.get("PL_GLOBAL_SEED", 0)),
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
        if trainer:
            # Workers begin to fetch before Lightning tells the sampler where a resumed run stands.
            indices.set_epoch(epochs_done(trainer))
        return DataLoader(
            samples,
            batch_sampler=indices,
            collate_fn=as_it_is,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            # Its own, so that making an iterator leaves the global random state alone.
            generator=torch.Generator(),
        )

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Move a batch; on the CPU nothing moves, and searching it would cost a tenth of a step."""
        if device.type == "cpu":
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if self.batch_transform is not None:
            batch = self.batch_transform(batch)
        if self.trainer is not None:
            # Lightning did so before the transfer, but bytes became floats only now.
            batch = self.trainer.precision_plugin.convert_input(batch)
        if self.train_transform is not None and self.trainer is not None and self.trainer.training:
            batch = self.train_transform(batch)
        return batch
