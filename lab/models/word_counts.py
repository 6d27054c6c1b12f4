"""What counts of words and of their neighbours tell without training: the baselines of word vectors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def pairs_of(blocks: Any, transform: Callable[[Any], Any], *, most: int) -> Tensor:
    """Centre and neighbour of every pair, (2, P), in the first `most` blocks of the first epoch."""
    found = []
    for rows in torch.arange(min(len(blocks), most)).split(500):
        words, weights = transform(blocks.__getitems__(rows))
        block, center, neighbour = weights.nonzero(as_tuple=True)
        window = (words.shape[1] - weights.shape[1]) // 2
        found.append(torch.stack([words[block, center + window], words[block, neighbour]]))
    return torch.cat(found, 1)


def count_vectors(pairs: Tensor, vocab_size: int, width: int) -> Tensor:
    """Vectors (V, width) from counts of pairs (2, P): their information, factorised.

    Positive pointwise mutual information; the singular vectors are weighted with the square roots of their
    values (Levy, Goldberg, Dagan 2015). Widths above V give V numbers.
    """
    key, count = (pairs[0] * vocab_size + pairs[1]).unique(return_counts=True)
    row, column, count = key // vocab_size, key % vocab_size, count.double()
    rows, columns = (
        torch.bincount(place, weights=count, minlength=vocab_size) for place in (row, column)
    )
    information = (count * count.sum() / (rows[row] * columns[column])).log().clamp(min=0).float()
    table = torch.sparse_coo_tensor(
        torch.stack([row, column]), information, (vocab_size, vocab_size), check_invariants=False
    )
    # Its random start is part of the method's answer, so it is always the same one.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        left, strength, _ = torch.svd_lowrank(table, q=min(width, vocab_size), niter=3)
    return left * strength.sqrt()


def frequency_loss(
    words: Tensor, weights: Tensor, shown: Tensor, drawn: Tensor, negatives: int
) -> float:
    """Loss of skip-gram when all centres give a neighbour the same score, its best one.

    That is log(p / k q) for a word with share p of the neighbours and q of the negatives.

    Args:
        words: (B, C), with weights (B, L, C): the pairs.
        shown: how often each word is a neighbour in training, (V,), in any unit.
        drawn: q, (V,).
        negatives: k.
    """
    # A word that is never drawn as a negative is never shown either.
    score = (shown / shown.sum() / drawn.clamp(min=1e-30) / negatives).log().clamp(min=-30)
    near = F.softplus(-score)[words] * weights.sum(1)
    far = negatives * (F.softplus(score) * drawn).sum()
    return (near.sum() / weights.sum() + far).item()
