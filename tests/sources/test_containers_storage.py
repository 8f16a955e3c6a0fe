"""A store of containers/storage, written by hand: what is needed, and what damage hides."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import file, image, tar_of
from builders.samples import APP, OTHER
from builders.storage import ContainersStorage
from helpers.scanning import codes, error_codes, only_source, scanned

from dedupe.model.images import LayerState

CONTAINER = "c" * 63 + "a"
LOST = "e" * 64


@pytest.fixture
def store(tmp_path: Path) -> ContainersStorage:
    """A store with two images, a container, and a layer of 500 bytes that nothing needs."""
    store = ContainersStorage(tmp_path / "storage")
    store.add(APP)
    store.add(OTHER)
    store.container(CONTAINER, APP, tar_of([file("new", b"n" * 30)]))
    store.layer(LOST, None, tar_of([file("lost", b"l" * 500)]))
    store.write()
    return store


def test_a_layer_that_nothing_needs_is_an_orphan(store: ContainersStorage, tmp_path: Path) -> None:
    """Everything else is needed by an image or a container."""
    source = only_source(store.root)
    assert error_codes(source) == []
    assert (source.orphan_bytes, source.unseen_references) == (500, None)
    outcome, session = scanned(tmp_path / "catalog", store.root)
    assert codes(outcome) == []
    assert {row["image_id"] for row in session.rows("images")} == {APP.image_id, OTHER.image_id}


def test_layers_of_a_container_stay_if_its_image_was_deleted(store: ContainersStorage) -> None:
    """``podman rmi --force`` may leave a container; a copy with other IDs is of its image too."""
    store.images = [record for record in store.images if record["names"] != list(APP.names)]
    store.images[0]["mapped-layers"] = [LOST]
    store.write()
    assert only_source(store.root).orphan_bytes == 0


def edit(store: ContainersStorage, name: str, change: Callable[[str], str]) -> None:
    """Change the text of one of the records' files."""
    path = store.root / f"overlay-{name}/{name}.json"
    path.write_text(change(path.read_text()))


#: damage that hides which layers are needed, and the codes of its errors
HIDING: dict[str, tuple[Callable[[ContainersStorage], object], set[str]]] = {
    "images.json is cut": (
        lambda store: edit(store, "images", lambda text: text[:-9]),
        {"not-json"},
    ),
    "images.json is missing": (
        lambda store: (store.root / "overlay-images/images.json").unlink(),
        {"blob-missing"},
    ),
    "a record of images.json": (
        lambda store: edit(store, "images", lambda text: text.replace('"id"', '"di"', 1)),
        {"bad-record"},
    ),
    "layers.json is cut": (
        lambda store: edit(store, "layers", lambda text: text[:-9]),
        {"not-json"},
    ),
    "a parent of layers.json": (
        lambda store: edit(
            store,
            "layers",
            lambda text: text.replace(
                f'"parent": "{APP.chain_ids[0][7:]}"', f'"parent": "{LOST[1:]}f"'
            ),
        ),
        {"layer-missing"},
    ),
    "a parent is lost": (
        lambda store: edit(store, "layers", lambda text: text.replace('"parent"', '"tnerap"', 1)),
        {"layer-count-mismatch"},
    ),
    "containers.json is cut": (
        lambda store: edit(store, "containers", lambda text: text[:-9]),
        {"not-json"},
    ),
    "the layer of a container": (
        lambda store: edit(store, "containers", lambda text: text.replace("accc", "accd", 1)),
        {"layer-missing"},
    ),
}


@pytest.mark.parametrize("name", HIDING)
def test_orphans_are_unknown_if_a_record_cannot_be_read(
    name: str, store: ContainersStorage
) -> None:
    """What seems to be unneeded may be needed by what is hidden."""
    damage, expected = HIDING[name]
    damage(store)
    source = only_source(store.root)
    assert set(error_codes(source)) == expected
    assert source.orphan_bytes is None
    assert source.unseen_references


def test_a_lost_config_hides_no_layer(store: ContainersStorage) -> None:
    """The layers of the image are in the records."""
    shutil.rmtree(store.root / "overlay-images" / OTHER.image_id[7:])
    source = only_source(store.root)
    assert error_codes(source) == ["blob-missing"]
    assert source.orphan_bytes == 500


def test_a_store_without_layers_of_its_own_has_no_orphans(tmp_path: Path) -> None:
    """A new store has no records of images at all."""
    store = ContainersStorage(tmp_path / "storage")
    store.container(CONTAINER, scratch := image([file("x", b"x")]), tar_of([file("n", b"n")]))
    store.layer(scratch.chain_ids[0][7:], None, scratch.layers[0])
    store.write()
    (store.root / "overlay-images/images.json").unlink()
    source = only_source(store.root)
    assert (error_codes(source), source.orphan_bytes) == ([], 0)
    assert json.loads((store.root / "overlay-layers/layers.json").read_bytes())


@pytest.mark.parametrize("name", ["layers.json is cut", "a parent of layers.json"])
def test_an_image_whose_layers_are_not_found_is_not_whole(
    name: str, store: ContainersStorage
) -> None:
    """It is listed with the layers of its config, and its container belongs to it."""
    HIDING[name][0](store)
    source = only_source(store.root)
    (app,) = [one for one in source.images if one.image_id == APP.image_id]
    assert [layer.diff_id for layer in app.layers] == APP.diff_ids
    assert {layer.state for layer in app.layers} == {LayerState.ABSENT}
    assert [one.image_id for one in source.containers] == [APP.image_id]
