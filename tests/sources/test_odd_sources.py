"""Sources that are odd but sound: each is listed as what it is, and nothing is guessed."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import (
    CONFIG,
    FOREIGN,
    LAYER,
    MANIFEST,
    Contents,
    Image,
    compress,
    digest_of,
    empty_step,
    file,
    json_of,
    raw,
    symlink,
    tar_of,
    v1_ids,
    whiteout,
    write_dir,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from helpers.scanning import codes, scan_only, scanned

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
    """Position and state of every layer in its place."""
    rows = session.ask(
        "SELECT position, state FROM scan_image_layers ORDER BY image_id, position"
    ).dicts()
    return [(row["position"], row["state"]) for row in rows]


def write_manifest(
    folder: Path, layers: list[dict[str, Any]], contents: Contents, image: Image
) -> None:
    """A layout of one image whose layers are described by hand."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(image.config, CONFIG),
        "layers": layers,
    }
    name = {"org.opencontainers.image.ref.name": image.names[0]}
    contents.entries = [contents.add(json_of(manifest), MANIFEST, annotations=name)]
    for member in contents.members():
        target = folder / member.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(member.content)


# docker-archive


def test_repositories_only(tmp_path: Path) -> None:
    """Docker before 1.10: no config, so the image is known by its chain of diff IDs."""
    write_docker_archive(tmp_path / "old.tar", [IMAGE], "repositories-only")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "old.tar")
    assert codes(outcome) == []
    (row,) = session.rows("images")
    assert row["names"] == ["localhost/app:1"]
    assert row["image_id"] == f"bare:{IMAGE.chain_ids[-1]}"
    assert (row["digest"], row["platform"]) == (None, "linux/amd64")
    assert (row["content_bytes"], row["live_bytes"]) == (175, 75)


def test_repositories_only_with_two_tops(tmp_path: Path) -> None:
    """Two names of two tops over one base are two images that share it."""
    other = Image([BASE, tar_of([file("d", b"4" * 10)])], names=["localhost/app:2"])
    write_docker_archive(tmp_path / "old.tar", [IMAGE, other], "repositories-only")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "old.tar")
    assert codes(outcome) == []
    (totals,) = session.rows("totals")
    assert (totals["images"], totals["unpacked_bytes"], totals["naive_bytes"]) == (2, 185, 335)


@pytest.mark.parametrize("link_first", [False, True])
@pytest.mark.parametrize("outer", ["none", "gzip"])
def test_symlinked_layer_tar(outer: str, link_first: bool, tmp_path: Path) -> None:
    """A layer met again is a link to its other place, before its target or behind it."""
    twice = Image([BASE, UPPER, BASE], names=["localhost/twice:1"])
    write_docker_archive(tmp_path / "saved.tar", [twice], outer=outer, link_first=link_first)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert (codes(outcome), outcome.layers_read) == ([], 2)
    (row,) = session.rows("images")
    assert (row["layers"], row["content_bytes"], row["live_bytes"]) == (3, 325, 175)


def test_link_over_a_link(tmp_path: Path) -> None:
    """Links to links are followed inside the archive; names with ``./`` are the same names."""
    (v1,) = v1_ids(Image([BASE]))
    image = Image([BASE], names=["localhost/links:1"])
    config = f"{image.image_id[7:]}.json"
    listed = [{"Config": config, "RepoTags": list(image.names), "Layers": [f"{v1}/layer.tar"]}]
    members = [
        symlink(f"{v1}/layer.tar", "../between.tar"),
        symlink("between.tar", "layers/../end.tar"),
        raw(b"./end.tar", content=BASE),
        raw(b"./" + config.encode(), content=image.config),
        raw(b"./manifest.json", content=json_of(listed)),
    ]
    (tmp_path / "saved.tar").write_bytes(tar_of(members))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert codes(outcome) == []
    assert session.rows("images")[0]["live_bytes"] == 150


def test_image_saved_by_its_id(tmp_path: Path) -> None:
    """RepoTags may be null: the image has no name and is known by its ID."""
    write_docker_archive(tmp_path / "saved.tar", [Image([BASE])])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    (row,) = session.rows("images")
    assert (codes(outcome), row["names"]) == ([], [])
    assert row["name"] == row["image_id"] == Image([BASE]).image_id


@pytest.mark.parametrize("inner", ["gzip", "zstd", "xz", "bzip2"])
def test_compressed_layers_in_an_archive(inner: str, tmp_path: Path) -> None:
    """Layers of a docker-archive may be compressed inside it, whatever their name says."""
    write_docker_archive(tmp_path / "saved.tar", [IMAGE], "podman", inner=inner)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert codes(outcome) == []
    assert session.rows("images")[0]["live_bytes"] == 75


# Layers


def test_encrypted_layer(tmp_path: Path) -> None:
    """Ciphertext is not read: the layer is named, a note says so, the image is not complete."""
    locked = Image(IMAGE.layers, names=["localhost/locked:1"], encrypted=frozenset({1}))
    write_oci_layout(tmp_path / "store", [locked])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.errors) == (["encrypted-layer"], 0)
    assert states(session) == [(0, "read"), (1, "encrypted")]
    (row,) = session.rows("images")
    assert (row["complete"], row["content_bytes"]) == (False, 150)


def test_foreign_layer_that_is_elsewhere(tmp_path: Path) -> None:
    """A foreign layer without its blob is a note, not an error."""
    windows = Image(IMAGE.layers, names=["win:1"], platform="windows/amd64", foreign=frozenset({0}))
    write_oci_layout(tmp_path / "store", [windows])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.errors) == (["foreign-layer"], 0)
    assert states(session) == [(0, "foreign"), (1, "read")]
    assert session.rows("images")[0]["complete"] is False


def test_foreign_layer_that_is_here(tmp_path: Path) -> None:
    """A foreign layer whose blob was pushed all the same is read as any other."""
    contents = Contents()
    blob = compress(BASE, "gzip")
    address = ["https://example.invalid/layer"]
    layer = contents.add(blob, FOREIGN + "+gzip", urls=address)
    write_manifest(tmp_path / "store", [layer], contents, Image([BASE], names=["win:1"]))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == ([], [(0, "read")])
    assert session.rows("images")[0]["live_bytes"] == 150


def test_absent_layer(tmp_path: Path) -> None:
    """A layer whose blob is not here is an error; the others are read and the place is kept."""
    contents = write_oci_layout(tmp_path / "store", [IMAGE])
    digest = contents.layers[IMAGE.image_id][0]
    (tmp_path / "store/blobs/sha256" / digest[7:]).unlink()
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == (["blob-missing"], [(0, "absent"), (1, "read")])
    (row,) = session.rows("images")
    assert (row["layers"], row["complete"], row["content_bytes"]) == (2, False, 25)
    chains = session.ask("SELECT chain_id FROM scan_image_layers ORDER BY position").dicts()
    assert [row["chain_id"] for row in chains] == IMAGE.chain_ids


def test_absent_layer_that_is_known(tmp_path: Path) -> None:
    """Rows of an absent layer that another source gave stand for it, since the config names it."""
    write_oci_layout(tmp_path / "whole", [IMAGE])
    contents = write_oci_layout(tmp_path / "part", [IMAGE])
    (tmp_path / "part/blobs/sha256" / contents.layers[IMAGE.image_id][0][7:]).unlink()
    scan_only(tmp_path / "catalog", tmp_path / "whole")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "part")
    assert codes(outcome) == ["blob-missing"]
    (row,) = session.rows("images")
    assert (row["complete"], row["live_bytes"]) == (True, 75)


def test_layer_of_an_unknown_type(tmp_path: Path) -> None:
    """A layer of a type that is no tar, in a real image, is named and not untarred."""
    contents = Contents()
    layers = [
        contents.add(compress(BASE, "gzip"), LAYER + "+gzip"),
        contents.add(BASE, "application/vnd.oci.image.layer.nydus.blob.v1"),
    ]
    image = Image([BASE, UPPER], names=["localhost/nydus:1"])
    write_manifest(tmp_path / "store", layers, contents, image)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.errors) == (["unsupported-layer"], 0)
    assert states(session) == [(0, "read"), (1, "unsupported")]


def test_media_type_that_lies_about_compression(tmp_path: Path) -> None:
    """The magic number decides, not the media type."""
    contents = Contents()
    layers = [
        contents.add(compress(BASE, "zstd"), LAYER + "+gzip"),
        contents.add(compress(UPPER, "gzip"), LAYER),
    ]
    write_manifest(tmp_path / "store", layers, contents, IMAGE)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    assert session.rows("images")[0]["live_bytes"] == 75


@pytest.mark.parametrize("trailer", [0, 1, 2])
def test_layer_without_members(trailer: int, tmp_path: Path) -> None:
    """An empty layer is one, whether its tar has an end mark, half of one, or no bytes at all."""
    image = Image([BASE, tar_of([], trailer=trailer)], names=["localhost/empty:1"])
    write_oci_layout(tmp_path / "store", [image])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == ([], [(0, "read"), (1, "read")])
    assert session.rows("images")[0]["live_bytes"] == 150


ZERO_WRITERS: dict[str, Callable[[Path, Image], object]] = {
    "oci-layout": lambda to, image: write_oci_layout(to, [image]),
    "docker20": lambda to, image: write_docker_archive(to, [image]),
    "docker25": lambda to, image: write_docker_archive(to, [image], "docker25"),
    "dir": lambda to, image: write_dir(to, image),
}


@pytest.mark.parametrize("kind", ZERO_WRITERS)
def test_image_without_layers(kind: str, tmp_path: Path) -> None:
    """FROM scratch and nothing else: an image of zero layers and zero bytes, wholly efficient."""
    nothing = Image([], names=["localhost/nothing:1"])
    (tmp_path / "images").mkdir()
    ZERO_WRITERS[kind](tmp_path / "images/store", nothing)
    write_oci_layout(tmp_path / "images/other", [IMAGE])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "images")
    assert codes(outcome) == []
    rows = {row["image_id"]: row for row in session.rows("images")}
    row = rows[nothing.image_id]
    assert (row["layers"], row["content_bytes"], row["efficiency"]) == (0, 0, 1.0)
    assert row["complete"] is True
    assert session.rows("totals")[0]["images"] == 2


def test_one_diff_id_twice(tmp_path: Path) -> None:
    """The same layer at two positions of one image is read once and has two places."""
    twice = Image([BASE, BASE, UPPER], names=["localhost/twice:1"])
    write_oci_layout(tmp_path / "store", [twice], ["gzip", "zstd", "gzip"])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.layers_read) == ([], 2)
    layers = {row["diff_id"]: row for row in session.rows("layers")}
    base = layers[digest_of(BASE)]
    assert (base["images"], base["chains"], len(base["blobs"])) == (1, 2, 2)
    (row,) = session.rows("images")
    assert (row["layers"], row["content_bytes"], row["unchanged"]) == (3, 325, 150)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (None, [None, None]),
        ([], [None, None]),
        (["COPY a"], [None, "COPY a"]),
        ([empty_step("ENV x"), "COPY a", empty_step("CMD y"), "RUN rm"], ["COPY a", "RUN rm"]),
        (["COPY a", "RUN rm", "RUN more"], ["COPY a", "RUN rm"]),
        ([{"created": "2024-01-01T00:00:00Z"}, "RUN rm"], [None, "RUN rm"]),
    ],
    ids=["absent", "empty", "shorter", "with empty layers", "longer", "step without a command"],
)
def test_history(history: list | None, expected: list, tmp_path: Path) -> None:
    """Steps belong to layers in order, empty ones left out; where they lack, none is invented."""
    image = Image([BASE, UPPER], names=["localhost/app:1"], history=history)
    write_oci_layout(tmp_path / "store", [image])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    rows = session.ask("SELECT created_by FROM scan_image_layers ORDER BY position").dicts()
    assert [row["created_by"] for row in rows] == expected


# Indexes


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
def test_platforms(platform: str, expected: set[str], tmp_path: Path) -> None:
    """Every platform of an index is an image of the index's name; ``--platform`` chooses."""
    write_oci_layout(tmp_path / "store", [IMAGE, ARM, ARM_V7], multi_platform=True)
    outcome, session = scanned(
        tmp_path / "catalog", tmp_path / "store", select=Selection(platform=platform)
    )
    rows = session.rows("images")
    assert codes(outcome) == []
    assert {row["platform"] for row in rows} == expected
    assert all(row["names"] == ["localhost/app:1"] for row in rows)


def test_sparse_index(tmp_path: Path) -> None:
    """A platform that an index names and the store does not keep is absent, and no error."""
    write_oci_layout(tmp_path / "store", [IMAGE], sparse=True)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    (absent,) = image_rows(session, "absent")
    assert (absent["platform"], absent["names"]) == ("linux/s390x", ["localhost/app:1"])
    assert session.rows("totals")[0]["images"] == 1


def test_missing_manifest_of_index_json(tmp_path: Path) -> None:
    """What index.json itself names must be there: its lack is an error."""
    contents = write_oci_layout(tmp_path / "store", [IMAGE, ARM])
    digest = contents.manifests[ARM.image_id]
    (tmp_path / "store/blobs/sha256" / digest[7:]).unlink()
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == ["blob-missing"]
    assert [row["image_id"] for row in session.rows("images")] == [IMAGE.image_id]


@pytest.mark.parametrize("archive", [False, True])
def test_artifact_and_attestation(archive: bool, tmp_path: Path) -> None:
    """A chart and a provenance statement are listed as such; neither is an image or an orphan."""
    write = write_oci_archive if archive else write_oci_layout
    write(tmp_path / "store", [IMAGE], attestation=True, artifact=True)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    assert len(image_rows(session, "artifact")) == 1
    (attestation,) = image_rows(session, "attestation")
    assert attestation["platform"] == "unknown/unknown"
    (totals,) = session.rows("totals")
    assert (totals["images"], totals["orphan_bytes"]) == (1, 0)


def test_attestation_with_an_artifact_type(tmp_path: Path) -> None:
    """The newer form names its type and subject, and has the empty config."""
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


def test_nested_index(tmp_path: Path) -> None:
    """An index in an index is followed, and names reach down where entries have none."""
    write_oci_layout(tmp_path / "store", [IMAGE, ARM], multi_platform=True, nested=True)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    rows = session.rows("images")
    assert {row["image_id"] for row in rows} == {IMAGE.image_id, ARM.image_id}
    assert all(row["names"] == ["localhost/app:1"] for row in rows)


@pytest.mark.parametrize("kind", ["layout", "docker20", "docker25", "containerd"])
def test_several_tags(kind: str, tmp_path: Path) -> None:
    """Several names of one image are one image; in one store or in two, it is counted once."""
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
    return "sha512:" + hashlib.sha512(data).hexdigest()


def write_sha512(folder: Path, layer: bytes | None = None) -> None:
    """A layout whose blobs all have SHA-512 digests; ``layer`` takes the place of the layer."""
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


def test_sha512_blobs(tmp_path: Path) -> None:
    """Digests of SHA-512 name blobs and are checked; the image ID stays the config's SHA-256."""
    write_sha512(tmp_path / "store")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == ([], [(0, "read")])
    (row,) = session.rows("images")
    assert row["image_id"] == Image([BASE]).image_id
    assert row["digest"].startswith("sha512:")
    assert session.rows("totals")[0]["orphan_bytes"] == 0


def test_sha512_blob_of_other_bytes(tmp_path: Path) -> None:
    """A layer named by SHA-512 that is another one is found out."""
    write_sha512(tmp_path / "store", UPPER.ljust(len(BASE), b"\0"))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert "diff-id-mismatch" in codes(outcome)
    assert states(session) == [(0, "unverified")]
