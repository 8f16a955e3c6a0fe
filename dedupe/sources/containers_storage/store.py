"""containers/storage: where podman, buildah and CRI-O keep images, layers and containers unpacked.

An image's layers may be in another root: a read-only image store, or the ``imagestore`` of a split
store. Such roots are searched in the order given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from dedupe.errors import SourceError
from dedupe.formats.documents import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    objects_in,
    parse_object,
    text_in,
)
from dedupe.host.store_root import StoreRoot
from dedupe.model.disk import HolderKind, PlaceFacts, PlaceHolder, PlaceKind
from dedupe.model.identity import (
    DiffID,
    Digest,
    ImageID,
    chain_ids,
    is_digest,
    is_hex_id,
    sha256_digest,
)
from dedupe.model.images import (
    FoundContainer,
    FoundImage,
    FoundLayer,
    LayerState,
    SourceKind,
    TreeRef,
    Whiteouts,
)
from dedupe.model.paths import printable
from dedupe.sources.containers_storage.lenders import configured_borrower, configured_lenders
from dedupe.sources.containers_storage.libpod import mounted_volumes, read_libpod
from dedupe.sources.containers_storage.needs import Commands, LayerNeeds
from dedupe.sources.containers_storage.parents import BuiltImage, history_of, parents_of
from dedupe.sources.containers_storage.records import (
    DRIVERS,
    StorageContainer,
    StorageImage,
    StorageLayer,
    StorageRecords,
    trees_of,
)
from dedupe.sources.containers_storage.usage import (
    ARTIFACTS,
    StoreFacts,
    is_artifact_layout,
    list_layers,
    measure_storage,
)
from dedupe.sources.documents.config import Config
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import NO_DESCENT, Candidate, Contents, Descent

#: the root that a layer is in, and its record
_Place = tuple[StoreRoot, StorageLayer]
_READABLE = ("overlay", "vfs")


@dataclass(frozen=True, slots=True)
class ContainersStorage:
    """The images and containers of one driver in a containers/storage root."""

    kind: ClassVar[SourceKind] = SourceKind.CONTAINERS_STORAGE
    location: str
    root: StoreRoot
    driver: str
    #: other roots that may have layers of this one's images
    lenders: tuple[StoreRoot, ...]
    #: other roots that were named: this one may have layers of their images
    borrowers: tuple[StoreRoot, ...] = ()

    @classmethod
    def recognise(cls, candidate: Candidate) -> "Sequence[ContainersStorage]":
        """A folder with the records of one or more drivers."""
        if not isinstance(candidate.holder, FolderHolder):
            return []
        store, drivers = candidate.holder.store, _drivers_in(candidate.holder)
        if not drivers:
            return []
        named = [folder for folder in candidate.named_folders if _drivers_in(FolderHolder(folder))]

        def roots(folders: Sequence[Path]) -> tuple[StoreRoot, ...]:
            return tuple(
                StoreRoot(folder, store.roots) for folder in folders if folder != store.path
            )

        lenders = roots([*configured_lenders(store.path), *named])
        return [cls(candidate.location, store, driver, lenders, roots(named)) for driver in drivers]

    def read_contents(self) -> Contents:
        """Read the images and containers, and measure the store; errors become problems."""
        contents = Contents()
        if self.driver in _READABLE:
            StorageReader(self, contents).read_store()
            return contents
        contents.add_unseen(
            self.driver,
            SourceError(
                f"images are kept by the driver {self.driver}, whose layers cannot be read",
                "unreadable-driver",
            ),
        )
        trees = trees_of(self.driver)
        try:
            folders = list_layers(self.root, trees, contents)
            measure_storage(StoreFacts(self.root, self.driver, trees, folders), contents)
        except SourceError as error:
            contents.add_unseen(self.driver, error)
        # which of its bytes are of layers is not known
        contents.unpacked = None
        return contents

    def descent(self) -> Descent:
        """Artifacts, which podman keeps as an image layout; all else is the store's."""
        return Descent(entries=(ARTIFACTS,)) if is_artifact_layout(self.root) else NO_DESCENT


def _drivers_in(holder: FolderHolder) -> list[str]:
    """Drivers that have records in this folder, even if they cannot be read."""
    return [
        driver
        for driver in DRIVERS
        if holder.has(f"{driver}-images/images.json")
        or (holder.has(f"{driver}-images") and holder.has(f"{driver}-layers"))
    ]


class StorageReader:
    """Reads one driver's images and containers in one root into ``contents``."""

    def __init__(self, source: ContainersStorage, contents: Contents) -> None:
        root, self._driver = source.root, source.driver
        self._commands = Commands(source.location, source.driver)
        self._records = StorageRecords(root, self._driver, contents)
        self._contents = contents
        #: (root, its layers): this store first, then its lenders
        self._stores = [(root, self._records.read_layers())]
        for lender in source.lenders:
            records = StorageRecords(lender, self._driver, contents)
            self._stores.append((lender, records.read_layers()))
        #: errors of the folders of layers that are links out of what the user named
        self._refused = {
            id(store): error
            for store, _ in self._stores
            if (error := _refused_link(store, trees_of(self._driver))) is not None
        }
        self._borrowers = source.borrowers
        self._libpod = read_libpod(root)
        #: who needs which layer
        self._needs = LayerNeeds()
        self._built: list[BuiltImage] = []
        #: layer ID of a writable branch -> its container
        self._branches: dict[str, str] = {}
        self._facts = StoreFacts(
            root,
            self._driver,
            trees_of(self._driver),
            [],
            are_users_known=True,
            podman=self._commands.podman,
        )

    def read_store(self) -> None:
        """Read all images and containers, and measure the store; errors become problems."""
        images: dict[str, ImageID] = {}
        for record in self._records.read_images():
            holder = PlaceHolder(
                HolderKind.RECORD, record.subject, self._commands.remove_image(record)
            )
            try:
                if not record.is_list:
                    image = self._image(record)
                    images[record.image_id] = image.image_id
                    self._contents.images.append(image)
                    holder = PlaceHolder(HolderKind.IMAGE, image.image_id)
            except SourceError as error:
                self._contents.add_error(record.subject, error)
            self._needs.holders[record.image_id] = holder
            self._facts.images[record.image_id] = PlaceFacts(
                PlaceKind.METADATA,
                owner=record.subject,
                subject=images.get(record.image_id),
                holders=(holder,),
                command=self._commands.remove_image(record),
            )
        self._add_parents()
        for container in self._records.read_containers():
            self._contents.containers.append(self._container(container, images))
        borrowed = self._needs.borrow(
            self._borrowers, self._driver, self._stores[0][1], self._contents
        )
        for image_id, holder in borrowed:
            self._facts.keep_image(image_id, holder)
        self._report_borrower()
        self._look_for_lost_records()
        self._measure()
        self._contents.moved = self._records.root.moved_folders()

    def _measure(self) -> None:
        layers = self._stores[0][1]
        unneeded = self._needs.unneeded(layers, self._commands)
        self._facts.layers = unneeded | self._needs.facts()
        for layer_id, container in self._branches.items():
            if list(self._needs.layers.get(layer_id, ())) == [container]:
                self._facts.layers[layer_id] = self._facts.containers[container]
        root, trees = self._records.root, self._facts.trees
        try:
            self._facts.folders = list_layers(root, trees, self._contents)
            if not layers.keys() >= set(filter(is_hex_id, self._facts.folders)):
                # a layer's record is written before its folder is made
                fresh = StorageRecords(root, self._driver, Contents()).read_layers()
                for layer_id in fresh.keys() - layers.keys():
                    self._facts.layers[layer_id] = PlaceFacts(PlaceKind.UPLOAD, subject=layer_id)
            measure_storage(self._facts, self._contents)
        except SourceError as error:
            self._contents.add_unseen(self._driver, error)

    def _add_parents(self) -> None:
        """Set the parent of each image that podman deletes with it."""
        lower = {
            layer_id: layer.parent
            for _, layers in self._stores
            for layer_id, layer in layers.items()
        }
        parents = parents_of(self._built, lower)
        self._contents.images = [
            replace(image, parent_id=parents.get(image.image_id)) for image in self._contents.images
        ]

    def _report_borrower(self) -> None:
        """Say if images of another store may use these layers, and it was not scanned."""
        borrower = configured_borrower(self._records.root.path)
        if borrower is None or any(_is_same(borrower, root.path) for root in self._borrowers):
            return
        self._contents.add_note(
            printable(borrower),
            "borrowed-layers",
            "its configuration names this store as an additional image store: its images and "
            "containers may need these layers; scan both to see which",
        )

    def _look_for_lost_records(self) -> None:
        """Layers that nothing needs may be those of images whose records are not there."""
        own = {
            layer_id
            for layer_id, layer in self._stores[0][1].items()
            if layer_id not in self._needs.layers and not layer.incomplete
        }
        if own and not self._records.has_images():
            self._contents.add_unseen(
                f"{self._driver}-images/images.json",
                SourceError(
                    f"no such file, but {len(own)} layers that no container needs", "blob-missing"
                ),
            )

    def _image(self, record: StorageImage) -> FoundImage:
        # layers first: they are needed even if the config cannot be read
        self._needs.name(record.image_id, record.subject, is_named=bool(record.names))
        chain = self._chain_of(record)
        data, checked = self._config(record)
        config = Config.parse(data, record.image_id)
        if chain is not None and len(chain) != len(config.diff_ids):
            error = SourceError(
                f"{record.image_id}: {len(chain)} layers in the store, "
                f"{len(config.diff_ids)} diff IDs in the config",
                "layer-count-mismatch",
            )
            self._contents.hide_references(record.subject, error)
            raise error
        if chain is not None:
            for (_, layer), chain_id in zip(chain, chain_ids(config.diff_ids), strict=True):
                self._needs.chains.setdefault(layer.layer_id, chain_id)
        image_id = ImageID(sha256_digest(data))
        self._built.append(BuiltImage(image_id, record.layer, config.diff_ids, history_of(data)))
        manifest_digest, digests = self._manifest(record, len(config.diff_ids))
        places: Sequence[_Place | None] = [None] * len(config.diff_ids) if chain is None else chain
        return FoundImage(
            image_id=image_id,
            digest=manifest_digest,
            names=tuple(printable(name) for name in record.names),
            layers=tuple(
                self._layer(place, diff_id, digest, step, checked)
                for place, diff_id, digest, step in zip(
                    places, config.diff_ids, digests, config.steps, strict=True
                )
            ),
            details=config.details,
            config_checked=checked,
            # of images that were pulled file by file, it is not the config's digest
            store_id=f"sha256:{printable(record.image_id)}",
        )

    def _config(self, record: StorageImage) -> tuple[bytes, bool]:
        """The config, and whether it has the digest that it is stored under."""
        keys = [name for name in record.data_names if name.startswith("sha256:")]
        key = f"sha256:{record.image_id}"
        if key not in keys and len(keys) == 1:
            key = keys[0]
        data = self._records.read_document(record.image_id, key, MAX_CONFIG_BYTES)
        found = sha256_digest(data)
        if found != key:
            self._contents.add_error(
                record.subject,
                SourceError(
                    f"digest mismatch: expected {printable(key)}, the config gives {found}",
                    "digest-mismatch",
                ),
            )
        return data, found == key

    def _manifest(
        self, record: StorageImage, layers: int
    ) -> tuple[Digest | None, list[Digest | None]]:
        """Digest of the platform's manifest, and of each layer's blob; None if not known."""
        unknown: list[Digest | None] = [None] * layers
        try:
            data = self._records.read_document(record.image_id, "manifest", MAX_MANIFEST_BYTES)
            document = parse_object(data, "manifest")
            named = [text_in(layer, "digest") for layer in objects_in(document, "layers")]
        except SourceError:
            # the image is complete without a manifest: only digests of blobs are missing
            return None, unknown
        digests = [Digest(name) if is_digest(name) else None for name in named]
        return sha256_digest(data), digests if len(digests) == layers else unknown

    def _chain_of(self, record: StorageImage) -> list[_Place] | None:
        """Layers of an image from the base up; None, and a problem, if one cannot be found."""
        try:
            for layer in record.mapped_layers:
                # copies that were deleted are named for a while
                if self._find(layer) is not None:
                    self._chain(layer, record.image_id)
            return self._chain(record.layer, record.image_id)
        except SourceError as error:
            if "layers.json" in self._records.unread:
                # that is a problem already
                self._contents.hide_references(record.subject, error)
            else:
                self._contents.add_unseen(record.subject, error)
            return None

    def _chain(self, top: str | None, user: str) -> list[_Place]:
        """Layers from the base up, which the record ``user`` needs.

        Raises SourceError ``layer-missing`` or ``layer-cycle``.
        """
        chain: list[_Place] = []
        seen: set[str] = set()
        layer_id = top
        while layer_id is not None:
            self._needs.add(layer_id, user)
            if layer_id in seen:
                raise SourceError(f"layer {layer_id} is its own ancestor", "layer-cycle")
            seen.add(layer_id)
            place = self._find(layer_id)
            if place is None:
                raise SourceError(
                    f"layer {layer_id} is in none of the scanned stores: "
                    "scan the image store that it is borrowed from too",
                    "layer-missing",
                )
            chain.append(place)
            layer_id = place[1].parent
        return chain[::-1]

    def _find(self, layer_id: str) -> _Place | None:
        for root, layers in self._stores:
            if layer_id in layers:
                return root, layers[layer_id]
        # files are replaced one by one: the layer may be newer than the layers.json that was read
        fresh = self._records.read_layers()
        self._stores[0] = (self._records.root, {**self._stores[0][1], **fresh})
        return (self._records.root, fresh[layer_id]) if layer_id in fresh else None

    def _layer(
        self,
        place: _Place | None,
        diff_id: DiffID,
        digest: Digest | None,
        step: str | None,
        checked: bool,
    ) -> FoundLayer:
        if place is None:
            absent = LayerState.ABSENT
            return FoundLayer(digest, diff_id, checked, None, absent, created_by=step)
        root, record = place
        state = None
        if id(root) in self._refused:
            state = LayerState.BROKEN
            self._contents.add_unseen(self._driver, self._refused[id(root)])
        elif record.incomplete:
            state = LayerState.BROKEN
            self._contents.add_error(
                diff_id,
                SourceError(
                    f"layer {record.layer_id} was not written completely", "layer-incomplete"
                ),
                diff_id,
            )
        elif root.has(self._driver, record.layer_id, "composefs-data"):
            state = LayerState.UNSUPPORTED
            self._contents.add_note(
                record.layer_id, "unsupported-layer", "kept as composefs, which is not read"
            )
        elif record.partial:
            self._contents.add_note(
                record.layer_id,
                "partial-pull",
                "pulled file by file: its diff ID was not checked, and times are those of the pull",
            )
        return FoundLayer(
            digest=digest,
            diff_id=diff_id,
            claim_checked=checked,
            blob=None,
            state=state,
            created_by=step,
            tree=self._tree(root, record) if state is None else None,
        )

    def _tree(self, root: StoreRoot, record: StorageLayer) -> TreeRef:
        split = (f"{self._driver}-layers", f"{record.layer_id}.tar-split.gz")
        whole = self._driver == "vfs"
        form = Whiteouts.NONE if whole else self._whiteouts(root)
        place, kept = root.place(self._folder(record.layer_id)), root.place(split)
        below = root.place(self._folder(record.parent)) if whole and record.parent else None
        return TreeRef(
            place.root,
            place.parts,
            split=kept.parts if root.has(*split) else None,
            split_root=kept.root,
            whiteouts=form,
            below=below.parts if below else None,
            uids=record.uids,
            gids=record.gids,
            size=record.diff_size,
        )

    def _whiteouts(self, root: StoreRoot) -> Whiteouts:
        """How whiteouts are stored: fuse-overlayfs, as mount program, writes them as names."""
        try:
            mark = root.read((self._driver, ".has-mount-program"), 16)
        except SourceError:
            return Whiteouts.KERNEL
        return Whiteouts.AUFS if mark.strip() == b"true" else Whiteouts.KERNEL

    def _folder(self, layer_id: str) -> tuple[str, ...]:
        folder = (*trees_of(self._driver), layer_id)
        return folder if self._driver == "vfs" else (*folder, "diff")

    def _container(self, record: StorageContainer, images: dict[str, ImageID]) -> FoundContainer:
        self._add_facts(record)
        upper = None
        place = self._find(record.layer)
        if place is None and "layers.json" not in self._records.unread:
            self._contents.add_unseen(
                record.name or record.container_id,
                SourceError(f"its layer {record.layer} is not in the store", "layer-missing"),
            )
        if place is not None:
            self._need(record)
            upper = self._tree(*place) if id(place[0]) not in self._refused else None
        return FoundContainer(
            container_id=record.container_id,
            name=record.name,
            image_id=images.get(record.image or "") or self._lent_image(record),
            image=record.image_name,
            upper=upper,
            running=self._libpod.running.get(record.container_id),
        )

    def _lent_image(self, record: StorageContainer) -> ImageID | None:
        """The image of a container if it is in another root that was scanned."""
        folder = f"{self._driver}-images"
        if is_hex_id(record.image) and any(
            root.has(folder, str(record.image)) for root in self._borrowers
        ):
            return ImageID(f"sha256:{record.image}")
        return None

    def _add_facts(self, record: StorageContainer) -> None:
        """Say what the files of a container are, and which volumes it uses."""
        name = record.name or record.container_id
        userdata = (f"{self._driver}-containers", record.container_id, "userdata")
        is_builder = self._records.root.has(*userdata, "buildah.json")
        command = self._commands.remove_container(record, is_builder=is_builder)
        holder = PlaceHolder(HolderKind.CONTAINER, name, command)
        self._needs.holders[record.container_id] = holder
        self._needs.name(record.container_id, name, is_named=False)
        facts = PlaceFacts(
            PlaceKind.CONTAINER,
            owner=name,
            subject=record.container_id,
            holders=(holder,),
            command=command,
        )
        self._facts.containers[record.container_id] = facts
        self._branches[record.layer] = record.container_id
        # no tool deletes an image that has a container
        self._facts.keep_image(record.image, holder)
        # buildah gives its containers no volumes
        for volume in [] if is_builder else self._volumes(record, userdata):
            self._facts.volume_users.setdefault(volume, []).append(holder)

    def _volumes(self, record: StorageContainer, userdata: tuple[str, ...]) -> list[str]:
        """Names of the volumes that a container uses."""
        if self._libpod.is_known:
            return self._libpod.volumes.get(record.container_id, [])
        if not self._records.root.has(*userdata, "config.json"):
            # it was never started, so nothing else says what it uses
            self._facts.are_users_known = False
        return mounted_volumes(self._records.root, userdata)

    def _need(self, record: StorageContainer) -> None:
        """Mark a container's layers as needed, also if its image was deleted by force."""
        try:
            self._chain(record.layer, record.container_id)
        except SourceError as error:
            self._contents.add_unseen(record.name or record.container_id, error)


def _is_same(name: str, path: Path) -> bool:
    try:
        return Path(name).samefile(path)
    except (OSError, ValueError):
        return False


def _refused_link(store: StoreRoot, trees: tuple[str, ...]) -> SourceError | None:
    """The error of a folder of layers that is a link out of what the user named."""
    try:
        store.find(*trees)
    except SourceError as error:
        return error if error.code == "link-refused" else None
    return None
