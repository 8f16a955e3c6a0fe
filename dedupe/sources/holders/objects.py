"""An object store as a holder of files: ``s3://bucket/prefix``, through obstore.

The keys below an address are listed once; documents are read whole, layers by ranges. Credentials,
region and endpoint are what obstore takes from the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP,
AWS_SKIP_SIGNATURE, …); nothing else is looked for, and none of it is kept.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

from dedupe.errors import LayerError, SourceError
from dedupe.model.images import ObjectRef, SourceKind
from dedupe.model.paths import printable
from dedupe.sources.interface import Failed

if TYPE_CHECKING:
    from obstore.store import S3Store

_ADDRESS = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<prefix>.*))?\Z")
_USER = re.compile(r"//[^/]*@")
#: names and sizes of so many objects take about a gigabyte
MAX_OBJECTS = 5_000_000
#: bytes of a layer that one request asks for: few requests, little memory, little to ask again
_RANGE_BYTES = 16 << 20
#: documents are small: the wait for each costs more than its bytes
_REQUESTS_AT_ONCE = 32
#: documents fetched ahead that are kept until they are asked for
_MAX_KEPT_BYTES = 64 << 20
#: a store that does not answer costs seconds, not the minutes of the library's default
_RETRIES = 4
_RETRY_TIME = timedelta(seconds=60)
#: a blob of a registry, its folders named in full or from where the address is within them
_REGISTRY_BLOB = re.compile(
    r"(?:(?P<root>(?:.*/)?)docker/registry/v2/|registry/v2/|v2/|)blobs/[a-z0-9]+/[0-9a-f]{2}/"
)
#: what S3 and its like answer, in the text of obstore's errors
_CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")
_STATUS = re.compile(r"status code: (\d+[^:\n]*)")


def is_address(text: str) -> bool:
    """Whether this names an object store, of whatever kind."""
    return "://" in text


def shown(address: str) -> str:
    """The address as it may be shown and kept: without what stands before an ``@``."""
    return printable(_USER.sub("//", address, count=1))


@lru_cache(maxsize=8)
def open_store(address: str) -> "S3Store":
    """The store at an address; no request is made yet.

    obstore's threads do not live through a fork, so a process that is to read objects must be one
    that was not forked from a process that has (see ``scan.pool``).
    Raises SourceError ``bad-address``.
    """
    found = _ADDRESS.match(address)
    if found is None:
        raise SourceError("expected an address such as s3://bucket/prefix", "bad-address")
    # imported where needed: scans of disks do without
    from obstore.store import S3Store

    try:
        return S3Store(
            found["bucket"],
            prefix=(found["prefix"] or "").strip("/") or None,
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME},
        )
    except _failures() as error:
        raise _as_source_error(address, error) from error


class Listing:
    """Names and sizes of all objects below an address, as they were when it was listed."""

    def __init__(self, address: str) -> None:
        """Raises SourceError ``blob-missing``, ``permission-denied`` or ``unreadable``."""
        self.address = address
        self.sizes: dict[str, int] = {}
        store = open_store(address)
        try:
            for batch in store.list(chunk_size=1000):
                self.sizes.update((entry["path"], entry["size"]) for entry in batch)
                if len(self.sizes) > MAX_OBJECTS:
                    raise SourceError(
                        f"more than {MAX_OBJECTS} objects: name a prefix", "too-many-objects"
                    )
        except _failures() as error:
            raise _as_source_error(address, error) from error
        self.names = sorted(self.sizes)

    def below(self, folder: str) -> Iterator[str]:
        """Names that begin with ``folder`` and a slash, or all, sorted."""
        prefix = f"{folder}/" if folder else ""
        start = bisect_left(self.names, prefix)
        return takewhile(
            lambda name: name.startswith(prefix),
            (self.names[at] for at in range(start, len(self.names))),
        )

    def is_folder(self, name: str) -> bool:
        """Whether there is any object below this name."""
        return next(self.below(name), None) is not None


def stores_in(listing: Listing) -> Iterator[tuple[SourceKind, str]]:
    """Kind and folder of every store that the names of these objects show."""
    found: dict[tuple[SourceKind, str], None] = {}
    for name in listing.names:
        folder, slash, last = name.rpartition("/")
        if last == "oci-layout" and f"{folder}{slash}index.json" in listing.sizes:
            found[SourceKind.OCI_LAYOUT, folder] = None
        elif last == "data" and (place := _REGISTRY_BLOB.match(name)):
            found[SourceKind.REGISTRY, (place["root"] or "").rstrip("/")] = None
    yield from found


class ObjectHolder:
    """The objects of a listing below one folder of it."""

    def __init__(self, listing: Listing, folder: str = "") -> None:
        self._listing = listing
        self._prefix = f"{folder}/" if folder else ""
        self._store = open_store(listing.address)
        self._ahead: dict[str, bytes | SourceError] = {}

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a small object."""
        size = self._size(name)
        if size > limit:
            raise SourceError(
                f"{name}: {size} bytes, at most {limit} are read", "document-too-large"
            )
        found = self._ahead.get(name)
        if found is None:
            found = self._fetch(name)
        if isinstance(found, SourceError):
            raise found
        return found

    def blob(self, name: str) -> ObjectRef:
        """The whole object of this name."""
        return ObjectRef(self._listing.address, self._prefix + name, self._size(name))

    def has(self, name: str) -> bool:
        """Whether there was an object of this name."""
        return self._prefix + name in self._listing.sizes

    def is_folder(self, name: str) -> bool:
        """Whether there was any object below this name."""
        return self._listing.is_folder(self._prefix + name)

    def listing(self, folder: str, _failed: Failed | None = None) -> Iterator[tuple[str, int]]:
        """All objects below ``folder``."""
        for name in self._listing.below(self._prefix + folder):
            yield name[len(self._prefix) :], self._listing.sizes[name]

    def expect(self, names: Iterable[str], *, also: bool = False) -> None:
        """Fetch documents that will be read soon together; ``also``: beside those before."""
        if not also:
            self._ahead.clear()
        room = _MAX_KEPT_BYTES - sum(
            len(found) for found in self._ahead.values() if isinstance(found, bytes)
        )
        wanted = []
        for name in dict.fromkeys(names):
            size = self._listing.sizes.get(self._prefix + name)
            if size is not None and name not in self._ahead and size <= room:
                room -= size
                wanted.append(name)
        if wanted:
            with ThreadPoolExecutor(min(_REQUESTS_AT_ONCE, len(wanted))) as pool:
                self._ahead.update(zip(wanted, pool.map(self._fetch, wanted), strict=True))

    def _fetch(self, name: str) -> bytes | SourceError:
        """The object; what is wrong with it comes back as a value, for it may never be asked for.

        No more bytes than were listed are read, whatever the object has become.
        """
        size = self._size(name)
        if not size:
            return b""
        try:
            data = self._store.get_range(self._prefix + name, start=0, length=size)
        except _failures() as error:
            return _as_source_error(name, error)
        return bytes(data)

    def _size(self, name: str) -> int:
        size = self._listing.sizes.get(self._prefix + name)
        if size is None:
            raise SourceError(f"{name}: no such object", "blob-missing")
        return size


class ObjectStream:
    """An object's bytes in order, a range at a time."""

    def __init__(self, ref: ObjectRef) -> None:
        self._ref = ref
        self._store = open_store(ref.store)
        self._asked = 0
        self._range = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; raises LayerError where the store does not give them."""
        if not self._range and self._asked < self._ref.size:
            length = min(_RANGE_BYTES, self._ref.size - self._asked)
            try:
                data = self._store.get_range(self._ref.key, start=self._asked, length=length)
            except _failures() as error:
                failure = _as_source_error(self._ref.key, error)
                raise LayerError(failure.message, failure.code) from error
            self._range = memoryview(data)
            # an object that has become shorter has nothing more to ask for
            self._asked = self._asked + length if len(data) == length else self._ref.size
        taken = self._range if size < 0 else self._range[:size]
        self._range = self._range[len(taken) :]
        return bytes(taken)


def _failures() -> tuple[type[Exception], ...]:
    """What obstore raises where a store or a name is at fault, and we are not."""
    from obstore.exceptions import BaseError

    return BaseError, OSError, ValueError


def _as_source_error(name: str, error: Exception) -> SourceError:
    """One line for what obstore says in twenty, without the server's page and request IDs."""
    from obstore import exceptions

    text = str(error)
    said = _CODE.search(text) or _STATUS.search(text)
    reason = said[1] if said else text.partition("\n")[0][:300]
    code = "unreadable"
    if isinstance(error, FileNotFoundError) or (said and said[1] in ("NoSuchBucket", "NoSuchKey")):
        code = "blob-missing"
    elif isinstance(error, PermissionError | exceptions.UnauthenticatedError) or (
        said and said[1] in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
    ):
        code = "permission-denied"
    return SourceError(f"{name}: {printable(reason)}", code)
