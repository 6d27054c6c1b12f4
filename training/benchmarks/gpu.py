"""Training a ResNet on MNIST in bf16 by the script / the same if the GPU never waited."""
# from week 2

import time
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.measuring import Clock, alternate, compare, last_epoch


def rows(repeats: int) -> Iterator[dict]:
    """The second epoch; the GPU's work in it is what a run of two has more than a run of one."""
    if not torch.cuda.is_available():
        print("gpu: there is none")
        return
    options = (
        "-c=fashion_resnet",
        "--data=MNIST",
        "--data.batch_size=128",
        "--trainer.precision=bf16-mixed",
        "--trainer.devices=1",
    )

    def busy(epochs: int) -> float:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as found:
            last_epoch(time.perf_counter, epochs, *options)
        events = [e for e in found.events() or [] if e.device_type.name == "CUDA"]
        return sum(e.time_range.elapsed_us() for e in events if not e.is_user_annotation) / 1e6

    ours = partial(last_epoch, time.perf_counter, 2, *options)
    seconds = alternate(repeats, ours, lambda: busy(2) - busy(1))
    speeds = [[Clock.samples / spent for spent in side] for side in seconds]
    yield (row := compare("gpu / never waiting", "samples / s", *speeds))
    print(f"gpu: waits {1 - row['ratio']:.0%} of the time")
