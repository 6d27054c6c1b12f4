"""Images to be named, where all that one is told is whether the name was right."""

import numpy as np

from lab.errors import LabError


class Bandit:
    """Shows images and judges names; the right name is never told, and each image can be named once.

    Attributes:
        shape: numbers of an image, and number of names.
        asked: how many names have been judged so far.

    Args:
        images: (n, d).
        labels: (n,), the right names, 0 to classes - 1.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, *, seed: int, classes: int = 10
    ) -> None:
        self.shape = (images.shape[1], classes)
        self.asked = 0
        self._rng, self._images = np.random.default_rng(seed), images
        self._shown = np.empty(0, dtype=int)
        # In a closure, so that no attribute holds them.
        self._right = lambda names: (names == labels[self._shown]).astype(float)

    def look(self, count: int) -> np.ndarray:
        """Some of the images, drawn at random, (count, d)."""
        self._shown = self._rng.integers(len(self._images), size=count)
        return self._images[self._shown]

    def reward(self, names: np.ndarray) -> np.ndarray:
        """1 for each right name and 0 for each wrong one, (count,), for the images looked at last.

        Raises:
            LabError: not one name for each of these images, a name that there is not, or a second answer.
        """
        names = np.asarray(names)
        if not len(self._shown):
            raise LabError(
                "no image waits for a name: each can be named once, so look() again first"
            )
        if names.shape != self._shown.shape:
            raise LabError(
                f"{len(self._shown)} images wait for a name each; the names have shape {names.shape}"
            )
        if not np.isin(names, range(self.shape[1])).all():
            raise LabError(f"names are whole numbers from 0 to {self.shape[1] - 1}")
        judged = self._right(names)
        self.asked += len(names)
        self._shown = self._shown[:0]
        return judged
