"""Run the program in a process of its own that does not load it anew."""

import atexit
import base64
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

_CALLS = Path(__file__).parent / "calls.py"
#: variables that libraries read when they are loaded; each of their values gets a process
_AT_LOADING = ("TYPER_USE_RICH", "TERMINAL_WIDTH", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")


def call(
    words: tuple[str, ...],
    environment: dict[str, str],
    folder: Path | None = None,
    *,
    script: bool = False,
) -> "subprocess.CompletedProcess[bytes]":
    """Run dedupe with these words and this environment, without standard input.

    It runs as ``python -m dedupe``, or as the installed script.
    """
    loaded = _loaded(tuple(environment.get(name) for name in _AT_LOADING))
    if loaded.stdin is None or loaded.stdout is None:
        raise RuntimeError("the program was started without pipes")
    asked = {
        "words": words,
        "environment": environment,
        "folder": str(folder or Path.cwd()),
        "script": script,
    }
    loaded.stdin.write(json.dumps(asked) + "\n")
    loaded.stdin.flush()
    answer = json.loads(loaded.stdout.readline())
    output, errors = (base64.b64decode(answer[name]) for name in ("output", "errors"))
    return subprocess.CompletedProcess(["dedupe", *words], answer["code"], output, errors)


@cache
def _loaded(values: tuple[str | None, ...]) -> "subprocess.Popen[str]":
    """A process that has loaded the program and runs it once per call."""
    kept = {name: value for name, value in os.environ.items() if name not in _AT_LOADING}
    given = {name: value for name, value in zip(_AT_LOADING, values, strict=True) if value}
    # calls may run in another folder, so the package is named by its full path
    paths = [str(_CALLS.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = subprocess.Popen(
        [sys.executable, str(_CALLS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, **given, "PYTHONPATH": os.pathsep.join(paths)},
    )
    atexit.register(started.communicate)
    return started
