"""Documents as Go writes them: an empty list or object is null."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import CONFIG, INDEX, MANIFEST, Contents, Image, digest_of, file, json_of, tar_of
from builders.registry import RegistryStore
from helpers.scanning import codes, scanned

#: the config of ``FROM scratch`` as BuildKit writes it
CONFIG_NULL = json_of(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": None,
        "history": None,
        "rootfs": {"type": "layers", "diff_ids": None},
    }
)
LAYERED = Image([tar_of([file("a", b"1" * 100)])], names=["layered:1"])


def manifest_of(contents: Contents, **more: Any) -> dict[str, Any]:
    """An image without layers, its manifest with null for lists."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(CONFIG_NULL, CONFIG) | {"annotations": None, "urls": None},
        "layers": None,
        "annotations": None,
        "manifests": None,
    }
    return contents.add(json_of(manifest | more), MANIFEST)


def layout_contents() -> Contents:
    """The image below an index, beside an index that is empty."""
    contents = Contents()
    inner = {
        "schemaVersion": 2,
        "manifests": [manifest_of(contents) | {"platform": None, "annotations": None}],
        "annotations": None,
        "layers": None,
        "config": None,
    }
    names = {"org.opencontainers.image.ref.name": "empty:1"}
    contents.entries = [
        contents.add(json_of(inner), INDEX) | {"annotations": names},
        contents.add(json_of({"schemaVersion": 2, "manifests": None}), INDEX),
        contents.add_image(LAYERED) | {"annotations": None},
    ]
    return contents


def write_layout(to: Path) -> None:
    layout_contents().write(to)


def write_archive(to: Path) -> None:
    to.write_bytes(tar_of(layout_contents().members()))


def write_dir(to: Path) -> None:
    """Skopeo's ``dir:``."""
    to.mkdir()
    contents = Contents()
    manifest = manifest_of(contents)["digest"]
    for digest, data in contents.blobs.items():
        (to / ("manifest.json" if digest == manifest else digest[7:])).write_bytes(data)
    (to / "version").write_bytes(b"Directory Transport Version: 1.1\n")


def write_docker_archive(to: Path) -> None:
    """What ``docker save`` and ``podman save`` write for an image without layers."""
    name = f"{digest_of(CONFIG_NULL)[7:]}.json"
    listed = [{"Config": name, "RepoTags": None, "Layers": None, "LayerSources": None}]
    to.write_bytes(tar_of([file(name, CONFIG_NULL), file("manifest.json", json_of(listed))]))


def write_registry(to: Path) -> None:
    store = RegistryStore(to)
    contents = Contents()
    digest = manifest_of(contents)["digest"]
    for data in contents.blobs.values():
        store.blob(data)
    store.tag("app", "1", digest)


STORES: dict[str, Callable[[Path], None]] = {
    "layout": write_layout,
    "archive": write_archive,
    "dir": write_dir,
    "docker-archive": write_docker_archive,
    "registry": write_registry,
}


@pytest.mark.parametrize("name", STORES)
def test_an_image_without_layers_is_an_image(name: str, tmp_path: Path) -> None:
    """It is listed, complete, with no bytes."""
    STORES[name](tmp_path / "store")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.exit_code) == ([], 0)
    rows = {row["image_id"]: row for row in session.rows("images")}
    row = rows[digest_of(CONFIG_NULL)]
    assert (row["layers"], row["complete"]) == (0, True)
    assert (row["content_bytes"], row["live_bytes"], row["shadowed_bytes"]) == (0, 0, 0)
    assert session.rows("totals")[0]["images"] == len(rows)
    assert session.rows("sources")[0]["orphan_bytes"] == 0


@pytest.mark.parametrize("key", ["rootfs", "diff_ids"])
def test_a_config_with_something_else_for_a_list_is_damaged(key: str, tmp_path: Path) -> None:
    """Only null is an empty list."""
    config = json.loads(CONFIG_NULL)
    (config if key == "rootfs" else config["rootfs"])[key] = "none"
    contents = Contents()
    descriptor = contents.add(json_of(config), CONFIG)
    contents.entries = [manifest_of(contents, config=descriptor)]
    contents.write(tmp_path / "store")
    outcome, _ = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.images) == (["bad-config"], 0)


def test_an_index_without_its_list_is_damaged(tmp_path: Path) -> None:
    """Nothing is called unreferenced then."""
    contents = Contents()
    contents.entries = [contents.add_image(LAYERED)]
    contents.write(tmp_path / "store")
    index = json.loads(contents.index)
    index["manifest"] = index.pop("manifests")
    (tmp_path / "store/index.json").write_bytes(json_of(index))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == ["bad-document"]
    assert session.rows("sources")[0]["orphan_bytes"] is None
