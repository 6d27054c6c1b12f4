"""What holds for the repository as a whole: locks, imports, sizes, workflow, notebooks, licence."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements"
LOCKS = ["prod.txt", "dev.txt"]
# The other modules are called what their distribution is called, but for _ in place of -.
DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "PIL": "pillow",
    "HersheyFonts": "Hershey-Fonts",
}


def declared(name: str) -> dict[str, Requirement]:
    """The direct dependencies in one of the .in files, by distribution."""
    lines = (REQUIREMENTS / name).read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def locked(name: str) -> list[str]:
    """The entries of a lock, each with its marker and its hashes on one line."""
    joined = (REQUIREMENTS / name).read_text().replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def versions(name: str) -> dict[str, set[str]]:
    """The locked versions by distribution; Python versions may differ in them."""
    found: dict[str, set[str]] = {}
    for entry in locked(name):
        distribution, version = entry.split()[0].split("==")
        found.setdefault(distribution.split("[")[0], set()).add(version)
    return found


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The full names of all modules that a file imports, inside functions too."""
    package = path.relative_to(ROOT).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            # `from lab import nets` names a module too, so both readings are kept.
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def authored(*suffixes: str) -> Iterator[Path]:
    """Files that people wrote: nothing from environments, caches, data or runs."""
    folders = [".github", ".ci", "lab", "training", "notebooks", "tasks", "tests", "requirements"]
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in sorted([*found, *ROOT.glob("*")]):
        if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts:
            yield path


@pytest.mark.parametrize("lock", LOCKS)
def test_torch_and_torchvision_are_the_pinned_pair(lock: str) -> None:
    pins = {name: str(declared("prod.in")[name].specifier) for name in ("torch", "torchvision")}
    assert pins == {"torch": "==2.14.1", "torchvision": "==0.29.1"}
    assert {name: {f"=={v}" for v in versions(lock)[name]} for name in pins} == {
        name: {pin} for name, pin in pins.items()
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_has_a_version_and_hashes(lock: str) -> None:
    shape = re.compile(r"[a-z0-9.-]+(\[[a-z,-]+\])?==\S+ (; .+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in locked(lock) if not shape.fullmatch(entry.rstrip())] == []
    assert len(locked(lock)) > len(declared("prod.in"))


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_address_and_no_folder(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*# +(via )?(-r )?/", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_malicious_lightning_releases_are_shut_out(lock: str) -> None:
    allowed = declared("prod.in")["pytorch-lightning"].specifier
    assert not any(version in allowed for version in ("2.6.1", "2.6.2", "2.6.3"))
    assert all(
        Version(version) >= Version("2.6.4") for version in versions(lock)["pytorch-lightning"]
    )


def test_locks_hold_what_is_declared_and_agree() -> None:
    prod, dev = versions("prod.txt"), versions("dev.txt")
    assert {name: dev.get(name) for name in prod} == prod
    for requirement, lock in [
        *((requirement, prod) for requirement in declared("prod.in").values()),
        *((requirement, dev) for requirement in declared("dev.in").values()),
    ]:
        found = lock[canonicalize_name(requirement.name)]
        assert all(version in requirement.specifier for version in found), requirement


def test_every_direct_dependency_has_its_reason() -> None:
    readme = (REQUIREMENTS / "README.md").read_text()
    reasons = re.findall(r"^- `(.+?)`: \S", readme, re.MULTILINE)
    assert sorted(reasons) == sorted([*declared("prod.in"), *declared("dev.in")])


@pytest.mark.parametrize(
    "path", sources("lab", "training", "tasks"), ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_imported_library_is_declared(path: Path) -> None:
    modules = {module.split(".")[0] for module in imports(path)}
    libraries = modules - sys.stdlib_module_names - {"lab", "benchmarks", "tasks"}
    names = {canonicalize_name(DISTRIBUTIONS.get(library, library)) for library in libraries}
    known = set(declared("prod.in"))
    # Checks run in pytest, and the notebook is written: with what `make setup` installs.
    assert names <= (
        known | set(declared("dev.in")) if path.is_relative_to(ROOT / "tasks") else known
    )


def test_imports_are_read_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "lab" / "data").mkdir(parents=True)
    file = tmp_path / "lab" / "data" / "digits.py"
    file.write_text("def f():\n    import a.b\nfrom ..nets import cnn\nfrom . import base\n")
    assert imports(file) == {"a.b", "lab.nets", "lab.nets.cnn", "lab.data", "lab.data.base"}


def test_nets_know_torch_only() -> None:
    for path in sources("lab/nets"):
        libraries = {m for m in imports(path) if m.split(".")[0] not in sys.stdlib_module_names}
        assert all(within(module, "torch", "lab.nets") for module in libraries), path


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("lab/data", ("lab.nets", "lab.models", "lab.run", "training")),
        ("lab/models", ("lab.nets", "lab.data", "training")),
        ("lab/run", ("training",)),
        ("lab", ("tasks",)),
    ],
)
def test_imports_flow_one_way(folder: str, forbidden: tuple[str, ...]) -> None:
    for path in sources(folder):
        assert not [module for module in imports(path) if within(module, *forbidden)], path


def test_torchtext_stays_behind_the_vocabulary() -> None:
    users = [path for path in sources("lab", "training") if "torchtext" in str(imports(path))]
    assert {path.relative_to(ROOT).as_posix() for path in users} <= {"lab/data/vocabulary.py"}


def test_files_stay_short_enough_to_read() -> None:
    paths = sources("lab", "training", "tasks/labs")
    sizes = {path: len(path.read_text().splitlines()) for path in paths}
    assert {path: lines for path, lines in sizes.items() if lines > 250} == {}


def test_nothing_is_left_to_do_in_the_sources() -> None:
    word = "TO" + "DO"
    suffixes = (".py", ".yaml", ".yml", ".toml", ".md", ".in", ".ipynb", "")
    assert [path for path in authored(*suffixes) if word in path.read_text()] == []


def test_workflow_reads_only_and_pins_its_actions() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        assert re.findall(r"^permissions:\n((?: +.*\n)+)", text, re.M) == ["  contents: read\n"]
        actions = re.findall(r"uses: +(.+)", text)
        assert actions
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", action) for action in actions)


def test_notebooks_are_committed_without_outputs() -> None:
    for path in authored(".ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")], (
            path
        )


def test_licence_is_mit() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) 2026 the deep-learning-lab authors\n")
