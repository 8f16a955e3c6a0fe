"""Worker processes that read layers, one layer per task.

Processes and not threads, because parsing headers holds the interpreter's lock. A worker that dies
(out of memory, a crash in a decompressor) loses its own layer only; ``ProcessPoolExecutor`` would
give up all layers.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from dedupe.errors import DedupeError, reason_of
from dedupe.model.entries import EntryColumns, LayerFacts
from dedupe.model.images import LayerRef, ObjectRef

#: workers report progress after so many bytes: a message per read would cost more than it shows
_REPORT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class WorkersStarted:
    """All workers have a task, so that the parent has time to get ready for their rows."""


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows of a layer."""

    task: int
    columns: EntryColumns


@dataclass(frozen=True, slots=True)
class ByteCount:
    """Bytes of blobs that were read since the last count."""

    blob_bytes: int


@dataclass(frozen=True, slots=True)
class LayerEnd:
    """The end of a layer that was read completely."""

    task: int
    facts: LayerFacts


@dataclass(frozen=True, slots=True)
class LayerFailure:
    """The error that ended the reading of a layer."""

    task: int
    code: str
    message: str


Event = WorkersStarted | RowBatch | ByteCount | LayerEnd | LayerFailure


def read_layers(layers: Sequence[LayerRef], workers: int) -> Iterator[Event]:
    """Read all layers, begun in the order given; events come as they happen.

    Closing the iterator ends the workers at once.
    """
    waiting = deque(range(len(layers)))
    context = _context(layers)
    running: dict[Connection, _Worker] = {}
    try:
        started = False
        while waiting or running:
            while waiting and len(running) < workers:
                worker = _Worker(context, list(running))
                worker.give(waiting.popleft(), layers)
                running[worker.connection] = worker
            if not started:
                started = True
                yield WorkersStarted()
            for ready in wait(list(running)):
                worker = running[ready]  # type: ignore[index]  # wait() is given connections only
                try:
                    event = worker.connection.recv()
                except (EOFError, OSError):
                    del running[worker.connection]
                    yield worker.died()
                    continue
                yield event
                if isinstance(event, LayerEnd | LayerFailure):
                    if waiting:
                        worker.give(waiting.popleft(), layers)
                    else:
                        del running[worker.connection]
                        worker.end()
    finally:
        for worker in running.values():
            worker.kill()


def _context(layers: Sequence[LayerRef]) -> "multiprocessing.context.BaseContext":
    # the object store's client has threads in this process, and a fork does not copy threads
    if not hasattr(os, "fork") or any(isinstance(layer, ObjectRef) for layer in layers):
        return multiprocessing.get_context("spawn")
    # a fork takes milliseconds, and this process has no threads of its own yet
    return multiprocessing.get_context("fork")


class _Worker:
    """A process and its current task."""

    def __init__(
        self, context: "multiprocessing.context.BaseContext", others: list[Connection]
    ) -> None:
        self.connection, worker_end = context.Pipe()
        # A fork copies our ends of all pipes. While a copy is open, a worker that waits for its
        # next task does not notice that this process has died.
        copies = [self.connection, *others] if context.get_start_method() == "fork" else []
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]  # only its subclasses have it in typeshed
            target=_work, args=(worker_end, copies), daemon=True
        )
        # The worker must not collect objects that it inherits: destroying a DuckDB connection
        # without its threads crashes.
        gc.freeze()
        self._process.start()
        gc.unfreeze()
        worker_end.close()
        self._task = -1

    def give(self, task: int, layers: Sequence[LayerRef]) -> None:
        self._task = task
        with contextlib.suppress(OSError):  # waiting for its events shows that a worker has died
            self.connection.send((task, layers[task]))

    def died(self) -> LayerFailure:
        self._process.join()
        code = self._process.exitcode
        message = f"the process that read it ended with {code}"
        if code == -signal.SIGKILL:
            message = "the process that read it was killed, as the system does when memory runs out"
        return LayerFailure(self._task, "worker-died", message)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.send(None)
        self._process.join()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _work(connection: Connection, copies: list[Connection]) -> None:
    """Read tasks and write events until the parent says so or has died."""
    # Ctrl-C goes to all processes; only the parent decides what to do about it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for copy in copies:
        copy.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(connection)


def _serve(connection: Connection) -> None:
    from dedupe.layers.reader import read_layer

    unreported = 0

    def advance(count: int) -> None:
        nonlocal unreported
        unreported += count
        if unreported >= _REPORT_BYTES:
            connection.send(ByteCount(unreported))
            unreported = 0

    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        if order is None:
            return
        task, layer = order
        try:
            facts = read_layer(layer, partial(_send_rows, connection, task), advance)
        except BrokenPipeError:
            raise
        except DedupeError as error:
            connection.send(LayerFailure(task, error.code, error.message))
        except OSError as error:
            connection.send(LayerFailure(task, "unreadable", reason_of(error)))
        except MemoryError:
            message = "the process that read it could not get the memory that it needs"
            connection.send(LayerFailure(task, "worker-died", message))
        # a bug that one layer brings to light must not end the scan: it is reported as a problem
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            connection.send(LayerFailure(task, "internal-error", message))
        else:
            connection.send(ByteCount(unreported))
            unreported = 0
            connection.send(LayerEnd(task, facts))


def _send_rows(connection: Connection, task: int, columns: EntryColumns) -> None:
    connection.send(RowBatch(task, columns))
