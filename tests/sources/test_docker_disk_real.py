"""What docker frees is what the places of its root say, and they sum to what ``du`` counts."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from builders import Image, file, tar_of
from builders.docker import folder_name, write
from helpers.dockerd import Daemon
from helpers.scanning import only_source, scanned

from dedupe.model.disk import FoundPlace, PlaceKind

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(os.geteuid() != 0, reason="dockerd runs as root only"),
    pytest.mark.skipif(
        not (shutil.which("dockerd") and shutil.which("docker")),
        reason="docker is not installed",
    ),
]

OLD = Image([tar_of([file("old", b"o" * 700_000)])], names=["loaded:1"])
NEW = Image([tar_of([file("new", b"n" * 300_000)])], names=["loaded:1"])
ON_OLD = Image([*OLD.layers, tar_of([file("on", b"a" * 60_000)])], names=["on-loaded:1"])


@pytest.fixture(params=["overlay2", "vfs"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A dockerd for each driver, with something of each kind in its root."""
    folder = Path(tempfile.mkdtemp(prefix="dkr"))
    started = Daemon(folder, request.param)
    try:
        fill(started)
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)


def fill(daemon: Daemon) -> None:
    """Images of both builders and loaded ones, containers, logs, volumes and leftovers."""
    context = daemon.folder / "context"
    for name, size in (("base", 3_000_000), ("app", 1_000_000), ("lib", 500_000)):
        write(context / name, os.urandom(size))
    write(context / "Dockerfile.base", b"FROM scratch\nCOPY base /base\n")
    recipe = b'FROM base:1\nCOPY app /app\nCMD ["/app"]\n'
    write(context / "Dockerfile.app", recipe)
    for name in ("base:1", "app:1"):
        recipe_name = f"Dockerfile.{name.partition(':')[0]}"
        daemon.docker("build", "-t", name, "-f", str(context / recipe_name), str(context))
    write(context / "app", os.urandom(1_200_000))
    # the first app:1 has no name from here on
    daemon.docker("build", "-t", "app:1", "-f", str(context / "Dockerfile.app"), str(context))
    # the last layer of the first image is also that of a build that has another name
    write(context / "Dockerfile.more", b"FROM app:1\nCOPY lib /more\nENV c=d\n")
    daemon.docker("build", "-t", "more:1", "-f", str(context / "Dockerfile.more"), str(context))
    daemon.load(OLD, ON_OLD)
    daemon.load(NEW)
    text = b"FROM app:1\nCOPY f /f\nCOPY f /g\n"
    files = [file("Dockerfile", text), file("f", b"f" * 800_000)]
    if "cached:1" not in daemon.build_with_buildkit("cached:1", tar_of(files)):
        pytest.skip("no BuildKit in this docker")
    daemon.docker("create", "--name", "web", "-v", "data:/data", "-v", "/x", "app:1", "/app")
    step = daemon.docker("inspect", "--format", "{{.Parent}}", "more:1").stdout.strip()
    daemon.docker("create", "--name", "on-step", step, "/app")
    daemon.docker("volume", "create", "unused")
    inspected = "{{.Id}} {{range .Mounts}}{{.Source}} {{end}}"
    container, *volumes = daemon.docker("inspect", "--format", inspected, "web").stdout.split()
    for volume in (*volumes, daemon.root / "volumes/unused/_data"):
        write(Path(volume) / "db", b"v" * 400_000)
    write(daemon.root / "containers" / container / f"{container}-json.log", b"l" * 500_000)
    mount = daemon.root / "image" / daemon.driver / "layerdb/mounts" / container / "mount-id"
    trees, tree = (("vfs/dir", ""), ("overlay2", "diff"))[daemon.driver == "overlay2"]
    write(daemon.root / trees / mount.read_text() / tree / "written", b"w" * 200_000)
    write(daemon.root / trees / folder_name("left") / tree / "left", b"x" * 1_100_000)
    write(daemon.root / "tmp/docker-import-1/layer.tar", b"t" * 90_000)


def du(path: Path) -> int:
    """Bytes on disk, by ``du``."""
    done = subprocess.run(["du", "-sx", "-B1", path], check=True, capture_output=True)
    return int(done.stdout.split()[0])


def places(daemon: Daemon) -> list[FoundPlace]:
    """The places of the root; their sum is compared with ``du``."""
    found = only_source(daemon.root).places
    assert sum(place.allocated_bytes for place in found) == du(daemon.root)
    return found


def held_by(found: Collection[FoundPlace], names: Collection[str]) -> int:
    """Bytes that are freed once these holders are removed."""
    return sum(
        place.allocated_bytes
        for place in found
        if place.facts.holders and {holder.name for holder in place.facts.holders} <= set(names)
    )


def freed(daemon: Daemon, *words: str) -> tuple[int, set[str]]:
    """Bytes that a command of docker frees, and the IDs that it says it deleted.

    The databases of the build cache, which may grow while it is pruned, are left out.
    """

    def size() -> int:
        return du(daemon.root) - du(daemon.root / "buildkit")

    before = size()
    done = daemon.docker(*words)
    lines = done.stdout.splitlines()
    deleted = {line.removeprefix("Deleted: ") for line in lines if line.startswith("Deleted: ")}
    return before - size(), deleted


def test_what_docker_frees_is_what_the_places_say(daemon: Daemon, tmp_path: Path) -> None:
    """Each deletion frees the places of which no holder is left, to the byte."""
    # while docker runs
    kinds = {place.facts.kind for place in places(daemon)}
    assert kinds >= set(PlaceKind) - {
        *(PlaceKind.ARTIFACT, PlaceKind.ATTESTATION, PlaceKind.CACHE, PlaceKind.HELD),
        *(PlaceKind.UPLOAD, PlaceKind.UNRECOGNISED),
    }
    assert PlaceKind.UNRECOGNISED not in kinds
    _, session = scanned(tmp_path / "catalog", daemon.root)
    rows = session.ask("SELECT image_id, is_cache FROM image").rows
    caches = {image for image, is_cache in rows if is_cache}
    shown = daemon.docker("images", "--quiet", "--no-trunc").stdout.split()
    step = daemon.docker("inspect", "--format", "{{.Image}}", "on-step").stdout.strip()
    # docker hides what has children; with a container on it, it holds layers
    assert {image for image, is_cache in rows if not is_cache} == {*shown, step}

    dangling = daemon.docker("images", "--quiet", "--no-trunc", "--filter", "dangling=true")
    rebuilt = set(dangling.stdout.split()) - {OLD.image_id}
    for image in (*rebuilt, "more:1", "on-loaded:1", OLD.image_id, "cached:1"):
        before = places(daemon)
        size, deleted = freed(daemon, "rmi", image)
        known = deleted & {row[0] for row in rows}
        assert len(known - caches) == 1
        assert size == held_by(before, known)

    before = places(daemon)
    layers = [place for place in before if place.facts.kind is PlaceKind.BUILD_CACHE]
    assert sum(place.file_bytes for place in layers) > 1_600_000
    size, _ = freed(daemon, "builder", "prune", "--force")
    assert size == held_by(before, {"build cache"}) > 1_600_000

    volumes = {place.facts.command for place in before if place.facts.kind is PlaceKind.VOLUME}
    assert len(volumes) == 3
    for name, words in (
        ("web", ("rm", "web")),
        ("on-step", ("rm", "on-step")),
        *((words[-1], words[1:]) for words in sorted(volumes)),
    ):
        before = places(daemon)
        size, _ = freed(daemon, *words)
        assert size == held_by(before, {name}) > 0
    before = places(daemon)
    size, deleted = freed(daemon, "rmi", "app:1", step, "base:1")
    assert size == held_by(before, deleted)
    # the cache knows the layers that it built on, and keeps them while an image has them too
    before = places(daemon)
    size, _ = freed(daemon, "builder", "prune", "--force")
    assert size == held_by(before, {"build cache"})
    assert {one.image_id for one in only_source(daemon.root).images} == {NEW.image_id}
    daemon.stop()
    places(daemon)
