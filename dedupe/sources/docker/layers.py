"""Layers of a docker store with a graph driver: the folder that a chain ID is unpacked in.

``image/<driver>/layerdb/sha256/<chain>/`` has docker's record of a layer on its parent. The file
``cache-id`` in it names the graph driver's folder of the layer.
Source: github.com/moby/moby, layer/filestore.go, daemon/graphdriver/.
"""

import re
from dataclasses import dataclass

from dedupe.errors import SourceError
from dedupe.host.store_root import StoreRoot
from dedupe.model.identity import ChainID, chain_ids, is_diff_id, is_hex_id
from dedupe.model.images import IdRange, TreeRef, Whiteouts
from dedupe.model.paths import path_text, printable
from dedupe.sources.interface import Contents

#: a record's files contain digests, numbers and names of folders, which are shorter than this
_MAX_RECORD_BYTES = 1024
#: names of folders that docker makes, and of those that buildkit makes
_FOLDER = re.compile(r"(?:[0-9a-f]{64}|[0-9a-z]{25})(?:-init)?\Z")
#: a record that docker began to remove, with its folder
_REMOVED = re.compile(r"[0-9a-f]{64}-[0-9a-z]*-?removing\Z")


@dataclass(frozen=True, slots=True)
class GraphDriver:
    """A graph driver: where its folders are, and how they store whiteouts."""

    name: str
    #: folder of the folders of all layers
    trees: tuple[str, ...]
    #: the layer's files, from its folder
    tree: tuple[str, ...]
    whiteouts: Whiteouts


DRIVERS = {
    driver.name: driver
    for driver in (
        GraphDriver("overlay2", ("overlay2",), ("diff",), Whiteouts.KERNEL),
        GraphDriver("fuse-overlayfs", ("fuse-overlayfs",), ("diff",), Whiteouts.AUFS),
        GraphDriver("vfs", ("vfs", "dir"), (), Whiteouts.NONE),
    )
}


@dataclass(frozen=True, slots=True)
class DockerLayer:
    """docker's record of a layer on its parent."""

    chain: str
    #: None if the file is empty or damaged, as after a power failure
    diff_id: str | None
    parent: str | None
    #: name of the graph driver's folder; None if the file is damaged
    folder: str | None
    size: int
    split: tuple[str, ...]


class DockerLayers:
    """All layers of one graph driver."""

    def __init__(
        self,
        root: StoreRoot,
        driver: GraphDriver,
        ids: tuple[IdRange, IdRange] | None,
        contents: Contents,
    ) -> None:
        """Read all records; errors become problems."""
        self._root = root
        self.driver = driver
        self._ids = ids
        self.parts = ("image", driver.name, "layerdb")
        self.records: dict[str, DockerLayer] = {}
        #: names of records that docker began to remove
        self.removed_names: list[str] = []
        for name in self.names("sha256", contents):
            if is_hex_id(name):
                record = self._record(name, contents)
                self.records[record.chain] = record
            elif _REMOVED.match(name):
                self.removed_names.append(name)
        #: names of records that docker began to write
        self.unfinished = self.names("tmp", contents)
        for name in self.unfinished:
            contents.add_note(
                "/".join((*self.parts, "tmp", path_text(name.encode("utf-8", "surrogateescape")))),
                "crash-leftover",
                "a layer that docker began to store and did not finish",
            )

    def names(self, folder: str, contents: Contents) -> list[str]:
        """Names in a folder of ``layerdb``; none if it does not exist or cannot be read."""
        parts = (*self.parts, folder)
        try:
            return self._root.list_folder(parts)
        except SourceError as error:
            if error.code != "blob-missing":
                contents.add_unseen("/".join(parts), error)
            return []

    def tree(self, chain: ChainID) -> TreeRef | None:
        """The folder that this layer is unpacked in; None if docker's record of it is damaged."""
        record = self.records.get(chain)
        if record is None or record.folder is None:
            return None
        parent = self.records.get(record.parent or "")
        return self.folder(
            record.folder,
            below=parent.folder if parent else None,
            split=record.split,
            size=record.size,
        )

    def folder(
        self,
        name: str,
        *,
        below: str | None = None,
        split: tuple[str, ...] | None = None,
        size: int = 0,
    ) -> TreeRef:
        """The tree in this folder of the graph driver, ``below`` that of its parent."""
        whole = self.driver.whiteouts is Whiteouts.NONE and below is not None
        place = self._root.place(self._parts(name))
        kept = self._root.place(split or ())
        return TreeRef(
            place.root,
            place.parts,
            split=kept.parts if split else None,
            split_root=kept.root,
            whiteouts=self.driver.whiteouts,
            below=self._root.place(self._parts(below)).parts if whole and below else None,
            uids=(self._ids[0],) if self._ids else (),
            gids=(self._ids[1],) if self._ids else (),
            size=size,
        )

    def read_value(self, *parts: str) -> str | None:
        """Read one of docker's small files below ``layerdb``; None if it does not exist.

        Raises SourceError ``document-too-large``, ``not-a-regular-file`` or ``permission-denied``.
        """
        try:
            data = self._root.read((*self.parts, *parts), _MAX_RECORD_BYTES)
        except SourceError as error:
            if error.code == "blob-missing":
                return None
            raise
        return data.decode("utf-8", "replace").strip()

    def is_folder_name(self, name: str | None) -> bool:
        """Whether a graph driver's folder may have this name, so that it is safe in a path."""
        return name is not None and _FOLDER.match(name) is not None

    def _parts(self, name: str) -> tuple[str, ...]:
        return (*self.driver.trees, name, *self.driver.tree)

    def _record(self, name: str, contents: Contents) -> DockerLayer:
        subject = f"layer sha256:{name}"
        wrong: list[str] = []

        def digest(file: str, *, needed: bool) -> str | None:
            text = self._value(name, file, wrong)
            if text is None and not needed:
                return None
            if is_diff_id(text):
                return text
            wrong.append(f"{file}: expected sha256:<64 hex digits>, found {_shown(text)}")
            return None

        diff_id, parent = digest("diff", needed=True), digest("parent", needed=False)
        folder = self._value(name, "cache-id", wrong)
        if not self.is_folder_name(folder):
            wrong.append(f"cache-id: expected the name of a folder, found {_shown(folder)}")
            folder = None
        if diff_id is not None and not wrong:
            *_, chain = chain_ids((parent, diff_id) if parent else (diff_id,))
            if chain != f"sha256:{name}":
                wrong.append(f"diff and parent: expected those of this chain ID, found {chain}")
        size = self._value(name, "size", wrong) or ""
        if wrong:
            error = SourceError("; ".join(wrong), "bad-document")
            if folder is None:
                contents.add_unseen(subject, error)
            else:
                contents.add_error(subject, error)
        split = (*self.parts, "sha256", name, "tar-split.json.gz")
        return DockerLayer(
            chain="sha256:" + name,
            diff_id=diff_id,
            parent=parent,
            folder=folder,
            # only progress uses the size; a hostile one must not make the total absurd
            size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0,
            split=split,
        )

    def _value(self, name: str, file: str, wrong: list[str]) -> str | None:
        try:
            return self.read_value("sha256", name, file)
        except SourceError as error:
            wrong.append(error.message)
            return None


def _shown(text: str | None) -> str:
    if text is None:
        return "no file"
    return printable(repr(text))[:100] if text else "an empty file"
