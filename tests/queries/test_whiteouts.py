"""Edge cases of whiteouts and names: the view of the specification, flagged if stores differ."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest
from blake3 import blake3
from builders import (
    Image,
    Member,
    device,
    directory,
    file,
    global_header,
    hardlink,
    opaque,
    raw,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from helpers.scanning import Apart, scan_apart, scanned
from here import PROJECT

from dedupe.store.session import Session

BASE = [
    directory("d"),
    file("d/x", b"1" * 10),
    file("f", b"2" * 20),
    directory("e"),
    file("e/sub/1", b"3" * 40),
    directory("real"),
    symlink("sl", "real"),
]
#: the merged view of BASE
ALL = ["d", "d/x", "e", "e/sub/1", "f", "real", "sl"]


def session_of(folder: Path, *layers: Sequence[Member]) -> Session:
    """A scan of an image of these layers."""
    image = Image([tar_of(layer) for layer in layers], names=["i"])
    write_oci_layout(folder / "store", [image], "none")
    outcome, session = scanned(folder / "catalog", folder / "store")
    assert outcome.errors == 0
    return session


def seen(session: Session) -> list[str]:
    """Paths of the merged view."""
    return [row["path"] for row in session.rows("merged_view")]


def flagged(session: Session | Apart, layers: Collection[str] = ()) -> list[str]:
    """Flags with their paths, without what the views are; of all layers or those with these IDs."""
    rows = session.rows("problems")
    assert {row["severity"] for row in rows} <= {"note"}
    messages = [
        row["message"]
        for row in rows
        if row["code"] == "entry-flagged" and (not layers or row["subject"] in layers)
    ]
    return [message.partition(" (here")[0] for message in messages]


ONE_LAYER = {
    "whiteout of what is not there": ([whiteout("never")], ALL, []),
    "whiteout, then the file": ([whiteout("f"), file("f", b"new")], ALL, []),
    "file, then its whiteout": (
        [file("f", b"new"), whiteout("f")],
        ALL,
        ["whiteout-after-entry: f"],
    ),
    "whiteout, then the folder": (
        [whiteout("d"), directory("d"), file("d/y")],
        [*(path for path in ALL if path != "d/x"), "d/y"],
        ["whiteout-before-directory: d"],
    ),
    "folder, then its whiteout": (
        [directory("d"), file("d/y"), whiteout("d")],
        [*(path for path in ALL if path != "d/x"), "d/y"],
        ["whiteout-after-entry: d"],
    ),
    "whiteout, then entries below without the folder": (
        [whiteout("e"), file("e/sub/3")],
        [*(path for path in ALL if path not in ("e", "e/sub/1")), "e/sub/3"],
        ["whiteout-before-implied: e"],
    ),
    "opaque mark behind new siblings": (
        [directory("d"), file("d/y"), opaque("d")],
        [*(path for path in ALL if path != "d/x"), "d/y"],
        [],
    ),
    "opaque mark before new siblings": (
        [directory("d"), opaque("d"), file("d/y")],
        [*(path for path in ALL if path != "d/x"), "d/y"],
        [],
    ),
    "opaque root": ([opaque(""), file("new")], ["new"], ["opaque-root: "]),
    "whiteout with data": (
        [raw(b".wh.f", content=b"data" * 300), file("after")],
        ["after", *(path for path in ALL if path != "f")],
        [],
    ),
    "whiteout that is a folder": (
        [raw(b".wh.f/", flag=b"5")],
        [path for path in ALL if path != "f"],
        [],
    ),
    "whiteout that is a hard link": (
        [Member(".wh.f", "h", target="d/x")],
        [path for path in ALL if path != "f"],
        [],
    ),
    "whiteout of nothing": ([raw(b".wh.")], ALL, ["invalid-whiteout: .wh."]),
    "whiteout of .": ([raw(b"d/.wh..")], ALL, ["invalid-whiteout: d/.wh.."]),
    "whiteout of ..": ([raw(b"d/.wh...")], ALL, ["invalid-whiteout: d/.wh..."]),
    "AUFS metadata": (
        [
            raw(b".wh..wh.aufs"),
            raw(b".wh..wh.plnk/", flag=b"5"),
            raw(b".wh..wh.plnk/123", content=b"4" * 80),
            raw(b"d/.wh..wh.orph", content=b"5" * 160),
            raw(b"d/.wh..wh..opqx"),
        ],
        ALL,
        [
            "aufs-metadata: .wh..wh.aufs",
            "aufs-metadata: .wh..wh.plnk",
            "aufs-metadata: .wh..wh.plnk/123",
            "aufs-metadata: d/.wh..wh..opqx",
            "aufs-metadata: d/.wh..wh.orph",
        ],
    ),
    "character device 0:0": (
        [device("f", "c", 0, 0), device("null", "c", 1, 3)],
        [*ALL, "null"],
        ["overlay-whiteout-hazard: f"],
    ),
    "overlay xattrs": (
        [
            directory("d", xattrs={"trusted.overlay.opaque": b"y"}),
            directory("zz", xattrs={"user.overlay.redirect": b"/e"}),
            directory("e", xattrs={"user.other": b"1"}),
        ],
        [*ALL, "zz"],
        ["overlay-xattr-in-tar: d", "overlay-xattr-in-tar: zz"],
    ),
    "a path twice": (
        [file("new", b"1"), file("new", b"22")],
        [*ALL, "new"],
        ["duplicate-path: new"],
    ),
    "hard link to what follows": (
        [hardlink("again", "new"), file("new", b"1")],
        [*ALL, "new"],
        ["link-to-later: again"],
    ),
    "hard link to a lower file": (
        [hardlink("again", "f")],
        [*ALL, "again"],
        ["link-to-lower: again"],
    ),
    "a global header names what follows": (
        [global_header(path=b"decoy", uid=b"7"), file("second", b"2"), file("third", b"3")],
        [*ALL, "second", "third"],
        ["pax-global-header: decoy"],
    ),
    "a global header whose name is a whiteout": (
        [global_header(path=b".wh.f"), raw(b"e/.wh.sub", b"g")],
        ["d", "d/x", "e", "real", "sl"],
        ["pax-global-header: e/sub", "pax-global-header: f"],
    ),
    "a global header of a lower name": (
        [raw(b"f", b"g")],
        ALL,
        ["pax-global-header: f"],
    ),
    "a file with a slash at its end": (
        [raw(b"hidden/", b"0", content=b"5" * 80)],
        [*ALL, "hidden"],
        ["trailing-slash: hidden"],
    ),
    "a file with a slash in place of a folder": (
        [raw(b"d/", b"0", content=b"5" * 80)],
        ["d", "e", "e/sub/1", "f", "real", "sl"],
        ["trailing-slash: d"],
    ),
    "a folder of v7": (
        [raw(b"v7/", b"\0")],
        [*ALL, "v7"],
        [],
    ),
    "entries behind a lower symlink": (
        [file("sl/through", b"1")],
        [*(path for path in ALL if path != "sl"), "sl/through"],
        ["through-symlink: sl"],
    ),
    "a folder over a lower symlink": (
        [directory("sl"), file("sl/inside", b"1")],
        [*ALL, "sl/inside"],
        [],
    ),
}


@pytest.fixture(scope="module")
def layers_over_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """An image per case."""
    stacks = {case: [BASE, layer] for case, (layer, _, _) in ONE_LAYER.items()}
    scanned_apart = scan_apart(tmp_path_factory.mktemp("whiteouts"), stacks)
    layers = {layer for image in scanned_apart.images.values() for layer in image.diff_ids}
    assert {row["subject"] for row in scanned_apart.rows("problems")} <= layers
    yield scanned_apart
    scanned_apart.session.close()


@pytest.mark.parametrize("case", ONE_LAYER)
def test_a_layer_over_a_base_shows_the_specified_view(case: str, layers_over_base: Apart) -> None:
    """The merged view is the specification's, and the flags are those of docs/catalog.md."""
    _, view, flags = ONE_LAYER[case]
    image = layers_over_base.images[case]
    shown = [
        row["path"]
        for row in layers_over_base.rows("merged_view")
        if row["image_id"] == image.image_id
    ]
    assert shown == sorted(view)
    assert flagged(layers_over_base, image.diff_ids) == flags


def test_ignored_entries_are_rows_with_flags(tmp_path: Path) -> None:
    """An ignored entry is a row with its flag; its bytes are not content of the layer."""
    session = session_of(
        tmp_path,
        [raw(b".wh..wh.plnk/123", content=b"4" * 80), raw(b"d/.wh...", content=b"x"), file("f")],
    )
    rows = session.ask("SELECT path, kind, size_bytes, flags FROM entries ORDER BY member").dicts()
    assert [tuple(row.values()) for row in rows] == [
        (".wh..wh.plnk/123", "ignored", 0, "aufs-metadata"),
        ("d/.wh...", "ignored", 0, "invalid-whiteout"),
        ("f", "file", 0, None),
    ]
    assert session.rows("images")[0]["content_bytes"] == 0


def test_no_form_of_tar_hides_content(tmp_path: Path) -> None:
    """What follows a global header, and what ends in a slash, is listed with its content.

    Go's archive/tar reads both so, and docker, podman, containerd and umoci by it.
    """
    session = session_of(
        tmp_path,
        [
            global_header(**{"path": b"decoy", "SCHILY.xattr.user.x": b"A" * 100_000}),
            file("malware", b"1" * 10),
            raw(b"hidden/", b"0", content=b"2" * 500_000),
            raw(b"v7/", b"\0"),
        ],
    )
    rows = session.ask(
        "SELECT path, kind, size_bytes, content_hash, xattrs, flags FROM entries ORDER BY member"
    ).rows
    assert rows == [
        ("decoy", "ignored", 0, None, None, "pax-global-header"),
        ("malware", "file", 10, blake3(b"1" * 10).digest(), None, None),
        ("hidden", "file", 500_000, blake3(b"2" * 500_000).digest(), None, "trailing-slash"),
        ("v7", "directory", 0, None, None, None),
    ]
    (row,) = session.rows("images")
    assert (row["content_bytes"], row["live_bytes"]) == (500_010, 500_010)


def test_a_deleted_symlink_gives_no_flag(tmp_path: Path) -> None:
    """A symlink that a layer between has deleted or replaced is not a reason for a flag."""
    through = [file("sl/through", b"1")]
    for number, between in enumerate(([whiteout("sl")], [directory("sl")])):
        session = session_of(tmp_path / str(number), BASE, between, through)
        assert flagged(session) == []
        assert "sl/through" in seen(session)


def test_every_flag_is_documented() -> None:
    """docs/catalog.md explains each flag that a test here expects."""
    text = (PROJECT / "docs/catalog.md").read_text()
    cases = {flag.partition(":")[0] for _, _, flags in ONE_LAYER.values() for flag in flags}
    for case in (*cases, "dotdot", "name-too-long", "unknown-type", "number-out-of-range"):
        assert f"\n| {case} |" in text
