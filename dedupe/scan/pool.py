"""Worker processes that read layers, one layer a task.

Processes, since parsing headers holds the interpreter's lock. A worker that dies (out of memory, a
crash in a decompressor) costs its own layer and nothing else: ``ProcessPoolExecutor`` would give
up the whole batch.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from dedupe.errors import DedupeError, reason_of
from dedupe.model.images import LayerRef, ObjectRef
from dedupe.model.rows import EntryColumns, LayerFacts

#: progress is told to the parent after so many bytes
_TELL_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Started:
    """All workers are at work: time for the parent to get ready for what they find."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch of a layer's rows."""

    task: int
    columns: EntryColumns


@dataclass(frozen=True, slots=True)
class Read:
    """So many more bytes of blobs were read."""

    blob_bytes: int


@dataclass(frozen=True, slots=True)
class Done:
    """A layer was read to its end."""

    task: int
    facts: LayerFacts


@dataclass(frozen=True, slots=True)
class Failed:
    """A layer could not be read to its end."""

    task: int
    code: str
    message: str


Event = Started | Rows | Read | Done | Failed


def run(layers: Sequence[LayerRef], workers: int) -> Iterator[Event]:
    """Read all layers, in the order given; events come as they happen.

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
                yield Started()
            for ready in wait(list(running)):
                worker = running[ready]  # type: ignore[index]  # only connections are waited for
                try:
                    event = worker.connection.recv()
                except (EOFError, OSError):
                    del running[worker.connection]
                    yield worker.died()
                    continue
                yield event
                if isinstance(event, Done | Failed):
                    if waiting:
                        worker.give(waiting.popleft(), layers)
                    else:
                        del running[worker.connection]
                        worker.end()
    finally:
        for worker in running.values():
            worker.kill()


def _context(layers: Sequence[LayerRef]) -> "multiprocessing.context.BaseContext":
    # the object store's client has threads in this process, which a fork would not have
    if not hasattr(os, "fork") or any(isinstance(layer, ObjectRef) for layer in layers):
        return multiprocessing.get_context("spawn")
    # workers start in milliseconds, and this process has no threads of its own yet
    return multiprocessing.get_context("fork")


class _Worker:
    """One process, and the task that it is at."""

    def __init__(
        self, context: "multiprocessing.context.BaseContext", others: list[Connection]
    ) -> None:
        self.connection, theirs = context.Pipe()
        # a fork has copies of all our ends: while one is open, no worker sees that we are gone
        copies = [self.connection, *others] if context.get_start_method() == "fork" else []
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, copies), daemon=True
        )
        # a worker must never collect what it inherits: destroying a DuckDB connection without its
        # threads crashes
        gc.freeze()
        self._process.start()
        gc.unfreeze()
        theirs.close()
        self._task = -1

    def give(self, task: int, layers: Sequence[LayerRef]) -> None:
        self._task = task
        with contextlib.suppress(OSError):  # a dead worker is seen when its events are waited for
            self.connection.send((task, layers[task]))

    def died(self) -> Failed:
        self._process.join()
        code = self._process.exitcode
        return Failed(self._task, "worker-died", f"the process that read it ended with {code}")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.send(None)
        self._process.join()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _work(connection: Connection, copies: list[Connection]) -> None:
    """A worker's life: tasks in, events out, until the parent says so or is no more."""
    # the parent alone decides what an interrupt means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for copy in copies:
        copy.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(connection)


def _serve(connection: Connection) -> None:
    from dedupe.layers.reader import read_layer

    unsaid = 0

    def advance(count: int) -> None:
        nonlocal unsaid
        unsaid += count
        if unsaid >= _TELL_BYTES:
            connection.send(Read(unsaid))
            unsaid = 0

    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        if order is None:
            return
        task, layer = order
        try:
            facts = read_layer(layer, lambda columns: connection.send(Rows(task, columns)), advance)  # noqa: B023
        except BrokenPipeError:
            raise
        except DedupeError as error:
            connection.send(Failed(task, error.code, error.message))
        except OSError as error:
            connection.send(Failed(task, "unreadable", reason_of(error)))
        # a fault of ours in one layer must not end the batch; it is said, and the exit code tells
        except Exception as error:
            connection.send(Failed(task, "internal-error", f"{type(error).__name__}: {error}"))
        else:
            connection.send(Read(unsaid))
            unsaid = 0
            connection.send(Done(task, facts))
