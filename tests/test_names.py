"""Short names, the facts that pass from data to model, and the help."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXPERIMENTS, ROOT, Outcome
from test_presets import SHORT

from lab.errors import LabError, nearest
from lab.run import names, overview, stages

Script = Callable[..., Outcome]
ROLES = ("data", "models", "nets")
EVERY = [(role, name) for role in ROLES for name in names.index(role)]
PAIRS = [(data, model) for data in names.index("data") for model in names.index("models")]


def fits(data_name: str, model_name: str) -> bool:
    """Whether the data module states all that the model needs."""
    data = names.load(names.resolve("data", data_name))()
    model = names.load(names.resolve("models", model_name))
    return all(hasattr(data, fact) for fact in names.required_facts(model))


FITTING = [pair for pair in PAIRS if fits(*pair)]
# Of the many others, the next model that each data module does not fit.
OTHERS = [
    next((data, model) for model in names.index("models") if (data, model) not in FITTING)
    for data in names.index("data")
]


@pytest.mark.parametrize(("role", "name"), EVERY)
def test_short_name_is_its_class(role: str, name: str) -> None:
    cls = names.load(names.resolve(role, name))
    assert cls.__name__ == name and cls.__module__.startswith(f"lab.{role}.")
    line = names.index(role)[name][1]
    assert line.endswith((".", ";")) and inspect.getdoc(cls).startswith(line)


@pytest.mark.parametrize("name", ["MLP", "SGD", "AdamW", "LBFGS"])
def test_names_that_others_have_too_are_not_ambiguous(name: str) -> None:
    role = "nets" if name == "MLP" else "optimizers"
    assert names.resolve(role, name).endswith(f".{name}")


def plain(value: object) -> object:
    """The parser hands on tuples as lists, inside of others too."""
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("data_name", names.index("data"))
def test_models_that_fit_are_those_whose_needs_are_stated(data_name: str) -> None:
    found = names.fitting_models(names.load(names.resolve("data", data_name))())
    assert [(data_name, model) for model in found] == [p for p in FITTING if p[0] == data_name]


@pytest.mark.parametrize(("data_name", "model_name"), OTHERS)
def test_data_that_do_not_fit_get_a_clear_answer(
    script: Script, data_name: str, model_name: str
) -> None:
    outcome = script("--data", data_name, "--model", model_name)
    assert outcome.code == 2 and f"does not fit --model {model_name}" in outcome.err
    fitting = [model for data, model in FITTING if data == data_name]
    assert outcome.err.rstrip().endswith(f"Models that fit {data_name}: {', '.join(fitting)}")


@pytest.mark.parametrize(("data_name", "model_name"), FITTING)
def test_each_model_gets_its_facts(
    script: Script, data_name: str, model_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = names.load(names.resolve("data", data_name))()
    model = names.load(names.resolve("models", model_name))
    seen = {}
    original = model.__init__

    def watched(self: object, *args: object, **kwargs: object) -> None:
        seen.update(inspect.signature(original).bind(self, *args, **kwargs).arguments)
        original(self, *args, **kwargs)

    watched.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    watched.__annotations__ = original.__annotations__
    monkeypatch.setattr(model, "__init__", watched)
    # Everything is built, and then nothing done.
    monkeypatch.setattr(stages, "run", lambda cli: None)
    script("--data", data_name, "--model", model_name)
    for fact in names.required_facts(model):
        given, stated = seen[fact], getattr(data, fact)
        assert plain(given) == plain(stated), fact


@pytest.mark.parametrize("model", names.index("models"))
def test_a_model_alone_runs_on_data_of_its_kind(script: Script, model: str) -> None:
    outcome = script("--model", model, *SHORT)
    assert outcome.code == 0, outcome.err
    tested = [key for key in outcome.summary if key.startswith("test/")]
    assert tested


def test_fact_that_fails_is_not_passed_on_as_nothing(
    script: Script, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("failing.py").write_text(
        "from lab.data.digits import Digits\n"
        "class Failing(Digits):\n"
        "    @property\n"
        "    def num_classes(self):\n"
        "        return self.no_such_attribute\n"
        "    @num_classes.setter\n"
        "    def num_classes(self, value):\n"
        "        pass\n"
    )
    monkeypatch.syspath_prepend(own_folder)
    outcome = script("--data", "failing.Failing")
    assert outcome.code == 2
    assert "it states no num_classes" in outcome.err


# >>> from week 4
def test_what_nets_are_made_of_is_no_net() -> None:
    assert "Decoder" not in names.index("nets") and "Transformer" in names.index("nets")


# <<< from week 4
def test_nearest_names_ignore_case_and_fall_back_to_all() -> None:
    assert nearest("mnist", ["MNIST", "KMNIST", "Curve"]).split(", ")[0] == "MNIST"
    assert nearest("zzz", ["b", "a"]) == "a, b"


def test_unknown_attribute_of_a_module() -> None:
    with pytest.raises(LabError, match="has no Digitz"):
        names.load("lab.data.digits.Digitz")


def test_help_lists_everything_in_a_line_each_without_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from lab.run.main import main\n"
        f"sys.argv = ['x', '--help']; code = main(Path({str(EXPERIMENTS)!r}))\n"
        "import json; print(json.dumps([code, [m for m in ('torch', 'pytorch_lightning', 'yaml') "
        "if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    assert json.loads(last)[0] == 0 and "torch" not in json.loads(last)[1]
    assert "pytorch_lightning" not in json.loads(last)[1]
    for _, name in EVERY:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert len(line.split()) > 3
    for preset in EXPERIMENTS.glob("*.yaml"):
        assert any(line.split()[:1] == [preset.stem] for line in lines)
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(("role", "name"), EVERY)
def test_help_of_a_class_has_its_options(role: str, name: str) -> None:
    text = overview.details(name)
    cls = names.load(names.resolve(role, name))
    for option, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is not parameter.empty:
            assert f"  {option} " in text, option


def test_help_spells_out_choices() -> None:
    (line,) = [line for line in overview.details("MLP").splitlines() if "activation  " in line]
    assert line.split()[:4] == ["activation", "relu", "|", "tanh"] and line.endswith("= 'relu'")
    assert "constant | cosine | onecycle = 'constant'" in overview.details("Regression")


def test_help_does_not_grow_out_of_hand() -> None:
    assert len(overview.overview(EXPERIMENTS).splitlines()) < 160
    assert (ROOT / "lab" / "run" / "overview.py").is_file()
