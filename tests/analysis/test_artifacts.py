"""Artifacts in the accounting: rows add up to what a store has, and agree with the oracle."""

import json
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import oracle
import pytest
from builders import CONFIG, MANIFEST, Contents, file, image, json_of, tar_of, write_docker_archive
from builders.layouts import oci_contents
from builders.media_types import EMPTY
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scanned
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.layouts import LayoutBlobs, layout_blobs

from dedupe.analysis.what_if import DeletionFilter, what_if
from dedupe.errors import StoreError
from dedupe.store.session import Session

NOW = datetime(2026, 1, 1)
REFERENCE = "org.opencontainers.image.ref.name"
HELM = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
REPOSITORIES = ("app", "team/web", "charts/web")
#: contents of layers, and of what artifacts consist of: few, so that they are often shared
TARS = [
    tar_of([file(name, name.encode() * (50 + 7 * number))]) for number, name in enumerate("abc")
]
DATA = [b"chart" * 101, b"model" * 202, TARS[0]]


def artifact(
    contents: Contents, data: bytes, *, subject: str = "", type_of: str = HELM
) -> dict[str, Any]:
    """Store an artifact; returns the descriptor of its manifest."""
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(b"{}", EMPTY),
        "layers": [contents.add(data, type_of)],
    }
    if subject:
        manifest["subject"] = {"mediaType": MANIFEST, "digest": subject, "size": 1}
    return contents.add(json_of(manifest), MANIFEST)


@st.composite
def layouts(draw: st.DrawFn) -> Contents:
    """Images, some with attestations, artifacts, build caches, referrers and orphans."""
    repositories = st.sampled_from(REPOSITORIES)
    contents = Contents()
    for number in range(draw(st.integers(1, 3))):
        layers = draw(st.lists(st.sampled_from(TARS), min_size=1, max_size=3))
        one = image(*layers, names=f"{draw(repositories)}:{number}")
        found = oci_contents([one], "none", attestation=draw(st.booleans()))
        contents.blobs |= found.blobs
        contents.manifests |= found.manifests
        contents.entries += found.entries
    for number in range(draw(st.integers(0, 3))):
        made = artifact(contents, draw(st.sampled_from(DATA)))
        name = f"{draw(repositories)}:a{number}"
        contents.entries.append(made | {"annotations": {REFERENCE: name}})
    if draw(st.booleans()):
        cached = draw(st.lists(st.sampled_from(TARS), min_size=1, max_size=2, unique=True))
        made = contents.add_cache(cached, manifest=draw(st.booleans()))
        contents.entries.append(made | {"annotations": {REFERENCE: f"{draw(repositories)}:cache"}})
    if draw(st.booleans()):
        signed = draw(st.sampled_from(sorted(contents.manifests.values())))
        contents.entries.append(artifact(contents, b"signature" * 9, subject=signed))
    if draw(st.booleans()):
        contents.add(b"nothing names it" * 3, "")
    return contents


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=layouts(), data=st.data())
def test_random_layouts_have_the_oracles_rows(drawn: Contents, data: st.DataObject) -> None:
    """In every grouping rows add up to the bytes of all blobs; what is freed is the oracle's."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        drawn.write(store)
        expected = layout_blobs(store)
        session = scanned(Path(folder) / "catalog", store)[1]
        assert_adds_up(session, sum(expected.sizes.values()))
        assert_groups(session, expected)
        chosen = data.draw(st.sets(st.sampled_from(sorted(expected.names))))
        freed = {
            row["granularity"]: row["freed_bytes"]
            for row in session.rows("what_if/freed", images=sorted(chosen))
        }
        assert freed["compressed"] == oracle.exclusive(expected.units, chosen)
        listed = {row["artifact_id"]: row for row in session.rows("artifacts")}
        for holder in expected.names.keys() - set(expected.images.values()):
            assert listed[holder]["freed_bytes"] == oracle.exclusive(expected.units, [holder])


def assert_adds_up(session: Session, stored_bytes: int) -> None:
    """Check that the rows of each grouping add up to the bytes that the store has."""
    (totals,) = session.rows("totals")
    assert totals["stored_bytes"] == stored_bytes
    for by in ("image", "repository", "namespace", "tag-series", "base", "group", "layer"):
        rows = usage(session, by)
        for column in ("exclusive_compressed", "attributed_compressed"):
            assert sum(row[column] or 0 for row in rows) == stored_bytes, (by, column)


def usage(session: Session, by: str) -> list[dict[str, Any]]:
    """Rows of one grouping."""
    if by == "layer":
        return session.rows("usage/layers", granularity="compressed")
    return session.rows("usage/groups", by=by, globs=["*web*"], granularity="compressed")


def assert_groups(session: Session, expected: LayoutBlobs) -> None:
    """Check the rows by repository against the oracle."""
    groups = {
        holder: {name.rpartition(":")[0] for name in expected.names_of(holder)} or {"(no name)"}
        for holder in expected.names
    }
    found = Counter(
        {
            "shared" if row["kind"] == "between" else row["name"]: row["exclusive_compressed"]
            for row in usage(session, "repository")
            if row["kind"] in ("group", "between")
        }
    )
    assert found == oracle.partition(expected.units, groups)


def noise(size: int) -> bytes:
    """Bytes that cannot be compressed, the same each time."""
    return random.Random(size).randbytes(size)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with its attestation, a chart, a model and two build caches, and its catalog."""
    folder = tmp_path_factory.mktemp("artifacts")
    app = image([file("app", noise(100_000))], names="app:1")
    contents = oci_contents([app], attestation=True)
    for name, data in (("charts/web:0.1.0", noise(250_000)), ("models/llm:7b", noise(2_000_000))):
        made = artifact(contents, data, type_of="application/x-" + name.partition("/")[0])
        contents.entries.append(made | {"annotations": {REFERENCE: name}})
    for size, newer in ((400_000, False), (350_000, True)):
        made = contents.add_cache([tar_of([file("c", noise(size))])], manifest=newer)
        name = "app:buildcache2" if newer else "app:buildcache"
        contents.entries.append(made | {"annotations": {REFERENCE: name}})
    contents.write(folder / "store")
    scanned(folder / "catalog", folder / "store")
    return folder


def test_artifacts_have_rows_in_usage(store: Path) -> None:
    """Images with attestations, charts, models and caches: all the bytes of the layout."""
    session = Session(store / "catalog")
    blobs = sum(path.stat().st_size for path in (store / "store/blobs/sha256").iterdir())
    assert_adds_up(session, blobs)
    rows = {row["name"]: row for row in usage(session, "repository") if row["kind"] == "group"}
    kilobytes = {name: row["referenced_compressed"] // 1000 for name, row in rows.items()}
    # the image of 100 kB with its documents, and caches of 400 and 350 kB
    assert kilobytes == {"models/llm": 2000, "charts/web": 250, "app": 853}
    counts = {name: (row["images"], row["artifacts"]) for name, row in rows.items()}
    assert counts == {"models/llm": (0, 1), "charts/web": (0, 1), "app": (1, 2)}
    # what is not unpacked has no figure, which is not the same as 0
    assert rows["models/llm"]["attributed_unpacked"] is None
    assert rows["app"]["attributed_unpacked"] == 100_000


def test_artifacts_are_listed_with_their_types(store: Path) -> None:
    """Each with its kind and type; an attestation is deleted with its image."""
    rows = json.loads(run(store / "catalog", "artifacts", "--format", "json").stdout)
    found = [(row["name"], row["kind"], row["media_type"], row["deleted_with"]) for row in rows]
    cache = "application/vnd.buildkit.cacheconfig.v0"
    assert found == [
        ("models/llm:7b", "artifact", "application/x-models", []),
        ("app:buildcache", "cache", cache, []),
        ("app:buildcache2", "cache", cache, []),
        ("charts/web:0.1.0", "artifact", "application/x-charts", []),
        ("app:1", "attestation", "application/vnd.in-toto+json", ["app:1"]),
    ]
    assert rows[-1]["about"] == ["app:1"]


@pytest.mark.parametrize(
    ("delete", "keep", "names"),
    [
        (["models/*"], [], ["models/llm:7b"]),
        (["app:build*", "charts/web:0.1.0"], ["app:buildcache2"], ["app:buildcache", "charts/web"]),
        (["*"], [], ["app:1", "app:buildcache", "app:buildcache2", "charts/web", "models/llm:7b"]),
    ],
)
def test_what_if_names_artifacts(
    delete: list[str], keep: list[str], names: list[str], store: Path
) -> None:
    """By name or glob; what --keep matches stays."""
    session = Session(store / "catalog")
    found = what_if(session, DeletionFilter(delete=delete, keep=keep), NOW)
    deleted = sorted(row["name"] for row in (*found.images, *found.artifacts))
    assert [name.removesuffix(":0.1.0") for name in deleted] == names
    blobs = {row["granularity"]: row for row in found.freed}["compressed"]
    units = layout_blobs(store / "store").units
    ids = {row["image_id"] for row in found.images}
    ids |= {row["artifact_id"] for row in found.artifacts}
    assert blobs["freed_bytes"] == oracle.exclusive(units, ids) > 0
    assert blobs["total_bytes"] == oracle.total(units)


def test_artifacts_have_no_date_and_are_named_or_kept(store: Path) -> None:
    """--keep alone deletes images only; a condition on dates matches no artifact."""
    session = Session(store / "catalog")
    found = what_if(session, DeletionFilter(keep=["charts/*"]), NOW)
    assert [row["name"] for row in found.images] == ["app:1"]
    assert found.artifacts == []
    with pytest.raises(StoreError, match="no such image"):
        what_if(session, DeletionFilter(delete=["models/*"], older_than=NOW), NOW)
    with pytest.raises(StoreError, match="no image meets all conditions"):
        what_if(session, DeletionFilter(delete=["models/*"], keep=["models/*"]), NOW)


def test_an_artifact_is_found_by_its_digest(store: Path) -> None:
    """By the beginning of it, as images are."""
    session = Session(store / "catalog")
    (row,) = (row for row in session.rows("artifacts") if row["name"] == "models/llm:7b")
    found = what_if(session, DeletionFilter(delete=[row["artifact_id"][7:19]]), NOW)
    assert [row["name"] for row in found.artifacts] == ["models/llm:7b"]


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")
def test_umoci_frees_what_is_said(store: Path, tmp_path: Path) -> None:
    """The printed commands, run in their order, free the stated bytes of artifacts and images."""
    layout = tmp_path / "store"
    shutil.copytree(store / "store", layout)
    for number, name in enumerate(["models/*", "app:1", "app:buildcache", "charts/*"]):
        session = scanned(tmp_path / f"catalog{number}", layout)[1]
        found = what_if(session, DeletionFilter(delete=[name]), NOW)
        before = blob_bytes(layout)
        for step in found.removals:
            subprocess.run(["sh", "-c", step.shell], check=True, capture_output=True)
        (freed,) = (row["freed_bytes"] for row in found.freed if row["granularity"] == "compressed")
        assert before - blob_bytes(layout) == freed > 0


def blob_bytes(layout: Path) -> int:
    """Bytes of all blobs of a layout."""
    return sum(path.stat().st_size for path in (layout / "blobs/sha256").iterdir())


def test_archives_add_up_to_their_file(tmp_path: Path) -> None:
    """What is in an archive and no layer is in the row for the rest."""
    write_docker_archive(tmp_path / "a.tar", [image([file("a", b"1" * 900)], names="a:1")])
    session = scanned(tmp_path / "catalog", tmp_path / "a.tar")[1]
    assert_adds_up(session, (tmp_path / "a.tar").stat().st_size)
    kinds = {row["kind"]: row["exclusive_compressed"] for row in usage(session, "image")}
    assert kinds["rest"] > 0


def test_blobs_that_may_be_needed_are_in_the_rest(tmp_path: Path) -> None:
    """While a reference is unseen, nothing is called unreferenced, and the rows still add up."""
    contents = oci_contents([image([file("a", b"1" * 900)], names="a:1")])
    broken = contents.add(b"{", MANIFEST)
    contents.entries.append(broken)
    contents.add(b"may be needed", "")
    contents.write(tmp_path / "store")
    session = scanned(tmp_path / "catalog", tmp_path / "store")[1]
    assert_adds_up(session, sum(map(len, contents.blobs.values())))
    rows = {row["kind"]: row["exclusive_compressed"] for row in usage(session, "image")}
    assert (rows["unreferenced"], rows["rest"]) == (None, len(b"{" + b"may be needed"))


def test_a_signature_of_cosign_is_about_its_image(tmp_path: Path) -> None:
    """Its tag names the manifest; deleting the image leaves it."""
    app = image([file("a", b"1" * 900)], names="team/app:1")
    contents = oci_contents([app])
    manifest = contents.manifests[app.image_id]
    signature = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(json_of({"rootfs": {"diff_ids": ["x"]}}), CONFIG),
        "layers": [contents.add(b"{}", "application/vnd.dev.cosign.simplesigning.v1+json")],
    }
    name = f"team/app:{manifest.replace(':', '-')}.sig"
    made = contents.add(json_of(signature), MANIFEST)
    contents.entries.append(made | {"annotations": {REFERENCE: name}})
    contents.write(tmp_path / "store")
    session = scanned(tmp_path / "catalog", tmp_path / "store")[1]
    (row,) = session.rows("artifacts")
    assert (row["kind"], row["media_type"]) == (
        "artifact",
        "application/vnd.dev.cosign.simplesigning.v1+json",
    )
    assert (row["about"], row["deleted_with"]) == (["team/app:1"], [])
    assert {row["name"] for row in usage(session, "repository") if row["kind"] == "group"} == {
        "team/app"
    }
