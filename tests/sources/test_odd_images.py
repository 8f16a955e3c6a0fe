"""Indexes, platforms, names and digests that are odd but sound."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from builders import (
    CONFIG,
    LAYER,
    MANIFEST,
    Contents,
    Image,
    file,
    json_of,
    tar_of,
    whiteout,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from helpers.scanning import codes, scanned

from dedupe.sources.discover import Selection
from dedupe.store.session import Session

BASE = tar_of([file("a", b"1" * 100), file("b", b"2" * 50)])
UPPER = tar_of([whiteout("a"), file("c", b"3" * 25)])
IMAGE = Image([BASE, UPPER], names=["localhost/app:1"])


def image_rows(session: Session, kind: str = "image") -> list[dict[str, Any]]:
    """Rows of the table images, of one kind."""
    rows = session.ask("SELECT * FROM scan_images ORDER BY digest, names").dicts()
    return [row for row in rows if row["kind"] == kind]


def states(session: Session) -> list[tuple[int, str]]:
    """Position and state of every layer of an image."""
    rows = session.ask(
        "SELECT position, state FROM scan_image_layers ORDER BY image_id, position"
    ).dicts()
    return [(row["position"], row["state"]) for row in rows]


ARM = Image([tar_of([file("arm", b"4" * 10)])], names=["localhost/app:1"], platform="linux/arm64")
ARM_V7 = Image(
    [tar_of([file("v7", b"5" * 20)])], names=["localhost/app:1"], platform="linux/arm/v7"
)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("", {"linux/amd64", "linux/arm64", "linux/arm/v7"}),
        ("linux/amd64", {"linux/amd64"}),
        ("linux/arm64", {"linux/arm64"}),
        ("linux/arm", {"linux/arm/v7"}),
        ("linux/arm/v7", {"linux/arm/v7"}),
        ("linux/arm/v6", set()),
        ("windows/amd64", set()),
    ],
)
def test_each_platform_of_an_index_is_an_image(
    platform: str, expected: set[str], tmp_path: Path
) -> None:
    """Each has the name of the index; ``--platform`` chooses among them."""
    write_oci_layout(tmp_path / "store", [IMAGE, ARM, ARM_V7], multi_platform=True)
    outcome, session = scanned(
        tmp_path / "catalog", tmp_path / "store", select=Selection(platform=platform)
    )
    rows = session.rows("images")
    assert codes(outcome) == []
    assert {row["platform"] for row in rows} == expected
    assert all(row["names"] == ["localhost/app:1"] for row in rows)


def test_a_platform_that_is_not_stored_is_absent(tmp_path: Path) -> None:
    """A platform in the index that the store does not keep is not an error."""
    write_oci_layout(tmp_path / "store", [IMAGE], sparse=True)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    (absent,) = image_rows(session, "absent")
    assert (absent["platform"], absent["names"]) == ("linux/s390x", ["localhost/app:1"])
    assert session.rows("totals")[0]["images"] == 1


def test_a_missing_manifest_of_index_json_is_an_error(tmp_path: Path) -> None:
    """What index.json itself names must be there."""
    contents = write_oci_layout(tmp_path / "store", [IMAGE, ARM])
    digest = contents.manifests[ARM.image_id]
    (tmp_path / "store/blobs/sha256" / digest[7:]).unlink()
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == ["blob-missing"]
    assert [row["image_id"] for row in session.rows("images")] == [IMAGE.image_id]


@pytest.mark.parametrize("archive", [False, True])
def test_charts_and_attestations_are_not_images(archive: bool, tmp_path: Path) -> None:
    """A chart and a provenance statement are listed as such, and are not orphans."""
    write = write_oci_archive if archive else write_oci_layout
    write(tmp_path / "store", [IMAGE], attestation=True, artifact=True)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    assert len(image_rows(session, "artifact")) == 1
    (attestation,) = image_rows(session, "attestation")
    assert attestation["platform"] == "unknown/unknown"
    (totals,) = session.rows("totals")
    assert (totals["images"], totals["orphan_bytes"]) == (1, 0)


def test_an_attestation_is_recognised_by_its_artifact_type(tmp_path: Path) -> None:
    """The newer form has an artifact type, a subject and the empty config."""
    contents = Contents()
    contents.entries = [contents.add_image(IMAGE)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
        "config": contents.add(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [contents.add(b'{"_type":"x"}', "application/vnd.in-toto+json")],
        "subject": contents.entries[0],
    }
    contents.entries.append(contents.add(json_of(manifest), MANIFEST))
    for member in contents.members():
        target = tmp_path / "store" / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(member.content)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), len(image_rows(session, "artifact"))) == ([], 1)
    assert session.rows("totals")[0]["images"] == 1


def test_a_nested_index_passes_on_its_name(tmp_path: Path) -> None:
    """An index in an index is followed; entries without a name have that of the index."""
    write_oci_layout(tmp_path / "store", [IMAGE, ARM], multi_platform=True, nested=True)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    rows = session.rows("images")
    assert {row["image_id"] for row in rows} == {IMAGE.image_id, ARM.image_id}
    assert all(row["names"] == ["localhost/app:1"] for row in rows)


@pytest.mark.parametrize("kind", ["layout", "docker20", "docker25", "containerd"])
def test_two_names_of_one_image_are_one_row(kind: str, tmp_path: Path) -> None:
    """Several names of one image, in one store or in two, are one image."""
    names = ["localhost/app:1", "localhost/app:latest", "localhost/other/app:1"]
    tagged = Image(IMAGE.layers, names=names)
    if kind == "layout":
        write_oci_layout(tmp_path / "store", [tagged])
    else:
        write_docker_archive(tmp_path / "store", [tagged], kind)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    (row,) = session.rows("images")
    assert row["names"] == names
    assert session.rows("totals")[0]["naive_bytes"] == 175


def sha512(data: bytes) -> str:
    """The SHA-512 with its algorithm."""
    return "sha512:" + hashlib.sha512(data).hexdigest()


def write_sha512(folder: Path, layer: bytes | None = None) -> None:
    """A layout with SHA-512 digests; ``layer`` replaces the bytes of the layer."""
    blobs = {}

    def add(data: bytes, media_type: str, stored: bytes | None = None) -> dict[str, Any]:
        blobs[sha512(data)] = data if stored is None else stored
        return {"mediaType": media_type, "digest": sha512(data), "size": len(data)}

    image = Image([BASE], names=["localhost/long:1"])
    manifest = {
        "schemaVersion": 2,
        "config": add(image.config, CONFIG),
        "layers": [add(BASE, LAYER, layer)],
    }
    entry = add(json_of(manifest), MANIFEST)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "localhost/long:1"}
    (folder / "blobs/sha512").mkdir(parents=True)
    for digest, data in blobs.items():
        (folder / "blobs/sha512" / digest[7:]).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def test_sha512_digests_are_checked(tmp_path: Path) -> None:
    """Digests of SHA-512 name blobs; the image ID is still the config's SHA-256."""
    write_sha512(tmp_path / "store")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == ([], [(0, "read")])
    (row,) = session.rows("images")
    assert row["image_id"] == Image([BASE]).image_id
    assert row["digest"].startswith("sha512:")
    assert session.rows("totals")[0]["orphan_bytes"] == 0


def test_a_blob_with_another_sha512_is_an_error(tmp_path: Path) -> None:
    """A layer whose SHA-512 differs from its name is found."""
    write_sha512(tmp_path / "store", UPPER.ljust(len(BASE), b"\0"))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert "diff-id-mismatch" in codes(outcome)
    assert states(session) == [(0, "mismatched")]
