"""The storage of a registry, as docker-registry 2.8 lays it out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builders.images import Image, digest_of, json_of
from builders.layouts import Contents
from builders.media_types import DOCKER_INDEX, INDEX, MANIFEST


class RegistryStore:
    """A store below ``root``; each method writes what a push of such an object leaves on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.v2 = root / "docker" / "registry" / "v2"
        (self.v2 / "blobs").mkdir(parents=True)
        (self.v2 / "repositories").mkdir()

    def data(self, digest: str) -> Path:
        """The file of a blob."""
        algorithm, encoded = digest.split(":")
        return self.v2 / "blobs" / algorithm / encoded[:2] / encoded / "data"

    def link(self, repository: str, *below: str, text: str) -> Path:
        """Write a link in a repository; returns its file."""
        path = self.v2.joinpath("repositories", repository, *below, "link")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def blob(self, data: bytes) -> str:
        """Write a blob that nothing links to; returns its digest."""
        digest = digest_of(data)
        self.data(digest).parent.mkdir(parents=True, exist_ok=True)
        self.data(digest).write_bytes(data)
        return digest

    def tag(self, repository: str, tag: str, digest: str) -> None:
        """Point a tag at a manifest."""
        self.link(repository, "_manifests", "tags", tag, "current", text=digest)
        self.link(repository, "_manifests", "tags", tag, "index", *digest.split(":"), text=digest)

    def revision(self, repository: str, digest: str) -> Path:
        """Link a manifest to a repository; returns the file of the link."""
        return self.link(repository, "_manifests", "revisions", *digest.split(":"), text=digest)

    def document(self, repository: str, document: bytes, *tags: str) -> str:
        """Write a manifest or an index, and its blob; returns its digest."""
        digest = self.blob(document)
        self.revision(repository, digest)
        for tag in tags:
            self.tag(repository, tag, digest)
        return digest

    def image(
        self, repository: str, image: Image, *tags: str, compression: str = "gzip"
    ) -> dict[str, Any]:
        """Write an image with its blobs; returns the descriptor of its manifest."""
        contents = Contents()
        descriptor = contents.add_image(image, compression)
        for data in contents.blobs.values():
            digest = self.blob(data)
            if digest != descriptor["digest"]:
                self.link(repository, "_layers", *digest.split(":"), text=digest)
        self.document(repository, contents.blobs[descriptor["digest"]], *tags)
        return descriptor | {"platform": image.platform_document}

    def index(
        self, repository: str, entries: Sequence[dict[str, Any]], *tags: str, docker: bool = False
    ) -> dict[str, Any]:
        """Write an index of these entries; returns its descriptor."""
        kind = DOCKER_INDEX if docker else INDEX
        document = {"schemaVersion": 2, "mediaType": kind, "manifests": list(entries)}
        data = json_of(document)
        digest = self.document(repository, data, *tags)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def attestation(self, repository: str, subject: str) -> dict[str, Any]:
        """Write an attestation as buildx pushes it; returns its entry in an index."""
        statement = json_of({"_type": "https://in-toto.io/Statement/v0.1", "subject": subject})
        config = json_of({"architecture": "unknown", "os": "unknown", "rootfs": {"diff_ids": []}})
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.blob(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.in-toto+json",
                    "digest": self.blob(statement),
                    "size": len(statement),
                }
            ],
        }
        data = json_of(manifest)
        return {
            "mediaType": MANIFEST,
            "digest": self.document(repository, data),
            "size": len(data),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": subject,
            },
        }

    def upload(self, repository: str, data: bytes) -> None:
        """Write an unfinished push."""
        folder = self.v2 / "repositories" / repository / "_uploads" / "0b5a2c3e"
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(data)
        (folder / "startedat").write_text("2026-01-02T03:04:05Z")

    def use_database(self) -> None:
        """Write the mark of GitLab's registry with a metadata database."""
        mark = self.v2.parent / "lockfiles" / "database-in-use"
        mark.parent.mkdir()
        mark.write_bytes(b"")

    def blob_bytes(self) -> int:
        """Bytes of all blobs, as ``find -name data`` sums them."""
        return sum(path.lstat().st_size for path in (self.v2 / "blobs").rglob("data"))

    def all_bytes(self) -> int:
        """Bytes of all files of the store."""
        return sum(path.lstat().st_size for path in self.v2.rglob("*") if path.is_file())
