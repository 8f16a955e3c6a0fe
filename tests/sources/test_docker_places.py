"""What each place of a docker root is, who holds it, and which command removes it."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from builders import Image, file, image, json_of, tar_of
from builders.containerd import ContainerdRoot
from builders.docker import DockerRoot, folder_name, write
from builders.docker_containerd import docker_root
from helpers.scanning import only_source

from dedupe.model.disk import FoundPlace, HolderKind, PlaceForm, PlaceKind
from dedupe.model.images import FoundFolder, FoundSource
from dedupe.sources.discover import Selection, discover

BASE = tar_of([file("base", b"b" * 9000)])
APP = Image([BASE, tar_of([file("app", b"a" * 5000)])], names=["app:1"])
OTHER = Image([BASE, tar_of([file("other", b"o" * 5000)])], names=["other:1"])
WEB, DB = "c" * 64, "d" * 64
ANONYMOUS = "0123456789ab" + "e" * 52
CACHED = "q" * 25


@pytest.fixture
def store(tmp_path: Path) -> DockerRoot:
    """A root with two images of one base, and a container named web."""
    made = DockerRoot(tmp_path / "docker")
    made.add(APP, OTHER)
    mounts = {f"/{name}": {"Type": "volume", "Name": name} for name in ("data", ANONYMOUS)}
    made.container(WEB, APP, name="web", MountPoints=mounts | {"/etc/x": {"Type": "bind"}})
    return made


def places_of(*paths: Path) -> dict[str, FoundPlace]:
    """Places by their full path."""
    found = discover(paths, Selection())
    return {
        f"{item.location}/{place.path}".rstrip("/"): place
        for item in found
        if isinstance(item, FoundSource | FoundFolder)
        for place in item.places
    }


def below(root: Path, places: Mapping[str, FoundPlace]) -> dict[str, FoundPlace]:
    """Places by their path below the root."""
    return {path.removeprefix(f"{root}").lstrip("/"): place for path, place in places.items()}


def du(path: Path) -> int:
    """Bytes on disk, by ``du``."""
    done = subprocess.run(["du", "-sx", "-B1", path], check=True, capture_output=True)
    return int(done.stdout.split()[0])


def holders_of(place: FoundPlace) -> set[str]:
    """Names of the holders of a place."""
    return {holder.name for holder in place.facts.holders}


#: path below the root -> kind, owner and command; each is written as a file or in a folder
PLACES: dict[str, tuple[PlaceKind, str | None, str]] = {
    f"containers/{WEB}/{WEB}-json.log": (PlaceKind.LOG, "web", ""),
    f"containers/{WEB}/{WEB}-json.log.1": (PlaceKind.LOG, "web", ""),
    f"containers/{WEB}/local-logs": (PlaceKind.LOG, "web", ""),
    f"containers/{WEB}": (PlaceKind.METADATA, "web", "docker rm web"),
    "containers/stray": (PlaceKind.UNRECOGNISED, None, ""),
    "volumes/data": (PlaceKind.VOLUME, "data (used by web)", "docker volume rm data"),
    "volumes/unused": (PlaceKind.VOLUME, "unused (unused)", "docker volume rm unused"),
    f"volumes/{ANONYMOUS}": (
        PlaceKind.VOLUME,
        "0123456789ab (anonymous, used by web)",
        f"docker volume rm {ANONYMOUS}",
    ),
    "volumes/-rf": (PlaceKind.UNRECOGNISED, None, ""),
    f"plugins/{DB}": (PlaceKind.ARTIFACT, "store/ssh:latest", f"docker plugin rm {DB}"),
    f"plugins/storage/blobs/sha256/{WEB}": (
        PlaceKind.ARTIFACT,
        "store/ssh:latest",
        f"docker plugin rm {DB}",
    ),
    "plugins/storage/ingest/1": (PlaceKind.UPLOAD, None, ""),
    "plugins/tmp/1": (PlaceKind.TEMPORARY, None, ""),
    "tmp/GetImageBlob1": (PlaceKind.UPLOAD, None, ""),
    "tmp/docker-import-1": (PlaceKind.TEMPORARY, None, ""),
    "tmp-old/1": (PlaceKind.TEMPORARY, None, ""),
    "image/overlay2/layerdb/tmp/write-set-1": (PlaceKind.TEMPORARY, None, ""),
    f"image/overlay2/layerdb/sha256/{WEB}-1-removing": (PlaceKind.ORPHAN, None, ""),
    f"image/overlay2/layerdb/mounts/{WEB}": (PlaceKind.METADATA, "web", "docker rm web"),
    f"overlay2/{CACHED}": (PlaceKind.BUILD_CACHE, "build cache", "docker builder prune"),
    "buildkit/snapshots.db": (PlaceKind.BUILD_CACHE, "build cache", ""),
    f"buildkit/content/blobs/sha256/{DB}": (
        PlaceKind.BUILD_CACHE,
        "build cache",
        "docker builder prune",
    ),
    f"overlay2/{folder_name('left')}": (PlaceKind.ORPHAN, None, ""),
    f"overlay2/{folder_name('half')}-removing": (PlaceKind.ORPHAN, None, ""),
    "overlay2/stray": (PlaceKind.UNRECOGNISED, None, ""),
    "network": (PlaceKind.METADATA, None, ""),
    "engine-id": (PlaceKind.METADATA, None, ""),
    "stray": (PlaceKind.UNRECOGNISED, None, ""),
    "100000.100000": (PlaceKind.UNRECOGNISED, None, ""),
    "containerd/daemon": (PlaceKind.METADATA, None, ""),
}


def test_every_place_has_a_kind_an_owner_and_a_command(store: DockerRoot) -> None:
    """Rows are as the table says, and sum to what ``du`` counts."""
    store.build_cache({CACHED: {b"parent": b""}})
    config = {
        "plugin": {"Name": "store/ssh:latest"},
        "Config": f"sha256:{WEB}",
        "Blobsums": [f"sha256:{DB}"],
    }
    for number, path in enumerate(PLACES):
        if not (store.root / path).exists():
            write(store.root / path / "f", b"f" * (5000 * number + 1))
    write(store.root / f"plugins/{DB}/config.json", json_of(config))
    found = below(store.root, places_of(store.root))
    assert {
        path: (found[path].facts.kind, found[path].facts.owner, " ".join(found[path].facts.command))
        for path in PLACES
    } == PLACES
    assert sum(place.allocated_bytes for place in found.values()) == du(store.root)
    # a folder without those of its files that are places of their own
    assert found["overlay2/stray"].file_bytes == 5000 * list(PLACES).index("overlay2/stray") + 1
    assert found[f"containers/{WEB}"].files == 1


@pytest.mark.parametrize("driver", ["overlay2", "vfs"])
def test_layers_are_held_by_images_containers_and_the_cache(driver: str, tmp_path: Path) -> None:
    """The folder of a layer and docker's record of it have the same holders."""
    store = DockerRoot(tmp_path / "docker", driver)
    store.add(APP, OTHER)
    store.container(WEB, APP, name="web", running=True)
    store.build_cache({"x": {b"chainid": OTHER.chain_ids[1].encode()}})
    found = below(store.root, places_of(store.root))
    images = {APP.image_id, OTHER.image_id}
    expected = {
        APP.chain_ids[0]: images | {"web", "build cache"},
        APP.chain_ids[1]: {APP.image_id, "web"},
        OTHER.chain_ids[1]: {OTHER.image_id, "build cache"},
    }
    trees = "overlay2" if driver == "overlay2" else "vfs/dir"
    for chain, holders in expected.items():
        folder = found[f"{trees}/{folder_name(chain)}"]
        record = found[str(store.record(chain).relative_to(store.root))]
        assert holders_of(folder) == holders_of(record) == holders
        assert folder.facts == record.facts
        assert (folder.facts.kind, folder.facts.subject) == (PlaceKind.LAYER, chain)
        assert folder.facts.form is (PlaceForm.TREE if trees == "overlay2" else PlaceForm.FULL_TREE)
    releases = {
        holder.kind: " ".join(holder.release)
        for holder in found[f"{trees}/{folder_name(APP.chain_ids[0])}"].facts.holders
    }
    assert releases == {
        HolderKind.IMAGE: "",
        HolderKind.CONTAINER: "docker rm --force web",
        HolderKind.BUILD_CACHE: "docker builder prune",
    }


def test_the_short_name_of_a_layer_has_its_holders(store: DockerRoot) -> None:
    """overlay2 mounts by links, which are removed with the layer's folder."""
    links = store.root / "overlay2/l"
    links.mkdir()
    (links / "ABC").symlink_to(f"../{folder_name(APP.chain_ids[1])}/diff")
    (links / "DEF").symlink_to("../../outside/diff")
    top = store.root / "overlay2" / folder_name(APP.chain_ids[1])
    write(top / "link", b"ABC")
    write(store.root / "overlay2" / folder_name(APP.chain_ids[0]) / "link", b"../DEF")
    found = below(store.root, places_of(store.root))
    assert found["overlay2/l/ABC"].facts.kind is PlaceKind.METADATA
    assert holders_of(found["overlay2/l/ABC"]) == {APP.image_id, "web"}
    assert "overlay2/l/DEF" not in found
    assert found["overlay2/l"].facts.holders == ()


def test_a_step_of_a_build_holds_its_documents_only(store: DockerRoot) -> None:
    """What docker deletes with a child holds no layer; with a container on it, it does."""
    step = Image(APP.layers, created="2020-01-01T00:00:00Z")
    store.add(step)
    store.parent(APP, step)
    source = only_source(store.root)
    parents = {one.image_id: one.parent_id for one in source.images}
    assert parents == {APP.image_id: step.image_id, step.image_id: None, OTHER.image_id: None}
    top = f"overlay2/{folder_name(APP.chain_ids[1])}"
    config = str(store.config(step).relative_to(store.root))
    found = below(store.root, places_of(store.root))
    assert holders_of(found[top]) == {APP.image_id, "web"}
    assert holders_of(found[config]) == {step.image_id}
    store.container(DB, step, name="db")
    found = below(store.root, places_of(store.root))
    assert holders_of(found[config]) == {step.image_id, "db"}
    assert holders_of(found[top]) == {APP.image_id, step.image_id, "web", "db"}


def test_a_layer_that_only_a_container_holds_is_not_an_orphan(store: DockerRoot) -> None:
    """An image that was deleted by force leaves the layers of its containers."""
    deleted = image([file("kept", b"k" * 7000)])
    store.layer(deleted.layers[0], deleted.diff_ids[0], deleted.chain_ids[0], None)
    assert only_source(store.root).orphan_bytes
    store.container(DB, deleted, name="db")
    source = only_source(store.root)
    assert source.orphan_bytes == 0
    place = below(store.root, places_of(store.root))[
        f"overlay2/{folder_name(deleted.chain_ids[0])}"
    ]
    assert (place.facts.kind, place.facts.owner) == (PlaceKind.LAYER, "db")
    assert holders_of(place) == {"db"}


def test_a_step_that_is_being_built_is_build_cache(store: DockerRoot) -> None:
    """BuildKit names the writable branches of its steps as its snapshots."""
    name = folder_name("step")
    write(store.layerdb / "mounts" / CACHED / "mount-id", name.encode())
    write(store.root / "overlay2" / name / "diff/f", b"f" * 5000)
    source = only_source(store.root)
    assert source.orphan_bytes == 0
    place = below(store.root, places_of(store.root))[f"overlay2/{name}"]
    assert place.facts.kind is PlaceKind.BUILD_CACHE


def test_users_of_volumes_are_unknown_if_a_container_cannot_be_read(store: DockerRoot) -> None:
    """A container whose config is damaged may use any volume; its name is not known either."""
    write(store.root / "volumes/unused/_data/f", b"f")
    os.truncate(store.root / "containers" / WEB / "config.v2.json", 20)
    found = below(store.root, places_of(store.root))
    assert found["volumes/unused"].facts.owner == "unused (its users are unknown)"
    record = found[f"containers/{WEB}"].facts
    assert (record.owner, record.command) == (WEB, ())


def test_hostile_names_are_escaped_and_never_in_a_command(store: DockerRoot) -> None:
    """The name in a container's config may be anything; its ID is not."""
    path = store.root / "containers" / WEB / "config.v2.json"
    config = json.loads(path.read_bytes())
    path.write_bytes(json_of(config | {"Name": "/--force \x1b[31m"}))
    write(store.root / os.fsdecode(b"tmp/\xff\n"), b"t")
    found = below(store.root, places_of(store.root))
    facts = found[f"containers/{WEB}"].facts
    assert (facts.owner, facts.command) == ("--force \\x1b[31m", ("docker", "rm", WEB))
    assert found["tmp/\\xff\\x0a"].facts.subject == "\\xff\\x0a"


def test_no_byte_of_docker_with_containerd_is_counted_twice_or_lost(tmp_path: Path) -> None:
    """With and without images of a graph driver, and from a folder above."""
    root = tmp_path / "docker"
    docker_root(root).write()
    log = f"containers/{WEB}/{WEB}-json.log"
    write(root / log, b"l" * 50_000)
    write(root / "volumes/data/_data/f", b"v" * 9000)
    for beside in (False, True):
        if beside:
            DockerRoot(root).add(APP)
        for named in (root, tmp_path):
            places = places_of(named)
            found = below(root, places)
            assert sum(place.allocated_bytes for place in places.values()) == du(named)
            assert found[log].facts.kind is PlaceKind.LOG
            assert found[log].facts.owner == "quirky_name"
            assert found["volumes/data"].facts.owner == "data (unused)"
            assert any(path.startswith("containerd/daemon/io.") for path in found)


def test_an_unused_containerd_of_docker_is_metadata(store: DockerRoot) -> None:
    """With a graph driver, dockerd keeps nothing in it but manifests of what it pulls."""
    daemon = ContainerdRoot(store.root / "containerd/daemon")
    daemon.contents.add(b'{"schemaVersion": 2}', "application/vnd.oci.image.manifest.v1+json")
    daemon.write()
    assert only_source(store.root).location == str(store.root)
    found = below(store.root, places_of(store.root))
    assert sum(place.allocated_bytes for place in found.values()) == du(store.root)
    assert found["containerd/daemon"].facts.kind is PlaceKind.METADATA
    daemon.add(APP, namespace="moby")
    daemon.write()
    assert len(list(discover([store.root], Selection()))) == 2


def test_a_remapped_root_is_a_source_of_its_own(store: DockerRoot) -> None:
    """Its bytes are not those of the root that it is in."""
    remapped = DockerRoot(store.root / "100000.100000")
    remapped.add(APP)
    remapped.container(DB, APP, name="db")
    sources = [
        each for each in discover([store.root], Selection()) if isinstance(each, FoundSource)
    ]
    sums = {each.location: sum(place.allocated_bytes for place in each.places) for each in sources}
    assert sums == {
        str(store.root): du(store.root) - du(remapped.root),
        str(remapped.root): du(remapped.root),
    }
