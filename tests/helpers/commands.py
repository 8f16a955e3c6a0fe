"""Commands as users run them."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from dedupe.cli.app import app


def run(catalog: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run dedupe in a process of its own, with this catalog."""
    return subprocess.run(
        [sys.executable, "-m", "dedupe", *words],
        env={**os.environ, "DEDUPE_CATALOG": str(catalog), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def invoke(*words: str) -> str:
    """The output of a command run in this process; raises its error."""
    done = CliRunner().invoke(app, list(words))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout
