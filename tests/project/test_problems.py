"""docs/problems.md explains every code of the program and what to do about it."""

import ast
import re
from collections.abc import Iterator

from here import PROJECT

from dedupe.model.images import Severity
from dedupe.model.outcome import ProblemRow, ScanOutcome
from dedupe.report.fixes import FIXES
from dedupe.report.scan import problem_lines

_MAKERS = {"Problem", "ProblemRow", "problem", "_problem"}


def codes() -> Iterator[str]:
    """Yield the codes in calls that make errors and problems."""
    for file in (PROJECT / "dedupe").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.endswith("Error") or name in _MAKERS:
                for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                    text = value.value if isinstance(value, ast.Constant) else None
                    if isinstance(text, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", text):
                        yield text


def documented() -> dict[str, list[str]]:
    """Return the other cells of each code's row."""
    found = {}
    for line in (PROJECT / "docs/problems.md").read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| code"):
            first, *rest = line.strip("| ").split(" | ")
            found |= dict.fromkeys(first.split(", "), rest)
    return found


def test_every_code_has_a_meaning_and_a_fix() -> None:
    """Every code has a row, and every row has its last cell."""
    known = documented()
    used = set(codes())
    assert {"no-catalog", "blob-missing", "unwritable-output"} <= used
    assert used <= set(known)
    assert all(len(cells) in (2, 3) and all(cells) for cells in known.values())


def test_fixes_of_a_scan_are_those_of_the_page() -> None:
    """The page has the fixes that a scan prints, word for word."""
    proposed = {code: cells[1] for code, cells in documented().items() if len(cells) == 2}
    assert {code: text for code, text in proposed.items() if text != "nothing"} == FIXES


def test_fix_is_printed_once_per_kind_of_problem() -> None:
    """The first of two equal problems has a fix below it; a note has none."""
    rows = [
        ProblemRow("s", f"image {n}", code, "m", severity)
        for n, (code, severity) in enumerate(
            [
                ("blob-missing", Severity.ERROR),
                ("blob-missing", Severity.ERROR),
                ("entry-flagged", Severity.NOTE),
            ]
        )
    ]
    outcome = ScanOutcome("scan", 1, 3, 0, 0, 0, 2, 0, tuple(rows))
    lines = list(problem_lines(outcome))
    assert len(lines) == 4
    assert lines[1].startswith("        fix: pull or push the image again")
