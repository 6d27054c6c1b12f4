"""What all images of text share: random numbers by number, padding, batches of similar widths."""
# from week 3

from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.data.base import Batch, LabData
from lab.data.counted import uniform
from lab.data.digit_lines import DigitLines
from lab.data.text_images import (
    IGNORED,
    POOL,
    STEP,
    TextImages,
    WidthBatches,
    pad_images,
    pad_targets,
    paper_beyond,
    state_text_images,
    to_unit,
)
from lab.seeding import mixed_seed

MASK = 2**64 - 1


def splitmix64(state: int) -> int:
    """The published function, on plain whole numbers."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & MASK
    return state ^ (state >> 31)


def test_numbers_are_those_of_splitmix64() -> None:
    golden = 0x9E3779B97F4A7C15
    found = uniform(7, [3, 2**40], 4)
    for row, index in zip(found, (3, 2**40), strict=True):
        state = splitmix64((index * golden + mixed_seed(7)) & MASK)
        expected = [(splitmix64((state + k * golden) & MASK) >> 11) / 2**53 for k in range(1, 5)]
        assert row.tolist() == expected


def test_numbers_are_uniform() -> None:
    numbers = uniform(0, np.arange(20_000), 10)
    assert numbers.shape == (20_000, 10) and numbers.min() >= 0 and numbers.max() < 1
    counts = np.bincount((numbers.ravel() * 100).astype(int), minlength=100)
    # 99 degrees of freedom: 149 is passed once in a thousand.
    assert ((counts - 2000) ** 2 / 2000).sum() < 149
    # So is each place on its own.
    for column in numbers.T:
        counts = np.bincount((column * 20).astype(int), minlength=20)
        assert ((counts - 1000) ** 2 / 1000).sum() < 50


def test_numbers_are_independent_of_their_neighbours() -> None:
    here = uniform(0, np.arange(20_000), 2)
    others = {
        "the next place": here[:, 1],
        "the next sample": uniform(0, np.arange(1, 20_001), 1)[:, 0],
        "the next seed": uniform(1, np.arange(20_000), 1)[:, 0],
    }
    for name, other in others.items():
        # Of 100 squares, as many pairs fall into each.
        squares = (here[:, 0] * 10).astype(int) * 10 + (other * 10).astype(int)
        counts = np.bincount(squares, minlength=100)
        assert ((counts - 200) ** 2 / 200).sum() < 149, name
        assert abs(np.corrcoef(here[:, 0], other)[0, 1]) < 0.03, name


def test_numbers_depend_on_seed_and_index_alone() -> None:
    whole = uniform(5, np.arange(100), 8)
    some = np.random.RandomState(0).permutation(100)[:30]
    assert np.array_equal(uniform(5, some, 8), whole[some])
    assert np.array_equal(uniform(5, [some[0]], 3), whole[some[:1], :3])
    assert not np.isin(uniform(6, np.arange(100), 8), whole).any()
    assert len(np.unique(whole)) == whole.size


def images_of(*sizes: tuple[int, int]) -> list[Tensor]:
    return [torch.full(size, number + 1, dtype=torch.uint8) for number, size in enumerate(sizes)]


def test_images_are_padded_with_paper() -> None:
    sizes = [(3, 5), (4, 2), (1, STEP + 1)]
    padded = pad_images(images_of(*sizes))
    assert padded.shape == (3, 1, 4, 2 * STEP) and padded.dtype == torch.uint8
    for number, (image, (height, width)) in enumerate(zip(padded[:, 0], sizes, strict=True), 1):
        assert (image[:height, :width] == number).all()
        assert image.sum() == number * height * width
    assert pad_images(images_of((3, STEP))).shape == (1, 1, 3, STEP)


def test_targets_are_padded_with_what_is_ignored() -> None:
    padded = pad_targets([torch.tensor([1, 2, 3], dtype=torch.int32), torch.tensor([4])])
    assert padded.tolist() == [[1, 2, 3], [4, IGNORED, IGNORED]] and padded.dtype == torch.long


def test_paper_lies_beyond_the_true_size() -> None:
    sizes = torch.tensor([[2, 3], [4, 6], [1, 1]])
    images = torch.ones(3, 1, 4, 6)
    found, same_sizes, rest = paper_beyond((images, sizes, "rest"))  # type: ignore[arg-type]
    assert same_sizes is sizes and rest == "rest"
    assert found.sum((1, 2, 3)).tolist() == [6, 24, 1]
    assert (found[0, 0, :2, :3] == 1).all() and images.min() == 1


def test_ink_is_between_0_and_1_on_the_device() -> None:
    bytes_in = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    images, rest = to_unit((bytes_in, torch.tensor(1)))
    torch.testing.assert_close(images, torch.tensor([[0.0, 0.2, 1.0]]))
    assert rest == 1


# Samples, batch size, processes.
SHARES = [
    (1000, 8, 1),
    (1003, 8, 1),
    (5, 8, 1),
    (1000, 4, 2),
    (1001, 4, 2),
    (1003, 4, 3),
    (3, 1, 3),
]


def widths_of(count: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(0).randint(10, 500, count))


@pytest.mark.parametrize(("count", "batch_size", "world_size"), SHARES)
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_sample_comes_exactly_once(
    count: int, batch_size: int, world_size: int, shuffle: bool
) -> None:
    options = {"widths": widths_of(count), "shuffle": shuffle, "seed": 3}
    indices = [
        WidthBatches(count, batch_size, rank=rank, world_size=world_size, **options)
        for rank in range(world_size)
    ]
    shares = [[batch.tolist() for batch in of_rank] for of_rank in indices]
    assert {len(share) for share in shares} == {len(indices[0])}, "all take the same steps"
    assert sorted(sum((sum(share, []) for share in shares), [])) == list(range(count))
    for batch, of_ranks in enumerate(zip(*shares, strict=True)):
        sizes = [len(share) for share in of_ranks]
        assert sizes == [of_rank.local_size(batch) for of_rank in indices]
        if batch < len(shares[0]) - 1:
            assert sizes == [batch_size] * world_size
    # Together they see what one process with larger batches sees.
    one = WidthBatches(count, batch_size * world_size, **options)
    if len(one) == len(indices[0]):
        together = [sorted(sum(of_ranks, [])) for of_ranks in zip(*shares, strict=True)]
        assert together == [sorted(batch.tolist()) for batch in one]


def test_batches_hold_similar_widths() -> None:
    widths, size = widths_of(4000), 16

    def padding(shuffle: bool, known: Tensor) -> float:
        batches = WidthBatches(4000, size, widths=known, shuffle=shuffle, seed=0)
        whole = sum(float(widths[batch].max()) * len(batch) for batch in batches)
        return 1 - float(widths.sum()) / whole

    assert padding(False, widths) < 0.01
    assert padding(True, widths) < 0.05
    assert padding(True, torch.ones(4000)) > 0.4, "without knowing widths"


def test_shuffled_batches_come_in_any_order_of_width() -> None:
    widths = widths_of(16 * POOL * 2)
    batches = WidthBatches(len(widths), 16, widths=widths, shuffle=True, seed=0)
    means = [float(widths[batch].float().mean()) for batch in batches]
    rises = sum(first < second for first, second in pairwise(means))
    assert 0.3 < rises / len(means) < 0.7
    ordered = WidthBatches(len(widths), 16, widths=widths, shuffle=False)
    order = np.concatenate(list(ordered))
    assert (np.diff(widths[order]) >= 0).all()


def test_order_follows_seed_and_epoch_alone() -> None:
    widths = widths_of(300)

    def order(seed: int, epoch: int) -> list[int]:
        batches = WidthBatches(300, 8, widths=widths, shuffle=True, seed=seed)
        batches.set_epoch(epoch)
        return np.concatenate(list(batches)).tolist()

    cases = [(seed, epoch) for seed in (0, 1, 2**32 - 1) for epoch in (0, 1, 2)]
    orders = {case: order(*case) for case in cases}
    assert len({tuple(found) for found in orders.values()}) == len(cases)
    torch.manual_seed(99)
    assert all(order(*case) == orders[case] for case in cases)
    # Which samples are together changes too, not only when a batch comes.
    first, second = (
        {frozenset(found[start : start + 8]) for start in range(0, 296, 8)}
        for found in (orders[0, 0], orders[0, 1])
    )
    assert len(first & second) < 5


class Bars(TextImages):
    """Sample i is i + 1 columns of ink, and its text the numbers 0 to i."""

    def __getitems__(self, indices: Sequence[int] | np.ndarray) -> Batch:
        images = [torch.full((4, int(self.sizes[index, 1])), 255).byte() for index in indices]
        texts = [torch.arange(int(index) + 1) for index in indices]
        rows = torch.as_tensor(indices)
        return pad_images(images), self.sizes[rows], pad_targets(texts), rows * 0


def bars(count: int) -> Bars:
    return Bars(torch.stack([torch.full((count,), 4), torch.arange(1, count + 1)], dim=1))


def test_one_sample_is_a_batch_of_one() -> None:
    image, size, target, writer = bars(3)[2]
    assert image.shape == (1, 4, STEP) and image.sum() == 255 * 12
    assert size.tolist() == [4, 3] and target.tolist() == [0, 1, 2] and writer == 0


def loaded(data: LabData, trainer: Any = None) -> list[Batch]:
    data.trainer = trainer
    return [tuple(batch) for batch in data.train_dataloader()]


def test_loaders_take_the_batches_of_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    data = LabData(batch_size=4)
    data.train_set = data.val_set = bars(64)
    shapes = [images.shape[-1] for images, *_ in loaded(data)]
    assert shapes != sorted(shapes) and sum(shapes) == 4 * STEP * (1 + 2 + 3 + 4)
    assert [images.shape[-1] for images, *_ in data.val_dataloader()] == sorted(shapes)
    # Each of two processes has a half of each batch.
    epochs = SimpleNamespace(epoch_progress=SimpleNamespace(current=SimpleNamespace(processed=0)))
    halves = [
        loaded(data, SimpleNamespace(global_rank=rank, world_size=2, fit_loop=epochs))
        for rank in range(2)
    ]
    seen = torch.cat([sizes[:, 1] for half in halves for _, sizes, *_ in half])
    assert sorted(seen.tolist()) == list(range(1, 65)) and len(halves[0]) == len(halves[1]) == 8


def test_augmentation_leaves_the_paper_beyond_the_image_alone() -> None:
    data = LabData()
    state_text_images(data, height=4, width=64)
    assert data.input_shape == (1, 4, 64) and data.train_transform is None
    state_text_images(data, height=4, width=64, augmentations=[lambda images: images + 0.5])
    assert data.batch_transform is not None and data.train_transform is not None
    batch = data.batch_transform(bars(9).__getitems__([0, 8]))
    images, sizes, *_ = data.train_transform(batch)
    for image, (height, width) in zip(images[:, 0], sizes.tolist(), strict=True):
        assert (image[:height, :width] == 1.5).all() and image.sum() == 1.5 * height * width


def test_what_is_predicted_comes_in_the_order_of_the_data() -> None:
    data = DigitLines(train_size=10, batch_size=100)
    data.setup("fit")
    sizes = {
        name: torch.cat([batch[1] for batch in getattr(data, f"{name}_dataloader")()])
        for name in ("predict", "test")
    }
    assert sizes["predict"].equal(data.test_set.sizes)
    assert not sizes["test"].equal(data.test_set.sizes)
