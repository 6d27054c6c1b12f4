"""One linear model of digits, taught by three signals: right names, no names, and rewards.

X is (n, d); the weights W are (d + 1, k), one column for each of k names or clusters, the last row being
added to every sample. `with_ones(X) @ W` are scores (n, k); the model's answer is the highest.
"""

from enum import Enum

import numpy as np

from tasks.labs.bandit import Bandit


class Problem(Enum):
    """What tells the learner how it did."""

    SUPERVISED = "each input comes with the right answer, which somebody had to give"
    UNSUPERVISED = (
        "there is nothing but the inputs: find their structure, or a part of them from the rest"
    )
    REINFORCEMENT = (
        "the learner acts and is told how good that was, never what would have been right"
    )


QUIZ = {
    "spam": "Mails that people have marked as spam or not. Say it of a new mail.",
    "customers": "What 50 000 customers bought. Find groups of customers who buy alike.",
    "backgammon": "A program plays against itself and hears at the end of each game who won. Play well.",
    "letters": "All laws of a country as plain text. Give each letter the chance that it comes next.",
    "prices": "Size, age and place of 20 000 flats, and what each was sold for. What will this one cost?",
    "walking": "A robot moves its legs and measures how far it came before it fell. Come farther.",
    "photos": "A million photographs. Find 32 numbers for each, from which it can be drawn again.",
    "steering": "A camera in a car, and how a good driver turned the wheel at each image. Steer as she did.",
    "headlines": "Each reader is shown one of five headlines and clicks on it or not. Get more clicks.",
    "translation": "Sentences and their translations by people. Translate a new sentence.",
    "faces": "A collection of portraits. Draw new ones, of nobody, that could be among them.",
    "cooling": "A controller sets valves, and an hour later reads what power that cost. Save power.",
}


def with_ones(X: np.ndarray) -> np.ndarray:
    """X with a last column of ones: (n, d) -> (n, d + 1)."""
    return np.column_stack([X, np.ones(len(X))])


def problem_type(name: str) -> Problem:
    """Which kind of problem `QUIZ[name]` is."""
    # >>> solution: return the Problem that QUIZ[name] describes
    kinds = {
        Problem.SUPERVISED: "spam prices steering translation",
        Problem.UNSUPERVISED: "customers letters photos faces",
        Problem.REINFORCEMENT: "backgammon walking headlines cooling",
    }
    return next(kind for kind, names in kinds.items() if name in names.split())
    # <<< solution


def chances(W: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The softmax of the scores, (n, k): each row sums to 1. Scores may be large."""
    # >>> solution: return the chance of each name for each sample, shape (n, k)
    scores = with_ones(X) @ W
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)
    # <<< solution


def named_grad(W: np.ndarray, X: np.ndarray, names: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient by W of the mean over the samples of -weights[i] * log(chance of names[i]), (d + 1, k).

    Descending along it makes the names with a positive weight more likely.
    """
    # >>> solution: return the gradient, shape (d + 1, k)
    excess = chances(W, X)
    excess[np.arange(len(X)), names] -= 1
    return with_ones(X).T @ (excess * np.reshape(weights, (-1, 1))) / len(X)
    # <<< solution


def train_supervised(
    X: np.ndarray,
    y: np.ndarray,
    *,
    samples: int,
    rng: np.random.Generator,
    classes: int = 10,
    batch: int = 32,
    lr: float = 1.0,
) -> np.ndarray:
    """Weights (d + 1, classes) after `samples // batch` steps of descent from zeros.

    Each step draws `batch` samples of X at random and is told their right names y; all weigh 1.
    """
    # >>> solution: return the weights after all steps
    W = np.zeros((X.shape[1] + 1, classes))
    for _ in range(samples // batch):
        drawn = rng.integers(len(X), size=batch)
        W -= lr * named_grad(W, X[drawn], y[drawn], np.ones(batch))
    return W
    # <<< solution


def train_bandit(
    bandit: Bandit,
    *,
    rewards: int,
    rng: np.random.Generator,
    batch: int = 32,
    lr: float = 1.0,
    explore: float = 0.1,
) -> np.ndarray:
    """Weights (d + 1, k) after `rewards // batch` steps of descent from zeros, with (d, k) = bandit.shape.

    Each step looks at `batch` images and names each once: with a chance of `explore` by any name, all alike,
    else by a name drawn with the model's chances for this image. The weights of the gradient are the rewards.
    """
    # >>> solution: return the weights after all steps
    size, known = bandit.shape
    W = np.zeros((size + 1, known))
    for _ in range(rewards // batch):
        images = bandit.look(batch)
        mixed = (1 - explore) * chances(W, images) + explore / known
        said = np.array([rng.choice(known, p=row) for row in mixed])
        W -= lr * named_grad(W, images, said, bandit.reward(said))
    return W
    # <<< solution


def as_weights(centres: np.ndarray) -> np.ndarray:
    """Weights (d + 1, k) under which the highest score is that of the nearest of the centres (k, d).

    Column j holds centre j and below it the number that makes this true for every x.
    """
    # >>> solution: return the centres as columns, and one number below each
    return np.vstack([centres.T, -(centres**2).sum(1) / 2])
    # <<< solution


def cluster(X: np.ndarray, *, k: int, rounds: int, rng: np.random.Generator) -> np.ndarray:
    """`as_weights` of k centres after `rounds` rounds of k-means; they begin as k rows of X drawn at random.

    No row is drawn twice. In a round each sample goes to its nearest centre, then each centre to the mean of
    its samples. A centre without samples stays.
    """
    # >>> solution: return the centres' weights, shape (d + 1, k)
    centres = X[rng.choice(len(X), size=k, replace=False)].astype(float)
    for _ in range(rounds):
        nearest = (with_ones(X) @ as_weights(centres)).argmax(1)
        for group in set(nearest.tolist()):
            centres[group] = X[nearest == group].mean(0)
    return as_weights(centres)
    # <<< solution


def name_clusters(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each cluster the most frequent of the names y of its samples, (k,); 0 if it has no samples."""
    # >>> solution: return the name of each cluster, shape (k,), whole numbers
    groups = (with_ones(X) @ W).argmax(1)
    found = np.zeros(W.shape[1], dtype=int)
    for group in set(groups.tolist()):
        found[group] = np.bincount(y[groups == group]).argmax()
    return found
    # <<< solution
