"""What unpackers write is what our view has; where they differ, the entry is flagged.

Each case has our view, its flags and what umoci unpacks, as ``ls -F`` would show it: ``d/`` is a
directory, ``d/700`` a directory whose mode is not 0755, ``l@d`` a symbolic link to ``d``, and
``f=3`` a file of three bytes.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import oracle
import pytest
from builders import (
    Image,
    Layer,
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
from helpers.judges import EDGES, JUDGES, Judge, need, tree_below
from helpers.scanning import scan_images
from helpers.strategies import wild_stacks
from here import PROJECT
from hypothesis import HealthCheck, Phase, given, settings

from dedupe.store.session import Session

REFUSED = "refused"


@dataclass(frozen=True)
class Case:
    """Layers, our view of them, and its flags."""

    layers: Sequence[Sequence[Member]]
    view: str
    flags: tuple[str, ...] = ()
    #: what umoci unpacks if it is not our view
    umoci: str | None = None

    def image(self, number: int = 0) -> Image:
        """An image of these layers, of which no two have equal tars."""
        tars = [tar_of(layer, trailer=2 + number) for layer in self.layers]
        return Image(tars, names=[f"localhost/case{number}:1"])


R = [directory("r"), file("r/f", b"333")]
LINKED = [*R, symlink("a", "r")]
TMP = [directory("tmp", mode=0o1777, uid=5), file("tmp/y")]

CASES = {
    "an entry through a link of its layer": Case(
        [[directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib"), file("lib/x", b"1")]],
        "lib@usr/lib usr/ usr/lib/ usr/lib/x=1",
        ("through-own-symlink: usr/lib/x",),
    ),
    "a link to a folder of no layer": Case(
        [[symlink("lib", "usr/lib"), file("lib/x", b"1")]],
        "lib@usr/lib usr/ usr/lib/ usr/lib/x=1",
        ("through-own-symlink: usr/lib/x",),
    ),
    "a link that is absolute": Case(
        [[*R, symlink("a", "/r"), file("a/x", b"1")]],
        "a@/r r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a link that climbs over the root": Case(
        [[*R, symlink("a", "../../../r"), file("a/x", b"1")]],
        "a@../../../r r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a link whose target climbs out of another link": Case(
        [
            [
                directory("d"),
                directory("d/e"),
                *R,
                symlink("l", "d/e"),
                symlink("m", "l/../../r"),
                file("m/x", b"1"),
            ]
        ],
        "d/ d/e/ l@d/e m@l/../../r r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a chain of links": Case(
        [[*LINKED, symlink("b", "a"), file("b/x", b"1")]],
        "a@r b@a r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a link that was written through a link": Case(
        [[*LINKED, directory("q"), symlink("a/l", "../q"), file("r/l/x", b"1")]],
        "a@r q/ q/x=1 r/ r/f=3 r/l@../q",
        ("through-own-symlink: q/x", "through-own-symlink: r/l"),
    ),
    "a mark twice": Case(
        [[directory("d"), file("d/x", b"1")], [opaque("d"), opaque("d"), file("d/y", b"2")]],
        "d/ d/y=1",
        ("duplicate-path: d",),
    ),
    "a loop of links": Case(
        [[symlink("a", "b"), symlink("b", "a"), file("b/x", b"1")]],
        "a@b b/ b/x=1",
        ("entry-below-file: b", "symlink-loop: b/x"),
        REFUSED,
    ),
    "a link to a file": Case(
        [[*R, symlink("a", "r/f"), file("a/x", b"1")]],
        "a@r/f r/ r/f/ r/f/x=1",
        ("entry-below-file: r/f", "through-own-symlink: r/f/x"),
        REFUSED,
    ),
    "a folder in place of a link ends it": Case(
        [[*LINKED, file("a/x", b"1"), directory("a"), file("a/y", b"22")]],
        "a/ a/y=2 r/ r/f=3 r/x=1",
        ("duplicate-path: a", "through-own-symlink: r/x"),
    ),
    "a file in place of a link ends it": Case(
        [[*LINKED, file("a"), directory("a"), file("a/y", b"22")]],
        "a/ a/y=2 r/ r/f=3",
        ("duplicate-path: a",),
    ),
    "a file in place of a link's folder ends it": Case(
        [
            [
                *R,
                directory("d"),
                symlink("d/a", "../r"),
                file("d"),
                directory("d"),
                file("d/a/y", b"22"),
            ]
        ],
        "d/ d/a/ d/a/y=2 r/ r/f=3",
        ("duplicate-path: d",),
    ),
    "a hard link through a link": Case(
        [[*LINKED, hardlink("h", "a/f")]],
        "a@r h=3 r/ r/f=3",
        ("through-own-symlink: h",),
    ),
    "a hard link to a link": Case(
        [[*LINKED, hardlink("h", "a"), file("h/x", b"1")]],
        "a@r h@r r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a whiteout through a link": Case(
        [R, [directory("r"), symlink("a", "r"), whiteout("a/f")]],
        "a@r r/",
        ("through-own-symlink: r/f",),
    ),
    "an opaque mark through a link": Case(
        [R, [directory("r"), file("r/g"), symlink("a", "r"), opaque("a")]],
        "a@r r/ r/g=0",
        ("through-own-symlink: r",),
    ),
    "a link over a lower folder": Case(
        [
            [directory("a"), file("a/old", b"22"), *R],
            [directory("r"), symlink("a", "r"), file("a/x", b"1")],
        ],
        "a@r r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a link to a lower link": Case(
        [[*R, symlink("m", "r")], [symlink("a", "m"), file("a/x", b"1")]],
        "a@m m/ m/x=1 r/ r/f=3",
        ("through-own-symlink: m/x", "through-symlink: m"),
        "a@m m@r r/ r/f=3 r/x=1",
    ),
    "an entry through a lower link": Case(
        [LINKED, [file("a/x", b"1")]],
        "a/ a/x=1 r/ r/f=3",
        ("through-symlink: a",),
        "a@r r/ r/f=3 r/x=1",
    ),
    "an entry before its folder, over a lower link": Case(
        [LINKED, [file("a/x", b"1"), directory("a")]],
        "a/ a/x=1 r/ r/f=3",
        ("through-symlink: a",),
        "a/ r/ r/f=3 r/x=1",
    ),
    "an entry after its folder, over a lower link": Case(
        [LINKED, [directory("a"), file("a/x", b"1")]],
        "a/ a/x=1 r/ r/f=3",
    ),
    "an entry below a lower link that an earlier entry led through": Case(
        [LINKED, [file("a/x", b"1")], [file("a/y", b"1")]],
        "a/ a/x=1 a/y=1 r/ r/f=3",
        ("through-symlink: a", "through-symlink: a"),
        "a@r r/ r/f=3 r/x=1 r/y=1",
    ),
    "an entry below a lower link that was deleted before": Case(
        [LINKED, [whiteout("a")], [file("a/x", b"1")]],
        "a/ a/x=1 r/ r/f=3",
    ),
    "an entry below a lower hard link to a link": Case(
        [[*LINKED, hardlink("h", "a")], [file("h/x", b"1")]],
        "a@r h/ h/x=1 r/ r/f=3",
        ("through-symlink: h",),
        "a@r h@r r/ r/f=3 r/x=1",
    ),
    "an entry below a hard link to a lower link": Case(
        [LINKED, [hardlink("h", "a"), file("h/x", b"1")]],
        "a@r h/ h/x=1 r/ r/f=3",
        ("entry-below-file: h", "link-to-lower: h"),
        "a@r h@r r/ r/f=3 r/x=1",
    ),
    "a hard link through a lower link": Case(
        [LINKED, [hardlink("h", "a/f")]],
        "a@r r/ r/f=3",
        ("dangling: h", "through-symlink: a"),
        "a@r h=3 r/ r/f=3",
    ),
    "a whiteout through a lower link": Case(
        [LINKED, [whiteout("a/f")]],
        "a@r r/ r/f=3",
        ("through-symlink: a",),
        "a@r r/",
    ),
    "an opaque mark on a lower link": Case(
        [LINKED, [opaque("a")]],
        "a@r r/ r/f=3",
        ("through-symlink: a",),
        "a@r r/",
    ),
    "a whiteout below a lower file": Case(
        [[file("a", b"333")], [whiteout("a/f")]],
        "a=3",
        ("mark-below-file: a",),
    ),
    "an opaque mark on a lower file": Case(
        [[file("a", b"333")], [opaque("a")]],
        "a=3",
        ("mark-below-file: a",),
    ),
    "a whiteout in a folder that is nowhere": Case(
        [[file("z")], [whiteout("n/m/f")]],
        "n/ n/m/ z=0",
        ("mark-in-nothing: n", "mark-in-nothing: n/m"),
        "z=0",
    ),
    "an opaque mark on a folder that is nowhere": Case(
        [[file("z")], [opaque("n")]],
        "n/ z=0",
        ("mark-in-nothing: n",),
        "z=0",
    ),
    "such a folder, deleted later": Case(
        [[file("z")], [whiteout("n/m/f")], [whiteout("n/m")]],
        "n/ z=0",
        ("mark-in-nothing: n", "mark-in-nothing: n", "mark-in-nothing: n/m"),
        "z=0",
    ),
    "a whiteout in a folder that a lower layer implies": Case(
        [[file("n/f", b"1")], [whiteout("n/f")]],
        "n/",
    ),
    "a whiteout in a folder that the layer deletes": Case(
        [[directory("n"), file("n/f", b"1")], [whiteout("n"), whiteout("n/g")]],
        "",
        ("mark-in-nothing: n", "whiteout-with-marks-below: n"),
    ),
    "an entry in a folder that is only implied": Case(
        [TMP, [file("tmp/x", b"1")]],
        "tmp/1777 tmp/x=1 tmp/y=0",
        ("implied-metadata: tmp",),
    ),
    "a whiteout in a folder that is only implied": Case(
        [TMP, [whiteout("tmp/y")]],
        "tmp/1777",
        ("implied-metadata: tmp",),
    ),
    "an implied folder as overlay makes it": Case(
        [R, [file("r/x", b"1")]],
        "r/ r/f=3 r/x=1",
    ),
    "an implied folder that is listed later": Case(
        [TMP, [file("tmp/x", b"1"), directory("tmp")]],
        "tmp/ tmp/x=1 tmp/y=0",
    ),
    "a file and an entry below it": Case(
        [[file("a", b"1"), file("a/b", b"22")]],
        "a/ a/b=2",
        ("entry-below-file: a",),
        REFUSED,
    ),
    "an entry and a file in place of its folder": Case(
        [[file("a/b", b"22"), file("a", b"1")]],
        "a=1",
    ),
    "a folder and a file in place of its parent": Case(
        [[directory("a"), directory("a/b"), file("a", b"1")]],
        "a=1",
        ("directory-replaced: a/b", "duplicate-path: a"),
    ),
    "an implied folder over a lower file": Case(
        [[file("a", b"1")], [file("a/b", b"22")]],
        "a/ a/b=2",
        ("implied-over-file: a",),
        REFUSED,
    ),
    "an implied folder over a lower file, listed later": Case(
        [[file("a", b"1")], [file("a/b", b"22"), directory("a")]],
        "a/ a/b=2",
        ("implied-over-file: a",),
        REFUSED,
    ),
    "a link whose name ends in a slash": Case(
        [[*R, raw(b"a/", b"2", target="r/"), file("a/x", b"1")]],
        "a@r/ r/ r/f=3 r/x=1",
        ("through-own-symlink: r/x",),
    ),
    "a hard link whose names end in a slash": Case(
        [[*R, raw(b"h/", b"1", target="r/f/")]],
        "h=3 r/ r/f=3",
    ),
    "a hard link to what is below it": Case(
        [[directory("r"), file("r/f", b"333"), hardlink("r", "r/f")]],
        "r=3",
        ("duplicate-path: r", "link-below-itself: r"),
        REFUSED,
    ),
    "a file without a name": Case(
        [R, [raw(b"", b"0", b"22"), file("y", b"1")]],
        "r/ r/f=3 y=1",
        ("root-not-directory: ",),
        REFUSED,
    ),
    "a link in place of the root": Case(
        [R, [raw(b"./", b"2", target="r"), file("y", b"1")]],
        "r/ r/f=3 y=1",
        ("root-not-directory: ",),
        REFUSED,
    ),
}


def views_of(session: Session) -> dict[str, dict[str, tuple]]:
    """Kind, size, mode, owner, link and content by path, by name of the image."""
    rows = session.ask(
        "SELECT image.name, path, kind, size_bytes, mode, uid, gid, link, content_hash"
        " FROM image LEFT JOIN visible USING (image_id)"
    ).rows
    found: dict[str, dict[str, tuple]] = {}
    for name, path, *fields in rows:
        view = found.setdefault(name, {})
        # an image may show nothing
        if path is not None:
            view[path] = _entry(*fields)
    return found


def _entry(kind: str, size: int, mode: int | None, *rest: object) -> tuple:
    """The entry as ``tree_below`` has it; a directory that no layer lists is 0755 and root's."""
    uid, gid, link, content = rest
    if kind == "symlink":
        return (kind, 0, None, uid, gid, link, content)
    if mode is None:
        mode, uid, gid = 0o755, 0, 0
    return (kind, size, mode, uid, gid, None, content)


def text_of(tree: Mapping[str, tuple]) -> str:
    """The entries in the form of the cases."""
    shown = []
    for path, (kind, size, mode, _, _, link, _) in sorted(tree.items()):
        if kind == "directory":
            shown.append(path + "/" + (f"{mode:o}" if mode != 0o755 else ""))
        else:
            shown.append(path + (f"@{link}" if kind == "symlink" else f"={size}"))
    return " ".join(shown)


def flags_of(session: Session) -> dict[str, list[str]]:
    """``flag: path`` of each flagged entry, by layer."""
    found: dict[str, list[str]] = {}
    for row in session.rows("problems"):
        assert row["severity"] == "note"
        message = row["message"].partition(" (here")[0]
        if row["code"] == "dangling-hard-link":
            message = "dangling: " + message.partition(" links to ")[0]
        found.setdefault(row["subject"], []).append(message)
    return found


@dataclass(frozen=True)
class Answer:
    """What we say about one image."""

    view: str
    #: paths that some layer lists
    merged: tuple[str, ...]
    flags: list[str]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """The answers for all cases, from one scan."""
    images = [case.image(number) for number, case in enumerate(CASES.values())]
    session = scan_images(tmp_path_factory.mktemp("cases"), images)
    views, flags = views_of(session), flags_of(session)
    layers = session.ask("SELECT name, diff_id FROM stack JOIN image USING (image_id)").rows
    merged = session.ask(
        "SELECT image.name, path FROM visible JOIN image USING (image_id)"
        " WHERE position IS NOT NULL ORDER BY path"
    ).rows
    return {
        name: Answer(
            text_of(views[image.names[0]]),
            tuple(path for owner, path in merged if owner == image.names[0]),
            [
                flag
                for owner, layer in layers
                if owner == image.names[0]
                for flag in flags.get(layer, [])
            ],
        )
        for name, image in zip(CASES, images, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_the_view_is_what_unpackers_write(name: str, answers: dict[str, Answer]) -> None:
    """Paths, kinds, sizes and modes of the view, its flags, and the oracle's paths."""
    case, answer = CASES[name], answers[name]
    assert answer.view == case.view
    assert sorted(answer.flags) == sorted(case.flags)
    if not any(member.kind == "raw" for layer in case.layers for member in layer):
        assert answer.merged == oracle.stack([tuple(layer) for layer in case.layers]).merged


@pytest.mark.tools
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_umoci_unpacks_the_view_or_the_entry_is_flagged(case: Case, tmp_path: Path) -> None:
    """What umoci unpacks, or refuses, is what each case says."""
    judge = need("umoci")
    write_oci_layout(tmp_path / "store", [case.image()], "none")
    if case.umoci == REFUSED:
        with pytest.raises(subprocess.CalledProcessError):
            text_from(judge, tmp_path)
    else:
        assert text_from(judge, tmp_path) == (case.view if case.umoci is None else case.umoci)


def text_from(judge: Judge, folder: Path) -> str:
    """What the tool unpacks from the only image of the layout, in the form of the cases."""
    with judge(folder / "store", "localhost/case0:1", folder) as root:
        return text_of(tree_below(root))


def test_every_flag_is_documented() -> None:
    """docs/catalog.md explains each flag that a case here expects."""
    text = (PROJECT / "docs/catalog.md").read_text()
    for flag in {flag.partition(":")[0] for case in CASES.values() for flag in case.flags}:
        assert flag == "dangling" or f"\n| {flag} |" in text, flag


#: flags of entries that the tools refuse to unpack
REFUSALS = (
    "invalid-whiteout pax-global-header link-to-later link-to-lower link-below-itself dangling "
    "entry-below-file symlink-loop implied-over-file mark-below-file root-not-directory "
    "through-own-symlink through-symlink duplicate-path directory-replaced whiteout-after-entry "
    "whiteout-before-implied whiteout-with-marks-below mark-in-nothing aufs-metadata"
)


def judge_stacks(judge: str, stacks: Sequence[tuple[Layer, ...]], folder: Path) -> int:
    """Unpack the stacks; returns how many the tool shows exactly as we do.

    The others must be flagged: the layer if the tool refuses it, else the path that differs or one
    above or below it. Behind a symbolic link the path has another name.
    """
    images = [
        Image(
            [tar_of(layer) for layer in stack],
            names=[f"localhost/i{number}:1"],
            settings={"Hostname": str(number)},
        )
        for number, stack in enumerate(stacks)
    ]
    session = scan_images(folder, images)
    views, flags = views_of(session), flags_of(session)
    layers = session.ask("SELECT name, diff_id FROM stack JOIN image USING (image_id)").rows
    equal = 0
    for stack, image in zip(stacks, images, strict=True):
        (name,) = image.names
        noted = [flag for owner, layer in layers if owner == name for flag in flags.get(layer, [])]
        ours = views[name]
        try:
            with JUDGES[judge](folder / "store", name, folder) as root:
                theirs = tree_below(root)
        except (subprocess.CalledProcessError, AssertionError, OSError):
            shutil.rmtree(folder / "bundle", ignore_errors=True)
            assert any(flag.partition(": ")[0] in REFUSALS.split() for flag in noted), (
                stack,
                noted,
            )
            continue
        differing = {
            path: (ours.get(path), theirs.get(path))
            for path in ours.keys() | theirs.keys()
            if ours.get(path) != theirs.get(path)
        }
        equal += not differing
        unexplained = [
            path for path in differing if not any(_explains(flag, path) for flag in noted)
        ]
        assert not unexplained, (stack, noted, differing)
    return equal


def _explains(flag: str, path: str) -> bool:
    case, _, flagged = flag.partition(": ")
    return (
        "symlink" in case
        or not flagged
        or path == flagged
        or path.startswith(flagged + "/")
        or flagged.startswith(path + "/")
    )


def drawn(count: int) -> list[tuple[Layer, ...]]:
    """Random stacks; none is drawn again when another fails."""
    found: list[tuple[Layer, ...]] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(wild_stacks())
    def draw(stack: tuple[Layer, ...]) -> None:
        found.append(stack)

    draw()
    return found


@pytest.mark.tools
@pytest.mark.parametrize(
    ("judge", "count"), [("umoci", 60), ("podman overlay", 8), ("podman vfs", 4)]
)
def test_tools_show_random_stacks_as_we_do_or_they_are_flagged(judge: str, count: int) -> None:
    """Stacks of everything that unpackers know, and one that all of them show as we do."""
    need(judge)
    ordinary = tuple(tuple(layer) for layer in EDGES)
    with tempfile.TemporaryDirectory() as folder:
        assert judge_stacks(judge, [ordinary, *drawn(count)], Path(folder)) > 0
