"""Each file of a containers/storage root: what it is, who needs it, what removes it."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from builders import Image, file, image, tar_of, write_oci_layout
from builders.bolt import BoltWriter
from builders.docker import write
from builders.images import CREATED, empty_step
from builders.samples import APP, BASE, OTHER
from builders.storage import ContainersStorage
from helpers.privileges import as_nobody
from helpers.scanning import error_codes, find_sources, only_source

from dedupe.model.disk import FoundPlace, HolderKind, PlaceForm, PlaceKind
from dedupe.model.images import FoundSource
from dedupe.sources.containers_storage import lenders
from dedupe.sources.containers_storage.records import StorageLayer, StorageRecords

CONTAINER = "c" * 63 + "a"
BRANCH = CONTAINER[::-1]
LOST, HALF, LEFT = "e" * 64, "f" * 64, "d" * 64
TOP = APP.chain_ids[-1].partition(":")[2]


def make_store(root: Path) -> ContainersStorage:
    """A store with two images, a container, and what killed programs leave."""
    store = ContainersStorage(root)
    store.add(APP)
    store.add(OTHER)
    store.container(CONTAINER, APP, tar_of([file("new", b"n" * 30)]))
    store.layer(LOST, None, tar_of([file("lost", b"l" * 500)]))
    store.layer(HALF, None, tar_of([file("half", b"h" * 600)]))
    store.layers[HALF]["flags"] = {"incomplete": True}
    for layer_id in (TOP, BRANCH):
        link = root / "overlay/l" / layer_id[:26].upper()
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../{layer_id}/diff")
    write(root / "overlay" / LEFT / "diff/left", b"x" * 700)
    write(root / "overlay/staging/a/file", b"s" * 800)
    write(root / f"overlay-containers/{CONTAINER}/userdata/ctr.log", b"log" * 3000)
    write(root / "overlay/compat3185373631/file", b"c")
    write(root / "overlay/compat-notes/file", b"c")
    write(root / f"overlay-containers/{LEFT}/userdata/x", b"x")
    write(root / f"overlay-images/{LEFT}/manifest", b"x")
    write(root / "overlay-layers/.tmp-layers.json7", b"[")
    write(root / "volumes/data/_data/f", b"v" * 5000)
    write(root / "volumes/second/_data/f", b"v" * 9000)
    write(root / "tmp/f", b"t")
    write(root / "strange/f", b"t")
    write(root / "db.sql", b"")
    store.write()
    return store


@pytest.fixture
def store(tmp_path: Path) -> ContainersStorage:
    return make_store(tmp_path / "storage")


def places_of(source: FoundSource) -> dict[str, FoundPlace]:
    """The places by path; hexadecimal IDs are cut."""
    return {place.path: place for place in source.places}


def assert_all_bytes(*paths: Path) -> None:
    """The places of all sources are what ``du`` counts."""
    du = subprocess.run(["du", "-scx", "-B1", *paths], check=True, capture_output=True).stdout
    found = [place for source in find_sources(*paths) for place in source.places]
    assert sum(place.allocated_bytes for place in found) == int(du.split()[-2])
    assert len({(place.path, place.allocated_bytes) for place in found}) > 5


def test_every_file_has_a_kind(store: ContainersStorage) -> None:
    """The sum is that of ``du``, and what no program of the store makes is unrecognised."""
    assert_all_bytes(store.root)
    source = only_source(store.root)
    assert error_codes(source) == []
    kinds = {path: place.facts.kind for path, place in places_of(source).items()}
    image_id = APP.image_id[7:]
    assert {
        "": PlaceKind.METADATA,
        f"overlay/{TOP}": PlaceKind.LAYER,
        f"overlay-layers/{TOP}.tar-split.gz": PlaceKind.LAYER,
        f"overlay/l/{TOP[:26].upper()}": PlaceKind.LAYER,
        f"overlay/{BRANCH}": PlaceKind.CONTAINER,
        f"overlay/l/{BRANCH[:26].upper()}": PlaceKind.CONTAINER,
        f"overlay/{LOST}": PlaceKind.ORPHAN,
        f"overlay-layers/{LOST}.tar-split.gz": PlaceKind.ORPHAN,
        f"overlay/{LEFT}": PlaceKind.ORPHAN,
        f"overlay/{HALF}": PlaceKind.UPLOAD,
        "overlay/staging/a": PlaceKind.UPLOAD,
        "overlay/compat3185373631": PlaceKind.TEMPORARY,
        "overlay/compat-notes": PlaceKind.UNRECOGNISED,
        f"overlay-images/{image_id}": PlaceKind.METADATA,
        f"overlay-images/{LEFT}": PlaceKind.ORPHAN,
        f"overlay-containers/{CONTAINER}": PlaceKind.CONTAINER,
        f"overlay-containers/{CONTAINER}/userdata/ctr.log": PlaceKind.LOG,
        f"overlay-containers/{LEFT}": PlaceKind.ORPHAN,
        "overlay-layers/layers.json": PlaceKind.METADATA,
        "overlay-layers/.tmp-layers.json7": PlaceKind.TEMPORARY,
        "volumes": PlaceKind.METADATA,
        "volumes/data": PlaceKind.VOLUME,
        "tmp": PlaceKind.TEMPORARY,
        "strange": PlaceKind.UNRECOGNISED,
        "db.sql": PlaceKind.METADATA,
    }.items() <= kinds.items()
    # what is unfinished is not an orphan
    assert source.orphan_bytes == 500 + 700


def test_places_name_their_holders_and_commands(store: ContainersStorage) -> None:
    """A container holds its image's documents too, since no tool deletes the image."""
    places = places_of(only_source(store.root))
    root = str(store.root)
    remove = ("podman", "--root", root, "rm", CONTAINER)
    holders = [(HolderKind.IMAGE, APP.image_id, ()), (HolderKind.CONTAINER, "busy", remove)]
    for path in (
        f"overlay/{TOP}",
        f"overlay-layers/{TOP}.tar-split.gz",
        f"overlay-images/{APP.image_id[7:]}",
    ):
        found = places[path].facts
        assert [(each.kind, each.name, each.release) for each in found.holders] == holders
        assert found.owner == APP.names[0]
    layer = places[f"overlay/{TOP}"].facts
    assert (layer.subject, layer.form) == (APP.chain_ids[-1], PlaceForm.TREE)
    other = places[f"overlay-images/{OTHER.image_id[7:]}"].facts
    assert [each.name for each in other.holders] == [OTHER.image_id]
    commands = {path: place.facts.command for path, place in places.items()}
    assert commands[f"overlay/{BRANCH}"] == remove
    assert commands[f"overlay-containers/{CONTAINER}"] == remove
    assert commands[f"overlay/{HALF}"] == ("podman", "--root", root, "images")
    assert commands[f"overlay/{LOST}"][0] == "containers-storage"
    assert commands[f"overlay/{LOST}"][-2:] == ("delete-layer", LOST)
    assert commands[f"overlay/{LEFT}"] == ()
    assert commands["volumes/data"][-4:] == ("volume", "rm", "--", "data")


def test_orphans_on_one_another_have_one_command(store: ContainersStorage) -> None:
    """A layer cannot be deleted before those that have it as their parent."""
    store.layer("a" * 64, LOST, tar_of([file("x", b"x")]))
    store.layer("b" * 64, "a" * 64, tar_of([file("x", b"x")]))
    store.write()
    places = places_of(only_source(store.root))
    commands = {places[f"overlay/{each * 64}"].facts.command for each in "abe"}
    (command,) = commands
    assert command[-4:] == ("delete-layer", "b" * 64, "a" * 64, LOST)


def test_a_layer_that_is_written_during_the_scan_is_not_an_orphan(
    store: ContainersStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is newer than those that were read first."""
    read_layers = StorageRecords.read_layers
    answers = []

    def without_new(self: StorageRecords) -> dict[str, StorageLayer]:
        answers.append(read_layers(self))
        if len(answers) == 1:
            del answers[0][LOST]
        return answers[-1]

    monkeypatch.setattr(StorageRecords, "read_layers", without_new)
    facts = places_of(only_source(store.root))[f"overlay/{LOST}"].facts
    assert (facts.kind, facts.command) == (PlaceKind.UPLOAD, ())


@pytest.mark.parametrize("name", ["images", "containers"])
def test_nothing_is_an_orphan_if_records_are_damaged(name: str, store: ContainersStorage) -> None:
    """No command deletes what may be needed by what could not be read."""
    (store.root / f"overlay-{name}/{name}.json").write_text("[{")
    places = places_of(only_source(store.root))
    assert places[f"overlay/{LOST}"].facts.kind is PlaceKind.UNRECOGNISED
    assert places[f"overlay/{LOST}"].facts.command == ()
    assert PlaceKind.ORPHAN not in {place.facts.kind for place in places.values()}


def test_layers_of_an_image_that_cannot_be_read_are_held_by_its_record(
    store: ContainersStorage,
) -> None:
    """It is not in the list of images, so its holder names the command that deletes it."""
    config = next((store.root / f"overlay-images/{OTHER.image_id[7:]}").glob("=*"))
    config.write_bytes(b"{")
    places = places_of(only_source(store.root))
    (holder,) = places[f"overlay/{OTHER.chain_ids[0][7:]}"].facts.holders
    assert (holder.kind, holder.name) == (HolderKind.RECORD, OTHER.names[0])
    assert holder.release == ("podman", "--root", str(store.root), "rmi", OTHER.image_id[7:])


def test_working_containers_of_buildah_and_cri_are_removed_by_their_tools(
    store: ContainersStorage,
) -> None:
    """Buildah leaves its own file in the container's folder; CRI-O names the pod."""
    path = f"overlay-containers/{CONTAINER}"
    write(store.root / path / "userdata/buildah.json", b"{}")
    found = places_of(only_source(store.root))[path].facts
    assert found.command == ("buildah", "--root", str(store.root), "rm", CONTAINER)
    (store.root / path / "userdata/buildah.json").unlink()
    store.containers[0]["metadata"] = json.dumps({"pod-id": "1" * 64})
    store.write()
    found = places_of(only_source(store.root))[path].facts
    assert found.command == ("crictl", "rm", CONTAINER)


def volume_owners(store: ContainersStorage) -> dict[str, str | None]:
    return {
        path.partition("/")[2]: place.facts.owner
        for path, place in places_of(only_source(store.root)).items()
        if place.facts.kind is PlaceKind.VOLUME
    }


def test_users_of_volumes_are_those_of_the_database(store: ContainersStorage) -> None:
    """bbolt, SQLite and the runtime's configuration say the same; without them it is unknown."""
    used = {"data": "data (used by busy)", "second": "second (unused)"}
    # the container was never started
    unknown = {name: f"{name} (its users are unknown)" for name in used}
    assert volume_owners(store) == unknown
    mounts = [
        {"source": f"{store.root}/volumes/data/_data", "destination": "/d"},
        {"source": "/elsewhere/second", "destination": "/e"},
    ]
    config = store.root / f"overlay-containers/{CONTAINER}/userdata/config.json"
    write(config, json.dumps({"mounts": mounts}).encode())
    assert volume_owners(store) == used
    config.unlink()
    with sqlite3.connect(":memory:") as database:
        database.executescript(
            f"""
            CREATE TABLE ContainerState (ID TEXT, State INTEGER, JSON TEXT);
            INSERT INTO ContainerState VALUES ('{CONTAINER}', 3, '');
            CREATE TABLE ContainerVolume (ContainerID TEXT, VolumeName TEXT);
            INSERT INTO ContainerVolume VALUES ('{CONTAINER}', 'data');
            """
        )
        (store.root / "db.sql").write_bytes(database.serialize())
    database.close()
    assert volume_owners(store) == used
    assert [each.running for each in only_source(store.root).containers] == [True]
    key = CONTAINER.encode()
    bolt = {
        b"ctr": {key: {b"state": b'{"state": 1}'}},
        b"vol": {b"data": {b"vol-dependencies": {}}, b"second": {b"vol-dependencies": {key: key}}},
    }
    write(store.root / "libpod/bolt_state.db", BoltWriter().file(bolt))
    # the older database comes first
    assert volume_owners(store) == {"data": "data (unused)", "second": "second (used by busy)"}


def test_a_hostile_database_ends(store: ContainersStorage) -> None:
    """A view that never ends is stopped, and the users of volumes are unknown."""
    with sqlite3.connect(":memory:") as database:
        database.execute(
            "CREATE VIEW ContainerState AS WITH RECURSIVE x (ID, State) AS "
            "(SELECT 1, 1 UNION ALL SELECT 1, 1 FROM x) SELECT * FROM x"
        )
        (store.root / "db.sql").write_bytes(database.serialize())
    database.close()
    assert volume_owners(store)["data"] == "data (its users are unknown)"


def test_another_root_holds_the_layers_that_it_borrows(tmp_path: Path) -> None:
    """Only roots that are scanned together; a layer that both have is not borrowed."""
    lender = ContainersStorage(tmp_path / "lender")
    lender.add(APP)
    lender.write()
    derived = image(*APP.layers, [file("more", b"m")], names="docker.io/library/derived:1")
    borrower = ContainersStorage(tmp_path / "borrower")
    borrower.add(derived)
    borrower.container(CONTAINER, APP, tar_of([file("new", b"n")]))
    for chain in APP.chain_ids:
        del borrower.layers[chain[7:]]
    borrower.write()
    assert_all_bytes(lender.root, borrower.root)
    found = {source.location: source for source in find_sources(lender.root, borrower.root)}
    places = places_of(found[str(lender.root)])
    release = ("podman", "--root", str(borrower.root), "rm", CONTAINER)
    assert [(each.name, each.release) for each in places[f"overlay/{TOP}"].facts.holders] == [
        (APP.image_id, ()),
        (derived.image_id, ()),
        ("busy", release),
    ]
    documents = places[f"overlay-images/{APP.image_id[7:]}"].facts
    assert [each.name for each in documents.holders] == [APP.image_id, "busy"]
    (container,) = found[str(borrower.root)].containers
    assert container.image_id == APP.image_id
    alone = places_of(only_source(lender.root))
    assert [each.name for each in alone[f"overlay/{TOP}"].facts.holders] == [APP.image_id]


def test_a_store_that_others_borrow_from_says_so(
    store: ContainersStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's configuration names it, and the store that uses it was not scanned."""
    user = make_store(tmp_path / "user")
    config = tmp_path / "storage.conf"
    config.write_text(
        f"[storage]\ngraphroot = '{user.root}'\n"
        f"[storage.options]\nadditionalimagestores = ['{store.root}']\n"
    )
    monkeypatch.setattr(lenders, "_CONFIGS", (str(config),))
    (problem,) = only_source(store.root).problems
    assert (problem.code, problem.subject) == ("borrowed-layers", str(user.root))
    assert only_source(user.root).problems == []
    both = [
        problem for source in find_sources(store.root, user.root) for problem in source.problems
    ]
    assert both == []


def test_artifacts_are_a_layout_of_their_own(store: ContainersStorage) -> None:
    """Podman keeps them in an image layout below its root."""
    write_oci_layout(store.root / "artifacts", [OTHER], "none")
    assert_all_bytes(store.root)
    kinds = [source.kind.value for source in find_sources(store.root)]
    assert sorted(kinds) == ["containers-storage", "oci-layout"]


def test_two_drivers_in_a_root_count_it_once(store: ContainersStorage) -> None:
    """What belongs to neither is counted with the first."""
    write(store.root / "vfs-images/images.json", b"[]")
    write(store.root / "vfs-layers/layers.json", b"[]")
    write(store.root / "vfs/dir" / LEFT / "f", b"f" * 5000)
    assert_all_bytes(store.root)
    first, second = find_sources(store.root)
    assert "volumes/data" in places_of(first)
    assert {path.partition("/")[0].partition("-")[0] for path in places_of(second)} == {"vfs"}
    assert places_of(second)[f"vfs/dir/{LEFT}"].facts.kind is PlaceKind.ORPHAN


def test_a_driver_that_is_not_read_is_measured(tmp_path: Path) -> None:
    """What its layers are is not known."""
    write(tmp_path / "btrfs-images/images.json", b"[]")
    write(tmp_path / "btrfs-layers/layers.json", b"[]")
    write(tmp_path / "btrfs/subvolumes" / LEFT / "f", b"f" * 5000)
    write(tmp_path / "volumes/v/_data/f", b"f" * 5000)
    assert_all_bytes(tmp_path)
    places = places_of(only_source(tmp_path))
    assert places[f"btrfs/subvolumes/{LEFT}"].facts.kind is PlaceKind.UNRECOGNISED
    assert places["volumes/v"].facts.kind is PlaceKind.VOLUME


def test_a_manifest_list_is_not_a_damaged_image(store: ContainersStorage) -> None:
    """``podman manifest create`` makes a record without layers and without a config."""
    store.images.append(
        {
            "id": LEFT,
            "names": ["localhost/list:1"],
            "big-data-names": ["manifest", "instances.json"],
        }
    )
    store.write()
    source = only_source(store.root)
    assert error_codes(source) == []
    assert len(source.images) == 2
    facts = places_of(source)[f"overlay-images/{LEFT}"].facts
    assert (facts.kind, facts.owner) == (PlaceKind.METADATA, "localhost/list:1")
    assert [each.kind for each in facts.holders] == [HolderKind.RECORD]


def test_no_command_has_a_name_that_had_to_be_escaped(tmp_path: Path) -> None:
    """No tool knows the printable form of a folder or of a volume."""
    places = places_of(only_source(make_store(tmp_path / "a\nb").root))
    assert {place.facts.command for place in places.values()} == {()}
    root = make_store(tmp_path / "plain").root
    (root / "volumes/x\x1b[1m").mkdir()
    assert places_of(only_source(root))["volumes/x\\x1b[1m"].facts.command == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_the_owner_of_a_rootless_store_can_read_it(tmp_path: Path) -> None:
    """Files of another user are counted as those of root are."""
    store = make_store(tmp_path / "storage")
    subprocess.run(["chown", "-R", "65534:65534", tmp_path], check=True)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    seen = {path: place.facts for path, place in places_of(only_source(store.root)).items()}
    assert_all_bytes(store.root)

    def as_owner() -> dict[str, PlaceKind]:
        found = places_of(only_source(store.root)).items()
        return {path: place.facts.kind for path, place in found}

    assert as_nobody(as_owner) == {path: facts.kind for path, facts in seen.items()}


STEP = {"created": CREATED, "created_by": "COPY a"}
#: config of a parent, of a child, and whether podman deletes the parent with the child
PARENTS: dict[str, tuple[Image, Image, bool]] = {
    "a step without a layer": (
        image(BASE, history=[STEP]),
        image(BASE, history=[STEP, empty_step("ENV x=1")]),
        True,
    ),
    "a step with a layer": (
        image(BASE, history=[STEP]),
        image(BASE, [file("b", b"b")], history=[STEP, "COPY b"]),
        True,
    ),
    "two steps": (
        image(BASE, history=[STEP]),
        image(BASE, history=[STEP, empty_step("ENV x=1"), empty_step("CMD x")]),
        False,
    ),
    "another time": (
        image(BASE, history=[STEP | {"created": "2024-01-02T03:04:06Z"}]),
        image(BASE, history=[STEP, empty_step("ENV x=1")]),
        False,
    ),
    "the same time in another zone": (
        image(BASE, history=[STEP | {"created": "2024-01-02T05:04:05.000+02:00"}]),
        image(BASE, history=[STEP, empty_step("ENV x=1")]),
        True,
    ),
    "another comment": (
        image(BASE, history=[STEP | {"comment": "pulled"}]),
        image(BASE, history=[STEP, empty_step("ENV x=1")]),
        False,
    ),
    "two layers more": (
        image(BASE, history=[STEP]),
        image(BASE, [file("b", b"b")], [file("c", b"c")], history=[STEP, "COPY b c"]),
        False,
    ),
    "no history": (image(BASE), image(BASE, [file("b", b"b")]), False),
}


@pytest.mark.parametrize("name", PARENTS)
def test_parents_are_those_that_podman_finds(name: str, tmp_path: Path) -> None:
    """Podman compares layers and histories: libimage, areParentAndChild."""
    parent, child, expected = PARENTS[name]
    store = ContainersStorage(tmp_path / "storage")
    store.add(parent)
    store.add(child)
    store.write()
    found = {each.image_id: each.parent_id for each in only_source(store.root).images}
    assert found == {parent.image_id: None, child.image_id: parent.image_id if expected else None}
