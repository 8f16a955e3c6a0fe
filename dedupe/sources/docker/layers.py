"""Layers of a docker store with a graph driver: where the layer of a chain ID is unpacked.

``image/<driver>/layerdb/sha256/<chain>/`` holds what docker noted about a layer in its place, and
``cache-id`` in it names the folder that the graph driver keeps for it.
Source: github.com/moby/moby, layer/filestore.go, daemon/graphdriver/.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.files import read_below
from dedupe.host.trees import list_folder
from dedupe.model.identity import ChainID, chain_ids
from dedupe.model.images import IdRange, TreeRef, Whiteouts
from dedupe.model.paths import path_text, printable
from dedupe.sources.interface import Contents

#: digests, numbers and names of folders: more bytes are no such thing
_MAX_RECORD_BYTES = 1024
_HEX = re.compile(r"[0-9a-f]{64}\Z")
#: what docker draws for itself, and what buildkit does
_FOLDER = re.compile(r"(?:[0-9a-f]{64}|[0-9a-z]{25})(?:-init)?\Z")


@dataclass(frozen=True, slots=True)
class Driver:
    """A graph driver: where its folders are, and how they say what is hidden."""

    name: str
    #: folder of all trees
    trees: tuple[str, ...]
    #: folder of the tree in the folder of a layer
    tree: tuple[str, ...]
    whiteouts: Whiteouts


DRIVERS = {
    driver.name: driver
    for driver in (
        Driver("overlay2", ("overlay2",), ("diff",), Whiteouts.KERNEL),
        Driver("fuse-overlayfs", ("fuse-overlayfs",), ("diff",), Whiteouts.AUFS),
        Driver("vfs", ("vfs", "dir"), (), Whiteouts.NONE),
    )
}


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer in its place, as docker noted it."""

    chain: str
    #: None where the note is empty or damaged, as power failures leave it
    diff_id: str | None
    parent: str | None
    #: name of the folder of the graph driver; None where the note is damaged
    folder: str | None
    size: int
    split: tuple[str, ...]


class Layers:
    """All layers of one graph driver."""

    def __init__(
        self, root: Path, driver: Driver, ids: tuple[IdRange, IdRange] | None, contents: Contents
    ) -> None:
        self._root = root
        self.driver = driver
        self._ids = ids
        self.place = ("image", driver.name, "layerdb")
        self.records: dict[str, LayerRecord] = {}
        for name in self.names("sha256", contents):
            if not _HEX.match(name):
                continue
            record = self._record(name, contents)
            self.records[record.chain] = record
        for name in self.names("tmp", contents):
            contents.note(
                "/".join((*self.place, "tmp", path_text(name.encode("utf-8", "surrogateescape")))),
                "crash-leftover",
                "a layer that docker began to store and did not finish",
            )

    def names(self, folder: str, contents: Contents) -> list[str]:
        """Names in a folder of docker's notes; none where it is not there."""
        parts = (*self.place, folder)
        try:
            return list_folder(self._root, parts)
        except SourceError as error:
            if error.code != "blob-missing":
                contents.failed("/".join(parts), error, once=error.code == "permission-denied")
            return []

    def tree(self, chain: ChainID) -> TreeRef | None:
        """Where this layer is unpacked; None where docker has no sound note of it."""
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
        """The tree in this folder of the graph driver."""
        whole = self.driver.whiteouts is Whiteouts.NONE and below is not None
        return TreeRef(
            self._root,
            self._parts(name),
            split=split,
            whiteouts=self.driver.whiteouts,
            below=self._parts(below) if whole and below else None,
            uids=(self._ids[0],) if self._ids else (),
            gids=(self._ids[1],) if self._ids else (),
            size=size,
        )

    def note(self, *parts: str) -> str | None:
        """One of docker's small files below ``layerdb``; None where it is not there.

        Raises SourceError where it cannot be read.
        """
        try:
            data = read_below(self._root, (*self.place, *parts), _MAX_RECORD_BYTES)
        except SourceError as error:
            if error.code == "blob-missing":
                return None
            raise
        return data.decode("utf-8", "replace").strip()

    def is_folder_name(self, name: str | None) -> bool:
        """Whether this may be a folder of a graph driver, and so be made into a path."""
        return name is not None and _FOLDER.match(name) is not None

    def _parts(self, name: str) -> tuple[str, ...]:
        return (*self.driver.trees, name, *self.driver.tree)

    def _record(self, name: str, contents: Contents) -> LayerRecord:
        subject = f"layer sha256:{name}"
        wrong: list[str] = []

        def digest(note: str, *, needed: bool) -> str | None:
            text = self._text(name, note, wrong)
            if text is None and not needed:
                return None
            if text is not None and _HEX.match(text.removeprefix("sha256:")):
                return text
            wrong.append(f"{note}: expected sha256:<64 hex digits>, found {_shown(text)}")
            return None

        diff_id, parent = digest("diff", needed=True), digest("parent", needed=False)
        folder = self._text(name, "cache-id", wrong)
        if not self.is_folder_name(folder):
            wrong.append(f"cache-id: expected the name of a folder, found {_shown(folder)}")
            folder = None
        if diff_id is not None and not wrong:
            *_, chain = chain_ids((parent, diff_id) if parent else (diff_id,))
            if chain != f"sha256:{name}":
                wrong.append(f"diff and parent: expected those of this chain ID, found {chain}")
        size = self._text(name, "size", wrong) or ""
        if wrong:
            contents.failed(subject, SourceError("; ".join(wrong), "bad-document"))
        split = (*self.place, "sha256", name, "tar-split.json.gz")
        return LayerRecord(
            chain="sha256:" + name,
            diff_id=diff_id,
            parent=parent,
            folder=folder,
            # for progress only; a hostile one must not make the total endless
            size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0,
            split=split,
        )

    def _text(self, name: str, note: str, wrong: list[str]) -> str | None:
        try:
            return self.note("sha256", name, note)
        except SourceError as error:
            wrong.append(error.message)
            return None


def _shown(text: str | None) -> str:
    if text is None:
        return "no file"
    return printable(repr(text))[:100] if text else "an empty file"
