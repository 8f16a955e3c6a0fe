"""Show how far a scan is, on standard error: a bar on a terminal, a line now and then in a log."""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_SECONDS = 10.0


class Reporter:
    """Layers and bytes read, speed and time left."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._layers = self._done = self._bytes = self._read = 0
        self._started = self._shown = time.monotonic()
        self._bar: Progress | None = None

    def start(self, layers: int, blob_bytes: int) -> None:
        """Begin to count up to this many layers and bytes."""
        self._layers, self._bytes = layers, blob_bytes
        self._started = self._shown = time.monotonic()
        if layers and not self._quiet and sys.stderr.isatty():
            self._bar = _bar(layers, blob_bytes)
            self._bar.start()

    def advance(self, blob_bytes: int) -> None:
        """Count more bytes as read."""
        self._read += blob_bytes
        self._show()

    def layer_done(self) -> None:
        """Count one more layer as read or skipped."""
        self._done += 1
        self._show()

    def finish(self) -> None:
        """Remove the bar, so that other output starts on a clean line."""
        if self._bar is not None:
            self._bar.stop()

    def _show(self) -> None:
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.update(task, completed=self._read, layers=self._done)
            return
        now = time.monotonic()
        if self._quiet or now - self._shown < _LINE_SECONDS:
            return
        self._shown = now
        speed = self._read / max(now - self._started, 0.001)
        left = max(self._bytes - self._read, 0) / max(speed, 1)
        print(
            f"dedupe: {self._done} of {self._layers} layers, {speed / 1e6:.0f} MB/s, "
            f"{left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )


def _bar(layers: int, blob_bytes: int) -> "Progress":
    # imported for terminals only: a scan in a pipeline starts sooner without rich
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        TextColumn("{task.fields[layers]} of {task.fields[all_layers]} layers"),
        BarColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("scan", total=blob_bytes, layers=0, all_layers=layers)
    return bar
