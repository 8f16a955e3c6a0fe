"""Ask the program for its help, and for its answers about the sample store."""

import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

from program import call

#: what pages show in place of a scratch folder; of the same length, so that columns stay aligned
SHOWN_FOLDER = "/var/lib/example"
#: where scratch folders are made
SCRATCH = "/tmp"  # noqa: S108  # their names are drawn at random
_SAMPLE = Path(__file__).parent / "sample.py"


@cache
def help_of(*words: str, plain: bool = False) -> str:
    """Return what ``--help`` prints at 80 columns; ``plain`` leaves out the boxes."""
    shown = _call((*words, "--help"), {"TYPER_USE_RICH": "0"} if plain else {})
    return "\n".join(line.rstrip() for line in shown.strip("\n").splitlines())


def names(*words: str) -> list[str]:
    """Return the commands that a help lists."""
    found, inside = [], False
    for line in help_of(*words).splitlines():
        inside = (inside or "─ Commands ─" in line) and not line.startswith("╰")
        if inside and line.startswith("│ ") and line[2] != " ":
            found.append(line[2:].split()[0])
    return found


def scan_sample(folder: Path) -> str:
    """Make the sample store and a catalog of it in a folder; return what the scan printed."""
    subprocess.run([sys.executable, str(_SAMPLE), str(folder / "store")], check=True)
    return answer(folder, "scan", "store")


def answer(folder: Path, *words: str) -> str:
    """Return a command as it is typed, and what it prints on both streams in this folder."""
    printed = _call(words, {"DEDUPE_CATALOG": str(folder / "catalog")}, folder)
    printed = printed.replace(str(folder.resolve()), SHOWN_FOLDER)
    return f"$ {shlex.join(('dedupe', *words))}\n{printed.rstrip()}"


def _call(words: tuple[str, ...], settings: dict[str, str], folder: Path | None = None) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEDUPE_")}
    shown = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1", "TYPER_USE_RICH": "1"}
    done = call(words, {**kept, **shown, **settings}, folder, script=True)
    text = (done.stdout + done.stderr).decode()
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, text)
    return text
