"""What a scan did, for the person who ran it."""

from dataclasses import dataclass

from dedupe.errors import Exit, LayerError, SourceError
from dedupe.model.images import Severity


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem and the source that has it."""

    source: str
    subject: str
    code: str
    message: str
    severity: Severity
    #: digest or diff ID of the blob or document that it is about; None if it is about another thing
    blob: str | None = None
    #: names of the images that need that blob, sorted
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """Counts and problems of one scan."""

    scan_id: str
    sources: int
    images: int
    layers_read: int
    #: layers of images whose rows the catalog had already
    layers_reused: int
    entries: int
    errors: int
    #: images with a layer that could not be read
    incomplete_images: int
    problems: tuple[ProblemRow, ...]
    #: sources that were read without an error
    whole_sources: int = 0
    #: whether blobs were not to be opened
    is_quick: bool = False

    @property
    def exit_code(self) -> int:
        """0; 1 if something was skipped; if everything was, that of SourceError or LayerError."""
        if not self.errors:
            return Exit.COMPLETE
        if not self.images:
            return Exit.SKIPPED if self.whole_sources else SourceError.exit_code
        has_layers = self.is_quick or self.layers_read + self.layers_reused > 0
        return Exit.SKIPPED if has_layers else LayerError.exit_code
