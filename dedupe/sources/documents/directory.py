"""skopeo's ``dir:`` format: one image, its manifest beside blobs named by their bare digests."""

import stat

from dedupe.errors import SourceError
from dedupe.formats.documents import MAX_MANIFEST_BYTES, parse_object
from dedupe.host.trees import statuses_in
from dedupe.model.identity import Digest, sha256_digest
from dedupe.model.images import StoredBlob
from dedupe.sources.documents.manifests import ManifestReader
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Contents

_SIGNATURE = b"Directory Transport Version: 1."


def is_directory(holder: FolderHolder) -> bool:
    """Whether ``version`` says that this is such a folder."""
    if not (holder.has("version") and holder.has("manifest.json")):
        return False
    try:
        return holder.read("version", 1024).startswith(_SIGNATURE)
    except SourceError:
        return False


def read_directory(holder: FolderHolder, contents: Contents, name: str) -> None:
    """The image, named after its folder since the format keeps no names."""
    try:
        data = holder.read("manifest.json", MAX_MANIFEST_BYTES)
        document = parse_object(data, "manifest.json")
        reader = ManifestReader(holder, contents, lambda digest: _file_name(holder, digest))
        if "manifests" in document and "config" not in document:
            reader.index(document, (name,), depth=1)
        else:
            reader.manifest(data, sha256_digest(data), (name,))
    except SourceError as error:
        contents.failed("manifest.json", error)


def blobs_in(holder: FolderHolder) -> list[StoredBlob]:
    """All files that are named by a digest."""
    blobs = []
    for name, status in statuses_in(holder.root):
        if stat.S_ISREG(status.st_mode) and name != "version":
            hexadecimal = len(name) == 64 and name.isalnum()
            digest = Digest(f"sha256:{name}") if hexadecimal else None
            blobs.append(StoredBlob(name, status.st_size, digest))
    return blobs


def _file_name(holder: FolderHolder, digest: Digest) -> str:
    encoded = digest.partition(":")[2]
    manifest = f"{encoded}.manifest.json"
    return manifest if not holder.has(encoded) and holder.has(manifest) else encoded
