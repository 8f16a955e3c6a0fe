"""A docker daemon of a test, with folders and sockets of its own."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from builders import Image, write_docker_archive


class Daemon:
    """A dockerd with folders and sockets of its own."""

    def __init__(self, folder: Path, driver: str) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.driver = driver
        self._log = (folder / "log").open("wb")
        command = [
            *("dockerd", "--data-root", self.root, "--exec-root", folder / "exec"),
            *("--pidfile", folder / "pid", "--host", f"unix://{folder}/s", "--bridge", "none"),
            *("--iptables=false", "--ip6tables=false", "--storage-driver", driver),
        ]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        for _ in range(200):
            if self._process.poll() is not None:
                break
            if self.docker("version", check=False).returncode == 0:
                return
            time.sleep(0.1)
        self.stop()
        pytest.skip(f"dockerd does not start here: {(folder / 'log').read_text()[-300:]}")

    def docker(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["docker", "--host", f"unix://{self.folder}/s", *words],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(self.folder)},
        )
        assert not check or done.returncode == 0, (words, done.stderr)
        return done

    def load(self, *images: Image) -> None:
        archive = self.folder / "images.tar"
        write_docker_archive(archive, images)
        self.docker("load", "--input", str(archive))

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        self._log.close()

    def post(self, path: str, *words: str) -> str:
        """Answer of the daemon's API."""
        command = ["curl", "-sS", "--unix-socket", f"{self.folder}/s", "-X", "POST", *words]
        done = subprocess.run(
            [*command, f"http://docker/{path}"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def build_with_buildkit(self, name: str, context: bytes) -> str:
        """Build an image, without the client's extension for it; returns the daemon's messages."""
        (self.folder / "context.tar").write_bytes(context)
        form = ("-H", "Content-Type: application/x-tar")
        body = ("--data-binary", f"@{self.folder}/context.tar")
        return self.post(f"build?version=2&t={name}", *form, *body)
