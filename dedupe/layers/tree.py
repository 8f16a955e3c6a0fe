"""A layer that is kept unpacked, walked: the rows of its tar, as far as a folder tells them.

Whiteouts are told by the form of the store: the kernel's overlayfs writes character devices 0:0 and
extended attributes, fuse-overlayfs the names that a tar has, and stores of whole trees nothing at
all, so that the tree of the layer below is walked beside. fuse-overlayfs writes devices too, where
it may.

Source: Documentation/filesystems/overlayfs.rst; containers/storage, fuse-overlayfs(1).
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from blake3 import blake3

from dedupe.errors import LayerError, reason_of
from dedupe.formats.tar import EMPTY_HASH, Member
from dedupe.host.trees import TreeEntry, open_folder, walk_tree
from dedupe.layers.batches import MAX_TAR_BYTES, too_large
from dedupe.model.images import IdRange, TreeRef, Whiteouts
from dedupe.model.paths import path_text

_PIECE = 1 << 20
_OVERLAY = (b"trusted.overlay.", b"user.overlay.")
#: kept by the store about its own doing, never of an image
_OF_STORES = (*_OVERLAY, b"user.fuseoverlayfs.")
#: real owner and mode, where the store could not set them
_OVERRIDES = (
    b"user.containers.override_stat",
    b"user.fuseoverlayfs.override_stat",
    b"security.fuseoverlayfs.override_stat",
)
#: of the host, never of an image
_HOST = (b"security.selinux",)
_CAP_SYS_ADMIN = 21
#: what an entry answers that went, or became another kind, after its folder was listed
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO)

_FLAGS = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
    # a socket: no tar has a type for it, and no container finds anybody behind it
    stat.S_IFSOCK: b"s",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry of the folder as a member of a tar."""

    member: Member
    #: what is odd about it
    flag: str | None = None
    #: a name that says nothing by how it begins, whatever it would say in a tar
    literal: bool = False


@dataclass(slots=True)
class Walked:
    """What was seen on the way."""

    allocated_bytes: int = 0
    #: code -> how often, and an example
    notes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note(self, code: str, path: bytes) -> None:
        """One more of this kind."""
        count, example = self.notes.get(code, (0, path_text(path)))
        self.notes[code] = (count + 1, example)


def members_of(ref: TreeRef, advance: Callable[[int], None], walked: Walked) -> Iterator[Seen]:
    """The folder's entries as members of a tar, parents first, sorted by name.

    Raises SourceError where the folder cannot be opened, LayerError ``permission-denied``,
    ``unreadable`` or ``tree-too-deep`` where entries are closed to us: rows with holes must not
    pass for the layer.
    """
    root = open_folder(ref.root, ref.parts)
    try:
        walked.allocated_bytes += os.fstat(root).st_blocks * 512
        if ref.whiteouts is Whiteouts.KERNEL and not _sees_trusted():
            walked.note("xattrs-unseen", b"/".join(os.fsencode(part) for part in ref.parts))
        yield from _Walk(ref, advance, walked).members(root)
    finally:
        os.close(root)


class _Walk:
    def __init__(self, ref: TreeRef, advance: Callable[[int], None], walked: Walked) -> None:
        self._ref = ref
        self._advance = advance
        self._walked = walked
        #: inodes of several names -> the first of them
        self._first_names: dict[tuple[int, int], bytes] = {}

    def members(self, root: int) -> Iterator[Seen]:
        failed: list[tuple[bytes, OSError]] = []
        nodes = self._counted(walk_tree(root, failed))
        if self._ref.below is not None:
            yield from self._differences(nodes)
        else:
            for node in nodes:
                yield from self._entry(node)
        for path, error in failed:
            if error.errno not in _GONE:
                raise _closed(path, error)
            self._walked.note("vanished", path)

    def _counted(self, nodes: Iterator[TreeEntry]) -> Iterator[TreeEntry]:
        """The nodes, what the file system gives them added up; an inode once."""
        seen: set[tuple[int, int]] = set()
        for node in nodes:
            status = node.status
            inode = (status.st_dev, status.st_ino)
            if inode not in seen:
                self._walked.allocated_bytes += status.st_blocks * 512
                if status.st_nlink > 1 and not node.is_folder:
                    seen.add(inode)
            yield node

    def _differences(self, nodes: Iterator[TreeEntry]) -> Iterator[Seen]:
        """What the tree has that the one below has not, and whiteouts for what it lacks."""
        below = open_folder(self._ref.root, self._ref.below or ())
        failed: list[tuple[bytes, OSError]] = []
        # folders that stayed as they were: a tar has them only above something that changed
        same: list[tuple[bytes, list[Seen]]] = []
        try:
            for ours, theirs in _paired(nodes, walk_tree(below, failed)):
                path = ours.path if ours is not None else theirs.path if theirs is not None else b""
                while same and not path.startswith(same[-1][0] + b"/"):
                    same.pop()
                if ours is not None and theirs is not None and _unchanged(ours, theirs):
                    if ours.is_folder:
                        same.append((path, list(self._entry(ours))))
                    continue
                for _, folder in same:
                    yield from folder
                same.clear()
                if ours is not None:
                    yield from self._entry(ours)
                elif theirs is not None:
                    yield Seen(_whiteout(path, theirs.status.st_mtime_ns))
        finally:
            os.close(below)
        # what is not seen below would pass for the layer's own
        for path, error in failed:
            raise _closed(path, error)

    def _entry(self, node: TreeEntry) -> Iterator[Seen]:
        status = node.status
        if (
            self._ref.whiteouts is not Whiteouts.NONE
            and stat.S_ISCHR(status.st_mode)
            and status.st_rdev == 0
        ):
            yield Seen(_whiteout(node.path, status.st_mtime_ns))
            return
        xattrs = node.xattrs()
        empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
        if empty and self._overlay(xattrs, b"whiteout") is not None:
            yield Seen(_whiteout(node.path, status.st_mtime_ns))
            return
        member = self._described(node, xattrs)
        literal = self._ref.whiteouts is not Whiteouts.AUFS
        inode = (status.st_dev, status.st_ino)
        if inode in self._first_names:
            first = self._first_names[inode]
            yield Seen(replace(member, typeflag=b"1", linkname=first), None, literal)
            return
        flag = None
        if member.typeflag == b"0" and self._overlay(xattrs, b"metacopy") is not None:
            flag = "overlay-metacopy"
        elif member.typeflag == b"0":
            read = self._hashed(node)
            if read is None:
                return
            member = replace(member, size=read[0], stored_size=read[0], content_hash=read[1])
        if self._overlay(xattrs, b"redirect") is not None and flag is None:
            flag = "overlay-redirect"
        if status.st_nlink > 1 and not node.is_folder:
            self._first_names[inode] = node.path
        yield Seen(member, flag, literal)
        if node.is_folder and self._overlay(xattrs, b"opaque") == b"y":
            yield Seen(_marker(node.path + b"/.wh..wh..opq", status.st_mtime_ns))

    def _described(self, node: TreeEntry, xattrs: dict[bytes, bytes]) -> Member:
        """The entry's header, without its content."""
        status = node.status
        kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
        uid, gid = _inside(status.st_uid, self._ref.uids), _inside(status.st_gid, self._ref.gids)
        device = status.st_rdev
        override = next((xattrs[name] for name in _OVERRIDES if name in xattrs), None)
        if override is not None:
            uid, gid, mode, kind, device = _overridden(override, (uid, gid, mode, kind, device))
        link = b""
        if stat.S_ISLNK(status.st_mode):
            try:
                link = node.target()
            except OSError:
                self._walked.note("vanished", node.path)
        kept = {
            name: value
            for name, value in xattrs.items()
            if not name.startswith(_OF_STORES) and name not in _OVERRIDES and name not in _HOST
        }
        return Member(
            name=node.path,
            typeflag=_FLAGS.get(kind, b"?"),
            size=0,
            stored_size=0,
            offset=0,
            mode=mode,
            uid=uid,
            gid=gid,
            mtime_ns=status.st_mtime_ns,
            linkname=link,
            devmajor=os.major(device),
            devminor=os.minor(device),
            xattrs=kept or None,
            content_hash=None,
        )

    def _hashed(self, node: TreeEntry) -> tuple[int, bytes] | None:
        """Size and content hash as read; None where the file has gone."""
        if node.status.st_size == 0:
            return 0, EMPTY_HASH
        # of a sparse file it costs nothing to say that it is as large as a file may be
        if node.status.st_size > MAX_TAR_BYTES:
            raise too_large()
        try:
            descriptor = node.open()
        except OSError as error:
            if error.errno not in _GONE:
                raise _closed(node.path, error) from error
            self._walked.note("vanished", node.path)
            return None
        content, size = blake3(), 0
        try:
            while piece := _read(descriptor, node.path):
                content.update(piece)
                size += len(piece)
                self._advance(len(piece))
                # a file that grows as fast as it is read would never end
                if size > node.status.st_size + _PIECE:
                    break
        finally:
            os.close(descriptor)
        if size != node.status.st_size:
            self._walked.note("changed-while-read", node.path)
        return size, content.digest()

    def _overlay(self, xattrs: dict[bytes, bytes], name: bytes) -> bytes | None:
        if self._ref.whiteouts is not Whiteouts.KERNEL:
            return None
        return next((xattrs[prefix + name] for prefix in _OVERLAY if prefix + name in xattrs), None)


def _closed(path: bytes, error: OSError) -> LayerError:
    if isinstance(error, PermissionError):
        return LayerError(
            f"{path_text(path)}: permission denied: run as the store's owner or root",
            "permission-denied",
        )
    code = "tree-too-deep" if error.errno == errno.ENAMETOOLONG else "unreadable"
    return LayerError(f"{path_text(path)}: {reason_of(error)}", code)


def _read(descriptor: int, path: bytes) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        raise _closed(path, error) from error


def _paired(
    ours: Iterator[TreeEntry], theirs: Iterator[TreeEntry]
) -> Iterator[tuple[TreeEntry | None, TreeEntry | None]]:
    """Two walks side by side; below what one of them alone has, the other is not asked."""
    left, right = next(ours, None), next(theirs, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _order(left) < _order(right)):
            yield left, None
            left = next(ours, None)
        elif left is None or _order(right) < _order(left):
            yield None, right
            gone, right = right, next(theirs, None)
            # a whiteout hides all below it
            while right is not None and right.path.startswith(gone.path + b"/"):
                right = next(theirs, None)
        else:
            yield left, right
            if right.is_folder and not left.is_folder:
                gone, right = right, next(theirs, None)
                while right is not None and right.path.startswith(gone.path + b"/"):
                    right = next(theirs, None)
            else:
                right = next(theirs, None)
            left = next(ours, None)


def _order(node: TreeEntry) -> list[bytes]:
    return node.path.split(b"/")


def _unchanged(ours: TreeEntry, theirs: TreeEntry) -> bool:
    """What stores of whole trees take for unchanged when they make a layer's tar."""
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


def _whiteout(path: bytes, mtime_ns: int) -> Member:
    folder, _, name = path.rpartition(b"/")
    return _marker((folder + b"/" if folder else b"") + b".wh." + name, mtime_ns)


def _marker(name: bytes, mtime_ns: int) -> Member:
    """An empty file that says something by its name, as a tar has it."""
    return Member(name, b"0", 0, 0, 0, 0, 0, 0, mtime_ns, b"", 0, 0, None, EMPTY_HASH)


def _inside(outside: int, ranges: tuple[IdRange, ...]) -> int:
    for each in ranges:
        if each.outside <= outside < each.outside + each.count:
            return each.inside + outside - each.outside
    return outside


def _overridden(
    text: bytes, known: tuple[int, int, int, int, int]
) -> tuple[int, int, int, int, int]:
    """``uid:gid:octal mode[:type[-major-minor]]``, where it can be read so.

    A type is believed of regular files, which stand for what the store may not make.
    """
    kinds = {
        b"pipe": stat.S_IFIFO,
        b"socket": stat.S_IFSOCK,
        b"block": stat.S_IFBLK,
        b"char": stat.S_IFCHR,
    }
    owner, group, mode, *rest = (*text.rstrip(b"\0").split(b":"), b"", b"", b"")
    named, *numbers = rest[0].split(b"-")
    kind, device = known[3:]
    try:
        if kind == stat.S_IFREG and named in kinds:
            kind = kinds[named]
            device = os.makedev(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else device
        return int(owner), int(group), int(mode, 8) & 0o7777, kind, device
    except (ValueError, OverflowError):
        return known


def _sees_trusted() -> bool:
    """Whether ``trusted.*`` attributes are shown to us: without the capability none are."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"CapEff:"):
                    return bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)
    except OSError:
        pass
    return False
