"""How far a scan is, on standard error: one redrawn line, or few lines in a log."""

import sys
import time

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0


class Reporter:
    """Layers and bytes done, speed and time left."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._layers = self._done = self._bytes = self._read = 0
        self._started = self._said = time.monotonic()

    def start(self, layers: int, blob_bytes: int) -> None:
        """So much there is to read."""
        self._layers, self._bytes = layers, blob_bytes
        self._started = self._said = time.monotonic()

    def advance(self, blob_bytes: int) -> None:
        """So many bytes more were read."""
        self._read += blob_bytes
        self._say()

    def layer_done(self) -> None:
        """One more layer was read or skipped."""
        self._done += 1
        self._say()

    def finish(self) -> None:
        """Leave the line clean for what follows."""
        if self._terminal and not self._quiet:
            sys.stderr.write("\r\x1b[K")

    def _say(self) -> None:
        now = time.monotonic()
        if self._quiet or now - self._said < (_REDRAW_SECONDS if self._terminal else _LINE_SECONDS):
            return
        self._said = now
        speed = self._read / max(now - self._started, 0.001)
        left = max(self._bytes - self._read, 0) / max(speed, 1)
        line = f"{self._done} of {self._layers} layers, {speed / 1e6:.0f} MB/s, {left:.0f} s left"
        sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"dedupe: {line}\n")
        sys.stderr.flush()
