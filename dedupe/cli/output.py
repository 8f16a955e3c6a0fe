"""Write a command's answer to standard output, or to a file that never holds half of it."""

import os
import sys
from pathlib import Path

from dedupe.errors import UsageError, reason_of


def write(text: str, output: Path | None) -> None:
    """Write text to a file or to standard output; raises UsageError if that fails for a file."""
    if output is None:
        sys.stdout.write(text)
    else:
        _write_file(text.encode(), output)


def write_bytes(data: bytes, output: Path | None) -> None:
    """Write bytes to a file or a pipe; raises UsageError if they would go to a terminal."""
    if output is not None:
        _write_file(data, output)
    elif sys.stdout.isatty():
        raise UsageError(
            "Parquet cannot be shown on a terminal: name a file with --output", "no-output"
        )
    else:
        sys.stdout.buffer.write(data)


def _write_file(data: bytes, output: Path) -> None:
    try:
        # a pipe or a device, such as /dev/stdout, is written to, not replaced; a folder fails here
        if Path("/dev") in output.absolute().parents or (output.exists() and not output.is_file()):
            output.write_bytes(data)
        else:
            # a symbolic link stays: the file that it points to is replaced
            _replace(data, Path(os.path.realpath(output)))
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written: {reason_of(error)}; name another file with --output",
            "unwritable-output",
        ) from error


def _replace(data: bytes, target: Path) -> None:
    """Replace a file at once, with the mode it had: no reader ever sees half of it."""
    from dedupe.host.writing import replacing

    with replacing(target) as temporary, temporary.open("xb") as file:
        file.write(data)
        if target.exists():
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
