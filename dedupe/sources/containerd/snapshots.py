"""Layers and writable branches that containerd keeps unpacked, one folder a snapshot."""

import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile
from dedupe.model.identity import ChainID
from dedupe.model.images import TreeRef, Whiteouts
from dedupe.sources.containerd.metadata import Snapshot, snapshots_in
from dedupe.sources.interface import Contents

#: folder of a snapshotter, its name behind
SNAPSHOTTER = "io.containerd.snapshotter.v1."
#: what is unpacked into plain folders; ``overlayfs`` first, as every containerd's default
READABLE = ("overlayfs", "native")
_NUMBER = re.compile(r"[^/]*/([0-9]{1,20})/")


@dataclass(frozen=True, slots=True)
class Store:
    """Where containerd's root is: folders below what the user named."""

    root: Path
    below: tuple[str, ...] = ()

    def parts(self, *names: str) -> tuple[str, ...]:
        """Names below the user's folder of a file in containerd's root."""
        return (*self.below, *names)

    def has_folder(self, *names: str) -> bool:
        """Whether there is such a folder, itself no link."""
        try:
            return stat.S_ISDIR(self.root.joinpath(*self.parts(*names)).lstat().st_mode)
        except (OSError, ValueError):
            return False


class Snapshots:
    """Snapshots of all snapshotters whose folders can be read."""

    def __init__(self, store: Store, contents: Contents) -> None:
        self._store = store
        #: snapshotter -> full name -> snapshot
        self._named: dict[str, dict[str, Snapshot]] = {}
        #: (namespace, key) -> snapshotter and full name, the newest of a key
        self._keyed: dict[tuple[str, str], tuple[str, str]] = {}
        self._chains: dict[str, tuple[str, str]] = {}
        for snapshotter in READABLE:
            parts = store.parts(SNAPSHOTTER + snapshotter, "metadata.db")
            named = self._named.setdefault(snapshotter, {})
            try:
                named.update(snapshots_in(BoltFile.open(store.root, parts)))
            except SourceError as error:
                # a snapshotter that was never used has no database
                if error.code != "blob-missing":
                    closed = error.code == "permission-denied"
                    contents.failed("/".join(parts), error, once=closed)
            self._index(snapshotter)

    def layer(self, chain: ChainID) -> TreeRef | None:
        """The folder that a layer was unpacked to; None where none of its place is kept."""
        found = self._chains.get(chain)
        return self._tree(*found) if found else None

    def upper(self, namespace: str, key: str) -> TreeRef | None:
        """The writable branch of this key; None where it is not kept in a folder."""
        found = self._keyed.get((namespace, key))
        return self._tree(*found) if found else None

    def has(self, namespace: str, key: str) -> bool:
        """Whether any readable snapshotter knows this key."""
        return (namespace, key) in self._keyed

    def active(self, namespace: str) -> list[str]:
        """Keys of the writable snapshots of a namespace."""
        return [
            key
            for (space, key), (snapshotter, name) in self._keyed.items()
            if space == namespace and self._named[snapshotter][name].writable
        ]

    def numbers_of(self, keys: Collection[str]) -> Iterator[tuple[str, int]]:
        """Snapshotter and number of every snapshot of these keys, a namespace each has its own."""
        for snapshotter, named in self._named.items():
            for snapshot in named.values():
                if snapshot.key in keys:
                    yield snapshotter, snapshot.number

    def keys_below(self, namespace: str, key: str) -> Iterator[str]:
        """Keys of the snapshots below this one, the nearest first."""
        snapshotter, name = self._keyed.get((namespace, key), ("", ""))
        seen = set()
        while name and name not in seen:
            seen.add(name)
            snapshot = self._named[snapshotter].get(name)
            if snapshot is None:
                return
            name = snapshot.parent
            yield name.partition("/")[2].partition("/")[2]

    def _index(self, snapshotter: str) -> None:
        named = self._named[snapshotter]
        for name in sorted(named, key=_sequence):
            snapshot = named[name]
            self._keyed[snapshot.namespace, snapshot.key] = (snapshotter, name)
            if snapshot.committed and snapshot.key.startswith("sha256:"):
                self._chains.setdefault(snapshot.key, (snapshotter, name))

    def _tree(self, snapshotter: str, name: str) -> TreeRef | None:
        snapshot = self._named[snapshotter][name]
        folder = self._folder(snapshotter, snapshot)
        if not self._store.has_folder(*folder):
            return None
        below = None
        if snapshotter == "native":
            parent = self._named[snapshotter].get(snapshot.parent)
            if parent is not None:
                below = self._store.parts(*self._folder(snapshotter, parent))
        return TreeRef(
            self._store.root,
            self._store.parts(*folder),
            # native copies the whole tree of the layers below into each snapshot
            whiteouts=Whiteouts.NONE if snapshotter == "native" else Whiteouts.KERNEL,
            below=below,
            size=snapshot.size,
        )

    def _folder(self, snapshotter: str, snapshot: Snapshot) -> tuple[str, ...]:
        folder = (SNAPSHOTTER + snapshotter, "snapshots", str(snapshot.number))
        return folder if snapshotter == "native" else (*folder, "fs")


def _sequence(name: str) -> tuple[int, str]:
    number = _NUMBER.match(name)
    return int(number[1]) if number else 0, name
