"""A tar that is neither an image layout nor a docker-archive, read as an image of one layer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from dedupe.model.identity import ImageID
from dedupe.model.images import BlobRef, FoundImage, FoundLayer, SourceKind
from dedupe.model.paths import path_text
from dedupe.sources.holders.archive import ArchiveHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent


@dataclass(frozen=True, slots=True)
class LayerTar:
    """A layer's tar, or the tar of a root file system."""

    kind: ClassVar[SourceKind] = SourceKind.TAR
    location: str
    holder: ArchiveHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[LayerTar]":
        """Any archive."""
        holder = candidate.holder
        return [cls(candidate.location, holder)] if isinstance(holder, ArchiveHolder) else []

    def read_contents(self) -> Contents:
        """One image, named after the file, whose only layer is the file."""
        path, size = self.holder.path, self.holder.size_bytes
        layer = FoundLayer(
            digest=None, diff_id=None, claim_checked=False, blob=BlobRef(path, (), 0, size)
        )
        # there is no config: the scan names the image after its diff ID
        image = FoundImage(
            image_id=ImageID(""),
            digest=None,
            names=(path_text(os.fsencode(path.name)),),
            layers=(layer,),
        )
        return Contents(images=[image], blobs=[], file_bytes=size)

    def descent(self) -> Descent:
        """Nothing: an archive holds no other source."""
        return NO_DESCENT
