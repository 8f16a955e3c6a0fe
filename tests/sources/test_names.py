"""Names of images whose store keeps only a tag, or only an ID, and commands that use them."""

import shlex
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_docker_archive, write_oci_archive, write_oci_layout
from builders.storage import ContainersStorage
from helpers.scanning import scan_only, scanned

from dedupe.analysis.selection import one_image
from dedupe.analysis.what_if import DeletionFilter, what_if
from dedupe.errors import StoreError
from dedupe.sources.discover import name_below
from dedupe.store.session import Session

BASE = tar_of([file("base", b"1" * 500)])
APPS = [
    Image([BASE, tar_of([file("app", str(number).encode() * 50)])], names=["x:1.0"])
    for number in range(3)
]
NOW = datetime(2030, 1, 1)


def names(session: Session) -> list[list[str]]:
    """Names of all images."""
    return sorted(row["names"] for row in session.rows("image_names"))


def test_a_bare_tag_gets_the_name_of_its_layout(tmp_path: Path) -> None:
    """Below the scanned folder it is the path, as zot names repositories; a full name stays."""
    for app, folder in zip(APPS, ("a", "b", "team/app"), strict=True):
        write_oci_layout(tmp_path / "zot" / folder, [app], annotation="tag")
    session = scanned(tmp_path / "catalog", tmp_path / "zot")[1]
    assert names(session) == [["a:1.0"], ["b:1.0"], ["team/app:1.0"]]
    groups = {row["name"] for row in session.rows("images")}
    assert groups == {"a:1.0", "b:1.0", "team/app:1.0"}
    alone = scanned(tmp_path / "one", tmp_path / "zot" / "team" / "app")[1]
    assert names(alone) == [["app:1.0"]]
    write_oci_layout(tmp_path / "full", [Image([BASE], names=["quay.io/team/app:1.0"])])
    write_oci_layout(tmp_path / "short", [Image([BASE], names=["app:1.0"])], annotation="ref")
    assert names(scanned(tmp_path / "c2", tmp_path / "full")[1]) == [["quay.io/team/app:1.0"]]
    assert names(scanned(tmp_path / "c3", tmp_path / "short")[1]) == [["app:1.0"]]


def test_an_archive_of_a_layout_gives_its_name(tmp_path: Path) -> None:
    """Without the endings of an archive."""
    write_oci_archive(tmp_path / "app.tar", [APPS[0]], annotation="tag")
    assert names(scanned(tmp_path / "catalog", tmp_path / "app.tar")[1]) == [["app:1.0"]]


@pytest.mark.parametrize(
    ("location", "place", "name"),
    [
        ("/srv/zot/team/app", "/srv/zot", "team/app"),
        ("/srv/zot/team/app", "/srv/zot/", "team/app"),
        ("/srv/zot", "/srv/zot", "zot"),
        ("/app", "/", "app"),
        ("/srv/x.tar.gz", "/srv", "x"),
        ("/srv/.tar", "/srv", ".tar"),
        ("s3://bucket/zot/a", "s3://bucket/zot", "a"),
        ("s3://bucket", "s3://bucket", "bucket"),
    ],
)
def test_the_name_of_a_layout(location: str, place: str, name: str) -> None:
    """The path below the place that was named; the last part of the place itself."""
    assert name_below(location, place) == name


def test_printed_commands_work_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that was scanned by a relative path is named by its absolute one."""
    monkeypatch.chdir(tmp_path)
    write_docker_archive(tmp_path / "with space.tar", [APPS[0]])
    scan_only(tmp_path / "catalog", "./with space.tar")
    found = what_if(Session(tmp_path / "catalog"), DeletionFilter(["*"], [], None), NOW)
    (step,) = found.removals
    monkeypatch.chdir("/")
    subprocess.run(step.shell, shell=True, check=True)
    assert not (tmp_path / "with space.tar").exists()


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")
def test_umoci_deletes_what_the_printed_commands_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags are those of index.json, without the layout's name in front."""
    monkeypatch.chdir(tmp_path)
    other = Image([tar_of([file("other", b"o" * 90)])], names=["x:2.0"])
    write_oci_layout(tmp_path / "team" / "app", [APPS[0], other], annotation="tag")
    scan_only(tmp_path / "catalog", "team")
    session = Session(tmp_path / "catalog")
    assert names(session) == [["app:1.0"], ["app:2.0"]]
    found = what_if(session, DeletionFilter(["app:1.0"], [], None), NOW)
    for step in found.removals:
        subprocess.run(shlex.split(step.shell), check=True, cwd="/", capture_output=True)
    scan_only(tmp_path / "catalog", "team")
    assert names(Session(tmp_path / "catalog")) == [["app:2.0"]]


def test_deleting_one_source_s_copy_is_refused(tmp_path: Path) -> None:
    """The figures are about all copies of an image, so a choice by source must not name more."""
    write_docker_archive(tmp_path / "a.tar", [APPS[0]])
    write_docker_archive(tmp_path / "b.tar", [APPS[0]])
    session = scanned(tmp_path / "catalog", tmp_path / "a.tar", tmp_path / "b.tar")[1]
    with pytest.raises(StoreError, match=r"b\.tar: add --source") as caught:
        what_if(session, DeletionFilter(["a.tar::x:1.0"], [], None), NOW)
    assert caught.value.code == "ambiguous-image"
    one = Session(tmp_path / "catalog", sources=["*a.tar"])
    found = what_if(one, DeletionFilter(["a.tar::x:1.0"], [], None), NOW)
    assert [step.source for step in found.removals] == [str(tmp_path / "a.tar")]
    assert one_image(session, "a.tar::x:1.0") == APPS[0].image_id


@pytest.mark.parametrize("record", [APPS[0].image_id[7:], "f" * 64])
def test_an_unnamed_image_of_podman_has_the_id_that_podman_shows(
    tmp_path: Path, record: str
) -> None:
    """Of images that were pulled file by file it is not the config's digest."""
    store = ContainersStorage(tmp_path / "store")
    store.add(APPS[0], id=record, names=[])
    folder = tmp_path / "store" / "overlay-images"
    if record == "f" * 64:
        (folder / APPS[0].image_id[7:]).rename(folder / record)
    (folder / record / "manifest").write_text('{"layers": []}')
    store.write()
    session = scanned(tmp_path / "catalog", tmp_path / "store")[1]
    (row,) = session.rows("images")
    assert row["name"] == f"sha256:{record}"
    assert row["image_id"] == APPS[0].image_id
    for text in (record, record[:12], f"sha256:{record}", APPS[0].image_id[7:19]):
        assert one_image(session, text) == APPS[0].image_id
    (step,) = what_if(session, DeletionFilter(["*"], [], None), NOW).removals
    assert step.command[-2:] == ("--", record)
