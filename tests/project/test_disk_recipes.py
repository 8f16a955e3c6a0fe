"""docs/recipes.md: the recipes about a full disk work on a real store of podman, as written."""

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_docker_archive
from builders.registry import RegistryStore
from here import PROJECT
from typer.testing import CliRunner

from dedupe.cli.app import app

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("podman"), reason="podman is not installed"),
]

BASE = tar_of([file("bin/sh", b"s" * 40_000, mode=0o755)])
WEB = Image([BASE, tar_of([file("web", b"w" * 90_000)])], names=["localhost/web:1"])
JOB = Image([BASE, tar_of([file("job", b"j" * 20_000)])], names=["localhost/job:1"])
#: the store and the catalog of the pages
STORES = ("/var/lib/containers/storage", "/var/lib/registry")
CATALOG = "/dev/shm/catalog"


@dataclass(frozen=True)
class Host:
    """A store of podman, and a place for a catalog."""

    store: Path
    catalog: Path

    def follow(self, call: str) -> str:
        """The output of a call of a page, about this store; raises the call's error."""
        for place in STORES:
            call = call.replace(place, str(self.store))
        call = call.replace(CATALOG, str(self.catalog))
        # the images of this store are small
        call = call.replace("50GB", "50kB")
        words = shlex.split(call)[1:]
        if "--catalog" not in words:
            words += ["--catalog", str(self.catalog)]
        done = CliRunner().invoke(app, words)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    def du(self) -> int:
        """Bytes on disk of the store, by ``du``."""
        words = ["du", "-sx", "-B1", self.store]
        return int(subprocess.run(words, check=True, capture_output=True).stdout.split()[0])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A store with two images on one base, and a container that has written."""
    folder = tmp_path_factory.mktemp("host")
    write_docker_archive(folder / "images.tar", [WEB, JOB])
    # podman refuses a runroot of more than 50 characters
    run = Path(tempfile.mkdtemp(prefix="dsk"))
    store = folder / "storage"

    def podman(*words: str) -> str:
        options = ["--root", str(store), "--runroot", str(run), "--storage-driver", "overlay"]
        done = subprocess.run(["podman", *options, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    podman("load", "--input", str(folder / "images.tar"))
    podman("create", "--name", "shop", WEB.names[0], "/bin/sh")
    (folder / "own").write_bytes(b"o" * 300_000)
    podman("cp", str(folder / "own"), "shop:/own")
    try:
        yield Host(store, folder / "catalog")
    finally:
        podman("rm", "--all", "--force")
        subprocess.run(["umount", "--lazy", store / "overlay"], capture_output=True)
        shutil.rmtree(run, ignore_errors=True)


def calls_of(section: str) -> list[str]:
    """The calls in the first block of a section."""
    page = (PROJECT / "docs/recipes.md").read_text()
    block = re.search(rf"^## {re.escape(section)}\n.*?^```\n(.*?)^```$", page, re.S | re.M)
    assert block is not None
    return block[1].splitlines()


def test_the_disk_is_full(host: Host) -> None:
    """The first call scans and adds up to du; the others show the container and what to delete."""
    kinds, owners, places, freed = map(host.follow, calls_of("The disk is full"))
    assert host.follow("dedupe disk --bytes").splitlines()[-1].split()[0] == f"{host.du():,}"
    assert kinds.splitlines()[-1].endswith("total: what du counts")
    assert "image layers" in kinds
    assert "container layers: shop\n" in owners
    assert "container layers: shop\n" in places
    assert "podman" in freed


def test_who_uses_this_folder(host: Host) -> None:
    """The folder of a layer and of a container have their users and the commands."""
    of_folder, of_path = calls_of("Who uses this folder?")
    assert host.follow(of_folder).count("image layers: ") == 3
    trees = host.store / "overlay"
    (base,) = (each for each in trees.glob("*/diff/bin/sh"))
    (own,) = (each for each in trees.glob("*/diff/own"))
    shared = host.follow(of_path.replace("ID", base.parents[2].name))
    for image in (WEB, JOB):
        assert f"  image {image.names[0]}\n" in shared
        assert re.search(rf" rmi -- .*{image.names[0]}", shared)
    written = host.follow(of_path.replace("ID", own.parents[1].name))
    assert "used by\n  container shop\n" in written


def test_what_may_i_delete_safely(host: Host) -> None:
    """Nothing is unreferenced or dangling; the image without a container is not used."""
    places, orphans, dangling, unused, rest = map(
        host.follow, calls_of("What may I delete safely?")
    )
    assert "unreferenced" not in places
    assert "Nothing is unreferenced" in orphans
    assert "Note: no image meets all conditions.\n" in dangling
    assert JOB.names[0] in unused
    assert WEB.names[0] not in unused.partition("Layers of these images that stay")[0]
    assert "volumes" not in rest


def test_what_will_prune_free(host: Host) -> None:
    """What the disk gives back is what pruning unused images and containers would free."""
    dangling, unused, owners = map(host.follow, calls_of("What will prune free?"))
    assert "frees" not in dangling
    assert "  on disk now\n" in unused
    assert "container layers: shop\n" in owners


def test_garbage_collect_freed_nothing(tmp_path: Path) -> None:
    """A tag that was moved leaves a manifest: what deleting it frees is shown, with the command."""
    registry = RegistryStore(tmp_path / "registry")
    image = registry.image("shop", JOB)
    registry.image("shop", WEB, "1")
    host = Host(registry.root, tmp_path / "catalog")
    _, disk, untagged = map(host.follow, calls_of("Garbage-collect freed nothing"))
    assert "unreferenced" not in disk
    assert f"shop@{image['digest']}" in untagged
    assert "`registry garbage-collect -m`" in untagged
    assert re.search(r"^ *[1-9][0-9.]* kB  on disk now$", untagged, re.M)
