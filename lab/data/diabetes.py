"""Diabetes progression from ten measurements: the table that ships inside scikit-learn.

Shapes: inputs (B, 10) and targets (B, 1), both standardised with the training part's mean and deviation.
Source: Efron, Hastie, Johnstone, Tibshirani, "Least angle regression", 2004; 442 patients.
"""

import numpy as np

from lab.data.base import LabData
from lab.data.packaged import packaged
from lab.data.tables import split_table


class Diabetes(LabData):
    """Disease progression of 442 patients from 10 measurements; ships with scikit-learn."""

    def __init__(self, *, batch_size: int = 64, num_workers: int = 0) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (10,)
        self.output_shape = (1,)

    def setup(self, stage: str) -> None:
        inputs = np.loadtxt(packaged("diabetes_data_raw.csv.gz"))
        targets = np.loadtxt(packaged("diabetes_target.csv.gz"))[:, None]
        self.train_set, self.val_set, self.test_set = split_table(inputs, targets)
