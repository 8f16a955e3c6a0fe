"""The merged view of our tables is what umoci and podman show."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import sample
from builders import (
    Image,
    device,
    directory,
    file,
    global_header,
    hardlink,
    opaque,
    pax_record,
    raw,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from helpers.judges import JUDGES, Judge, need, tree_below
from helpers.scanning import scanned


def viewed(rows: list[dict]) -> dict[str, tuple]:
    """The same entries from the rows of our merged view."""
    return {
        row["path"]: (
            row["kind"] if row["kind"] in ("file", "directory", "symlink") else "other",
            row["size_bytes"],
            None if row["kind"] == "symlink" else row["mode"],
            row["uid"],
            row["gid"],
            row["link"] if row["kind"] == "symlink" else None,
            row["content_hash"],
        )
        for row in rows
    }


@dataclass(frozen=True)
class Scanned:
    """A layout, and what we answer about its images."""

    layout: Path
    #: image -> its merged view
    views: Mapping[str, dict[str, tuple]]


def scan(layout: Path, catalog: Path) -> Scanned:
    """Scan a layout, once for all tools."""
    _, session = scanned(catalog, layout)
    identity = {name: row["image_id"] for row in session.rows("images") for name in row["names"]}
    rows = session.rows("merged_view")
    session.close()
    views = {
        name: viewed([row for row in rows if row["image_id"] == image])
        for name, image in identity.items()
    }
    return Scanned(layout, views)


def judged(judge: Judge, store: Scanned, names: list[str], tmp_path: Path) -> None:
    """Check that the merged view of each image is the tool's."""
    for name in names:
        ours = store.views[name]
        with judge(store.layout, name, tmp_path) as root:
            theirs = tree_below(root)
        # the unpacker makes folders that no layer lists
        implied = {path for path in theirs.keys() - ours.keys() if theirs[path][0] == "directory"}
        assert {path: entry for path, entry in theirs.items() if path not in implied} == ours


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """The sample images."""
    folder = tmp_path_factory.mktemp("samples")
    sample.main(folder / "store")
    return scan(folder / "store", folder / "catalog")


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """An image per form, named by its number."""
    folder = tmp_path_factory.mktemp("forms")
    base = [file("a", b"aa"), directory("d"), file("d/x", b"x")]
    images = [
        Image([tar_of(base), tar_of(form)], names=[f"localhost/form:{number}"])
        for number, form in enumerate(GO_FORMS.values())
    ]
    write_oci_layout(folder / "store", images)
    return scan(folder / "store", folder / "catalog")


@pytest.mark.tools
@pytest.mark.parametrize("judge", JUDGES)
def test_tools_show_the_merged_view_of_sample_images(
    judge: str, tmp_path: Path, samples: Scanned
) -> None:
    """Paths, kinds, sizes, modes, owners, links and contents are the tool's."""
    show = need(judge)
    index = json.loads((samples.layout / "index.json").read_bytes())
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    ]
    assert len(names) == 4
    judged(show, samples, names, tmp_path)


@pytest.mark.tools
@pytest.mark.parametrize("judge", JUDGES)
def test_tools_show_the_merged_view_of_edge_cases(judge: str, tmp_path: Path) -> None:
    """Whiteouts, opaque folders, changes of kind, links, names and owners are the tool's."""
    show = need(judge)
    layers = [
        [
            directory("d", mode=0o1777, uid=7, gid=8),
            file("d/x", b"1" * 10),
            file("d/e/y", b"2" * 20, mode=0o4755),
            file("turned/into/file", b"3"),
            file("linked", b"4" * 40),
            hardlink("again", "linked"),
            symlink("points", "../nowhere"),
            raw(b"odd\n\xff\\name", content=b"5" * 80),
            device("pipe", "p"),
            file("../../climbed", b"6"),
        ],
        [whiteout("d/e"), file("turned/into", b"33"), whiteout("again"), whiteout("never")],
        [
            directory("d"),
            opaque("d"),
            file("d/new", b"7" * 160, uid=9),
            file("points", b"no link now"),
            file("linked", b"4" * 40, mode=0o600),
        ],
    ]
    image = Image([tar_of(layer) for layer in layers], names=["localhost/edges:1"])
    write_oci_layout(tmp_path / "store", [image])
    store = scan(tmp_path / "store", tmp_path / "catalog")
    judged(show, store, ["localhost/edges:1"], tmp_path)


#: layers over a base with a and d/x, which readers other than Go read in another way
GO_FORMS = {
    "a file whose name ends in a slash": [raw(b"hidden/", content=b"1" * 50), file("z", b"2")],
    "such a file in place of a folder": [raw(b"d/", content=b"1" * 5)],
    "a folder of v7": [raw(b"v7/", b"\0", mode=0o755), file("z", b"2")],
    "a global path": [global_header(path=b"decoy"), file("malware", b"1"), file("second", b"22")],
    "a global owner and size": [global_header(uid=b"7", size=b"0"), file("one", b"1" * 600)],
    "a global whiteout by its name": [raw(b".wh.a", b"g"), file("z", b"2")],
    "a global whiteout by its record": [global_header(path=b".wh.a"), file("z", b"2")],
    "a global opaque mark": [raw(b"d/.wh..wh..opq", b"g"), file("z", b"2")],
    "a path record before it": [
        raw(b"x", b"x", pax_record("path", b"decoy")),
        global_header(comment=b"c"),
        file("real", b"1"),
    ],
    "a long name before it": [
        raw(b"l", b"L", b"decoy\0"),
        global_header(comment=b"c"),
        file("real", b"1"),
    ],
}
#: umoci refuses a global header unless its name is that of a whiteout
REFUSED_BY_UMOCI = {
    "a global path",
    "a global owner and size",
    "a path record before it",
    "a long name before it",
}


@pytest.mark.tools
@pytest.mark.parametrize("form", GO_FORMS)
@pytest.mark.parametrize("judge", JUDGES)
def test_tools_show_the_merged_view_of_forms_that_only_go_reads_so(
    judge: str, form: str, tmp_path: Path, forms: Scanned
) -> None:
    """Global headers and names that end in a slash hide nothing from us that tools unpack."""
    show = need(judge)
    name = f"localhost/form:{list(GO_FORMS).index(form)}"
    if judge == "umoci" and form in REFUSED_BY_UMOCI:
        with pytest.raises(subprocess.CalledProcessError):
            judged(show, forms, [name], tmp_path)
    else:
        judged(show, forms, [name], tmp_path)


@pytest.mark.estate
@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.skipif("DEDUPE_ESTATE" not in os.environ, reason="DEDUPE_ESTATE names no estate")
def test_tools_show_the_merged_view_of_real_images(judge: str, tmp_path: Path) -> None:
    """The merged view of three real images is the tool's."""
    names = ["localhost/app/web:1.3", "localhost/app/data:2.0", "localhost/app/front:1.0"]
    show = need(judge)
    store = scan(Path(os.environ["DEDUPE_ESTATE"]) / "oci", tmp_path / "catalog")
    judged(show, store, names, tmp_path)
