"""ls, find, which and history: one image as a container sees it, and what layers hide."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import oracle
import pytest
import sample
from builders import (
    Image,
    Member,
    directory,
    file,
    hardlink,
    opaque,
    raw,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from helpers.commands import invoke
from helpers.examples import examples
from helpers.judges import EDGES, JUDGES, need
from helpers.scanning import scan_images, scanned
from helpers.strategies import stacks
from hypothesis import HealthCheck, given, settings

from dedupe.analysis.paths.globs import pattern_of
from dedupe.analysis.paths.lookup import existing_path, resolve_path, typed_path
from dedupe.analysis.paths.which import branches_of
from dedupe.analysis.selection import one_image
from dedupe.errors import StoreError
from dedupe.model.paths import path_text
from dedupe.model.questions import Question
from dedupe.store.session import Session


def scan_stack(folder: Path, layers: Sequence[Sequence[Member]]) -> tuple[Session, str]:
    """Scan an image of these layers; also returns its image ID."""
    image = Image([tar_of(layer) for layer in layers], names=["i:1"])
    return scan_images(folder, [image]), image.image_id


def ask(session: Session, image: str, query: str, **parameters: object) -> list[dict]:
    """Rows of a question about one image."""
    return session.answer(Question(query, parameters, (image,))).dicts()


def listed(session: Session, image: str) -> dict[str, tuple]:
    """The listing of ``ls --recursive /``: mode, owner, size and link by path."""
    rows = ask(session, image, "paths/ls", path="", recursive=True)
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    return {
        row["path"]: (row["mode"], row["uid"], row["gid"], row["size_bytes"], row["link"])
        for row in rows
    }


def which(session: Session, image: str, path: str) -> list[dict]:
    """Rows of ``which`` for a path."""
    return ask(session, image, "paths/which", path=path, container=None)


def states(rows: Sequence[dict]) -> list[tuple]:
    """Position, mode, state, kind and cause of every entry; absent ones are left out."""
    return [
        (row["position"], row["mode"], row["state"], row["kind"], row["cause"])
        for row in rows
        if row["state"] != "absent"
    ]


def shown(root: Path) -> dict[str, tuple]:
    """Mode, owner, size and link by path of a folder on disk."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for entry in (*folders, *files):
            path = os.path.join(folder, entry)
            status = os.lstat(path)
            link = path_text(os.readlink(path)) if stat.S_ISLNK(status.st_mode) else None
            found[path_text(os.path.relpath(path, os.fsencode(root)))] = (
                stat.filemode(status.st_mode),
                status.st_uid,
                status.st_gid,
                status.st_size if stat.S_ISREG(status.st_mode) else 0,
                link,
            )
    return found


def agrees_with(judge: str, layout: Path, names: Sequence[str], folder: Path) -> None:
    """Check that a listing is the tool's tree, and ``which`` names one provider of each path."""
    show = need(judge)
    session = scanned(folder / "catalog", layout)[1]
    for name in names:
        image = one_image(session, name)
        with show(layout, name, folder) as root:
            theirs = shown(root)
        ours = listed(session, image)
        assert ours.keys() == theirs.keys()
        # an implied folder has no metadata in any layer
        assert {path: row for path, row in ours.items() if row[1] is not None} == {
            path: row for path, row in theirs.items() if ours[path][1] is not None
        }
        assert all(theirs[path][0][0] == "d" for path, row in ours.items() if row[1] is None)
        found = ask(session, image, "paths/find", pattern=pattern_of("*"))
        assert {row["path"] for row in found} == theirs.keys()
        for path in list(theirs)[:: max(1, len(theirs) // 40)]:
            (seen,) = [row for row in which(session, image, path) if row["state"] == "seen"]
            assert seen["size_bytes"] == theirs[path][3]
            assert {"file": "-", "directory": "d", "symlink": "l"}[seen["kind"]] == ours[path][0][0]


@pytest.mark.tools
@pytest.mark.parametrize("judge", JUDGES)
def test_tools_agree_on_edge_cases(judge: str, tmp_path: Path) -> None:
    """Special mode bits, owners, sizes, links, odd names and implied folders are the tool's."""
    need(judge)
    image = Image([tar_of(layer) for layer in EDGES], names=["localhost/edges:1"])
    write_oci_layout(tmp_path / "store", [image])
    agrees_with(judge, tmp_path / "store", ["localhost/edges:1"], tmp_path)


@pytest.mark.tools
@pytest.mark.parametrize("judge", JUDGES)
def test_tools_agree_on_sample_images(judge: str, tmp_path: Path) -> None:
    """The tool shows every sample image as ls does."""
    need(judge)
    store = tmp_path / "store"
    sample.main(store)
    index = json.loads((store / "index.json").read_bytes())
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    ]
    assert len(names) == 4
    agrees_with(judge, store, names, tmp_path)


@pytest.mark.estate
@pytest.mark.parametrize("judge", ["umoci", "podman overlay"])
@pytest.mark.skipif("DEDUPE_ESTATE" not in os.environ, reason="DEDUPE_ESTATE names no estate")
def test_tools_agree_on_real_images(judge: str, tmp_path: Path) -> None:
    """The tool shows two real images as ls does."""
    layout = Path(os.environ["DEDUPE_ESTATE"]) / "oci"
    names = ["localhost/app/web:1.3", "localhost/runtime/python:3.11"]
    agrees_with(judge, layout, names, tmp_path)


def made_folders(stack: Sequence[Sequence[Member]]) -> set[str]:
    """Implied folders: they exist until a mark or an entry of another kind removes them.

    A mark implies the folders that it is in too, unless its layer deletes them.
    """
    made: set[str] = set()
    for layer in map(oracle.written, map(tuple, stack)):
        deleted = {member.path for member in layer if member.kind == "w"}
        for member in layer:
            if member.kind in "wo":
                made -= {name for name in made if member.path in oracle.ancestors(name)}
                made -= {member.path} if member.kind == "w" else set()
        for member in layer:
            if member.kind not in "wo":
                if member.kind != "d":
                    made -= {name for name in made if member.path in oracle.ancestors(name)}
                    made -= {member.path}
                made |= set(oracle.ancestors(member.path))
        for member in layer:
            if member.kind in "wo":
                needed = {*oracle.ancestors(member.path), *[member.path] * (member.kind == "o")}
                made |= {name for name in needed if not deleted & {name, *oracle.ancestors(name)}}
    return made - {""}


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(stack=stacks())
def test_which_agrees_with_the_oracle_on_random_stacks(stack: list) -> None:
    """The visible entry is the oracle's, and hidden files are hidden by the layer it names."""
    truth = oracle.stack(stack)
    others = {path for path, seen in truth.view.items() if seen.kind != "d"}
    made = {
        path
        for path in made_folders(stack) - truth.view.keys()
        if not others & set(oracle.ancestors(path))
    }
    kinds = {"f": "file", "d": "directory", "s": "symlink"}
    with tempfile.TemporaryDirectory() as folder:
        session, image = scan_stack(Path(folder), stack)
        view = {row["path"]: row for row in ask(session, image, "merged_view")}
        assert list(view) == list(truth.merged)
        assert listed(session, image).keys() == truth.view.keys() | made
        placed = [oracle.written(tuple(layer)) for layer in stack]
        paths = made | {member.path for layer in placed for member in layer} - {""}
        answers = {path: which(session, image, path) for path in paths}
    for path, rows in answers.items():
        seen = [row for row in rows if row["state"] == "seen"]
        if path in truth.view:
            (row,) = seen
            assert row["kind"] == kinds[truth.view[path].kind]
            assert row["size_bytes"] == truth.view[path].size
            if row["kind"] != "directory":
                assert row["position"] == view[path]["position"]
        else:
            assert [row["kind"] for row in seen] == ["directory"] * (path in made)
    for lost in truth.shadowed:
        assert any(
            row["state"] == "hidden"
            and row["cause"] == lost.cause
            and row["hidden_position"] == lost.hidden_position
            and row["size_bytes"] == lost.size_bytes
            and tuple(row["changed_fields"]) == lost.changed_fields
            for row in answers[lost.path]
        ), lost


def test_which_lists_every_copy_from_the_top_down(tmp_path: Path) -> None:
    """Each copy is visible or has the layer and cause that hide it; marks are listed too."""
    session, image = scan_stack(
        tmp_path,
        [
            [file("d/a", b"1" * 10), directory("d")],
            [file("d/a", b"1" * 10, mode=0o600)],
            [file("d/a", b"2")],
            [whiteout("d")],
            [file("d/a", b"3")],
            [file("else", b"")],
        ],
    )
    rows = which(session, image, "d/a")
    assert [row["position"] for row in rows] == [5, 4, 3, 2, 1, 0]
    assert states(rows) == [
        (4, "ro", "seen", "file", None),
        (3, "wh", "hides", "whiteout", None),
        (2, "ro", "hidden", "file", "deleted"),
        (1, "ro", "hidden", "file", "modified"),
        (0, "ro", "hidden", "file", "metadata_only"),
    ]
    assert [row["hidden_position"] for row in rows] == [None, None, None, 3, 2, 1]
    assert rows[-1]["changed_fields"] == ["mode"]
    # a visible folder is merged with those below it, down to the mark
    assert states(which(session, image, "d")) == [
        (4, "ro", "seen", "directory", None),
        (3, "wh", "hides", "whiteout", None),
        (2, "ro", "hidden", "directory", "deleted"),
        (1, "ro", "hidden", "directory", "deleted"),
        (0, "ro", "hidden", "directory", "deleted"),
    ]


def test_which_compares_the_targets_of_hard_links(tmp_path: Path) -> None:
    """A hard link has the content of its target, in its layer or below; without one it dangles."""
    session, image = scan_stack(
        tmp_path,
        [
            [file("a", b"1" * 10), hardlink("b", "a")],
            [hardlink("c", "a"), hardlink("void", "nowhere")],
            [file("b", b"1" * 10)],
        ],
    )
    assert states(which(session, image, "b")) == [
        (2, "ro", "seen", "file", None),
        (0, "ro", "hidden", "file", "unchanged"),
    ]
    (linked,) = [row for row in which(session, image, "c") if row["state"] == "seen"]
    assert (linked["position"], linked["size_bytes"]) == (1, 10)
    assert states(which(session, image, "void")) == [(1, "ro", "dangling", "hardlink", None)]


@pytest.mark.parametrize("target", ["d", "nowhere", "list"])
def test_a_dangling_link_hides_a_directory_that_lower_layers_imply(
    tmp_path: Path, target: str
) -> None:
    """Unpackers that do not refuse the link have cleared its path: nothing is seen there."""
    layers = [[file("d/a", b"1"), directory("list")], [hardlink("d", target)]]
    session, image = scan_stack(tmp_path, layers)
    assert list(listed(session, image)) == ["list"]
    assert states(which(session, image, "d")) == [
        (1, "ro", "dangling", "hardlink", None),
        (0, "ro", "hidden", "directory", "replaced"),
    ]


def test_links_are_followed_as_in_a_container(tmp_path: Path) -> None:
    """Symlinks above the path are followed inside the image; the last only before a slash."""
    session, image = scan_stack(
        tmp_path,
        [
            [
                file("usr/bin/tool", b"1"),
                symlink("bin", "usr/bin"),
                symlink("away", "/../../usr"),
                symlink("usr/again", "../away/bin"),
                symlink("round", "round"),
            ]
        ],
    )
    found = resolve_path(session, image, "/bin/tool")
    assert (found.path, found.kind) == ("usr/bin/tool", "file")
    assert found.links == ("bin -> usr/bin",)
    assert resolve_path(session, image, "bin").path == "bin"
    assert resolve_path(session, image, "bin/").path == "usr/bin"
    assert resolve_path(session, image, "away/again/tool").path == "usr/bin/tool"
    assert resolve_path(session, image, "bin/../../..//usr/./bin").path == "usr/bin"
    with pytest.raises(StoreError, match="more than 40 links") as caught:
        resolve_path(session, image, "round/x")
    assert caught.value.code == "link-loop"


def test_a_wrong_path_gets_the_nearest_folder_or_its_deletion(tmp_path: Path) -> None:
    """The error names the nearest folder that exists, or the layer that deleted the path."""
    session, image = scan_stack(
        tmp_path, [[file("d/e/a", b"1")], [whiteout("d/e")], [file("d/b", b"2")]]
    )
    with pytest.raises(StoreError) as caught:
        existing_path(session, image, "i:1", "/d/e/a")
    assert caught.value.code == "no-path"
    assert caught.value.message.startswith("/d/e/a: no such path in i:1; the nearest that exists")
    assert "is /d; layer 0 had it, and layer 1 has deleted it" in caught.value.message
    with pytest.raises(StoreError, match=r"exists is /d$"):
        existing_path(session, image, "i:1", "d/never")
    with pytest.raises(StoreError, match=r"exists is /$"):
        branches_of(session, image, "i:1", "never", None)
    # a deleted path still has rows about its layers
    question, _ = branches_of(session, image, "i:1", "d/e/a", None)
    assert question.parameters["path"] == "d/e/a"


def test_a_path_can_be_given_as_bytes_or_as_printed(tmp_path: Path) -> None:
    """A path that is not UTF-8 is found by its bytes and by its printable form."""
    name = b"odd\n\xff\\name"
    session, image = scan_stack(tmp_path, [[raw(name, content=b"1")]])
    (row,) = ask(session, image, "paths/ls", path="", recursive=False)
    assert row["path"] == path_text(name)
    for typed in (row["path"], os.fsdecode(name)):
        assert typed_path(typed) == row["path"]
        assert existing_path(session, image, "i:1", typed).kind == "file"
    assert [
        each["path"] for each in ask(session, image, "paths/find", pattern=pattern_of("odd??*"))
    ]


@pytest.fixture(scope="module")
def python_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, str]]:
    """A session on an image with files to find, and the ID of the image."""
    session, image = scan_stack(
        tmp_path_factory.mktemp("globs"),
        [[file("a.py"), file("d/b.py"), file("d/e/c.py"), file("d/e/[x]")]],
    )
    yield session, image
    session.close()


@pytest.mark.parametrize(
    ("glob", "fits"),
    [
        ("*.py", {"a.py", "d/b.py", "d/e/c.py"}),
        ("d/*.py", {"d/b.py"}),
        ("/d/*.py", {"d/b.py"}),
        ("d/**", {"d/b.py", "d/e", "d/e/c.py", "d/e/[x]"}),
        ("**/c.py", {"d/e/c.py"}),
        ("d/**/*.py", {"d/b.py", "d/e/c.py"}),
        ("?.p[xy]", {"a.py", "d/b.py", "d/e/c.py"}),
        ("[!ab].py", {"d/e/c.py"}),
        ("/*", {"a.py", "d"}),
        ("[[]x]", {"d/e/[x]"}),
        ("*[", set()),
    ],
)
def test_globs_match_names_or_whole_paths(
    glob: str, fits: set[str], python_files: tuple[Session, str]
) -> None:
    """Without a slash a glob matches names at any depth; ``**`` matches slashes too."""
    session, image = python_files
    found = ask(session, image, "paths/find", pattern=pattern_of(glob))
    assert {row["path"] for row in found} == fits


def test_the_bytes_of_each_step_add_up(tmp_path: Path) -> None:
    """Each step's bytes are live or shadowed; hidden bytes of all steps are the shadowed ones."""
    session, image = scan_stack(
        tmp_path,
        [
            [file("a", b"1" * 10), file("b", b"2" * 20), file("s", b"x"), file("s", b"yy")],
            [whiteout("a"), file("b", b"3" * 40)],
            [],
        ],
    )
    rows = ask(session, image, "paths/history")
    (figures,) = session.rows("images")
    fields = ("added_bytes", "shadowed_bytes", "live_bytes", "hides_bytes", "files", "marks")
    assert [tuple(row[field] for field in fields) for row in rows] == [
        (33, 31, 2, 0, 4, 0),
        (40, 0, 40, 30, 1, 1),
        (0, 0, 0, 0, 0, 0),
    ]
    assert sum(row["live_bytes"] for row in rows) == figures["live_bytes"]


def test_a_question_about_one_image_reads_no_other(tmp_path: Path) -> None:
    """Entries of other images are not read, and answers do not have those images."""
    one = Image([tar_of([file("a", b"1")])], names=["one:1"])
    two = Image([tar_of([file("b", b"2" * 9)])], names=["two:1"])
    session = scan_images(tmp_path, [one, two])
    (name,) = session.ask(
        f"SELECT unnest(entries_in) FROM layers WHERE layer = '{two.diff_ids[0]}'"
    ).rows[0]
    (tmp_path / "catalog" / "entries" / name).write_bytes(b"damaged")
    assert list(listed(session, one.image_id)) == ["a"]
    (row,) = session.answer(Question("images", {}, (one.image_id,))).dicts()
    assert row["image_id"] == one.image_id
    assert len(session.rows("image_names")) == 2


def test_commands_find_the_image_by_a_short_name(tmp_path: Path) -> None:
    """ls, find, which and history accept a short name and answer in every form."""
    scan_stack(tmp_path, EDGES)
    catalog = ("--catalog", str(tmp_path / "catalog"))
    rows = json.loads(invoke("ls", "i", "to-d/", "--format", "json", *catalog))
    assert [(row["path"], row["position"]) for row in rows] == [("d/new", 2)]
    assert "d/new" in invoke("find", "i", "ne*", *catalog)
    assert "metadata_only" in invoke("which", "i", "/linked", "--format", "csv", *catalog)
    assert len(json.loads(invoke("history", "i", "--format", "json", *catalog))) == 3
    assert "-- of image sha256:" in invoke("ls", "i", "--explain", *catalog)
    with pytest.raises(StoreError, match="no such path in i"):
        invoke("ls", "i", "nothing", *catalog)
    with pytest.raises(StoreError, match="there are: none"):
        invoke("which", "i", "d", "--container", "c", *catalog)


def test_a_folder_that_a_mark_made_is_deleted_with_what_is_above_it(tmp_path: Path) -> None:
    """A later whiteout, opaque mark or file of a folder hides the folders that marks made in it."""
    upper = {"whiteout": [whiteout("a")], "file": [file("a", b"1")], "none": [file("b", b"1")]}
    found = {
        name: set(listed(*scan_stack(tmp_path / name, [[opaque("a/a")], layer])))
        for name, layer in upper.items()
    }
    assert found == {"whiteout": set(), "file": {"a"}, "none": {"a", "a/a", "b"}}
