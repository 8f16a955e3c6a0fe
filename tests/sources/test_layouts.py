"""Image layouts as tools write them: without oci-layout, with shared or linked blobs, as caches."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import (
    Contents,
    Image,
    compress,
    digest_of,
    file,
    image,
    json_of,
    tar_of,
    write_bare_tar,
    write_docker_archive,
    write_oci_archive,
    write_oci_layout,
)
from builders.layouts import oci_contents
from helpers.commands import run
from helpers.scanning import codes, find_sources, only_source, scan_only, scanned

from dedupe.model.disk import PlaceFacts
from dedupe.model.images import FoundSource
from dedupe.store.session import Session

BASE = tar_of([file("base", os.urandom(3000))])
APP = tar_of([file("app", os.urandom(1000))])
IMAGE = Image([BASE, APP], names=["app:1"])
BASE_IMAGE = Image([BASE], names=["base:1"])


def sources(session: Session) -> dict[str, dict[str, Any]]:
    """Rows of the sources by the last part of their path."""
    return {Path(row["location"]).name: row for row in session.rows("sources")}


def others(session: Session) -> list[dict[str, Any]]:
    """What is not an image."""
    rows = session.ask("SELECT * FROM scan_images WHERE kind <> 'image' ORDER BY digest").dicts()
    return list(rows)


def size_of(contents: Contents) -> int:
    """Bytes of all blobs."""
    return sum(len(blob) for blob in contents.blobs.values())


def blob(layout: Path, digest: str) -> Path:
    """The file of a blob."""
    return layout / "blobs" / digest.replace(":", "/")


# without oci-layout


def test_a_layout_needs_no_file_oci_layout(tmp_path: Path) -> None:
    """BuildKit writes none into folders, and its index.json says all the same."""
    wrote = write_oci_layout(tmp_path / "build", [IMAGE])
    (tmp_path / "build/oci-layout").unlink()
    outcome, session = scanned(tmp_path / "catalog", tmp_path)
    (row,) = session.rows("images")
    assert (codes(outcome), row["names"], row["content_bytes"]) == ([], ["app:1"], 4000)
    assert sources(session)["build"]["stored_bytes"] == size_of(wrote)


def test_an_archive_needs_no_file_oci_layout(tmp_path: Path) -> None:
    """The same in a tar."""
    members = [one for one in oci_contents([IMAGE]).members() if one.path != "oci-layout"]
    (tmp_path / "saved.tar").write_bytes(tar_of(members))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "saved.tar")
    assert (codes(outcome), session.rows("images")[0]["names"]) == ([], ["app:1"])


def test_an_index_json_of_another_program_is_not_a_layout(tmp_path: Path) -> None:
    """Web sites have files of this name."""
    write_oci_layout(tmp_path / "site/images", [IMAGE])
    (tmp_path / "site/index.json").write_text("[]")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "site")
    assert (codes(outcome), list(sources(session))) == ([], ["images"])


# build caches


@pytest.mark.parametrize("manifest", [False, True])
def test_a_build_cache_is_not_an_image(manifest: bool, tmp_path: Path) -> None:
    """Its blobs are not orphans, but those of an earlier export are."""
    contents = Contents()
    contents.add_cache([BASE], manifest=manifest)
    old = size_of(contents)
    new = Contents()
    entry = new.add_cache([APP, tar_of([file("x", b"1" * 10)])], manifest=manifest)
    contents.blobs |= new.blobs
    contents.entries = [entry | {"annotations": {"org.opencontainers.image.ref.name": "latest"}}]
    contents.write(tmp_path / "cache")
    (tmp_path / "cache/oci-layout").unlink()
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "cache")
    assert (codes(outcome), outcome.exit_code, outcome.images) == (["build-cache"], 0, 0)
    assert f"{size_of(new):,} bytes" in outcome.problems[0].message
    (row,) = others(session)
    assert (row["kind"], row["names"], row["stored_bytes"]) == (
        "cache",
        ["cache:latest"],
        size_of(new),
    )
    (source,) = session.rows("sources")
    assert source["stored_bytes"] == old + size_of(new)
    assert source["orphan_bytes"] == old


def test_a_layer_that_index_json_names_refers_to_nothing(tmp_path: Path) -> None:
    """A large blob that is not a document is neither read nor an error."""
    contents = oci_contents([IMAGE])
    large = contents.add(os.urandom(5 << 20), "application/vnd.example.disk.v1")
    contents.entries.append(large)
    contents.write(tmp_path / "store")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    assert (codes(outcome), session.rows("sources")[0]["orphan_bytes"]) == ([], 0)
    assert [(row["kind"], row["stored_bytes"]) for row in others(session)] == [
        ("artifact", 5 << 20)
    ]


# blobs without an index


def loose_layout(folder: Path) -> None:
    """A layout that lost its index.json."""
    write_oci_layout(folder, [IMAGE])
    (folder / "index.json").unlink()


def loose_files(folder: Path) -> None:
    """Blobs by their bare digests, as in a ``dir:`` without its documents."""
    folder.mkdir(parents=True)
    for layer in (BASE, compress(APP, "gzip")):
        (folder / digest_of(layer)[7:]).write_bytes(layer)


def loose_folders(folder: Path) -> None:
    """A folder per digest, as caches have."""
    for layer in (BASE, compress(APP, "gzip")):
        name = digest_of(layer)[7:]
        (folder / "layers" / name).mkdir(parents=True)
        (folder / "layers" / name / name).write_bytes(layer)


def loose_saved(folder: Path) -> None:
    """An archive of docker that was unpacked, without its documents."""
    for layer in (BASE, APP):
        (folder / digest_of(layer)[7:]).mkdir(parents=True)
        (folder / digest_of(layer)[7:] / "layer.tar").write_bytes(layer)


LOOSE: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "layout": (loose_layout, ["", "blobs", "blobs/sha256"]),
    "files": (loose_files, [""]),
    "folders": (loose_folders, ["", "layers"]),
    "unpacked archive": (loose_saved, [""]),
}


@pytest.mark.parametrize("name", LOOSE)
def test_blobs_without_an_index_are_not_images(name: str, tmp_path: Path) -> None:
    """One problem says what is missing, wherever the search begins."""
    write, places = LOOSE[name]
    write(tmp_path / "in/store")
    for number, below in enumerate(["..", *places]):
        outcome = scan_only(tmp_path / f"catalog{number}", tmp_path / "in/store" / below)
        assert (codes(outcome), outcome.images, outcome.exit_code) == (["index-missing"], 0, 3)


def test_a_layer_that_is_named_itself_is_an_image(tmp_path: Path) -> None:
    """Whatever its name."""
    loose_files(tmp_path / "blobs")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "blobs" / digest_of(BASE)[7:])
    assert (codes(outcome), session.rows("images")[0]["content_bytes"]) == ([], 3000)


def test_archives_named_by_digests_are_read(tmp_path: Path) -> None:
    """Kaniko's cache has archives with such names; other tars beside them are images as before."""
    folder = tmp_path / "cache"
    folder.mkdir()
    write_docker_archive(folder / digest_of(b"x"), [IMAGE])
    write_bare_tar(folder / "rootfs.tar", BASE)
    outcome, session = scanned(tmp_path / "catalog", folder)
    names = {name for row in session.rows("images") for name in row["names"]}
    assert (codes(outcome), names) == ([], {"app:1", "rootfs.tar"})


# shared folders of blobs


def write_shared(folder: Path) -> Contents:
    """Two layouts, and their blobs in a folder beside them; returns all blobs."""
    everything = Contents()
    for name, one in (("one", IMAGE), ("two", BASE_IMAGE)):
        contents = write_oci_layout(folder / name, [one])
        shutil.rmtree(folder / name / "blobs")
        (folder / name / "blobs").mkdir()
        everything.blobs |= contents.blobs
    everything.blobs[digest_of(b"unused")] = b"unused"
    for digest, data in everything.blobs.items():
        path = folder / "shared" / digest.replace(":", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return everything


def test_layouts_use_a_shared_folder_of_blobs(tmp_path: Path) -> None:
    """Its bytes count once; which of them are unreferenced is unknown."""
    wrote = write_shared(tmp_path / "in")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "in")
    assert (codes(outcome), outcome.exit_code) == (["shared-blobs"], 0)
    rows = {row["name"]: row for row in session.rows("images")}
    assert (rows["app:1"]["content_bytes"], rows["base:1"]["content_bytes"]) == (4000, 3000)
    found = sources(session)
    assert (found["one"]["stored_bytes"], found["one"]["orphan_bytes"]) == (0, 0)
    assert found["shared"]["kind"] == "blobs"
    assert (found["shared"]["stored_bytes"], found["shared"]["orphan_bytes"]) == (
        size_of(wrote),
        None,
    )
    assert "layouts elsewhere" in found["shared"]["unseen_references"]
    assert session.rows("totals")[0]["stored_bytes"] == size_of(wrote)
    # all images were seen, so rules about them can be judged
    done = run(tmp_path / "catalog", "check", "--fail", "highest-shadowed-bytes=1MB")
    assert (done.returncode, "cannot judge" in done.stdout) == (0, False)
    assert "may be missing" not in run(tmp_path / "catalog", "report").stdout


def test_a_shared_folder_elsewhere_is_named(tmp_path: Path) -> None:
    """Without it, the error says so."""
    write_shared(tmp_path)
    outcome = scan_only(tmp_path / "a", tmp_path / "one")
    assert (codes(outcome), outcome.exit_code) == (["blob-missing"], 3)
    assert "--blobs" in outcome.problems[0].message
    outcome, session = scanned(tmp_path / "b", tmp_path / "one", blobs=[tmp_path / "shared"])
    assert (codes(outcome), outcome.exit_code) == (["shared-blobs"], 0)
    assert session.rows("images")[0]["content_bytes"] == 4000
    assert set(sources(session)) == {"one", "shared"}
    done = run(tmp_path / "c", "scan", str(tmp_path / "two"), "--blobs", str(tmp_path / "shared"))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["absent", "one"])
def test_a_folder_of_blobs_that_is_none_is_an_error(name: str, tmp_path: Path) -> None:
    """A mistyped option does not go unnoticed."""
    write_shared(tmp_path)
    outcome = scan_only(tmp_path / "catalog", tmp_path / "one", blobs=[tmp_path / name])
    assert "no-such-source" in codes(outcome)


def test_a_shared_blob_is_compared_with_its_digest(tmp_path: Path) -> None:
    """A forged document is not read, a forged layer is an error."""
    wrote = write_shared(tmp_path)
    layer = next(digest for digest, data in wrote.blobs.items() if data == compress(BASE, "gzip"))
    forged = tmp_path / "shared" / layer.replace(":", "/")
    forged.write_bytes(compress(tar_of([file("forged", b"2" * 5)]), "gzip"))
    outcome = scan_only(tmp_path / "a", tmp_path)
    assert {"digest-mismatch", "diff-id-mismatch"} <= set(codes(outcome))
    config = tmp_path / "shared" / IMAGE.image_id.replace(":", "/")
    config.write_bytes(b"{}")
    outcome = scan_only(tmp_path / "b", tmp_path)
    assert "layer-count-mismatch" in codes(outcome)


def test_own_blobs_come_before_shared_ones(tmp_path: Path) -> None:
    """A layout that lacks some blobs takes these alone from the shared folder."""
    write_shared(tmp_path)
    wrote = write_oci_layout(tmp_path / "third", [IMAGE])
    blob(tmp_path / "third", wrote.layers[IMAGE.image_id][0]).unlink()
    (tmp_path / "shared" / wrote.layers[IMAGE.image_id][1].replace(":", "/")).write_bytes(b"bad")
    outcome = scan_only(tmp_path / "catalog", tmp_path / "third", tmp_path / "shared")
    assert codes(outcome) == ["shared-blobs"]


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_layouts_of_skopeo_share_blobs(tmp_path: Path) -> None:
    """``skopeo copy --dest-shared-blob-dir`` writes what is read here."""
    write_oci_layout(tmp_path / "from", [IMAGE, BASE_IMAGE])
    (tmp_path / "to").mkdir()
    for name in ("app:1", "base:1"):
        short = name[:-2]
        subprocess.run(
            [
                *("skopeo", "copy", "-q", "--dest-shared-blob-dir", tmp_path / "to/shared"),
                *(f"oci:{tmp_path}/from:{name}", f"oci:{tmp_path}/to/{short}:{short}"),
            ],
            check=True,
        )
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "to")
    assert codes(outcome) == ["shared-blobs"]
    rows = {row["name"]: row["content_bytes"] for row in session.rows("images")}
    assert rows == {"app:app": 4000, "base:base": 3000}
    files = (tmp_path / "to/shared").rglob("*")
    stored = sum(path.stat().st_size for path in files if path.is_file())
    assert session.rows("totals")[0]["stored_bytes"] == stored


# links


def write_linked(folder: Path) -> tuple[Contents, Contents]:
    """A layout of a base, and one of an image with links to the base's blobs, as Bazel makes it."""
    base = write_oci_layout(folder / "base", [BASE_IMAGE])
    app = write_oci_layout(folder / "app", [IMAGE])
    for digest in sorted(set(app.blobs) & set(base.blobs)):
        path = blob(folder / "app", digest)
        path.unlink()
        path.symlink_to(Path("../../../base/blobs", *digest.split(":")))
        del app.blobs[digest]
    return base, app


def test_links_to_blobs_inside_the_scan_are_followed(tmp_path: Path) -> None:
    """The bytes count where the files are, and the base's blobs have a user."""
    base, app = write_linked(tmp_path / "in")
    (tmp_path / "in/base/index.json").write_bytes(Contents().index)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "in")
    assert (codes(outcome), outcome.exit_code) == ([], 0)
    (row,) = session.rows("images")
    assert (row["content_bytes"], row["layers"], row["complete"]) == (4000, 2, True)
    found = sources(session)
    assert found["app"]["stored_bytes"] == size_of(app)
    assert found["base"]["stored_bytes"] == size_of(base)
    # the layer is used through the link, so only the base's own documents are unreferenced
    layer = base.layers[BASE_IMAGE.image_id][0]
    assert found["base"]["orphan_bytes"] == size_of(base) - len(base.blobs[layer])


def test_links_out_of_the_scan_are_one_problem(tmp_path: Path) -> None:
    """It says which folder to name; with that, the image is complete."""
    write_linked(tmp_path)
    extra = tar_of([file("more", b"4" * 10)])
    base = write_oci_layout(tmp_path / "base", [Image([BASE, extra])])
    app = write_oci_layout(tmp_path / "app", [Image([BASE, extra, APP], names=["app:1"])])
    for digest in sorted(set(app.blobs) & set(base.blobs)):
        blob(tmp_path / "app", digest).unlink(missing_ok=True)
        blob(tmp_path / "app", digest).symlink_to(blob(tmp_path / "base", digest))
    outcome, session = scanned(tmp_path / "a", tmp_path / "app")
    assert (codes(outcome), outcome.exit_code) == (["link-refused"], 1)
    assert "what was scanned: 2, " in outcome.problems[0].message
    assert f"--also {tmp_path / 'base'}" in outcome.problems[0].message
    assert not session.rows("images")[0]["complete"]
    outcome, session = scanned(tmp_path / "b", tmp_path / "app", also=[tmp_path / "base"])
    assert (codes(outcome), session.rows("images")[0]["content_bytes"]) == ([], 4010)
    assert set(sources(session)) == {"app"}
    done = run(
        tmp_path / "c", "scan", "-q", str(tmp_path / "app"), "--also", str(tmp_path / "base")
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_documents_and_folders_may_be_links(tmp_path: Path) -> None:
    """index.json, and the folder of all blobs, moved elsewhere in what was scanned."""
    write_oci_layout(tmp_path / "in/layout", [IMAGE])
    (tmp_path / "in/disk").mkdir()
    for name in ("index.json", "blobs"):
        (tmp_path / "in/layout" / name).rename(tmp_path / "in/disk" / name)
        (tmp_path / "in/layout" / name).symlink_to(f"../disk/{name}")
    outcome, session = scanned(tmp_path / "a", tmp_path / "in/layout", also=[tmp_path / "in/disk"])
    assert (codes(outcome), session.rows("images")[0]["content_bytes"]) == ([], 4000)
    assert sources(session)["layout"]["stored_bytes"] == size_of(oci_contents([IMAGE]))
    assert sources(session)["layout"]["orphan_bytes"] == 0
    outcome = scan_only(tmp_path / "b", tmp_path / "in/layout")
    assert (codes(outcome), outcome.exit_code) == (["link-refused"], 3)


def test_a_linked_blob_is_compared_with_its_digest(tmp_path: Path) -> None:
    """A link to another file of the scan is an error, as any damaged blob."""
    base, _ = write_linked(tmp_path / "in")
    layer = blob(tmp_path / "in/app", base.layers[BASE_IMAGE.image_id][0])
    layer.unlink()
    write_bare_tar(tmp_path / "in/other.tar", tar_of([file("other", b"5" * 50)]))
    layer.symlink_to("../../../other.tar")
    outcome = scan_only(tmp_path / "catalog", tmp_path / "in")
    assert "digest-mismatch" in codes(outcome)


# hard links and stubs, as zot makes them


def write_zot(folder: Path) -> dict[str, Contents]:
    """Three layouts on one base; equal blobs are hard links of each other."""
    first: dict[str, Path] = {}
    wrote = {}
    for number, name in enumerate("abc"):
        image = Image([BASE, tar_of([file("app", bytes([number]) * 500)])], names=["1.0"])
        wrote[name] = write_oci_layout(folder / name, [image], annotation="tag")
        for digest in wrote[name].blobs:
            path = blob(folder / name, digest)
            if digest in first:
                path.unlink()
                path.hardlink_to(first[digest])
            else:
                first[digest] = path
    return wrote


def test_hard_links_are_stored_once(tmp_path: Path) -> None:
    """The first layout counts the file."""
    wrote = write_zot(tmp_path / "zot")
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "zot")
    assert codes(outcome) == []
    distinct = wrote["a"].blobs | wrote["b"].blobs | wrote["c"].blobs
    stored = sum(map(len, distinct.values()))
    assert session.rows("totals")[0]["stored_bytes"] == stored
    found = sources(session)
    assert found["a"]["stored_bytes"] == size_of(wrote["a"])
    shared = len(compress(BASE, "gzip"))
    assert found["b"]["stored_bytes"] == size_of(wrote["b"]) - shared
    assert session.rows("totals")[0]["images"] == 3


def test_a_hard_link_is_unreferenced_only_if_all_its_names_are(tmp_path: Path) -> None:
    """What one repository does not need may be needed by another."""
    wrote = write_zot(tmp_path / "zot")
    (tmp_path / "zot/a/index.json").write_bytes(Contents().index)
    _, session = scanned(tmp_path / "catalog", tmp_path / "zot")
    base = len(compress(BASE, "gzip"))
    found = sources(session)
    assert found["a"]["stored_bytes"] == size_of(wrote["a"])
    assert found["a"]["orphan_bytes"] == size_of(wrote["a"]) - base
    for name in "bc":
        (tmp_path / "zot" / name / "index.json").write_bytes(b"{damaged")
    # a catalog that saw them before they were damaged would answer for them, marked as stale
    _, session = scanned(tmp_path / "later", tmp_path / "zot")
    found = sources(session)
    # b and c may need the base
    assert found["a"]["orphan_bytes"] == size_of(wrote["a"]) - base
    assert found["b"]["orphan_bytes"] is None


def test_uploads_that_have_not_ended_are_counted(tmp_path: Path) -> None:
    """They are other bytes of the layout, and a note says so."""
    wrote = write_oci_layout(tmp_path / "zot/a", [IMAGE])
    (tmp_path / "zot/a/.uploads").mkdir()
    (tmp_path / "zot/a/.uploads/117ab70a").write_bytes(os.urandom(300_000))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "zot")
    assert (codes(outcome), outcome.exit_code) == (["unfinished-uploads"], 0)
    assert "300,000 bytes" in outcome.problems[0].message
    (row,) = session.rows("sources")
    assert (row["stored_bytes"], row["other_bytes"]) == (size_of(wrote), 300_000)


def test_an_empty_file_is_a_stub_if_another_layout_has_its_bytes(tmp_path: Path) -> None:
    """As in a copy of zot's bucket. Without the other layout the blob is damaged."""
    for name in "ab":
        wrote = write_oci_layout(tmp_path / "zot" / name, [IMAGE])
    for digest in (*wrote.layers[IMAGE.image_id], IMAGE.image_id):
        blob(tmp_path / "zot/b", digest).write_bytes(b"")
    outcome, session = scanned(tmp_path / "a", tmp_path / "zot/b", tmp_path / "zot/a")
    assert (codes(outcome), outcome.exit_code) == (["blob-elsewhere"], 0)
    assert session.rows("images")[0]["content_bytes"] == 4000
    outcome = scan_only(tmp_path / "b", tmp_path / "zot/b")
    assert "digest-mismatch" in codes(outcome)


# what a platform lacks


def test_a_manifest_alone_is_a_platform_that_was_not_copied(tmp_path: Path) -> None:
    """Stores keep the manifests of all platforms; single layers that are lost are an error."""
    arm = Image([APP], names=["app:1"], platform="linux/arm64")
    wrote = write_oci_layout(tmp_path / "store", [IMAGE, arm], multi_platform=True)
    for digest in (arm.image_id, *wrote.layers[arm.image_id]):
        if digest not in wrote.layers[IMAGE.image_id]:
            blob(tmp_path / "store", digest).unlink()
    # the layer that both have is there, so this image is damaged
    outcome = scan_only(tmp_path / "a", tmp_path / "store")
    assert codes(outcome) == ["blob-missing"]
    (tmp_path / "store").rename(tmp_path / "old")
    arm = Image([tar_of([file("arm", b"6" * 10)])], names=["app:1"], platform="linux/arm64")
    wrote = write_oci_layout(tmp_path / "store", [IMAGE, arm], multi_platform=True)
    for digest in (arm.image_id, *wrote.layers[arm.image_id]):
        blob(tmp_path / "store", digest).unlink()
    outcome, session = scanned(tmp_path / "b", tmp_path / "store")
    assert (codes(outcome), outcome.exit_code) == ([], 0)
    assert [row["kind"] for row in others(session)] == ["absent"]
    assert session.rows("sources")[0]["orphan_bytes"] == 0


def test_layers_left_out_of_an_archive_are_missing(tmp_path: Path) -> None:
    """Docker leaves layers out that it has only for another platform."""
    path = tmp_path / "saved.tar"
    write_docker_archive(path, [IMAGE], "containerd")
    write_oci_archive(tmp_path / "oci.tar", [IMAGE])
    wrote = oci_contents([IMAGE], annotation="containerd")
    left_out = {f"blobs/sha256/{digest[7:]}" for digest in wrote.layers[IMAGE.image_id]}
    listed = [
        {
            "Config": f"blobs/sha256/{IMAGE.image_id[7:]}",
            "RepoTags": ["app:1"],
            "Layers": [f"blobs/sha256/{digest[7:]}" for digest in wrote.layers[IMAGE.image_id]],
        }
    ]
    members = [one for one in wrote.members() if one.path not in left_out]
    path.write_bytes(tar_of([*members, file("manifest.json", json_of(listed))]))
    done = run(tmp_path / "catalog", "scan", str(path))
    assert done.returncode == 4
    for digest in wrote.layers[IMAGE.image_id]:
        assert done.stderr.count(digest[7:]) == 1
    assert "--platform" in done.stderr


def test_a_config_below_blobs_is_not_an_orphan(tmp_path: Path) -> None:
    """Archives of rules_oci have manifest.json and blobs, but no index.json."""
    config = f"blobs/sha256/{IMAGE.image_id[7:]}"
    layers = {f"blobs/sha256/{digest_of(tar)[7:]}.tar.gz": tar for tar in IMAGE.layers}
    listed = [{"Config": config, "RepoTags": ["app:1"], "Layers": list(layers)}]
    members = [file(config, IMAGE.config), file("manifest.json", json_of(listed))]
    members += [file(name, compress(tar, "gzip")) for name, tar in layers.items()]
    (tmp_path / "rules.tar").write_bytes(tar_of(members))
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "rules.tar")
    assert (codes(outcome), session.rows("sources")[0]["orphan_bytes"]) == ([], 0)
    assert session.rows("images")[0]["image_id"] == IMAGE.image_id


def disk_usage(folder: Path) -> int:
    """Bytes that the file system allocates to a folder without hard links to others."""
    below = [folder, *folder.rglob("*")]
    return sum(path.lstat().st_blocks * 512 for path in below)


def places_of(source: FoundSource) -> dict[str, PlaceFacts]:
    """What each place of a source is, by path."""
    return {place.path: place.facts for place in source.places}


def test_each_file_of_a_layout_has_a_kind(tmp_path: Path) -> None:
    """Blobs by who needs them, orphans, uploads, and what is not the layout's."""
    app = image([file("a", b"1" * 900)], names="app:1")
    wrote = write_oci_layout(tmp_path / "store", [app], artifact=True, attestation=True)
    orphan = wrote.add(b"orphan", "")["digest"]
    wrote.write(tmp_path / "store")
    for path in (".uploads/8f2c", "ingest/77aa/data", "notes/todo", "core"):
        target = tmp_path / "store" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"u" * 5_000)
    source = only_source(tmp_path / "store")
    assert sum(place.allocated_bytes for place in source.places) == disk_usage(tmp_path / "store")
    facts = places_of(source)
    gc = ("umoci", "gc", "--layout", str(tmp_path / "store"))
    layer = facts["blobs/" + wrote.layers[app.image_id][0].replace(":", "/")]
    assert (layer.kind, layer.owner, layer.command) == ("layer", "app:1", ())
    assert [holder.name for holder in layer.holders] == [app.image_id]
    unneeded = facts["blobs/" + orphan.replace(":", "/")]
    assert (unneeded.kind, unneeded.command, unneeded.holders) == ("orphan", gc, ())
    kinds = Counter(str(fact.kind) for fact in facts.values())
    # manifest, config, index, and the folder itself; manifest, config and content of the chart and
    # of the attestation, which is deleted with the image
    assert kinds == {
        "layer": 1,
        "metadata": 4,
        "artifact": 3,
        "attestation": 3,
        "orphan": 1,
        "upload": 2,
        "unrecognised": 2,
    }
    assert all(
        [holder.name for holder in fact.holders] == [app.image_id]
        for fact in facts.values()
        if fact.kind == "attestation"
    )
    assert facts["ingest/77aa"].kind == facts[".uploads/8f2c"].kind == "upload"
    assert facts["notes"].kind == facts["core"].kind == "unrecognised"


def test_a_blob_of_two_layouts_is_held_by_the_images_of_both(tmp_path: Path) -> None:
    """As zot links them: no layout calls it an orphan, and no image alone holds it."""
    one, two = (image([file("a", b"1" * 900)], names=name) for name in ("one:1", "two:1"))
    two = replace(two, platform="linux/arm64")
    wrote = write_oci_layout(tmp_path / "all/a", [one])
    write_oci_layout(tmp_path / "all/b", [two])
    path = "blobs/" + wrote.layers[one.image_id][0].replace(":", "/")
    (tmp_path / "all/b" / path).unlink()
    (tmp_path / "all/b" / path).hardlink_to(tmp_path / "all/a" / path)
    sources = [each for each in find_sources(tmp_path / "all") if isinstance(each, FoundSource)]
    for source in sources:
        holders = {holder.name for holder in places_of(source)[path].holders}
        assert holders == {one.image_id, two.image_id}
