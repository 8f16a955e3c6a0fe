"""Commands as users run them."""

import os
import subprocess
from pathlib import Path

from program import call
from typer.testing import CliRunner

from dedupe.cli.app import app


def run(catalog: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run dedupe in a process of its own, with this catalog."""
    return run_in({**os.environ, "DEDUPE_CATALOG": str(catalog), "NO_COLOR": "1"}, *words)


def run_in(
    environment: dict[str, str], *words: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run dedupe in a process of its own, with this environment and in this folder."""
    done = call(words, environment, folder)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def invoke(*words: str) -> str:
    """The output of a command run in this process; raises its error."""
    done = CliRunner().invoke(app, list(words))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout
