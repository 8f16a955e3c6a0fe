"""A scan: which layers must be read, reading them, and what is said of every image at the end.

A layer is read once for ever: where a digest-checked config names a diff ID whose verified rows
the sink has, its blob is not opened. Rows that are not what manifest or config say are kept under
a key of their source, so that they never answer for the real layer.
"""

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from dedupe.model.identity import LayerKey, chain_ids
from dedupe.model.images import (
    BlobRef,
    FoundImage,
    FoundLayer,
    FoundSource,
    LayerState,
    Problem,
    Severity,
)
from dedupe.model.rows import LayerFacts
from dedupe.scan.interface import (
    ProblemRow,
    Progress,
    ScannedImage,
    ScannedImageLayer,
    ScanResult,
    Sink,
    as_row,
)
from dedupe.scan.pool import Done, Failed, Read, Rows, run


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What a scan did, for the person who ran it."""

    scan_id: str
    sources: int
    images: int
    layers_read: int
    layers_named: int
    entries: int
    errors: int
    problems: tuple[ProblemRow, ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A layer to read, and what is said of it; equal claims are read once."""

    source: str
    diff_id: str | None
    digest: str | None
    blob: BlobRef
    checked: bool


@dataclass(slots=True)
class _Answers:
    """What has become of claims so far."""

    keys: dict[tuple[str | None, str | None, BlobRef], LayerKey] = field(default_factory=dict)
    facts: dict[tuple[str | None, str | None, BlobRef], LayerFacts] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    broken: set[BlobRef] = field(default_factory=set)


def scan(
    found: Iterable[FoundSource | Problem],
    sink: Sink,
    progress: Progress,
    *,
    workers: int | None = None,
    verify: bool = False,
) -> ScanOutcome:
    """Read every layer that the sink does not have, and commit what the sources say."""
    started = time.time()
    sources: list[FoundSource] = []
    problems: list[ProblemRow] = []
    for item in found:
        if isinstance(item, Problem):
            problems.append(as_row(item.subject, item))
        else:
            sources.append(item)
            problems += [as_row(item.location, problem) for problem in item.problems]
    answers = _Answers()
    claims = _plan(sources, sink, answers, verify=verify)
    entries = _read_all(claims, sink, progress, answers, problems, workers or os.cpu_count() or 1)
    images = [
        _finish(source.location, image, answers) for source in sources for image in source.images
    ]
    named = sum(layer.state is LayerState.NAMED for image in images for layer in image.layers)
    result = ScanResult(
        tuple(sources),
        tuple(images),
        tuple(problems),
        started,
        time.time(),
        len(answers.facts),
        named,
    )
    return ScanOutcome(
        # a mistyped path must not hide the report of the scan before
        scan_id=sink.commit(result) if sources else "",
        sources=len(sources),
        images=len({image.image_id for image in images}),
        layers_read=len(answers.facts),
        layers_named=named,
        entries=entries,
        errors=sum(problem.severity is Severity.ERROR for problem in problems),
        problems=tuple(problems),
    )


def _plan(
    sources: list[FoundSource], sink: Sink, answers: _Answers, *, verify: bool
) -> list[_Claim]:
    """Layers to read, the largest first so that none is left alone at the end."""
    claims: dict[tuple[str | None, str | None, BlobRef | None], _Claim] = {}
    for source in sources:
        for image in source.images:
            for layer in image.layers:
                diff_id = layer.diff_id
                if diff_id and layer.claim_checked and sink.has_layer(diff_id):
                    answers.verified.add(diff_id)
                    if not verify:
                        continue
                if layer.blob is None or layer.state is not None:
                    continue
                # the same checked claim in two places is one layer, unless every blob is asked for
                one = diff_id is not None and layer.claim_checked and not verify
                key = (diff_id, None, None) if one else (diff_id, layer.digest, layer.blob)
                claims.setdefault(
                    key,
                    _Claim(source.location, diff_id, layer.digest, layer.blob, layer.claim_checked),
                )
    return sorted(claims.values(), key=lambda claim: -claim.blob.size)


def _read_all(
    claims: list[_Claim],
    sink: Sink,
    progress: Progress,
    answers: _Answers,
    problems: list[ProblemRow],
    workers: int,
) -> int:
    """Read these layers into the sink; returns the number of rows."""
    progress.start(len(claims), sum(claim.blob.size for claim in claims))
    entries = 0
    begun: set[int] = set()
    for event in run([claim.blob for claim in claims], min(workers, len(claims))):
        match event:
            case Read(count):
                progress.advance(count)
            case Rows(task, columns):
                if task not in begun:
                    begun.add(task)
                    sink.begin_layer(task)
                sink.add_rows(task, columns)
            case Done(task, facts):
                if task not in begun:
                    sink.begin_layer(task)
                entries += facts.entries
                _keep(task, claims[task], facts, sink, answers, problems)
                progress.layer_done()
            case Failed(task, code, message):
                if task in begun:
                    sink.drop_layer(task)
                claim = claims[task]
                answers.broken.add(claim.blob)
                problems.append(
                    ProblemRow(claim.source, _subject(claim), code, message, Severity.ERROR)
                )
                progress.layer_done()
    return entries


def _keep(
    task: int,
    claim: _Claim,
    facts: LayerFacts,
    sink: Sink,
    answers: _Answers,
    problems: list[ProblemRow],
) -> None:
    """Compare what was read with what was claimed, and store the rows under the right key."""
    verified = True
    if (
        claim.digest is not None
        and claim.digest.startswith("sha256:")
        and claim.digest != facts.digest
    ):
        verified = False
        problems.append(
            ProblemRow(
                claim.source,
                _subject(claim),
                "digest-mismatch",
                f"digest mismatch: the manifest says {claim.digest}, the blob gives {facts.digest}",
                Severity.ERROR,
            )
        )
    if claim.diff_id is not None and claim.diff_id != facts.diff_id:
        verified = False
        problems.append(
            ProblemRow(
                claim.source,
                _subject(claim),
                "diff-id-mismatch",
                f"diff ID mismatch: the config says {claim.diff_id}, "
                f"the stream gives {facts.diff_id}",
                Severity.ERROR,
            )
        )
    if facts.trailing_bytes:
        problems.append(
            ProblemRow(
                claim.source,
                _subject(claim),
                "data-after-end",
                f"{facts.trailing_bytes} bytes that are not zero follow the end of the tar",
                Severity.NOTE,
            )
        )
    key = LayerKey(facts.diff_id) if verified else _unverified(claim.source, facts.diff_id)
    identity = (claim.diff_id, claim.digest, claim.blob)
    answers.keys[identity] = key
    answers.facts[identity] = facts
    if verified:
        answers.verified.add(facts.diff_id)
    sink.end_layer(task, key, facts, verified=verified)


def _finish(source: str, image: FoundImage, answers: _Answers) -> ScannedImage:
    """The image with what became of each of its layers."""
    states = [_outcome(layer, answers) for layer in image.layers]
    # a layer without rows still has its place in the chain, under what is claimed of it
    chains = list(
        chain_ids(
            key or layer.diff_id or layer.digest or f"unknown:{position}"
            for position, ((key, _, _), layer) in enumerate(zip(states, image.layers, strict=True))
        )
    )
    image_id = image.image_id or "bare:" + (chains[-1] if chains else "empty")
    return ScannedImage(
        source=source,
        image_id=image_id,
        digest=image.digest,
        names=image.names,
        platform=str(image.platform),
        created=image.created,
        layers=tuple(
            ScannedImageLayer(
                position=position,
                diff_id=layer.diff_id or (facts.diff_id if facts else None),
                layer=key,
                chain_id=chain,
                digest=layer.digest or (facts.digest if facts else None),
                compressed_bytes=layer.blob.size if layer.blob else None,
                created_by=layer.created_by,
                state=state,
            )
            for position, ((key, state, facts), layer, chain) in enumerate(
                zip(states, image.layers, chains, strict=True)
            )
        ),
    )


def _outcome(
    layer: FoundLayer, answers: _Answers
) -> tuple[LayerKey | None, LayerState, LayerFacts | None]:
    """Key of the rows that stand for this layer, what became of it, and what reading it showed."""
    facts = None
    if layer.blob is not None and layer.state is None:
        identity = (layer.diff_id, layer.digest, layer.blob)
        facts = answers.facts.get(identity)
        if facts is not None:
            key = answers.keys[identity]
            read = key == facts.diff_id
            return key, LayerState.READ if read else LayerState.UNVERIFIED, facts
    if layer.diff_id and layer.claim_checked and layer.diff_id in answers.verified:
        return LayerKey(layer.diff_id), layer.state or LayerState.NAMED, None
    return None, layer.state or LayerState.BROKEN, None


def _unverified(source: str, diff_id: str) -> LayerKey:
    place = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return LayerKey(f"unverified:{place}:{diff_id.removeprefix('sha256:')}")


def _subject(claim: _Claim) -> str:
    return claim.digest or claim.diff_id or claim.source
