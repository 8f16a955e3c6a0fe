"""Docker archives of every age."""

from pathlib import Path
from typing import Any

import pytest
from builders import (
    Image,
    file,
    json_of,
    raw,
    symlink,
    tar_of,
    v1_ids,
    whiteout,
    write_docker_archive,
)
from helpers.scanning import codes, scanned

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


def test_an_archive_without_configs_is_known_by_its_layers(tmp_path: Path) -> None:
    """Docker before 1.10 wrote no config, so the image ID is of the chain of diff IDs."""
    write_docker_archive(tmp_path / "old.tar", [IMAGE], "repositories-only")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "old.tar")
    assert codes(outcome) == []
    (row,) = session.rows("images")
    assert row["names"] == ["localhost/app:1"]
    assert row["image_id"] == f"bare:{IMAGE.chain_ids[-1]}"
    assert (row["digest"], row["platform"]) == (None, "linux/amd64")
    assert (row["content_bytes"], row["live_bytes"]) == (175, 75)


def test_two_names_with_two_tops_are_two_images(tmp_path: Path) -> None:
    """Two images share the base below their top layers."""
    other = Image([BASE, tar_of([file("d", b"4" * 10)])], names=["localhost/app:2"])
    write_docker_archive(tmp_path / "old.tar", [IMAGE, other], "repositories-only")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "old.tar")
    assert codes(outcome) == []
    (totals,) = session.rows("totals")
    assert (totals["images"], totals["unpacked_bytes"], totals["naive_bytes"]) == (2, 185, 335)


@pytest.mark.parametrize("link_first", [False, True])
@pytest.mark.parametrize("outer", ["none", "gzip"])
def test_a_repeated_layer_may_be_a_link(outer: str, link_first: bool, tmp_path: Path) -> None:
    """The link may be before its target in the archive or after it."""
    twice = Image([BASE, UPPER, BASE], names=["localhost/twice:1"])
    write_docker_archive(tmp_path / "saved.tar", [twice], outer=outer, link_first=link_first)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert (codes(outcome), outcome.layers_read) == ([], 2)
    (row,) = session.rows("images")
    assert (row["layers"], row["content_bytes"], row["live_bytes"]) == (3, 325, 175)


def test_links_to_links_are_followed(tmp_path: Path) -> None:
    """Links are followed inside the archive; a name with ``./`` is the same name."""
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


def test_an_image_saved_by_its_id_has_no_name(tmp_path: Path) -> None:
    """RepoTags may be null: the image has no name and is known by its ID."""
    write_docker_archive(tmp_path / "saved.tar", [Image([BASE])])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    (row,) = session.rows("images")
    assert (codes(outcome), row["names"]) == ([], [])
    assert row["name"] == row["image_id"] == Image([BASE]).image_id


@pytest.mark.parametrize("inner", ["gzip", "zstd", "xz", "bzip2"])
def test_layers_in_an_archive_may_be_compressed(inner: str, tmp_path: Path) -> None:
    """Layers may be compressed inside the archive, whatever their file name says."""
    write_docker_archive(tmp_path / "saved.tar", [IMAGE], "podman", inner=inner)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert codes(outcome) == []
    assert session.rows("images")[0]["live_bytes"] == 75
