"""Images: layers and the config that describes them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builders.members import Member
from builders.tars import tar_of

CREATED = "2024-01-02T03:04:05Z"


@dataclass(frozen=True)
class Image:
    """The image of one platform: layer tars and the fields of its config."""

    layers: Sequence[bytes]
    names: Sequence[str] = ()
    platform: str = "linux/amd64"
    #: one created_by per layer, and ``empty_step`` for steps without a layer; None: no history
    history: Sequence[str | dict[str, Any]] | None = None
    created: str = CREATED
    #: the config's "config" object, to give images of the same layers different IDs
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: the diff IDs in the config, if they are not the real ones
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
        """Identity of each layer on those below it."""
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
        """The platform as entries of an index have it."""
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


def full_name(name: str) -> str:
    """The name with its registry, as containerd spells it."""
    first, slash, _ = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def split_name(name: str) -> tuple[str, str]:
    """Repository and tag."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")
