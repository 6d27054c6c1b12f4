"""Regions become a stub and can be put back; a marker out of place is an error that names its line."""

import ast
from textwrap import dedent

import pytest
from small_repository import HOME, SOURCE

from tasks.labs.errors import NotDone
from tasks.labs.regions import RegionError, regions, splice, stub

WHOLE = '''"""A task."""

import numpy as np
from lab.errors import LabError


class Net:
    def forward(self, x: int) -> int:
        # >>> solution: return twice x
        return 2 * x
        # <<< solution


def size(x: int, *, by: float = 1.0) -> float:
    """Text that keeps # signs and `>>> solution` without one."""
    y = np.abs(x)
    # >>> solution: return y times `by`, a "float"
    #| half = y / 2
    #| # then go on
    if y:
        raise LabError("# no marker")
    return y * by
    # <<< solution


# >>> solution: make TABLE, a list of ten
TABLE = list(range(10))
# <<< solution


def other() -> type:
    return LabError
'''


def body(*lines: str, head: str = "") -> str:
    """A file with a function of these lines."""
    return f"{head}def f():\n" + "".join(f"    {line}\n" for line in lines)


def test_regions_know_their_place_and_function() -> None:
    found = regions(WHOLE)
    assert [(one.function, one.says) for one in found] == [
        ("Net.forward", "return twice x"),
        ("size", 'return y times `by`, a "float"'),
        ("", "make TABLE, a list of ten"),
    ]
    rows = WHOLE.splitlines()
    assert all(">>>" in rows[one.first] and "<<<" in rows[one.last] for one in found)
    assert [one.indent for one in found] == [" " * 8, " " * 4, ""]


def test_stub_has_prompts_and_what_is_wanted() -> None:
    made = stub(WHOLE, "w01.t01")
    for part in (
        '        raise NotDone("w01.t01 Net.forward: return twice x")\n',
        '    half = y / 2\n    # then go on\n    raise NotDone("w01.t01 size: return y times `by`',
        '\nraise NotDone("w01.t01: make TABLE, a list of ten")\n',
        "from lab.errors import LabError\nfrom tasks import NotDone\n",
    ):
        assert part in made
    assert "2 * x" not in made and "range(10)" not in made and "#|" not in made
    assert ast.get_docstring(ast.parse(made)) == "A task."


def test_long_messages_are_broken_as_the_formatter_does() -> None:
    says = "return " + "very " * 16 + "much"
    made = stub(body(f"# >>> solution: {says}", "return 1", "# <<< solution"), "w01.t01")
    first, rest = "return " + "very " * 14, "very very much"
    assert f'    raise NotDone(\n        "w01.t01 f: {first}"\n        "{rest}"\n    )\n' in made


def test_stub_raises_not_done() -> None:
    source = body(
        "# >>> solution: return one", "return 1", "# <<< solution", head='"""It."""\n\n\n'
    )
    space: dict = {}
    exec(stub(source, "w01.t01"), space)
    with pytest.raises(NotDone, match=r"^w01\.t01 f: return one$"):
        space["f"]()


@pytest.mark.parametrize(
    "imports",
    [
        "",
        "import os\n",
        "import os\n\nfrom lab.errors import LabError\n",
        "from tasks.labs.data import digits\n",
        "from lab.errors import LabError\nfrom tasks.labs.data import digits\n",
        "import os\n\nfrom lab.errors import (\n    LabError,\n)\n",
    ],
    ids=["none", "library", "lab", "tasks", "both", "long"],
)
def test_import_of_not_done_is_in_order_and_comes_out_again(imports: str) -> None:
    uses = [name for name in ("os", "LabError", "digits") if name in imports]
    source = f'"""A task."""\n\n{imports}\n\n' + body(
        *(f"print({name})" for name in uses), "# >>> solution: a", "return 1", "# <<< solution"
    )
    made = stub(source, "w01.t01")
    rows = [row for row in made.splitlines() if row.startswith(("from lab", "from tasks"))]
    assert rows == sorted(rows) and "from tasks import NotDone" in rows
    assert splice(made, source, "w01.t01") == source


@pytest.mark.parametrize("source", [WHOLE, SOURCE.read_text()], ids=["whole", "t11"])
def test_round_trip(source: str) -> None:
    assert splice(stub(source, "w01.t01"), source, "w01.t01") == source


def test_every_task_makes_a_round_trip() -> None:
    for path in sorted(HOME.glob("tasks/week*/t*/task.py")):
        source = path.read_text()
        assert splice(stub(source, "x"), source, "x") == source, path


def test_two_regions_with_the_same_stub_go_back_in_order() -> None:
    parts = [
        f"    def f(self):\n        # >>> solution: a\n        return {value}\n        # <<< solution\n"
        for value in (1, 2)
    ]
    source = "class A:\n" + "\n".join(parts)
    assert splice(stub(source, "x"), source, "x") == source


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("raise NotDone(", "return (  # "), "lacks the region of line"),
        (("from tasks import NotDone\n", ""), "lacks its import"),
    ],
)
def test_changed_stubs_are_not_spliced(change: tuple[str, str], told: str) -> None:
    source = "import os\n\n\n" + body("# >>> solution: a", "return 1", "# <<< solution", "os")
    with pytest.raises(RegionError, match=told):
        splice(stub(source, "x").replace(*change), source, "x")


BEGIN, END = "# >>> solution: a", "# <<< solution"
ERRORS = {
    "not begun": (body("return 1", END), "line 3: a region ends that has not begun"),
    "not ended": (body(BEGIN, "return 1"), "line 2: the region does not end"),
    "nested": (
        body(BEGIN, BEGIN, "return 1", END, END),
        "line 3: a region begins inside that of line 2",
    ),
    "empty": (body("x = 1", BEGIN, END), "line 3: the region has no code"),
    "comments only": (
        body("x = 1", BEGIN, "# a", "", "#| b", END),
        "line 3: the region has no code",
    ),
    "says nothing": (body("# >>> solution:", "return 1", END), "line 2: say what is wanted"),
    "says less": (body("# >>> solution", "return 1", END), "line 2: say what is wanted"),
    "no line of its own": (body(f"x = 1  {BEGIN}", "return 1", END), "line 2: write"),
    "end behind code": (body(BEGIN, f"return 1  {END}"), "line 3: write"),
    "other spaces": (body("#  >>> solution: a", "return 1", END), "line 2: write"),
    "no space": (body("#>>> solution: a", "return 1", END), "line 2: write"),
    "in a string": (
        body(f'x = "{BEGIN}"', "return 1"),
        "line 2: a solution marker inside a string",
    ),
    "in a docstring": (f'"""A\n{BEGIN}\n{END}\n"""\n', "line 1: a solution marker inside a string"),
    "in an f-string": (
        body("y = 1", f'x = f"{{y}} {BEGIN}"'),
        "line 3: a solution marker inside a string",
    ),
    "in a long f-string": (
        body("y = 1", f'x = f"""{{y}}\n{END}\n"""'),
        "line .: a solution marker inside a string",
    ),
    "in bytes": (body(f"x = b'{END}'"), "line 2: a solution marker inside a string"),
    "not Python": ("def f(:\n    '''\n", "not Python"),
    "no region": ("x = 1\n", "x01 has no solution region"),
    "unused import": (
        "import math\nimport os\n" + body("os", BEGIN, "return math.pi", END),
        "only the solution of x01 uses math: import it inside",
    ),
    "unused name of an import": (
        "from os import path as where\n" + body(BEGIN, "return where", END),
        "uses where",
    ),
    "drift": (
        body("x = 1") + f"\n\n{BEGIN}\ndef g():\n    return 2\n{END}\n",
        r"stub and solution of x01 differ in g\(\)",
    ),
    "drift of a method": (
        f"class A:\n    {BEGIN}\n    def g(self, x: int) -> int:\n        return 2\n    {END}\n",
        r"differ in A.g\(self, x: int\) -> int",
    ),
}


@pytest.mark.parametrize(("source", "told"), ERRORS.values(), ids=ERRORS)
def test_errors_name_the_line_and_the_way_out(source: str, told: str) -> None:
    with pytest.raises(RegionError, match=told):
        stub(source, "x01")


def test_a_stub_that_does_not_compile() -> None:
    source = dedent(
        """
        def f(x):
            # >>> solution: a
            if x:
                # <<< solution
                return 1
            return 2
        """
    )
    with pytest.raises(RegionError, match="the stub of x01 does not compile"):
        stub(source, "x01")


def test_what_is_only_like_a_marker_is_left() -> None:
    source = body("# the >>> solution of it", BEGIN, "return 1  # see <<<", END)
    assert "# the >>> solution of it" in stub(source, "x01")
