"""The mathematics of word vectors: the loss of skip-gram, analogies, similarity.

V words with vectors of D numbers. Vectors are compared by cosine.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional import spearman_corrcoef


def skip_gram_loss(
    center: Tensor, context: Tensor, far: Tensor, weights: Tensor, *, negatives: int
) -> Tensor:
    """Loss of skip-gram with negative sampling (Mikolov et al. 2013), the mean over pairs, in nats.

    A pair costs -log s(u v) and `negatives` times what a negative costs its centre, where s is the logistic
    function. All scores of a block are one product of matrices (Ji et al. 2016).

    Args:
        center: v, (B, L, D).
        context: u, (B, C, D).
        far: what a negative costs each centre in the mean, (B, L).
        weights: 1 for each pair and else 0, (B, L, C).
    """
    near = F.softplus(-center @ context.mT)
    total = (near * weights).sum() + negatives * (far * weights.sum(-1)).sum()
    return total / weights.sum().clamp(min=1)


def negative_cost(center: Tensor, negative: Tensor) -> Tensor:
    """-log s(-n v), the mean over K negatives n: (B, L) from centres (B, L, D) and (B, K, D)."""
    return F.softplus(center @ negative.mT).mean(-1)


def noise(counts: Tensor) -> Tensor:
    """Probability of each word as a negative, (V,): counts to the power 0.75 (Mikolov et al. 2013)."""
    power = counts.double() ** 0.75
    return power / power.sum()


def draw(cumulative: Tensor, *shape: int) -> Tensor:
    """Random words, from cumulative probabilities (V,) that end in 1."""
    uniform = torch.rand(shape, device=cumulative.device, dtype=cumulative.dtype)
    return torch.searchsorted(cumulative, uniform, right=True)


def expected_cost(center: Tensor, context: Tensor, probability: Tensor) -> Tensor:
    """`negative_cost` of each word over all negatives, exactly: (V,) from vectors (V, D) and (V,)."""
    parts = center.split(1000)
    return torch.cat([F.softplus(part @ context.T) @ probability for part in parts])


def solve(vectors: Tensor, questions: Tensor) -> Tensor:
    """The word that is to c what b is to a, (Q,), from questions (Q, 3 or more) that begin a, b, c.

    The nearest to b - a + c of unit length each, question words excluded ("3CosAdd", Mikolov et al. 2013).
    """
    unit = F.normalize(vectors)
    answers = []
    for part in questions.split(1000):
        a, b, c = (unit[part[:, place]] for place in range(3))
        scores = (b - a + c) @ unit.T
        answers.append(scores.scatter(1, part[:, :3], -torch.inf).argmax(1))
    return torch.cat(answers)


def analogy_accuracy(vectors: Tensor, questions: Tensor) -> float:
    """Share of the questions a, b, c, d, (Q, 4), that are answered by d."""
    return (solve(vectors, questions) == questions[:, 3]).double().mean().item()


def word_similarity(vectors: Tensor, pairs: Tensor, scores: Tensor) -> float:
    """Spearman's rank correlation of cosines of pairs (P, 2) with people's scores (P,)."""
    cosine = F.cosine_similarity(vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return spearman_corrcoef(cosine.double(), scores.double()).item()


def nearest(vectors: Tensor, query: Tensor, most: int, *, but: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and numbers of the words nearest to one query (D,), those in `but` excluded."""
    scores = F.normalize(vectors) @ F.normalize(query, dim=0)
    scores[but] = -torch.inf
    found = scores.topk(min(most, len(scores) - len(but.unique())))
    return found.values, found.indices
