"""What sources claim about layers, and what reading the layers has shown.

A layer is read once: if a config that was checked against its digest names a diff ID, and the sink
has verified rows of that diff ID, the layer is reused and not opened. Rows of folders that were
walked are kept under a key of their source, so that they never stand for the claimed layer. Content
that is not what the config claims is not kept: what the layer holds is unknown.

A quick scan lists layers that are kept unpacked, and opens no blob. Its rows have a key of the
source that was listed. Those of tar-split data stand for the same diff ID in other sources of this
scan, as a layer does that a full scan verified; no rows stand for a layer of another scan.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dedupe.model.entries import LayerFacts, Verified
from dedupe.model.identity import LayerKey
from dedupe.model.images import (
    BlobRef,
    FoundContainer,
    FoundLayer,
    FoundSource,
    LayerRef,
    LayerState,
    ListedRef,
    ObjectRef,
)
from dedupe.scan.interface import Sink


@dataclass(frozen=True, slots=True)
class Claim:
    """A layer to read and what its source claims about it; equal claims are read once."""

    source: str
    diff_id: str | None
    digest: str | None
    content: LayerRef
    #: whether the config that names the diff ID was checked
    is_checked: bool = False
    #: whether the source has a blob of the layer too, which was not to be read
    has_blob: bool = False

    @property
    def subject(self) -> str:
        """What a problem with this layer is reported for."""
        return self.digest or self.diff_id or self.source


@dataclass(frozen=True, slots=True)
class ProvenLayer:
    """The key of the rows that were read for a claim, and how far they are proven."""

    key: LayerKey
    verified: Verified
    facts: LayerFacts
    #: whether the content is not what the config claims, so that it says nothing about the layer
    is_other: bool = False
    #: whether rows of a quick scan stand for the claimed diff ID, wherever their source has it
    is_claimed: bool = False
    #: whether they do so in all sources of the scan
    is_shared: bool = False

    @property
    def state(self) -> LayerState:
        """What became of a layer that these rows are of."""
        if self.facts.is_listed:
            return LayerState.LISTED
        return LayerState.UNVERIFIED if self.verified is Verified.NONE else LayerState.READ


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A difference between a claim and what was read."""

    code: str
    message: str


@dataclass(slots=True)
class ScanState:
    """What is known about layers so far, from this scan and from the sink."""

    #: whether layers are listed only, and blobs not opened
    quick: bool = False
    read: dict[Claim, ProvenLayer] = field(default_factory=dict)
    #: diff IDs of verified rows that the sink has
    verified: set[str] = field(default_factory=set)
    #: digest of a blob -> diff ID of its verified rows
    blobs: dict[str, str] = field(default_factory=dict)
    #: diff ID of verified rows -> size of the tar, if it is known
    tar_bytes: dict[str, int] = field(default_factory=dict)

    #: source and diff ID -> key of the rows that a quick scan has listed for it; no source: of any
    listed: dict[tuple[str | None, str], LayerKey] = field(default_factory=dict)
    #: blob that its source has no digest of, and that was not read as a layer -> its digest; None
    #: if it cannot be hashed
    digests: dict[BlobRef | ObjectRef, str | None] = field(default_factory=dict)

    def add_read(self, claim: Claim, layer: ProvenLayer) -> None:
        """Record what reading a claim gave."""
        self.read[claim] = layer
        if layer.is_claimed and claim.diff_id is not None:
            place = None if layer.is_shared else claim.source
            self.listed.setdefault((place, claim.diff_id), layer.key)
        if layer.verified is not Verified.NONE:
            self.verified.add(layer.key)
            if layer.facts.tar_bytes is not None:
                self.tar_bytes[layer.key] = layer.facts.tar_bytes

    def add_kept(self, layer: FoundLayer, sink: Sink) -> None:
        """Record the rows that the sink has for this layer, if any."""
        if layer.diff_id and layer.claim_checked:
            # without content the layer cannot be read again
            if sink.has_layer(layer.diff_id, of_older_reader=layer.content is None):
                self.verified.add(layer.diff_id)
                self._add_tar_bytes(layer, layer.diff_id, sink)
        elif layer.digest:
            diff_id = sink.layer_of_blob(layer.digest)
            if diff_id:
                self.blobs[layer.digest] = diff_id

    def _add_tar_bytes(self, layer: FoundLayer, diff_id: str, sink: Sink) -> None:
        """Record the size of the tar if the layer's blob has no digest in its source."""
        if layer.blob is None or layer.digest is not None or diff_id in self.tar_bytes:
            return
        size = sink.tar_bytes(diff_id)
        if size is not None:
            self.tar_bytes[diff_id] = size

    def outcome_of(
        self, source: str, layer: FoundLayer
    ) -> tuple[LayerKey | None, LayerState, ProvenLayer | None]:
        """Key of this layer's rows, its state, and what was read if it was read from its place."""
        claim = self.claim_of(source, layer)
        read = self.read.get(claim) if claim else None
        listed = self._listed(source, layer)
        if read and listed is None and layer.state is None and not read.is_other:
            return read.key, read.state, read
        diff_id = self.reusable(layer)
        if diff_id is not None:
            return LayerKey(diff_id), layer.state or LayerState.REUSED, read
        if listed is not None:
            return listed, layer.state or LayerState.LISTED, read
        if self.quick and claim is None and layer.content is not None:
            return None, layer.state or LayerState.UNOPENED, read
        missing = LayerState.MISMATCHED if read and read.is_other else LayerState.BROKEN
        return None, layer.state or missing, read

    def _listed(self, source: str, layer: FoundLayer) -> LayerKey | None:
        """Key of the rows of a quick scan that stand for what the config claims of this layer."""
        if layer.diff_id is None or not layer.claim_checked:
            return None
        known = (self.listed.get((place, layer.diff_id)) for place in (None, source))
        return next((key for key in known if key is not None), None)

    def chain_key(self, source: str, key: LayerKey | None, layer: FoundLayer) -> str | None:
        """What stands for a layer in chain IDs; None if nothing is known of it.

        Listed rows stand for the diff ID that is claimed if a full scan could verify it, so that
        chain IDs are the same after it. Without rows, the layer is in the chain as it is claimed.
        """
        if key is None or key == self._listed(source, layer):
            return layer.diff_id or layer.digest
        return key

    def unread_blob(self, source: str, layer: FoundLayer) -> str | None:
        """Diff ID of a layer whose blob has no digest yet, because its rows were there already."""
        claim = self.claim_of(source, layer)
        if layer.digest is not None or layer.blob is None or claim in self.read:
            return None
        return self.reusable(layer)

    def claim_of(self, source: str, layer: FoundLayer) -> Claim | None:
        """The claim that reading this layer would test; None if there is nothing to read."""
        content = layer.content
        if self.quick:
            content = ListedRef(layer.tree) if layer.tree else None
        if content is None:
            return None
        if not self.quick:
            return Claim(source, layer.diff_id, layer.digest, content)
        has_blob = layer.blob is not None
        return Claim(source, layer.diff_id, layer.digest, content, layer.claim_checked, has_blob)

    def container_claim(self, source: str, container: FoundContainer) -> Claim | None:
        """The claim of a container's writable branch, which has no diff ID and no digest."""
        if container.upper is None:
            return None
        content = ListedRef(container.upper) if self.quick else container.upper
        return Claim(source, None, None, content)

    def digest_of(self, layer: FoundLayer) -> str | None:
        """The digest of a layer's blob that was not read as a layer, if it is known."""
        return self.digests.get(layer.blob) if layer.blob is not None else None

    def reusable(self, layer: FoundLayer) -> str | None:
        """Diff ID of verified rows that stand for this layer without reading it."""
        if layer.diff_id and layer.claim_checked and layer.diff_id in self.verified:
            return layer.diff_id
        # without a checked config, the manifest's digest still says which bytes these are
        return self.blobs.get(layer.digest or "") if not layer.claim_checked else None


def claims_to_read(
    sources: list[FoundSource], sink: Sink, state: ScanState, *, verify: bool, rehash: bool
) -> list[list[Claim]]:
    """Layers to read, each as the claims that may give it, to be tried in turn.

    The largest layer comes first: read last, it would keep one worker busy alone. ``verify`` asks
    for every claim, ``rehash`` for every layer once, whatever the sink has. Raises StoreError if
    the sink cannot say what it has.
    """
    layers: dict[object, list[Claim]] = {}
    for source, layer in layers_of(sources):
        if not rehash:
            state.add_kept(layer, sink)
        claim = state.claim_of(source, layer)
        if claim is None or layer.state is not None:
            continue
        if not verify and state.reusable(layer) is not None:
            continue
        # checked claims of one diff ID are one layer, unless every blob is asked for
        one_layer = layer.diff_id is not None and layer.claim_checked and not verify
        claims = layers.setdefault(layer.diff_id if one_layer else claim, [])
        if claim not in claims:
            claims.append(claim)
    for found in sources:
        for container in found.containers:
            upper = state.container_claim(found.location, container)
            if upper is not None:
                layers[upper] = [upper]
    if state.quick:
        for each in layers.values():
            each.sort(key=_has_no_tar)
    return sorted(layers.values(), key=lambda claims: -claims[0].content.size)


def _has_no_tar(claim: Claim) -> bool:
    """Whether only a folder shows what the layer holds."""
    return not (isinstance(claim.content, ListedRef) and claim.content.tree.split)


def check_claim(claim: Claim, facts: LayerFacts) -> tuple[ProvenLayer, list[Mismatch]]:
    """Compare what was read with what was claimed."""
    if facts.is_listed:
        # a full scan proves a layer by its blob or by its tar, and other folders by neither
        has_tar = facts.tar_bytes is not None
        key = _key_of_listed(claim, facts)
        is_claimed = claim.is_checked and (claim.has_blob or has_tar)
        is_shared = claim.is_checked and has_tar
        layer = ProvenLayer(key, Verified.NONE, facts, is_claimed=is_claimed, is_shared=is_shared)
        return layer, []
    mismatches = list(_mismatches(claim, facts))
    if mismatches or facts.diff_id is None:
        key = _key_of_source(claim.source, facts)
        # a blob under a wrong digest that has the claimed diff ID holds the claimed files
        is_other = bool(mismatches) and not (claim.diff_id and claim.diff_id == facts.diff_id)
        return ProvenLayer(key, Verified.NONE, facts, is_other), mismatches
    if facts.digest is None:
        verified = Verified.REBUILD
    else:
        verified = Verified.BLOB if claim.digest else Verified.DIFF_ID
    return ProvenLayer(LayerKey(facts.diff_id), verified, facts), mismatches


def _mismatches(claim: Claim, facts: LayerFacts) -> Iterator[Mismatch]:
    if (
        claim.digest is not None
        # other algorithms were not computed
        and claim.digest.startswith("sha256:")
        and facts.digest is not None
        and claim.digest != facts.digest
    ):
        yield Mismatch(
            "digest-mismatch",
            f"digest mismatch: the manifest says {claim.digest}, the blob gives {facts.digest}",
        )
    if claim.diff_id is not None and facts.diff_id is not None and claim.diff_id != facts.diff_id:
        yield Mismatch(
            "diff-id-mismatch",
            f"diff ID mismatch: the config says {claim.diff_id}, the stream gives {facts.diff_id}",
        )


def layers_of(sources: Iterable[FoundSource]) -> Iterator[tuple[str, FoundLayer]]:
    """Every layer of every image, with the location of its source."""
    for source in sources:
        for image in source.images:
            for layer in image.layers:
                yield source.location, layer


def _key_of_listed(claim: Claim, facts: LayerFacts) -> LayerKey:
    """Key of listed rows: layers of different diff IDs may differ in contents alone."""
    named = f"{claim.diff_id or claim.digest} {facts.rows_digest}"
    digest = hashlib.sha256(named.encode()).hexdigest()
    return LayerKey(f"listed:{_location(claim.source)}:{digest}")


def _location(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _key_of_source(source: str, facts: LayerFacts) -> LayerKey:
    rows = facts.diff_id.removeprefix("sha256:") if facts.diff_id else facts.rows_digest
    return LayerKey(f"unverified:{_location(source)}:{rows}")
