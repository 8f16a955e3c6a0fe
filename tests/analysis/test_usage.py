"""Usage by image, group, layer and so on: rows add up, and agree with the oracle."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import oracle
import polars as pl
import pytest
from builders import Image, file, image, tar_of, write_bare_tar, write_docker_archive
from builders.layouts import oci_contents
from helpers.catalogs import sign
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_images, scanned
from helpers.strategies import images_of, named_stores
from hypothesis import HealthCheck, given, settings
from oracle import GRANULARITIES

from dedupe.store.session import Session

BY = ("image", "repository", "namespace", "tag-series", "base", "group")
TOTALS = {
    "compressed": "compressed_bytes",
    "unpacked": "unpacked_bytes",
    "content": "unique_content_bytes",
}


def usage(session: Session, by: str, *globs: str) -> list[dict]:
    """Rows of one grouping."""
    if by == "layer":
        return session.rows("usage/layers", granularity="unpacked")
    return session.rows("usage/groups", by=by, globs=list(globs), granularity="unpacked")


def assert_adds_up(session: Session, rows: list[dict]) -> None:
    """Check that exclusive and attributed bytes of all rows are the totals.

    What an archive has besides blobs is in no total but that of stored bytes.
    """
    (totals,) = session.rows("totals")
    for granularity, column in TOTALS.items():
        whole = totals[column] + (totals["orphan_bytes"] if granularity == "compressed" else 0)
        for kind in ("exclusive", "attributed"):
            known = (row for row in rows if row["kind"] != "rest")
            assert sum(row[f"{kind}_{granularity}"] or 0 for row in known) == whole, kind
        for row in rows:
            if row["kind"] == "group":
                shared = row[f"referenced_{granularity}"] - row[f"exclusive_{granularity}"]
                assert row[f"shared_{granularity}"] == shared
    assert sum(row["dead_bytes"] or 0 for row in rows) == totals["dead_bytes"]


def documents_of(one: Image) -> dict[str, int]:
    """Digests and sizes of an image's manifest and config."""
    contents = oci_contents([one], "none")
    digests = (one.image_id, contents.manifests[one.image_id])
    return {digest: len(contents.blobs[digest]) for digest in digests}


def repository(name: str) -> str:
    """The repository of a name."""
    return name.rpartition(":")[0]


def namespace(name: str) -> str:
    """The namespace of a name."""
    return repository(name).rpartition("/")[0] or "(no namespace)"


def tag_series(name: str) -> str:
    """The tag series of a name."""
    return name if name.endswith("latest") else f"{repository(name)}:*"


GROUPS: dict[str, Callable[[str], str]] = {
    "repository": repository,
    "namespace": namespace,
    "tag-series": tag_series,
    "group": lambda name: "*web*" if "web" in name else "r.*" if name[0] == "r" else "(other)",
}


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=named_stores())
def test_groups_of_random_stores_are_the_oracles(drawn: tuple) -> None:
    """In every grouping the rows add up, and each group has the bytes that the oracle gives it."""
    store, names = drawn
    images = images_of(store, names)
    ids = {image.image_id: name for name, image in images.items()}
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), images.values())
        rows = {by: usage(session, by, "*web*", "r.*") for by in (*BY, "layer")}
        known = {ids[row["image_id"]] for row in session.rows("image_names")}
        for by in (*BY, "layer"):
            assert_adds_up(session, rows[by])
    for by, group_of in GROUPS.items():
        groups = {
            image: {group_of(name) for name in names[image]} or {"(no name)"} for image in known
        }
        for granularity in GRANULARITIES:
            found = oracle.units(
                store.layers,
                {name: store.images[name] for name in known},
                granularity,
                {name: documents_of(images[name]) for name in known},
            )
            expected = oracle.partition(found, groups)
            exclusive = {
                "shared" if row["kind"] == "between" else row["name"]: row[
                    f"exclusive_{granularity}"
                ]
                for row in rows[by]
                if row["kind"] in ("group", "between")
            }
            assert Counter(exclusive) == expected
            referenced: Counter[str] = Counter()
            for weight, holders in found.values():
                for group in {group for holder in holders for group in groups[holder]}:
                    referenced[group] += weight
            assert referenced == Counter(
                {
                    row["name"]: row[f"referenced_{granularity}"]
                    for row in rows[by]
                    if row["kind"] == "group"
                }
            )


def test_an_image_with_names_in_two_groups_is_shared(tmp_path: Path) -> None:
    """An image with names in two groups is exclusive to neither."""
    both = image([file("a", b"1" * 10)], names=["x/app:1", "y/app:1"])
    one = image([file("b", b"2" * 5)], names=["x/tool:1"])
    session = scan_images(tmp_path, [both, one])
    rows = {row["name"]: row for row in usage(session, "namespace")}
    assert rows["x"]["exclusive_unpacked"] == 5
    assert rows["y"]["exclusive_unpacked"] == 0
    assert rows["(between groups)"]["exclusive_unpacked"] == 10
    assert rows["(between groups)"]["attributed_unpacked"] == 10
    assert rows["x"]["referenced_unpacked"] == 15
    assert rows["y"]["shared_unpacked"] == 10
    assert rows["(between groups)"]["images"] == 1


def test_an_image_is_grouped_under_its_longest_base(tmp_path: Path) -> None:
    """The base is the longest other image below it; an image without one is its own base."""
    low, middle, high = ([file(name, name * size)] for name, size in (("a", 1), ("b", 2), ("c", 4)))
    debian, python = image(low, names=["debian:1"]), image(low, middle, names=["python:1"])
    app = image(low, middle, high, names=["app:1"])
    session = scan_images(tmp_path, [debian, python, app])
    rows = {row["name"]: row for row in usage(session, "base") if row["kind"] == "group"}
    assert {name: row["images"] for name, row in rows.items()} == {"debian:1": 2, "python:1": 1}
    # debian's layer is in all three, python's in python and in app, which is in another group
    assert [rows[name]["exclusive_unpacked"] for name in ("debian:1", "python:1")] == [0, 4]


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("web:1.2.3", "web:*"),
        ("h:5000/a/web:v1.2_3-alpine3.18", "h:5000/a/web:v*-alpine*"),
        ("web:latest", "web:latest"),
        ("web:3fa9c1d", "web:*"),
        ("web:build-deadbee0", "web:build-*"),
        ("web:deadbeef", "web:*"),
        ("web:edge", "web:edge"),
        ("web:20240101", "web:*"),
        ("web:1.2@sha256:00", "web:*"),
        ("h:5000/web", "h:5000/web"),
    ],
)
def test_a_tag_series_cuts_versions_dates_and_commits(
    name: str, series: str, tmp_path: Path
) -> None:
    """Versions, dates and commits are cut from a tag; words stay."""
    session = scan_images(tmp_path, [image([file("a", b"1")], names=[name])])
    assert usage(session, "tag-series")[0]["name"] == series


def test_odd_names_are_groups_like_others(tmp_path: Path) -> None:
    """A name that is empty before its tag, or equal to a row of ours, is a group like others."""
    session = scan_images(
        tmp_path,
        [
            image([file("a", b"1" * 7)], names=[":1"]),
            image([file("b", b"2" * 5)], names=["(between groups)"]),
        ],
    )
    for by in BY:
        assert_adds_up(session, usage(session, by))
    groups = {row["name"] for row in usage(session, "repository") if row["kind"] == "group"}
    assert groups == {"(empty)", "(between groups)"}


def test_reused_layers_keep_their_size(tmp_path: Path) -> None:
    """Layers of a docker archive that is scanned again have the size that they had before."""
    one = Image([tar_of([file("a", b"1" * 100)])], names=["x:1"])
    write_docker_archive(tmp_path / "a.tar", [one])
    write_bare_tar(tmp_path / "b.tar", one.layers[0], "none")
    for paths in (["a.tar"], ["a.tar"], ["a.tar", "b.tar"]):
        session = scanned(tmp_path / "catalog", *(tmp_path / path for path in paths))[1]
        assert session.rows("totals")[0]["compressed_bytes"] == len(one.layers[0])
        assert_adds_up(session, usage(session, "image"))


def assert_all_adds_up(session: Session) -> None:
    """Check every grouping, and that deleting all images frees all that they reference."""
    for by in (*BY, "layer"):
        assert_adds_up(session, usage(session, by, "*"))
    (totals,) = session.rows("totals")
    images = [row["image_id"] for row in session.rows("image_names")]
    for row in session.rows("what_if/freed", images=images):
        if row["granularity"] != "disk":
            assert row["freed_bytes"] == totals[TOTALS[row["granularity"]]]
        assert (row["kept_bytes"], row["remaining_bytes"]) == (0, 0)
    lost = sum(row["position_loss_bytes"] for row in session.rows("usage/positions"))
    assert lost == totals["position_loss_bytes"]


@pytest.mark.external
def test_images_made_by_others_add_up(fixtures_folder: Path, tmp_path: Path) -> None:
    """Images that others made add up, each alone and all as one store."""
    archives = sorted(fixtures_folder.glob("*-archive/*.tar"))
    assert archives
    for number, archive in enumerate(archives):
        assert_all_adds_up(scanned(tmp_path / str(number), archive)[1])
    assert_all_adds_up(scanned(tmp_path / "all", *archives)[1])


@pytest.mark.estate
def test_real_images_add_up(tmp_path: Path) -> None:
    """Real images, as a layout and as archives in one store, add up."""
    folder = os.environ.get("DEDUPE_ESTATE")
    if not folder:
        pytest.skip("DEDUPE_ESTATE names no estate")
    sources = [path for path in (Path(folder) / "oci", Path(folder) / "archives") if path.exists()]
    assert_all_adds_up(scanned(tmp_path, *sources)[1])


def test_large_sums_and_shares_are_exact(tmp_path: Path) -> None:
    """Sums and shares beyond 53 bits, which no floating-point number holds, are exact."""
    huge = 2**60 + 1
    layer = [file("big", b"1")]
    both = [image(layer, [file("n", n)], names=[f"big:{n}"]) for n in "12"]
    scan_images(tmp_path, [*both, image([file("m", "3")], layer, names=["other:1"])])
    rows_of = {path: pl.read_parquet(path) for path in tmp_path.glob("catalog/layers/*.parquet")}
    (path,) = [path for path, row in rows_of.items() if row["layer"][0] == both[0].diff_ids[0]]
    rows_of[path].with_columns(content_bytes=pl.lit(huge)).write_parquet(path)
    sign(tmp_path / "catalog")
    session = Session(tmp_path / "catalog")
    rows = {row["name"]: row for row in usage(session, "repository")}
    assert rows["big"]["exclusive_unpacked"] == huge + 2
    assert rows["other"]["exclusive_unpacked"] == huge + 1
    shares = [row["attributed_unpacked"] for row in usage(session, "image")[:3]]
    assert sorted(shares) == [huge // 2 + 1, huge // 2 + 2, huge + 1]


def test_the_command_prints_one_granularity_and_json_three(tmp_path: Path) -> None:
    """The table has one granularity and a total, JSON has three; own groups and layers work."""
    scan_images(tmp_path, [image([file("a", b"1" * 1000)], names=["x/app:1"])])
    done = run(tmp_path / "catalog", "usage", "--by", "namespace")
    assert (done.returncode, done.stderr) == (0, "")
    header, group, *_ = done.stdout.splitlines()
    assert header.split()[:4] == ["attributed", "exclusive", "shared", "referenced"]
    assert group.split()[:4] == ["1.0", "kB", "1.0", "kB"]
    assert "total" in done.stdout
    done = run(tmp_path / "catalog", "usage", "--group", "*/app:*", "-f", "json")
    assert next(row["name"] for row in json.loads(done.stdout)) == "*/app:*"
    for by in ("layer", "image", "base", "repository", "tag-series"):
        assert run(tmp_path / "catalog", "usage", "--by", by, "-f", "json").returncode == 0
    done = run(tmp_path / "catalog", "usage", "--explain")
    assert "$by = 'repository'" in done.stdout
