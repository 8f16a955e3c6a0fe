"""A docker store with a graph driver, written by hand: what is read, and what damage costs."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from builders import (
    Image,
    directory,
    file,
    hardlink,
    image,
    opaque,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from builders.docker import DockerRoot, folder_name, write
from helpers.privileges import as_nobody
from helpers.scanning import codes, error_codes, find_sources, only_source, scanned

from dedupe.model.images import IdRange, LayerState, Problem, Severity, SourceKind, Whiteouts

BASE = tar_of(
    [
        directory("etc"),
        file("etc/a", b"1" * 400, mode=0o600, uid=7),
        hardlink("etc/b", "etc/a"),
        symlink("etc/s", "a"),
        directory("old"),
        file("old/x", b"5" * 9),
    ]
)
UPPER = tar_of([whiteout("etc/a"), directory("old"), opaque("old"), file("etc/c", b"2" * 300)])
APP = Image([BASE, UPPER], names=["app:1"])
WEB = Image([BASE, tar_of([file("web", b"3" * 70)])], names=["web:2"])
CONTAINER = "c" * 64
DRIVERS = ("overlay2", "fuse-overlayfs", "vfs")


@pytest.fixture
def store(tmp_path: Path) -> DockerRoot:
    """A root with two images of one base."""
    made = DockerRoot(tmp_path / "docker")
    made.add(APP, WEB)
    return made


@pytest.mark.parametrize("driver", DRIVERS)
def test_docker_has_the_figures_of_a_layout(driver: str, tmp_path: Path) -> None:
    """Images, entries and figures are those of an image layout of the same images."""
    DockerRoot(tmp_path / "docker", driver).add(APP, WEB)
    write_oci_layout(tmp_path / "layout", [APP, WEB])
    ours, session = scanned(tmp_path / "a", tmp_path / "docker")
    theirs, reference = scanned(tmp_path / "b", tmp_path / "layout")
    assert codes(ours) == codes(theirs) == []
    entries = "SELECT * FROM entries ORDER BY ALL"
    assert session.ask(entries) == reference.ask(entries)
    assert session.rows("merged_view") == reference.rows("merged_view")
    proofs = "SELECT DISTINCT verified FROM layers"
    assert session.ask(proofs).rows == [("rebuild",)]
    source = only_source(tmp_path / "docker")
    assert source.kind is SourceKind.DOCKER
    assert {one.image_id: one.names for one in source.images} == {
        APP.image_id: ("app:1",),
        WEB.image_id: ("web:2",),
    }


def test_a_digest_is_a_name_only_without_a_tag(store: DockerRoot, tmp_path: Path) -> None:
    """Tags are names; a digest is one only if the repository has no tag."""
    dangling = image([file("d", b"d")])
    store.add(dangling)
    digest = "@sha256:" + "0" * 64
    store.names["app"]["app" + digest] = APP.image_id
    store.names["copy"] = {"copy" + digest: APP.image_id, "copy:bad": "sha256:../x"}
    store.names["gone"] = {"gone:1": "sha256:" + "9" * 64}
    store.add()
    source = only_source(store.root)
    names = {one.image_id: one.names for one in source.images}
    assert names == {
        APP.image_id: ("app:1", "copy" + digest),
        WEB.image_id: ("web:2",),
        dangling.image_id: (),
    }
    assert [(each.subject, each.code) for each in source.problems] == [("gone:1", "blob-missing")]


def test_a_layer_of_a_layout_is_not_read_again(store: DockerRoot, tmp_path: Path) -> None:
    """A layer that a layout gave is reused, though the store keeps it unpacked."""
    write_oci_layout(tmp_path / "layout", [APP])
    scanned(tmp_path / "catalog", tmp_path / "layout")
    outcome, _ = scanned(tmp_path / "catalog", store.root)
    assert (outcome.layers_read, outcome.layers_reused) == (1, 3)


@pytest.mark.parametrize("driver", DRIVERS)
def test_without_tar_split_data_the_folder_is_walked(driver: str, tmp_path: Path) -> None:
    """Its rows are not taken for those of the diff ID, and a note says why."""
    made = DockerRoot(tmp_path / "docker", driver)
    plain = image([directory("d"), file("d/x", b"x" * 50)], [file("y", b"y")], names="plain:1")
    made.add(plain)
    if driver == "vfs":
        shutil.copytree(
            made.tree(plain.chain_ids[0]), made.tree(plain.chain_ids[1]), dirs_exist_ok=True
        )
        for path in ("d", "d/x"):
            shutil.copystat(
                made.tree(plain.chain_ids[0]) / path, made.tree(plain.chain_ids[1]) / path
            )
    for chain in plain.chain_ids:
        (made.record(chain) / "tar-split.json.gz").unlink()
    outcome, session = scanned(tmp_path / "catalog", made.root)
    assert set(codes(outcome)) - {"xattrs-unseen"} == {"split-unusable"}
    assert outcome.errors == 0
    rows = session.ask(
        "SELECT position, path, content_hash IS NOT NULL FROM scan_image_layers "
        "JOIN entries USING (layer) ORDER BY ALL"
    ).rows
    assert rows == [(0, "d", False), (0, "d/x", True), (1, "y", True)]
    assert session.ask("SELECT DISTINCT verified FROM layers").rows == [("none",)]


def test_changed_content_is_an_error_and_not_kept(store: DockerRoot, tmp_path: Path) -> None:
    """Bytes that are not those of the diff ID are an error, and say nothing about the layer."""
    (store.tree(APP.chain_ids[0]) / "etc/a").write_bytes(b"9" * 400)
    outcome, session = scanned(tmp_path / "catalog", store.root)
    assert codes(outcome) == ["diff-id-mismatch"]
    proofs = session.ask("SELECT verified, count(*) FROM layers GROUP BY ALL ORDER BY ALL")
    assert proofs.rows == [("rebuild", 2)]
    # both images have the changed layer
    assert [row["complete"] for row in session.rows("images")] == [False, False]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_container_has_its_image_state_and_folder(driver: str, tmp_path: Path) -> None:
    """Name, image, state, and the writable folder read as a layer."""
    made = DockerRoot(tmp_path / "docker", driver)
    made.add(APP)
    upper = made.container(CONTAINER, APP, name="web", running=True)
    write(upper / "new", b"n" * 30)
    if driver == "fuse-overlayfs":
        write(upper / ".wh.gone", b"")
    outcome, session = scanned(tmp_path / "catalog", made.root)
    assert outcome.errors == 0
    (container,) = only_source(made.root).containers
    assert container.upper is not None
    assert (container.container_id, container.name, container.image) == (CONTAINER, "web", "app:1")
    assert (container.image_id, container.running) == (APP.image_id, True)
    rows = session.ask(
        "SELECT path, kind FROM scan_containers JOIN entries USING (layer) ORDER BY ALL"
    ).rows
    expected = [("gone", "whiteout")] if driver == "fuse-overlayfs" else []
    assert rows == [*expected, ("new", "file")]


def test_a_container_without_config_is_known_by_its_id(store: DockerRoot) -> None:
    """Its image is the one whose chain it is on."""
    store.container(CONTAINER, APP)
    (store.root / "containers" / CONTAINER / "config.v2.json").unlink()
    source = only_source(store.root)
    (container,) = source.containers
    assert (container.name, container.running, container.image_id) == (None, None, APP.image_id)
    assert container.upper is not None
    assert error_codes(source) == ["blob-missing"]


@pytest.mark.parametrize("content", [b"", b"../../../etc", b"x" * 5000, b"\xff"])
def test_a_bad_folder_name_of_a_container_is_not_followed(
    store: DockerRoot, content: bytes
) -> None:
    """A folder name with a path in it is not followed; the container is still listed."""
    store.container(CONTAINER, APP, name="web")
    (store.layerdb / "mounts" / CONTAINER / "mount-id").write_bytes(content)
    source = only_source(store.root)
    (container,) = source.containers
    assert (container.name, container.upper) == ("web", None)
    assert len(error_codes(source)) == 1


def test_ids_below_a_remapped_root_are_shifted_back(tmp_path: Path) -> None:
    """IDs below ``<uid>.<gid>`` are shifted back; the root above does not count it again."""
    inner = DockerRoot(tmp_path / "docker/100000.200000")
    inner.add(APP)
    outer = DockerRoot(tmp_path / "docker")
    outer.add(WEB)
    outer.container(CONTAINER, WEB)
    sources = {Path(source.location).name: source for source in find_sources(tmp_path / "docker")}
    assert set(sources) == {"docker", "100000.200000"}
    (one,) = sources["100000.200000"].images
    tree = one.layers[0].tree
    assert tree is not None
    ranges = tree.uids + tree.gids
    assert [(each.inside, each.outside) for each in ranges] == [(0, 100_000), (0, 200_000)]
    assert ranges[0] == IdRange(0, 100_000, (1 << 32) - 100_000)
    du = subprocess.run(["du", "-sx", "-B1", tmp_path / "docker"], check=True, capture_output=True)
    total = sum(source.allocated_bytes for source in sources.values())
    assert total == int(du.stdout.split()[0])


def test_images_of_two_drivers_are_one_source(tmp_path: Path) -> None:
    """A driver that is not read is reported once."""
    DockerRoot(tmp_path).add(APP)
    DockerRoot(tmp_path, "vfs").add(WEB)
    write(tmp_path / "image/zfs/repositories.json", b"{}")
    source = only_source(tmp_path)
    assert {one.image_id for one in source.images} == {APP.image_id, WEB.image_id}
    assert {one.layers[0].tree.whiteouts for one in source.images} == {
        Whiteouts.KERNEL,
        Whiteouts.NONE,
    }
    assert [(each.subject, each.code) for each in source.problems] == [
        ("image/zfs", "unsupported-store")
    ]


def test_bytes_on_disk_sum_to_those_of_du(store: DockerRoot) -> None:
    """Layers, containers, orphans and the rest are together what ``du`` counts."""
    upper = store.container(CONTAINER, APP)
    write(upper / "new", b"n" * 30_000)
    write(store.root / "containers" / CONTAINER / "x-json.log", b"l" * 50_000)
    write(store.root / "volumes/v/_data/f", b"v" * 70_000)
    write(store.folder(folder_name("leftover")) / "f", b"o" * 11_000)
    cached = store.root / "overlay2" / ("q" * 25)
    write(cached / "diff/f", b"c" * 13_000)
    store.build_cache({"q" * 25: {b"parent": b""}})
    unused = image([file("u", b"u" * 17_000)])
    store.layer(unused.layers[0], unused.diff_ids[0], unused.chain_ids[0], None)
    source = only_source(store.root)

    def du(*paths: Path) -> int:
        done = subprocess.run(["du", "-scx", "-B1", *paths], check=True, capture_output=True)
        return int(done.stdout.split()[-2])

    assert source.allocated_bytes == du(store.root)
    (container,) = source.containers
    assert container.allocated_bytes == du(
        upper.parent, store.folder(upper.parent.name + "-init").parent
    )
    layer = source.images[0].layers[0]
    base = store.tree(APP.chain_ids[0]).parent
    assert layer.allocated_bytes == du(base, store.record(APP.chain_ids[0]))
    folders = sum(path.stat().st_blocks * 512 for path in (store.root, store.root / "overlay2"))
    rest = du(*(store.root / name for name in ("containers", "volumes", "buildkit"))) + folders
    assert source.other_bytes == rest + du(cached)
    notes = sum(path.stat().st_size for path in store.record(unused.chain_ids[0]).iterdir())
    assert source.orphan_bytes == 11_000 + 17_000 + notes
    (note,) = [each for each in source.problems if each.code == "orphan-folders"]
    assert note.severity is Severity.NOTE
    assert "needs: 1 (1 left over)" in note.message
    assert "1 left over" in note.message
    (note,) = [each for each in source.problems if each.code == "build-cache"]
    assert f"{du(cached)} bytes" in note.message
    kept = (path for name in ("image", "overlay2") for path in (store.root / name).rglob("*"))
    assert source.stored_bytes == sum(
        path.stat().st_size for path in kept if path.is_file() and upper not in path.parents
    )


def zero(name: str) -> Callable[[DockerRoot], None]:
    """Damage: an empty file among docker's notes of the layer."""

    def damage(store: DockerRoot) -> None:
        (store.record(APP.chain_ids[1]) / name).write_bytes(b"")

    damage.__name__ = f"zero bytes in {name}"
    return damage


def other_diff(store: DockerRoot) -> None:
    """Damage: the diff ID of another layer."""
    (store.record(APP.chain_ids[1]) / "diff").write_text(APP.diff_ids[0])


def no_record(store: DockerRoot) -> None:
    """Damage: docker has no notes of the layer."""
    shutil.rmtree(store.record(APP.chain_ids[1]))


def no_folder(store: DockerRoot) -> None:
    """Damage: no folder of the layer."""
    shutil.rmtree(store.tree(APP.chain_ids[1]).parent)


def link_for_folder(store: DockerRoot) -> None:
    """Damage: a link in place of the layer's folder."""
    tree = store.tree(APP.chain_ids[1])
    shutil.rmtree(tree)
    tree.symlink_to("/etc")


def outside(store: DockerRoot) -> None:
    """Damage: a folder name that leads outside the root."""
    (store.record(APP.chain_ids[1]) / "cache-id").write_text("../../../etc")


def fifo(store: DockerRoot) -> None:
    """Damage: a FIFO among docker's notes of the layer."""
    (store.record(APP.chain_ids[1]) / "cache-id").unlink()
    os.mkfifo(store.record(APP.chain_ids[1]) / "cache-id")


@pytest.mark.parametrize(
    ("damage", "code", "state"),
    [
        (zero("diff"), "bad-document", None),
        (other_diff, "bad-document", None),
        (zero("size"), None, None),
        (zero("cache-id"), "bad-document", LayerState.ABSENT),
        (outside, "bad-document", LayerState.ABSENT),
        (fifo, "bad-document", LayerState.ABSENT),
        (no_record, "blob-missing", LayerState.ABSENT),
        (no_folder, "blob-missing", LayerState.ABSENT),
        (link_for_folder, "not-a-folder", LayerState.BROKEN),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damage_of_a_layer_costs_only_that_layer(
    store: DockerRoot,
    damage: Callable[[DockerRoot], None],
    code: str | None,
    state: LayerState | None,
) -> None:
    """The damage is one problem, and other layers are read."""
    damage(store)
    source = only_source(store.root)
    assert code is None or code in error_codes(source)
    assert set(error_codes(source)) <= {code, "blob-missing"}
    (app,) = [one for one in source.images if one.image_id == APP.image_id]
    assert [layer.state for layer in app.layers] == [None, state]
    (web,) = [one for one in source.images if one.image_id == WEB.image_id]
    assert all(layer.tree for layer in web.layers)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"Repositories": 5}', b'{"Repositories": {"a": 5}}']
)
def test_without_repositories_json_images_have_no_names(store: DockerRoot, content: bytes) -> None:
    """Everything else of the images is read."""
    (store.image / "repositories.json").write_bytes(content)
    source = only_source(store.root)
    assert {one.names for one in source.images} == {()}
    assert error_codes(source) == (["not-json"] if len(content) < 3 else [])


def test_a_bad_config_is_one_problem(store: DockerRoot) -> None:
    """The config is empty, not JSON, or not what its name says."""
    store.config(WEB).write_bytes(b"")
    other = replace(WEB, created="2001-01-01T00:00:00Z")
    (store.config(WEB).parent / ("a" * 64)).write_bytes(other.config)
    write(store.config(WEB).parent / "junk", b"junk")
    source = only_source(store.root)
    assert error_codes(source) == ["blob-missing", "digest-mismatch", "not-json"]
    assert {(one.image_id, one.config_checked) for one in source.images} == {
        (APP.image_id, True),
        (other.image_id, False),
    }


def test_leftovers_of_a_crash_are_orphans(store: DockerRoot) -> None:
    """What a crash left is a note, and counts as orphaned."""
    write(store.layerdb / "tmp/write-set-123/diff", b"")
    tree = store.root / "overlay2" / (folder_name("x") + "-removing")
    write(tree / "diff/f", b"r" * 500)
    source = only_source(store.root)
    assert sorted(each.code for each in source.problems) == ["crash-leftover", "orphan-folders"]
    assert source.orphan_bytes == 500
    assert error_codes(source) == []


def flipped_cache_id(store: DockerRoot) -> None:
    """Damage: the name of another folder, which does not exist."""
    path = store.record(APP.chain_ids[1]) / "cache-id"
    path.write_text(path.read_text()[::-1])


def cut_config(store: DockerRoot) -> None:
    """Damage: half a config."""
    os.truncate(store.config(WEB), 20)


def other_config(store: DockerRoot) -> None:
    """Damage: a config of another digest."""
    store.config(WEB).write_bytes(store.config(WEB).read_bytes().replace(b"2", b"3", 1))


def no_config(store: DockerRoot) -> None:
    """Damage: a name of an image without its config."""
    store.config(WEB).unlink()


def no_configs(store: DockerRoot) -> None:
    """Damage: no folder of configs."""
    shutil.rmtree(store.image / "imagedb")


def no_names(store: DockerRoot) -> None:
    """Damage: half of the names."""
    os.truncate(store.image / "repositories.json", 20)


def bad_mount(store: DockerRoot) -> None:
    """Damage: a container whose folder is not named."""
    store.container(CONTAINER, APP)
    (store.layerdb / "mounts" / CONTAINER / "mount-id").write_bytes(b"")


def bad_init(store: DockerRoot) -> None:
    """Damage: a container whose second folder has no name."""
    store.container(CONTAINER, APP)
    (store.layerdb / "mounts" / CONTAINER / "init-id").write_bytes(b"\0")


def no_trees(store: DockerRoot) -> None:
    """Damage: no folder of layers."""
    shutil.rmtree(store.root / "overlay2")


def bad_cache(store: DockerRoot) -> None:
    """Damage: half a database of the build cache."""
    store.build_cache({"q" * 25: {b"parent": b""}})
    os.truncate(store.root / "buildkit/snapshots.db", 5000)


def no_cache(store: DockerRoot) -> None:
    """Damage: a folder of the build cache without its database."""
    write(store.root / "overlay2" / ("q" * 25) / "diff/f", b"c")


def other_driver(store: DockerRoot) -> None:
    """Images of a driver that is not read."""
    (store.root / "image/btrfs/imagedb").mkdir(parents=True)


@pytest.mark.parametrize(
    ("damage", "hides"),
    [
        *((damage, True) for damage in (flipped_cache_id, cut_config, other_config, no_config)),
        *((damage, True) for damage in (no_configs, no_names, bad_mount, bad_init, no_trees)),
        *((damage, True) for damage in (bad_cache, no_cache, other_driver)),
        *((damage, True) for damage in (zero("cache-id"), outside, fifo, no_folder)),
        *((damage, False) for damage in (zero("diff"), other_diff, zero("size"), no_record)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_orphans_are_unknown_if_damage_hides_references(
    store: DockerRoot, damage: Callable[[DockerRoot], None], hides: bool
) -> None:
    """A folder that nothing seems to need may be one that a damaged record names."""
    write(store.folder(folder_name("leftover")) / "f", b"o" * 500)
    damage(store)
    source = only_source(store.root)
    assert (source.orphan_bytes is None) == hides
    assert (source.unseen_references is not None) == hides


def test_layers_that_the_build_cache_holds_are_not_orphans(store: DockerRoot) -> None:
    """It holds folders by its keys, and layers of docker by chain IDs with all below them."""
    built = image([file("b", b"b" * 900)], [file("top", b"t" * 90)])
    parents = (None, built.chain_ids[0])
    for tar, diff, chain, parent in zip(
        built.layers, built.diff_ids, built.chain_ids, parents, strict=True
    ):
        store.layer(tar, diff, chain, parent)
    for name, size in (("q" * 25, 300), ("r" * 25, 40), ("s" * 25, 5)):
        write(store.root / "overlay2" / name / "diff/f", b"c" * size)
    store.build_cache(
        {
            "q" * 25: {b"parent": b""},
            "name": {b"committed": b"r" * 25},
            "other": {b"committed": b"x" * 25, b"chainid": built.chain_ids[1].encode()},
        }
    )
    source = only_source(store.root)
    assert (source.orphan_bytes, error_codes(source)) == (5, [])
    (note,) = [each for each in source.problems if each.code == "orphan-folders"]
    assert "1 of buildkit's build cache" in note.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close a folder to another user")
def test_a_store_without_permission_is_one_error(store: DockerRoot, tmp_path: Path) -> None:
    """The error says what to do."""
    for folder in (*tmp_path.parents, tmp_path):
        if folder.owner() == "root" and folder.stat().st_mode & 0o007 == 0:
            folder.chmod(0o711)
    store.root.chmod(0o755)
    (store.root / "image").chmod(0o700)

    def problems() -> list[tuple[str, str, str]]:
        (source,) = find_sources(store.root)
        assert not isinstance(source, Problem)
        return [(each.subject, each.code, each.message) for each in source.problems]

    ((subject, code, message),) = as_nobody(problems)
    assert (subject, code) == ("image", "permission-denied")
    assert "root can read it" in message

    (store.root / "image").chmod(0o755)
    (store.root / "overlay2").chmod(0o700)
    assert [code for _, code, _ in as_nobody(problems)] == ["permission-denied"]


def test_steps_and_platform_are_those_of_the_config(store: DockerRoot) -> None:
    """Build steps and platform are those of the config."""
    built = Image([BASE], names=["built:1"], platform="linux/arm/v7", history=["COPY . /"])
    store.add(built)
    (one,) = [each for each in only_source(store.root).images if each.image_id == built.image_id]
    assert (str(one.details.platform), one.layers[0].created_by) == ("linux/arm/v7", "COPY . /")
    assert json.loads(store.config(built).read_bytes())["architecture"] == "arm"
