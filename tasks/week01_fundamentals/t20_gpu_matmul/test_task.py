"""Public tests of w01.t20. They use no real clock: operations, transfers and a made-up time are counted."""

import numpy as np
import pytest

from tasks.labs import checking


class Scalar:
    """A number that counts how often such numbers are multiplied and added."""

    counts = {"multiplied": 0, "added": 0}

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        self.counts["multiplied"] += 1
        return Scalar(self.value * getattr(other, "value", other))

    def __add__(self, other):
        self.counts["added"] += 1
        return Scalar(self.value + getattr(other, "value", other))

    __radd__, __rmul__ = __add__, __mul__


class Slow(np.ndarray):
    """A matrix in slow memory, which keeps the shape of every slice that is read."""

    def __getitem__(self, place):
        part = np.asarray(self)[place]
        self.read.append(np.shape(part))
        return part.copy() if isinstance(part, np.ndarray) else part


def slow(matrix):
    found = matrix.view(Slow)
    found.read = []
    return found


def numbers_read(matrix):
    return sum(int(np.prod(shape)) for shape in matrix.read)


class Device:
    """A device with a clock of its own: a launch takes 1 second, its work goes on by itself."""

    def __init__(self, work):
        self.now, self.idle_from, self.work, self.calls = 0.0, 0.0, list(work), 0

    def launch(self):
        self.now += 1.0
        self.idle_from = max(self.now, self.idle_from) + self.work[self.calls]
        self.calls += 1

    def sync(self):
        self.now = max(self.now, self.idle_from)

    def clock(self):
        return self.now


SIZES = [(6, 6, 6, 3), (5, 7, 4, 3), (2, 9, 1, 4), (3, 4, 5, 8), (4, 3, 2, 1)]


def test_operations_by_hand(impl):
    """(2, 3) times (3, 4): 8 numbers of 3 products and 3 additions each."""
    checking.equal(
        [
            impl.matmul_flops(2, 3, 4),
            impl.matmul_flops(1024, 1024, 1024),
            impl.matmul_flops(1, 9, 1),
        ],
        [48, 2_147_483_648, 18],
        concept="two-per-multiply-add",
        why="A multiply-add is two operations, and each of the m * n results takes k of them.",
    )


def test_intensity_of_squares(impl):
    """n/6 operations per byte for n x n matrices of 4 bytes, twice that for 2 bytes."""
    checking.close(
        [impl.arithmetic_intensity(n, n, n) for n in (6, 1024)],
        [1.0, 1024 / 6],
        concept="bytes-of-all-three",
        why="Three matrices move: both factors in, and the product out.",
    )
    checking.close(
        impl.arithmetic_intensity(1024, 1024, 1024, dtype_bytes=2),
        1024 / 3,
        concept="dtype-bytes",
        why="Numbers of half the size move in half the bytes.",
    )


def test_intensity_of_other_shapes(impl):
    """A row times a matrix: hardly half an operation per byte, whatever the size."""
    checking.close(
        [impl.arithmetic_intensity(1, 1000, 1000), impl.arithmetic_intensity(3, 5, 7)],
        [2e6 / (4 * 1_002_000), 210 / (4 * 71)],
        concept="bytes-of-all-three",
        why="A has m * k numbers, B has k * n, the product m * n; each counts once.",
    )


def test_roof_below_and_above_the_ridge(impl):
    """A processor of 100 operations and 20 bytes per second: the ridge is at 5 operations per byte."""
    checking.close(
        impl.ridge_point(100.0, 20.0),
        5.0,
        concept="ridge-point",
        why="At the ridge, bytes per second times operations per byte is all the processor can do.",
    )
    checking.close(
        [impl.roofline(100.0, 20.0, intensity) for intensity in (0.5, 5.0, 40.0)],
        [10.0, 100.0, 100.0],
        concept="lower-of-two-limits",
        why="Below the ridge the memory is the limit, above it the arithmetic: no one can exceed either.",
    )


@pytest.mark.parametrize("m, k, n, tile", SIZES)
def test_tiled_product_is_the_product(impl, m, k, n, tile, rng):
    """The same numbers as A @ B, also where tiles do not fit the sizes; A and B stay as they are."""
    A, B = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    with checking.untouched(A, B, why="Add to a new matrix."):
        got = impl.tiled_matmul(A, B, tile)
    checking.close(
        got,
        A @ B,
        rtol=1e-9,
        atol=1e-12,
        concept="sum-over-blocks",
        why="A block of the product is the sum of block times block along k; mind the border.",
    )
    small = impl.tiled_matmul(A.astype(np.float32), B.astype(np.float32), tile)
    checking.equal(
        str(small.dtype), "float32", concept="dtype", why="The product has the dtype of A."
    )
    mixed = impl.tiled_matmul(A.astype(np.float32), B, tile)
    checking.equal(
        str(mixed.dtype), "float32", concept="dtype", why="The dtype is that of A, not that of B."
    )


@pytest.mark.parametrize("m, k, n, tile", SIZES)
def test_no_work_is_added(impl, m, k, n, tile, rng):
    """Exactly m * k * n multiplications, counted by the numbers themselves."""
    A, B = rng.integers(-9, 9, size=(m, k)), rng.integers(-9, 9, size=(k, n))
    wrap = np.frompyfunc(Scalar, 1, 1)
    Scalar.counts.update(multiplied=0, added=0)
    got = impl.tiled_matmul(wrap(A), wrap(B), tile)
    checking.equal(
        Scalar.counts["multiplied"],
        m * k * n,
        concept="no-work-added",
        why="Blocks at the border are smaller: zeros that fill them up are multiplied too.",
    )
    checking.equal(
        np.array([[one.value for one in row] for row in got]),
        A @ B,
        concept="sum-over-blocks",
        why="Each product of a block is added to what is there already.",
    )


@pytest.mark.parametrize("m, k, n, tile", SIZES)
def test_every_tile_is_read_as_planned(impl, m, k, n, tile, rng):
    """Slices of at most tile x tile, and as many numbers in all as `traffic` says and as m, k, n demand."""
    A, B = slow(rng.normal(size=(m, k))), slow(rng.normal(size=(k, n)))
    impl.tiled_matmul(A, B, tile)
    largest = max((max(shape, default=1) for shape in A.read + B.read), default=0)
    checking.that(
        0 < largest <= tile,
        concept="fits-fast-memory",
        why="Read A and B by slices of at most tile rows and columns: more does not fit.",
        expected=f"slices of 1 to {tile} rows and columns",
        got="no slice" if largest == 0 else f"one of {largest}",
    )
    read = numbers_read(A) + numbers_read(B)
    # Each block of rows meets each block of columns once.
    blocks_of_rows, blocks_of_columns = len(range(0, m, tile)), len(range(0, n, tile))
    checking.equal(
        read,
        blocks_of_columns * A.size + blocks_of_rows * B.size,
        concept="tiles-save-traffic",
        why="Use a block for all tile x tile results: reading number by number saves nothing.",
    )
    checking.equal(
        impl.traffic(m, k, n, tile),
        read,
        concept="traffic",
        why="A is read once for each block of columns of B, B once for each block of rows of A; round up.",
    )


def test_larger_tiles_move_less(impl):
    """1024 x 1024: with tiles of 32 one thirty-second of what single numbers take."""
    checking.equal(
        [impl.traffic(1024, 1024, 1024, tile) for tile in (1, 32, 1024)],
        [2_147_483_648, 67_108_864, 2_097_152],
        concept="traffic",
        why="With tiles of t, traffic falls by a factor of t, down to reading each matrix once.",
    )


def test_passes_of_an_mlp(impl):
    """Batch 10, widths 4, 3, 2: forward 2 * 10 * (12 + 6), backward twice that less one product of 4 by 3."""
    forward, backward = impl.mlp_flops(10, [4, 3, 2])
    checking.equal(
        forward,
        360,
        concept="product-per-layer",
        why="Forward, each layer multiplies the (batch, in) numbers before it by its (in, out) weights.",
    )
    why = "Backward, a layer has two products as large as its forward one; the first layer has one."
    checking.equal(backward, 480, concept="backward-is-two-products", why=why)
    checking.equal(
        list(impl.mlp_flops(7, [5, 11])),
        [770, 770],
        concept="backward-is-two-products",
        why="A single layer needs the gradient of its weights, and nobody needs that of the data.",
    )


class Plain:
    """A function that takes as long as it is told, on a clock of its own; no device."""

    def __init__(self, *spans):
        self.now, self.spans, self.calls = 0.0, spans, 0

    def __call__(self):
        self.now += self.spans[min(self.calls, len(self.spans) - 1)]
        self.calls += 1

    def timed(self, impl, **counts):
        return impl.benchmark(self, clock=lambda: self.now, **counts)


def test_a_span_for_each_call(impl):
    """A plain function that takes 3 seconds by the clock that is given, called once and three times."""
    checking.close(
        Plain(3.0).timed(impl, warmup=0, repeats=1),
        3.0,
        concept="given-clock",
        why="The time is what `clock` says, which need not be the clock of this computer.",
    )
    checking.close(
        Plain(3.0).timed(impl, warmup=0, repeats=3),
        3.0,
        concept="span-per-call",
        why="Each call has a span of its own; asked for is the middle one, not their sum.",
    )


def test_slow_first_calls_are_not_timed(impl):
    """Three calls of a plain function that are slow, as first calls often are; then one of 2 seconds."""
    fn = Plain(100.0, 90.0, 80.0, 2.0)
    got = fn.timed(impl, warmup=3, repeats=1)
    checking.equal(
        fn.calls,
        4,
        concept="warm-up",
        why="`warmup` calls that are not timed, and `repeats` that are.",
    )
    checking.close(
        got, 2.0, concept="warm-up", why="Take no times of the warm-up: it has costs of its own."
    )


def test_time_until_the_work_is_done(impl):
    """Each call launches for 1 second and computes for 9 more, after the launch has returned."""
    device = Device([9.0] * 20)
    got = impl.benchmark(device.launch, sync=device.sync, clock=device.clock, warmup=0, repeats=3)
    checking.close(
        got,
        10.0,
        concept="wait-for-the-device",
        why="The call returns at once: wait for the device before the clock is read the second time.",
    )


def test_warm_up_is_over_before_the_start(impl):
    """Two slow first calls that return at once: their work still goes on then, and is not to be timed."""
    device = Device([1000.0, 500.0, *[4.0] * 20])
    got = impl.benchmark(device.launch, sync=device.sync, clock=device.clock, warmup=2, repeats=1)
    checking.close(
        got,
        5.0,
        concept="idle-before-start",
        why="Wait for the device before the first reading too, or what the warm-up left is timed along.",
    )


def test_median_shrugs_off_an_interruption(impl):
    """One call is interrupted for long: the middle value, or the mean of the middle two, does not mind."""
    spans = [1.0, 8.0, 6.0, 901.0, 7.0, 6.5]
    checking.close(
        [Plain(*spans).timed(impl, warmup=1, repeats=count) for count in (5, 4)],
        [7.0, 7.5],
        concept="median",
        why="Other programs only ever make a call slower: one such call moves the mean, not the median, "
        "which is the mean of the middle two where their number is even.",
    )


def test_benchmark_needs_no_device(impl):
    """Without `sync` and `clock` it is the real time of a plain function: a number from 0 on."""
    calls = []
    got = impl.benchmark(lambda: calls.append(1), warmup=3, repeats=4)
    checking.that(
        isinstance(got, float) and got >= 0 and len(calls) == 7,
        concept="warm-up",
        why="The defaults are time.perf_counter and nothing to wait for.",
        expected="a float from 0 on, after 3 + 4 calls",
        got=f"{got!r} after {len(calls)} calls",
    )
