"""skopeo's ``dir:`` format: one image, its manifest beside blobs named by their bare digests."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, objects_in, parse_object
from dedupe.host.trees import list_statuses
from dedupe.model.identity import Digest, is_digest, sha256_digest
from dedupe.model.images import SourceKind, StoredBlob
from dedupe.model.paths import path_text
from dedupe.sources.disk_places import METADATA, claims_of_blobs
from dedupe.sources.documents.blob_files import BlobFiles
from dedupe.sources.documents.manifests import ManifestReader
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent, Holder

#: ending of the manifests of platforms
_MANIFEST = ".manifest.json"
_SIGNATURE = b"Directory Transport Version: 1."


@dataclass(frozen=True, slots=True)
class SkopeoDirectory:
    """A folder that ``skopeo copy`` wrote to a ``dir:`` destination."""

    kind: ClassVar[SourceKind] = SourceKind.DIR
    location: str
    holder: FolderHolder

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[SkopeoDirectory]":
        """A folder with a manifest and a ``version`` file that says so."""
        holder = candidate.holder
        if not (
            isinstance(holder, FolderHolder)
            and holder.has("version")
            and holder.has("manifest.json")
        ):
            return []
        try:
            signed = holder.read_file("version", 1024).startswith(_SIGNATURE)
        except SourceError:
            return []
        return [cls(candidate.location, holder)] if signed else []

    def read_contents(self) -> Contents:
        """Read the image, named after its folder, since the format keeps no names."""
        contents = Contents()
        manifest: Digest | None = None
        name = path_text(os.fsencode(self.holder.root.resolve().name))
        try:
            data = self.holder.read_file("manifest.json", MAX_MANIFEST_BYTES)
            manifest = sha256_digest(data)
            contents.referenced.add(manifest)
            document = parse_object(data, "manifest.json")
            reader = ManifestReader(_DirectoryBlobs(self.holder), contents)
            if "manifests" in document and "config" not in document:
                reader.follow_all(objects_in(document, "manifests"), (name,), 1, (manifest,))
            else:
                reader.read_manifest(data, manifest, (name,))
        except SourceError as error:
            contents.add_unseen("manifest.json", error)
        if contents.has_problem("blob-missing") and not contents.unseen_references:
            # no digest proves manifest.json
            contents.unseen_references.append(
                "manifest.json: a blob that it names is missing, so its digests may be damaged"
            )
        contents.blobs = self._list_blobs(manifest)
        signatures = [blob.name for blob in contents.blobs if blob.name.startswith("signature-")]
        more = dict.fromkeys(signatures, METADATA)
        contents.claims = claims_of_blobs(self.holder.store, contents, more=more)
        return contents

    def descent(self) -> Descent:
        """Nothing: such a folder holds one image."""
        return NO_DESCENT

    def _list_blobs(self, manifest: Digest | None) -> list[StoredBlob]:
        """List all files but ``version``; the digest of a blob is its name.

        ``manifest`` is the digest of ``manifest.json``, if that could be read.
        """
        blobs = []
        for name, status in list_statuses(self.holder.root):
            if stat.S_ISREG(status.st_mode) and name != "version":
                digest = f"sha256:{name.removesuffix(_MANIFEST)}"
                known = Digest(digest) if is_digest(digest) else None
                if name == "manifest.json":
                    known = manifest
                inode = (status.st_dev, status.st_ino)
                blobs.append(StoredBlob(name, status.st_size, known, inode))
        return blobs


class _DirectoryBlobs(BlobFiles):
    """Blobs named by their bare digests, manifests with ``.manifest.json`` appended."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(holder)
        self._files = holder

    def file_name(self, digest: Digest) -> str:
        encoded = digest.partition(":")[2]
        manifest = f"{encoded}.manifest.json"
        return manifest if not self._files.has(encoded) and self._files.has(manifest) else encoded
