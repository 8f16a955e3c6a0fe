"""Places with nothing to read: empty ones, links alone, and roots that are recognised only."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Image, write_oci_layout
from builders.docker import DockerRoot, write
from builders.samples import APP, BASE
from helpers.scanning import codes, find_sources, only_source, scan_only

from dedupe.model.disk import PlaceKind
from dedupe.model.images import FoundSource, Problem, Severity, SourceKind


def worker(root: Path) -> None:
    """A folder of one of BuildKit's workers, with an image layout's blobs."""
    write_oci_layout(root / "content", [APP])
    for name in ("oci-layout", "index.json"):
        (root / "content" / name).unlink()
    write(root / "snapshots/snapshots/1/fs/a", b"a" * 9000)
    write(root / "containerdmeta.db", b"")


def buildkit(root: Path) -> None:
    """BuildKit's root."""
    write(root / "cache.db", b"")
    worker(root / "runc-overlayfs")


def new_buildkit(root: Path) -> None:
    """BuildKit's root before its first build."""
    write(root / "buildkitd.lock", b"")
    worker(root / "containerd-stargz")


def in_docker(root: Path) -> None:
    """BuildKit's folder in docker's root."""
    for name in ("cache.db", "snapshots.db", "metadata_v2.db", "containerdmeta.db"):
        write(root / name, b"")
    write(root / "content/ingest/x", b"x" * 100)
    (root / "executor").mkdir()


def stargz(root: Path) -> None:
    """The stargz snapshotter's root."""
    write(root / "snapshotter/snapshots/1/fs/x", b"x" * 9000)
    write(root / "snapshotter/metadata.db", b"m" * 4096)
    write(root / "stargz/httpcache/ab/cd", BASE)


def soci(root: Path) -> None:
    """The SOCI snapshotter's root."""
    stargz(root)
    (root / "stargz").rename(root / "soci")
    write(root / "artifacts.db", b"")
    write(root / "content/blobs/sha256" / ("a" * 64), BASE)


def nydus(root: Path) -> None:
    """The nydus snapshotter's root."""
    write(root / "snapshots/1/fs/image/image.boot", b"n" * 9000)
    write(root / "metadata.db", b"m" * 4096)
    write(root / "cache" / ("b" * 64), BASE)
    write(root / "nydus.db", b"")


def snapshotter(root: Path) -> None:
    """The folder of another snapshotter."""
    write(root / "snapshots/1/fs/rootfs.tar", BASE)
    write(root / "metadata.db", b"m" * 4096)


ROOTS: list[tuple[Callable[[Path], None], SourceKind]] = [
    (buildkit, SourceKind.BUILDKIT),
    (new_buildkit, SourceKind.BUILDKIT),
    (worker, SourceKind.BUILDKIT),
    (in_docker, SourceKind.BUILDKIT),
    (stargz, SourceKind.STARGZ),
    (soci, SourceKind.SOCI),
    (nydus, SourceKind.NYDUS),
    (snapshotter, SourceKind.SNAPSHOTTER),
]


@pytest.mark.parametrize(("write_root", "kind"), ROOTS)
def test_a_root_that_is_not_read_is_measured(
    write_root: Callable[[Path], None], kind: SourceKind, tmp_path: Path
) -> None:
    """Its bytes are recorded, no file in it is an image, and what it refers to is unknown."""
    root = tmp_path / "place/root"
    write_root(root)
    source, problem = find_sources(tmp_path / "place")
    assert isinstance(source, FoundSource)
    assert (source.kind, source.images, source.location) == (kind, [], str(root))
    sizes = [path.stat().st_size for path in root.rglob("*") if path.is_file()]
    blocks = [path.stat().st_blocks * 512 for path in (root, *root.rglob("*"))]
    assert source.stored_bytes == sum(sizes)
    assert source.allocated_bytes == source.other_bytes == sum(blocks)
    assert source.orphan_bytes is None
    assert source.unseen_references
    (note,) = source.problems
    assert (note.code, note.severity) == ("not-read", Severity.NOTE)
    places = {place.path: place.facts for place in source.places}
    folders = {path.name for path in root.iterdir() if path.is_dir()}
    assert {"", *folders} <= places.keys()
    if kind is SourceKind.BUILDKIT:
        tool = "docker" if write_root is in_docker else "buildctl"
        assert {places[name].kind for name in folders} == {PlaceKind.BUILD_CACHE}
        assert {places[name].command[0] for name in folders} == {tool}
        assert places[""].kind is PlaceKind.METADATA
        if (root / "runc-overlayfs").exists():
            assert "runc-overlayfs/snapshots" in places
    else:
        assert {facts.kind for facts in places.values()} == {PlaceKind.UNRECOGNISED}
    assert isinstance(problem, Problem)
    assert (problem.code, problem.subject) == ("nothing-found", str(tmp_path / "place"))
    assert f"{kind} (1 recognised, not read)" in problem.message


def test_a_root_that_is_not_read_beside_a_store_is_a_note(tmp_path: Path) -> None:
    """Something was read, so nothing is missing."""
    buildkit(tmp_path / "images/buildkit")
    write_oci_layout(tmp_path / "images/layout", [APP])
    outcome = scan_only(tmp_path / "catalog", tmp_path / "images")
    assert (codes(outcome), outcome.exit_code) == (["not-read"], 0)


def links(place: Path) -> None:
    """Links alone."""
    for number in range(12):
        (place / f"link{number}").symlink_to("/var/lib/docker")


def other_files(place: Path) -> None:
    """A text, a FIFO and a folder without anything."""
    (place / "notes.txt").write_text("no image")
    os.mkfifo(place / "fifo")
    (place / "folder").mkdir()


#: contents of a place, and what the message says of them
NOTHING: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda _: None, "no files and no links"),
    "links": (links, "12 links, none of them followed"),
    "a link": (lambda place: (place / "docker").symlink_to("/var"), "1 link, not followed"),
    "other files": (other_files, "2 other files"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_place_with_nothing_to_read_is_an_error(name: str, tmp_path: Path) -> None:
    """The error names the place, what was looked for, and what was found instead."""
    fill, shown = NOTHING[name]
    place = tmp_path / "place"
    place.mkdir()
    fill(place)
    outcome = scan_only(tmp_path / "catalog", place)
    (problem,) = outcome.problems
    assert (problem.code, problem.source, problem.subject) == ("nothing-found", *[str(place)] * 2)
    assert f": {shown}; looked for docker (" in problem.message
    assert (outcome.exit_code, outcome.sources) == (3, 0)


def test_one_of_two_places_with_nothing_is_skipped(tmp_path: Path) -> None:
    """The exit code is that of something skipped, also if the other place has no images."""
    (tmp_path / "empty").mkdir()
    write_oci_layout(tmp_path / "layout", [Image([BASE], names=["a"])])
    DockerRoot(tmp_path / "docker").image.joinpath("imagedb/content/sha256").mkdir(parents=True)
    for number, other in enumerate(("layout", "docker")):
        outcome = scan_only(tmp_path / f"catalog{number}", tmp_path / "empty", tmp_path / other)
        (problem,) = outcome.problems
        assert (problem.code, problem.source) == ("nothing-found", str(tmp_path / "empty"))
        assert outcome.exit_code == 1


def test_a_place_inside_another_one_was_searched(tmp_path: Path) -> None:
    """It is not a place with nothing."""
    write_oci_layout(tmp_path / "images/layout", [APP])
    outcome = scan_only(tmp_path / "catalog", tmp_path / "images", tmp_path / "images/layout/blobs")
    assert codes(outcome) == []


def test_a_link_that_the_user_named_is_followed(tmp_path: Path) -> None:
    """A daemon's root may be a link to another disk."""
    DockerRoot(tmp_path / "disk/docker").add(APP)
    (tmp_path / "docker").symlink_to(tmp_path / "disk/docker")
    assert [image.image_id for image in only_source(tmp_path / "docker").images] == [APP.image_id]


def test_other_links_in_a_root_that_is_not_read_are_entries(tmp_path: Path) -> None:
    """Links to files, and to nothing, are no errors; what they lead to is not counted."""
    stargz(tmp_path / "root")
    write(tmp_path / "big", b"b" * 90_000)
    for name, target in (("file", "../big"), ("dangling", "nowhere"), ("loop", "loop")):
        (tmp_path / "root" / name).symlink_to(target)
    source, _ = find_sources(tmp_path / "root")
    assert isinstance(source, FoundSource)
    assert [problem.code for problem in source.problems] == ["not-read"]
    assert source.stored_bytes < 90_000
