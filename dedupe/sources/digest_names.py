"""Files and folders that are named by digests: the blobs of some store."""

import re
from pathlib import Path

#: folders of blobs are named by the algorithm of the digests in them
ALGORITHMS = ("sha256", "sha512", "blake3")
_DIGEST_NAME = re.compile(r"(?:(?:sha256|sha512|blake3)[:_-])?[0-9a-f]{64}(?:[0-9a-f]{64})?\Z")
#: files that stores keep in a folder per digest: registries, docker save, Bazel's cache
_IN_DIGEST_FOLDER = ("data", "layer.tar", "file")


def is_digest_name(name: str) -> bool:
    """Whether a file or folder is named by a digest and nothing else."""
    return _DIGEST_NAME.match(name) is not None


def is_blob_file(path: Path) -> bool:
    """Whether a file is where only stores keep blobs: named by a digest, or beside such files."""
    folder = path.parent.name
    return (
        is_digest_name(path.name)
        or folder in ALGORITHMS
        or (is_digest_name(folder) and path.name in _IN_DIGEST_FOLDER)
    )


def store_of_blobs(folder: Path) -> Path:
    """The folder that a store with blobs in this folder would begin at.

    The blobs of a layout are in ``blobs/<alg>``, those of a registry in
    ``blobs/<alg>/<two digits>/<hex>``, those of other stores in a folder per digest.
    """
    while (
        folder.name in (*ALGORITHMS, "blobs")
        or re.fullmatch("[0-9a-f]{2}", folder.name)
        or is_digest_name(folder.name)
    ):
        folder = folder.parent
    return folder
