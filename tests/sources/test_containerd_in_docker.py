"""Images and containers of docker in containerd, as docker 29 keeps them."""

from pathlib import Path

from builders.containerd import ContainerdRoot
from builders.docker_containerd import CID, FORGOTTEN, docker_root
from builders.samples import APP, WEB
from helpers.scanning import find_sources, only_source, scanned

from dedupe.model.images import FoundSource, SourceKind


def test_images_and_containers_have_dockers_names(tmp_path: Path) -> None:
    """Docker's images and containers are read from containerd, with the names docker gives."""
    docker_root(tmp_path / "docker").write()
    source = only_source(tmp_path)
    assert source.kind is SourceKind.DOCKER_CONTAINERD
    assert source.location == str(tmp_path / "docker/containerd/daemon")
    assert source.problems == []
    names = {image.image_id: image.names for image in source.images}
    assert names == {APP.image_id: ("docker.io/library/app:1",), WEB.image_id: ()}
    containers = {container.container_id: container for container in source.containers}
    assert containers.keys() == {CID, FORGOTTEN}
    known, forgotten = containers[CID], containers[FORGOTTEN]
    assert (known.name, known.image, known.running) == ("quirky_name", "app:1", True)
    assert (forgotten.name, forgotten.image, forgotten.running) == (None, None, None)
    assert known.image_id == forgotten.image_id == APP.image_id
    assert known.upper is not None
    assert forgotten.upper is not None
    assert tmp_path.joinpath("docker", *known.upper.parts, ".keep").exists()
    assert known.upper != forgotten.upper


def test_images_have_the_figures_of_their_layout(tmp_path: Path) -> None:
    """Figures of docker's images in containerd are those of their layout."""
    docker_root(tmp_path / "docker").write()
    _, session = scanned(tmp_path / "catalog", tmp_path / "docker")
    rows = {row["image_id"]: row for row in session.rows("images")}
    assert rows[APP.image_id]["live_bytes"] == 700
    assert rows[WEB.image_id]["live_bytes"] == 470


def test_an_empty_containerd_of_docker_is_not_a_source(tmp_path: Path) -> None:
    """The empty containerd of a docker with a graph driver is not a source of its own."""
    (tmp_path / "image/overlay2/imagedb/content/sha256").mkdir(parents=True)
    ContainerdRoot(tmp_path / "containerd/daemon").write()
    kinds = [item.kind for item in find_sources(tmp_path) if isinstance(item, FoundSource)]
    assert SourceKind.DOCKER_CONTAINERD not in kinds
    docker_root(tmp_path).write()
    kinds = [item.kind for item in find_sources(tmp_path) if isinstance(item, FoundSource)]
    assert SourceKind.DOCKER_CONTAINERD in kinds
