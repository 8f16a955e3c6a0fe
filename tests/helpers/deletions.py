"""Stores of real tools from which images are deleted by the commands that ``what-if`` prints."""

import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from builders import (
    Image,
    file,
    tar_of,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)

from dedupe.analysis.removal import Removal
from dedupe.analysis.what_if import DeletionFilter, WhatIf, what_if
from dedupe.model.choices import Granularity
from helpers.scanning import scanned

NOW = datetime(2026, 1, 1)


def random_images(draw: random.Random, count: int) -> list[Image]:
    """Images that share bases; some have two names, some only a config of their own."""
    stacks: list[tuple[bytes, ...]] = [()]
    images: list[Image] = []
    for number in range(count):
        below = draw.choice(stacks)
        if not below or draw.random() < 0.8:
            files = [
                file(f"f{number}-{each}", draw.randbytes(draw.choice([0, 10, 5000, 70_000])))
                for each in range(draw.randint(1, 4))
            ]
            below = (*below, tar_of(files))
        stacks.append(below)
        names = [f"localhost/app{number % 3}:v{number}"]
        if draw.random() < 0.3:
            names.append(f"localhost/also:v{number}")
        steps = [f"COPY {each}" for each in range(len(below))]
        settings = {"Hostname": f"h{number}"}
        images.append(Image(below, names=names, history=steps, settings=settings))
    return images


def disk_usage(root: Path, left_out: Sequence[str]) -> int:
    """Bytes that the file system gives to a folder, an inode once, without these paths below it."""
    command = ["du", "-sx", "--block-size=1", str(root)]
    total = int(subprocess.run(command, check=True, capture_output=True).stdout.split()[0])
    for pattern in left_out:
        for path in root.glob(pattern):
            command = ["du", "-sx", "--block-size=1", str(path)]
            total -= int(subprocess.run(command, check=True, capture_output=True).stdout.split()[0])
    return total


def wait_for(condition: Callable[[], object], log: Path) -> None:
    """Wait until a call returns true; raises AssertionError with the log after twenty seconds."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])


class Store:
    """A store of its own below a folder: subclasses say how a tool fills it and deletes from it."""

    #: what is scanned
    root: Path
    #: puts images into the store; a method of each subclass
    load: Callable[[Sequence[Image]], None]
    #: the store's own records, which differ after a deletion: patterns below the root
    records: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        #: environment of all commands
        self.variables = dict(os.environ)

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command, with what this store needs besides."""
        done = subprocess.run(
            self.command(words), capture_output=True, text=True, timeout=120, env=self.variables
        )
        assert not check or done.returncode == 0, (words, done.stderr, done.stdout)
        return done.stdout.strip()

    def command(self, words: Sequence[str]) -> list[str]:
        """The command with the sockets and folders of this store."""
        return list(words)

    def build(self, draw: random.Random, base: str, number: int) -> None:
        """Build an image on another one, with steps that leave untagged images."""

    def write_context(self, draw: random.Random, base: str, build_file: str, last: str) -> Path:
        """Write a build file whose steps leave untagged images, and its files, into a folder."""
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        (context / "one").write_bytes(draw.randbytes(9000))
        (context / "two").write_bytes(draw.randbytes(30_000))
        steps = [f"FROM {base}", "COPY one /one", "ENV a=b", "COPY two /two", last]
        (context / build_file).write_text("\n".join(steps))
        return context

    def make_container(self, image: str, name: str) -> bool:
        """Make a container, which holds an image; false if the store has none."""
        return False

    def used_bytes(self) -> int:
        """Disk usage without the store's own records."""
        return disk_usage(self.root, self.records)

    def settle(self) -> None:
        """Wait until the store has done what it does in the background."""

    def stop(self) -> None:
        """End what was started."""


class Podman(Store):
    """podman with a storage of its own."""

    def __init__(self, folder: Path, driver: str) -> None:
        super().__init__(folder)
        self.driver = driver
        self.root = folder / "root"
        self._run = Path(tempfile.mkdtemp(prefix="pod"))
        self.records = (
            "libpod",
            "*.lock",
            "db.sql",
            f"{driver}-images/images.*",
            f"{driver}-layers/*layers.*",
            f"{driver}-containers/*containers.*",
        )

    def command(self, words: Sequence[str]) -> list[str]:
        tool, *rest = words
        if tool not in ("podman", "buildah"):
            return [*words]
        options = ["--root", str(self.root), "--runroot", str(self._run)]
        if "--storage-driver" not in rest:
            options += ["--storage-driver", self.driver]
        if tool == "podman":
            options += ["--cgroup-manager", "cgroupfs", "--tmpdir", str(self._run / "tmp")]
        return [tool, *options, *rest]

    def load(self, images: Sequence[Image]) -> None:
        for number, image in enumerate(images):
            write_docker_archive(self.folder / f"{number}.tar", [image])
            self.run("podman", "load", "--quiet", "--input", str(self.folder / f"{number}.tar"))

    def build(self, draw: random.Random, base: str, number: int) -> None:
        context = self.write_context(draw, base, "Containerfile", "CMD x")
        # the second build takes the name from the image of the first
        for _ in range(draw.randint(1, 2)):
            build = ("build", "--layers", "--pull-never", "--isolation", "chroot", "--quiet")
            self.run("buildah", *build, "--tag", f"localhost/built:v{number}", str(context))
            (context / "two").write_bytes(draw.randbytes(30_000))

    def make_container(self, image: str, name: str) -> bool:
        self.run("podman", "create", "--name", name, image, "true")
        return True

    def stop(self) -> None:
        subprocess.run(["umount", "-R", self.root / "overlay"], check=False, capture_output=True)
        shutil.rmtree(self._run)


class Docker(Store):
    """A dockerd of its own."""

    def __init__(self, folder: Path, driver: str = "overlay2") -> None:
        super().__init__(folder)
        self.root = folder / "root"
        # the path of a socket has at most 108 bytes
        self._run = Path(tempfile.mkdtemp(prefix="dkr"))
        self._log = self._run / "log"
        self.variables |= {"DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(self._run)}
        options = [
            *("--data-root", str(self.root), "--exec-root", str(self._run / "exec")),
            *("--pidfile", str(self._run / "pid"), "--host", f"unix://{self._run}/s"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
            *("--storage-driver", driver),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log)
        wait_for(lambda: "Version" in self.run("docker", "version", check=False), self._log)
        wait_for(lambda: "Server" in self.run("docker", "version", check=False), self._log)
        self.records = (f"image/{driver}/repositories.json", "network", "buildkit")

    def command(self, words: Sequence[str]) -> list[str]:
        if words[0] != "docker":
            return [*words]
        return ["docker", "--host", f"unix://{self._run}/s", *words[1:]]

    def load(self, images: Sequence[Image]) -> None:
        write_docker_archive(self.folder / "images.tar", list(images))
        self.run("docker", "load", "--input", str(self.folder / "images.tar"))

    def build(self, draw: random.Random, base: str, number: int) -> None:
        context = self.write_context(draw, base, "Dockerfile", 'CMD ["x"]')
        for _ in range(draw.randint(1, 2)):
            self.run("docker", "build", "--quiet", "--tag", f"built:v{number}", str(context))
            (context / "two").write_bytes(draw.randbytes(30_000))

    def build_with_buildkit(self, name: str, context: bytes) -> str:
        """Build an image from a tar, without the client's extension for it; returns the answer."""
        (self.folder / "context.tar").write_bytes(context)
        return self.run(
            *("curl", "-sS", "--unix-socket", f"{self._run}/s", "-X", "POST"),
            *("-H", "Content-Type: application/x-tar"),
            *("--data-binary", f"@{self.folder}/context.tar"),
            f"http://docker/build?version=2&t={name}",
        )

    def make_container(self, image: str, name: str) -> bool:
        self.run("docker", "create", "--name", name, image, "true")
        return True

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        shutil.rmtree(self._run)


class Containerd(Store):
    """A containerd of its own; some images are in two namespaces."""

    records = ("io.containerd.metadata.v1.bolt", "*/metadata.db")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "root"
        self._run = Path(tempfile.mkdtemp(prefix="ctd"))
        log = self._run / "log"
        (self._run / "config.toml").write_text(
            f'version = 2\nroot = "{self.root}"\nstate = "{self._run}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self._run}/grpc"\n[ttrpc]\naddress = "{self._run}/ttrpc"\n'
        )
        with log.open("wb") as out:
            command = ["containerd", "--config", str(self._run / "config.toml")]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        wait_for(lambda: "Server" in self.run("ctr", "version", check=False), log)

    def command(self, words: Sequence[str]) -> list[str]:
        if words[0] != "ctr":
            return [*words]
        return ["ctr", "--address", str(self._run / "grpc"), *words[1:]]

    def load(self, images: Sequence[Image]) -> None:
        for number, image in enumerate(images):
            archive = self.folder / "image.tar"
            write_oci_archive(archive, [image], annotation="containerd")
            spaces = (["default"], ["k8s.io"], ["default", "k8s.io"])[number % 3]
            for namespace in spaces:
                self.run("ctr", "--namespace", namespace, "images", "import", str(archive))
        self.settle()

    def make_container(self, image: str, name: str) -> bool:
        listed = self.run("ctr", "--namespace", "default", "images", "ls", "--quiet")
        if image not in listed.split():
            return False
        self.run("ctr", "--namespace", "default", "containers", "create", image, name)
        return True

    def settle(self) -> None:
        # containerd deletes temporary objects of imports, and what a container has left, in the
        # background; deleting a lease waits for it
        self.run("ctr", "leases", "create", "--id", "settle")
        self.run("ctr", "leases", "rm", "--sync", "settle")
        seen: list[int] = []
        for _ in range(100):
            seen.append(disk_usage(self.root, ()))
            if len(seen) > 8 and len(set(seen[-8:])) == 1:
                return
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        shutil.rmtree(self._run)


class Registry(Store):
    """A docker-registry of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.root = folder / "root"
        self._config = folder / "config.yml"
        storage = {
            "filesystem": {"rootdirectory": str(self.root)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        }
        document = {"version": 0.1, "storage": storage, "http": {"addr": self._address}}
        self._config.write_text(json.dumps(document))
        log = folder / "log"
        with log.open("wb") as out:
            command = ["docker-registry", "serve", str(self._config)]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        wait_for(lambda: b"listening" in log.read_bytes(), log)

    def command(self, words: Sequence[str]) -> list[str]:
        if words[0] == "registry":
            return ["docker-registry", words[1], *words[2:-1], str(self._config)]
        if tuple(words[:2]) == ("skopeo", "delete"):
            image = words[2].replace("REGISTRY", self._address)
            return ["skopeo", "delete", "--tls-verify=false", image]
        return [*words]

    def load(self, images: Sequence[Image]) -> None:
        layout = self.folder / "layout"
        for image in images:
            shutil.rmtree(layout, ignore_errors=True)
            write_oci_layout(layout, [replace(image, names=["x"])])
            for name in image.names:
                self.run(
                    *("skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"),
                    *(f"oci:{layout}:x", f"docker://{self._address}/{name}"),
                )

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Layout(Store):
    """An image layout, from which umoci deletes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "root"

    def load(self, images: Sequence[Image]) -> None:
        write_oci_layout(self.root, list(images))


def delete_and_measure(
    store: Store, catalog: Path, criteria: DeletionFilter
) -> tuple[WhatIf, int, int]:
    """Run the printed commands; returns the answer, its promise, and what was freed."""
    store.settle()
    session = scanned(catalog, store.root)[1]
    found = what_if(session, criteria, NOW)
    (said,) = (row["freed_bytes"] for row in found.freed if row["granularity"] == Granularity.DISK)
    assert said is not None
    before = store.used_bytes()
    run_steps(store, found, found.removals)
    store.settle()
    return found, said, before - store.used_bytes()


def run_steps(store: Store, found: WhatIf, steps: Sequence[Removal]) -> None:
    """Run these steps; those of images with a container may fail."""
    for step in steps:
        assert step.command, step
        store.run(*step.command, check=not found.containers)


def release_and_measure(store: Store, catalog: Path, found: WhatIf) -> tuple[int, int]:
    """Run the releases of what is held, and the steps again; returns the promise and the truth."""
    store.settle()
    session = scanned(catalog, store.root)[1]
    rows = found.held
    own = session.ask(
        "SELECT coalesce(sum(allocated_bytes), 0) FROM (SELECT DISTINCT source, path FROM "
        "scan_holds WHERE kind = 'container') JOIN scan_disk USING (source, path) WHERE "
        "scan_disk.kind <> 'layer' AND "
        "(source, path) NOT IN (SELECT (source, path) FROM scan_holds WHERE kind <> 'container')"
    ).rows[0][0]
    before = store.used_bytes()
    commands = {command for row in rows for command in row["releases"]}
    for command in sorted(commands):
        store.run(*shlex.split(command))
    for step in found.removals:
        store.run(*step.command, check=False)
    store.settle()
    # containers on layers that other images need too are not in the answer
    said = sum(row["bytes"] for row in rows) + (own if commands else 0)
    return said, before - store.used_bytes()
