"""Findings, each on an image that has just that."""

import tempfile
from pathlib import Path

import pytest
from builders import Image, file, image, tar_of, whiteout, write_oci_layout
from helpers.examples import examples
from helpers.scanning import scanned
from helpers.strategies import stores
from hypothesis import HealthCheck, given, settings

from dedupe.store.sql import needed_relations, relations, tables_read

BIG = b"0123456789abcdef" * 70_000
ZEROS = bytes(16 * 64 * 1024)
COPY = "/bin/sh -c #(nop) COPY dir:1 in /srv"
RUN = "RUN make"

#: name -> images, and (kind, saves, files, repair) of the findings, the largest first
CASES = {
    "chmod of copied files": (
        [
            image(
                [file("srv/a", b"1" * 500, mode=0o644)],
                [file("srv/a", b"1" * 500, mode=0o755)],
                names="one",
                history=[COPY, "RUN chmod 755 /srv/a"],
            )
        ],
        [("copy-up", 500, 1, "COPY --chmod=755 in layer 0")],
    ),
    "chown of copied files": (
        [
            image(
                [file("srv/a", b"1" * 500)],
                [file("srv/a", b"1" * 500, uid=7, gid=8)],
                names="one",
                history=[COPY, "RUN chown 7:8 /srv/a"],
            )
        ],
        [("copy-up", 500, 1, "COPY --chown=7:8 in layer 0")],
    ),
    "chmod of made files": (
        [
            image(
                [file("srv/a", b"1" * 500, mode=0o644)],
                [file("srv/a", b"1" * 500, mode=0o755)],
                names="one",
                history=[RUN, "RUN chmod 755 /srv/a"],
            )
        ],
        [("copy-up", 500, 1, "set mode in the step of layer 0, which creates the files")],
    ),
    "chmod of a whole layer": (
        [
            image(
                [file("big", BIG, mode=0o644)],
                [file("big", BIG, mode=0o755)],
                names="one",
                history=[RUN, "RUN chmod 755 /big"],
            )
        ],
        [("copy-up", len(BIG), 1, "set mode in the step of layer 0")],
    ),
    "only times": (
        [image([file("a", b"1" * 9, mtime=1)], [file("a", b"1" * 9, mtime=2)], names="one")],
        # two layers of that single file are also equal except for timestamps
        [
            ("copy-up", 9, 1, "leave the files alone: only their times change"),
            ("same-but-timestamps", 9, 1, "build with a fixed SOURCE_DATE_EPOCH"),
        ],
    ),
    "deleted later": (
        [
            image(
                [file("a", b"1" * 300), file("b")], [whiteout("a")], names="one", history=[RUN] * 2
            )
        ],
        [("deleted-later", 300, 1, "join the rm to the step of layer 0, which adds the files")],
    ),
    "copied and deleted": (
        [image([file("a", b"1" * 300)], [whiteout("a")], names="one", history=[COPY, RUN])],
        [("deleted-later", 300, 1, "leave the files out of the COPY of layer 0 (.dockerignore)")],
    ),
    "rewritten": (
        [image([file("a", b"1" * 300)], [file("a", b"2" * 3)], names="one")],
        [("rewritten", 300, 1, "make the change in the step of layer 0, which writes the files")],
    ),
    "base files again": (
        [image([file("a", b"1" * 300)], [file("a", b"1" * 300), file("b", b"b")], names="one")],
        [("written-again", 300, 1, "leave out files that layer 0 holds already")],
    ),
    "read by another image": (
        [
            image([file("a", b"1" * 300)], names="base"),
            image([file("a", b"1" * 300)], [whiteout("a")], names="one"),
        ],
        [
            (
                "deleted-later",
                0,
                1,
                "the files are of layer 0, which other images share: join the rm",
            )
        ],
    ),
    "caches": (
        [
            image(
                [
                    file("var/lib/apt/lists/x", b"1" * 30),
                    file("root/.cache/pip/x", b"2" * 20),
                    file("usr/bin/x", b"3" * 10),
                ],
                names="one",
            )
        ],
        [
            ("package-cache", 30, 1, "end the step with rm -rf /var/lib/apt/lists/*"),
            ("package-cache", 20, 1, "pip install --no-cache-dir"),
        ],
    ),
    "one entry of many with another time": (
        [
            image([file("a", b"1" * 9), file("b", mtime=5)], names="one"),
            image([file("a", b"1" * 9), file("b", mtime=6)], names="two"),
        ],
        [("same-but-timestamps", 9, 2, "build with a fixed SOURCE_DATE_EPOCH")],
    ),
    "other tars of the same entries": (
        [
            Image([tar_of([file("a", b"1" * 9), file("b")])], names=["one"]),
            Image([tar_of([file("b"), file("a", b"1" * 9)])], names=["two"]),
            Image([tar_of([file("a", b"1" * 9), file("b")], pad=10_240)], names=["three"]),
        ],
        [("same-but-encoding", 18, 4, "write the tars with one tool and one format")],
    ),
    "other times and other tars": (
        [
            Image([tar_of([file("a", b"1" * 9)])], names=["one"]),
            Image([tar_of([file("a", b"1" * 9)], pad=10_240)], names=["two"]),
            Image([tar_of([file("a", b"1" * 9, mtime=7)])], names=["three"]),
        ],
        [
            ("same-but-encoding", 9, 1, "write the tars with one tool and one format"),
            ("same-but-timestamps", 9, 1, "build with a fixed SOURCE_DATE_EPOCH"),
        ],
    ),
    "a layer twice": (
        [image([file("a", b"1" * 9)], [file("a", b"1" * 9)], names="one")],
        [
            ("position-loss", 9, 1, "give the 2 images one order of layers"),
            ("written-again", 0, 1, "leave out files that layer 0 holds already"),
        ],
    ),
    "a log of logins": (
        [image([file("var/log/lastlog", ZEROS + b"user"), file("x", b"x" * 100)], names="one")],
        [("zeros", len(ZEROS), 1, "useradd --no-log-init")],
    ),
    "files of zeros": (
        [
            image(
                [
                    file("zeros", ZEROS),
                    file("most", ZEROS * 11 + bytes(64 * 1024) + BIG),
                    file("half", ZEROS * 2 + BIG * 2),
                    file("small", ZEROS[:-64_000]),
                ],
                names="one",
            )
        ],
        [("zeros", len(ZEROS) * 12 + 64 * 1024, 2, "leave the files out")],
    ),
    "zeros that are deleted": (
        [image([file("zeros", ZEROS)], [whiteout("zeros")], names="one")],
        [("deleted-later", len(ZEROS), 1, "join the rm")],
    ),
    "another parent": (
        [
            image([file("a", b"1" * 40)], [file("b", b"2" * 50)], names="one"),
            image([file("b", b"2" * 50)], names="two"),
        ],
        [("position-loss", 50, 1, "give the 2 images one order of layers: dedupe reorder")],
    ),
    "a folder in two layers": (
        [
            image([file("x/p/big", BIG), file("x/p/q/f", b"1")], names="one"),
            image([file("y/p/big", BIG), file("y/p/q/f", b"1"), file("y/z", b"z")], names="two"),
        ],
        [("folder-again", len(BIG) + 1, 2, "2 copies: put the folder into a layer of its own")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_image_has_the_findings_it_was_made_for(name: str, tmp_path: Path) -> None:
    """Each image has the findings that it was made for, and no others."""
    images, expected = CASES[name]
    write_oci_layout(tmp_path / "store", images)
    _, session = scanned(tmp_path / "catalog", tmp_path / "store")
    found = sorted(session.rows("findings"), key=lambda row: (-row["saves_bytes"], row["kind"]))
    assert [(row["kind"], row["saves_bytes"], row["files"]) for row in found] == [
        each[:3] for each in expected
    ]
    for row, (*_, repair) in zip(found, expected, strict=True):
        assert row["fix"].startswith(repair)
    assert len({row["id"] for row in found}) == len(found)


def test_equal_folders_are_one_row_at_the_outermost(tmp_path: Path) -> None:
    """Equal folders are one row; one inside with more copies is another."""
    shared = [("lib/f1", b"1" * 100), ("lib/sub/f2", b"2" * 50)]
    images = [
        image([file(f"{top}/{path}", data) for path, data in shared], names=f"i{top}")
        for top in ("a", "b")
    ]
    images.append(image([file("c/sub/f2", b"2" * 50), file("c/own", b"3")], names="ic"))
    write_oci_layout(tmp_path / "store", images)
    _, session = scanned(tmp_path / "catalog", tmp_path / "store")
    rows = session.rows("duplicate_folders")
    assert [(row["duplicate_bytes"], row["copies"], row["folders"]) for row in rows] == [
        (150, 2, ["/a", "/b"]),
        (100, 3, ["/a/lib/sub", "/b/lib/sub", "/c/sub"]),
    ]


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(store=stores())
def test_classes_of_duplicates_sum_to_the_duplicate_bytes(store) -> None:
    """The rows by package manager, extension or size sum to the duplicate bytes."""
    images = [
        image(*(store.layers[layer] for layer in stack), names=name)
        for name, stack in store.images.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        write_oci_layout(Path(folder) / "store", images, "none")
        session = scanned(Path(folder) / "catalog", Path(folder) / "store")[1]
        (totals,) = session.rows("totals")
        for by in ("cache", "extension", "size"):
            rows = session.rows("duplicate_classes", by=by)
            assert sum(row["duplicate_bytes"] for row in rows) == totals["duplicate_content_bytes"]


def test_a_query_makes_only_the_relations_it_needs() -> None:
    """A query makes its relations and those they are made of, in order, and no others."""
    assert needed_relations(tables_read("SELECT 1")) == []
    assert needed_relations(tables_read("SELECT * FROM node -- FROM shadow")) == [
        "layers",
        "image",
        "stack",
        "node",
    ]
    needed = needed_relations(["dead"])
    assert {"shadow", "above", "node"} < set(needed) < set(relations())
    assert needed == sorted(needed, key=list(relations()).index)
