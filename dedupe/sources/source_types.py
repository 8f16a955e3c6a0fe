"""The kinds of sources that are recognised.

To add a kind, write a class like those of ``interface.Source`` and list it here. Its module is
imported once something may be a source of that kind.
"""

from dataclasses import dataclass
from importlib import import_module

from dedupe.model.images import SourceKind
from dedupe.sources.digest_names import ALGORITHMS
from dedupe.sources.interface import Candidate, HolderForm, Source


@dataclass(frozen=True, slots=True)
class SourceType:
    """A kind of source, by its class in a module of ``dedupe.sources``."""

    kind: SourceKind
    module: str
    name: str
    #: names of entries, or their beginnings before a star; a folder of this kind has one of them
    signs: tuple[str, ...] = ()
    #: holders besides folders that may be of this kind
    forms: tuple[HolderForm, ...] = ()

    def may_be(self, candidate: Candidate) -> bool:
        """Whether it is worth asking the class."""
        if candidate.form is not HolderForm.FOLDER:
            return candidate.form in self.forms
        if not candidate.entries.isdisjoint(self.signs):
            return True
        begins = tuple(sign.removesuffix("*") for sign in self.signs if sign.endswith("*"))
        return bool(begins) and any(name.startswith(begins) for name in candidate.entries)

    def load(self) -> type[Source]:
        """Import the class."""
        loaded: type[Source] = getattr(import_module(f"dedupe.sources.{self.module}"), self.name)
        return loaded


#: in order of precedence: unless its ``descent`` says otherwise, the first kind that recognises a
#: candidate is the only one
SOURCE_TYPES = (
    # stores that own their whole folder come before formats that may be beside others
    SourceType(
        SourceKind.CONTAINERD,
        "containerd.store",
        "ContainerdStore",
        ("io.containerd.content.v1.content", "io.containerd.metadata.v1.bolt"),
    ),
    # a docker root may have both this and DockerStore
    SourceType(
        SourceKind.DOCKER_CONTAINERD, "containerd.store", "DockerContainerdStore", ("containerd",)
    ),
    # before DockerStore, which takes any folder with docker's folders if it cannot be read
    SourceType(
        SourceKind.CONTAINERS_STORAGE,
        "containers_storage.store",
        "ContainersStorage",
        ("overlay-images", "vfs-images", "btrfs-images", "zfs-images"),
    ),
    SourceType(SourceKind.DOCKER, "docker.store", "DockerStore", ("image",)),
    # roots that are not read come before formats that their files look like
    SourceType(
        SourceKind.BUILDKIT,
        "unread",
        "BuildKitRoot",
        (
            *("buildkitd.lock", "content", "snapshots", "executor"),
            # folders of workers
            *("runc-*", "crun-*", "oci-*", "containerd-*"),
        ),
    ),
    # each is more special than the next one
    SourceType(SourceKind.SOCI, "unread", "SociRoot", ("snapshotter",)),
    SourceType(SourceKind.STARGZ, "unread", "StargzRoot", ("snapshotter",)),
    SourceType(SourceKind.NYDUS, "unread", "NydusRoot", ("snapshots",)),
    SourceType(SourceKind.SNAPSHOTTER, "unread", "SnapshotterRoot", ("snapshots",)),
    # a layout may be beside a registry's folder ``docker``
    SourceType(
        SourceKind.REGISTRY,
        "documents.registry",
        "Registry",
        ("docker", "registry", "v2", "repositories", "blobs"),
        (HolderForm.OBJECTS,),
    ),
    SourceType(
        SourceKind.OCI_LAYOUT,
        "documents.layout",
        "OciLayout",
        ("index.json",),
        (HolderForm.OBJECTS,),
    ),
    SourceType(SourceKind.DIR, "documents.directory", "SkopeoDirectory", ("version",)),
    # blobs that none of the sources above has
    SourceType(SourceKind.BLOBS, "documents.shared_blobs", "BlobFolder", ALGORITHMS),
    # archives of docker ≥ 25 are image layouts too, but manifest.json decides about names
    SourceType(
        SourceKind.DOCKER_ARCHIVE,
        "documents.docker_archive",
        "DockerArchive",
        forms=(HolderForm.ARCHIVE,),
    ),
    SourceType(
        SourceKind.OCI_ARCHIVE, "documents.layout", "OciArchive", forms=(HolderForm.ARCHIVE,)
    ),
    # any other tar
    SourceType(SourceKind.TAR, "documents.layer_tar", "LayerTar", forms=(HolderForm.ARCHIVE,)),
)

#: what shows each kind, for the user whose folder has none of them
LOOKED_FOR = (
    "docker (image/<driver>), containerd (io.containerd.*), podman (<driver>-images), "
    "registry (docker/registry/v2), image layout (oci-layout, index.json), dir: (version, "
    "manifest.json), archives (.tar); not read: buildkit, soci, stargz, nydus"
)
