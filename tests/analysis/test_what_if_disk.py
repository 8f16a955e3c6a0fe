"""What the disk gives back, for random stores with parents, containers and other holders."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import file, image
from helpers.examples import examples
from helpers.scanning import scan_images
from helpers.strategies import images_of, named_stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.disk import ImageStore, Place, StoredImage, freed_bytes, left_after

from dedupe.store.session import Session

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
            containers=(f"c{number}",) if draw(st.integers(0, 4)) == 4 else (),
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
