"""California housing: the median house value of a district from its census figures of 1990.

Shapes: inputs (B, 8) and targets (B, 1), both standardised with the training part's mean and deviation.
Source: Pace & Barry, "Sparse spatial autoregressions", 1997; 20 640 districts. Columns as in
scikit-learn: median income, house age, rooms and bedrooms per household, population, persons per
household, latitude, longitude.
"""

import io
import tarfile

import numpy as np

from lab.data.base import LabData
from lab.data.download import RemoteFile, data_folder, fetch
from lab.data.reading import reading
from lab.data.tables import split_table

ARCHIVE = RemoteFile(
    name="cal_housing.tgz",
    size=None,
    sha256="aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",
    mirrors=(
        "https://ndownloader.figshare.com/files/5976036",
        "https://www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.tgz",
    ),
)


class California(LabData):
    """Median house values of 20 640 Californian districts; downloaded (0.4 MB)."""

    def __init__(self, *, batch_size: int = 256, num_workers: int = 0) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers)
        self.input_shape = (8,)
        self.output_shape = (1,)

    def prepare_data(self) -> None:
        fetch(ARCHIVE, data_folder() / "California")

    def setup(self, stage: str) -> None:
        path = data_folder() / "California" / ARCHIVE.name
        with reading(path), tarfile.open(path) as archive:
            member = archive.extractfile("CaliforniaHousing/cal_housing.data")
            assert member is not None
            table = np.loadtxt(io.BytesIO(member.read()), delimiter=",")
        longitude, latitude, age, rooms, bedrooms, people, households, income, value = table.T
        inputs = [income, age, rooms / households, bedrooms / households, people]
        inputs += [people / households, latitude, longitude]
        sets = split_table(np.stack(inputs, axis=1), value[:, None])
        self.train_set, self.val_set, self.test_set = sets
