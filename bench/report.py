"""Measure the time, memory and size of each form of the report for a big catalog.

    python bench/report.py [--images N] [--catalog FOLDER]

A catalog of N images (10,000) is written by the catalog's own writer, without real images. It has
20 tags per repository and layers shared as in registries: 20 bases, one runtime per ten
repositories, packages that change with every fourth tag, and one application per tag. Every fifth
image has a chmod of its application, every seventh has packages that a later layer deletes.
``--catalog`` keeps the catalog in a folder, or uses the one that is there.

It prints seconds, peak memory and bytes written for each form. The HTML page must be smaller than
10 MB, or the exit code is 1.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from dedupe.model.entries import EntryColumns, LayerFacts, Verified
from dedupe.model.identity import Digest, ImageID
from dedupe.model.images import (
    FoundImage,
    FoundSource,
    ImageDetails,
    LayerState,
    Platform,
    SourceKind,
)
from dedupe.scan.interface import ScannedImage, ScannedImageLayer, ScanResult
from dedupe.store.catalog import Catalog

_FORMS = ("terminal", "html", "markdown", "csv", "json", "sarif", "openmetrics")
_PAGE_BYTES = 10_000_000
_TAGS = 20
_LOCATION = "/var/lib/registry"


def main() -> None:
    """Make the catalog, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--catalog", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.catalog or Path(scratch) / "catalog"
        if not folder.exists():
            started = time.perf_counter()
            make(folder, given.images)
            print(f"{given.images:,} images made in {time.perf_counter() - started:.0f} s")
        output = Path(scratch) / "report"
        sizes = {form: _measure(form, folder, output) for form in _FORMS}
    if sizes["html"] > _PAGE_BYTES:
        sys.exit(f"the page has {sizes['html']:,} bytes, more than {_PAGE_BYTES:,}")


def _measure(form: str, folder: Path, output: Path) -> int:
    """Write one form; print time, memory and size, and return the size in bytes."""
    words = ("report", "--catalog", str(folder), "-f", form, "-o", str(output))
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "dedupe", *words])
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"report --format {form} failed")
    size = output.stat().st_size
    print(f"{form:12} {seconds:6.1f} s  {used.ru_maxrss / 1e6:5.2f} GB  {size / 1e6:7.2f} MB")
    return size


@dataclass(slots=True)
class _Store:
    """Writes each layer once, however many images have it."""

    catalog: Catalog
    sizes: dict[str, int] = field(default_factory=dict)

    def layer(self, name: str, files: dict[str, str], *, mode: int = 0o644, gone: str = "") -> str:
        """Return the diff ID of a layer with these files: path -> seed of its content."""
        key = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
        if key in self.sizes:
            return key
        columns = EntryColumns()
        for path, content in files.items():
            _entry(columns, path, "file", content, mode)
        if gone:
            _entry(columns, gone, "whiteout", "", 0o644)
        size = sum(columns.size_bytes)
        facts = LayerFacts(
            diff_id=key,
            digest=key,
            compression="gzip",
            compressed_bytes=size // 3 + 200,
            tar_bytes=size + 1024 * len(columns),
            content_bytes=size,
            entries=len(columns),
            files=len(files),
        )
        token = len(self.sizes)
        self.catalog.begin_layer(token)
        self.catalog.add_rows(token, columns)
        self.catalog.end_layer(token, key, facts, Verified.BLOB)
        self.sizes[key] = size
        return key


def make(folder: Path, images: int) -> None:
    """Write the catalog."""
    store = _Store(Catalog(folder))
    scanned = tuple(_image(store, number) for number in range(images))
    source = FoundSource(_LOCATION, SourceKind.REGISTRY)
    source.stored_bytes = sum(size // 3 + 200 for size in store.sizes.values())
    now = time.time()
    result = ScanResult(
        sources=(source,),
        images=scanned,
        containers=(),
        problems=(),
        places=(_LOCATION,),
        gone=(),
        started=now - 60,
        finished=now,
        layers_read=len(store.sizes),
        layers_reused=0,
    )
    store.catalog.commit(result)


def _image(store: _Store, number: int) -> ScannedImage:
    repository, tag = divmod(number, _TAGS)
    base, runtime, packages = repository % 20, repository // 10, f"{repository}.{tag // 4}"
    application = {
        f"srv/service{repository}/module{file}.py": f"{repository}.{file}.{tag if file < 8 else 0}"
        for file in range(12)
    }
    steps = [
        ("ADD rootfs.tar /", store.layer(f"base {base}", _files("usr/lib/base", base, 400))),
        (
            f"RUN apt-get update && apt-get install -y runtime-{runtime}",
            store.layer(f"runtime {base} {runtime}", _files("usr/lib/runtime", runtime, 300)),
        ),
        (
            f"RUN pip install -r requirements.txt # {packages}",
            store.layer(f"packages {packages}", _files("opt/venv/lib", packages, 40)),
        ),
        (f"COPY service /srv/service{repository}", store.layer(f"app {number}", application)),
    ]
    if number % 5 == 0:
        changed = store.layer(f"chmod {number}", application, mode=0o755)
        steps.append((f"RUN chmod -R a+x /srv/service{repository}", changed))
    if number % 7 == 0:
        removed = store.layer(f"rm {number}", {}, gone="opt/venv/lib/part1")
        steps.append(("RUN rm -rf /opt/venv/lib/part1", removed))
    image_id = "sha256:" + hashlib.sha256(f"image {number}".encode()).hexdigest()
    found = FoundImage(
        image_id=ImageID(image_id),
        digest=Digest(image_id),
        names=(f"registry.example.com/team{repository % 40}/service{repository}:1.{tag}.0",),
        layers=(),
        details=ImageDetails(
            Platform("linux", "amd64"), f"2024-{repository % 12 + 1:02}-{tag + 1:02}T00:00:00Z"
        ),
    )
    return ScannedImage(_LOCATION, image_id, found, tuple(_stacked(store, steps)))


def _stacked(store: _Store, steps: list[tuple[str, str]]) -> list[ScannedImageLayer]:
    stack: list[ScannedImageLayer] = []
    for position, (step, layer) in enumerate(steps):
        below = stack[-1].chain_id if stack else None
        chain = layer if below is None else f"{below} {layer}"
        stack.append(
            ScannedImageLayer(
                position=position,
                diff_id=layer,
                layer=layer,
                chain_id=(
                    layer
                    if below is None
                    else "sha256:" + hashlib.sha256(chain.encode()).hexdigest()
                ),
                digest=layer,
                compressed_bytes=store.sizes[layer] // 3 + 200,
                created_by=step,
                state=LayerState.READ,
            )
        )
    return stack


def _files(folder: str, what: object, count: int) -> dict[str, str]:
    # every tenth file is the same in all layers
    contents = (file if file % 10 == 0 else (what, file) for file in range(count))
    return {
        f"{folder}/part{number % 20}/file{number}": f"{folder} {content}"
        for number, content in enumerate(contents)
    }


def _entry(columns: EntryColumns, path: str, kind: str, content: str, mode: int) -> None:
    digest = hashlib.sha256(content.encode()).digest()
    is_file = kind == "file"
    size = int.from_bytes(digest[:2], "big") * 4 if is_file else 0
    row = {
        "member": len(columns),
        "path": path,
        "kind": kind,
        "size_bytes": size,
        "stored_bytes": size if is_file else None,
        "mode": mode,
        "uid": 0,
        "gid": 0,
        "mtime_ns": 1_700_000_000_000_000_000,
        "link": None,
        "device": None,
        "xattrs": None,
        "content_hash": digest if is_file else None,
        "raw_name": None,
        "flags": None,
    }
    for name, value in row.items():
        getattr(columns, name).append(value)


if __name__ == "__main__":
    main()
