"""Run the program once per line of standard input, without loading it each time.

A line is a JSON object with the words of the call, settings of the environment, and the folder to
run in. Each gets a line with the exit code and what was printed.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from typing import IO, Any

import duckdb  # noqa: F401  # loaded once, for all calls

from dedupe.__main__ import main as run
from dedupe.cli.app import app


def main() -> None:
    """Answer all calls."""
    _load_help()
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = os.fork()
            if process == 0:
                _become_call(asked, output, errors)
            status = os.waitpid(process, 0)[1]
            text = _text(output) + _text(errors)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "text": text}), flush=True)


def _load_help() -> None:
    """Load what writes help: it takes longer than the writing, and each call is a fork of this."""
    with contextlib.redirect_stdout(io.StringIO()):
        app(["report", "--help"], standalone_mode=False)


def _become_call(asked: dict[str, Any], output: IO[bytes], errors: IO[bytes]) -> None:
    """Run the call in this process, which is a child; never returns."""
    os.environ.update(asked["settings"])
    if asked["folder"]:
        os.chdir(asked["folder"])
    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    sys.argv = ["dedupe", *asked["words"]]
    code: object = 1
    try:
        run()
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    main()
