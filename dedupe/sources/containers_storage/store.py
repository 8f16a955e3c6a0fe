"""containers/storage: where podman, buildah and CRI-O keep images, layers and containers unpacked.

An image's layers may lie in another root: an image store that is read-only, or the ``imagestore``
of a split one. Such roots are looked through in the order given.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.formats.bolt import BoltFile, Bucket
from dedupe.formats.documents import (
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    objects_in,
    parse_object,
    text_in,
)
from dedupe.model.identity import DiffID, Digest, ImageID, is_digest, sha256_digest
from dedupe.model.images import (
    FoundContainer,
    FoundImage,
    FoundLayer,
    LayerState,
    TreeRef,
    Whiteouts,
)
from dedupe.model.paths import path_text, printable
from dedupe.sources.containers_storage.records import (
    DRIVERS,
    ContainerRecord,
    ImageRecord,
    LayerRecord,
    Records,
)
from dedupe.sources.containers_storage.usage import measure_storage
from dedupe.sources.documents.config import Config
from dedupe.sources.holders.folder import FolderHolder
from dedupe.sources.interface import Contents

_READABLE = ("overlay", "vfs")
_CONFIGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
#: libpod's states of a container whose process is there: running, paused, stopping
_ALIVE = (3, 5, 8)


def drivers_in(holder: FolderHolder) -> list[str]:
    """Drivers whose records lie in this folder, also where what they are in is closed to us."""
    return [
        driver
        for driver in DRIVERS
        if holder.has(f"{driver}-images/images.json")
        or (holder.has(f"{driver}-images") and holder.has(f"{driver}-layers"))
    ]


class StorageReader:
    """Reads one driver's images and containers in one root."""

    def __init__(
        self, root: Path, driver: str, contents: Contents, others: Sequence[Path] = ()
    ) -> None:
        self._records = Records(root, driver, contents)
        self._driver = driver
        self._contents = contents
        #: (root, its layers): this store first, then those that it may borrow from
        self._stores = [(root, self._records.layers())]
        for other in others:
            borrowed = Records(other, driver, contents)
            self._stores.append((other, borrowed.layers()))
        #: layer IDs that an image or a container needs
        self._needed: set[str] = set()

    def read(self) -> None:
        """All images and containers, and what they take; problems become rows."""
        if self._driver not in _READABLE:
            raise SourceError(
                f"images are kept by the driver {self._driver}, whose layers cannot be read",
                "unreadable-driver",
            )
        images: dict[str, ImageID] = {}
        for record in self._records.images():
            try:
                image = self._image(record)
            except SourceError as error:
                subject = printable(record.names[0]) if record.names else record.image_id
                self._contents.failed(subject, error)
                continue
            images[record.image_id] = image.image_id
            self._contents.images.append(image)
        running = _running(self._records.root)
        for container in self._records.containers():
            self._contents.containers.append(self._container(container, images, running))
        try:
            measure_storage(
                self._records.root,
                _trees(self._driver),
                f"{self._driver}-images",
                self._needed,
                self._contents,
            )
        except SourceError as error:
            self._contents.failed(self._driver, error, once=error.code == "permission-denied")

    def _image(self, record: ImageRecord) -> FoundImage:
        data, checked = self._config(record)
        config = Config.parse(data, record.image_id)
        chain = self._chain(record.layer)
        if len(chain) != len(config.diff_ids):
            raise SourceError(
                f"{record.image_id}: {len(chain)} layers in the store, "
                f"{len(config.diff_ids)} diff IDs in the config",
                "layer-count-mismatch",
            )
        manifest_digest, digests = self._manifest(record, len(chain))
        return FoundImage(
            image_id=ImageID(sha256_digest(data)),
            digest=manifest_digest,
            names=tuple(printable(name) for name in record.names),
            platform=config.platform,
            layers=tuple(
                self._layer(place, diff_id, digest, step, checked)
                for place, diff_id, digest, step in zip(
                    chain, config.diff_ids, digests, config.steps, strict=True
                )
            ),
            created=config.created,
            config_checked=checked,
        )

    def _config(self, record: ImageRecord) -> tuple[bytes, bool]:
        """The config, and whether it has the digest that it is filed under."""
        keys = [name for name in record.data_names if name.startswith("sha256:")]
        key = f"sha256:{record.image_id}"
        if key not in keys and len(keys) == 1:
            key = keys[0]
        data = self._records.document(record.image_id, key, MAX_CONFIG_BYTES)
        found = sha256_digest(data)
        if found != key:
            self._contents.failed(
                printable(record.names[0]) if record.names else record.image_id,
                SourceError(
                    f"digest mismatch: expected {printable(key)}, the config gives {found}",
                    "digest-mismatch",
                ),
            )
        return data, found == key

    def _manifest(
        self, record: ImageRecord, layers: int
    ) -> tuple[Digest | None, list[Digest | None]]:
        """Digest of the platform's manifest, and of each layer's blob where it names them."""
        unknown: list[Digest | None] = [None] * layers
        try:
            data = self._records.document(record.image_id, "manifest", MAX_MANIFEST_BYTES)
            document = parse_object(data, "manifest")
            named = [text_in(layer, "digest") for layer in objects_in(document, "layers")]
        except SourceError:
            # an image without one is whole all the same: only digests of blobs are missing
            return None, unknown
        digests = [Digest(name) if is_digest(name) else None for name in named]
        return sha256_digest(data), digests if len(digests) == layers else unknown

    def _chain(self, top: str | None) -> list[tuple[Path, LayerRecord]]:
        """Layers from the base up; raises SourceError ``layer-missing`` or ``layer-cycle``."""
        chain: list[tuple[Path, LayerRecord]] = []
        seen: set[str] = set()
        layer_id = top
        while layer_id is not None:
            if layer_id in seen:
                raise SourceError(f"layer {layer_id} is its own ancestor", "layer-cycle")
            seen.add(layer_id)
            place = self._find(layer_id)
            if place is None:
                raise SourceError(
                    f"layer {layer_id} is in no store that was looked at: "
                    "scan the image store that it is borrowed from too",
                    "layer-missing",
                )
            chain.append(place)
            layer_id = place[1].parent
        self._needed |= seen
        return chain[::-1]

    def _find(self, layer_id: str) -> tuple[Path, LayerRecord] | None:
        for root, layers in self._stores:
            if layer_id in layers:
                return root, layers[layer_id]
        # files are replaced one by one: the layer may have come after layers.json was read
        fresh = self._records.layers()
        self._stores[0] = (self._records.root, {**self._stores[0][1], **fresh})
        return (self._records.root, fresh[layer_id]) if layer_id in fresh else None

    def _layer(
        self,
        place: tuple[Path, LayerRecord],
        diff_id: DiffID,
        digest: Digest | None,
        step: str | None,
        checked: bool,
    ) -> FoundLayer:
        root, record = place
        state = None
        if record.incomplete:
            state = LayerState.BROKEN
            self._contents.failed(
                record.layer_id,
                SourceError("a layer that was never written to its end", "layer-incomplete"),
            )
        elif _has(root, (self._driver, record.layer_id, "composefs-data")):
            state = LayerState.UNSUPPORTED
            self._contents.note(
                record.layer_id, "unsupported-layer", "kept as composefs, which is not read"
            )
        elif record.partial:
            self._contents.note(
                record.layer_id,
                "partial-pull",
                "pulled file by file: its diff ID was never seen, and times are those of the pull",
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

    def _tree(self, root: Path, record: LayerRecord) -> TreeRef:
        split = (f"{self._driver}-layers", f"{record.layer_id}.tar-split.gz")
        whole = self._driver == "vfs"
        form = Whiteouts.NONE if whole else self._form(root)
        return TreeRef(
            root,
            self._folder(record.layer_id),
            split=split if _has(root, split) else None,
            whiteouts=form,
            below=self._folder(record.parent) if whole and record.parent else None,
            uids=record.uids,
            gids=record.gids,
            size=record.diff_size,
        )

    def _form(self, root: Path) -> Whiteouts:
        """fuse-overlayfs, where it is the mount program, writes whiteouts as names."""
        try:
            mark = FolderHolder(root).read(f"{self._driver}/.has-mount-program", 16)
        except SourceError:
            return Whiteouts.KERNEL
        return Whiteouts.AUFS if mark.strip() == b"true" else Whiteouts.KERNEL

    def _folder(self, layer_id: str) -> tuple[str, ...]:
        folder = (*_trees(self._driver), layer_id)
        return folder if self._driver == "vfs" else (*folder, "diff")

    def _container(
        self, record: ContainerRecord, images: dict[str, ImageID], running: dict[str, bool]
    ) -> FoundContainer:
        upper = None
        place = self._find(record.layer)
        if place is None:
            self._contents.failed(
                record.name or record.container_id,
                SourceError(f"its layer {record.layer} is not in the store", "layer-missing"),
            )
        else:
            self._needed.add(record.layer)
            upper = self._tree(*place)
        return FoundContainer(
            container_id=record.container_id,
            name=record.name,
            image_id=images.get(record.image or ""),
            image=record.image_name,
            upper=upper,
            running=running.get(record.container_id),
        )


def stores_beside(root: Path) -> list[Path]:
    """Image stores that the host's configuration lends to this root, if it is the host's."""
    for name in _CONFIGS:
        try:
            with open(name, "rb") as file:
                storage = tomllib.load(file).get("storage", {})
        except (OSError, tomllib.TOMLDecodeError):
            continue
        try:
            if not Path(storage.get("graphroot", "")).samefile(root):
                return []
        except (OSError, TypeError):
            return []
        options = storage.get("options", {})
        named = [storage.get("imagestore"), *options.get("additionalimagestores", [])]
        return [Path(name) for name in named if isinstance(name, str) and name]
    return []


def _trees(driver: str) -> tuple[str, ...]:
    """Folder of the folders of layers."""
    return ("vfs", "dir") if driver == "vfs" else (driver,)


def _has(root: Path, parts: Sequence[str]) -> bool:
    try:
        root.joinpath(*parts).lstat()
    except OSError:
        return False
    return True


def _running(root: Path) -> dict[str, bool]:
    """Containers by ID whose state libpod's own database keeps; empty where there is none."""
    try:
        containers = BoltFile.open(root, ("libpod", "bolt_state.db")).bucket(b"ctr")
    except SourceError:
        return {}
    found: dict[str, bool] = {}
    if containers is None:
        return found
    for name, value in containers:
        if not isinstance(value, Bucket):
            continue
        try:
            document = parse_object(value.values().get(b"state", b""), "state")
        except SourceError:
            continue
        found[path_text(name)] = document.get("state") in _ALIVE
    return found
