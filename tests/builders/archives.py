"""Archives as docker, podman and containerd save them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from builders.compression import compress
from builders.images import Image, digest_of, json_of, split_name
from builders.layouts import Contents, oci_contents
from builders.media_types import DOCKER_LAYER, LAYER
from builders.members import Member, directory, file, symlink
from builders.tars import tar_of


def write_docker_archive(
    path: Path,
    images: Sequence[Image],
    style: str = "docker20",
    *,
    outer: str = "none",
    inner: str = "none",
    link_first: bool = False,
) -> Contents:
    """Write one file as docker save, podman save or ctr export do; returns its blobs.

    Styles: "docker20" (<v1id>/layer.tar; a repeated layer is a symlink), "podman" (<diffid>.tar,
    with <v1id>/layer.tar as symlinks), "docker25" (OCI layout of plain layers, and
    manifest.json), "containerd" (the same with gzip layers), "repositories-only" (docker before
    1.10). ``inner`` compresses the layers of docker20 and podman inside their .tar;
    ``link_first`` puts every symlink before its target.
    """
    writers = {
        "docker20": _docker20,
        "podman": _podman,
        "docker25": _docker25,
        "containerd": _containerd,
        "repositories-only": _repositories_only,
    }
    contents, members = writers[style](images, inner)
    if link_first:
        members.sort(key=lambda member: member.kind != "s")
    path.write_bytes(compress(tar_of(members), outer))
    return contents


def _docker20(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents, made, listed = Contents(), {}, []
    first: dict[str, str] = {}
    for one in images:
        paths = []
        for v1, document, diff, tar in _v1_chain(contents, one, inner):
            made |= _v1_folder(v1, document)
            paths.append(f"{v1}/layer.tar")
            if first.setdefault(diff, v1) == v1:
                made[paths[-1]] = file(paths[-1], tar)
            else:
                made[paths[-1]] = symlink(paths[-1], f"../{first[diff]}/layer.tar")
        listed.append(_listed(one, f"{one.image_id[7:]}.json", paths))
        made[listed[-1]["Config"]] = file(listed[-1]["Config"], one.config)
    made["manifest.json"] = file("manifest.json", json_of(listed))
    made["repositories"] = file("repositories", json_of(_repositories(images)))
    return contents, [made[name] for name in sorted(made)]


def _podman(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents, made, listed = Contents(), {}, []
    for one in images:
        paths = []
        for v1, document, diff, tar in _v1_chain(contents, one, inner):
            paths.append(f"{diff[7:]}.tar")
            made.setdefault(paths[-1], file(paths[-1], tar))
            made |= _v1_folder(v1, document)
            made[f"{v1}/layer.tar"] = symlink(f"{v1}/layer.tar", f"../{paths[-1]}")
        listed.append(_listed(one, f"{one.image_id[7:]}.json", paths))
        made[listed[-1]["Config"]] = file(listed[-1]["Config"], one.config)
    made["repositories"] = file("repositories", json_of(_repositories(images)))
    made["manifest.json"] = file("manifest.json", json_of(listed))
    return contents, [member for member in made.values() if member.kind != "d"]


def _docker25(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents = oci_contents(images, "none", annotation="containerd")
    listed = []
    for one in images:
        layers = dict(zip(one.diff_ids, contents.layers[one.image_id], strict=True))
        sources = {
            diff: {"mediaType": LAYER, "digest": digest, "size": len(contents.blobs[digest])}
            for diff, digest in layers.items()
        }
        entry = _listed(one, _blob_path(one.image_id), [_blob_path(diff) for diff in one.diff_ids])
        listed.append(entry | {"LayerSources": sources})
        for _, document, _, _ in _v1_chain(Contents(), one, "none"):
            contents.add(document, "application/octet-stream")
    members = [directory("blobs"), directory("blobs/sha256"), *contents.members()]
    members.insert(-1, file("manifest.json", json_of(listed)))
    tops = {
        name: digest[7:]
        for one in images
        for name in one.names
        for digest in contents.layers[one.image_id][-1:]
    }
    members.append(file("repositories", json_of(_by_repository(tops))))
    return contents, members


def _containerd(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    how = "gzip" if inner == "none" else inner
    contents = oci_contents(images, how, annotation="containerd")
    listed = [
        _listed(
            one,
            _blob_path(one.image_id),
            [_blob_path(digest) for digest in contents.layers[one.image_id]],
        )
        for one in images
    ]
    members = [directory("blobs"), directory("blobs/sha256"), *contents.members()]
    members.insert(-1, file("manifest.json", json_of(listed)))
    return contents, members


def _repositories_only(images: Sequence[Image], inner: str) -> tuple[Contents, list[Member]]:
    contents, made = Contents(), {}
    for one in images:
        for v1, document, _, tar in _v1_chain(contents, one, inner):
            made |= _v1_folder(v1, document)
            made[f"{v1}/layer.tar"] = file(f"{v1}/layer.tar", tar)
    made["repositories"] = file("repositories", json_of(_repositories(images)))
    return contents, [made[name] for name in sorted(made)]


def _v1_chain(contents: Contents, one: Image, inner: str) -> list[tuple[str, bytes, str, bytes]]:
    """The v1 ID, v1 document, diff ID and stored bytes of each layer."""
    chain = []
    for position, v1 in enumerate(v1_ids(one)):
        last = position == len(one.layers) - 1
        document = {"id": v1, "created": one.created, "os": one.platform_document["os"]}
        if chain:
            document["parent"] = chain[-1][0]
        if last:
            document = json.loads(one.config) | document
            del document["rootfs"]
            document.pop("history", None)
        stored = compress(one.layers[position], inner)
        contents.add(stored, DOCKER_LAYER)
        contents.layers.setdefault(one.image_id, []).append(digest_of(stored))
        chain.append((v1, json_of(document), one.diff_ids[position], stored))
    return chain


def v1_ids(one: Image) -> list[str]:
    """Folder names of docker before 25, which are digests that cannot be checked."""
    ids = [digest_of(f"v1 {chain}".encode())[7:] for chain in one.chain_ids]
    if ids:
        ids[-1] = digest_of(f"v1 {one.chain_ids[-1]} {one.image_id}".encode())[7:]
    return ids


def _v1_folder(v1: str, document: bytes) -> dict[str, Member]:
    members = (directory(v1), file(f"{v1}/VERSION", "1.0"), file(f"{v1}/json", document))
    return {member.path: member for member in members}


def _listed(one: Image, config: str, layers: list[str]) -> dict[str, Any]:
    return {"Config": config, "RepoTags": list(one.names) or None, "Layers": layers}


def _repositories(images: Sequence[Image]) -> dict[str, dict[str, str]]:
    # an image without layers has no v1 layer to name
    tops = {name: v1 for one in images for name in one.names for v1 in v1_ids(one)[-1:]}
    return _by_repository(tops)


def _by_repository(tops: Mapping[str, str]) -> dict[str, dict[str, str]]:
    repositories: dict[str, dict[str, str]] = {}
    for name, top in tops.items():
        repository, tag = split_name(name)
        repositories.setdefault(repository, {})[tag] = top
    return repositories


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
