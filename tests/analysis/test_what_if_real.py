"""What-if gives to the byte what the stores' own tools free."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import Image, file, tar_of
from helpers.deletions import (
    NOW,
    Containerd,
    Docker,
    Layout,
    Podman,
    Registry,
    Store,
    delete_and_measure,
    random_images,
    release_and_measure,
)
from helpers.scanning import scanned

from dedupe.analysis.what_if import DeletionFilter, what_if

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stores' tools run as root only"),
]

#: store -> its tools, and how it is made
STORES: dict[str, tuple[tuple[str, ...], Callable[[Path], Store]]] = {
    "podman": (("podman", "buildah"), lambda folder: Podman(folder, "overlay")),
    "docker": (("dockerd", "docker"), Docker),
    "containerd": (("containerd", "ctr"), Containerd),
    "registry": (("docker-registry", "skopeo"), Registry),
    "layout": (("umoci",), Layout),
}
#: the same tools with drivers that keep full trees; they take longest
if "DEDUPE_ALL_EXAMPLES" in os.environ:
    STORES["podman-vfs"] = (("podman", "buildah"), lambda folder: Podman(folder, "vfs"))
    STORES["docker-vfs"] = (("dockerd", "docker"), lambda folder: Docker(folder, "vfs"))


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store of the test's parameter, without images."""
    tools, make = STORES[request.param]
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    store = make(tmp_path / "store")
    yield store
    store.stop()


@pytest.mark.parametrize("made", STORES, indirect=True)
def test_the_printed_commands_free_what_is_said(made: Store, tmp_path: Path) -> None:
    """Random sets of images, some with a container, untagged steps of builds among them."""
    draw = random.Random(3)
    images = random_images(draw, 5)
    made.load(images)
    made.build(draw, images[1].names[0], 1)
    in_use = made.make_container(images[0].names[0], "web")
    for number in range(2):
        found, said, freed = delete_and_measure(
            made,
            tmp_path / "catalog",
            DeletionFilter(delete=[images[number].names[0], images[number + 3].names[0]]),
        )
        assert freed == said, found.removals
        if found.containers and in_use:
            said, freed = release_and_measure(made, tmp_path / "catalog", found)
            assert freed == said > 0
    found, said, freed = delete_and_measure(
        made, tmp_path / "catalog", DeletionFilter(keep=["no-such-image"])
    )
    assert freed == said > 0
    assert found.notes


@pytest.mark.parametrize("made", ["docker"], indirect=True)
def test_layers_of_the_build_cache_stay_until_it_is_pruned(made: Docker, tmp_path: Path) -> None:
    """BuildKit's cache keeps the layers of an image that it built."""
    steps = file("Dockerfile", "FROM scratch\nCOPY one /one\n")
    context = tar_of([steps, file("one", random.Random(1).randbytes(300_000))])
    if "bk:1" not in made.build_with_buildkit("bk:1", context):
        pytest.skip("no BuildKit in this docker")
    found, said, freed = delete_and_measure(
        made, tmp_path / "catalog", DeletionFilter(delete=["bk:1"])
    )
    assert freed == said < 300_000
    (held,) = found.held
    assert held["kinds"] == ["build-cache"]
    assert held["bytes"] > 300_000
    before = made.used_bytes()
    for command in held["releases"]:
        made.run(*command.split(), *(["--force"] if "--force" not in command else []))
    assert before - made.used_bytes() >= held["bytes"]


@pytest.mark.parametrize("made", ["registry"], indirect=True)
def test_garbage_collection_frees_what_has_no_tag(made: Store, tmp_path: Path) -> None:
    """--untagged finds the image whose tag was moved; --orphans what a deletion has left."""
    draw = random.Random(5)
    layers = [tar_of([file(name, draw.randbytes(9000))]) for name in "abc"]
    made.load([Image(layers[:2], names=["app:1"]), Image(layers[1:], names=["gone:1"])])
    made.load([Image([layers[0]], names=["app:1"])])
    session = scanned(tmp_path / "catalog", made.root)[1]
    found = what_if(session, DeletionFilter(untagged=True, orphans=True), NOW)
    (image,) = found.images
    assert "@sha256:" in image["name"]
    assert found.orphans == []
    (collected,) = found.collected or ()
    (row,) = found.disk
    assert collected["collected_bytes"] == row["freed_bytes"] > 0
    # deletes the manifest alone
    step = what_if(session, DeletionFilter(delete=["gone:1"]), NOW).removals[0]
    made.run(*step.command)
    session = scanned(tmp_path / "catalog", made.root)[1]
    found = what_if(session, DeletionFilter(orphans=True), NOW)
    assert found.images == []
    (orphans,) = found.orphans or ()
    (collected,) = what_if(session, DeletionFilter(untagged=True), NOW).collected or ()
    assert collected["orphan_bytes"] == orphans["bytes"]
    before = made.used_bytes()
    (step,) = found.removals
    made.run(*step.command)
    freed = before - made.used_bytes()
    assert freed == orphans["bytes"] > 0
    made.run("registry", "garbage-collect", "-m", "config")
    # with the folders of the links to a manifest, which other deletions leave
    folders = before - made.used_bytes() - collected["collected_bytes"]
    assert 0 <= folders <= 4 * 4096
