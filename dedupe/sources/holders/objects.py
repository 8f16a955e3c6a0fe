"""A folder of an object store as a holder of files.

The names below an address are listed once. Documents are fetched whole, layers are read in ranges.
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from dedupe.errors import SourceError
from dedupe.host.objects import ObjectListing, as_source_error, open_store, store_failures
from dedupe.model.images import ObjectRef
from dedupe.sources.interface import HeldFile, OnFailure

#: the wait for a small document costs more than its bytes, so request many at once
_REQUESTS_AT_ONCE = 32
#: bytes of documents that are fetched ahead and kept until they are read
_MAX_PREFETCHED_BYTES = 64 << 20
#: a blob of a registry; the address may be any folder from the registry's root down to ``v2``
_REGISTRY_BLOB = re.compile(
    r"(?:(?P<root>(?:.*/)?)docker/registry/v2/|registry/v2/|v2/|)blobs/[a-z0-9]+/[0-9a-f]{2}/"
)
#: a blob of an image layout
_LAYOUT_BLOB = re.compile(r"(?P<root>(?:.*/)?)blobs/(?:sha256|sha512|blake3)/[0-9a-f]{64,128}\Z")


def store_folders(listing: ObjectListing) -> list[str]:
    """Folders in which the names of objects show an image layout or a registry.

    In an object store a folder is only a prefix of names. Testing each prefix of millions of names
    would be slow, so one pass looks for the names that only such sources have.
    """
    found: dict[str, None] = {}
    for name in listing.names:
        folder, _, last = name.rpartition("/")
        if last == "oci-layout":
            found[folder] = None
        elif last == "data" and (blob := _REGISTRY_BLOB.match(name)):
            found[(blob["root"] or "").rstrip("/")] = None
        elif (
            len(last) >= 64
            and (blob := _LAYOUT_BLOB.match(name))
            and blob["root"] + "index.json" in listing.sizes
        ):
            # BuildKit writes layouts without oci-layout
            found[blob["root"].rstrip("/")] = None
    return list(found)


class ObjectHolder:
    """The objects of a listing below one of its folders."""

    def __init__(self, listing: ObjectListing, folder: str = "") -> None:
        """Open the store again; raises SourceError as ``open_store`` does."""
        self._listing = listing
        self._prefix = f"{folder}/" if folder else ""
        self._store = open_store(listing.address)
        self._prefetched: dict[str, bytes | SourceError] = {}

    def read_file(self, name: str, limit: int) -> bytes:
        """Read a small object.

        Raises SourceError ``blob-missing``, ``document-too-large``, ``permission-denied`` or
        ``unreadable``.
        """
        size = self._size(name)
        if size > limit:
            raise SourceError(
                f"{name}: {size} bytes, at most {limit} are read", "document-too-large"
            )
        found = self._prefetched.get(name)
        if found is None:
            found = self._fetch(name)
        if isinstance(found, SourceError):
            raise found
        return found

    def blob(self, name: str) -> ObjectRef:
        """The whole object of this name; raises SourceError ``blob-missing``."""
        return ObjectRef(self._listing.address, self._prefix + name, self._size(name))

    def has(self, name: str) -> bool:
        """Whether an object of this name was listed."""
        return self._prefix + name in self._listing.sizes

    def is_folder(self, name: str) -> bool:
        """Whether an object below this name was listed."""
        return self._listing.is_folder(self._prefix + name)

    def list_files(self, folder: str, _on_failure: OnFailure | None = None) -> Iterator[HeldFile]:
        """List all objects below ``folder`` with their sizes."""
        for name in self._listing.below(self._prefix + folder):
            yield HeldFile(name[len(self._prefix) :], self._listing.sizes[name])

    def prefetch(self, names: Iterable[str], *, keep: bool = False) -> None:
        """Fetch documents that will be read soon, many at once.

        Documents that were fetched before are dropped unless ``keep`` is set.
        """
        if not keep:
            self._prefetched.clear()
        room = _MAX_PREFETCHED_BYTES - sum(
            len(found) for found in self._prefetched.values() if isinstance(found, bytes)
        )
        wanted = []
        for name in dict.fromkeys(names):
            size = self._listing.sizes.get(self._prefix + name)
            if size is not None and name not in self._prefetched and size <= room:
                room -= size
                wanted.append(name)
        if wanted:
            with ThreadPoolExecutor(min(_REQUESTS_AT_ONCE, len(wanted))) as pool:
                self._prefetched.update(zip(wanted, pool.map(self._fetch, wanted), strict=True))

    def _fetch(self, name: str) -> bytes | SourceError:
        """Fetch an object; an error is returned, since the object may never be read.

        No more bytes than were listed are fetched, even if the object has grown.
        """
        size = self._size(name)
        if not size:
            return b""
        try:
            data = self._store.get_range(self._prefix + name, start=0, length=size)
        except store_failures() as error:
            return as_source_error(name, error)
        return bytes(data)

    def _size(self, name: str) -> int:
        size = self._listing.sizes.get(self._prefix + name)
        if size is None:
            raise SourceError(f"{name}: no such object", "blob-missing")
        return size
