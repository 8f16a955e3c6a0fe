"""Where a command's answer goes: a file that is whole at any moment, or standard output."""

import contextlib
import os
import secrets
import sys
from pathlib import Path

from dedupe.errors import UsageError, reason_of


def write(text: str, output: Path | None) -> None:
    """Text to a file or to standard output; raises UsageError where the file can't be written."""
    if output is None:
        sys.stdout.write(text)
    else:
        _write_file(text.encode(), output)


def write_bytes(data: bytes, output: Path | None) -> None:
    """Bytes to a file or a pipe; raises UsageError where they would go to a terminal."""
    if output is not None:
        _write_file(data, output)
    elif sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal: name a file with --output", "no-output")
    else:
        sys.stdout.buffer.write(data)


def _write_file(data: bytes, output: Path) -> None:
    try:
        # pipes and devices take bytes, also those that /dev/stdout leads to; a folder refuses them
        if Path("/dev") in output.absolute().parents or (output.exists() and not output.is_file()):
            output.write_bytes(data)
        else:
            # a link stays one; what it leads to is replaced
            _replace(data, Path(os.path.realpath(output)))
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written: {reason_of(error)}; name another file with --output",
            "unwritable-output",
        ) from error


def _replace(data: bytes, target: Path) -> None:
    """Write beside the file and rename: who collects metrics or serves the page sees no half."""
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            if target.exists():
                os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
