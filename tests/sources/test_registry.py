"""A registry's storage in place: names, gaps, damage, and what the real registry writes."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import Image, digest_of, file, hardlink, json_of, tar_of, whiteout, write_oci_layout
from builders.registry import RegistryStore
from helpers.registry_server import RegistryServer, needs_registry, serving
from helpers.scanning import codes, find_sources, scanned

from dedupe.model.images import FoundSource
from dedupe.sources.documents.manifests import ManifestReader

BASE = tar_of([file("etc/a", b"1" * 400), hardlink("etc/b", "etc/a")])
UPPER = tar_of([whiteout("etc/a"), file("etc/c", b"2" * 300)])
IMAGE = Image([BASE, UPPER], names=["x"])
OTHER = Image([BASE, tar_of([file("only", b"7" * 70)])])
ARM = Image([tar_of([file("arm", b"8" * 80)])], platform="linux/arm64")


@pytest.fixture
def store(tmp_path: Path) -> RegistryStore:
    """An empty registry."""
    return RegistryStore(tmp_path / "registry")


def found(*places: Path | str) -> list[FoundSource]:
    """The sources of these places."""
    sources = find_sources(*places)
    assert all(isinstance(source, FoundSource) for source in sources), sources
    return sources  # type: ignore[return-value]


def names_of(source: FoundSource) -> dict[str, list[str]]:
    """Names of every image, by image ID."""
    names: dict[str, list[str]] = {}
    for image in source.images:
        names.setdefault(image.image_id, []).extend(image.names)
    return {image: sorted(these) for image, these in names.items()}


def problems(source: FoundSource) -> list[tuple[str, str]]:
    """Severity and code of each problem."""
    return [(problem.code, problem.severity.value) for problem in source.problems]


def test_an_image_in_many_repositories_has_all_names(store: RegistryStore) -> None:
    """Nested repositories and several tags of one image are names of one image."""
    store.image("app", IMAGE, "1", "latest")
    store.image("app/deep/er", IMAGE, "1")
    store.image("app/deep", OTHER, "2")
    store.image("a/b/c/d/e/f/g/h", OTHER, "v")
    (source,) = found(store.root)
    assert source.kind == "registry"
    assert problems(source) == []
    assert names_of(source) == {
        IMAGE.image_id: ["app/deep/er:1", "app:1", "app:latest"],
        OTHER.image_id: ["a/b/c/d/e/f/g/h:v", "app/deep:2"],
    }
    assert len(source.images) == 2


def test_stored_bytes_are_those_of_the_blobs(store: RegistryStore, tmp_path: Path) -> None:
    """Links and uploads are other bytes; blobs of no image are orphans."""
    store.image("app", IMAGE, "1")
    store.upload("app", b"u" * 1000)
    orphan = store.blob(b"orphan" * 100)
    (source,) = found(store.root)
    assert source.stored_bytes == store.blob_bytes()
    assert source.orphan_bytes == len(b"orphan" * 100)
    assert orphan in {blob.digest for blob in source.blobs}
    assert source.other_bytes == store.all_bytes() - store.blob_bytes()
    _, session = scanned(tmp_path / "catalog", store.root)
    (row,) = session.rows("images")
    assert (row["content_bytes"], row["live_bytes"], row["names"]) == (700, 700, ["app:1"])


@pytest.mark.parametrize("below", ["", "docker", "docker/registry", "docker/registry/v2"])
def test_the_path_may_be_of_any_folder_down_to_v2(below: str, store: RegistryStore) -> None:
    """The root may be named, or any folder down to v2."""
    store.image("app", IMAGE, "1")
    (source,) = found(store.root / below)
    assert names_of(source) == {IMAGE.image_id: ["app:1"]}
    assert source.stored_bytes == store.blob_bytes()


def test_a_store_beside_the_registry_is_found_too(store: RegistryStore) -> None:
    """Nothing of the registry is found twice."""
    store.image("app", IMAGE, "1")
    write_oci_layout(store.root / "layout", [OTHER])
    assert sorted(source.kind for source in found(store.root.parent)) == ["oci-layout", "registry"]


def test_a_revision_is_named_by_digest_only_without_a_tag(store: RegistryStore) -> None:
    """An index above it in its own repository names it too."""
    tagged = store.image("tagged", IMAGE, "1")["digest"]
    store.revision("bare", tagged)
    child = store.image("multi", ARM)
    store.index("multi", [child], "2")
    lonely = store.image("lonely", OTHER)
    index = store.index("lonely", [lonely])["digest"]
    (source,) = found(store.root)
    assert names_of(source) == {
        IMAGE.image_id: [f"bare@{tagged}", "tagged:1"],
        ARM.image_id: ["multi:2"],
        OTHER.image_id: [f"lonely@{index}"],
    }
    assert source.orphan_bytes == 0


@pytest.mark.parametrize("tagged", [True, False])
def test_an_index_may_hold_anything_in_any_order(tagged: bool, store: RegistryStore) -> None:
    """Platforms, attestations, an absent platform and nested indexes."""
    children = [store.image("app", IMAGE), store.image("app", ARM)]
    children.append(store.attestation("app", children[0]["digest"]))
    children.append(
        children[0]
        | {"digest": digest_of(b"no"), "platform": {"os": "linux", "architecture": "s390x"}}
    )
    inner = store.index("app", children, docker=True)
    outer = store.index("app", [inner], *["1"] * tagged)["digest"]
    name = "app:1" if tagged else f"app@{outer}"
    (source,) = found(store.root)
    assert problems(source) == []
    assert names_of(source) == {IMAGE.image_id: [name], ARM.image_id: [name]}
    others = {(other.kind, str(other.platform), other.names) for other in source.others}
    assert others == {
        ("attestation", "unknown/unknown", (name,)),
        ("absent", "linux/s390x", (name,)),
        # both are deleted with the images
        ("index", "", (name,)),
    }
    assert source.orphan_bytes == 0


def test_an_artifact_is_not_an_image(store: RegistryStore) -> None:
    """The blobs of a chart are in use."""
    chart = store.blob(b"chart")
    manifest = {
        "schemaVersion": 2,
        "artifactType": "application/vnd.cncf.helm.config.v1+json",
        "config": {"mediaType": "application/x", "digest": store.blob(b"{}"), "size": 2},
        "layers": [{"mediaType": "application/x", "digest": chart, "size": 5}],
    }
    store.document("charts/one", json_of(manifest), "1")
    (source,) = found(store.root)
    assert [(other.kind, other.names) for other in source.others] == [
        ("artifact", ("charts/one:1",))
    ]
    assert (source.images, source.orphan_bytes) == ([], 0)


def test_a_manifest_of_schema_1_is_reported(store: RegistryStore) -> None:
    """Its layers are not orphans."""
    layer = store.blob(b"old layer")
    store.document(
        "old", json_of({"schemaVersion": 1, "fsLayers": [{"blobSum": layer}], "history": []}), "1"
    )
    (source,) = found(store.root)
    assert [(p.code, p.subject) for p in source.problems] == [("schema1", "old:1")]
    assert source.orphan_bytes == 0


def spoil_empty_link(store: RegistryStore) -> None:
    store.link("bad", "_manifests", "tags", "1", "current", text="")


def spoil_newline_link(store: RegistryStore) -> None:
    digest = store.image("bad", OTHER, "1")["digest"]
    store.link("bad", "_manifests", "tags", "1", "current", text=digest + "\n")


def spoil_junk_link(store: RegistryStore) -> None:
    digest = store.image("bad", OTHER, "1")["digest"]
    store.revision("bad", digest).write_bytes(b"\xff\xfe\x1b[31m/../../etc/passwd")


def spoil_path_link(store: RegistryStore) -> None:
    store.link("bad", "_manifests", "tags", "1", "current", text="sha256:../../../../etc/passwd")


def spoil_huge_link(store: RegistryStore) -> None:
    os.truncate(store.link("bad", "_manifests", "tags", "1", "current", text=""), 4 << 30)


def spoil_fifo_link(store: RegistryStore) -> None:
    path = store.link("bad", "_manifests", "revisions", "sha256", "0" * 64, text="")
    path.unlink()
    os.mkfifo(path)


def spoil_symlink(store: RegistryStore) -> None:
    path = store.link("bad", "_manifests", "revisions", "sha256", "0" * 64, text="")
    path.unlink()
    path.symlink_to("/etc/passwd")


def spoil_no_current(store: RegistryStore) -> None:
    digest = store.image("bad", OTHER)["digest"]
    store.link("bad", "_manifests", "tags", "1", "index", *digest.split(":"), text=digest)


def spoil_missing_manifest(store: RegistryStore) -> None:
    store.tag("bad", "1", "sha256:" + "0" * 64)
    store.revision("bad", "sha256:" + "0" * 64)


def spoil_empty_manifest(store: RegistryStore) -> None:
    store.data(store.image("bad", OTHER, "1")["digest"]).write_bytes(b"")


def spoil_wrong_manifest(store: RegistryStore) -> None:
    store.data(store.image("bad", OTHER, "1")["digest"]).write_bytes(b"{}")


def own_layer(store: RegistryStore) -> Path:
    """The blob of the layer that only OTHER has."""
    digest = store.image("bad", OTHER, "1")["digest"]
    return store.data(json.loads(store.data(digest).read_bytes())["layers"][1]["digest"])


def spoil_empty_layer(store: RegistryStore) -> None:
    own_layer(store).write_bytes(b"")


def spoil_missing_layer(store: RegistryStore) -> None:
    own_layer(store).unlink()


def spoil_missing_config(store: RegistryStore) -> None:
    store.image("bad", OTHER, "1")
    store.data(OTHER.image_id).unlink()


def spoil_both(store: RegistryStore) -> None:
    store.document("bad", json_of({"manifests": [], "layers": [], "config": {}}), "1")


def spoil_bad_child(store: RegistryStore) -> None:
    store.index("bad", [{"digest": "sha256:/../x", "size": 1}], "1")


def spoil_deep(store: RegistryStore) -> None:
    """A tree deeper than any call stack, made level by level since no path is so long."""
    before = os.getcwd()
    try:
        (store.v2 / "repositories" / "bad").mkdir()
        os.chdir(store.v2 / "repositories" / "bad")
        for _ in range(2500):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(before)


SPOILS: dict[str, tuple[Callable[[RegistryStore], None], str]] = {
    "empty link": (spoil_empty_link, "bad-link"),
    "link with a newline": (spoil_newline_link, "bad-link"),
    "junk in a link": (spoil_junk_link, "bad-link"),
    "a path in a link": (spoil_path_link, "bad-link"),
    "4 GiB of link": (spoil_huge_link, "document-too-large"),
    "a FIFO for a link": (spoil_fifo_link, "not-a-regular-file"),
    # it leads out of what was scanned
    "a symlink for a link": (spoil_symlink, "link-refused"),
    "a tag without current": (spoil_no_current, "blob-missing"),
    "link to a missing manifest": (spoil_missing_manifest, "blob-missing"),
    "manifest of no bytes": (spoil_empty_manifest, "blob-truncated"),
    "other bytes for a manifest": (spoil_wrong_manifest, "digest-mismatch"),
    "layer of no bytes": (spoil_empty_layer, "blob-truncated"),
    "missing layer": (spoil_missing_layer, "blob-missing"),
    "missing config": (spoil_missing_config, "blob-missing"),
    "index and manifest at once": (spoil_both, "ambiguous-document"),
    "an index that names a path": (spoil_bad_child, "bad-digest"),
    "folders without end": (spoil_deep, "unreadable"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_each_damage_is_one_problem(name: str, store: RegistryStore, tmp_path: Path) -> None:
    """Every other image is scanned as usual."""
    spoil, expected = SPOILS[name]
    store.image("good", IMAGE, "1")
    spoil(store)
    try:
        outcome, session = scanned(tmp_path / "catalog", store.root)
    finally:
        # shutil.rmtree, which pytest uses later, fails on the deepest tree
        subprocess.run(["rm", "-rf", str(store.v2 / "repositories" / "bad")], check=True)
    assert codes(outcome) == [expected]
    assert all(problem.message.isprintable() for problem in outcome.problems)
    rows = {name: row for row in session.rows("images") for name in row["names"]}
    assert rows["good:1"]["live_bytes"] == 700


def test_what_a_cache_has_not_pulled_is_a_note(store: RegistryStore) -> None:
    """A pull-through cache holds what was pulled; that the rest is missing is not an error."""
    own_layer(store).unlink()
    (store.root / "scheduler-state.json").write_text("{}")
    (source,) = found(store.root)
    assert problems(source) == [("blob-missing", "note")]
    assert len(source.images) == 1


def test_each_document_is_read_once(store: RegistryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tags and indexes name a manifest, its bytes are read once."""
    child = store.image("app", IMAGE, *[f"t{number}" for number in range(50)])
    for number in range(50):
        store.index("app", [child | {"annotations": {"number": str(number)}}], f"i{number}")
    read: list[str] = []
    checked = ManifestReader._read_checked

    def counted(self: ManifestReader, descriptor: object, limit: int) -> bytes:
        read.append(descriptor.digest)  # type: ignore[attr-defined]
        return checked(self, descriptor, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(ManifestReader, "_read_checked", counted)
    (source,) = found(store.root)
    assert len(read) == len(set(read)) == 52
    assert len(source.images[0].names) == 100


def test_indexes_that_name_each_other_often_are_read_quickly(store: RegistryStore) -> None:
    """A chain of indexes, each naming the next a hundred times, takes no longer."""
    entry = store.image("app", IMAGE)
    for _ in range(20):
        entry = store.index("app", [entry] * 100)
    (source,) = found(store.root)
    assert names_of(source) == {IMAGE.image_id: [f"app@{entry['digest']}"]}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RegistryServer]:
    """A real docker-registry."""
    with serving(tmp_path) as registry:
        yield registry


def push(layout: Path, name: str, to: str) -> None:
    """Push an image of a layout."""
    subprocess.run(
        [
            "skopeo",
            "copy",
            "--quiet",
            "--preserve-digests",
            "--dest-tls-verify=false",
            f"oci:{layout}:{name}",
            f"docker://{to}",
        ],
        check=True,
        capture_output=True,
    )


FIGURES = ("image_id", "content_bytes", "live_bytes", "shadowed_bytes", "layers", "platform")


@pytest.mark.tools
@needs_registry
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_pushed_images_have_the_figures_of_their_layout(
    served: RegistryServer, tmp_path: Path
) -> None:
    """Entries, layers and figures are the layout's; deletes leave orphans."""
    root, address = served.root, served.address
    images = [
        Image([BASE, UPPER], names=["one"]),
        Image([BASE, UPPER, BASE], names=["two"]),
        Image([tar_of([file("own", os.urandom(5000))])], names=["gone"]),
    ]
    wrote = write_oci_layout(tmp_path / "layout", images)
    push(tmp_path / "layout", "one", f"{address}/team/one:1")
    push(tmp_path / "layout", "one", f"{address}/team/one/copy:latest")
    push(tmp_path / "layout", "two", f"{address}/two:2")
    push(tmp_path / "layout", "gone", f"{address}/gone:1")

    _, layout = scanned(tmp_path / "a", tmp_path / "layout")
    outcome, registry = scanned(tmp_path / "b", root)
    assert codes(outcome) == []
    for query in ("images", "layers", "merged_view", "shadowed_files"):
        ours, theirs = registry.rows(query), layout.rows(query)
        if query == "images":
            ours = [{key: row[key] for key in FIGURES} for row in ours]
            theirs = [{key: row[key] for key in FIGURES} for row in theirs]
        if query in ("layers", "shadowed_files"):
            ours, theirs = ([drop_names(row) for row in rows] for rows in (ours, theirs))
        assert ours == theirs, query
    names = {row["image_id"]: row["names"] for row in registry.rows("images")}
    assert sorted(names[images[0].image_id]) == ["team/one/copy:latest", "team/one:1"]

    blobs = sum(path.stat().st_size for path in root.rglob("data"))
    (source,) = found(root)
    assert (source.stored_bytes, source.orphan_bytes) == (blobs, 0)
    assert source.stored_bytes == sum(map(len, wrote.blobs.values()))

    manifest = wrote.manifests[images[2].image_id]
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        urllib.request.Request(f"http://{address}/v2/gone/manifests/{manifest}", method="DELETE")
    ).close()
    freed = [manifest, images[2].image_id, *wrote.layers[images[2].image_id]]
    (source,) = found(root)
    assert source.stored_bytes == blobs
    assert source.orphan_bytes == sum(len(wrote.blobs[digest]) for digest in freed)
    assert images[2].image_id not in names_of(source)
    assert problems(source) == []

    subprocess.run(
        ["docker-registry", "garbage-collect", str(tmp_path / "config.yml")],
        check=True,
        capture_output=True,
    )
    orphans = source.orphan_bytes
    (source,) = found(root)
    assert (source.stored_bytes, source.orphan_bytes) == (blobs - orphans, 0)
    assert source.stored_bytes == sum(path.stat().st_size for path in root.rglob("data"))


def drop_names(row: dict) -> dict:
    """The row without columns that depend on names."""
    return {key: value for key, value in row.items() if "image" not in key and "name" not in key}


#: reasons why nothing is known of the references: what is done to the store, and the problem
UNSEEN: dict[str, tuple[Callable[[RegistryStore], object], str]] = {
    "metadata database": (RegistryStore.use_database, "metadata-database"),
    "metadata database, and no folder of names": (
        lambda store: (store.use_database(), shutil.rmtree(store.v2 / "repositories")),
        "metadata-database",
    ),
    "no folder of names": (
        lambda store: shutil.rmtree(store.v2 / "repositories"),
        "names-missing",
    ),
    "uploads only": (
        lambda store: (
            shutil.rmtree(store.v2 / "repositories"),
            store.upload("group/app", b"u" * 100),
        ),
        "names-missing",
    ),
}


@pytest.mark.parametrize("below", ["", "docker", "docker/registry", "docker/registry/v2"])
@pytest.mark.parametrize("name", UNSEEN)
def test_blobs_are_unknown_if_the_names_are_elsewhere(
    name: str, below: str, store: RegistryStore, tmp_path: Path
) -> None:
    """No blob is an image, and none is called unreferenced."""
    spoil, expected = UNSEEN[name]
    store.image("app", IMAGE, "1")
    spoil(store)
    outcome, session = scanned(tmp_path / "catalog", store.root / below)
    assert (codes(outcome), outcome.exit_code) == ([expected], 3)
    (row,) = session.rows("sources")
    assert (row["kind"], row["images"], row["orphan_bytes"]) == ("registry", 0, None)
    assert row["stored_bytes"] == store.blob_bytes()
    assert row["other_bytes"] == store.all_bytes() - store.blob_bytes()
    assert row["unseen_references"]


def test_blobs_of_an_emptied_registry_are_orphans(store: RegistryStore) -> None:
    """Deleting all manifests leaves the links of their layers: nothing is unknown."""
    digest = store.image("app", IMAGE)["digest"]
    store.revision("app", digest).unlink()
    (source,) = found(store.root)
    assert (problems(source), source.orphan_bytes) == ([], store.blob_bytes())


#: damage that may hide the layers of an image
HIDES = set(SPOILS) - {
    "a tag without current",
    "layer of no bytes",
    "missing layer",
    "missing config",
}


@pytest.mark.parametrize("name", [name for name in SPOILS if name != "folders without end"])
def test_orphans_are_unknown_if_damage_hides_references(name: str, store: RegistryStore) -> None:
    """A layer or a config that is damaged hides none."""
    store.image("good", IMAGE, "1")
    store.blob(b"orphan" * 100)
    SPOILS[name][0](store)
    try:
        (source,) = found(store.root)
    finally:
        subprocess.run(["rm", "-rf", str(store.v2 / "repositories" / "bad")], check=True)
    assert source.orphan_bytes == (None if name in HIDES else 600)
