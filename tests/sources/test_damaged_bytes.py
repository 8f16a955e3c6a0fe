"""One byte of a store is damaged: every figure is right, or marked as one that may not be."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from builders import (
    Image,
    compress,
    file,
    tar_of,
    write_dir,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from builders.registry import RegistryStore
from helpers.examples import examples
from helpers.scanning import Silence

from dedupe.model.entries import EntryColumns, LayerFacts, Verified
from dedupe.model.images import LayerState, Severity
from dedupe.scan import scan_sources
from dedupe.scan.interface import ScanResult
from dedupe.sources.discover import Selection, discover

#: damaged copies of each store
PLACES = examples(75)

CHANCE = random.Random(12)
BASE = tar_of([file("base", CHANCE.randbytes(300)), file("etc/a", b"1" * 200)])
APP = tar_of([file("app", CHANCE.randbytes(150))])
IMAGES = [
    Image([BASE, APP], names=["localhost/app:1"], history=["FROM base", "COPY app"]),
    Image([BASE], names=["localhost/base:1"], platform="linux/arm64"),
]


def write_layout(to: Path, **options: bool) -> None:
    """A layout with a blob that nothing refers to."""
    write_oci_layout(to, IMAGES, **options)
    orphan = compress(tar_of([file("orphan", b"2" * 99)]), "gzip")
    (to / "blobs/sha256" / ("0" * 64)).write_bytes(orphan)


def write_shared(to: Path) -> None:
    """A layout whose blobs are in a folder beside it."""
    write_oci_layout(to / "layout", IMAGES)
    (to / "layout/blobs").rename(to / "shared")


def write_registry(to: Path) -> None:
    """Two repositories, and a blob that nothing refers to."""
    store = RegistryStore(to)
    store.image("app", IMAGES[0], "1")
    store.image("base", IMAGES[1], "1", "latest")
    store.blob(b"orphan" * 20)


STORES: dict[str, Callable[[Path], object]] = {
    "layout": write_layout,
    "layout with indexes": lambda to: write_layout(to, sparse=True, attestation=True),
    "layout with a nested index": lambda to: write_layout(to, nested=True, artifact=True),
    "shared blobs": write_shared,
    "oci-archive": lambda to: write_oci_archive(to, IMAGES),
    "oci-archive in gzip": lambda to: write_oci_archive(to, IMAGES, outer="gzip"),
    "docker20": lambda to: write_docker_archive(to, IMAGES),
    "podman": lambda to: write_docker_archive(to, IMAGES, "podman"),
    "docker25": lambda to: write_docker_archive(to, IMAGES, "docker25"),
    "containerd export": lambda to: write_docker_archive(to, IMAGES, "containerd"),
    "repositories": lambda to: write_docker_archive(to, IMAGES, "repositories-only"),
    "dir": lambda to: write_dir(to, IMAGES[0]),
    "registry": write_registry,
}


class Memory:
    """A sink that keeps what a scan found."""

    def __init__(self) -> None:
        self.content_bytes: dict[str, int] = {}
        self.result: ScanResult | None = None

    def has_layer(self, _diff_id: str, **_options: bool) -> bool:
        return False

    def layer_of_blob(self, _digest: str) -> str | None:
        return None

    def get_ready(self) -> None:
        pass

    def begin_layer(self, token: int) -> None:
        pass

    def add_rows(self, token: int, columns: EntryColumns) -> None:
        pass

    def end_layer(self, _token: int, key: str, facts: LayerFacts, _verified: Verified) -> None:
        self.content_bytes[key] = facts.content_bytes

    def drop_layer(self, token: int) -> None:
        pass

    def commit(self, result: ScanResult) -> str:
        self.result = result
        return "scan"


@dataclass
class Figures:
    """What a scan says of a store."""

    #: kind of each source, its stored and its unreferenced bytes
    sources: list[tuple[str, int, int | None]] = field(default_factory=list)
    #: ID and content of each image of which every layer is what it claims
    images: list[tuple[str, int]] = field(default_factory=list)
    #: images of which it is not
    incomplete: int = 0
    errors: list[str] = field(default_factory=list)


def figures_of(place: Path) -> Figures:
    """Scan a store."""
    sink = Memory()
    outcome = scan_sources(discover([place], Selection()), sink, Silence(), workers=1)
    figures = Figures(
        errors=[one.code for one in outcome.problems if one.severity is Severity.ERROR]
    )
    result = sink.result
    for source in result.sources if result else ():
        figures.sources.append((source.kind, source.stored_bytes, source.orphan_bytes))
    for image in result.images if result else ():
        if all(layer.state is LayerState.READ for layer in image.layers):
            content = sum(sink.content_bytes[layer.layer or ""] for layer in image.layers)
            # layers without a digest or diff ID prove nothing: only their bytes are known
            bare = image.image_id.startswith("bare:")
            figures.images.append(("bare" if bare else image.image_id, content))
        else:
            figures.incomplete += 1
    figures.images.sort()
    return figures


def check(found: Figures, truth: Figures) -> None:
    """Every figure is right, or an error says that it may not be."""
    if not found.errors:
        assert found == truth
        return
    # what could not be read makes no bytes unreferenced
    for (kind, stored, orphan), (_, true_stored, true_orphan) in zip(
        found.sources, truth.sources, strict=False
    ):
        assert (stored, orphan) in ((true_stored, true_orphan), (true_stored, None)), kind
    # an image that is called complete has the right content
    known = {image for image, _ in truth.images}
    assert {row for row in found.images if row[0] in known} <= set(truth.images)


@pytest.mark.parametrize("name", STORES)
def test_no_damaged_byte_gives_a_wrong_figure_without_a_mark(name: str, tmp_path: Path) -> None:
    """One byte at a time, at random places."""
    STORES[name](tmp_path / "store")
    truth = figures_of(tmp_path / "store")
    assert truth.errors == []
    assert truth.images
    files = [path for path in sorted(tmp_path.joinpath("store").rglob("*")) if path.is_file()]
    files = files or [tmp_path / "store"]
    chance = random.Random(name)
    for _ in range(PLACES):
        # documents are small, so choosing by bytes would hardly ever damage one
        path = chance.choice(files)
        kept = path.read_bytes()
        place = chance.randrange(len(kept))
        changed = bytes([kept[place] ^ chance.randrange(1, 256)])
        path.write_bytes(kept[:place] + changed + kept[place + 1 :])
        try:
            check(figures_of(tmp_path / "store"), truth)
        except AssertionError as error:
            where = f"{path.relative_to(tmp_path)}, byte {place}: {kept[place : place + 1]!r}"
            raise AssertionError(f"{where} became {changed!r}: {error}") from error
        finally:
            path.write_bytes(kept)
    assert figures_of(tmp_path / "store") == truth
    shutil.rmtree(tmp_path, ignore_errors=True)
