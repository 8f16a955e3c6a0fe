"""Links of a store: followed into folders that were named, and nowhere else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dedupe.errors import SourceError
from dedupe.host import links
from dedupe.host.files import open_below
from dedupe.host.links import LinkOutsideError, NamedRoots, Place, resolve_below

HERE = ("layout", "blob")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A folder ``named`` with a file in it, and a folder ``outside`` beside it."""
    for folder in ("named/layout", "named/base/deep", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "named/base/blob").write_bytes(b"base")
    (tmp_path / "named/base/deep/blob").write_bytes(b"deep")
    (tmp_path / "outside/blob").write_bytes(b"outside")
    return tmp_path


def resolved(top: Path, target: str, *also: Path) -> bytes:
    """The bytes that a link of this target leads to."""
    named = top / "named"
    link = named.joinpath(*HERE)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    place = resolve_below(named, HERE, NamedRoots([named, *also]))
    with open(open_below(place.root, place.parts), "rb") as file:
        return file.read()


def error_of(top: Path, target: str, *also: Path) -> str:
    """The code of the error that following this link gives."""
    with pytest.raises(SourceError) as failure:
        resolved(top, target, *also)
    return failure.value.code


def test_links_inside_are_followed(top: Path) -> None:
    """Relative and absolute ones, through other links and with dots."""
    named = top / "named"
    assert resolved(top, "../base/blob") == b"base"
    assert resolved(top, str(named / "base/blob")) == b"base"
    assert resolved(top, "./..//base/./deep/../blob") == b"base"
    # up to the root's parent and back by the root's own name
    assert resolved(top, "../../named/base/blob") == b"base"
    (named / "second").symlink_to("base/deep")
    assert resolved(top, "../second/blob") == b"deep"
    # ``..`` behind a link is the parent of its target
    assert resolved(top, "../second/../blob") == b"base"


def test_a_link_to_a_named_folder_elsewhere_is_followed(top: Path) -> None:
    """The place is then below that folder."""
    named, outside = top / "named", top / "outside"
    assert resolved(top, "../../outside/blob", outside) == b"outside"
    assert resolved(top, str(outside / "blob"), outside) == b"outside"
    place = resolve_below(named, HERE, NamedRoots([named, outside]))
    assert place == Place(outside, ("blob",))


def test_a_folder_may_be_named_through_a_link(top: Path) -> None:
    """Targets may have the name that the user gave, or the real one."""
    (top / "alias").symlink_to("outside")
    for name in ("alias", "outside"):
        assert resolved(top, str(top / name / "blob"), top / "alias") == b"outside"
    assert error_of(top, str(top / "alias/blob"), top / "outside") == "link-refused"


@pytest.mark.parametrize(
    "target",
    [
        "../../outside/blob",
        "/etc/shadow",
        "../../../../../../../../../../etc/shadow",
        "../base/../../outside/blob",
        "../../named2/base/blob",
        "../..",
        "/",
    ],
)
def test_links_out_of_what_was_named_are_refused(target: str, top: Path) -> None:
    """The error has the path that the link leads to."""
    (top / "named2").symlink_to("outside")
    assert error_of(top, target) == "link-refused"
    expected = os.path.normpath(top / "named/layout" / target)
    with pytest.raises(LinkOutsideError) as failure:
        resolved(top, target)
    assert str(failure.value.target) == expected


def test_a_chain_of_links_may_not_leave(top: Path) -> None:
    """The second link leads out of the folder."""
    (top / "named/base/chain").symlink_to("../../outside")
    assert error_of(top, "../base/chain/blob") == "link-refused"


def test_links_without_end_are_an_error(top: Path) -> None:
    """A link to itself, two to each other, and more links than Linux follows."""
    assert error_of(top, "blob") == "not-a-regular-file"
    (top / "named/layout/other").symlink_to("blob")
    assert error_of(top, "other") == "not-a-regular-file"
    for number in range(links.MAX_LINKS + 1):
        (top / f"named/base/link{number}").symlink_to(f"link{number + 1}")
    assert error_of(top, "../base/link0") == "not-a-regular-file"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("../base/absent", "blob-missing"),
        ("../absent/blob", "blob-missing"),
        ("../base/blob/", "not-a-regular-file"),
        ("../base/blob/below", "not-a-regular-file"),
        ("../base", "not-a-regular-file"),
        ("../base/fifo", "not-a-regular-file"),
    ],
)
def test_links_to_other_things_are_errors(target: str, expected: str, top: Path) -> None:
    """Nothing waits for a writer of a FIFO."""
    os.mkfifo(top / "named/base/fifo")
    assert error_of(top, target) == expected


def test_a_link_that_is_swapped_meanwhile_is_not_followed(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder on the way becomes a link to elsewhere between looking at it and opening it."""
    named = top / "named"
    read = os.readlink

    def swap(name: str, *, dir_fd: int) -> str:
        try:
            return read(name, dir_fd=dir_fd)
        finally:
            if name == "base":
                (named / "base").rename(named / "moved")
                (named / "base").symlink_to("../outside")

    monkeypatch.setattr(os, "readlink", swap)
    assert error_of(top, "../base/blob") == "not-a-regular-file"


def test_a_file_that_is_swapped_after_resolving_is_not_opened(top: Path) -> None:
    """The place is opened without following links."""
    named = top / "named"
    named.joinpath(*HERE).symlink_to("../base/blob")
    place = resolve_below(named, HERE, NamedRoots([named]))
    (named / "base/blob").unlink()
    (named / "base/blob").symlink_to("../../outside/blob")
    with pytest.raises(SourceError) as failure:
        open_below(place.root, place.parts)
    assert failure.value.code == "not-a-regular-file"


def descriptors() -> Iterator[str]:
    """The open descriptors of this process."""
    return iter(sorted(os.listdir("/proc/self/fd")))


def test_no_descriptor_stays_open(top: Path) -> None:
    """Neither after success nor after any error."""
    before = list(descriptors())
    resolved(top, "../base/deep/../blob")
    for target in ("blob", "/etc/shadow", "../base/absent", "../base/blob/below"):
        error_of(top, target)
    assert list(descriptors()) == before


def test_the_file_system_as_a_named_folder(top: Path) -> None:
    """If the user names ``/``, every link is inside."""
    assert resolved(top, str(top / "outside/blob"), Path("/")) == b"outside"


def test_a_file_may_be_named_too(top: Path) -> None:
    """Only as the end of a path."""
    named = top / "outside/blob"
    assert resolved(top, str(named), named) == b"outside"
    assert error_of(top, f"{named}/", named) == "not-a-regular-file"
    assert error_of(top, str(top / "outside/other"), named) == "link-refused"
