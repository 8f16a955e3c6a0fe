"""What sources claim about layers, and what reading them has shown of it.

A layer is read once for ever: where a digest-checked config names a diff ID whose verified rows
the sink has, it is not opened. Rows that are not what manifest or config say, and rows of folders
that were walked, are kept under a key of their source, so that they never answer for the real
layer.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from dedupe.model.identity import LayerKey
from dedupe.model.images import FoundContainer, FoundLayer, FoundSource, LayerRef, LayerState
from dedupe.model.rows import LayerFacts, Verified
from dedupe.scan.interface import Sink


@dataclass(frozen=True, slots=True)
class Claim:
    """A layer to read, and what is said of it; equal claims are read once."""

    source: str
    diff_id: str | None
    digest: str | None
    content: LayerRef

    @property
    def subject(self) -> str:
        """What a problem with this layer is said of."""
        return self.digest or self.diff_id or self.source


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows that stand for a claim, and how far they are proven."""

    key: LayerKey
    verified: Verified
    facts: LayerFacts


@dataclass(slots=True)
class Answers:
    """What has become of claims so far."""

    read: dict[Claim, Answer] = field(default_factory=dict)
    #: diff IDs whose verified rows the sink has, from this scan or an earlier one
    verified: set[str] = field(default_factory=set)
    #: digest of a blob -> diff ID of its verified rows
    blobs: dict[str, str] = field(default_factory=dict)

    def keep(self, claim: Claim, answer: Answer) -> None:
        """Remember what was read."""
        self.read[claim] = answer
        if answer.verified is not Verified.NONE:
            self.verified.add(answer.key)

    def of(
        self, source: str, layer: FoundLayer
    ) -> tuple[LayerKey | None, LayerState, Claim | None]:
        """Key of the rows that stand for this layer, and what became of it."""
        claim = claim_of(source, layer)
        answer = self.read.get(claim) if claim and layer.state is None else None
        if claim and answer:
            verified = answer.verified is not Verified.NONE
            return answer.key, LayerState.READ if verified else LayerState.UNVERIFIED, claim
        named = self.named(layer)
        if named is not None:
            return LayerKey(named), layer.state or LayerState.REUSED, claim
        return None, layer.state or LayerState.BROKEN, claim

    def named(self, layer: FoundLayer) -> str | None:
        """Diff ID of verified rows that answer for this layer without a look at it."""
        if layer.diff_id and layer.claim_checked and layer.diff_id in self.verified:
            return layer.diff_id
        # without a config to believe, the manifest's digest still says which bytes these are
        return self.blobs.get(layer.digest or "") if not layer.claim_checked else None


def claim_of(source: str, layer: FoundLayer) -> Claim | None:
    """The claim that reading this layer would test; None where there is nothing to read."""
    if layer.content is None:
        return None
    return Claim(source, layer.diff_id, layer.digest, layer.content)


def container_claim(source: str, container: FoundContainer) -> Claim | None:
    """The claim of a container's writable branch: nothing is said of it."""
    return Claim(source, None, None, container.upper) if container.upper else None


def plan(
    sources: list[FoundSource], sink: Sink, answers: Answers, *, verify: bool, rehash: bool
) -> list[list[Claim]]:
    """Layers to read, the largest first so that none is left alone at the end.

    Each is a list of places that claim to hold the same layer, to be tried in turn. ``verify`` asks
    for every place, known or not; ``rehash`` for every layer once, known or not.
    """
    places: dict[object, list[Claim]] = {}
    for source, layer in _layers(sources):
        diff_id = layer.diff_id
        if not rehash:
            _look_up(layer, sink, answers)
        claim = claim_of(source, layer)
        if claim is None or layer.state is not None:
            continue
        if not verify and answers.named(layer) is not None:
            continue
        # the same checked claim in two places is one layer, unless every blob is asked for
        one = diff_id is not None and layer.claim_checked and not verify
        claims = places.setdefault(diff_id if one else claim, [])
        if claim not in claims:
            claims.append(claim)
    for found in sources:
        for container in found.containers:
            upper = container_claim(found.location, container)
            if upper is not None:
                places[upper] = [upper]
    return sorted(places.values(), key=lambda claims: -claims[0].content.size)


def _look_up(layer: FoundLayer, sink: Sink, answers: Answers) -> None:
    """Remember what the sink has of this layer already."""
    if layer.diff_id and layer.claim_checked:
        if sink.has_layer(layer.diff_id):
            answers.verified.add(layer.diff_id)
    elif layer.digest:
        known = sink.layer_of_blob(layer.digest)
        if known:
            answers.blobs[layer.digest] = known


def answer(claim: Claim, facts: LayerFacts) -> tuple[Answer, list[tuple[str, str]]]:
    """Compare what was read with what was claimed; code and message of each mismatch."""
    wrong: list[tuple[str, str]] = []
    if (
        claim.digest is not None
        and claim.digest.startswith("sha256:")
        and facts.digest is not None
        and claim.digest != facts.digest
    ):
        wrong.append(
            (
                "digest-mismatch",
                f"digest mismatch: the manifest says {claim.digest}, the blob gives {facts.digest}",
            )
        )
    if claim.diff_id is not None and facts.diff_id is not None and claim.diff_id != facts.diff_id:
        wrong.append(
            (
                "diff-id-mismatch",
                f"diff ID mismatch: the config says {claim.diff_id}, "
                f"the stream gives {facts.diff_id}",
            )
        )
    if wrong or facts.diff_id is None:
        return Answer(_key_of_source(claim.source, facts), Verified.NONE, facts), wrong
    if facts.digest is None:
        verified = Verified.REBUILD
    else:
        verified = Verified.BLOB if claim.digest else Verified.DIFF_ID
    return Answer(LayerKey(facts.diff_id), verified, facts), wrong


def _layers(sources: list[FoundSource]) -> Iterator[tuple[str, FoundLayer]]:
    for source in sources:
        for image in source.images:
            for layer in image.layers:
                yield source.location, layer


def _key_of_source(source: str, facts: LayerFacts) -> LayerKey:
    place = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    rows = facts.diff_id.removeprefix("sha256:") if facts.diff_id else facts.rows_digest
    return LayerKey(f"unverified:{place}:{rows}")
