"""The interfaces of a scan: the sink that keeps its rows, and the display of its progress."""

from dataclasses import dataclass
from typing import Protocol

from dedupe.model.entries import EntryColumns, LayerFacts, Verified
from dedupe.model.images import FoundFolder, FoundImage, FoundSource, LayerState, Problem
from dedupe.model.outcome import ProblemRow


@dataclass(frozen=True, slots=True)
class ScannedImageLayer:
    """A layer of an image of a source, after the scan."""

    #: 0 = base
    position: int
    diff_id: str | None
    #: key of its rows; None if there are none
    layer: str | None
    chain_id: str
    digest: str | None
    #: bytes of the source's blob; None if it has none
    compressed_bytes: int | None
    created_by: str | None
    state: LayerState
    #: bytes that the file system allocates to the unpacked layer; None if the source keeps none
    allocated_bytes: int | None = None
    #: code of the problem because of which it has no rows; None if it has rows
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """An image of a source, after the scan of its layers."""

    source: str
    image_id: str
    found: FoundImage
    layers: tuple[ScannedImageLayer, ...]


@dataclass(frozen=True, slots=True)
class ScannedContainer:
    """A container of a source, and the key of its writable branch's rows."""

    source: str
    container_id: str
    name: str | None
    image_id: str | None
    image: str | None
    running: bool | None
    #: None if the branch could not be read
    layer: str | None
    allocated_bytes: int | None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything that a scan found out, to be kept as a whole or not at all."""

    sources: tuple[FoundSource, ...]
    #: what is in the places and in no source
    folders: tuple[FoundFolder, ...]
    images: tuple[ScannedImage, ...]
    containers: tuple[ScannedContainer, ...]
    problems: tuple[ProblemRow, ...]
    #: what the user named, as locations show it
    places: tuple[str, ...]
    #: sources of earlier scans that are no longer there
    gone: tuple[str, ...]
    #: seconds since 1970
    started: float
    finished: float
    layers_read: int
    layers_reused: int


class Sink(Protocol):
    """Keeps what a scan finds; the catalog is one. Every method may raise StoreError."""

    def has_layer(self, diff_id: str, *, of_older_reader: bool = False) -> bool:
        """Whether verified rows of this layer are kept already.

        Rows that an older version of the reader made only count if they are asked for.
        """
        ...

    def tar_bytes(self, diff_id: str) -> int | None:
        """Size of the tar of a layer that is kept; None if it is not known."""
        ...

    def layer_of_blob(self, digest: str) -> str | None:
        """Diff ID of the verified rows of the blob with this digest, if any are kept."""
        ...

    def known_sources(self) -> list[str]:
        """Locations of the sources that answer until this scan is committed."""
        ...

    def get_ready(self) -> None:
        """Load what keeping rows takes, while the workers read; called once before any rows."""
        ...

    def begin_layer(self, token: int) -> None:
        """Expect rows of a layer; the token stands for it until its key is known."""
        ...

    def add_rows(self, token: int, columns: EntryColumns) -> None:
        """Take a batch of a layer's rows."""
        ...

    def end_layer(self, token: int, key: str, facts: LayerFacts, verified: Verified) -> None:
        """Keep the layer under this key; all its rows were added."""
        ...

    def drop_layer(self, token: int) -> None:
        """Forget the rows of a layer that could not be read to its end."""
        ...

    def commit(self, result: ScanResult) -> str:
        """Keep the scan as a whole or not at all; returns its ID."""
        ...


class Progress(Protocol):
    """Shows how far a scan is."""

    def start(self, layers: int, blob_bytes: int) -> None:
        """Begin; so much has to be read."""
        ...

    def advance(self, blob_bytes: int) -> None:
        """Add bytes that were read."""
        ...

    def layer_done(self) -> None:
        """Add a layer that was read or skipped."""
        ...


def problem_row(source: str, problem: Problem) -> ProblemRow:
    """The row of a problem that a source reported."""
    return ProblemRow(
        source, problem.subject, problem.code, problem.message, problem.severity, problem.blob
    )
