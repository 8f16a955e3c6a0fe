"""Object stores such as ``s3://bucket/prefix``, read through obstore.

Credentials, region and endpoint are what obstore takes from the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP,
AWS_SKIP_SIGNATURE, …). No other place is searched for them, and none of them is stored.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

from dedupe.errors import LayerError, SourceError
from dedupe.model.images import ObjectRef
from dedupe.model.paths import printable

if TYPE_CHECKING:
    from obstore.store import S3Store

_ADDRESS = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<prefix>.*))?\Z")
_USER = re.compile(r"//[^/]*@")
#: names and sizes of this many objects take about a gigabyte of memory
MAX_OBJECTS = 5_000_000
#: bytes of a layer per request: few requests, little memory, little to repeat after a failure
_RANGE_BYTES = 16 << 20
#: an unreachable store fails after seconds, not after the minutes of the library's default
_RETRIES = 4
_RETRY_TIME = timedelta(seconds=60)
#: error codes of S3 and compatible stores in the text of obstore's errors
_CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")
_STATUS = re.compile(r"status code: (\d+[^:\n]*)")


def is_address(text: str) -> bool:
    """Whether this is the address of an object store, of any kind."""
    return "://" in text


def public_address(address: str) -> str:
    """The address as it may be shown and stored: without user and password before an ``@``."""
    return printable(_USER.sub("//", address, count=1))


@lru_cache(maxsize=8)
def open_store(address: str) -> "S3Store":
    """Open the store at an address, without a request.

    obstore's threads do not survive a fork: a process that reads objects must not be forked from
    one that has (see ``scan.pool``).
    Raises SourceError ``bad-address``, or as a request does if obstore refuses the settings.
    """
    found = _ADDRESS.match(address)
    if found is None:
        raise SourceError("expected an address such as s3://bucket/prefix", "bad-address")
    # imported here, since scans of disks do not need it
    from obstore.store import S3Store

    try:
        return S3Store(
            found["bucket"],
            prefix=(found["prefix"] or "").strip("/") or None,
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME},
        )
    except store_failures() as error:
        raise as_source_error(address, error) from error


class ObjectListing:
    """Names and sizes of all objects below an address, at the time of listing."""

    def __init__(self, address: str) -> None:
        """List the objects.

        Raises SourceError ``bad-address``, ``blob-missing``, ``permission-denied``,
        ``too-many-objects`` or ``unreadable``.
        """
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
        except store_failures() as error:
            raise as_source_error(address, error) from error
        self.names = sorted(self.sizes)

    def below(self, folder: str) -> Iterator[str]:
        """Names that begin with ``folder`` and a slash, sorted; all names if it is empty."""
        prefix = f"{folder}/" if folder else ""
        start = bisect_left(self.names, prefix)
        return takewhile(
            lambda name: name.startswith(prefix),
            (self.names[at] for at in range(start, len(self.names))),
        )

    def is_folder(self, name: str) -> bool:
        """Whether any object is below this name."""
        return next(self.below(name), None) is not None


class ObjectStream:
    """Reads the bytes of an object in order, a range at a time."""

    def __init__(self, ref: ObjectRef) -> None:
        """Open the object's store; raises SourceError as ``open_store`` does."""
        self._ref = ref
        self._store = open_store(ref.store)
        self._requested = 0
        self._range = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes; empty at the end.

        Raises LayerError ``blob-missing``, ``permission-denied`` or ``unreadable``.
        """
        if not self._range and self._requested < self._ref.size:
            length = min(_RANGE_BYTES, self._ref.size - self._requested)
            try:
                data = self._store.get_range(self._ref.key, start=self._requested, length=length)
            except store_failures() as error:
                failure = as_source_error(self._ref.key, error)
                raise LayerError(failure.message, failure.code) from error
            self._range = memoryview(data)
            # a short answer means that the object has become shorter: there is no more to request
            complete = len(data) == length
            self._requested = self._requested + length if complete else self._ref.size
        taken = self._range if size < 0 else self._range[:size]
        self._range = self._range[len(taken) :]
        return bytes(taken)


def store_failures() -> tuple[type[Exception], ...]:
    """Exceptions of obstore for a failing store or a bad name."""
    from obstore.exceptions import BaseError

    return BaseError, OSError, ValueError


def as_source_error(name: str, error: Exception) -> SourceError:
    """The SourceError for an exception of obstore.

    Its message is one line, without the server's page and request IDs.
    """
    from obstore import exceptions

    text = str(error)
    answer = _CODE.search(text) or _STATUS.search(text)
    reason = answer[1] if answer else text.partition("\n")[0][:300]
    code = "unreadable"
    if isinstance(error, FileNotFoundError) or (
        answer and answer[1] in ("NoSuchBucket", "NoSuchKey")
    ):
        code = "blob-missing"
    elif isinstance(error, PermissionError | exceptions.UnauthenticatedError) or (
        answer and answer[1] in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
    ):
        code = "permission-denied"
    return SourceError(f"{name}: {printable(reason)}", code)
