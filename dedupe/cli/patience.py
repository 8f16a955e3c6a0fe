"""That an answer is being computed, said on a terminal to whoever has waited for a second."""

import sys
import threading
import time

_PATIENT_SECONDS = 1.0
_EVERY_SECONDS = 0.5
#: back to the first column, and clear what stands there
_CLEAR = "\r\x1b[K"


class Patience:
    """A context for every piece of work; the second counts from the first of them."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._done = threading.Event()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._done = threading.Event()
            self._watch = threading.Thread(target=self._wait, daemon=True)
            self._watch.start()

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._done.set()
            self._watch.join()

    def _wait(self) -> None:
        if self._done.wait(max(self._began + _PATIENT_SECONDS - time.monotonic(), 0)):
            return
        while not self._done.wait(_EVERY_SECONDS):
            seconds = time.monotonic() - self._began
            _say(f"{_CLEAR}dedupe: computing, {seconds:.0f} s")
        _say(_CLEAR)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
