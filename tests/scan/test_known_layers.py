"""A layer that was known before keeps its blob: no row depends on the order of scanning."""

import io
import json
import random
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from builders import (
    Image,
    digest_of,
    file,
    tar_of,
    write_dir,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from builders.containerd import ContainerdRoot
from builders.registry import RegistryStore
from helpers.scanning import Silence, codes, scan_only, scanned

from dedupe.analysis.diff import compare_images, compare_scans, compare_sources, summarise
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.opening import read_scans
from dedupe.store.session import Session
from dedupe.store.views import scan_ids

BASE = tar_of([file("base", b"1" * 4000)])
ONE = Image([BASE, tar_of([file("one", b"2" * 300)]), BASE], names=["docker.io/library/one:1"])
TWO = Image([BASE, tar_of([file("two", b"3" * 500)])], names=["docker.io/library/two:1"])


def _containerd(to: Path) -> None:
    root = ContainerdRoot(to)
    root.add(ONE)
    root.add(TWO)
    root.write()


def _registry(to: Path) -> None:
    store = RegistryStore(to)
    store.image("team/one", ONE, "1")
    store.image("team/two", TWO, "1")


WRITERS: dict[str, Callable[[Path], object]] = {
    "docker": lambda to: write_docker_archive(to, [ONE, TWO]),
    "gzip-inside": lambda to: write_docker_archive(to, [ONE, TWO], inner="gzip"),
    "gzip-inside-zstd": lambda to: write_docker_archive(to, [ONE, TWO], inner="gzip", outer="zstd"),
    "docker-in-gzip": lambda to: write_docker_archive(to, [TWO, ONE], outer="gzip"),
    "podman": lambda to: write_docker_archive(to, [TWO], "podman"),
    "docker25": lambda to: write_docker_archive(to, [ONE], "docker25"),
    "v1": lambda to: write_docker_archive(to, [ONE], "repositories-only"),
    "containerd-export": lambda to: write_docker_archive(to, [ONE, TWO], "containerd"),
    "layout": lambda to: write_oci_layout(to, [ONE, TWO]),
    "archive": lambda to: write_oci_archive(to, [TWO, ONE], "zstd-frames"),
    "dir": lambda to: write_dir(to, ONE),
    "containerd": _containerd,
    "registry": _registry,
}


def layer_rows(catalog: Path) -> list[tuple[object, ...]]:
    """Rows of image_layers of all scans, without what says when a layer was read."""
    rows = read_scans(
        catalog,
        "SELECT source, image_id, position, diff_id, layer, chain_id, blob, compressed_bytes, "
        "created_by, digest FROM image_layers",
    )
    return sorted(rows, key=str)


def scanned_in_turn(catalog: Path, scans: Iterable[Sequence[Path]]) -> list[tuple[object, ...]]:
    """Rows of image_layers after one scan of each of these groups of places."""
    for places in scans:
        assert codes(scan_only(catalog, *places)) == []
    return layer_rows(catalog)


def test_no_row_depends_on_the_order_of_scanning(tmp_path: Path) -> None:
    """Whatever was known before a scan, it gives the rows that it gives in an empty catalog."""
    places = [tmp_path / name for name in WRITERS]
    alone: list[tuple[object, ...]] = []
    for place in places:
        WRITERS[place.name](place)
        alone += scanned_in_turn(tmp_path / f"alone {place.name}", [[place]])
    assert all(blob and size for *_, blob, size, _, _ in alone)
    orders = [
        places,
        places[::-1],
        *(random.Random(seed).sample(places, len(places)) for seed in (1, 2)),
    ]
    for number, order in enumerate(orders):
        catalog = tmp_path / f"catalog {number}"
        assert scanned_in_turn(catalog, [[place] for place in order]) == sorted(alone, key=str)
    assert scanned_in_turn(tmp_path / "at once", [places]) == sorted(alone, key=str)


@pytest.mark.parametrize("outer", ["none", "gzip"])
def test_a_member_that_differs_from_the_layer_s_tar_is_hashed(outer: str, tmp_path: Path) -> None:
    """The blob of a known layer is what the archive holds, though only its size was compared."""
    write_docker_archive(tmp_path / "plain.tar", [ONE])
    wrapped = write_docker_archive(tmp_path / "wrapped.tar", [ONE], inner="gzip", outer=outer)
    scan_only(tmp_path / "catalog", tmp_path / "plain.tar")
    scan_only(tmp_path / "catalog", tmp_path / "wrapped.tar")
    session = Session(tmp_path / "catalog", "latest")
    rows = session.ask("SELECT position, blob, state FROM scan_image_layers ORDER BY 1").rows
    assert [(blob, state) for _, blob, state in rows] == [
        (digest, "reused") for digest in wrapped.layers[ONE.image_id]
    ]


def test_a_member_that_cannot_be_hashed_is_a_problem(tmp_path: Path) -> None:
    """An archive that lost its end after it was listed gives no digest, and says so."""
    write_docker_archive(tmp_path / "plain.tar", [ONE])
    scan_only(tmp_path / "catalog", tmp_path / "plain.tar")
    write_docker_archive(tmp_path / "wrapped.tar", [ONE], inner="gzip")
    found = list(discover([tmp_path / "wrapped.tar"], Selection()))
    (tmp_path / "wrapped.tar").write_bytes(b"")
    outcome = scan_sources(found, Catalog(tmp_path / "catalog"), Silence(), workers=2)
    assert codes(outcome) == ["blob-truncated"] * 2
    rows = read_scans(
        tmp_path / "catalog",
        "SELECT DISTINCT blob, state FROM image_layers WHERE scan = $scan",
        scan=outcome.scan_id,
    )
    assert rows == [(None, "reused")]


def _noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _saved(path: Path, layers: Sequence[bytes]) -> None:
    """An archive of one image called app:latest, as CI saves it."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
    ).encode()
    name = digest_of(config)[7:] + ".json"
    files = {name: config, **{f"{digest_of(each)[7:]}/layer.tar": each for each in layers}}
    listed = [{"Config": name, "RepoTags": ["app:latest"], "Layers": list(files)[1:]}]
    files["manifest.json"] = json.dumps(listed).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("order", [["main", "pr"], ["pr", "main"], None])
def test_an_archive_of_a_pull_request_is_compared_with_main(
    order: list[str] | None, tmp_path: Path
) -> None:
    """What both hold, what a pull transfers, and what changed count the same blobs in each order.

    The base is in both archives; the sizes are those of the members.
    """
    base = tar_of([file("base", _noise(80000, 1))])
    site = [file(f"lib/{number}", _noise(1000, 100 + number)) for number in range(5)]
    layers = {
        "main": [base, tar_of(site), tar_of([file("app", _noise(10000, 2))])],
        "pr": [
            base,
            tar_of([*site, file("lib/torch", _noise(200000, 3))]),
            tar_of([file("app", _noise(10050, 4))]),
        ],
    }
    for name, tars in layers.items():
        _saved(tmp_path / f"{name}.tar", tars)
    own = {name: sum(len(tar) for tar in tars[1:]) for name, tars in layers.items()}
    catalog = tmp_path / "catalog"
    for name in order or []:
        scan_only(catalog, tmp_path / f"{name}.tar")
    # the sources of one scan, all of whose layers may be known
    session = scanned(catalog, tmp_path / "main.tar", tmp_path / "pr.tar")[1]
    assert session.view.is_last_scan
    held = {
        row["granularity"]: row
        for row in session.rows(compare_sources(session, "*main.tar", "*pr.tar").summary)
    }["compressed"]
    assert (held["shared"], held["shared_bytes"]) == (1, len(base))
    assert (held["only_first"], held["first_bytes"]) == (2, own["main"])
    assert (held["only_second"], held["second_bytes"]) == (2, own["pr"])
    ids = {
        str(row["sources"][0]).rpartition("/")[2][:-4]: row["image_id"]
        for row in session.rows("images")
    }
    pull = summarise(session, compare_images(session, ids["pr"], ids["main"])).summary
    assert (pull["pull_compressed_bytes"], pull["pull_blobs"]) == (own["main"], 2)
    if order:
        first, second = scan_ids(catalog)[:2]
        changed = summarise(session, compare_scans(session, first, second)).summary
        assert changed["compressed_freed_bytes"] == own[order[0]]
        assert changed["compressed_appeared_bytes"] == own[order[1]]
