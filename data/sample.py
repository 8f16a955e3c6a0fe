"""Write a small image layout with examples of what the report finds.

python data/sample.py FOLDER

Four images on one base have a package list that a later layer deletes, files copied up by a chmod,
the same content at two paths, and the same layers in two orders.
"""

import gzip
import hashlib
import io
import json
import random
import sys
import tarfile
from pathlib import Path

Files = dict[str, tuple[bytes, int]]


def layer(files: Files) -> bytes:
    """Return an uncompressed layer tar; a path whose name begins with ``.wh.`` is a whiteout."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, (data, mode) in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(data), mode, 1_700_000_000
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Layout:
    """Writes an OCI image layout."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        self._folder = folder
        self._entries: list[dict[str, object]] = []

    def add(self, data: bytes, media_type: str) -> dict[str, object]:
        """Write a blob and return its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        (self._blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def image(self, name: str, steps: list[tuple[str, bytes]]) -> None:
        """Write an image with one layer per build step, base first."""
        kind = "application/vnd.oci.image"
        config = {
            "architecture": "amd64",
            "os": "linux",
            "created": "2023-11-14T22:13:20Z",
            "rootfs": {
                "type": "layers",
                "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest() for _, tar in steps],
            },
            "history": [{"created_by": step} for step, _ in steps],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": self.add(json.dumps(config).encode(), f"{kind}.config.v1+json"),
            "layers": [
                self.add(gzip.compress(tar, 6, mtime=0), f"{kind}.layer.v1.tar+gzip")
                for _, tar in steps
            ],
        }
        entry = self.add(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        self._entries.append(entry)

    def close(self) -> None:
        """Write the index, which makes the folder a layout."""
        index = {"schemaVersion": 2, "manifests": self._entries}
        (self._folder / "index.json").write_text(json.dumps(index))
        (self._folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def main(folder: Path) -> None:
    """Write the sample store."""
    chance = random.Random(7)

    def some(size: int) -> bytes:
        return chance.randbytes(size)

    system = {f"usr/lib/lib{i}.so": (some(40_000), 0o644) for i in range(60)}
    lists = {f"var/lib/apt/lists/part{i}": (some(300_000), 0o644) for i in range(4)}
    application = {f"srv/app/module{i}.py": (some(25_000), 0o644) for i in range(40)}
    model = {f"opt/model/shard{i}.bin": (some(200_000), 0o644) for i in range(8)}
    library = {f"opt/lib/unit{i}.so": (some(50_000), 0o644) for i in range(12)}
    base = ("ADD rootfs.tar /", layer(system))
    install = ("RUN apt-get update && apt-get install tool", layer(lists))
    clean = ("RUN rm -rf /var/lib/apt/lists", layer({"var/lib/apt/.wh.lists": (b"", 0o644)}))
    code = ("COPY app /srv/app", layer(application))
    chmod = (
        "RUN chmod -R a+x /srv/app",
        layer({path: (data, 0o755) for path, (data, _) in application.items()}),
    )
    vendored = (
        "COPY vendor /srv/vendor",
        layer(
            {path.replace("usr/lib", "srv/vendor"): system[path] for path in sorted(system)[:20]}
        ),
    )
    model_step = ("COPY model /opt/model", layer(model))
    library_step = ("COPY lib /opt/lib", layer(library))

    layout = Layout(folder)
    layout.image("registry.example/base:1", [base])
    layout.image("registry.example/web:1", [base, install, clean, code, chmod])
    layout.image("registry.example/tool:a", [base, model_step, library_step])
    layout.image("registry.example/tool:b", [base, library_step, model_step, vendored])
    layout.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
