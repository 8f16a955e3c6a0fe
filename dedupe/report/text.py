"""Text that several forms are made of: columns of a screen, JSON documents, Markdown.

Text of an image (names, paths, build steps, messages) is in code spans in Markdown: nothing in one
is markup, HTML, a link, or on GitHub and GitLab a mention or a reference. Backslashes would not be
enough, because forges look for mentions in the rendered text.
Source: CommonMark 0.31, "Code spans"; GitHub Flavored Markdown, "Tables".
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence

from dedupe.report.units import cut, human

#: width of a size on a screen, and of one with all its digits
_SIZE_WIDTH = 9
_PLAIN_WIDTH = 18
#: before a line that goes with the size above it
INDENT = " " * 11
#: 45 rows of up to four such cells are below the 65,536 characters of a pull request's comment
_CELL = 160


def sizer(*, plain: bool) -> Callable[[float | None], str]:
    """Make a function that writes sizes for the column at the left of a screen."""
    width = _PLAIN_WIDTH if plain else _SIZE_WIDTH
    return lambda count: human(None if count is None else round(count), plain=plain).rjust(width)


def aligned(
    rows: Sequence[Sequence[str]], left: Collection[int] = (), widths: Sequence[int] = ()
) -> list[str]:
    """Rows as lines with columns two spaces apart.

    Columns are aligned to the right, except for the numbers in ``left``. ``widths`` are least
    widths of the first columns.
    """
    least = [*widths, *[0] * (max(map(len, rows), default=0) - len(widths))]
    needed = [
        max(width, *(len(row[place]) for row in rows if place < len(row)))
        for place, width in enumerate(least)
    ]
    return [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, needed, strict=False))
        ).rstrip()
        for row in rows
    ]


def json_document(value: object, default: Callable[[object], object] | None = None) -> str:
    """A JSON document for a file or a pipe; ``default`` turns other types into JSON's."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=default) + "\n"


def markdown_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], left_out: int = 0, command: str = ""
) -> str:
    """A Markdown table; a hyphen before a heading aligns its column to the right.

    If rows are left out, a line below the table says how many and which command lists them.
    """
    lines = [
        [head.removeprefix("-") for head in heads],
        ["---:" if head.startswith("-") else "---" for head in heads],
        *rows,
    ]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + (f"\nand {left_out:,} more: `{command}`\n" if left_out > 0 else "")


def code_span(text: str, width: int = _CELL) -> str:
    """Foreign text as a Markdown code span that can be in a table cell; empty for no text."""
    if not text:
        return ""
    text = cut(text, width)
    fence = "`" * (_longest_run(text) + 1)
    # Markdown removes one space on both sides, unless all is spaces; it also keeps a backtick from
    # joining the fence
    ends = (text[0], text[-1])
    padded = f" {text} " if text.strip(" ") and ("`" in ends or ends == (" ", " ")) else text
    # tables are split into cells before code spans are recognised
    return fence + padded.replace("|", "\\|") + fence


def code_block(lines: Iterable[str], language: str) -> str:
    """Foreign lines as a fenced Markdown code block."""
    text = "\n".join(lines)
    fence = "`" * max(_longest_run(text) + 1, 3)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _longest_run(text: str) -> int:
    """Length of the longest run of backticks; a fence has to be longer."""
    return max(map(len, re.findall("`+", text)), default=0)
