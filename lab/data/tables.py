"""Tables of numbers as training, validation and test sets."""

import numpy as np
import torch

from lab.data.base import TensorSet


def split_table(inputs: np.ndarray, targets: np.ndarray) -> tuple[TensorSet, TensorSet, TensorSet]:
    """Cut rows by a fixed permutation into 60, 20 and 20 %, and standardise.

    Mean and deviation of inputs (N, D) and targets (N, K) come from the training part alone.
    """
    count = len(inputs)
    # numpy's legacy generator keeps its stream over releases.
    order = np.random.RandomState(0).permutation(count)
    parts = np.split(order, [int(0.6 * count), int(0.8 * count)])
    train = parts[0]

    def standardised(values: np.ndarray) -> np.ndarray:
        return (values - values[train].mean(0)) / values[train].std(0)

    columns = [torch.from_numpy(standardised(values)).float() for values in (inputs, targets)]
    first, second, third = (TensorSet(*(column[part] for column in columns)) for part in parts)
    return first, second, third
