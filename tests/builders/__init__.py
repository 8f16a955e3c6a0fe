"""Builders of real images: layer tars from members, images from layers, stores from images.

Nothing here imports dedupe, so a test's input never depends on the code under test. Every builder
is deterministic: the same arguments give the same bytes, and so the same digests.

Members -> ``tar_of`` -> ``Image`` -> a writer of a layout or an archive, which returns the
``Contents`` that it wrote: the blobs, and the digests of each image's manifest, config and layers.
The modules ``containerd``, ``docker`` and ``registry`` build the stores of these programs.
"""

from builders.archives import v1_ids, write_docker_archive
from builders.compression import compress
from builders.images import Image, digest_of, empty_step, image, json_of
from builders.layouts import Contents, write_dir, write_oci_archive, write_oci_layout
from builders.media_types import CONFIG, DOCKER_INDEX, FOREIGN, INDEX, LAYER, MANIFEST
from builders.members import (
    Layer,
    Member,
    device,
    directory,
    file,
    hardlink,
    members_of_case,
    opaque,
    raw,
    symlink,
    whiteout,
)
from builders.tars import global_header, pax_record, tar_of, write_bare_tar

__all__ = [
    "CONFIG",
    "DOCKER_INDEX",
    "FOREIGN",
    "INDEX",
    "LAYER",
    "MANIFEST",
    "Contents",
    "Image",
    "Layer",
    "Member",
    "compress",
    "device",
    "digest_of",
    "directory",
    "empty_step",
    "file",
    "global_header",
    "hardlink",
    "image",
    "json_of",
    "members_of_case",
    "opaque",
    "pax_record",
    "raw",
    "symlink",
    "tar_of",
    "v1_ids",
    "whiteout",
    "write_bare_tar",
    "write_dir",
    "write_docker_archive",
    "write_oci_archive",
    "write_oci_layout",
]
