"""Descriptors: how a document refers to another one, or to a blob.

Source: OCI image-spec descriptor.md.
"""

from dataclasses import dataclass
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import object_in, text_in
from dedupe.model.identity import Digest, is_digest
from dedupe.model.images import Platform
from dedupe.model.paths import printable
from dedupe.sources.documents.config import platform_of


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a blob: its digest, media type and claimed size."""

    digest: Digest
    media_type: str
    size: int | None
    annotations: dict[str, Any]
    platform: Platform

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Descriptor":
        """Parse a descriptor; raises SourceError ``bad-digest`` or ``bad-descriptor``."""
        digest = document.get("digest")
        if not is_digest(digest):
            raise SourceError(
                f"expected a digest such as sha256:<64 hex digits>, "
                f"found {printable(repr(digest))[:100]}",
                "bad-digest",
            )
        size = document.get("size")
        if size is not None and (not isinstance(size, int) or size < 0):
            raise SourceError(f"{digest}: expected a size, found {size!r}", "bad-descriptor")
        return cls(
            Digest(str(digest)),
            text_in(document, "mediaType"),
            size,
            object_in(document, "annotations"),
            platform_of(object_in(document, "platform")),
        )
