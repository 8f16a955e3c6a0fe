"""Every byte of a real registry: its places add up to du, and deletes free what they say."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import file, image
from builders.images import json_of
from builders.layouts import Contents, oci_contents
from builders.media_types import CONFIG, MANIFEST
from helpers.registry_server import RegistryServer, needs_registry, serving
from helpers.scanning import scanned

from dedupe.store.session import Session

BASE = [file("base", os.urandom(50_000))]
AMD = image(BASE, [file("app", os.urandom(30_000))], names="app:1")
ARM = image(BASE, [file("arm", os.urandom(20_000))], names="app:1", platform="linux/arm64")
TOOL = image(BASE, [file("tool", os.urandom(10_000))], names="tool:1")
ONE = image([file("one", os.urandom(9_000))], names="pair:1")
TWO = image([file("two", os.urandom(8_000))], names="pair:1", platform="linux/arm64")
PAIR = oci_contents([ONE, TWO], multi_platform=True)
APP = oci_contents([AMD, ARM], multi_platform=True, attestation=True)
TOOLS = oci_contents([TOOL], artifact=True)
#: the manifest of the chart that ``artifact`` adds
CHART = TOOLS.entries[-1]["digest"]
SIGNATURE = Contents()
SIGNED = SIGNATURE.add(
    json_of(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": SIGNATURE.add(json_of({"rootfs": {"diff_ids": ["x"]}}), CONFIG),
            "layers": [
                SIGNATURE.add(b"{}" * 3000, "application/vnd.dev.cosign.simplesigning.v1+json")
            ],
        }
    ),
    MANIFEST,
)["digest"]
CACHE = Contents()
CACHED = CACHE.add_cache([TOOL.layers[0], AMD.layers[1]], manifest=True)["digest"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry with images of two platforms, a tool that is signed, a chart and a build cache."""
    with serving(tmp_path_factory.mktemp("registry")) as server:
        server.push("app", APP.blobs, APP.entries[0]["digest"], "1")
        server.push("pair", PAIR.blobs, PAIR.entries[0]["digest"], "1")
        server.push("app", CACHE.blobs, CACHED, "buildcache")
        tool = TOOLS.manifests[TOOL.image_id]
        server.push("tool", TOOLS.blobs, tool, "1")
        server.push("tool", SIGNATURE.blobs, SIGNED, f"{tool.replace(':', '-')}.sig")
        server.push("charts/web", TOOLS.blobs, CHART, "1")
        server.begin_upload("app", os.urandom(70_000))
        (server.root / "docker/registry/notes.txt").write_bytes(b"n" * 10_000)
        (server.root / "backup").mkdir()
        (server.root / "backup/old.db").write_bytes(b"b" * 20_000)
        yield server


def disk_usage(root: Path) -> int:
    """What du counts."""
    command = ["du", "-sx", "--block-size=1", str(root)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout.split()[0])


def places(session: Session) -> list[dict[str, Any]]:
    """The rows of the table of places, each with the names of its holders."""
    return session.ask(
        """
        SELECT disk.*, coalesce(list(DISTINCT holds.name) FILTER (holds.name IS NOT NULL), [])
            AS holders
        FROM scan_disk AS disk
        LEFT JOIN scan_holds AS holds USING (source, path)
        GROUP BY ALL
        """
    ).dicts()


def kinds(rows: list[dict[str, Any]]) -> Counter[str]:
    """Sizes of files by kind."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row["kind"]] += row["file_bytes"]
    return found


@pytest.mark.tools
@needs_registry
def test_places_of_a_registry_are_its_disk_usage(registry: RegistryServer, tmp_path: Path) -> None:
    """While it runs; what is in no folder of the registry is unrecognised."""
    rows = places(scanned(tmp_path / "catalog", registry.root)[1])
    assert sum(row["allocated_bytes"] for row in rows) == disk_usage(registry.root)
    data = list(registry.root.rglob("blobs/**/data"))
    sizes = kinds(rows)
    assert sum(row["file_bytes"] for row in rows if "/blobs/" in row["path"]) == sum(
        path.stat().st_size for path in data
    )
    assert sizes["unrecognised"] == 30_000
    (upload,) = (row for row in rows if row["kind"] == "upload")
    assert (upload["owner"], upload["command"]) == ("app", [])
    assert upload["file_bytes"] > 70_000
    (chart,) = (row for row in rows if row["subject"] == CHART and "/blobs/" in row["path"])
    delete = ["skopeo", "delete", f"docker://REGISTRY/charts/web@{CHART}"]
    assert (chart["kind"], chart["owner"], chart["command"]) == (
        *("artifact", "charts/web:1"),
        delete,
    )


@pytest.mark.tools
@needs_registry
def test_deleting_what_holds_a_place_frees_it(registry: RegistryServer, tmp_path: Path) -> None:
    """To the byte, in each step: a place is freed with the last of its holders, and not before."""
    deleted: set[str] = set()
    # a tool, whose signature stays; all platforms of an index, which is deleted with them and with
    # its attestations; what is not an image; one of two platforms, whose manifest the index keeps
    for number, step in enumerate(
        [
            {TOOL.image_id},
            {AMD.image_id, ARM.image_id},
            {CHART, SIGNED, CACHED},
            {ONE.image_id},
        ]
    ):
        rows = places(scanned(tmp_path / f"catalog{number}", registry.root)[1])
        assert {holder for row in rows for holder in row["holders"]}.isdisjoint(deleted)
        deleted |= step
        freed = [row for row in rows if row["holders"] and step.issuperset(row["holders"])]
        before = disk_usage(registry.root)
        for row in freed:
            if "/revisions/" in row["path"]:
                registry.delete(*row["owner"].split("@"))
        registry.collect_garbage()
        expected = sum(row["allocated_bytes"] for row in freed)
        assert before - disk_usage(registry.root) == expected > 0
