"""The store of docker with a graph driver, as dockerd lays it out."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from builders.bolt import write_bolt
from builders.images import Image, digest_of
from builders.tar_split import split_of

#: the tree of a folder, by driver
TREES = {
    "overlay2": "overlay2/{}/diff",
    "fuse-overlayfs": "fuse-overlayfs/{}/diff",
    "vfs": "vfs/dir/{}",
}


class DockerRoot:
    """A root with one graph driver."""

    def __init__(self, root: Path, driver: str = "overlay2") -> None:
        self.root = root
        self.driver = driver
        self.image = root / "image" / driver
        self.layerdb = self.image / "layerdb"
        for folder in ("containers", "volumes", TREES[driver].format("")):
            (root / folder.removesuffix("/diff")).mkdir(parents=True, exist_ok=True)
        self.names: dict[str, dict[str, str]] = {}
        self._write_names()

    def add(self, *images: Image) -> None:
        """Store these images: contents in folders, everything else in tar-split data."""
        for one in images:
            write(self.config(one), one.config)
            parents = [None, *one.chain_ids[:-1]]
            for tar, diff, chain, parent in zip(
                one.layers, one.diff_ids, one.chain_ids, parents, strict=True
            ):
                self.layer(tar, diff, chain, parent)
            for name in one.names:
                repository = name.partition("@")[0].rpartition(":" if "@" not in name else "@")[0]
                self.names.setdefault(repository or name.partition("@")[0], {})[name] = one.image_id
        self._write_names()

    def config(self, one: Image) -> Path:
        """The file of an image's config."""
        return self.image / "imagedb/content/sha256" / one.image_id.partition(":")[2]

    def parent(self, child: Image, parent: Image) -> None:
        """Record the image that a build of another one began with."""
        name = child.image_id.partition(":")[2]
        path = self.image / "imagedb/metadata/sha256" / name / "parent"
        write(path, parent.image_id.encode())

    def record(self, chain: str) -> Path:
        """The folder of docker's notes about a layer."""
        return self.layerdb / "sha256" / chain.partition(":")[2]

    def tree(self, chain: str) -> Path:
        """The folder that a layer is unpacked to."""
        return self.folder(folder_name(chain))

    def folder(self, name: str) -> Path:
        """The tree in a folder of the graph driver."""
        return self.root / TREES[self.driver].format(name)

    def layer(self, tar: bytes, diff: str, chain: str, parent: str | None) -> None:
        """Store one layer of a chain."""
        record = self.record(chain)
        notes = {"diff": diff, "size": str(len(tar)), "cache-id": folder_name(chain)}
        if parent:
            notes["parent"] = parent
        for name, text in notes.items():
            write(record / name, text.encode())
        write(record / "tar-split.json.gz", split_of(tar))
        unpack(tar, self.tree(chain))

    def container(self, container_id: str, one: Image, **config: Any) -> Path:
        """Add a container of an image; returns its writable folder."""
        mount = self.layerdb / "mounts" / container_id
        folder = folder_name("mount " + container_id)
        write(mount / "mount-id", folder.encode())
        write(mount / "init-id", f"{folder}-init".encode())
        write(mount / "parent", one.chain_ids[-1].encode())
        document = {
            "Name": "/" + config.pop("name", "busy"),
            "Image": one.image_id,
            "Config": {"Image": next(iter(one.names), one.image_id)},
            "State": {"Running": config.pop("running", False)},
            "Driver": self.driver,
            **config,
        }
        write(
            self.root / "containers" / container_id / "config.v2.json",
            json.dumps(document).encode(),
        )
        for name in (folder, f"{folder}-init"):
            self.folder(name).mkdir(parents=True)
        return self.folder(folder)

    def build_cache(self, snapshots: dict[str, dict[bytes, bytes]]) -> None:
        """Write the database of the build cache: a bucket for each snapshot, by its key."""
        database = self.root / "buildkit" / "snapshots.db"
        database.parent.mkdir()
        write_bolt(database, {key.encode(): dict(values) for key, values in snapshots.items()})

    def _write_names(self) -> None:
        write(self.image / "repositories.json", json.dumps({"Repositories": self.names}).encode())


def folder_name(text: str) -> str:
    """The name of a folder, which docker would choose at random."""
    return digest_of(text.encode()).partition(":")[2]


def unpack(tar: bytes, folder: Path) -> None:
    """Unpack the folders and regular files of a layer."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        for member in members:
            target = folder / member.name.lstrip("/")
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg() and not target.name.startswith(".wh."):
                content = members.extractfile(member)
                assert content is not None
                write(target, content.read())


def write(path: Path, data: bytes) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
