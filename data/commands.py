"""Print the page of all commands, made from their own help.

python data/commands.py > docs/commands.md
"""

import os
import subprocess
import sys

#: the program under the name that it is installed by
_START = "import sys; sys.argv[0] = 'dedupe'; from dedupe.__main__ import main; main()"
_HEAD = """# Commands

Every command's own help, as `dedupe COMMAND --help` prints it (`make docs` writes this page anew).
"""


def main() -> None:
    """Print the page."""
    pages = [_HEAD, _page()]
    for name in _names():
        pages.append(_page(name))
        pages += [_page(name, below) for below in _names(name)]
    print("\n".join(pages), end="")


def _page(*words: str) -> str:
    level = "#" * (2 + max(len(words) - 1, 0))
    return f"{level} {' '.join(('dedupe', *words))}\n\n```\n{_help(*words)}\n```\n"


def _names(*words: str) -> list[str]:
    """Commands that a help lists."""
    found, inside = [], False
    for line in _help(*words).splitlines():
        inside = (inside or "─ Commands ─" in line) and not line.startswith("╰")
        if inside and line.startswith("│ ") and line[2] != " ":
            found.append(line[2:].split()[0])
    return found


def _help(*words: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-c", _START, *words, "--help"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"},
    ).stdout
    return "\n".join(line.rstrip() for line in shown.strip("\n").splitlines())


if __name__ == "__main__":
    main()
