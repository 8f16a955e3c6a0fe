"""A real docker-registry, and pushes and deletes through its API."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders.images import digest_of

#: marks of tests that need it
needs_registry = pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="docker-registry is not installed"
)


@dataclass(frozen=True)
class RegistryServer:
    """A registry that is running."""

    root: Path
    address: str
    config: Path

    def push_blob(self, repository: str, data: bytes) -> None:
        """Push a blob."""
        location = self.begin_upload(repository)
        joint = "&" if "?" in location else "?"
        self.ask("PUT", f"{location}{joint}digest={digest_of(data)}", data)

    def begin_upload(self, repository: str, data: bytes = b"") -> str:
        """Begin to push a blob, and leave it; returns the address of the upload."""
        location = self.ask("POST", f"/v2/{repository}/blobs/uploads/")["Location"]
        if data:
            location = self.ask("PATCH", location, data)["Location"]
        return str(location)

    def push_manifest(self, repository: str, document: bytes, reference: str = "") -> str:
        """Push a manifest or an index under a tag, or by its digest; returns the digest."""
        digest = digest_of(document)
        kind = json.loads(document)["mediaType"]
        self.ask("PUT", f"/v2/{repository}/manifests/{reference or digest}", document, kind)
        return digest

    def push(self, repository: str, blobs: dict[str, bytes], top: str, tag: str) -> None:
        """Push the manifest or index ``top`` with everything that it leads to."""
        document = json.loads(blobs[top])
        if "layers" in document:
            for one in (document["config"], *document["layers"]):
                self.push_blob(repository, blobs[one["digest"]])
        else:
            for entry in document["manifests"]:
                if entry["mediaType"].endswith("manifest.v1+json"):
                    self.push(repository, blobs, entry["digest"], "")
                else:
                    self.push_blob(repository, blobs[entry["digest"]])
        self.push_manifest(repository, blobs[top], tag)

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest, as ``skopeo delete`` does."""
        self.ask("DELETE", f"/v2/{repository}/manifests/{digest}")

    def collect_garbage(self) -> None:
        """Free what nothing references."""
        subprocess.run(
            ["docker-registry", "garbage-collect", str(self.config)],
            check=True,
            capture_output=True,
        )

    def ask(self, method: str, path: str, data: bytes = b"", kind: str = "") -> Any:
        """Send a request; returns the headers of the answer."""
        address = path if "://" in path else f"http://{self.address}{path}"
        request = urllib.request.Request(address, data=data or None, method=method)
        request.add_header("Content-Type", kind or "application/octet-stream")
        request.add_header("Content-Length", str(len(data)))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return answer.headers


@contextmanager
def serving(folder: Path) -> Iterator[RegistryServer]:
    """A registry with its root and configuration in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    root, config = folder / "served", folder / "config.yml"
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {
            "filesystem": {"rootdirectory": str(root)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": address},
    }
    config.write_text(json.dumps(settings))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=log, stderr=log
        )
    try:
        for _ in range(200):
            try:
                socket.create_connection(tuple(address.split(":")), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield RegistryServer(root, address, config)
    finally:
        process.kill()
        process.wait()
