"""Symbolic links that a layer has written so far, and where paths through them lead.

Unpackers write a member to where its folder is on disk at that time. After ``lib -> usr/lib``, the
member ``lib/x`` is the file ``usr/lib/x``, and the link stays. Only links of the same layer count
here: what is below a link of a lower layer depends on the store (docs/catalog.md).

The links are kept as a tree of their paths, so that a member costs one step per component until
its folder has no link below it, and nothing in a layer without links.

Source: docs/measures.md, "Paths through symlinks"; umoci, podman, containerd and docker agree.
"""

from typing import TypeAlias

from dedupe.errors import LayerError

#: Linux follows as many links in one path
_MAX_HOPS = 40
#: components that are walked for one path; real paths have a few
_MAX_STEPS = 1_000
#: Linux cannot make longer paths, nor links with longer targets
_MAX_BYTES = 4_096
#: memory that the links of one layer may take, as estimated here
_MAX_MEMORY = 512 << 20
#: a component costs a dictionary and its key
_COMPONENT_MEMORY = 300

#: a component's target if it is a link, else what is below it
_Node: TypeAlias = "bytes | dict[bytes, _Node]"
_Folder: TypeAlias = dict[bytes, _Node]


class OwnLinks:
    """The links of one layer, as they are after the members that were reported so far.

    All paths are cleaned, and all but those given to ``through`` have their folders resolved.
    """

    def __init__(self) -> None:
        self._root: _Folder = {}
        #: a folder that is known not to go through a link
        self._plain = b""
        self._memory = 0

    def through(self, path: bytes) -> tuple[bytes, str | None]:
        """The path with its folder resolved, and a flag if that led through a link.

        A loop of links, which all unpackers refuse, is flagged too; its path stays as it is.
        """
        root = self._root
        if not root:
            return path, None
        folder, slash, name = path.rpartition(b"/")
        if not slash or folder == self._plain:
            return path, None
        parts = folder.split(b"/")
        node: _Node | None = root
        for part in parts:
            node = node.get(part) if isinstance(node, dict) else None
            if node is None:
                break
            if isinstance(node, bytes):
                found = self._followed(parts)
                if found is None:
                    return path, "symlink-loop"
                return b"/".join((*found, name)), "through-own-symlink"
        self._plain = folder
        return path, None

    def _followed(self, parts: list[bytes]) -> list[bytes] | None:
        """These components with all links followed; None if there are too many."""
        waiting = parts[::-1]
        found: list[bytes] = []
        nodes: list[_Node | None] = [self._root]
        hops = 0
        for _ in range(_MAX_STEPS):
            if not waiting:
                return found
            part = waiting.pop()
            if part == b"..":
                del found[-1:], nodes[len(found) + 1 :]
            elif part and part != b".":
                folder = nodes[-1]
                node = folder.get(part) if isinstance(folder, dict) else None
                if not isinstance(node, bytes):
                    found.append(part)
                    nodes.append(node)
                    continue
                hops += 1
                if hops > _MAX_HOPS:
                    return None
                if node.startswith(b"/"):
                    del found[:], nodes[1:]
                waiting += reversed(node.split(b"/"))
        return None

    def target_at(self, path: bytes) -> bytes | None:
        """Target of the link at this path; None if there is none."""
        node: _Node | None = self._root
        for part in path.split(b"/"):
            node = node.get(part) if isinstance(node, dict) else None
        return node if isinstance(node, bytes) else None

    def add(self, path: bytes, target: bytes) -> None:
        """A link was written; it replaces what was at its path.

        Raises LayerError ``layer-too-large`` if the layer has more links than memory allows.
        """
        if not path or len(path) > _MAX_BYTES or len(target) >= _MAX_BYTES:
            return
        self._plain = b""
        *parents, name = path.split(b"/")
        folder = self._root
        for part in parents:
            below = folder.get(part)
            if below is None:
                below = folder[part] = {}
                self._memory += _COMPONENT_MEMORY + len(part)
            # below a loop of links
            if isinstance(below, bytes):
                return
            folder = below
        folder[name] = target
        self._memory += _COMPONENT_MEMORY + len(name) + len(target)
        if self._memory > _MAX_MEMORY:
            raise LayerError("holds more symbolic links than can be followed", "layer-too-large")

    def replace(self, path: bytes, *, is_folder: bool) -> None:
        """Another entry was written: no link is at its path, nor below it unless it is a folder."""
        if not self._root:
            return
        *parents, name = path.split(b"/")
        folder = self._root
        for part in parents:
            below = folder.get(part)
            if not isinstance(below, dict):
                return
            folder = below
        if not is_folder or isinstance(folder.get(name), bytes):
            folder.pop(name, None)
