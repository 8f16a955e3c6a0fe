"""Two trees compared: what a store of whole trees would put into the tar of the upper one."""

from collections.abc import Iterator

from dedupe.host.trees import TreeEntry


def paired(
    ours: Iterator[TreeEntry], theirs: Iterator[TreeEntry]
) -> Iterator[tuple[TreeEntry | None, TreeEntry | None]]:
    """TreeEntrys of two walks, those of the same path together.

    TreeEntrys of ``theirs`` are left out below a path that ``ours`` lacks or has as a file: the
    whiteout or the file hides them already.
    """
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        first = min(_parts(node) for node in (left, right) if node is not None)
        one = left if left is not None and _parts(left) == first else None
        other = right if right is not None and _parts(right) == first else None
        yield one, other
        if other is not None:
            right = next(theirs, None)
            if one is None or (other.is_folder and not one.is_folder):
                below = other.path + b"/"
                while right is not None and right.path.startswith(below):
                    right = next(theirs, None)
        if one is not None:
            left = next(ours, None)


def is_unchanged(ours: TreeEntry, theirs: TreeEntry) -> bool:
    """Whether stores of whole trees take the node for unchanged when they make a layer's tar."""
    one, other = ours.status, theirs.status
    if (one.st_mode, one.st_uid, one.st_gid, one.st_rdev) != (
        other.st_mode,
        other.st_uid,
        other.st_gid,
        other.st_rdev,
    ):
        return False
    if ours.is_folder:
        return True
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _parts(node: TreeEntry) -> list[bytes]:
    """What walks are sorted by: the components of a path, not its bytes."""
    return node.path.split(b"/")
