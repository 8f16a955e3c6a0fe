"""What the disk gives back, for random stores with parents, containers and other holders."""

import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import file, image, write_oci_layout
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_images, scanned
from helpers.strategies import images_of, named_stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.disk import ImageStore, Place, StoredImage, freed_bytes, left_after

from dedupe.analysis.what_if import DeletionFilter, what_if
from dedupe.store.session import Session

NOW = datetime(2026, 1, 1)

KINDS = {"docker": "docker", "podman": "containers-storage", "containerd": "containerd"}
OTHERS = ("build-cache:docker", "lease:abc", "artifact:chart", "record:other store")


def change_rows(catalog: Path, table: str, rows: list[dict[str, Any]], *, keep: bool) -> None:
    """Replace a table of a catalog's only scan, or add rows to it."""
    (folder,) = (catalog / "scans").iterdir()
    path = folder / f"{table}.parquet"
    before = pl.read_parquet(path)
    typed = pl.DataFrame([{"scan": folder.name, **row} for row in rows], schema=before.schema)
    (pl.concat([before, typed]) if keep else typed).write_parquet(path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with one scan, whose rows each test writes itself."""
    folder = tmp_path_factory.mktemp("template")
    scan_images(folder, [image([file("a", b"1")], names=["a"])])
    return folder / "catalog"


@st.composite
def image_stores(draw: st.DrawFn) -> ImageStore:
    """A store with up to five images, parents before children."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    images: dict[str, StoredImage] = {}
    for number in range(draw(st.integers(1, 5))):
        known = [None, *images] if kind != "containerd" else [None]
        images[f"i{number}"] = StoredImage(
            f"i{number}",
            tagged=draw(st.booleans()),
            parent=draw(st.sampled_from(known)),
            containers=(f"c{number}",) if draw(st.integers(0, 2)) == 2 else (),
        )
    some = st.frozensets(st.sampled_from(sorted(images)))
    others = st.frozensets(st.sampled_from(OTHERS), max_size=1)
    places = tuple(
        Place(f"p{number}", 4096 * 2**number, draw(some), draw(others | st.just(frozenset())))
        for number in range(draw(st.integers(1, 6)))
    )
    return ImageStore(kind, images, places)


def catalog_of(store: ImageStore, template: Path, folder: Path) -> Session:
    """The catalog of a scan of the store."""
    shutil.copytree(template, folder / "catalog")
    catalog = folder / "catalog"
    (source,) = (row["location"] for row in Session(catalog).rows("sources"))
    (scans,) = (catalog / "scans").iterdir()
    sources = pl.read_parquet(scans / "sources.parquet")
    kind = pl.lit(KINDS[store.kind]).alias("kind")
    sources.with_columns(kind).write_parquet(scans / "sources.parquet")
    for table in ("image_layers", "problems"):
        change_rows(catalog, table, [], keep=False)
    change_rows(
        catalog,
        "images",
        [
            {
                "source": source,
                "image_id": each.name,
                "kind": "image",
                "names": [f"{each.name}:1"] if each.tagged else [],
                "parent_id": each.parent,
                "namespaced": [],
            }
            for each in store.images.values()
        ],
        keep=False,
    )
    change_rows(
        catalog,
        "containers",
        [
            {"source": source, "container_id": name * 9, "name": name, "image_id": each.name}
            for each in store.images.values()
            for name in each.containers
        ],
        keep=False,
    )
    change_rows(
        catalog,
        "disk",
        [
            {
                "source": source,
                "path": place.path,
                "kind": "layer",
                "allocated_bytes": place.size_bytes,
                "file_bytes": place.size_bytes,
                "command": [],
            }
            for place in store.places
        ],
        keep=False,
    )
    change_rows(
        catalog,
        "holds",
        [
            {"source": source, "path": place.path, "kind": kind, "name": name, "release": []}
            for place in store.places
            for kind, name in (
                *(("image", each) for each in place.images),
                *(each.split(":", 1) for each in place.others),
            )
        ],
        keep=False,
    )
    return Session(catalog)


def freed_on_disk(session: Session, images: list[str]) -> int:
    """What the disk gives back."""
    rows = session.rows("what_if/freed", images=images)
    (row,) = (row for row in rows if row["granularity"] == "disk")
    assert row["freed_bytes"] + row["remaining_bytes"] == row["total_bytes"]
    return row["freed_bytes"]


@settings(max_examples=examples(75), deadline=None, suppress_health_check=list(HealthCheck))
@given(store=image_stores(), data=st.data())
def test_the_disk_gives_back_what_no_image_and_nothing_else_needs(
    template: Path, store: ImageStore, data: st.DataObject
) -> None:
    """The figure is that of a store that deletes one image after the other."""
    chosen = sorted(data.draw(st.sets(st.sampled_from(sorted(store.images)), min_size=1)))
    with tempfile.TemporaryDirectory() as folder:
        session = catalog_of(store, template, Path(folder))
        assert freed_on_disk(session, chosen) == freed_bytes(store, chosen)
        (by_source,) = session.rows("what_if/disk", images=chosen) or [{"freed_bytes": 0}]
        assert by_source["freed_bytes"] == freed_bytes(store, chosen)
        held = session.rows("what_if/held", images=chosen)
        units = session.rows("what_if/units", images=chosen, granularity="disk")
    assert sum(row["bytes"] for row in units) == freed_bytes(store, chosen)
    # without what else holds places, and without containers, more is freed
    bare = ImageStore(
        store.kind,
        {name: StoredImage(name, it.tagged, it.parent) for name, it in store.images.items()},
        tuple(Place(it.path, it.size_bytes, it.images) for it in store.places),
    )
    going = {name for name, it in store.images.items() if it.containers and not it.tagged}
    if not going:
        more = freed_bytes(bare, chosen) - freed_bytes(store, chosen)
        assert sum(row["bytes"] for row in held) == more


def test_an_untagged_parent_goes_with_its_last_child() -> None:
    """Docker deletes it with the last child only; with a container it stays."""
    images = {
        "base": StoredImage("base", tagged=False),
        "one": StoredImage("one", parent="base"),
        "two": StoredImage("two", parent="base"),
    }
    store = ImageStore("docker", images)
    assert left_after(store, ["one"]) == {"base", "two"}
    assert left_after(store, ["base"]) == {"base", "one", "two"}
    assert left_after(store, ["one", "two"]) == set()
    used = ImageStore("docker", {**images, "base": StoredImage("base", False, None, ("c",))})
    assert left_after(used, ["one", "two"]) == {"base"}


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=named_stores(), data=st.data())
def test_copies_of_layers_are_unpacked_bytes(drawn: tuple, data: st.DataObject) -> None:
    """Each further copy in a namespace counts again, and a full tree with all its files."""
    store, _ = drawn
    images = images_of(store, {name: [f"x/{name}:1"] for name in store.images})
    #: chain -> its images and content
    chains: dict[str, tuple[set[str], int]] = {}
    for built, name in ((images[name], name) for name in store.images):
        for chain, layer in zip(built.chain_ids, store.stacks[name], strict=True):
            size = sum(len(member.content) for member in layer if member.kind == "f")
            chains.setdefault(chain, (set(), size))[0].add(built.image_id)
    with tempfile.TemporaryDirectory() as folder:
        before = scan_images(Path(folder), images.values())
        (source,) = (row["location"] for row in before.rows("sources"))
        whole = before.rows("totals")[0]
        disk, holds = [], []
        #: images of each copy, and its weight
        units: list[tuple[set[str], int]] = []
        for number, (chain, (users, size)) in enumerate(chains.items()):
            copies = data.draw(st.integers(0, 3))
            full = data.draw(st.booleans())
            left = set(users)
            for copy in range(copies):
                file_bytes = size + data.draw(st.integers(0, 50)) if full else size
                some = data.draw(st.sets(st.sampled_from(sorted(users))))
                here = set(left if copy == copies - 1 else some) & left
                left -= here
                path = f"copy{number}-{copy}"
                disk.append(
                    {
                        "source": source,
                        "path": path,
                        "kind": "layer",
                        "subject": chain,
                        "form": "full-tree" if full else "tree",
                        "scope": f"n{copy}/native" if copies > 1 else None,
                        "allocated_bytes": 4096,
                        "file_bytes": file_bytes,
                        "command": [],
                    }
                )
                holds += [
                    {"source": source, "path": path, "kind": "image", "name": name, "release": []}
                    for name in here
                ]
                if here:
                    units.append((here, file_bytes))
            if not copies:
                units.append((users, size))
        change_rows(Path(folder, "catalog"), "disk", disk, keep=True)
        change_rows(Path(folder, "catalog"), "holds", holds, keep=True)
        session = Session(Path(folder, "catalog"))
        (totals,) = session.rows("totals")
        rows = session.rows("images")
    assert totals["unpacked_bytes"] == sum(size for _, size in units)
    assert totals["cow_savings_bytes"] == totals["naive_bytes"] - totals["unpacked_bytes"]
    for same in ("layer_bytes", "position_loss_bytes", "naive_bytes"):
        assert totals[same] == whole[same]
    rest = totals["layer_bytes"] + totals["position_loss_bytes"]
    assert totals["unshared_bytes"] == totals["unpacked_bytes"] - rest
    for row in rows:
        alone = sum(size for users, size in units if users == {row["image_id"]})
        assert row["exclusive_unpacked"] == alone
    assert sum(row["attributed_unpacked"] for row in rows) == totals["unpacked_bytes"]


def docker_store() -> ImageStore:
    """An untagged base with a child, a dangling image, and one with a container."""
    images = {
        "base": StoredImage("base", tagged=False),
        "app": StoredImage("app", parent="base"),
        "old": StoredImage("old", tagged=False),
        "web": StoredImage("web", containers=("c1",)),
    }
    places = (
        Place("base", 1000, frozenset({"base", "app"})),
        Place("app", 200, frozenset({"app"})),
        Place("old", 30, frozenset({"old"}), frozenset({"build-cache:docker"})),
        Place("own", 4, frozenset({"old"})),
        Place("web", 50_000, frozenset({"web"})),
    )
    return ImageStore("docker", images, places)


def test_options_choose_what_people_prune(template: Path, tmp_path: Path) -> None:
    """Dangling images are no parents; unused ones have no container; options combine."""
    session = catalog_of(docker_store(), template, tmp_path)

    def chosen(**options: Any) -> list[str]:
        found = what_if(session, DeletionFilter(**options), NOW)
        return sorted(row["image_id"] for row in found.images)

    assert chosen(dangling=True) == ["old"]
    assert chosen(unused=True) == ["app", "old"]
    assert chosen(unused=True, keep=["app:1"]) == ["old"]
    nothing = what_if(session, DeletionFilter(dangling=True, delete=["app:1"]), NOW)
    assert (nothing.images, nothing.notes) == ([], ["no image meets all conditions"])
    found = what_if(session, DeletionFilter(dangling=True), NOW)
    (held,) = found.held
    assert (held["kinds"], held["bytes"], held["released"]) == (["build-cache"], 30, False)
    (row,) = found.disk
    assert (row["freed_bytes"], row["held_bytes"], row["kept_bytes"]) == (4, 30, 0)
    assert [step.command for step in found.removals] == [("docker", "rmi", "--", "old")]


def test_a_container_is_released_before_its_image(template: Path, tmp_path: Path) -> None:
    """The text has what is freed now, what is freed after, and how; JSON has the same."""
    catalog_of(docker_store(), template, tmp_path)
    asked = ("what-if", "--delete", "web:1", "--delete", "app:1", "--keep", "nothing", "--bytes")
    text = run(tmp_path / "catalog", *asked).stdout
    assert "Note: --keep nothing: no such image" in text
    assert "1,200  on disk now, 50,000 more after `docker rm c1`" in text
    assert "50,000  docker rm c1  # container: c1" in text
    found = json.loads(run(tmp_path / "catalog", *asked[:-1], "-f", "json").stdout)
    assert found["freed"]["disk"]["freed_bytes"] == 1200
    assert found["held"][0]["releases"] == ["docker rm c1"]
    done = run(tmp_path / "catalog", *asked[:-1], "-f", "csv", "--rows", "held")
    assert "docker rm c1" in done.stdout
    assert "--keep nothing" in done.stderr


def test_a_target_out_of_reach_exits_with_1(template: Path, tmp_path: Path) -> None:
    """--free counts bytes on disk, never those of images with a container."""
    catalog_of(docker_store(), template, tmp_path)
    done = run(tmp_path / "catalog", "what-if", "--free", "1200", "--bytes")
    assert (done.returncode, "app:1" in done.stdout) == (0, True)
    done = run(tmp_path / "catalog", "what-if", "--free", "1205", "--bytes")
    assert done.returncode == 1
    assert "NOT ENOUGH: 1,205 wanted, 1,204 possible" in done.stdout


def test_what_is_unreferenced_is_freed_without_images(tmp_path: Path) -> None:
    """--orphans alone deletes no image; unseen references make it unknown."""
    write_oci_layout(tmp_path / "store", [image([file("a", b"1")], names=["a"])])
    blob = tmp_path / "store/blobs/sha256" / ("0" * 64)
    blob.write_bytes(b"x" * 5000)
    scanned(tmp_path / "catalog", tmp_path / "store")
    found = json.loads(run(tmp_path / "catalog", "what-if", "--orphans", "-f", "json").stdout)
    (row,) = found["orphans"]
    assert (row["bytes"], row["places"], found["images"]) == (8192, 1, [])
    assert found["commands"][0]["command"][:2] == ["umoci", "gc"]
    done = run(tmp_path / "catalog", "what-if", "--orphans", "--free", "8kB")
    assert (done.returncode, "8.2 kB" in done.stdout) == (0, True)
    (tmp_path / "store/blobs/sha256" / ("1" * 64)).write_bytes(b"{}")
    index = json.loads((tmp_path / "store/index.json").read_text())
    index["manifests"].append({**index["manifests"][0], "digest": "sha256:" + "1" * 64})
    (tmp_path / "store/index.json").write_text(json.dumps(index))
    scanned(tmp_path / "catalog", tmp_path / "store")
    text = run(tmp_path / "catalog", "what-if", "--orphans").stdout
    assert "unknown" in text


def test_a_parent_stays_with_a_child_that_has_a_container(template: Path, tmp_path: Path) -> None:
    """Records of an untagged parent are freed only after the container of its child."""
    images = {
        "base": StoredImage("base", tagged=False),
        "web": StoredImage("web", parent="base", containers=("c1",)),
    }
    places = (Place("record", 4096, frozenset({"base"})),)
    session = catalog_of(ImageStore("docker", images, places), template, tmp_path)
    assert freed_on_disk(session, ["web"]) == 0
    (held,) = session.rows("what_if/held", images=["web"])
    assert (held["releases"], held["bytes"]) == (["docker rm c1"], 4096)


def test_sources_without_places_are_counted_by_their_blobs(tmp_path: Path) -> None:
    """A catalog of an earlier program has no places: the figure is that of blobs, and is marked."""
    images = [image([file("a", b"1" * 9000)], names=["a"]), image([file("b", b"2")], names=["b"])]
    session = scan_images(tmp_path, images)
    blob = max(
        row["compressed_bytes"] for layer in session.rows("layers") for row in layer["blobs"]
    )
    for table in ("disk", "holds"):
        change_rows(tmp_path / "catalog", table, [], keep=False)
    session = Session(tmp_path / "catalog")
    (row,) = session.rows("what_if/disk", images=[images[0].image_id])
    assert (row["measured"], row["freed_bytes"]) == (False, blob)
    text = run(tmp_path / "catalog", "what-if", "--delete", "*:a").stdout
    assert "disk usage was not measured" in text
