"""Images of Windows: names ignore case, and hives are merged."""

from pathlib import Path

import pytest
from builders import (
    Image,
    Member,
    directory,
    file,
    hardlink,
    opaque,
    raw,
    tar_of,
    whiteout,
)
from helpers.scanning import scan_images

from dedupe.store.session import Session

FOLDERS = [directory("Files"), directory("Files/app")]
BASE = [
    *FOLDERS,
    file("Files/app/Big.dll", b"1" * 500),
    file("Files/app/tool.exe", b"2" * 200),
    file("Files/app/kept.txt", b"3" * 40),
    directory("Hives"),
    file("Hives/Software_Delta", b"4" * 80),
]
UPPER = [
    file("Files/App/big.DLL", b"5" * 400),
    whiteout("Files/APP/TOOL.EXE"),
    directory("Hives"),
    file("Hives/Software_Delta", b"6" * 90),
]


def session_of(
    folder: Path, *layers: list[Member], platform: str = "windows/amd64", foreign: bool = False
) -> Session:
    """A scan of an image of these layers; with ``foreign`` its lowest layer is not stored."""
    tars = [tar_of(layer) for layer in layers]
    unstored = frozenset({0} if foreign else ())
    image = Image(tars, names=["windows:1"], platform=platform, foreign=unstored)
    return scan_images(folder, [image])


def shadowed(session: Session) -> list[tuple]:
    """Path, size and cause of each shadowed file."""
    rows = session.rows("shadowed_files")
    return sorted((row["path"], row["size_bytes"], row["cause"]) for row in rows)


def test_names_that_differ_in_case_hide_each_other(tmp_path: Path) -> None:
    """A file and a whiteout hide a lower file of another spelling; hives hide none."""
    session = session_of(tmp_path, BASE, UPPER)
    assert shadowed(session) == [
        ("Files/app/Big.dll", 500, "modified"),
        ("Files/app/tool.exe", 200, "deleted"),
    ]
    (image,) = session.rows("images")
    assert image["content_bytes"] == 500 + 200 + 40 + 80 + 400 + 90
    assert (image["shadowed_bytes"], image["live_bytes"]) == (700, 40 + 80 + 400 + 90)
    assert [row["path"] for row in session.rows("merged_view")] == [
        "Files",
        "Files/app",
        "Files/app/Big.dll",
        "Files/app/kept.txt",
        "Hives",
        "Hives/Software_Delta",
    ]
    rows = session.rows("paths/which", path="Hives/Software_Delta", container=None)
    assert [row["state"] for row in rows] == ["seen", "merged"]
    assert session.rows("problems") == []


def test_the_same_layers_of_linux_are_compared_exactly(tmp_path: Path) -> None:
    """There the names differ, and the upper hive is another version of the file."""
    session = session_of(tmp_path, BASE, UPPER, platform="linux/amd64")
    assert shadowed(session) == [("Hives/Software_Delta", 80, "modified")]


def test_a_layer_of_two_systems_is_compared_exactly(tmp_path: Path) -> None:
    """One image of Linux suffices, whatever other images have the layer."""
    tars = [tar_of(BASE), tar_of(UPPER)]
    platforms = ("windows/amd64", "linux/amd64")
    images = [Image(tars, names=[f"{name[:3]}:1"], platform=name) for name in platforms]
    assert shadowed(scan_images(tmp_path, images)) == [("Hives/Software_Delta", 80, "modified")]


@pytest.mark.parametrize(
    ("upper", "hidden"),
    [
        ([opaque("files/APP")], {"Big.dll", "tool.exe", "kept.txt", "two"}),
        ([whiteout("FILES/App")], {"Big.dll", "tool.exe", "kept.txt", "two"}),
        ([file("Files/APP")], {"Big.dll", "tool.exe", "kept.txt", "two"}),
        ([hardlink("Files/new", "files/app/TOOL.exe"), whiteout("Files/app/tool.exe")], set()),
        ([file("Files/APP/KEPT.TXT", b"3" * 40, mtime=9)], {"kept.txt"}),
        # the same spelling twice in one layer: the last is seen
        ([file("Files/app/new", b"7"), file("Files/App/NEW", b"8")], {"new"}),
    ],
)
def test_case_is_ignored_in_every_rule(
    upper: list[Member], hidden: set[str], tmp_path: Path
) -> None:
    """Folders, opaque marks, targets of hard links and members of one layer meet too."""
    base = [*BASE, file("Files/app/two", b"9")]
    found = {Path(path).name for path, _, _ in shadowed(session_of(tmp_path, base, upper))}
    assert found == hidden


def test_marks_over_a_foreign_base_are_no_cases(tmp_path: Path) -> None:
    """Folders of a base that is not stored are not taken for missing ones, on any system."""
    mark = [whiteout("Files/Windows/System32/scm.evm")]
    for platform in ("windows/amd64", "linux/amd64"):
        folder = tmp_path / platform.partition("/")[0]
        session = session_of(folder, BASE, mark, platform=platform, foreign=True)
        assert {row["code"] for row in session.rows("problems")} == {"foreign-layer"}


def test_what_layers_above_a_foreign_base_hide_is_a_lower_bound(tmp_path: Path) -> None:
    """Microsoft's base is not stored, so the figures are unknown, but at least this is shadowed."""
    (image,) = session_of(tmp_path / "a", [file("x")], BASE, UPPER, foreign=True).rows("images")
    assert (image["shadowed_bytes"], image["read_shadowed_bytes"]) == (None, 700)
    # what a layer that was not read is above may have a second name there
    (image,) = session_of(tmp_path / "b", BASE, UPPER, foreign=True).rows("images")
    assert (image["shadowed_bytes"], image["read_shadowed_bytes"]) == (None, 0)


def test_ignored_members_of_windows_images_hide_nothing(tmp_path: Path) -> None:
    """A member of a type that is not known has a path, but writes nothing there."""
    unknown = raw(b"Files/app/kept.txt", flag=b"?")
    assert shadowed(session_of(tmp_path, BASE, [unknown, *UPPER])) == [
        ("Files/app/Big.dll", 500, "modified"),
        ("Files/app/tool.exe", 200, "deleted"),
    ]
