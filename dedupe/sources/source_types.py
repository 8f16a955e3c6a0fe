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
