"""The seams of a scan: where its rows go, and who is told how far it is."""

from dataclasses import dataclass
from typing import Protocol

from dedupe.model.images import FoundSource, LayerState, Problem, Severity
from dedupe.model.rows import EntryColumns, LayerFacts, Verified


@dataclass(frozen=True, slots=True)
class ScannedImageLayer:
    """A layer in its place in an image of a source, and what became of it."""

    position: int
    diff_id: str | None
    #: None where no rows are known
    layer: str | None
    chain_id: str
    digest: str | None
    #: the source's blob in bytes; None where it holds none
    compressed_bytes: int | None
    created_by: str | None
    state: LayerState
    #: what the source's file system gives to the unpacked layer; None where it keeps none
    allocated_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """An image of a source with its layers."""

    source: str
    image_id: str
    digest: str | None
    names: tuple[str, ...]
    platform: str
    created: str | None
    layers: tuple[ScannedImageLayer, ...]


@dataclass(frozen=True, slots=True)
class ScannedContainer:
    """A container of a source, and the rows of its writable branch."""

    source: str
    container_id: str
    name: str | None
    image_id: str | None
    image: str | None
    running: bool | None
    #: None where the branch could not be read
    layer: str | None
    allocated_bytes: int | None


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem and the source that has it."""

    source: str
    subject: str
    code: str
    message: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything that a scan says of its sources, to be kept in one piece."""

    sources: tuple[FoundSource, ...]
    images: tuple[ScannedImage, ...]
    containers: tuple[ScannedContainer, ...]
    problems: tuple[ProblemRow, ...]
    started: float
    finished: float
    layers_read: int
    layers_reused: int


class Sink(Protocol):
    """Keeps what a scan finds; the catalog is one."""

    def has_layer(self, diff_id: str) -> bool:
        """Whether verified rows of this layer are kept already."""
        ...

    def layer_of_blob(self, digest: str) -> str | None:
        """Diff ID of the verified rows that a blob of this digest gave, if any."""
        ...

    def get_ready(self) -> None:
        """Rows will come soon: load what keeping them takes, while workers are busy."""
        ...

    def begin_layer(self, token: int) -> None:
        """Rows of a layer are about to come."""
        ...

    def add_rows(self, token: int, columns: EntryColumns) -> None:
        """A batch of a layer's rows."""
        ...

    def end_layer(self, token: int, key: str, facts: LayerFacts, verified: Verified) -> None:
        """All rows have come: keep them for ever, under this key."""
        ...

    def drop_layer(self, token: int) -> None:
        """The layer could not be read to its end: forget its rows."""
        ...

    def commit(self, result: ScanResult) -> str:
        """Keep the scan, all of it or nothing; returns its ID."""
        ...


class Progress(Protocol):
    """Told how far a scan is."""

    def start(self, layers: int, blob_bytes: int) -> None:
        """So much there is to read."""
        ...

    def advance(self, blob_bytes: int) -> None:
        """So many bytes more were read."""
        ...

    def layer_done(self) -> None:
        """One more layer was read or skipped."""
        ...


def as_row(source: str, problem: Problem) -> ProblemRow:
    """The row of a problem that a source reported."""
    return ProblemRow(source, problem.subject, problem.code, problem.message, problem.severity)
