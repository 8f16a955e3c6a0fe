"""Names of images as users type them."""

from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_oci_layout
from helpers.scanning import scanned

from dedupe.analysis.selection import images_matching, one_image
from dedupe.errors import StoreError
from dedupe.store.session import Session

WEB1 = Image([tar_of([file("a", b"1")])], names=["localhost/team/web:1"])
WEB2 = Image([tar_of([file("a", b"2")])], names=["localhost/team/web:2"])
TOOL = Image([tar_of([file("a", b"3")])], names=["localhost/tool:1"])


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A scan of images with similar names."""
    write_oci_layout(tmp_path / "store", [WEB1, WEB2, TOOL])
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert outcome.problems == ()
    return session


@pytest.mark.parametrize(
    "text", ["localhost/tool:1", "tool:1", "tool", TOOL.image_id, TOOL.image_id[7:17]]
)
def test_an_image_is_found_by_name_short_name_or_id(session: Session, text: str) -> None:
    """A full name, a short name, an ID or the start of an ID finds the image."""
    assert one_image(session, text) == TOOL.image_id


def test_ambiguous_names_give_the_candidates(session: Session) -> None:
    """A repository with two tags is refused with both names."""
    with pytest.raises(StoreError, match=r"localhost/team/web:1, localhost/team/web:2") as caught:
        one_image(session, "web")
    assert caught.value.code == "ambiguous-image"


def test_wrong_names_give_the_closest(session: Session) -> None:
    """A mistyped name is refused with the names closest to it."""
    with pytest.raises(StoreError, match=r"closest are localhost/tool:1") as caught:
        one_image(session, "toool:1")
    assert caught.value.code == "no-image"
    with pytest.raises(StoreError, match="'dedupe images' lists them"):
        one_image(session, "§")


def test_a_glob_matches_any_name_of_an_image(session: Session) -> None:
    """A glob matches any name of an image; one that matches nothing is an error."""
    assert images_matching(session, ["*web*"]) == sorted([WEB1.image_id, WEB2.image_id])
    assert images_matching(session, ["*:1", "tool"]) == sorted([WEB1.image_id, TOOL.image_id])
    with pytest.raises(StoreError):
        images_matching(session, ["*web*", "nothing*"])
