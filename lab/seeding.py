"""One seed from several numbers."""

import numpy as np


def mixed_seed(*numbers: int) -> int:
    """A seed of 32 bits that depends on each of the numbers.

    torch's CPU generator reads only the low 32 bits of its seed, so shifting numbers side by side into one
    large seed would lose all but the last.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
