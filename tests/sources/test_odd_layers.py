"""Layers that are odd but sound: each has its state, and nothing is guessed."""

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
    tar_of,
    whiteout,
    write_dir,
    write_docker_archive,
    write_oci_layout,
)
from helpers.scanning import codes, scan_only, scanned

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


def test_an_encrypted_layer_is_not_read(tmp_path: Path) -> None:
    """A note names the layer, and the image is incomplete."""
    locked = Image(IMAGE.layers, names=["localhost/locked:1"], encrypted=frozenset({1}))
    write_oci_layout(tmp_path / "store", [locked])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.errors) == (["encrypted-layer"], 0)
    assert states(session) == [(0, "read"), (1, "encrypted")]
    (row,) = session.rows("images")
    assert (row["complete"], row["content_bytes"], row["read_bytes"]) == (False, None, 150)


def test_a_foreign_layer_without_blob_is_a_note(tmp_path: Path) -> None:
    """A foreign layer without its blob is not an error."""
    windows = Image(
        IMAGE.layers, names=["windows:1"], platform="windows/amd64", foreign=frozenset({0})
    )
    write_oci_layout(tmp_path / "store", [windows])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), outcome.errors) == (["foreign-layer"], 0)
    assert states(session) == [(0, "foreign"), (1, "read")]
    assert session.rows("images")[0]["complete"] is False


def test_a_foreign_layer_with_its_blob_is_read(tmp_path: Path) -> None:
    """A foreign layer whose blob was pushed is read like any other."""
    contents = Contents()
    blob = compress(BASE, "gzip")
    address = ["https://example.invalid/layer"]
    layer = contents.add(blob, FOREIGN + "+gzip", urls=address)
    write_manifest(tmp_path / "store", [layer], contents, Image([BASE], names=["windows:1"]))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == ([], [(0, "read")])
    assert session.rows("images")[0]["live_bytes"] == 150


def test_a_layer_without_blob_is_an_error(tmp_path: Path) -> None:
    """The other layers are read, and its position is kept."""
    contents = write_oci_layout(tmp_path / "store", [IMAGE])
    digest = contents.layers[IMAGE.image_id][0]
    (tmp_path / "store/blobs/sha256" / digest[7:]).unlink()
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), states(session)) == (["blob-missing"], [(0, "absent"), (1, "read")])
    (row,) = session.rows("images")
    assert (row["layers"], row["complete"], row["content_bytes"]) == (2, False, None)
    assert row["read_bytes"] == 25
    chains = session.ask("SELECT chain_id FROM scan_image_layers ORDER BY position").dicts()
    assert [row["chain_id"] for row in chains] == IMAGE.chain_ids


def test_an_absent_layer_has_the_rows_of_another_source(tmp_path: Path) -> None:
    """Another source gave the layer of the diff ID that the config names."""
    write_oci_layout(tmp_path / "whole", [IMAGE])
    contents = write_oci_layout(tmp_path / "part", [IMAGE])
    (tmp_path / "part/blobs/sha256" / contents.layers[IMAGE.image_id][0][7:]).unlink()
    scan_only(tmp_path / "catalog", tmp_path / "whole")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "part")
    assert codes(outcome) == ["blob-missing"]
    (row,) = session.rows("images")
    assert (row["complete"], row["live_bytes"]) == (True, 75)


def test_a_layer_of_an_unknown_type_is_not_read(tmp_path: Path) -> None:
    """A layer that is not a tar is listed and not unpacked."""
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


def test_compression_is_recognised_by_its_magic_number(tmp_path: Path) -> None:
    """The media type does not decide."""
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
def test_a_layer_without_members_is_empty(trailer: int, tmp_path: Path) -> None:
    """Its tar may have an end mark, half of one, or no bytes at all."""
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
def test_an_image_without_layers_has_zero_bytes(kind: str, tmp_path: Path) -> None:
    """FROM scratch alone is an image of zero layers and bytes, with efficiency 1."""
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


def test_a_layer_at_two_positions_is_read_once(tmp_path: Path) -> None:
    """The same layer at two positions of one image has two rows there."""
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
def test_steps_of_the_history_belong_to_layers_in_order(
    history: list | None, expected: list, tmp_path: Path
) -> None:
    """Empty steps are left out; if steps are missing, none is invented."""
    image = Image([BASE, UPPER], names=["localhost/app:1"], history=history)
    write_oci_layout(tmp_path / "store", [image])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert codes(outcome) == []
    rows = session.ask("SELECT created_by FROM scan_image_layers ORDER BY position").dicts()
    assert [row["created_by"] for row in rows] == expected
