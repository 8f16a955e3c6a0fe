"""Layouts: OCI's in a folder or in one tar, and the folder that skopeo's dir: transport writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from builders.compression import compress
from builders.images import Image, digest_of, full_name, json_of, split_name
from builders.media_types import (
    CACHE_CONFIG,
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    EMPTY,
    FOREIGN,
    INDEX,
    LAYER,
    MANIFEST,
)
from builders.members import Member, file
from builders.tars import tar_of


@dataclass
class Contents:
    """The blobs that a writer wrote, and the digests in them."""

    #: every blob by digest
    blobs: dict[str, bytes] = field(default_factory=dict)
    #: manifest digest of each image, by image ID
    manifests: dict[str, str] = field(default_factory=dict)
    #: digests of each image's layers as stored, by image ID
    layers: dict[str, list[str]] = field(default_factory=dict)
    #: the entries of index.json
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Store a blob; returns its descriptor."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def add_image(
        self, image: Image, compression: str | Sequence[str] = "gzip", docker: bool = False
    ) -> dict[str, Any]:
        """Store an image's layers, config and manifest; returns the manifest's descriptor."""
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

    def write(self, folder: Path) -> None:
        """Write a layout into a folder."""
        for member in self.members():
            target = folder / member.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(member.content)

    def add_cache(self, layers: Sequence[bytes], *, manifest: bool = False) -> dict[str, Any]:
        """Store a build cache as BuildKit exports it; returns the descriptor of its document.

        That is an index of layers, or a manifest, which newer versions write.
        """
        blobs = [self.add(compress(tar, "gzip"), LAYER + "+gzip") for tar in layers]
        records = {"layers": [{"blob": blob["digest"], "parent": -1} for blob in blobs]}
        config = self.add(json_of(records), CACHE_CONFIG)
        if manifest:
            return self.add(
                json_of(
                    {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs}
                ),
                MANIFEST,
            )
        return self.add(
            json_of({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*blobs, config]}), INDEX
        )


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

    ``compression`` is one for all layers, or one per position. ``annotation`` chooses where names
    are: "ref" (all of it in ref.name, as skopeo writes), "tag" (only the tag in ref.name), or
    "containerd" (io.containerd.image.name and the tag, as containerd and docker write).
    ``multi_platform`` puts all images into one index that has the names of the first. ``sparse``
    adds a platform that is not stored to that index, or to one index per image; ``attestation``
    adds a provenance manifest there. ``nested`` puts all entries into one more index.
    ``artifact`` adds a manifest that is not an image.
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
    """Write an OCI layout into a folder; options are those of ``oci_contents``."""
    contents = oci_contents(images, compression, **options)
    contents.write(folder)
    return contents


def write_oci_archive(
    path: Path,
    images: Sequence[Image],
    compression: str | Sequence[str] = "gzip",
    *,
    outer: str = "none",
    **options: Any,
) -> Contents:
    """Write an OCI layout into one tar: blobs, index.json, and oci-layout last."""
    contents = oci_contents(images, compression, **options)
    path.write_bytes(compress(tar_of(contents.members()), outer))
    return contents


def write_dir(
    folder: Path, image: Image, compression: str | Sequence[str] = "gzip", docker: bool = False
) -> Contents:
    """Write a folder as skopeo's dir: transport does."""
    contents = Contents()
    manifest = contents.add_image(image, compression, docker)["digest"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "version").write_bytes(b"Directory Transport Version: 1.1\n")
    for digest, blob in contents.blobs.items():
        (folder / ("manifest.json" if digest == manifest else digest[7:])).write_bytes(blob)
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
            return {reference: split_name(name)[1]}
        case "containerd":
            return {"io.containerd.image.name": full_name(name), reference: split_name(name)[1]}
    raise ValueError(f"unknown annotation: {style}")
