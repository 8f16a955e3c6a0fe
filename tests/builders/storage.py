"""The store of podman, buildah and CRI-O, as containers/storage lays it out."""

import base64
import json
from pathlib import Path
from typing import Any

from builders.docker import unpack, write
from builders.images import Image
from builders.tar_split import split_of


class ContainersStorage:
    """A root with one driver; ``write`` writes the records."""

    def __init__(self, root: Path, driver: str = "overlay") -> None:
        self.root = root
        self.driver = driver
        self.layers: dict[str, dict[str, Any]] = {}
        self.images: list[dict[str, Any]] = []
        self.containers: list[dict[str, Any]] = []

    def layer(self, layer_id: str, parent: str | None, tar: bytes) -> Path:
        """Store a layer, or a writable branch; returns the folder with its files."""
        record: dict[str, Any] = {"id": layer_id, "diff-size": len(tar)}
        if parent:
            record["parent"] = parent
        self.layers[layer_id] = record
        tree = self.root / self.driver / layer_id / "diff"
        unpack(tar, tree)
        write(self.root / f"{self.driver}-layers" / f"{layer_id}.tar-split.gz", split_of(tar))
        return tree

    def add(self, image: Image, **record: Any) -> None:
        """Store an image; ``record`` has more of its record in images.json."""
        parent = None
        for tar, chain in zip(image.layers, image.chain_ids, strict=True):
            layer_id = chain.partition(":")[2]
            if layer_id not in self.layers:
                self.layer(layer_id, parent, tar)
            parent = layer_id
        image_id = image.image_id.partition(":")[2]
        key = f"sha256:{image_id}"
        name = "=" + base64.b64encode(key.encode()).decode()
        write(self.root / f"{self.driver}-images" / image_id / name, image.config)
        self.images.append(
            {
                "id": image_id,
                "names": list(image.names),
                "layer": parent,
                "big-data-names": [key],
                **record,
            }
        )

    def container(self, container_id: str, image: Image, tar: bytes) -> None:
        """Add a container of an image, whose writable branch is the tar."""
        layer_id = container_id[::-1]
        self.layer(layer_id, image.chain_ids[-1].partition(":")[2], tar)
        self.containers.append(
            {
                "id": container_id,
                "names": ["busy"],
                "image": image.image_id.partition(":")[2],
                "layer": layer_id,
            }
        )

    def write(self) -> None:
        """Write the records."""
        for name, records in (
            ("layers", list(self.layers.values())),
            ("images", self.images),
            ("containers", self.containers),
        ):
            folder = self.root / f"{self.driver}-{name}"
            write(folder / f"{name}.json", json.dumps(records).encode())
