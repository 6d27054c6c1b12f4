"""Batches: what is in them, how processes share them, and how the loaders hand them out."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lab.data.base import BatchIndices, LabData, TensorSet
from lab.data.digits import Digits
from lab.errors import LabError

# Samples, batch size, processes: with and without a tail, a tail smaller than the processes, one batch.
SHARES = [
    *[(12, 4, 1), (13, 4, 1), (3, 8, 1), (1, 1, 1)],
    *[(16, 4, 2), (17, 4, 2), (18, 4, 2), (5, 8, 2), (2, 8, 2)],
    *[(11, 4, 3), (14, 4, 3), (22, 3, 4), (19, 3, 4), (4, 1, 4), (101, 7, 5)],
]


@pytest.mark.parametrize(("count", "batch_size", "world_size"), SHARES)
@pytest.mark.parametrize("shuffle", [False, True])
def test_processes_share_the_batches(
    count: int, batch_size: int, world_size: int, shuffle: bool
) -> None:
    indices = [
        BatchIndices(count, batch_size, shuffle=shuffle, seed=3, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    shares = [list(of_rank) for of_rank in indices]
    assert {len(share) for share in shares} == {len(indices[0])}, "all take the same steps"
    order = indices[0].order().tolist()
    assert sorted(order) == list(range(count)) and (shuffle or order == sorted(order))
    seen = 0
    for batch, of_ranks in enumerate(zip(*shares, strict=True)):
        whole = [sample for share in of_ranks for sample in share]
        assert sorted(whole) == sorted(order[seen : seen + len(whole)])
        assert all(size.global_size(batch) == len(whole) for size in indices)
        sizes = [of_rank.local_size(batch) for of_rank in indices]
        assert sizes == [len(share) for share in of_ranks]
        assert max(sizes) - min(sizes) <= 1 and min(sizes) >= 1
        seen += len(whole)
        if seen < count:
            assert len(whole) == batch_size * world_size
    assert seen == count, "every sample, and none twice"


def test_tail_smaller_than_the_processes_joins_the_batch_before() -> None:
    # Batches of 3 x 4: after one, 2 samples are left for 4 processes, then 4.
    joined = BatchIndices(14, 3, shuffle=False, world_size=4)
    assert [joined.global_size(batch) for batch in range(len(joined))] == [14]
    alone = BatchIndices(16, 3, shuffle=False, world_size=4)
    assert [alone.global_size(batch) for batch in range(len(alone))] == [12, 4]


def test_processes_together_see_the_batches_of_one() -> None:
    one = list(BatchIndices(100, 12, shuffle=True, seed=5))
    three = [BatchIndices(100, 4, shuffle=True, seed=5, rank=r, world_size=3) for r in range(3)]
    together = [sorted(np.concatenate(shares)) for shares in zip(*three, strict=True)]
    assert together == [sorted(batch) for batch in one]


def test_fewer_samples_than_processes() -> None:
    with pytest.raises(LabError, match="3 samples can't be shared by 4 processes"):
        BatchIndices(3, 8, shuffle=False, world_size=4)
    with pytest.raises(LabError, match="0 samples"):
        BatchIndices(0, 8, shuffle=False)


def test_order_follows_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        indices = BatchIndices(50, 8, shuffle=True, seed=seed)
        indices.set_epoch(epoch)
        return indices.order().tolist()

    cases = [(seed, epoch) for seed in (0, 1, 2, 2**32 - 1) for epoch in (0, 1, 2)]
    orders = {case: order(*case) for case in cases}
    assert len({tuple(found) for found in orders.values()}) == len(cases)
    torch.manual_seed(99)
    np.random.seed(99)
    before = torch.get_rng_state()
    assert {case: order(*case) for case in reversed(cases)} == orders
    assert torch.equal(torch.get_rng_state(), before)


def test_a_set_gives_whole_batches_as_it_gives_samples() -> None:
    samples = TensorSet(torch.rand(9, 2, 3), torch.arange(9))
    rows = [7, 0, 7, 3]
    single = [samples[row] for row in rows]
    for column, expected in zip(samples.__getitems__(rows), zip(*single, strict=True), strict=True):
        assert torch.equal(column, torch.stack(expected))
    assert len(samples) == 9


def test_a_batch_is_one_indexing_operation() -> None:
    class Counted:
        """A column that counts how often it is asked."""

        def __init__(self, column: Tensor) -> None:
            self.column, self.asked = column, 0

        def __len__(self) -> int:
            return len(self.column)

        def index_select(self, dim: int, rows: Tensor) -> Tensor:
            self.asked += 1
            return self.column.index_select(dim, rows)

    column = Counted(torch.arange(20))
    data = LabData(batch_size=8)
    (batches,) = zip(*data.loader(TensorSet(column), shuffle=False), strict=True)  # type: ignore[arg-type]
    assert torch.equal(torch.cat(batches), torch.arange(20))
    assert column.asked == len(batches) == 3


# Python, from 3.12: the workers are forked from a process that has threads.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_workers_change_nothing() -> None:
    columns = torch.arange(30), torch.rand(30, 4)

    def epochs(num_workers: int) -> list[tuple[Tensor, ...]]:
        data = LabData(batch_size=8, num_workers=num_workers)
        loader = data.loader(TensorSet(*columns), shuffle=True)
        found = []
        for epoch in (0, 1):
            loader.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]
            found += list(loader)
        return found

    before = torch.get_rng_state()
    alone, with_workers = epochs(0), epochs(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(alone) == len(with_workers) == 8
    for batch, other in zip(alone, with_workers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, other, strict=True))
    assert not torch.equal(alone[0][0], alone[4][0])


def test_loaders_shuffle_the_training_samples_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    data = LabData(batch_size=40)
    data.train_set, data.val_set, data.test_set = (TensorSet(torch.arange(n)) for n in (50, 30, 20))

    def samples(loader: DataLoader) -> list[int]:
        return torch.cat([batch[0] for batch in loader]).tolist()

    assert samples(data.val_dataloader()) == list(range(30))
    assert samples(data.test_dataloader()) == list(range(20))
    assert samples(data.predict_dataloader()) == list(range(20))
    first = samples(data.train_dataloader())
    assert sorted(first) == list(range(50)) != first
    # The seed of the run, as Lightning leaves it.
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert samples(data.train_dataloader()) != first


@pytest.mark.parametrize(("option", "value"), [("batch_size", 0), ("num_workers", -1)])
def test_wrong_options_are_refused(option: str, value: int) -> None:
    with pytest.raises(LabError, match=f"--data.{option} {value}"):
        Digits(**{option: value})


class Recorder(pl.LightningModule):
    """Keeps the batches it is given, by stage and epoch; its one weight is of no use."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: dict[tuple[str, int], list[tuple[Tensor, ...]]] = {}

    def keep(self, stage: str, batch: tuple[Tensor, ...]) -> None:
        self.seen.setdefault((stage, self.current_epoch), []).append(batch)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        self.keep("train", batch)
        return self.weight.square()

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.keep("val", batch)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.keep("test", batch)

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        return batch[0]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def column(self, stage: str, epoch: int, index: int) -> Tensor:
        return torch.cat([batch[index] for batch in self.seen[stage, epoch]])


# Lightning can't see that the sampler gives all samples.
@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")
def test_a_trainer_augments_training_images_alone_and_reshuffles() -> None:
    data, model = Digits(augment=True, batch_size=100), Recorder()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    images = trainer.predict(model, datamodule=data)
    assert torch.equal(torch.cat(images), data.test_set.tensors[0])
    for stage, samples in (("val", data.val_set), ("test", data.test_set)):
        for epoch in {epoch for name, epoch in model.seen if name == stage}:
            for index, expected in enumerate(samples.tensors):
                assert torch.equal(model.column(stage, epoch, index), expected)
    first, second = model.column("train", 0, 1), model.column("train", 1, 1)
    assert len(first) == 1200 and not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)
    plain = {tuple(row) for row in data.train_set.tensors[0].flatten(1).tolist()}
    shown = {tuple(row) for row in model.column("train", 0, 0).flatten(1).tolist()}
    assert len(shown - plain) > 1190
