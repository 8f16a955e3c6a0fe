"""A layer that is kept unpacked, walked: the rows of its tar, as far as a folder shows them.

How a folder marks what it hides of the layers below depends on the store (``TreeRef.whiteouts``):

    store     the folder has                              the layer gets
    kernel    a character device 0:0                      a whiteout of its path
              an empty file with xattr whiteout           a whiteout of its path
              a directory with xattr opaque = y           the directory, then an opaque mark in it
              a file with xattr metacopy                  the file without content, flagged
              any entry with xattr redirect               the entry, flagged
    AUFS      a character device 0:0                      a whiteout of its path
              a name that begins with .wh.                what a tar has under that name
    none      an entry that the tree below lacks,         the entry
              or has otherwise
              no entry for a path of the tree below       a whiteout of that path

Names of xattrs follow ``trusted.overlay.`` or ``user.overlay.``. "AUFS" is the form of
fuse-overlayfs too, which writes devices if it may. Stores without marks keep whole trees.

Source: Documentation/filesystems/overlayfs.rst; containers/storage, fuse-overlayfs(1).
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from dedupe.errors import LayerError, reason_of
from dedupe.formats.content import Content
from dedupe.formats.tar import EMPTY_HASH, Member
from dedupe.host.trees import TreeEntry, open_folder, walk_tree
from dedupe.layers.batches import MAX_TAR_BYTES, too_large
from dedupe.layers.difference import is_unchanged, paired
from dedupe.model.images import IdRange, TreeRef, Whiteouts
from dedupe.model.paths import path_text

_PIECE = 1 << 20
_OVERLAY = (b"trusted.overlay.", b"user.overlay.")
#: xattrs in which stores keep their own marks; they are never of an image
_OF_STORES = (*_OVERLAY, b"user.fuseoverlayfs.")
#: xattrs with the real owner and mode, for stores that may not set them
_OVERRIDES = (
    b"user.containers.override_stat",
    b"user.fuseoverlayfs.override_stat",
    b"security.fuseoverlayfs.override_stat",
)
#: xattrs of the host, never of an image
_HOST = (b"security.selinux",)
_CAP_SYS_ADMIN = 21
#: errno values when an entry was deleted or replaced after its directory was listed
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.ENXIO)

_TYPEFLAGS = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
    # tar has no type for sockets, and nothing listens on one in a new container
    stat.S_IFSOCK: b"s",
}


@dataclass(frozen=True, slots=True)
class TreeMember:
    """An entry of the folder as a member of a tar; for ``flag`` and ``literal`` see add_entry."""

    member: Member
    flag: str | None = None
    literal: bool = False


@dataclass(slots=True)
class WalkNotes:
    """What a walk found out besides the entries."""

    #: bytes that the file system allocates to the folder
    allocated_bytes: int = 0
    #: code -> how often, and an example
    by_code: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, code: str, path: bytes) -> None:
        """Count one more path with this code."""
        count, example = self.by_code.get(code, (0, path_text(path)))
        self.by_code[code] = (count + 1, example)


def members_of(
    ref: TreeRef, advance: Callable[[int], None], notes: WalkNotes, *, listed: bool = False
) -> Iterator[TreeMember]:
    """The folder's entries as members of a tar, parents first, sorted by name.

    With ``listed``, no file is opened, and files have no content hash but for empty ones.
    Raises SourceError if the folder cannot be opened, and LayerError ``permission-denied``,
    ``unreadable`` or ``tree-too-deep`` if an entry cannot be read: incomplete rows must not stand
    for the layer.
    """
    root = open_folder(ref.root, ref.parts)
    try:
        notes.allocated_bytes += os.fstat(root).st_blocks * 512
        if ref.whiteouts is Whiteouts.KERNEL and not _sees_trusted():
            notes.add("xattrs-unseen", b"/".join(os.fsencode(part) for part in ref.parts))
        yield from _TreeWalk(ref, advance, notes, listed=listed).members(root)
    finally:
        os.close(root)


class _TreeWalk:
    def __init__(
        self, ref: TreeRef, advance: Callable[[int], None], notes: WalkNotes, *, listed: bool
    ) -> None:
        self._ref = ref
        self._listed = listed
        self._advance = advance
        self._notes = notes
        #: inodes of several names -> the first of them
        self._first_names: dict[tuple[int, int], bytes] = {}

    def members(self, root: int) -> Iterator[TreeMember]:
        failed: list[tuple[bytes, OSError]] = []
        nodes = self._counted(walk_tree(root, failed))
        if self._ref.below is not None:
            yield from self._differences(nodes)
        else:
            for node in nodes:
                yield from self._entries(node)
        for path, error in failed:
            if error.errno not in _GONE:
                raise _unreadable(path, error)
            self._notes.add("vanished", path)

    def _counted(self, nodes: Iterator[TreeEntry]) -> Iterator[TreeEntry]:
        """The nodes, while their allocated bytes are added up, once per inode."""
        seen: set[tuple[int, int]] = set()
        for node in nodes:
            status = node.status
            inode = (status.st_dev, status.st_ino)
            if inode not in seen:
                self._notes.allocated_bytes += status.st_blocks * 512
                if status.st_nlink > 1 and not node.is_folder:
                    seen.add(inode)
            yield node

    def _differences(self, nodes: Iterator[TreeEntry]) -> Iterator[TreeMember]:
        """Entries that differ from the tree below, and whiteouts for those that only it has."""
        below = open_folder(self._ref.root, self._ref.below or ())
        failed: list[tuple[bytes, OSError]] = []
        # unchanged folders around the current path: a tar has them only if a change is in them
        unchanged: list[tuple[bytes, list[TreeMember]]] = []
        try:
            for ours, theirs in paired(nodes, walk_tree(below, failed)):
                path = ours.path if ours is not None else theirs.path if theirs is not None else b""
                while unchanged and not path.startswith(unchanged[-1][0] + b"/"):
                    unchanged.pop()
                if ours is not None and theirs is not None and is_unchanged(ours, theirs):
                    if ours.is_folder:
                        unchanged.append((path, list(self._entries(ours))))
                    continue
                for _, folder in unchanged:
                    yield from folder
                unchanged.clear()
                if ours is not None:
                    yield from self._entries(ours)
                elif theirs is not None:
                    yield TreeMember(_whiteout(path, theirs.status.st_mtime_ns))
        finally:
            os.close(below)
        # entries that cannot be read below would be taken for the layer's own
        for path, error in failed:
            raise _unreadable(path, error)

    def _entries(self, node: TreeEntry) -> Iterator[TreeMember]:
        """What the layer gets for this node; the table at the top of this module has the rules."""
        status = node.status
        if (
            self._ref.whiteouts is not Whiteouts.NONE
            and stat.S_ISCHR(status.st_mode)
            and status.st_rdev == 0
        ):
            yield TreeMember(_whiteout(node.path, status.st_mtime_ns))
            return
        xattrs = node.xattrs()
        empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
        if empty and self._overlay(xattrs, b"whiteout") is not None:
            yield TreeMember(_whiteout(node.path, status.st_mtime_ns))
            return
        entry = self._entry(node, xattrs)
        if entry is None:
            return
        yield entry
        if node.is_folder and self._overlay(xattrs, b"opaque") == b"y":
            yield TreeMember(_marker(node.path + b"/.wh..wh..opq", status.st_mtime_ns))

    def _entry(self, node: TreeEntry, xattrs: dict[bytes, bytes]) -> TreeMember | None:
        """The entry of a node that is not a whiteout; None if it was deleted meanwhile."""
        member = self._header(node, xattrs)
        literal = self._ref.whiteouts is not Whiteouts.AUFS
        inode = (node.status.st_dev, node.status.st_ino)
        first = self._first_names.get(inode)
        if first is not None:
            return TreeMember(replace(member, typeflag=b"1", linkname=first), None, literal)
        flag = None
        if member.typeflag == b"0" and self._overlay(xattrs, b"metacopy") is not None:
            flag = "overlay-metacopy"
        elif member.typeflag == b"0":
            content = self._hashed(node)
            if content is None:
                return None
            size, content_hash, zero_bytes = content
            member = replace(
                member,
                size=size,
                stored_size=size,
                content_hash=content_hash,
                zero_bytes=zero_bytes,
            )
        if self._overlay(xattrs, b"redirect") is not None and flag is None:
            flag = "overlay-redirect"
        if node.status.st_nlink > 1 and not node.is_folder:
            self._first_names[inode] = node.path
        return TreeMember(member, flag, literal)

    def _header(self, node: TreeEntry, xattrs: dict[bytes, bytes]) -> Member:
        """The entry without its content, as the image has it: IDs, mode and xattrs of its own."""
        status = node.status
        owner = _Owner(
            uid=_inside(status.st_uid, self._ref.uids),
            gid=_inside(status.st_gid, self._ref.gids),
            mode=stat.S_IMODE(status.st_mode),
            kind=stat.S_IFMT(status.st_mode),
            device=status.st_rdev,
        )
        override = next((xattrs[name] for name in _OVERRIDES if name in xattrs), None)
        if override is not None:
            owner = _overridden(override, owner)
        link = b""
        if stat.S_ISLNK(status.st_mode):
            try:
                link = node.target()
            except OSError:
                self._notes.add("vanished", node.path)
        kept = {
            name: value
            for name, value in xattrs.items()
            if not name.startswith(_OF_STORES) and name not in _OVERRIDES and name not in _HOST
        }
        return Member(
            name=node.path,
            typeflag=_TYPEFLAGS.get(owner.kind, b"?"),
            size=0,
            stored_size=0,
            offset=0,
            mode=owner.mode,
            uid=owner.uid,
            gid=owner.gid,
            mtime_ns=status.st_mtime_ns,
            linkname=link,
            devmajor=os.major(owner.device),
            devminor=os.minor(owner.device),
            xattrs=kept or None,
            content_hash=None,
        )

    def _hashed(self, node: TreeEntry) -> tuple[int, bytes | None, int | None] | None:
        """Size, content hash and bytes of zeros as read; None if the file was deleted meanwhile."""
        if node.status.st_size == 0:
            return 0, EMPTY_HASH, None
        # a sparse file of any size costs its maker nothing
        if node.status.st_size > MAX_TAR_BYTES:
            raise too_large()
        if self._listed:
            return node.status.st_size, None, None
        try:
            descriptor = node.open()
        except OSError as error:
            if error.errno not in _GONE:
                raise _unreadable(node.path, error) from error
            self._notes.add("vanished", node.path)
            return None
        content, size = Content(), 0
        try:
            while piece := _read(descriptor, node.path):
                content.add(memoryview(piece))
                size += len(piece)
                self._advance(len(piece))
                # reading a file that grows as fast as it is read would not end
                if size > node.status.st_size + _PIECE:
                    break
        finally:
            os.close(descriptor)
        if size != node.status.st_size:
            self._notes.add("changed-while-read", node.path)
        return size, content.digest(), content.zero_bytes()

    def _overlay(self, xattrs: dict[bytes, bytes], name: bytes) -> bytes | None:
        """Value of an xattr of overlayfs; None if it is missing or means nothing in this store."""
        if self._ref.whiteouts is not Whiteouts.KERNEL:
            return None
        return next((xattrs[prefix + name] for prefix in _OVERLAY if prefix + name in xattrs), None)


@dataclass(frozen=True, slots=True)
class _Owner:
    """What an override xattr of a store can replace."""

    uid: int
    gid: int
    #: permission bits
    mode: int
    #: file type, as ``stat.S_IFMT`` gives it
    kind: int
    device: int


def _unreadable(path: bytes, error: OSError) -> LayerError:
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
        raise _unreadable(path, error) from error


def _whiteout(path: bytes, mtime_ns: int) -> Member:
    folder, _, name = path.rpartition(b"/")
    return _marker((folder + b"/" if folder else b"") + b".wh." + name, mtime_ns)


def _marker(name: bytes, mtime_ns: int) -> Member:
    """An empty file whose name is a mark, as a tar has it."""
    return Member(name, b"0", 0, 0, 0, 0, 0, 0, mtime_ns, b"", 0, 0, None, EMPTY_HASH)


def _inside(outside: int, ranges: tuple[IdRange, ...]) -> int:
    for each in ranges:
        if each.outside <= outside < each.outside + each.count:
            return each.inside + outside - each.outside
    return outside


def _overridden(text: bytes, known: _Owner) -> _Owner:
    """Owner by ``uid:gid:octal mode[:type[-major-minor]]``, or as known if the text is different.

    The type counts for regular files only: they stand for what the store may not make.
    """
    kinds = {
        b"pipe": stat.S_IFIFO,
        b"socket": stat.S_IFSOCK,
        b"block": stat.S_IFBLK,
        b"char": stat.S_IFCHR,
    }
    uid, gid, mode, *rest = (*text.rstrip(b"\0").split(b":"), b"", b"", b"")
    type_name, *numbers = rest[0].split(b"-")
    kind, device = known.kind, known.device
    try:
        if kind == stat.S_IFREG and type_name in kinds:
            kind = kinds[type_name]
            device = os.makedev(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else device
        return _Owner(int(uid), int(gid), int(mode, 8) & 0o7777, kind, device)
    except (ValueError, OverflowError):
        return known


def _sees_trusted() -> bool:
    """Whether this process can see ``trusted.*`` xattrs, which takes CAP_SYS_ADMIN."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"CapEff:"):
                    return bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)
    except OSError:
        pass
    return False
