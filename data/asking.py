"""Ask the program for its help, and for its answers about the sample store."""

import atexit
import json
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

#: what pages show in place of a scratch folder; of the same length, so that columns stay aligned
SHOWN_FOLDER = "/var/lib/example"
#: where scratch folders are made
SCRATCH = "/tmp"  # noqa: S108  # their names are drawn at random
_CALLS = Path(__file__).parent / "calls.py"
_SAMPLE = Path(__file__).parent / "sample.py"


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
    program = _program(settings.get("TYPER_USE_RICH", "1"))
    if program.stdin is None or program.stdout is None:
        raise RuntimeError("the program was started without pipes")
    asked = {"words": words, "settings": settings, "folder": str(folder) if folder else None}
    program.stdin.write(json.dumps(asked) + "\n")
    program.stdin.flush()
    answered = json.loads(program.stdout.readline())
    if answered["code"]:
        raise subprocess.CalledProcessError(answered["code"], words, answered["text"])
    return answered["text"]


@cache
def _program(use_rich: str) -> "subprocess.Popen[str]":
    """A process that has loaded the program and runs it once per call."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEDUPE_")}
    # calls may run in another folder, so the package is named by its full path
    paths = [str(_SAMPLE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = subprocess.Popen(
        [sys.executable, str(_CALLS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **kept,
            "COLUMNS": "80",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "PYTHONPATH": os.pathsep.join(paths),
            # decides how typer writes help, when it is loaded
            "TYPER_USE_RICH": use_rich,
        },
    )
    atexit.register(started.communicate)
    return started
