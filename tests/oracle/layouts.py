"""The blobs of an image layout in plain Python, and which image or artifact needs each.

It follows docs/measures.md: an image needs its layers, config, manifest and the indexes above it,
and the attestations of these indexes; every other manifest needs its own blobs.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REFERENCE = "org.opencontainers.image.ref.name"
ATTESTATION = "vnd.docker.reference.type"
IMAGE_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
LAYER_TYPES = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.diff.")
CACHE = "application/vnd.buildkit.cacheconfig."


@dataclass
class LayoutBlobs:
    """What a layout holds."""

    #: blob -> its size
    sizes: dict[str, int] = field(default_factory=dict)
    #: blob -> image IDs and manifest digests
    holders: dict[str, set[str]] = field(default_factory=dict)
    #: image ID or manifest digest -> its names
    names: dict[str, set[str]] = field(default_factory=dict)
    #: manifest digest of an image -> image ID
    images: dict[str, str] = field(default_factory=dict)
    #: manifest digest of what is not an image -> the manifest that it is about
    subjects: dict[str, str] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, tuple[int, frozenset[str]]]:
        """The blobs that something needs, as the units of ``oracle.stores``."""
        return {
            blob: (self.sizes[blob], frozenset(holders)) for blob, holders in self.holders.items()
        }

    @property
    def orphan_bytes(self) -> int:
        """Bytes of the blobs that nothing needs."""
        return sum(size for blob, size in self.sizes.items() if blob not in self.holders)

    def names_of(self, holder: str) -> set[str]:
        """Its names, else those of the image that it is about."""
        about = self.images.get(self.subjects.get(holder, ""), "")
        return self.names[holder] or self.names.get(about, set())


def layout_blobs(folder: Path) -> LayoutBlobs:
    """Read a layout."""
    found = LayoutBlobs()
    for path in (folder / "blobs").rglob("*"):
        if path.is_file():
            found.sizes[f"{path.parent.name}:{path.name}"] = path.stat().st_size
    for entry in json.loads((folder / "index.json").read_text())["manifests"]:
        name = entry.get("annotations", {}).get(REFERENCE)
        _follow(folder, found, entry, {name} if name else set(), [])
    return found


def _follow(
    folder: Path,
    found: LayoutBlobs,
    entry: dict[str, Any],
    names: set[str],
    above: list[dict[str, Any]],
) -> None:
    document = _read(folder, entry["digest"])
    blobs = {entry["digest"], *_blobs_of(document)}
    if "manifests" in document and not any(CACHE in one["mediaType"] for one in _entries(document)):
        for child in _entries(document):
            _follow(folder, found, child, names, [*above, entry])
        return
    if _is_image(document) and ATTESTATION not in entry.get("annotations", {}):
        holders = {document["config"]["digest"]}
        found.images[entry["digest"]] = document["config"]["digest"]
        blobs.update(index["digest"] for index in above)
    else:
        beside = _images_in(folder, above) if ATTESTATION in entry.get("annotations", {}) else set()
        holders = beside or {entry["digest"]}
        if "subject" in document:
            found.subjects[entry["digest"]] = document["subject"]["digest"]
    for holder in holders:
        found.names.setdefault(holder, set()).update(names)
    for blob in blobs:
        found.holders.setdefault(blob, set()).update(holders)


def _images_in(folder: Path, indexes: list[dict[str, Any]]) -> set[str]:
    found = set()
    for index in indexes:
        for entry in _entries(_read(folder, index["digest"])):
            document = _read(folder, entry["digest"])
            if _is_image(document) and ATTESTATION not in entry.get("annotations", {}):
                found.add(document["config"]["digest"])
    return found


def _blobs_of(document: dict[str, Any]) -> Iterator[str]:
    for one in (document.get("config"), *document.get("layers", ()), *_entries(document)):
        if one is not None:
            yield one["digest"]


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = document.get("manifests", [])
    return entries


def _is_image(document: dict[str, Any]) -> bool:
    layers = document.get("layers", ())
    return (
        "artifactType" not in document
        and document.get("config", {}).get("mediaType") in IMAGE_CONFIGS
        and all(one["mediaType"].startswith(LAYER_TYPES) for one in layers)
    )


def _read(folder: Path, digest: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "blobs" / digest.replace(":", "/")).read_text())
    return document
