"""Run the program once per line of standard input, without loading it each time.

A line is a JSON object with the words of the call, its whole environment, the folder to run in, and
whether to run as the installed script, or as ``python -m dedupe``, whose help says so. Each gets a
line with the exit code and what was printed, in Base64.

This process only loads modules: a call is a fork of it, and libraries that have started threads do
not work in a fork.
"""

import atexit
import base64
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import sys
import traceback
from typing import Any

import dedupe


def main() -> bool:
    """Answer all calls; return in the process of a call: whether it runs as the script."""
    _load_all()
    # a search of a call for garbage passes over what is loaded
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        (output, to_output), (errors, to_errors) = os.pipe(), os.pipe()
        process = os.fork()
        if process == 0:
            _become_call(asked, to_output, to_errors)
            return asked["script"]
        os.close(to_output)
        os.close(to_errors)
        printed = _read_all(output, errors)
        answer = {
            "code": os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]),
            "output": base64.b64encode(printed[output]).decode(),
            "errors": base64.b64encode(printed[errors]).decode(),
        }
        print(json.dumps(answer), flush=True)
    sys.exit()


def _load_all() -> None:
    """Load what calls would load: it takes longer than most of them."""
    for module in pkgutil.walk_packages(dedupe.__path__, "dedupe."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    for name in ("duckdb", "polars", "typer.rich_utils", "rich.table", "rich.markdown"):
        importlib.import_module(name)


def _become_call(asked: dict[str, Any], output: int, errors: int) -> None:
    """Give this process, which is a child, what the call's process would have."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    # a new process would have no others
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.argv = ["dedupe", *asked["words"]]
    sys.path[0] = asked["folder"]


def _run(script: bool) -> object:
    """Run the program as its script or ``python -m`` does; return what it gives to ``sys.exit``."""
    try:
        if script:
            importlib.import_module("dedupe.__main__").main()
        else:
            runpy.run_module("dedupe", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code
    except BaseException:
        traceback.print_exc()
        return 1
    return None


def _end(code: object) -> None:
    """End this process at once: to take down all that was loaded takes longer than most calls."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _read_all(*ends: int) -> dict[int, bytes]:
    """Read these ends of pipes until no process has the other ends."""
    found = dict.fromkeys(ends, b"")
    pending = list(ends)
    while pending:
        for end in select.select(pending, [], [])[0]:
            part = os.read(end, 1 << 16)
            found[end] += part
            if not part:
                pending.remove(end)
                os.close(end)
    return found


if __name__ == "__main__":
    _end(_run(script=main()))
