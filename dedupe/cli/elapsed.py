"""Show elapsed time on a terminal once a query has run for more than a second."""

import sys
import threading
import time

_QUIET_SECONDS = 1.0
_EVERY_SECONDS = 0.5
#: moves to the first column and clears the line
_CLEAR = "\r\x1b[K"


class ElapsedTime:
    """A context around each query of a command; time counts from when it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._done = threading.Event()
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._done.set()
            self._thread.join()

    def _show(self) -> None:
        if self._done.wait(max(self._started + _QUIET_SECONDS - time.monotonic(), 0)):
            return
        while not self._done.wait(_EVERY_SECONDS):
            seconds = time.monotonic() - self._started
            _write(f"{_CLEAR}dedupe: computing, {seconds:.0f} s")
        _write(_CLEAR)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
