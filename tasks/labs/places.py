"""Where in the student's file to look when a test fails: at the functions that the test calls."""

import ast
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def called(tests: Path, name: str) -> list[str]:
    """The student's functions that a test calls, itself or by its fixtures and helpers.

    What it hands straight to a check comes first.
    """
    try:
        tree = ast.parse(tests.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return []
    known = {node.name: node for node in tree.body if isinstance(node, FUNCTIONS)}
    checked: list[str] = []
    found: list[str] = []
    seen: set[str] = set()

    def visit(function: str) -> None:
        if function in seen or function not in known:
            return
        seen.add(function)
        node = known[function]
        for call in _in_order(node, ast.Call):
            if call.args and _of(call.func, "checking"):
                checked.extend(_wanted(call.args[0]))
        found.extend(_wanted(node))
        for argument in (*node.args.args, *node.args.kwonlyargs):
            visit(argument.arg)
        for used in _in_order(node, ast.Name):
            visit(used.id)

    visit(name.partition("[")[0])
    return list(dict.fromkeys([*checked, *found]))


def defined(source: str) -> dict[str, int]:
    """The line of each function and class of a file; empty where the file is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    return {
        node.name: node.lineno for node in tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef))
    }


def _wanted(node: ast.AST) -> list[str]:
    """NAME of each `impl.NAME`, in the order of the text."""
    return [found.attr for found in _in_order(node, ast.Attribute) if _of(found, "impl")]


def _of(node: ast.AST, module: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == module
    )


def _in_order(node: ast.AST, kind: type) -> list:
    found = [one for one in ast.walk(node) if isinstance(one, kind)]
    return sorted(found, key=lambda one: (one.lineno, one.col_offset))
