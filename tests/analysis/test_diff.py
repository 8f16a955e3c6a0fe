"""Comparisons of two images (judged by their unpacked trees), two scans, and groups of sources."""

import json
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from blake3 import blake3
from builders import Image, Member, file, symlink, tar_of, whiteout, write_oci_layout
from helpers.commands import invoke
from helpers.examples import examples
from helpers.judges import EDGES, need
from helpers.scanning import scan_images, scan_only, scanned
from helpers.strategies import stacks
from hypothesis import HealthCheck, given, settings

from dedupe.analysis.diff import compare_images, compare_scans, compare_sources, summarise
from dedupe.errors import DedupeError, StoreError
from dedupe.model.paths import path_text
from dedupe.store.session import Session
from dedupe.store.views import scan_ids

METADATA = {"mode", "uid", "gid", "mtime", "xattrs"}


def image_of(name: str, *layers: Sequence[Member]) -> Image:
    """An image of these layers with a name."""
    return Image([tar_of(layer) for layer in layers], names=[name], settings={"Hostname": name})


def differences(session: Session, old: str, new: str) -> tuple[dict, list[dict], list[dict]]:
    """Summary, rows, and the row about the first layer that differs."""
    comparison = compare_images(session, old, new)
    found = summarise(session, comparison)
    first = found.first_difference
    return found.summary, session.rows(comparison.rows), [first] if first else []


def changes(rows: list[dict]) -> dict[str, tuple]:
    """The rows without those of directories that only a time changed."""
    return {row["path"]: (row["change"], tuple(row["fields"])) for row in rows}


def content_of(path: bytes) -> bytes:
    """The content hash of a file on disk."""
    return blake3(Path(os.fsdecode(path)).read_bytes()).digest()


def tree_of(root: Path) -> dict[str, dict]:
    """Fields by path of a folder on disk."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for entry in (*folders, *files):
            path = os.path.join(folder, entry)
            status = os.lstat(path)
            regular, link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
            found[path_text(os.path.relpath(path, os.fsencode(root)))] = {
                "kind": stat.S_IFMT(status.st_mode),
                "content": content_of(path) if regular else None,
                "link": os.readlink(path) if link else None,
                "mode": stat.S_IMODE(status.st_mode),
                "uid": status.st_uid,
                "gid": status.st_gid,
                # the time of a folder that umoci unpacks is random
                "mtime": None if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns,
            }
    return found


def agrees_with_umoci(layout: Path, old: str, new: str, folder: Path) -> None:
    """Check a comparison against the two trees that umoci unpacks."""
    show = need("umoci")
    session = scanned(folder / "catalog", layout)[1]
    with show(layout, old, folder) as root:
        before = tree_of(root)
    with show(layout, new, folder) as root:
        after = tree_of(root)
    expected = dict.fromkeys(after.keys() - before.keys(), ("added", ()))
    expected |= dict.fromkeys(before.keys() - after.keys(), ("removed", ()))
    for path in before.keys() & after.keys():
        fields = {name for name in before[path] if before[path][name] != after[path][name]}
        if fields:
            change = "metadata_only" if fields <= METADATA else "changed"
            expected[path] = (change, tuple(sorted(fields)))
    directories = {
        path
        for path in before.keys() & after.keys()
        if stat.S_ISDIR(before[path]["kind"]) and stat.S_ISDIR(after[path]["kind"])
    }
    summary, rows, _ = differences(session, old, new)
    ours = {}
    for path, (change, fields) in changes(rows).items():
        kept = tuple(sorted(set(fields) - ({"mtime"} if path in directories else set())))
        if kept or change in ("added", "removed"):
            ours[path] = (change, kept)
    assert ours == expected
    assert summary["unchanged"] + len(rows) == len(before.keys() | after.keys())


@pytest.mark.tools
def test_a_comparison_is_that_of_the_unpacked_trees(tmp_path: Path) -> None:
    """Added, removed, changed and fields are those of both unpacked trees, in both directions."""
    need("umoci")
    more = [
        whiteout("d"),
        file("linked", b"4" * 40, mode=0o755, mtime=9),
        symlink("to-d", "/e"),
        file("implied/deep/new", b"9"),
        file("points", b"other text"),
    ]
    images = [image_of("localhost/a:1", *EDGES), image_of("localhost/b:1", *EDGES, more)]
    write_oci_layout(tmp_path / "store", images)
    agrees_with_umoci(tmp_path / "store", "localhost/a:1", "localhost/b:1", tmp_path)
    agrees_with_umoci(tmp_path / "store", "localhost/b:1", "localhost/a:1", tmp_path)


@pytest.mark.estate
@pytest.mark.skipif("DEDUPE_ESTATE" not in os.environ, reason="DEDUPE_ESTATE names no estate")
def test_a_comparison_of_real_images_is_that_of_the_unpacked_trees(tmp_path: Path) -> None:
    """The same for two tags of a real image."""
    layout = Path(os.environ["DEDUPE_ESTATE"]) / "oci"
    agrees_with_umoci(layout, "localhost/app/web:1.2", "localhost/app/web:1.3", tmp_path)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(old=stacks(), new=stacks())
def test_comparing_backwards_mirrors_the_differences(old: Sequence, new: Sequence) -> None:
    """An image does not differ from itself; comparing backwards swaps added and removed."""
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), [image_of("old:1", *old), image_of("new:1", *new)])
        assert differences(session, "old:1", "old:1")[1:] == ([], [])
        there, rows, _ = differences(session, "old:1", "new:1")
        back, mirrored, _ = differences(session, "new:1", "old:1")
    turned = {"added": "removed", "removed": "added"}
    assert changes(mirrored) == {
        path: (turned.get(change, change), fields)
        for path, (change, fields) in changes(rows).items()
    }
    assert (there["added"], there["unchanged"]) == (back["removed"], back["unchanged"])
    assert there["changed_old_bytes"] == back["changed_new_bytes"]


def test_the_first_differing_layer_has_a_reason(tmp_path: Path) -> None:
    """The reason is times, content or a longer stack; only blobs that are missing are pulled."""
    base = [file("a", b"1" * 10)]
    timed = [file("a", b"1" * 10, mtime=9)]
    other = [file("a", b"2" * 10, mtime=9), file("b", b"3")]
    session = scan_images(
        tmp_path,
        [
            image_of("base:1", base),
            image_of("timed:1", timed),
            image_of("other:1", other),
            image_of("more:1", base, other),
        ],
    )
    reasons = {}
    for new in ("timed:1", "other:1", "more:1"):
        summary, _, (first,) = differences(session, "base:1", new)
        reasons[new] = (first["reason"], first["position"], summary["pull_blobs"])
    assert reasons == {
        "timed:1": ("timestamps", 0, 1),
        "other:1": ("content", 0, 1),
        "more:1": ("added", 1, 1),
    }
    summary, _, (first,) = differences(session, "other:1", "more:1")
    assert (summary["shared_layers"], summary["shared_chain"]) == (1, 0)
    assert summary["pull_compressed_bytes"] == len(tar_of(base))
    assert [(each["path"], each["fields"]) for each in first["paths"]] == [
        ("a", ["content", "mtime"]),
        ("b", []),
    ]


def test_scans_differ_by_what_appeared_and_what_was_freed(tmp_path: Path) -> None:
    """What appeared less what was freed is the difference; a moved name is reported."""
    kept, gone, come = ([file("f", text)] for text in (b"1" * 10, b"2" * 20, b"3" * 40))
    store, catalog = tmp_path / "store", tmp_path / "catalog"
    write_oci_layout(store, [image_of("kept:1", kept), image_of("tag:1", kept, gone)], "none")
    scan_only(catalog, store)
    store.rename(tmp_path / "before")
    moved = Image([tar_of(kept), tar_of(come)], names=["tag:1"])
    write_oci_layout(store, [image_of("kept:1", kept), moved], "none")
    scan_only(catalog, store)
    old, new = scan_ids(catalog)
    session = Session(catalog)
    comparison = compare_scans(session, old, new)
    row = summarise(session, comparison).summary
    assert (row["unpacked_appeared_bytes"], row["unpacked_freed_bytes"]) == (40, 20)
    for unit in ("unpacked", "compressed"):
        grown = row[f"new_{unit}_bytes"] - row[f"old_{unit}_bytes"]
        assert grown == row[f"{unit}_appeared_bytes"] - row[f"{unit}_freed_bytes"]
    assert (row["images_appeared"], row["images_gone"], row["names_moved"]) == (1, 1, 1)
    told = [(each["what"], each["change"]) for each in session.rows(comparison.rows)]
    assert [pair for pair in told if pair[0] != "source"] == [
        ("image", "appeared"),
        ("image", "gone"),
        ("name", "moved"),
        ("layer", "appeared"),
        ("layer", "gone"),
    ]
    assert not session.rows(compare_scans(session, new, new).rows)
    with pytest.raises(StoreError, match="no scan 1999"):
        compare_scans(session, old, "1999")


def test_groups_of_sources_share_units(tmp_path: Path) -> None:
    """Units are in both groups or in one; a glob that matches nothing gets the sources' names."""
    one, two = [file("f", b"1" * 10), file("g", b"5")], [file("h", b"1" * 10)]
    write_oci_layout(tmp_path / "a", [image_of("one:1", one)], "none")
    write_oci_layout(tmp_path / "b", [image_of("one:1", one), image_of("two:1", two)], "none")
    session = scanned(tmp_path / "catalog", tmp_path / "a", tmp_path / "b")[1]
    comparison = compare_sources(session, "*/a", "*/b")
    rows = {row["granularity"]: row for row in summarise(session, comparison).summary}
    for granularity in ("image", "layer", "unpacked"):
        row = rows[granularity]
        assert (row["shared"], row["only_first"], row["only_second"]) == (1, 0, 1)
        assert (row["shared_bytes"], row["second_bytes"]) == (11, 10)
    # all contents of the second layer are in the first store too
    assert (rows["content"]["shared_bytes"], rows["content"]["second_bytes"]) == (11, 0)
    assert [(row["what"], row["held_by"]) for row in session.rows(comparison.rows)] == [
        ("image", "second"),
        ("image", "both"),
        ("layer", "second"),
        ("layer", "both"),
    ]
    with pytest.raises(StoreError, match="no such source; there are"):
        compare_sources(session, "*/c", "*/b")


def test_the_command_prints_a_summary_and_then_rows(tmp_path: Path) -> None:
    """Text has the summary first; other forms have rows, or the summary as a document."""
    base = [file("a", b"1")]
    scan_images(tmp_path, [image_of("old:1", base), image_of("new:1", base, [file("b", b"22")])])
    catalog = ("--catalog", str(tmp_path / "catalog"))
    text = invoke("diff", "old:1", "new:1", *catalog)
    assert text.index("1  added, 2 B") < text.index("old_bytes")
    assert json.loads(invoke("diff", "old", "new", "-f", "json", *catalog))[0]["path"] == "b"
    document = json.loads(invoke("diff", "old", "new", "--summary", "-f", "json", *catalog))
    assert (document["compared"], document["summary"]["added_bytes"]) == ("images", 2)
    assert document["first_difference"]["reason"] == "added"
    assert "queries/diff/files.sql" in invoke("diff", "old", "new", "--explain", *catalog)
    with pytest.raises(DedupeError, match="expected two images"):
        invoke("diff", "old", *catalog)
