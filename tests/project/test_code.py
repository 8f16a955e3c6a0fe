"""Limits of the code that ruff has no rule for: functions fit a screen, and rows are typed.

Ruff holds the other limits: at most 8 parameters (commands may have more) and a cyclomatic
complexity of at most 20.
"""

import ast
from collections.abc import Iterator

from here import PROJECT

MOST_LINES = 70
#: packages whose rows have the types of dedupe/analysis/queries.py
TYPED = ("analysis", "cli", "report")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Syntax trees of all modules below these folders, with their paths."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield path.relative_to(PROJECT).as_posix(), ast.parse(path.read_text())


def test_functions_fit_a_screen() -> None:
    """No function has more than 70 lines; options of a command do not count."""
    found = {
        f"{path}: {node.name}"
        for path, tree in modules("dedupe")
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS) and node.end_lineno - node.body[0].lineno >= MOST_LINES
    }
    assert found == set()


def test_rows_are_typed() -> None:
    """No annotation in analysis, cli or report is ``dict[str, Any]``."""
    found = {
        path
        for path, tree in modules(*(f"dedupe/{name}" for name in TYPED))
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]"
    }
    assert found == set()


def test_no_test_imports_another() -> None:
    """What several tests need is in tests/helpers, tests/builders or tests/oracle."""
    names = {path.stem for path in (PROJECT / "tests").rglob("test_*.py")}
    found = [
        f"{path}: {name}"
        for path, tree in modules("tests")
        for node in ast.walk(tree)
        for name in imported(node)
        if name.rpartition(".")[2] in names
    ]
    assert found == []


def imported(node: ast.AST) -> list[str]:
    """Modules that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]
    return [each.name for each in node.names] if isinstance(node, ast.Import) else []


def test_every_test_has_a_docstring() -> None:
    """A docstring states the behaviour that a test holds."""
    found = [
        f"{path}: {node.name}"
        for path, tree in modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert found == []
