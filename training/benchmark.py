"""How much the lab costs beside plain torch: ratios, each measured side by side in one run.

Run:  python training/benchmark.py --json FILE     (some minutes; --only NAME ... picks parts)

Parts, with one thread / what they are compared with:
  epoch    an MLP on MNIST by the script, with validation, logs and checkpoints / a loop by hand without the
           last two, with the same net, optimizer and batch size, over floats standardised beforehand
  loader   training samples as the net gets them / torchvision's MNIST, sample by sample through PIL
  startup  a process until its first training step is done, and `--help` / `import pytorch_lightning`
  gpu      training a ResNet in bf16 by the script / the same if the GPU never waited
MNIST is looked for in LAB_DATA_DIR or data/; where it is not, images are generated in its shape. Repeats
alternate; ours and theirs are their medians (startup: minima), lowest and highest the ratios of one repeat.
"""

import argparse
import contextlib
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lab.data.mnist import MNIST
from lab.run import main, report

EXPERIMENT = Path(__file__).resolve().with_name("run_experiment.py")
BATCH = 128
# Importing Lightning sets this; every step of AdamW is slower with it, which is no fault of a loop by hand.
SLOW = "PYTORCH_NVML_BASED_CUDA_CHECK"


def compare(what: str, unit: str, ours: Any, theirs: Any, pick: Any = statistics.median) -> dict:
    """The row of two lists of repeats; `pick` makes one number of a list."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    mine, other = pick(ours), pick(theirs)
    row = {"what": what, "unit": unit, "ours": mine, "theirs": other, "difference": mine - other}
    return row | {"ratio": mine / other, "lowest": min(ratios), "highest": max(ratios)}


def alternate(repeats: int, *contestants: Callable[[], Any]) -> list[tuple[Any, ...]]:
    """The results of each contestant; they take turns, so that all meet the same load."""
    rounds = [[contestant() for contestant in contestants] for _ in range(repeats)]
    return list(zip(*rounds, strict=True))


def table(rows: list[dict]) -> str:
    """Rows in aligned columns."""
    texts = [[v if isinstance(v, str) else f"{v:.4g}" for v in row.values()] for row in rows]
    lines = [[*rows[0]], *texts] if rows else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def generate(folder: Path, images: int) -> None:
    """Files like MNIST's, of random bytes."""
    folder.mkdir(parents=True)
    for part, count in (("train", images), ("t10k", images // 6)):
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            header = b"".join(n.to_bytes(4, "big") for n in (0x800 + len(shape), *shape))
            values = torch.randint(10, shape, dtype=torch.uint8)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + values.numpy().tobytes())


class Clock(pl.Callback):
    """The time at which epochs start and the last one ends; what training starts from."""

    now: Callable[[], float]
    marks: list[float]
    start: tuple[nn.Module, torch.optim.Optimizer]
    samples: int

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        Clock.marks, Clock.start = [], copy.deepcopy((pl_module.net, trainer.optimizers[0]))
        Clock.samples = len(trainer.datamodule.train_set)  # type: ignore[attr-defined]

    def on_train_epoch_start(self, *_: Any) -> None:
        Clock.marks.append(Clock.now())

    on_train_end = on_train_epoch_start  # type: ignore[assignment]


def last_epoch(now: Callable[[], float], epochs: int, *words: str) -> float:
    """Call the script in this process; the seconds of the last epoch by the clock `now`."""
    Clock.now, os.environ[SLOW] = now, "1"
    sys.argv = [EXPERIMENT.name, *words, "--data=MNIST", f"--data.batch_size={BATCH}"]
    sys.argv += [f"--trainer.callbacks+={__name__}.Clock", f"--trainer.max_epochs={epochs}"]
    assert main.main(EXPERIMENT.parent / "experiments") == 0, "the script failed"
    return Clock.marks[-1] - Clock.marks[-2]


def by_hand(net: nn.Module, optimizer: Any, train: Iterable, val: Iterable) -> tuple[float, int]:
    """Train for an epoch; then loss summed over the validation set, and how many are right."""
    net.train()
    for x, y in train:
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    net.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in val:
            logits = net(x)
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += int((logits.argmax(1) == y).sum())
    return loss, right


def epoch(repeats: int) -> Iterator[dict]:
    """CPU seconds of the second epoch, from the same start."""
    data: Any = MNIST()
    data.setup("fit")
    train, val = (data.batch_transform(part.tensors) for part in (data.train_set, data.val_set))

    def in_memory(x: Tensor, y: Tensor, shuffle: bool) -> Iterable:
        if shuffle:
            return ((x[rows], y[rows]) for rows in torch.randperm(len(x)).split(BATCH))
        return zip(x.split(BATCH), y.split(BATCH), strict=True)

    def theirs(load: Callable[..., Iterable]) -> float:
        os.environ.pop(SLOW, None)
        net, optimizer = copy.deepcopy(Clock.start)
        for _ in range(2):
            started = time.process_time()
            by_hand(net, optimizer, load(*train, shuffle=True), load(*val, shuffle=False))
        return time.process_time() - started

    ours = partial(last_epoch, time.process_time, 2, "--model.net=MLP", "--trainer.accelerator=cpu")
    loads = (lambda x, y, shuffle: DataLoader(TensorDataset(x, y), BATCH, shuffle), in_memory)
    own, default, memory = alternate(repeats, ours, *(partial(theirs, load) for load in loads))
    yield compare("epoch / default DataLoader", "CPU s", own, default)
    yield compare("epoch / tensors in memory", "CPU s", own, memory)


def speed(batches: Iterable, *transforms: Callable[[Any], Any]) -> float:
    """Samples per CPU second."""
    started, count = time.process_time(), 0
    for batch in batches:
        for transform in transforms:
            batch = transform(batch)
        count += len(batch[1])
    return count / (time.process_time() - started)


def loader(repeats: int) -> Iterator[dict]:
    """Our batches with their transforms, and a default DataLoader over images through PIL."""
    from torchvision import datasets, transforms

    # torchvision's own class, over images that are read already.
    images: Any = datasets.MNIST.__new__(datasets.MNIST)
    tail = [transforms.ToTensor(), transforms.Normalize(0.1307, 0.3081)]
    move = transforms.RandomAffine(10, translate=(0.07, 0.07), scale=(0.9, 1.1))
    for name, chain in (("loader", tail), ("augmented loader", [move, *tail])):
        data = MNIST(batch_size=BATCH, augment=chain is not tail)
        data.setup("fit")
        images.data, images.targets = (t[:10_000].squeeze() for t in data.train_set.tensors)
        images.transform, images.target_transform = transforms.Compose(chain), None
        own = filter(None, (data.batch_transform, data.train_transform))
        ours = partial(speed, data.train_dataloader(), *own)
        theirs = partial(speed, DataLoader(images, BATCH, shuffle=True))
        yield compare(f"{name} / PIL", "samples / CPU s", *alternate(repeats, ours, theirs))


class FirstStep(pl.Callback):
    """Ends the process when the first training step is done."""

    def on_train_batch_end(self, *_: Any) -> None:
        os._exit(0)


def startup(repeats: int) -> Iterator[dict]:
    """New processes; the script finds the callback in this file because it lies beside it."""

    def spent(*words: str) -> tuple[float, float]:
        before = os.times()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        return after.elapsed - before.elapsed, sum(after[2:4]) - sum(before[2:4])

    lightning = partial(spent, "-c", "import os, pytorch_lightning; os._exit(0)")
    first = partial(spent, str(EXPERIMENT), "--trainer.callbacks+=benchmark.FirstStep")
    found = alternate(repeats, lightning, first, partial(spent, str(EXPERIMENT), "--help"))
    for side, unit in enumerate(("s", "CPU s")):
        imports, steps, helps = ([pair[side] for pair in pairs] for pairs in found)
        yield compare("first step / import Lightning", unit, steps, imports, min)
        yield compare("--help / import Lightning", unit, helps, imports, min)


def gpu(repeats: int) -> Iterator[dict]:
    """The second epoch; the GPU's work in it is what a run of two has more than a run of one."""
    if not torch.cuda.is_available():
        print("gpu: there is none")
        return
    options = ("-c=fashion_resnet", "--trainer.precision=bf16-mixed", "--trainer.devices=1")

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


PARTS = {"epoch": epoch, "loader": loader, "startup": startup, "gpu": gpu}


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [options]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts")
    parser.add_argument("--quick", action="store_true", help="a trial with few images")
    args = parser.parse_args()
    # Threads that wait for work burn CPU time.
    torch.set_num_threads(1)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cpu = torch.cpu.get_capabilities().get("cpu_name")
    facts = {"date": time.strftime("%F"), "cpu": cpu, "cores": os.cpu_count(), "gpu": card}
    facts |= report.versions() | {"git": report.git_commit(), "data": "MNIST"}
    source = Path(os.environ.get("LAB_DATA_DIR") or "data").absolute()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        if args.quick or not any(source.glob("MNIST/raw/train-images*")):
            source, count = Path(place), 5_640 if args.quick else 60_000
            generate(source / "MNIST" / "raw", count)
            facts["data"] = f"{count} generated images"
        os.environ |= {"LAB_DATA_DIR": str(source), "OMP_NUM_THREADS": "1"}
        rows = [row for part in args.only for row in PARTS[part](1 if args.quick else 7)]
    print(*(f"{key}: {value}" for key, value in facts.items()), table(rows), sep="\n")
    if args.json:
        args.json.write_text(json.dumps({**facts, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    run()
