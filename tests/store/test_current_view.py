"""Which scans answer: the latest scan of each source, stale and gone sources, one scan, some."""

import json
import os
import shutil
from pathlib import Path

import pytest
from builders import file, image, write_docker_archive, write_oci_layout
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import codes, scan_only
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedupe.analysis import queries
from dedupe.analysis.check import CheckSettings, check
from dedupe.analysis.check.settings import with_limits
from dedupe.errors import LockedError, StoreError
from dedupe.host.locks import shared_lock
from dedupe.model.tables import SCAN_TABLES
from dedupe.store.catalog import LOCK
from dedupe.store.opening import read_scans
from dedupe.store.retention import collect, forget, forget_sources, needed_scans
from dedupe.store.session import Session
from dedupe.store.verify import verify
from dedupe.store.views import scan_ids

BASE = [file("base", b"1" * 4000)]
A = image(BASE, [file("a", b"2" * 300)], names=["r/a:1"])
B = image(BASE, [file("b", b"3" * 500)], names=["r/b:1"])
C = image([file("c", b"4" * 70)], names=["r/c:1"])


def names(session: Session) -> list[str]:
    """Names of the images in the view."""
    return sorted(name for row in session.rows("image_names") for name in row["names"])


def sources(session: Session) -> dict[str, bool]:
    """Name of each source's file -> whether it is stale."""
    rows = session.rows("sources")
    return {Path(row["location"]).name: row["stale_since"] is not None for row in rows}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with three archives of one image each."""
    for one, name in ((A, "a"), (B, "b"), (C, "c")):
        write_docker_archive(tmp_path / f"{name}.tar", [one])
    return tmp_path


def test_scans_of_different_sources_answer_together(place: Path) -> None:
    """The figures are those of one scan of all; each scan alone, and each source, can be asked."""
    catalog = place / "catalog"
    first = scan_only(catalog, place / "a.tar").scan_id
    second = scan_only(catalog, place / "b.tar").scan_id
    scan_only(place / "at once", place / "a.tar", place / "b.tar")
    both, reference = Session(catalog), Session(place / "at once")
    assert names(both) == ["r/a:1", "r/b:1"]
    for question in ("totals", "images", "layers", "usage/positions", "findings", "tree"):
        assert both.rows(question) == reference.rows(question), question
    assert [row["answers"] for row in both.rows("catalog_scans")] == [1, 1]
    assert not both.view.is_last_scan
    assert reference.view.is_last_scan
    for chosen, expected in (
        ({"scan": first}, ["r/a:1"]),
        ({"scan": first[:-1]}, ["r/a:1"]),
        ({"scan": "latest"}, ["r/b:1"]),
        ({"scan": second, "sources": ["*b.tar"]}, ["r/b:1"]),
        ({"sources": ["*a.tar"]}, ["r/a:1"]),
        ({"sources": [str(place / "a.tar")]}, ["r/a:1"]),
        ({"sources": [str(place)]}, ["r/a:1", "r/b:1"]),
        ({"sources": ["*a.tar", "*b.tar"]}, ["r/a:1", "r/b:1"]),
    ):
        assert names(Session(catalog, **chosen)) == expected, chosen
    for chosen, code in (
        ({"scan": "2"}, "ambiguous-scan"),
        ({"scan": "x"}, "no-scan"),
        ({"scan": ""}, "no-scan"),
        ({"sources": ["*a.tar", "x"]}, "no-source"),
        ({"scan": first, "sources": ["*b.tar"]}, "no-source"),
    ):
        with pytest.raises(StoreError) as caught:
            Session(catalog, **chosen)
        assert caught.value.code == code


def test_a_later_scan_of_a_source_replaces_its_rows(place: Path) -> None:
    """The rows of other sources in the same earlier scan stay."""
    catalog = place / "catalog"
    scan_only(catalog, place / "a.tar", place / "b.tar")
    write_docker_archive(place / "a.tar", [A, C])
    scan_only(catalog, place / "a.tar")
    assert names(Session(catalog)) == ["r/a:1", "r/b:1", "r/c:1"]
    write_docker_archive(place / "a.tar", [C])
    scan_only(catalog, place / "a.tar")
    session = Session(catalog)
    assert names(session) == ["r/b:1", "r/c:1"]
    assert sources(session) == {"a.tar": False, "b.tar": False}
    assert session.rows("totals")[0]["stored_bytes"] == sum(
        (place / name).stat().st_size for name in ("a.tar", "b.tar")
    )


def test_questions_about_some_images_and_proposals_keep_the_view(place: Path) -> None:
    """A session that was narrowed, and one with other orders, are about the same scans."""
    catalog = place / "catalog"
    scan_only(catalog, place / "a.tar")
    scan_only(catalog, place / "b.tar")
    session = Session(catalog)
    ids = {row["name"]: row["image_id"] for row in session.rows("images")}
    history = session.rows(queries.paths_history(about=(ids["r/a:1"],)))
    assert [row["added_bytes"] for row in history] == [4000, 300]
    beside = session.beside({ids["r/a:1"]: [1, 0]})
    assert {row["image_id"] for row in beside.rows("image_names")} == {
        ids["r/a:1"],
        f"proposed:{ids['r/a:1']}",
    }


@pytest.mark.parametrize("how", ["absent", "emptied", "damaged"])
def test_a_source_that_cannot_be_read_keeps_its_rows_and_is_stale(how: str, tmp_path: Path) -> None:
    """Its rows are marked with their time, and what failed is among the problems."""
    store, catalog = tmp_path / "store", tmp_path / "catalog"
    write_oci_layout(store, [A])
    write_docker_archive(tmp_path / "b.tar", [B])
    scan_only(catalog, store, tmp_path / "b.tar")
    shutil.move(store, tmp_path / "away")
    if how == "emptied":
        store.mkdir()
    if how == "damaged":
        shutil.copytree(tmp_path / "away", store)
        (store / "index.json").write_text("{")
    failed = scan_only(catalog, store)
    session = Session(catalog)
    assert names(session) == ["r/a:1", "r/b:1"]
    assert sources(session) == {"store": True, "b.tar": False}
    (row,) = (row for row in session.rows("sources") if row["location"] == str(store))
    assert row["scanned"] <= row["stale_since"]
    assert row["scan"] == scan_ids(catalog)[0]
    if how != "emptied":
        assert codes(failed)
        assert set(codes(failed)) <= {row["code"] for row in session.rows("problems")}
        (place,) = session.rows("failed_places")
        assert (place["place"], place["scan"]) == (str(store), failed.scan_id)
    # a scan that can read it again ends that
    shutil.rmtree(store, ignore_errors=True)
    shutil.move(tmp_path / "away", store)
    scan_only(catalog, store)
    assert sources(Session(catalog)) == {"store": False, "b.tar": False}
    assert Session(catalog).rows("failed_places") == []


def test_a_wrong_path_hides_nothing_and_is_said(place: Path) -> None:
    """The view is what it was; the place is known to have failed until the next scan."""
    catalog = place / "catalog"
    scan_only(catalog, place / "a.tar")
    before = Session(catalog).rows("images")
    scan_only(catalog, place / "nowhere")
    session = Session(catalog)
    assert session.rows("images") == before
    assert sources(session) == {"a.tar": False}
    (failed,) = session.rows("failed_places")
    assert (failed["place"], failed["code"]) == (str(place / "nowhere"), "no-such-source")
    assert [row["source"] for row in session.rows("problems")] == [str(place / "nowhere")]
    # who asks about a source does not ask about other places
    assert Session(catalog, sources=["*a.tar"]).rows("failed_places") == []
    scan_only(catalog, place / "b.tar")
    assert Session(catalog).rows("failed_places") == []
    assert Session(catalog).rows("problems") == []


def test_a_source_that_was_deleted_from_a_folder_is_gone(place: Path) -> None:
    """Its bytes count no longer, and other sources do not lose it in the folder."""
    catalog, folder = place / "catalog", place / "folder"
    folder.mkdir()
    for name in ("a.tar", "b.tar"):
        shutil.copy(place / name, folder)
    scan_only(catalog, place / "c.tar")
    scan_only(catalog, folder)
    (folder / "b.tar").unlink()
    scan_only(catalog, folder)
    session = Session(catalog)
    assert sources(session) == {"a.tar": False, "c.tar": False}
    rows = session.rows("trend")
    assert [row["sources"] for row in rows] == [1, 3, 2]
    assert rows[-1]["growth_bytes"] == -(place / "b.tar").stat().st_size
    # it comes back
    shutil.copy(place / "b.tar", folder)
    scan_only(catalog, folder)
    assert sources(Session(catalog)) == {"a.tar": False, "b.tar": False, "c.tar": False}


def test_a_source_below_an_empty_folder_may_be_on_a_disk_that_is_not_mounted(place: Path) -> None:
    """It is stale, not gone, though other sources of the same place were read."""
    catalog, disk = place / "catalog", place / "folder" / "disk"
    disk.mkdir(parents=True)
    shutil.copy(place / "a.tar", place / "folder")
    shutil.copy(place / "b.tar", disk)
    scan_only(catalog, place / "folder")
    (disk / "b.tar").unlink()
    scan_only(catalog, place / "folder")
    assert sources(Session(catalog)) == {"a.tar": False, "b.tar": True}


def test_a_source_that_is_part_of_another_now_is_gone(place: Path) -> None:
    """A file that was scanned alone, and then the store that it belongs to, counts once."""
    store, catalog = place / "store", place / "catalog"
    contents = write_oci_layout(store, [C], "none")
    layer = contents.layers[C.image_id][0].removeprefix("sha256:")
    scan_only(catalog, store / "blobs" / "sha256" / layer)
    assert len(Session(catalog).rows("sources")) == 1
    scan_only(catalog, store)
    assert sources(Session(catalog)) == {"store": False}


def test_one_place_has_one_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative, absolute, with dots and through a link: one source, whose location is absolute."""
    catalog = place / "catalog"
    (place / "link").symlink_to(place, target_is_directory=True)
    monkeypatch.chdir(place)
    for given_place in ("a.tar", str(place / "a.tar"), "./../" + place.name + "/a.tar"):
        scan_only(catalog, given_place)
    scan_only(catalog, place / "link" / "a.tar")
    (row,) = Session(catalog).rows("sources")
    assert row["location"] == str(place / "a.tar")
    assert names(Session(catalog, sources=["a.tar"])) == ["r/a:1"]
    assert names(Session(catalog, sources=["link/a.tar"])) == ["r/a:1"]


def test_sources_can_be_forgotten(place: Path) -> None:
    """All their rows go, from scans of other sources too; the rest stays."""
    catalog = place / "catalog"
    alone = scan_only(catalog, place / "a.tar").scan_id
    scan_only(catalog, place / "a.tar", place / "b.tar")
    (place / "a.tar").unlink()
    scan_only(catalog, place / "a.tar", place / "b.tar")
    assert sources(Session(catalog)) == {"a.tar": True, "b.tar": False}
    with shared_lock(catalog / LOCK), pytest.raises(LockedError):
        forget_sources(catalog, ["*a.tar"])
    done = forget_sources(catalog, ["*a.tar"])
    assert done.sources == (str(place / "a.tar"),)
    assert done.scans == (alone,)
    session = Session(catalog)
    assert names(session) == ["r/b:1"]
    assert sources(session) == {"b.tar": False}
    assert session.rows("failed_places") == session.rows("problems") == []
    for table in ("sources", "images", "image_layers", "problems"):
        rows = read_scans(catalog, f"SELECT count(*) FROM {table} WHERE source LIKE '%a.tar'")
        assert rows == [(0,)], table
    assert forget_sources(catalog, ["*a.tar"]) == type(done)((), ())


def test_a_place_that_gave_nothing_can_be_forgotten(place: Path) -> None:
    """The scan of it goes, since nothing else is in it."""
    catalog = place / "catalog"
    scan_only(catalog, place / "a.tar")
    failed = scan_only(catalog, place / "nowhere").scan_id
    assert forget_sources(catalog, [str(place / "nowhere")]).scans == (failed,)
    assert Session(catalog).rows("failed_places") == []


def test_an_interrupted_forgetting_leaves_no_half_of_a_source(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any file, the source is in the view with all its rows or with none."""
    scan_only(place / "whole", place / "a.tar", place / "b.tar")
    before = Session(place / "whole").rows("images")
    real = os.replace
    # a table and its checksums are replaced in three steps
    steps = 3 * len(SCAN_TABLES)
    for moment in range(0, steps + 1, 1 if examples(100) == 100 else 2):
        catalog = place / f"killed{moment}"
        shutil.copytree(place / "whole", catalog)
        left = moment

        def deadly(source: str, target: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            real(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", lambda path, to: deadly(str(path), str(to)))
            patch.setattr(os, "replace", deadly)
            if moment < steps:
                with pytest.raises(KeyboardInterrupt):
                    forget_sources(catalog, ["*a.tar"])
            else:
                forget_sources(catalog, ["*a.tar"])
        session = Session(catalog)
        rows = session.rows("images")
        assert rows == before if moment < 2 else names(session) == ["r/b:1"]
        assert list(verify(catalog)) == []
        forget_sources(catalog, ["*a.tar"])
        assert names(Session(catalog)) == ["r/b:1"]
        assert read_scans(catalog, "SELECT DISTINCT source FROM image_layers") == [
            (str(place / "b.tar"),)
        ]


def test_scans_that_the_view_needs_are_known(place: Path) -> None:
    """The latest of each source, what makes one stale, and what has found one gone."""
    catalog, folder = place / "catalog", place / "folder"
    folder.mkdir()
    for name in ("a.tar", "b.tar"):
        shutil.copy(place / name, folder)
    old = scan_only(catalog, folder, place / "c.tar").scan_id
    needless = scan_only(catalog, folder).scan_id
    (folder / "b.tar").unlink()
    gone = scan_only(catalog, folder).scan_id
    last = scan_only(catalog, folder).scan_id
    (place / "c.tar").rename(place / "d")
    stale = scan_only(catalog, place / "c.tar").scan_id
    assert needed_scans(catalog) == {old, gone, last, stale}
    expected = Session(catalog).rows("sources")
    forget(catalog, needless)
    collect(catalog)
    assert Session(catalog).rows("sources") == expected


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    scans=st.lists(
        st.tuples(st.lists(st.sampled_from("abc"), min_size=1, unique=True), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
def test_the_view_is_the_latest_of_each_source(
    scans: list[tuple[list[str], bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any scans, some of them of places that cannot be read, as counted one by one."""
    place = tmp_path_factory.mktemp("view")
    latest: dict[str, str] = {}
    stale: set[str] = set()
    for named, is_there in scans:
        for name in "abc":
            path = place / f"{name}.tar"
            if is_there:
                write_docker_archive(path, [{"a": A, "b": B, "c": C}[name]])
            else:
                path.unlink(missing_ok=True)
        scan = scan_only(place / "catalog", *(place / f"{name}.tar" for name in named)).scan_id
        for name in named:
            if is_there:
                latest[name] = scan
                stale.discard(name)
            elif name in latest:
                stale.add(name)
    session = Session(place / "catalog")
    rows = session.rows("sources")
    assert {Path(row["location"]).stem: row["scan"] for row in rows} == latest
    assert {Path(row["location"]).stem for row in rows if row["stale_since"]} == stale
    assert names(session) == sorted(f"r/{name}:1" for name in latest)


def test_growth_compares_source_by_source(place: Path) -> None:
    """A scan of one of several sources is compared with that source; a new place is not growth."""
    catalog = place / "catalog"
    rules = with_limits(CheckSettings(floor_bytes=0), ("highest-growth-bytes=1",), ())

    def grown() -> float | None:
        found = {each.rule.name: each for each in check(Session(catalog), rules).outcomes}
        worst = found["highest_growth_bytes"].worst
        return worst.value if worst else None

    scan_only(catalog, place / "a.tar")
    scan_only(catalog, place / "b.tar")
    scan_only(catalog, place / "a.tar")
    assert grown() == 0
    before = (place / "a.tar").stat().st_size
    write_docker_archive(place / "a.tar", [A, C])
    scan_only(catalog, place / "a.tar")
    assert grown() == (place / "a.tar").stat().st_size - before
    scan_only(catalog, place / "c.tar", place / "a.tar")
    assert grown() == 0


def test_commands_say_what_they_are_about(place: Path) -> None:
    """One line on standard error, unless it is the last scan alone; the answer is unchanged."""
    catalog = place / "catalog"
    assert run(catalog, "scan", "-q", str(place / "a.tar")).returncode == 0
    alone = run(catalog, "images")
    assert alone.stderr == ""
    run(catalog, "scan", "-q", str(place / "b.tar"))
    both = run(catalog, "images", "-f", "json")
    assert both.stderr.startswith("dedupe: 2 sources of 2 scans, ")
    assert len(json.loads(both.stdout)) == 2
    assert run(catalog, "images", "--scan", "latest").stderr == ""
    one = run(catalog, "images", "--source", "*a.tar")
    assert one.stderr.startswith("dedupe: 1 source of scan ")
    (place / "a.tar").unlink()
    run(catalog, "scan", "-q", str(place / "a.tar"))
    stale = run(catalog, "report")
    assert "1 of them is stale" in stale.stderr
    listed = run(catalog, "catalog", "list").stdout
    assert f"  {place / 'a.tar'}\n" in listed
    assert f"  found nothing at {place / 'a.tar'}\n" in listed
