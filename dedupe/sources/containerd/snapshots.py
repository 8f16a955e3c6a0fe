"""Layers and writable branches that containerd keeps unpacked, one folder per snapshot."""

import contextlib
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile
from dedupe.host.links import Place
from dedupe.host.store_root import StoreRoot
from dedupe.model.identity import ChainID
from dedupe.model.images import TreeRef, Whiteouts
from dedupe.sources.containerd.metadata import snapshots_in
from dedupe.sources.containerd.records import Resource, Snapshot
from dedupe.sources.interface import Contents

#: start of the name of a snapshotter's folder; the snapshotter's name follows
SNAPSHOTTER = "io.containerd.snapshotter.v1."
#: snapshotters that unpack into plain folders; ``overlayfs`` is the default, so it comes first
READABLE = ("overlayfs", "native")
_NUMBER = re.compile(r"[^/]*/([0-9]{1,20})/")


@dataclass(frozen=True, slots=True)
class ContainerdRoot:
    """containerd's root: the folder that the user named, or one below it."""

    #: the folder that the user named
    store: StoreRoot
    #: names from there to containerd's root
    below: tuple[str, ...] = ()

    def parts(self, *names: str) -> tuple[str, ...]:
        """Names from ``store`` to a file in containerd's root."""
        return (*self.below, *names)

    def place(self, *names: str) -> Place:
        """Where a file or folder of containerd's root is."""
        return self.store.place(self.parts(*names))

    def has_folder(self, *names: str) -> bool:
        """Whether this folder exists in containerd's root and is not a link itself."""
        root, parts = self.place(*names)
        try:
            return stat.S_ISDIR(root.joinpath(*parts).lstat().st_mode)
        except (OSError, ValueError):
            return False


class Snapshots:
    """Snapshots of the snapshotters in ``READABLE``, and the records of all others."""

    def __init__(self, root: ContainerdRoot, contents: Contents) -> None:
        """Read the databases; errors become problems."""
        self._root = root
        #: whether all databases and folders could be read
        self.are_known = True
        #: snapshotter -> full name -> snapshot
        self._named: dict[str, dict[str, Snapshot]] = {}
        #: (namespace, key) -> snapshotter and full name of the newest snapshot
        self._keyed: dict[tuple[str, str], tuple[str, str]] = {}
        #: the same for one snapshotter
        self._exact: dict[Resource, tuple[str, str]] = {}
        #: chain ID -> snapshotter and full name
        self._chains: dict[str, tuple[str, str]] = {}
        for snapshotter in READABLE:
            self._find_folder(snapshotter)
            parts = root.parts(SNAPSHOTTER + snapshotter, "metadata.db")
            named = self._named.setdefault(snapshotter, {})
            try:
                named.update(snapshots_in(BoltFile.open(root.store, parts)))
            except SourceError as error:
                # a snapshotter that was never used has no database
                if error.code != "blob-missing" or self._folders(snapshotter):
                    self.are_known = False
                    contents.add_unseen("/".join(parts), error)
            self._index(snapshotter)
        for snapshotter in self._others():
            parts = root.parts(SNAPSHOTTER + snapshotter, "metadata.db")
            # without its records, its folder is measured as a whole
            with contextlib.suppress(SourceError):
                self._named[snapshotter] = dict(snapshots_in(BoltFile.open(root.store, parts)))

    def layer(self, chain: ChainID) -> TreeRef | None:
        """The folder that the layer of this chain ID is unpacked in, if any."""
        found = self._chains.get(chain)
        return self._tree(*found) if found else None

    def upper(self, namespace: str, key: str, snapshotter: str = "") -> TreeRef | None:
        """The folder of the writable branch of this key, if any.

        The newest one, unless it has to be that of ``snapshotter``.
        """
        found = self._keyed.get((namespace, key))
        if snapshotter:
            found = self._exact.get(Resource(namespace, snapshotter, key))
        return self._tree(*found) if found else None

    def has(self, namespace: str, key: str) -> bool:
        """Whether a snapshot has this key."""
        return (namespace, key) in self._keyed

    def active(self, namespace: str) -> list[str]:
        """Keys of the writable snapshots of a namespace."""
        return [
            key
            for (space, key), (snapshotter, name) in self._keyed.items()
            if space == namespace and self._named[snapshotter][name].writable
        ]

    def snapshotters(self) -> list[str]:
        """The snapshotters whose records could be read, those in ``READABLE`` first."""
        return list(self._named)

    def records(self, snapshotter: str) -> Mapping[str, Snapshot]:
        """Full name and record of each snapshot."""
        return self._named.get(snapshotter, {})

    def below(self, known: Mapping[Resource, str]) -> dict[Resource, Resource]:
        """Each snapshot that is ``known`` by its full name, and the one below it."""
        found = {}
        for snapshotter, named in self._named.items():
            for name, snapshot in named.items():
                one = Resource(snapshot.namespace, snapshotter, snapshot.key)
                if known.get(one) == name and snapshot.parent in named:
                    parent = named[snapshot.parent]
                    found[one] = Resource(parent.namespace, snapshotter, parent.key)
        return found

    def _others(self) -> list[str]:
        """Snapshotters that are not in ``READABLE``."""
        try:
            names = self._root.store.list_folder(self._root.below)
        except SourceError:
            return []
        found = [name.removeprefix(SNAPSHOTTER) for name in names if name.startswith(SNAPSHOTTER)]
        return [name for name in found if name not in READABLE]

    def _find_folder(self, snapshotter: str) -> None:
        """Follow a link in place of the folder of snapshots, and see if it can be read."""
        try:
            self._root.store.find(*self._root.parts(SNAPSHOTTER + snapshotter, "snapshots"))
        except SourceError as error:
            # measuring the store adds the problem
            self.are_known = self.are_known and error.code == "blob-missing"

    def _folders(self, snapshotter: str) -> bool:
        """Whether there are folders of snapshots, or folders that cannot be listed."""
        parts = self._root.parts(SNAPSHOTTER + snapshotter, "snapshots")
        try:
            return bool(self._root.store.list_folder(parts))
        except SourceError as error:
            return error.code != "blob-missing"

    def keys_below(self, namespace: str, key: str) -> Iterator[str]:
        """Keys of the snapshots below this one, the nearest one first."""
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
            one = Resource(snapshot.namespace, snapshotter, snapshot.key)
            self._exact[one] = (snapshotter, name)
            if snapshot.committed and snapshot.key.startswith("sha256:"):
                self._chains.setdefault(snapshot.key, (snapshotter, name))

    def _tree(self, snapshotter: str, name: str) -> TreeRef | None:
        snapshot = self._named[snapshotter][name]
        folder = self._folder(snapshotter, snapshot)
        if not self._root.has_folder(*folder):
            return None
        below = None
        if snapshotter == "native":
            parent = self._named[snapshotter].get(snapshot.parent)
            if parent is not None:
                below = self._root.place(*self._folder(snapshotter, parent)).parts
        place = self._root.place(*folder)
        return TreeRef(
            place.root,
            place.parts,
            # native copies the tree of all layers below into each snapshot
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
