"""How much the lab costs beside plain torch: ratios, each measured side by side in one run.

Run:  python training/benchmark.py --json FILE     (some minutes; --only NAME ... picks parts)

The parts are the files in `training/benchmarks/`; the first line of each says what is measured / what it is
compared with. All have one thread. MNIST is looked for in LAB_DATA_DIR or data/; where it is not, images are
generated in its shape. Repeats alternate; ours and theirs are their medians, or minima where the part says
so; lowest and highest are the ratios of one repeat.
"""

import argparse
import ast
import contextlib
import importlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from lab.run import report

FOLDER = Path(__file__).resolve().with_name("benchmarks")


def parts() -> dict[str, str]:
    """What each part measures, by its name."""
    trees = {file.stem: ast.parse(file.read_text()) for file in sorted(FOLDER.glob("*.py"))}
    return {
        name: (ast.get_docstring(tree) or "").partition("\n")[0]
        for name, tree in trees.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "rows" for node in tree.body)
    }


def rows(part: str, repeats: int) -> Iterator[dict]:
    """The rows of a part; only then are its imports made."""
    yield from importlib.import_module(f"benchmarks.{part}").rows(repeats)


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


def run() -> None:
    known = parts()
    lines = "\n".join(f"  {name:<10} {line}" for name, line in known.items())
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\n{lines}",
        usage="%(prog)s [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument("--only", nargs="+", choices=known, default=list(known), help="parts")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="of each (7)")
    parser.add_argument("--quick", action="store_true", help="a trial with few images")
    args = parser.parse_args()
    # Threads that wait for work burn CPU time.
    torch.set_num_threads(1)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    cpu = torch.cpu.get_capabilities().get("cpu_name")
    facts = {"date": time.strftime("%F"), "cpu": cpu, "cores": os.cpu_count(), "gpu": card}
    facts |= report.versions() | {"git": report.git_commit(), "data": "MNIST"}
    out = args.json and args.json.absolute()
    source = Path(os.environ.get("LAB_DATA_DIR") or "data").absolute()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        if args.quick or not any(source.glob("MNIST/raw/train-images*")):
            source, count = Path(place), 5_640 if args.quick else 60_000
            generate(source / "MNIST" / "raw", count)
            facts["data"] = f"{count} generated images"
        os.environ |= {"LAB_DATA_DIR": str(source), "OMP_NUM_THREADS": "1"}
        print(*(f"{key}: {value}" for key, value in facts.items()), sep="\n")
        found = []
        for part in args.only:
            # Shown and kept as soon as it is known, because the next part may take long or fail.
            found += (new := list(rows(part, 1 if args.quick else args.repeats)))
            print(table(new), flush=True)
            if out:
                out.write_text(json.dumps({**facts, "rows": found}, indent=2) + "\n")


if __name__ == "__main__":
    run()
