"""What podman and buildah leave on the disk, who needs it, and what podman deletes with what."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_docker_archive
from builders.docker import write
from helpers.scanning import error_codes, find_sources, only_source

from dedupe.model.disk import HolderKind, PlaceForm, PlaceKind
from dedupe.model.identity import ImageID
from dedupe.model.images import FoundSource

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(os.geteuid() != 0, reason="layers can be mounted by root only"),
    pytest.mark.skipif(
        not (shutil.which("podman") and shutil.which("buildah")),
        reason="podman or buildah is not installed",
    ),
]


class Storage:
    """A storage of podman and buildah; ``stop`` removes what is outside of its root."""

    def __init__(self, root: Path, driver: str) -> None:
        self.root, self.driver = root, driver
        self.trees = root / ("vfs/dir" if driver == "vfs" else "overlay")
        # podman refuses a runroot of more than 50 characters
        self._run = Path(tempfile.mkdtemp(prefix="pod"))

    def run(self, *words: str, check: bool = True) -> str:
        """Run podman or buildah with folders of its own."""
        tool, *rest = words
        more = ("--cgroup-manager=cgroupfs", "--events-backend=none") if tool == "podman" else ()
        driver = () if "--storage-driver" in rest else ("--storage-driver", self.driver)
        command = [tool, "--runroot", str(self._run), *driver, *more]
        command += [] if "--root" in rest else ["--root", str(self.root)]
        done = subprocess.run([*command, *rest], capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def build(self, name: str, *steps: str, **files: bytes) -> None:
        """Build an image from steps; every step leaves an image."""
        context = self._run / "context"
        for path, content in files.items():
            write(context / path, content)
        (context / "Containerfile").write_text("\n".join(steps))
        self.run("buildah", "build", "--layers", "--quiet", "--tag", name, str(context))

    def records(self, name: str) -> list[dict[str, object]]:
        """The records of layers, images or containers."""
        return json.loads((self.root / f"{self.driver}-{name}/{name}.json").read_text())

    def source(self) -> FoundSource:
        """The store as it is now, whose places are what ``du`` counts."""
        self.unmount()
        source = only_source(self.root)
        assert sum(place.allocated_bytes for place in source.places) == disk_usage(self.root)
        return source

    def unmount(self) -> None:
        """The overlay driver leaves its folder mounted on itself."""
        overlay = self.root / "overlay"
        subprocess.run(["umount", "-R", overlay], check=False, capture_output=True)

    def stop(self) -> None:
        self.unmount()
        shutil.rmtree(self._run)


def disk_usage(*paths: Path) -> int:
    """Bytes on disk of these paths, an inode once."""
    done = subprocess.run(["du", "-scx", "-B1", *paths], check=True, capture_output=True)
    return int(done.stdout.split()[-2])


def fill(storage: Storage) -> None:
    """Images with and without names, containers that wrote, a volume, and leftovers."""
    steps = ("FROM scratch", "COPY a /a", "COPY b /b", "ENV x=1", 'CMD ["x"]')
    storage.build("built:1", *steps, a=b"a" * 90_000, b=b"b" * 40_000)
    # the image of the first build keeps its steps and loses its name
    storage.build("built:1", *steps, b=b"c" * 50_000)
    storage.build("child:1", "FROM built:1", "COPY a /again", "LABEL x=y")
    storage.build("old:1", "FROM scratch", "COPY a /old", a=b"o" * 70_000)
    storage.build("app:1", "FROM old:1", "COPY b /b")
    storage.run("podman", "untag", "old:1")
    prefix = Image([tar_of([file("p", b"p" * 60_000)])], ["prefix:1"], history=["p"])
    upper = tar_of([file("q", b"q" * 1000)])
    loaded = Image([*prefix.layers, upper], ["loaded:1"], history=["squashed", "q"])
    for image in (prefix, loaded):
        archive = storage.root.parent / "image.tar"
        write_docker_archive(archive, [image])
        storage.run("podman", "load", "--quiet", "--input", str(archive))
    storage.run("podman", "untag", "prefix:1")
    storage.build("twin:1", "FROM scratch", "COPY a /t", "ENV x=1", a=b"t" * 30_000)
    twin = next(each for each in storage.source().images if "twin:1" in str(each.names))
    assert twin.parent_id is not None
    storage.run("podman", "volume", "create", "second")
    storage.run("podman", "create", "--name", "on-step", "-v", "data:/d", twin.parent_id[7:], "x")
    storage.run("podman", "create", "--name", "on-child", "child:1")
    storage.run("buildah", "from", "--name", "working", "built:1")
    for record in storage.records("containers"):
        branch = storage.trees / str(record["layer"])
        write((branch if storage.driver == "vfs" else branch / "diff") / "written", b"w" * 20_000)
        folder = storage.root / f"{storage.driver}-containers" / str(record["id"])
        write(folder / "userdata/ctr.log", b"line\n" * 3000)
    write(storage.root / "volumes/data/_data/f", b"v" * 12_000)
    write(storage.trees / ("e" * 64) / "left", b"l" * 8000)


@pytest.fixture(scope="module", params=["overlay", "vfs"])
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A filled storage; the tests change it in their order."""
    found = Storage(tmp_path_factory.mktemp(request.param) / "root", request.param)
    try:
        fill(found)
        yield found
    finally:
        found.stop()


def test_every_file_of_a_real_store_has_an_owner(storage: Storage) -> None:
    """Nothing that podman or buildah made is unrecognised."""
    source = storage.source()
    assert error_codes(source) == []
    of_kind: dict[PlaceKind, set[str | None]] = {}
    for place in source.places:
        of_kind.setdefault(place.facts.kind, set()).add(place.facts.owner)
    assert of_kind[PlaceKind.CONTAINER] == {"on-step", "on-child", "working"}
    assert of_kind[PlaceKind.LOG] == {"on-step", "on-child", "working"}
    assert of_kind[PlaceKind.VOLUME] == {"second (unused)", "data (used by on-step)"}
    orphans = [place.path for place in source.places if place.facts.kind is PlaceKind.ORPHAN]
    assert orphans == [str((storage.trees / ("e" * 64)).relative_to(storage.root))]
    assert PlaceKind.UNRECOGNISED not in of_kind
    form = PlaceForm.FULL_TREE if storage.driver == "vfs" else PlaceForm.TREE
    layers = {place.path: place for place in source.places if place.facts.form}
    assert {place.facts.form for place in layers.values()} == {form}
    # nothing that a record names is left over
    named = {str(record["id"]) for record in storage.records("layers")}
    branches = {str(record["layer"]) for record in storage.records("containers")}
    assert {path.rpartition("/")[2] for path in layers} == named - branches


def test_podman_deletes_the_parents_that_are_recorded(storage: Storage) -> None:
    """What is freed is what only the deleted images hold, to the byte.

    Steps of a dangling rebuild and a superseded base with the same history are deleted; a loaded
    prefix, and a step with a container, stay.
    """
    sizes: dict[str, int] = {}
    for name in ("loaded:1", "twin:1", "app:1", "dangling", "child:1"):
        before = storage.source()
        images = {image.image_id: image for image in before.images}
        chosen = next(
            image
            for image in reversed(before.images)
            if (f"localhost/{name}" in image.names)
            or (name == "dangling" and image.parent_id and is_leaf(image.image_id, before))
        )
        deleted = expected_deletions(chosen.image_id, before)
        freed = sum(
            place.allocated_bytes
            for place in before.places
            if place.facts.holders
            and all(
                holder.kind is HolderKind.IMAGE and holder.name in deleted
                for holder in place.facts.holders
            )
        )
        storage.run("podman", "rmi", *(chosen.names or [chosen.image_id[7:]]), check=False)
        after = storage.source()
        assert images.keys() - {image.image_id for image in after.images} == deleted
        assert allocated_bytes(before) - allocated_bytes(after) == freed
        sizes[name] = len(deleted)
    assert sizes == {"loaded:1": 1, "twin:1": 1, "app:1": 2, "dangling": 3, "child:1": 0}


def is_leaf(image_id: ImageID, source: FoundSource) -> bool:
    """Whether an untagged image has no child."""
    image = next(each for each in source.images if each.image_id == image_id)
    return not image.names and all(each.parent_id != image_id for each in source.images)


def expected_deletions(image_id: ImageID, source: FoundSource) -> set[ImageID]:
    """The images that are deleted with one: untagged parents without other children."""
    images = {image.image_id: image for image in source.images}
    used = {container.image_id for container in source.containers}
    deleted: set[ImageID] = set()
    next_id: ImageID | None = image_id
    while next_id is not None and next_id not in used and not (deleted and images[next_id].names):
        others = [image for image in images.values() if image.parent_id == next_id]
        if deleted and any(image.image_id not in deleted for image in others):
            break
        deleted.add(next_id)
        next_id = images[next_id].parent_id
    return deleted


def allocated_bytes(source: FoundSource) -> int:
    """Bytes on disk without the store's own records."""
    return sum(
        place.allocated_bytes
        for place in source.places
        if place.facts.holders or place.facts.kind is not PlaceKind.METADATA
    )


def test_printed_commands_remove_containers_volumes_and_unfinished_layers(
    storage: Storage,
) -> None:
    """Each removes the places that name it, and podman does not know the leftover."""
    layers = storage.root / f"{storage.driver}-layers/layers.json"
    records = json.loads(layers.read_text())
    parents = {record.get("parent") for record in records}
    branches = {record["layer"] for record in storage.records("containers")}
    for record in records:
        if record["id"] not in parents | branches:
            # as a pull leaves it that was killed
            record["flags"] = {"incomplete": True}
            break
    images = storage.root / f"{storage.driver}-images/images.json"
    kept = [each for each in storage.records("images") if each.get("layer") != record["id"]]
    images.write_text(json.dumps(kept))
    layers.write_text(json.dumps(records))
    source = storage.source()
    commands = {
        place.facts.command
        for place in source.places
        if place.facts.kind in (PlaceKind.CONTAINER, PlaceKind.VOLUME, PlaceKind.UPLOAD)
    }
    assert len(commands) == 3 + 2 + 1
    for command in sorted(commands):
        storage.run(*command)
    kinds = {place.facts.kind for place in storage.source().places}
    assert not kinds & {PlaceKind.CONTAINER, PlaceKind.LOG, PlaceKind.VOLUME, PlaceKind.UPLOAD}
    assert PlaceKind.ORPHAN in kinds


def test_images_that_borrow_from_another_store_hold_its_layers(tmp_path: Path) -> None:
    """An additional image store, with an image and a container of another root on its image."""
    lender, borrower = Storage(tmp_path / "l", "overlay"), Storage(tmp_path / "b", "overlay")
    try:
        lender.build("lent:1", "FROM scratch", "COPY a /a", 'CMD ["x"]', a=b"a" * 9000)
        option = f"additionalimagestore={lender.root}"
        write(borrower._run / "context/b", b"b" * 5000)
        (borrower._run / "context/Containerfile").write_text("FROM lent:1\nCOPY b /b\n")
        context = str(borrower._run / "context")
        storage_option = ("--storage-opt", option)
        borrower.run("buildah", *storage_option, "build", "--tag", "mine:1", context)
        borrower.run("podman", *storage_option, "create", "--name", "busy", "lent:1")
        borrower.unmount()
        lender.unmount()
        sources = {source.location: source for source in find_sources(lender.root, borrower.root)}
        places = [place for source in sources.values() for place in source.places]
        total = sum(place.allocated_bytes for place in places)
        assert total == disk_usage(lender.root, borrower.root)
        (mine,) = sources[str(borrower.root)].images
        trees = [
            {holder.name for holder in place.facts.holders}
            for place in sources[str(lender.root)].places
            if place.facts.form is PlaceForm.TREE
        ]
        assert trees
        assert all({mine.image_id, "busy"} <= holders for holders in trees)
        (container,) = sources[str(borrower.root)].containers
        named = [image for image in sources[str(lender.root)].images if image.names]
        assert [container.image_id] == [image.image_id for image in named]
    finally:
        lender.stop()
        borrower.stop()
