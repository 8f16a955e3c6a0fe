"""The kinds of sources that are recognised.

To add a kind, write a class like those of ``interface.Source`` and list it here.
"""

from dedupe.sources.containerd.store import ContainerdStore, DockerContainerdStore
from dedupe.sources.containers_storage.store import ContainersStorage
from dedupe.sources.docker.store import DockerStore
from dedupe.sources.documents.directory import SkopeoDirectory
from dedupe.sources.documents.docker_archive import DockerArchive
from dedupe.sources.documents.layer_tar import LayerTar
from dedupe.sources.documents.layout import OciArchive, OciLayout
from dedupe.sources.documents.registry import Registry
from dedupe.sources.documents.shared_blobs import BlobFolder
from dedupe.sources.interface import Source
from dedupe.sources.unread import (
    BuildKitRoot,
    NydusRoot,
    SnapshotterRoot,
    SociRoot,
    StargzRoot,
)

#: in order of precedence: unless its ``descent`` says otherwise, the first kind that recognises a
#: candidate is the only one
SOURCE_TYPES: tuple[type[Source], ...] = (
    # stores that own their whole folder come before formats that may be beside others
    ContainerdStore,
    # a docker root may have both this and DockerStore
    DockerContainerdStore,
    # before DockerStore, which takes any folder with docker's folders if it cannot be read
    ContainersStorage,
    DockerStore,
    # roots that are not read come before formats that their files look like
    BuildKitRoot,
    # each is more special than the next one
    SociRoot,
    StargzRoot,
    NydusRoot,
    SnapshotterRoot,
    # a layout may be beside a registry's folder ``docker``
    Registry,
    OciLayout,
    SkopeoDirectory,
    # blobs that none of the sources above has
    BlobFolder,
    # archives of docker ≥ 25 are image layouts too, but manifest.json decides about names
    DockerArchive,
    OciArchive,
    # any other tar
    LayerTar,
)

#: what shows each kind, for the user whose folder has none of them
LOOKED_FOR = (
    "docker (image/<driver>), containerd (io.containerd.*), podman (<driver>-images), "
    "registry (docker/registry/v2), image layout (oci-layout, index.json), dir: (version, "
    "manifest.json), archives (.tar); not read: buildkit, soci, stargz, nydus"
)
