"""Digests, diff IDs and chain IDs, as types of their own so that they cannot be mixed up."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import NewType

#: SHA-256 (or SHA-512, BLAKE3) of bytes as stored: a blob, a manifest, a config
Digest = NewType("Digest", str)
#: SHA-256 of the uncompressed layer tar
DiffID = NewType("DiffID", str)
#: identity of a stack of layers
ChainID = NewType("ChainID", str)
#: SHA-256 of a config, which identifies the image; ``bare:`` plus a chain ID without a config
ImageID = NewType("ImageID", str)
#: key of a layer's rows: its diff ID, ``unverified:…`` if the diff ID was not verified, or
#: ``listed:…`` if contents were not read either
LayerKey = NewType("LayerKey", str)
#: device and inode number of a file
Inode = tuple[int, int]

_DIGEST = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|blake3:[0-9a-f]{64})\Z")


def is_digest(text: object) -> bool:
    """Whether this is a digest, and therefore safe as a file name."""
    return isinstance(text, str) and _DIGEST.match(text) is not None


def is_diff_id(text: object) -> bool:
    """Whether this is a diff ID that can be computed and compared."""
    return is_digest(text) and str(text).startswith("sha256:")


def is_hex_id(text: object) -> bool:
    """Whether this is a SHA-256 without its algorithm: 64 hexadecimal digits."""
    return is_digest(f"sha256:{text}")


def sha256_digest(data: bytes) -> Digest:
    """Digest of these bytes."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def new_hash(digest: Digest) -> "hashlib._Hash | None":
    """An empty hash of the algorithm that this digest names; None if Python lacks it."""
    algorithm = digest.partition(":")[0]
    return hashlib.new(algorithm) if algorithm in ("sha256", "sha512") else None


def chain_ids(keys: Iterable[str]) -> Iterator[ChainID]:
    """Chain ID of every prefix of a stack, base first.

    Computed from layer keys, not from claims: content that was not verified must not share a chain
    ID with the layer that it claims to be. For verified layers it is the OCI chain ID.
    Source: OCI image-spec config.md, "Layer ChainID".
    """
    chain = ""
    for key in keys:
        chain = (
            "sha256:" + hashlib.sha256(f"{chain} {key}".encode()).hexdigest() if chain else str(key)
        )
        yield ChainID(chain)
