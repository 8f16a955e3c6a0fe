"""Stores in buckets of a local S3 server: the rows of the disk, and failures."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import (
    Image,
    compress,
    digest_of,
    directory,
    file,
    hardlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from builders.object_store import ENVIRONMENT, cutting_proxy, make_bucket, s3_server, upload
from builders.registry import RegistryStore
from helpers.commands import run
from helpers.scanning import Silence, codes, scan_only, scanned

from dedupe.host.objects import open_store
from dedupe.layers.reader import read_layer
from dedupe.model.images import BlobRef, FoundSource, ObjectRef
from dedupe.model.outcome import ScanOutcome
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog

pytest.importorskip("moto", reason="moto is not installed")

BASE = tar_of([directory("etc"), file("etc/a", b"1" * 400), hardlink("etc/b", "etc/a")])
UPPER = tar_of([whiteout("etc/a"), file("etc/c", b"2" * 300)])
IMAGE = Image([BASE, UPPER])
OTHER = Image([BASE, tar_of([file("only", os.urandom(70_000))])], platform="linux/arm64")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    with s3_server(tmp_path_factory.mktemp("moto") / "log") as address:
        yield address


@pytest.fixture(autouse=True)
def environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials and address for the scans."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    open_store.cache_clear()
    yield
    open_store.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> RegistryStore:
    """A registry on disk with images, an index, an upload, an orphan and a broken tag."""
    made = RegistryStore(tmp_path / "registry")
    one = made.image("app/deep", IMAGE, "1", "latest")
    made.index("multi", [one, made.image("multi", OTHER), made.attestation("multi", "x")], "2")
    made.image("copies", OTHER, compression="zstd")
    made.upload("app/deep", b"u" * 1000)
    made.blob(b"orphan")
    made.link("broken", "_manifests", "tags", "1", "current", text="")
    return made


def own_layer(store: RegistryStore) -> Path:
    """The blob of a layer that is kept once."""
    return store.data(digest_of(compress(UPPER, "gzip")))


def key_of(store: RegistryStore, path: Path) -> str:
    """The key of a file in the bucket."""
    return str(path.relative_to(store.root))


def both(tmp_path: Path, folder: Path, address: str) -> tuple[list, list]:
    """All tables of a folder and of an address, without columns that name place and scan."""
    tables = []
    for number, place in enumerate((folder, address)):
        _, session = scanned(tmp_path / f"catalog{number}", place)
        rows = {
            query: session.rows(query)
            for query in ("images", "layers", "merged_view", "shadowed_files", "totals", "sources")
        }
        rows["problems"] = session.rows("problems")
        for row in (*rows["sources"], *rows["problems"], *rows["images"]):
            # a bucket does not say what it takes on its disks
            for key in ("location", "source", "sources", "scan", "scanned", "allocated_bytes"):
                row.pop(key, None)
        tables.append(rows)
    return tables[0], tables[1]


@pytest.mark.parametrize("prefix", ["", "some/root", "with space & é"])
def test_a_registry_in_a_bucket_has_the_rows_of_the_disk(
    prefix: str, endpoint: str, store: RegistryStore, tmp_path: Path
) -> None:
    """Every row, figure and problem is the same on disk and in a bucket."""
    bucket = f"registry{len(prefix)}"
    upload(endpoint, bucket, prefix, store.root)
    disk, objects = both(tmp_path, store.root, f"s3://{bucket}/{prefix}")
    assert objects == disk
    assert len(disk["images"]) == 2
    assert [row["code"] for row in disk["problems"]] == ["bad-link"]
    (source,) = discover([f"s3://{bucket}/{prefix}"], Selection())
    assert isinstance(source, FoundSource)
    assert source.stored_bytes == store.blob_bytes()
    assert source.other_bytes == store.all_bytes() - store.blob_bytes()


def test_image_layouts_in_a_bucket_are_read(endpoint: str, tmp_path: Path) -> None:
    """Several layouts below one address are read, beside a registry."""
    write_oci_layout(tmp_path / "all/a", [Image([BASE, UPPER], names=["localhost/x:1"])])
    write_oci_layout(tmp_path / "all/b/c", [Image([BASE], names=["localhost/y:1"])])
    RegistryStore(tmp_path / "all/r").image("z", OTHER, "1")
    upload(endpoint, "layouts", "", tmp_path / "all")
    disk, objects = both(tmp_path, tmp_path / "all", "s3://layouts")
    assert objects == disk
    assert sorted(row["kind"] for row in objects["sources"]) == [
        "oci-layout",
        "oci-layout",
        "registry",
    ]


def test_a_layout_in_a_bucket_needs_no_file_oci_layout(endpoint: str, tmp_path: Path) -> None:
    """As on disk; below a prefix and at the root."""
    write_oci_layout(tmp_path / "all", [Image([BASE, UPPER], names=["localhost/x:1"])])
    write_oci_layout(tmp_path / "all/b/c", [Image([BASE], names=["localhost/y:1"])])
    for folder in ("all", "all/b/c"):
        (tmp_path / folder / "oci-layout").unlink()
    upload(endpoint, "buildkit", "", tmp_path / "all")
    disk, objects = both(tmp_path, tmp_path / "all", "s3://buildkit")
    assert objects == disk
    assert len(objects["sources"]) == 2


def test_stubs_of_zot_in_a_bucket_are_not_damaged(endpoint: str, tmp_path: Path) -> None:
    """Their bytes are those of another repository; without it, the image is incomplete."""
    image = Image([BASE, UPPER], names=["1.0"])
    for name in ("a", "b"):
        wrote = write_oci_layout(tmp_path / "all" / name, [image])
    first = wrote.layers[image.image_id][0]
    blobs = tmp_path / "all/b/blobs/sha256"
    for digest in (first, image.image_id):
        (blobs / digest[7:]).write_bytes(b"")
    upload(endpoint, "zot", "", tmp_path / "all")
    outcome, session = scanned(tmp_path / "a", "s3://zot")
    assert (codes(outcome), outcome.exit_code) == (["blob-elsewhere"], 0)
    assert session.rows("images")[0]["complete"]
    stored = sum(path.stat().st_size for path in (tmp_path / "all").glob("*/blobs/sha256/*"))
    assert session.rows("totals")[0]["stored_bytes"] == stored

    # the config is a stub too, so that no image can be listed
    outcome, session = scanned(tmp_path / "b", "s3://zot/b")
    assert (codes(outcome), outcome.exit_code) == (["blob-elsewhere", "blob-elsewhere"], 3)

    (blobs / image.image_id[7:]).write_bytes(image.config)
    upload(endpoint, "zot2", "", tmp_path / "all")
    outcome, session = scanned(tmp_path / "c", "s3://zot2/b")
    assert codes(outcome) == ["blob-elsewhere"]
    (row,) = session.rows("images")
    assert (row["complete"], row["layers"]) == (False, 2)


@pytest.mark.parametrize("below", ["docker", "docker/registry", "docker/registry/v2"])
def test_the_address_may_be_of_any_folder_down_to_v2(
    below: str, endpoint: str, store: RegistryStore
) -> None:
    """Any folder of the registry down to v2 may be named."""
    bucket = f"down{len(below)}"
    upload(endpoint, bucket, "", store.root)
    (source,) = discover([f"s3://{bucket}/{below}"], Selection())
    assert isinstance(source, FoundSource)
    assert source.stored_bytes == store.blob_bytes()
    assert len(source.images) == 3


def after_listing(bucket: str, tmp_path: Path, change: Callable[[], object]) -> ScanOutcome:
    """A scan of a bucket in which something changes after it was listed."""
    found = list(discover([f"s3://{bucket}"], Selection()))
    change()
    return scan_sources(found, Catalog(tmp_path / "catalog"), Silence(), workers=2)


def test_a_layer_deleted_after_listing_is_one_problem(
    endpoint: str, store: RegistryStore, tmp_path: Path
) -> None:
    """The rest is read."""
    objects = upload(endpoint, "vanish", "", store.root)
    gone = key_of(store, own_layer(store))
    outcome = after_listing("vanish", tmp_path, lambda: objects.delete(gone))
    assert codes(outcome) == ["bad-link", "blob-missing"]
    assert outcome.layers_read == 2


def test_a_layer_that_shrank_after_listing_is_truncated(
    endpoint: str, store: RegistryStore, tmp_path: Path
) -> None:
    """A layer shorter than it was listed is one problem."""
    objects = upload(endpoint, "shrink", "", store.root)
    layer = own_layer(store)
    half = layer.read_bytes()[:-20]
    outcome = after_listing("shrink", tmp_path, lambda: objects.put(key_of(store, layer), half))
    assert codes(outcome) == ["bad-link", "gzip-truncated"]


@pytest.mark.parametrize("size", [1, 999, 70_123, 1 << 24])
def test_rows_do_not_depend_on_the_length_of_ranges(
    size: int, endpoint: str, store: RegistryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the ranges, rows and digests of a layer are those of its file."""
    bucket = f"ranges{size}"
    objects = make_bucket(endpoint, bucket)
    # the largest blob is the layer of random bytes
    path = max(store.v2.glob("blobs/*/*/*/data"), key=lambda data: data.stat().st_size)
    objects.put("p/key", path.read_bytes())
    length = path.stat().st_size
    monkeypatch.setattr("dedupe.host.objects._RANGE_BYTES", size if size > 1 else length - 1)
    read: list[list[tuple]] = []
    facts = []
    for ref in (BlobRef(path), ObjectRef(f"s3://{bucket}/p", "key", length)):
        rows: list[tuple] = []
        facts.append(
            read_layer(
                ref,
                lambda columns, rows=rows: rows.extend(
                    zip(columns.path, columns.content_hash, strict=True)
                ),
                lambda _: None,
            )
        )
        read.append(rows)
    assert facts[0] == facts[1]
    assert read[0] == read[1] != []


def test_a_body_cut_short_costs_only_its_layer(
    endpoint: str, store: RegistryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that ends inside a body is one problem, without an endless wait."""
    upload(endpoint, "cut", "", store.root)
    layer = own_layer(store)
    with cutting_proxy(endpoint, layer.parent.name) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        open_store.cache_clear()
        outcome, _ = scanned(tmp_path / "catalog", "s3://cut")
    assert codes(outcome) == ["bad-link", "unreadable"]
    assert all("\n" not in problem.message for problem in outcome.problems)


ADDRESSES = {
    "s3://nobucket/x": "blob-missing",
    "s3://": "bad-address",
    "s3://user:secret@bucket/x": "bad-address",
    "ftp://bucket/x": "bad-address",
    "s3://empty": "unknown-format",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_without_a_store_is_one_error(
    address: str, endpoint: str, tmp_path: Path
) -> None:
    """The error has the code of the server's answer, and no other text of it."""
    make_bucket(endpoint, "empty")
    outcome = scan_only(tmp_path / "catalog", address)
    assert codes(outcome) == [ADDRESSES[address]]
    (problem,) = outcome.problems
    assert "<" not in problem.message
    assert "secret" not in problem.message + problem.subject


def test_an_endpoint_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan gives up after a few tries."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    open_store.cache_clear()
    outcome = scan_only(tmp_path / "catalog", "s3://bucket")
    assert codes(outcome) == ["unreadable"]


def test_the_command_takes_an_address_beside_a_folder(
    endpoint: str, store: RegistryStore, tmp_path: Path
) -> None:
    """An address on the command line is used as it was typed."""
    (store.v2 / "repositories/broken/_manifests/tags/1/current/link").unlink()
    upload(endpoint, "command", "p/q", store.root)
    done = run(tmp_path / "catalog", "scan", "s3://command/p/q", str(store.root))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "in 2 sources" in done.stderr
