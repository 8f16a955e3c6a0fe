"""Names of images as users type them."""

from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_docker_archive, write_oci_layout
from builders.docker import DockerRoot
from helpers.scanning import scanned

from dedupe.analysis import queries
from dedupe.analysis.selection import images_matching, one_image
from dedupe.errors import StoreError
from dedupe.report.tables import to_terminal
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


def test_the_id_of_a_cache_image_names_nothing(tmp_path: Path) -> None:
    """An untagged image that is deleted with its child is left out; another one is found by ID."""
    layers = [tar_of([file("a", b"1")]), tar_of([file("b", b"2")])]
    child = Image(layers, names=["app:1"])
    parent, apart = Image(layers[:1], names=[]), Image(layers[1:], names=[])
    root = DockerRoot(tmp_path / "docker")
    root.add(child, parent, apart)
    root.parent(child, parent)
    session = scanned(tmp_path / "catalog", tmp_path / "docker")[1]
    assert one_image(session, apart.image_id[7:17]) == apart.image_id
    with pytest.raises(StoreError) as caught:
        one_image(session, parent.image_id[7:17])
    assert caught.value.code == "no-image"


def test_ambiguous_names_give_the_candidates(session: Session) -> None:
    """A repository with two tags is refused: both names, and what tells the images apart."""
    with pytest.raises(StoreError) as caught:
        one_image(session, "web")
    assert caught.value.code == "ambiguous-image"
    (source,) = (row["location"] for row in session.rows("sources"))
    for image, tag in ((WEB1, 1), (WEB2, 2)):
        known = image.image_id[7:19]
        label = f"localhost/team/web:{tag} ({known}, linux/amd64, in {source})"
        assert label in caught.value.message
    assert "SOURCE::IMAGE" in caught.value.message


def test_wrong_names_give_the_closest(session: Session) -> None:
    """A mistyped name is refused with the names closest to it."""
    with pytest.raises(StoreError, match=r"closest are localhost/tool:1") as caught:
        one_image(session, "toool:1")
    assert caught.value.code == "no-image"
    with pytest.raises(StoreError, match="'dedupe images' lists them"):
        one_image(session, "§")


MAIN = Image([tar_of([file("a", b"4")])], names=["app:latest"])
PULL = Image([tar_of([file("a", b"5")])], names=["app:latest", "app:new"])


@pytest.fixture
def two(tmp_path: Path) -> Session:
    """Two archives that each hold another image of one name."""
    write_docker_archive(tmp_path / "main.tar", [MAIN])
    write_docker_archive(tmp_path / "pull.tar", [PULL])
    return scanned(tmp_path / "catalog", tmp_path / "main.tar", tmp_path / "pull.tar")[1]


@pytest.mark.parametrize(
    "text",
    [
        "main.tar::app:latest",
        "main.tar::app",
        "*main*::app:latest",
        "main.tar::",
        "main.tar",
        MAIN.image_id,
        MAIN.image_id[7:13],
        MAIN.image_id[:13],
    ],
)
def test_an_image_of_one_of_two_sources_is_named(
    two: Session, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By source and name, by the only image of a source, and by the start of an ID."""
    assert one_image(two, text) == MAIN.image_id
    assert one_image(two, f"{tmp_path}/main.tar::app") == MAIN.image_id
    monkeypatch.chdir(tmp_path)
    assert one_image(two, "./main.tar::app") == MAIN.image_id
    assert images_matching(two, [text, "pull*::app:new"]) == sorted([MAIN.image_id, PULL.image_id])


def test_a_name_of_two_sources_is_refused_with_both(two: Session, tmp_path: Path) -> None:
    """The message has source and ID of each; a glob means both."""
    with pytest.raises(StoreError) as caught:
        one_image(two, "app:latest")
    for image, name in ((MAIN, "main"), (PULL, "pull")):
        label = f"app:latest ({image.image_id[7:19]}, linux/amd64, in {tmp_path}/{name}.tar)"
        assert label in caught.value.message
    assert one_image(two, "app:new") == PULL.image_id
    assert len(images_matching(two, ["app:*"])) == 2
    for text, code in (("x.tar::app", "no-source"), ("main.tar::x", "no-image"), ("", "no-image")):
        with pytest.raises(StoreError) as caught:
            one_image(two, text)
        assert caught.value.code == code


def test_answers_tell_images_of_one_name_apart(two: Session, tmp_path: Path) -> None:
    """The label means the image in every command; tables add its ID and source."""
    rows = {row["image_id"]: row for row in two.rows("images")}
    assert {row["name"] for row in rows.values()} == {"app:latest"}
    for image, name in ((MAIN, "main"), (PULL, "pull")):
        label = rows[image.image_id]["label"]
        assert label == f"{tmp_path}/{name}.tar::app:latest"
        assert one_image(two, label) == image.image_id
    ends = {name for row in two.rows("tree") for name in row["ends"]}
    assert ends == {row["label"] for row in rows.values()}
    shown = to_terminal(two.answer(queries.images()), plain=False, columns=("name", "platform"))
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["app:latest", "linux/amd64", row["image_id"][7:19], *row["sources"]]
        for row in two.rows("images")
    ]


def test_platforms_of_one_source_keep_their_name(tmp_path: Path) -> None:
    """Nothing is put before a name that several images of one source have."""
    arm = Image([tar_of([file("b", b"4")])], names=["app:1"], platform="linux/arm64")
    amd = Image([tar_of([file("b", b"5")])], names=["app:1"])
    write_oci_layout(tmp_path / "store", [arm, amd])
    session = scanned(tmp_path / "catalog", tmp_path / "store")[1]
    assert [row["label"] for row in session.rows("images")] == ["app:1", "app:1"]


def test_a_glob_matches_any_name_of_an_image(session: Session) -> None:
    """A glob matches any name of an image; one that matches nothing is an error."""
    assert images_matching(session, ["*web*"]) == sorted([WEB1.image_id, WEB2.image_id])
    assert images_matching(session, ["*:1", "tool"]) == sorted([WEB1.image_id, TOOL.image_id])
    with pytest.raises(StoreError):
        images_matching(session, ["*web*", "nothing*"])
