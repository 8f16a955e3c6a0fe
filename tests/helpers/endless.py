"""A layer that takes longer to read than any test lasts."""

import os
from pathlib import Path

import polars as pl
from builders import CONFIG, LAYER, MANIFEST, Contents, Image, file, json_of, tar_of

#: more than any machine needs; a test that waits longer fails
PATIENCE_SECONDS = 60
#: zeros that take any machine longer to hash than a test lasts
ENDLESS_BYTES = 64 << 30


def finished_layers(catalog: Path) -> int:
    """The number of layers that the catalog has."""
    files = (catalog / "layers").glob("[!.]*.parquet")
    return len({layer for file in files for layer in pl.read_parquet(file)["layer"]})


def write_endless_layer(folder: Path) -> None:
    """Write a layout of one image whose layer is one file of zeros, a hole on disk."""
    contents = Contents()
    claimed = "sha256:" + "e" * 64
    image = Image([b""], names=["localhost/endless:1"], claimed_diff_ids=[claimed])
    header = tar_of([file("zeros", size=ENDLESS_BYTES)], trailer=0)
    size = len(header) + ENDLESS_BYTES
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(image.config, CONFIG),
        "layers": [{"mediaType": LAYER, "digest": "sha256:" + "d" * 64, "size": size}],
    }
    contents.entries = [contents.add(json_of(manifest), MANIFEST)]
    for member in contents.members():
        (folder / member.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / member.path).write_bytes(member.content)
    blob = folder / "blobs/sha256" / ("d" * 64)
    blob.write_bytes(header)
    os.truncate(blob, size)
