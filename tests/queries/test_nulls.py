"""A column of an answer is null only if the header of its query says when.

The types of rows in dedupe/analysis/queries.py are made from the headers: a column without the
word "null" in its meaning has a type without None.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sample
from builders import (
    Image,
    device,
    directory,
    empty_step,
    file,
    hardlink,
    image,
    opaque,
    raw,
    symlink,
    tar_of,
    whiteout,
    write_bare_tar,
    write_docker_archive,
    write_oci_layout,
)
from builders.containerd import ContainerdRoot
from builders.docker import DockerRoot, write
from builders.registry import RegistryStore
from headers import columns_of, name_of, parameters_of, questions_in
from helpers.questions import rows_of
from helpers.scanning import scan_only
from here import PROJECT

from dedupe.store.session import Session
from dedupe.store.views import scan_ids

QUERIES = PROJECT / "queries"
QUESTIONS = questions_in(QUERIES)
NAMES = [name_of(path, QUERIES) for path in QUESTIONS]

BASE = (directory("etc"), file("etc/os", b"o" * 400), file("etc/again", b"same" * 20))
LIB = (file("opt/lib", b"l" * 900), hardlink("opt/link", "opt/lib"), symlink("lib", "/opt/lib"))
CONF = (file("etc/conf", b"c" * 30), file("etc/os", b"n" * 400), file("again", b"same" * 20))
CLEAN = (whiteout("opt/lib"), opaque("etc"), directory("etc", mode=0o700))
ODD = (
    device("dev/null"),
    hardlink("dangling", "nowhere"),
    raw(b"no utf-8 \xff", content=b"x" * 9),
    file("etc/os", b"o" * 400, xattrs={"user.a": b"\x00"}),
)
IMAGES = [
    image(BASE, LIB, CONF, names=["r/app:1.0", "r/app:latest"], history=["ADD", "RUN a", "RUN b"]),
    image(BASE, CONF, LIB, names="r/app:1.1", history=["ADD", empty_step("ENV x"), "RUN b"]),
    image(BASE, LIB, CONF, CLEAN, names="r/app:1.2"),
    image(BASE, names="r/base:1"),
    image(BASE, LIB, ODD, names="r/odd:1", created="no date"),
    image((), names="r/empty:1"),
    Image([], names=["r/scratch:1"], created="0001-01-01T00:00:00Z"),
    image(BASE, (file("x"),), settings={"Hostname": "nameless"}),
    image(BASE, LIB, BASE, names="r/twice:1", platform="linux/arm/v7"),
]
LATER = tuple(replace(each, mtime=9) for each in LIB)
#: one step at two positions: as a layer of an image that others are built on, and elsewhere
REPEATS = [
    image(BASE, LIB, names="r/base:1", history=["ADD", "RUN b"]),
    image(BASE, LIB, (file("one"),), names="r/one:1", history=["ADD", "RUN b", "RUN c"]),
    image(BASE, (file("two"),), LATER, names="r/two:1", history=["ADD", "RUN d", "RUN b"]),
]


def write_stores(folder: Path) -> None:
    """Write stores with everything that may be unknown: containers, gaps, damage, no history."""
    sample.main(folder / "sample")
    write_oci_layout(folder / "layout", IMAGES, attestation=True, artifact=True, sparse=True)
    secret = image(BASE, (file("secret", b"s" * 50),), encrypted=frozenset({1}), names="r/secret:1")
    broken = image(BASE, (file("broken", b"b" * 5000),), names="r/broken:1")
    contents = write_oci_layout(folder / "broken", [secret, broken])
    blob = folder / "broken/blobs/sha256" / contents.layers[broken.image_id][1][7:]
    blob.write_bytes(blob.read_bytes()[:-9])
    write_docker_archive(folder / "archive.tar", [IMAGES[2]])
    write_bare_tar(folder / "rootfs.tar", tar_of([*BASE, file("own", b"r" * 70)]))

    docker = DockerRoot(folder / "docker")
    docker.add(*IMAGES[:3])
    upper = docker.container("a" * 64, IMAGES[0], name="web", running=True)
    write(upper / "etc/os", b"w" * 50)
    write(upper / "etc/conf", b"c" * 30)
    write(upper / "new", b"n" * 60)
    write(docker.container("d" * 64, IMAGES[2]) / "again", b"d" * 30)
    docker.container("b" * 64, IMAGES[0])
    (docker.root / "containers" / ("b" * 64) / "config.v2.json").unlink()
    docker.container("c" * 64, IMAGES[1], name="lost", image=None)
    (docker.layerdb / "mounts" / ("c" * 64) / "mount-id").write_bytes(b"../..")

    containerd = ContainerdRoot(folder / "containerd")
    containerd.add(IMAGES[3])
    containerd.unpack(IMAGES[3])
    containerd.container("no-snapshot", "r/base:1")
    containerd.container("no-image", "r/gone:1")
    containerd.write()

    registry = RegistryStore(folder / "registry")
    one = registry.image("r/app", IMAGES[0], "9")
    registry.index("r/many", [one, registry.attestation("r/many", one["digest"])], "1")
    registry.image("r/untagged", image(BASE, (file("untagged", b"u"),)))
    registry.upload("r/app", b"u" * 100)
    registry.blob(b"orphan" * 10)
    registry.link("r/bad", "_manifests", "tags", "1", "current", text="")


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Session]]:
    """Two scans of many stores, the sample, and images without a history or without layers."""
    folder = tmp_path_factory.mktemp("nulls")
    write_stores(folder / "stores")
    scan_only(folder / "many", folder / "stores")
    write_bare_tar(folder / "stores/new.tar", tar_of([file("new", b"n" * 90)]))
    (folder / "stores/archive.tar").unlink()
    scan_only(folder / "many", folder / "stores")
    scan_only(folder / "sample", folder / "stores/sample")
    scan_only(folder / "unpacked", folder / "stores/docker")
    small = {
        "repeats": REPEATS,
        "no history": [replace(one, history=None) for one in (*IMAGES, *REPEATS)],
        "no layers": [Image([], names=["scratch:1"])],
    }
    for name, images in small.items():
        write_oci_layout(folder / "small" / name, images)
        scan_only(folder / name, folder / "small" / name)
    (folder / "empty").mkdir()
    scan_only(folder / "nothing", folder / "empty")
    catalogs = [folder / name for name in ("many", "sample", "unpacked", "nothing", *small)]
    made = [Session(catalog, scan) for catalog in catalogs for scan in scan_ids(catalog)]
    yield made
    for session in made:
        session.close()


@pytest.mark.parametrize("path", QUESTIONS, ids=NAMES)
def test_only_columns_with_null_in_their_header_are_null(
    path: Path, sessions: list[Session]
) -> None:
    """No answer has a null in a column whose meaning does not say when it is null."""
    name = name_of(path, QUERIES)
    never = {column for column, (_, meaning) in columns_of(path).items() if "null" not in meaning}
    found = [row for session in sessions for row in rows_of(session, name, parameters_of(path))]
    assert found, "no question had an answer"
    assert {column for row in found for column in never if row[column] is None} == set()
