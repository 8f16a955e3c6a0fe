"""Writers of real images: layer tars from members, images from layers, stores from images.

Nothing here imports dedupe, so that a test's input never depends on the code under test. Every
writer is deterministic: the same arguments give the same bytes, hence the same digests.

Members -> ``tar_of`` -> ``Image`` -> one of the writers, which returns the ``Contents`` that it
wrote: the blobs and which manifest, config and layer digests they hold.
"""

import bz2
import hashlib
import json
import lzma
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backports import zstd

BLOCK = 512
#: tar type flags of the kinds that have an entry of their own
_FLAGS = {"f": b"0", "h": b"1", "s": b"2", "c": b"3", "b": b"4", "d": b"5", "p": b"6"}

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
CREATED = "2024-01-02T03:04:05Z"


# Members


@dataclass(frozen=True, repr=False)
class Member:
    """One tar member: what it means (path, kind), and how it is spelt (name, records).

    ``path`` is the cleaned path, of a whiteout the path that it hides, of an opaque mark the
    directory; bytes that are no UTF-8 stand in it as surrogates (``os.fsdecode``).
    """

    path: str
    #: f file, d directory, s symlink, h hard link, w whiteout, o opaque directory, c b p devices
    kind: str
    content: bytes = b""
    target: str = ""
    mode: int = 0o644
    #: whole seconds, and the nanoseconds above them
    mtime: int = 1
    nanos: int = 0
    uid: int = 0
    gid: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    device: tuple[int, int] = (0, 0)
    #: the name as the tar spells it, where that is not the path
    name: bytes | None = None
    #: the type flag as the tar spells it, where that is not the kind's
    flag: bytes | None = None
    #: the size that the header claims, where that is not the content's
    size: int | None = None
    #: further pax records, written before this member
    records: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        """The call that makes this member, without what it leaves at the default."""
        makers = {
            "f": file,
            "d": directory,
            "s": symlink,
            "h": hardlink,
            "w": whiteout,
            "o": opaque,
        }
        made, arguments = Member(self.path, self.kind), [repr(self.path)]
        if maker := makers.get(self.kind):
            made = maker(self.path, self.target) if self.kind in "sh" else maker(self.path)
            arguments += [repr(self.target)] * (self.kind in "sh")
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value != getattr(made, name):
                shown = {"mode": oct, "xattrs": lambda pairs: repr(dict(pairs))}.get(name, repr)
                arguments.append(f"{name}={shown(value)}")
        named = maker.__name__ if maker else f"Member<{self.kind}>"
        return f"{named}({', '.join(arguments)})"


Layer = tuple[Member, ...]


def file(
    path: str,
    content: bytes | str = b"",
    mode: int = 0o644,
    mtime: int = 1,
    uid: int = 0,
    gid: int = 0,
    xattrs: Mapping[str, bytes] | None = None,
    **spelling: Any,
) -> Member:
    """A regular file; ``spelling`` is any further field of Member."""
    data = content.encode() if isinstance(content, str) else content
    fields = {"mode": mode, "mtime": mtime, "uid": uid, "gid": gid, "xattrs": xattrs}
    return Member(path, "f", data, **_plain(fields | spelling))


def directory(path: str, mode: int = 0o755, mtime: int = 1, **fields: Any) -> Member:
    """A directory; ``fields`` as in ``file`` (uid, gid, xattrs, name and so on)."""
    return Member(path, "d", mode=mode, mtime=mtime, **_plain(fields))


def symlink(path: str, target: str, mode: int = 0o777, mtime: int = 1, **fields: Any) -> Member:
    """A symbolic link."""
    return Member(path, "s", target=target, mode=mode, mtime=mtime, **_plain(fields))


def hardlink(path: str, target: str, **fields: Any) -> Member:
    """A further name of the file at ``target``, a path from the root."""
    return Member(path, "h", target=target, **_plain(fields))


def whiteout(path: str, **fields: Any) -> Member:
    """The mark that hides ``path`` of the lower layers."""
    return Member(path, "w", **{"mode": 0, "mtime": 0, **_plain(fields)})


def opaque(path: str, **fields: Any) -> Member:
    """The mark that hides all that lower layers have below the directory ``path``."""
    return Member(path, "o", **{"mode": 0, "mtime": 0, **_plain(fields)})


def device(path: str, kind: str = "c", major: int = 1, minor: int = 3, **fields: Any) -> Member:
    """A character (c) or block (b) device, or a FIFO (p)."""
    return Member(path, kind, device=(major, minor), **_plain(fields))


def raw(name: bytes, flag: bytes = b"0", content: bytes = b"", **fields: Any) -> Member:
    """A member with exactly this name and type flag, for what no tool should have written."""
    path = name.decode("utf-8", "surrogateescape").strip("/")
    return Member(path, "raw", content, name=name, flag=flag, **_plain(fields))


def global_header(**records: bytes) -> Member:
    """A PAX global header of these records, named as ``git archive`` names it."""
    body = b"".join(pax_record(key, value) for key, value in records.items())
    return raw(b"pax_global_header", b"g", body)


def members_of_case(case: Iterable[Sequence[Any]]) -> Layer:
    """The members of a layer in cases/*.json: [path, kind, content or target, mode, mtime]."""
    layer = []
    for path, kind, text, mode, mtime in case:
        content, target = (text.encode(), "") if kind == "f" else (b"", text)
        layer.append(Member(path, kind, content, target, mode, mtime))
    return tuple(layer)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Mappings as pairs, since members are hashed; xattrs sorted, records in their order."""
    pairs = {
        "xattrs": tuple(sorted(dict(fields.get("xattrs") or {}).items())),
        "records": tuple(dict(fields.get("records") or {}).items()),
    }
    return fields | pairs


# Tar


def tar_of(
    members: Iterable[Member], *, dialect: str = "pax", trailer: int = 2, pad: int = 0
) -> bytes:
    """The members as a tar, in their order, with nothing added, merged or checked.

    ``dialect`` says how what overflows the ustar header is spelt: "pax" records, or "gnu" long
    names and base-256 numbers. Xattrs and nanoseconds are pax records in both. ``trailer`` is
    the number of zero blocks at the end; ``pad`` the multiple of bytes that the tar is filled to.
    """
    out = bytearray()
    for member in members:
        out += _spelt(member, dialect)
    out += bytes(BLOCK * trailer)
    if pad:
        out += bytes(-len(out) % pad)
    return bytes(out)


def _spelt(member: Member, dialect: str) -> bytes:
    name, link = _name(member), _encoded(member.target)
    flag = member.flag or _FLAGS.get(member.kind, b"0")
    size = len(member.content) if member.size is None else member.size
    numbers = {"uid": member.uid, "gid": member.gid, "size": size, "mtime": member.mtime}
    records = list(member.records)
    records += [(f"SCHILY.xattr.{key}", value) for key, value in member.xattrs]
    before = b""
    if member.nanos:
        total = member.mtime * 10**9 + member.nanos
        sign, seconds, nanos = "-" if total < 0 else "", *divmod(abs(total), 10**9)
        records.append(("mtime", f"{sign}{seconds}.{nanos:09}".encode()))
    if dialect == "gnu":
        for long, kind in ((link, b"K"), (name, b"L")):
            if len(long) > 100:
                before += _header(b"././@LongLink", b"", kind, 0, {"size": len(long) + 1}, (0, 0))
                before += _blocks(long + b"\0")
    else:
        if len(name) > 100:
            records.append(("path", name))
        if len(link) > 100:
            records.append(("linkpath", link))
        for key, value in numbers.items():
            if not 0 <= value < 8 ** (7 if key in {"uid", "gid"} else 11):
                numbers[key] = 0
                if key != "mtime" or not member.nanos:
                    records.append((key, str(value).encode()))
    if records:
        body = b"".join(pax_record(key, value) for key, value in records)
        before += _header(
            b"PaxHeaders/" + name[-80:], b"", b"x", 0o644, {"size": len(body)}, (0, 0)
        )
        before += _blocks(body)
    header = _header(name, link, flag, member.mode, numbers, member.device)
    return before + header + _blocks(member.content)


def _name(member: Member) -> bytes:
    if member.name is not None:
        return member.name
    path = _encoded(member.path)
    if member.kind == "d":
        return path + b"/" if path else b"./"
    if member.kind == "o":
        return (path + b"/" if path else b"") + b".wh..wh..opq"
    if member.kind == "w":
        above, slash, last = path.rpartition(b"/")
        return above + slash + b".wh." + last
    return path


def _header(
    name: bytes,
    link: bytes,
    flag: bytes,
    mode: int,
    numbers: Mapping[str, int],
    node: tuple[int, int],
) -> bytes:
    fields = [
        name[:100].ljust(100, b"\0"),
        _number(mode, 8),
        _number(numbers.get("uid", 0), 8),
        _number(numbers.get("gid", 0), 8),
        _number(numbers.get("size", 0), 12),
        _number(numbers.get("mtime", 0), 12),
        b" " * 8,
        flag,
        link[:100].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        _number(node[0], 8),
        _number(node[1], 8),
    ]
    block = bytearray(b"".join(fields).ljust(BLOCK, b"\0"))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _number(value: int, width: int) -> bytes:
    """Octal digits, or base-256 where they do not hold the number."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    spelt = bytearray(value.to_bytes(width, "big", signed=True))
    spelt[0] |= 0x80
    return bytes(spelt)


def pax_record(key: str, value: bytes) -> bytes:
    """One pax record, whose leading length counts itself."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# Compression


def compress(data: bytes, how: str = "gzip") -> bytes:
    """The data under one compression, the same bytes each time.

    gzip, zstd, xz, bzip2, none; "gzip-members" is many members in a row, "zstd-frames" many
    frames with skippable ones before, between and after them.
    """
    match how:
        case "none":
            return data
        case "gzip":
            packer = zlib.compressobj(6, zlib.DEFLATED, 31)
            return packer.compress(data) + packer.flush()
        case "gzip-members":
            return b"".join(compress(part, "gzip") for part in _parts(data))
        case "zstd":
            return zstd.compress(data)
        case "zstd-frames":
            skips = [(0x184D2A50 + n).to_bytes(4, "little") + b"\4\0\0\0skip" for n in (0, 7, 15)]
            frames = [zstd.compress(part) + skips[n % 3] for n, part in enumerate(_parts(data))]
            return skips[2] + b"".join(frames)
        case "xz":
            return lzma.compress(data)
        case "bzip2":
            return bz2.compress(data)
    raise ValueError(f"unknown compression: {how}")


def _parts(data: bytes, count: int = 3) -> list[bytes]:
    step = max(1, -(-len(data) // count))
    return [data[at : at + step] for at in range(0, len(data), step)] or [b""]


# Images


@dataclass(frozen=True)
class Image:
    """One platform's image: layer tars, and what its config says of them."""

    layers: Sequence[bytes]
    names: Sequence[str] = ()
    platform: str = "linux/amd64"
    #: a created_by a layer, with ``empty_step`` for steps without one; None leaves it out
    history: Sequence[str | dict[str, Any]] | None = None
    created: str = CREATED
    #: the config's "config" object: tells images of the same layers apart
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: what the config claims, where that is not the truth
    claimed_diff_ids: Sequence[str] | None = None
    #: positions of foreign layers, whose blob is not stored
    foreign: frozenset[int] = frozenset()
    #: positions of encrypted layers, whose blob cannot be read
    encrypted: frozenset[int] = frozenset()

    @property
    def diff_ids(self) -> list[str]:
        """SHA-256 of each layer tar."""
        return [digest_of(layer) for layer in self.layers]

    @property
    def chain_ids(self) -> list[str]:
        """Identity of each layer in its place."""
        chain: list[str] = []
        for diff in self.diff_ids:
            chain.append(digest_of(f"{chain[-1]} {diff}".encode()) if chain else diff)
        return chain

    @property
    def config(self) -> bytes:
        """The config document."""
        system, architecture, *variant = self.platform.split("/")
        document: dict[str, Any] = {
            "created": self.created,
            "architecture": architecture,
            "os": system,
            "config": dict(self.settings),
            "rootfs": {
                "type": "layers",
                "diff_ids": list(self.claimed_diff_ids or self.diff_ids),
            },
        }
        if variant:
            document["variant"] = variant[0]
        if self.history is not None:
            document["history"] = [
                {"created": self.created, "created_by": step} if isinstance(step, str) else step
                for step in self.history
            ]
        return json_of(document)

    @property
    def image_id(self) -> str:
        """SHA-256 of the config."""
        return digest_of(self.config)

    @property
    def platform_document(self) -> dict[str, str]:
        """The platform as index entries spell it."""
        parts = zip(("os", "architecture", "variant"), self.platform.split("/"), strict=False)
        return dict(parts)


def image(*layers: Iterable[Member] | bytes, names: Sequence[str] | str = (), **rest: Any) -> Image:
    """An image of layers given as members or as tars."""
    tars = [layer if isinstance(layer, bytes) else tar_of(layer) for layer in layers]
    return Image(tars, [names] if isinstance(names, str) else names, **rest)


def empty_step(created_by: str) -> dict[str, Any]:
    """A step of the history that made no layer."""
    return {"created": CREATED, "created_by": created_by, "empty_layer": True}


def digest_of(data: bytes) -> str:
    """The SHA-256 with its algorithm."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def json_of(document: Any) -> bytes:
    """The document as compact JSON."""
    return json.dumps(document, separators=(",", ":")).encode()


# Layouts


@dataclass
class Contents:
    """What a writer wrote."""

    #: every blob by digest
    blobs: dict[str, bytes] = field(default_factory=dict)
    #: manifest digest of each image, by image ID
    manifests: dict[str, str] = field(default_factory=dict)
    #: digests of each image's layers as stored, by image ID
    layers: dict[str, list[str]] = field(default_factory=dict)
    #: the entries of index.json
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Store a blob; its descriptor."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def add_image(
        self, image: Image, compression: str | Sequence[str] = "gzip", docker: bool = False
    ) -> dict[str, Any]:
        """Store an image's layers, config and manifest; the descriptor of its manifest."""
        layers = []
        for position, tar in enumerate(image.layers):
            how = compression if isinstance(compression, str) else compression[position]
            layers.append(self._layer(image, position, tar, how, docker))
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else MANIFEST,
            "config": self.add(image.config, DOCKER_CONFIG if docker else CONFIG),
            "layers": layers,
        }
        descriptor = self.add(json_of(manifest), manifest["mediaType"])
        self.manifests[image.image_id] = descriptor["digest"]
        self.layers[image.image_id] = [layer["digest"] for layer in layers]
        return descriptor

    def _layer(
        self, image: Image, position: int, tar: bytes, how: str, docker: bool
    ) -> dict[str, Any]:
        kind = how.split("-")[0]
        suffix = "" if kind == "none" else f"+{kind}"
        media_type = LAYER + suffix
        if docker:
            media_type = DOCKER_LAYER + suffix.replace("+", ".")
        blob = compress(tar, how)
        if position in image.foreign:
            address = f"https://example.invalid/{digest_of(blob)}"
            return Contents().add(blob, FOREIGN + suffix, urls=[address])
        if position in image.encrypted:
            note = {"org.opencontainers.image.enc.pubopts": "e30="}
            cipher = bytes(byte ^ 0x5A for byte in blob)
            return self.add(cipher, media_type + "+encrypted", annotations=note)
        return self.add(blob, media_type)

    def members(self) -> list[Member]:
        """Blobs, index.json and oci-layout as members of an archive, in skopeo's order."""
        blobs = [
            file(f"blobs/{digest.replace(':', '/')}", data)
            for digest, data in sorted(self.blobs.items())
        ]
        return [*blobs, file("index.json", self.index), file("oci-layout", OCI_LAYOUT)]

    @property
    def index(self) -> bytes:
        """The document index.json."""
        return json_of({"schemaVersion": 2, "manifests": self.entries})


OCI_LAYOUT = json_of({"imageLayoutVersion": "1.0.0"})


def oci_contents(
    images: Sequence[Image],
    compression: str | Sequence[str] = "gzip",
    *,
    annotation: str = "ref",
    docker: bool = False,
    multi_platform: bool = False,
    nested: bool = False,
    attestation: bool = False,
    artifact: bool = False,
    sparse: bool = False,
) -> Contents:
    """The blobs and index of an OCI layout.

    ``compression`` is one for all, or one a position. ``annotation``: where names stand, "ref"
    (ref.name holds all of it, as skopeo writes), "tag" (ref.name holds the tag only),
    "containerd" (io.containerd.image.name and the tag, as containerd and docker write).
    ``multi_platform`` puts all images into one index that has the names of the first;
    ``sparse`` adds to it (or to an index of its own for each image) a platform that is not
    stored; ``attestation`` likewise a provenance manifest; ``nested`` puts all entries into
    one more index; ``artifact`` adds a manifest that is no image.
    """
    contents = Contents()
    groups = [list(images)] if multi_platform else [[one] for one in images]
    for group in groups:
        children = [
            contents.add_image(one, compression, docker) | {"platform": one.platform_document}
            for one in group
        ]
        if sparse:
            absent = Contents().add_image(replace(group[0], platform="linux/s390x"))
            children.append(absent | {"platform": {"os": "linux", "architecture": "s390x"}})
        if attestation:
            children += [
                _attestation(contents, child["digest"]) for child in children[: len(group)]
            ]
        entry = children[0]
        if multi_platform or sparse or attestation:
            index = {
                "schemaVersion": 2,
                "mediaType": DOCKER_INDEX if docker else INDEX,
                "manifests": children,
            }
            entry = contents.add(json_of(index), index["mediaType"])
        contents.entries += [
            entry | {"annotations": _annotations(name, annotation)} for name in group[0].names
        ] or [entry]
    if artifact:
        contents.entries.append(_artifact(contents))
    if nested:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": contents.entries}
        contents.entries = [contents.add(json_of(index), INDEX)]
    return contents


def write_oci_layout(
    folder: Path, images: Sequence[Image], compression: str | Sequence[str] = "gzip", **options: Any
) -> Contents:
    """An OCI layout in a folder; options as for ``oci_contents``."""
    contents = oci_contents(images, compression, **options)
    for member in contents.members():
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(member.content)
    return contents


def write_oci_archive(
    path: Path,
    images: Sequence[Image],
    compression: str | Sequence[str] = "gzip",
    *,
    outer: str = "none",
    **options: Any,
) -> Contents:
    """An OCI layout in one tar: blobs, index.json, and oci-layout last."""
    contents = oci_contents(images, compression, **options)
    path.write_bytes(compress(tar_of(contents.members()), outer))
    return contents


def _attestation(contents: Contents, subject: str) -> dict[str, Any]:
    statement = json_of({"_type": "https://in-toto.io/Statement/v0.1", "subject": subject})
    config = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(json_of(config), CONFIG),
        "layers": [contents.add(statement, "application/vnd.in-toto+json")],
    }
    return contents.add(
        json_of(manifest),
        MANIFEST,
        platform={"os": "unknown", "architecture": "unknown"},
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": subject,
        },
    )


def _artifact(contents: Contents) -> dict[str, Any]:
    title = {"org.opencontainers.image.title": "chart.tgz"}
    chart = compress(tar_of([file("chart/Chart.yaml", "name: chart")]), "gzip")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.cncf.helm.config.v1+json",
        "config": contents.add(b"{}", EMPTY),
        "layers": [
            contents.add(
                chart, "application/vnd.cncf.helm.chart.content.v1.tar+gzip", annotations=title
            )
        ],
    }
    return contents.add(json_of(manifest), MANIFEST, artifactType=manifest["artifactType"])


def _annotations(name: str, style: str) -> dict[str, str]:
    reference = "org.opencontainers.image.ref.name"
    match style:
        case "ref":
            return {reference: name}
        case "tag":
            return {reference: _split(name)[1]}
        case "containerd":
            return {"io.containerd.image.name": full_name(name), reference: _split(name)[1]}
    raise ValueError(f"unknown annotation: {style}")


def full_name(name: str) -> str:
    """The name with its registry, as containerd spells it."""
    first, slash, _ = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def _split(name: str) -> tuple[str, str]:
    """Repository and tag."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


# Docker archives


def write_docker_archive(
    path: Path,
    images: Sequence[Image],
    style: str = "docker20",
    *,
    outer: str = "none",
    inner: str = "none",
    link_first: bool = False,
) -> Contents:
    """One file as docker save, podman save or ctr export write it; the blobs that it holds.

    Styles: "docker20" (<v1id>/layer.tar; a layer met again is a symlink), "podman"
    (<diffid>.tar, with <v1id>/layer.tar as symlinks), "docker25" (OCI layout of plain layers
    with manifest.json), "containerd" (the same of gzip layers), "repositories-only" (docker
    before 1.10). ``inner`` compresses the layers of docker20 and podman inside their .tar;
    ``link_first`` puts every symlink before its target.
    """
    writers = {
        "docker20": _docker20,
        "podman": _podman,
        "docker25": _docker25,
        "containerd": _containerd,
        "repositories-only": _repositories_only,
    }
    contents, members = writers[style](images, inner)
    if link_first:
        members.sort(key=lambda member: member.kind != "s")
    path.write_bytes(compress(tar_of(members), outer))
    return contents


def _docker20(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents, made, listed = Contents(), {}, []
    first: dict[str, str] = {}
    for one in images:
        paths = []
        for v1, document, diff, tar in _v1_chain(contents, one, inner):
            made |= _v1_folder(v1, document)
            paths.append(f"{v1}/layer.tar")
            if first.setdefault(diff, v1) == v1:
                made[paths[-1]] = file(paths[-1], tar)
            else:
                made[paths[-1]] = symlink(paths[-1], f"../{first[diff]}/layer.tar")
        listed.append(_listed(one, f"{one.image_id[7:]}.json", paths))
        made[listed[-1]["Config"]] = file(listed[-1]["Config"], one.config)
    made["manifest.json"] = file("manifest.json", json_of(listed))
    made["repositories"] = file("repositories", json_of(_repositories(images)))
    return contents, [made[name] for name in sorted(made)]


def _podman(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents, made, listed = Contents(), {}, []
    for one in images:
        paths = []
        for v1, document, diff, tar in _v1_chain(contents, one, inner):
            paths.append(f"{diff[7:]}.tar")
            made.setdefault(paths[-1], file(paths[-1], tar))
            made |= _v1_folder(v1, document)
            made[f"{v1}/layer.tar"] = symlink(f"{v1}/layer.tar", f"../{paths[-1]}")
        listed.append(_listed(one, f"{one.image_id[7:]}.json", paths))
        made[listed[-1]["Config"]] = file(listed[-1]["Config"], one.config)
    made["repositories"] = file("repositories", json_of(_repositories(images)))
    made["manifest.json"] = file("manifest.json", json_of(listed))
    return contents, [member for member in made.values() if member.kind != "d"]


def _docker25(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents = oci_contents(images, "none", annotation="containerd")
    listed = []
    for one in images:
        layers = dict(zip(one.diff_ids, contents.layers[one.image_id], strict=True))
        sources = {
            diff: {"mediaType": LAYER, "digest": digest, "size": len(contents.blobs[digest])}
            for diff, digest in layers.items()
        }
        entry = _listed(one, _blob_path(one.image_id), [_blob_path(diff) for diff in one.diff_ids])
        listed.append(entry | {"LayerSources": sources})
        for _, document, _, _ in _v1_chain(Contents(), one, "none"):
            contents.add(document, "application/octet-stream")
    members = [directory("blobs"), directory("blobs/sha256"), *contents.members()]
    members.insert(-1, file("manifest.json", json_of(listed)))
    tops = {
        name: digest[7:]
        for one in images
        for name in one.names
        for digest in contents.layers[one.image_id][-1:]
    }
    members.append(file("repositories", json_of(_by_repository(tops))))
    return contents, members


def _containerd(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    how = "gzip" if inner == "none" else inner
    contents = oci_contents(images, how, annotation="containerd")
    listed = [
        _listed(
            one,
            _blob_path(one.image_id),
            [_blob_path(digest) for digest in contents.layers[one.image_id]],
        )
        for one in images
    ]
    members = [directory("blobs"), directory("blobs/sha256"), *contents.members()]
    members.insert(-1, file("manifest.json", json_of(listed)))
    return contents, members


def _repositories_only(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents, made = Contents(), {}
    for one in images:
        for v1, document, _, tar in _v1_chain(contents, one, inner):
            made |= _v1_folder(v1, document)
            made[f"{v1}/layer.tar"] = file(f"{v1}/layer.tar", tar)
    made["repositories"] = file("repositories", json_of(_repositories(images)))
    return contents, [made[name] for name in sorted(made)]


def _v1_chain(contents: Contents, one: Image, inner: str) -> list[tuple[str, bytes, str, bytes]]:
    """Of each layer: its v1 ID, v1 document, diff ID, and bytes as stored."""
    chain = []
    for position, v1 in enumerate(v1_ids(one)):
        last = position == len(one.layers) - 1
        document = {"id": v1, "created": one.created, "os": one.platform_document["os"]}
        if chain:
            document["parent"] = chain[-1][0]
        if last:
            document = json.loads(one.config) | document
            del document["rootfs"]
            document.pop("history", None)
        stored = compress(one.layers[position], inner)
        contents.add(stored, DOCKER_LAYER)
        contents.layers.setdefault(one.image_id, []).append(digest_of(stored))
        chain.append((v1, json_of(document), one.diff_ids[position], stored))
    return chain


def v1_ids(one: Image) -> list[str]:
    """The folder names of docker before 25: digests of nothing that can be checked."""
    ids = [digest_of(f"v1 {chain}".encode())[7:] for chain in one.chain_ids]
    if ids:
        ids[-1] = digest_of(f"v1 {one.chain_ids[-1]} {one.image_id}".encode())[7:]
    return ids


def _v1_folder(v1: str, document: bytes) -> dict[str, Member]:
    members = (directory(v1), file(f"{v1}/VERSION", "1.0"), file(f"{v1}/json", document))
    return {member.path: member for member in members}


def _listed(one: Image, config: str, layers: list[str]) -> dict[str, Any]:
    return {"Config": config, "RepoTags": list(one.names) or None, "Layers": layers}


def _repositories(images: Sequence[Image]) -> dict[str, dict[str, str]]:
    # an image without layers has no v1 layer to name
    tops = {name: v1 for one in images for name in one.names for v1 in v1_ids(one)[-1:]}
    return _by_repository(tops)


def _by_repository(tops: Mapping[str, str]) -> dict[str, dict[str, str]]:
    repositories: dict[str, dict[str, str]] = {}
    for name, top in tops.items():
        repository, tag = _split(name)
        repositories.setdefault(repository, {})[tag] = top
    return repositories


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


# The rest


def write_dir(
    folder: Path, image: Image, compression: str | Sequence[str] = "gzip", docker: bool = False
) -> Contents:
    """A folder as skopeo's dir: transport writes it."""
    contents = Contents()
    manifest = contents.add_image(image, compression, docker)["digest"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "version").write_bytes(b"Directory Transport Version: 1.1\n")
    for digest, blob in contents.blobs.items():
        (folder / ("manifest.json" if digest == manifest else digest[7:])).write_bytes(blob)
    return contents


def write_bare_tar(path: Path, tar: bytes, compression: str = "none") -> None:
    """One layer or root file system in a file, without any config."""
    path.write_bytes(compress(tar, compression))
