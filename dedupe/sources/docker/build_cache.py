"""What BuildKit's cache in docker holds: folders of the graph driver, and docker's own layers.

``buildkit/snapshots.db`` has a bucket for each snapshot of the cache, under its key. The key, or
the value of ``committed`` in it, is the name of a folder of the graph driver. Once docker has
registered the folder as a layer, ``chainid`` is its chain ID; a key may be a chain ID itself.
Source: github.com/moby/moby, builder/builder-next/adapters/snapshot.
"""

from collections.abc import Container
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.host.store_root import StoreRoot
from dedupe.model.identity import is_diff_id
from dedupe.sources.interface import Contents

#: snapshots of one cache: a hundred times what build servers have
_MAX_SNAPSHOTS = 1_000_000
SNAPSHOTS = ("buildkit", "snapshots.db")


@dataclass(frozen=True, slots=True)
class BuildCache:
    """What the cache holds."""

    #: names of folders of the graph driver
    folders: Container[str] = frozenset()
    #: chain IDs of layers that docker has registered, without those below them
    chains: frozenset[str] = frozenset()
    #: why what it holds is not known; None if it is
    error: SourceError | None = None


def read_build_cache(root: StoreRoot, contents: Contents) -> BuildCache:
    """What the cache in this docker root holds; an error becomes a problem.

    A cache that has no database is not a problem by itself: docker may never have built anything.
    """
    folders: set[str] = set()
    chains: set[str] = set()
    try:
        snapshots = BoltFile.open(root, SNAPSHOTS).bucket()
        for key, record in snapshots or ():
            if not isinstance(record, Bucket):
                continue
            values = record.values()
            held = (key, values.get(b"committed", b""), values.get(b"chainid", b""))
            for text in (name.decode("utf-8", "replace") for name in held):
                (chains if is_diff_id(text) else folders).add(text)
            if len(folders) + len(chains) > 3 * _MAX_SNAPSHOTS:
                raise SourceError(
                    f"{'/'.join(SNAPSHOTS)}: more than {_MAX_SNAPSHOTS} snapshots", "bolt-too-large"
                )
    except SourceError as error:
        if error.code != "blob-missing":
            contents.add_unseen(
                "/".join(SNAPSHOTS),
                SourceError(
                    f"{error.message}; what the build cache holds is not known", error.code
                ),
            )
        return BuildCache(error=error)
    return BuildCache(folders, frozenset(chains))
