"""A containerd with folders and sockets of its own, for tests that compare with it."""

import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from builders import Image, write_oci_archive

#: for the tests of a module that starts one
NEEDS_CONTAINERD = [
    pytest.mark.tools,
    pytest.mark.skipif(os.geteuid() != 0, reason="containerd unpacks as root only"),
    pytest.mark.skipif(
        not (shutil.which("containerd") and shutil.which("ctr")),
        reason="containerd is not installed",
    ),
]

CONFIG = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = {disabled}
[grpc]
  address = "{folder}/grpc"
[ttrpc]
  address = "{folder}/ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
"""
CRI = "io.containerd.grpc.v1.cri"


class Daemon:
    """A containerd with folders and sockets of its own."""

    def __init__(self, folder: Path, *, disabled: str) -> None:
        self.folder = folder
        self.root = folder / "root"
        (folder / "config.toml").write_text(CONFIG.format(folder=folder, disabled=disabled))
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["containerd", "--config", str(folder / "config.toml")],
            stdout=self._log,
            stderr=self._log,
        )
        for _ in range(100):
            if self.ctr("version", check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError((folder / "log").read_text())

    def ctr(
        self, *words: str, namespace: str = "default", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["ctr", "--address", str(self.folder / "grpc"), "--namespace", namespace, *words],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not check or done.returncode == 0, (words, done.stderr)
        return done

    def load(self, *images: Image, namespace: str = "default", snapshotter: str = "") -> None:
        """Import and unpack these images."""
        archive = self.folder / "images.tar"
        write_oci_archive(archive, images, annotation="containerd")
        chosen = ["--snapshotter", snapshotter] if snapshotter else []
        self.ctr("images", "import", *chosen, str(archive), namespace=namespace)

    def load_part(self, image: Image, *, namespace: str) -> None:
        """Begin to import an image, and kill the client in the middle of its largest blob.

        What was imported by then stays: a lease, its content, and a transfer that has not ended.
        """
        archive = self.folder / "part.tar"
        write_oci_archive(archive, [image], annotation="containerd")
        with tarfile.open(archive) as tar:
            members = [each for each in tar.getmembers() if each.name.startswith("blobs/sha256/")]
        cut = max(members, key=lambda member: member.size)
        before = [member for member in members if member.offset < cut.offset]
        wanted = {member.name.removeprefix("blobs/").replace("/", ":") for member in before}
        words = ["ctr", "--address", str(self.folder / "grpc"), "--namespace", namespace]
        with subprocess.Popen(
            [*words, "images", "import", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as client:
            assert client.stdin is not None
            client.stdin.write(archive.read_bytes()[: cut.offset_data + cut.size // 2])
            client.stdin.flush()
            for _ in range(200):
                known = self.ctr("content", "ls", "--quiet", namespace=namespace).stdout.split()
                active = self.ctr("content", "active", namespace=namespace).stdout
                if wanted <= set(known) and cut.name.rpartition("/")[2] in active:
                    break
                time.sleep(0.05)
            else:
                raise AssertionError(f"not imported: {wanted}, {active}")
            client.kill()

    def run(self, command: Sequence[str]) -> None:
        """Run a command of ctr that was made for the host's own containerd."""
        assert command[0] == "ctr"
        done = subprocess.run(
            ["ctr", "--address", str(self.folder / "grpc"), *command[1:]],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stderr)

    def collect(self) -> None:
        """Wait for a garbage collection that begins now."""
        self.ctr("leases", "create", "--id", "collect")
        self.ctr("leases", "rm", "--sync", "collect")

    def disk_usage(self) -> int:
        """What du counts in the root."""
        words = ["du", "-sx", "--block-size=1", str(self.root)]
        return int(subprocess.run(words, capture_output=True, check=True).stdout.split()[0])

    def settle(self) -> None:
        """Wait until containerd has deleted temporary objects of the imports."""
        blobs = self.root / "io.containerd.content.v1.content/blobs/sha256"
        seen: list[set[str]] = []
        for _ in range(50):
            seen.append({path.name for path in blobs.iterdir()})
            if len(seen) > 15 and all(names == seen[-1] for names in seen[-16:]):
                return
            time.sleep(0.1)
        raise AssertionError(f"containerd still changes its blobs: {seen[-2:]}")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self._log.close()
