"""Starting the operator's command at the end of an audit."""

import subprocess
import sys
from collections.abc import Sequence

from dedupe.errors import reason_of

#: a command that hangs must not keep the lock until the next audit is due
_TIMEOUT_SECONDS = 300


def notify(command: Sequence[str], summary: str) -> str | None:
    """Start the command, without a shell, with the summary on its standard input.

    Its output goes to standard error. Returns a message if it failed, else None.
    """
    try:
        done = subprocess.run(  # noqa: S603  # the command is the operator's own, and no shell reads it
            command,
            input=summary.encode(),
            stdout=sys.stderr,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"notify {command[0]}: killed after {_TIMEOUT_SECONDS} seconds"
    except OSError as error:
        return f"notify {command[0]}: {reason_of(error)}"
    return f"notify {command[0]}: ended with {done.returncode}" if done.returncode else None
