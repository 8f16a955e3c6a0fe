"""Telling a command how an audit ended."""

import subprocess
import sys
from collections.abc import Sequence

from dedupe.errors import reason_of

#: a command that hangs must not hold the lock until the next audit is due
_PATIENCE_SECONDS = 300


def notify(command: Sequence[str], summary: str) -> str | None:
    """Start the command, without a shell, with the summary on its standard input.

    What it prints goes to standard error. Returns what went wrong, if anything.
    """
    try:
        done = subprocess.run(  # noqa: S603  # the command is the operator's own, and no shell reads it
            command,
            input=summary.encode(),
            stdout=sys.stderr,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"notify {command[0]}: killed after {_PATIENCE_SECONDS} seconds"
    except OSError as error:
        return f"notify {command[0]}: {reason_of(error)}"
    return f"notify {command[0]}: ended with {done.returncode}" if done.returncode else None
