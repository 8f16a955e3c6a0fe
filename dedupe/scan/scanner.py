"""A scan: which layers must be read, reading them, and what became of every image."""

import os
import time
from collections.abc import Iterable, Sequence

from dedupe.errors import LayerError, SourceError
from dedupe.model.entries import LayerFacts, Verified
from dedupe.model.identity import chain_ids
from dedupe.model.images import (
    UNREAD_KINDS,
    FoundContainer,
    FoundFolder,
    FoundImage,
    FoundLayer,
    FoundSource,
    LayerState,
    Problem,
    Severity,
)
from dedupe.model.outcome import ProblemRow, ScanOutcome
from dedupe.scan.claims import (
    Claim,
    ScanState,
    check_claim,
    claims_to_read,
    layers_of,
)
from dedupe.scan.gone import gone_sources
from dedupe.scan.interface import (
    Progress,
    ScannedContainer,
    ScannedImage,
    ScannedImageLayer,
    ScanResult,
    Sink,
    problem_row,
)
from dedupe.scan.problems import merged, with_reasons


def scan_sources(
    found: Iterable[FoundSource | FoundFolder | Problem],
    sink: Sink,
    progress: Progress,
    *,
    places: Sequence[str] = (),
    workers: int | None = None,
    verify: bool = False,
    rehash: bool = False,
    quick: bool = False,
) -> ScanOutcome:
    """Read every layer that the sink does not have, and commit what was found.

    ``places`` are where it was looked for, as locations show them. ``verify`` reads every blob,
    ``rehash`` every layer, as if the sink had none. ``quick`` opens no blob and no file of a layer:
    layers that are kept unpacked are listed. Raises StoreError if the sink cannot keep what was
    read.
    """
    started = time.time()
    # first, because a catalog that is damaged would lose all that was read
    known = sink.known_sources() if places else []
    sources, folders, problems = _separated(found)
    state = ScanState(quick=quick)
    layers = claims_to_read(sources, sink, state, verify=verify, rehash=rehash)
    reader = _LayerReader(sink, progress, state, problems)
    reader.read(layers, workers or os.cpu_count() or 1)
    reader.read_digests(sources)
    problems += _quick_notes(sources, state) if quick else []
    images = [
        _scanned_image(source.location, image, state)
        for source in sources
        for image in source.images
    ]
    problems = merged(problems, images)
    images = with_reasons(images, problems)
    containers = [
        _scanned_container(source.location, container, state)
        for source in sources
        for container in source.containers
    ]
    result = ScanResult(
        sources=tuple(sources),
        folders=tuple(folders),
        images=tuple(images),
        containers=tuple(containers),
        problems=tuple(problems),
        places=tuple(dict.fromkeys(places)),
        gone=gone_sources(known, places, sources, problems),
        started=started,
        finished=time.time(),
        layers_read=len(state.read),
        layers_reused=sum(
            layer.state is LayerState.REUSED for image in images for layer in image.layers
        ),
    )
    return ScanOutcome(
        # a scan that found nothing is kept too: what it looked for must not seem to be there still
        scan_id=sink.commit(result) if sources or places else "",
        sources=len(sources),
        images=len({image.image_id for image in images}),
        layers_read=result.layers_read,
        layers_reused=result.layers_reused,
        entries=reader.entries,
        errors=sum(problem.severity is Severity.ERROR for problem in problems),
        incomplete_images=_count_incomplete(images),
        problems=result.problems,
        is_quick=quick,
        whole_sources=sum(
            source.kind not in UNREAD_KINDS and not _has_error(source) for source in sources
        ),
    )


def _quick_notes(sources: Sequence[FoundSource], state: ScanState) -> list[ProblemRow]:
    """Notes for each source with layers that a quick scan has left unread."""
    texts = {
        LayerState.UNOPENED: ("not-opened", "the blobs of {} were not opened"),
        LayerState.LISTED: ("contents-unread", "the contents of {} were not read"),
    }
    found = []
    for source in sources:
        states = [state.outcome_of(each, layer)[1] for each, layer in layers_of([source])]
        for kind, (code, text) in texts.items():
            count = states.count(kind)
            if count:
                layers = f"{count:,} {'layer' if count == 1 else 'layers'} of images"
                message = f"quick scan: {text.format(layers)}; 'dedupe scan' without --quick does"
                row = ProblemRow(source.location, ".", code, message, Severity.NOTE)
                found.append(row)
    return found


def _has_error(source: FoundSource) -> bool:
    return any(problem.severity is Severity.ERROR for problem in source.problems)


def _separated(
    found: Iterable[FoundSource | FoundFolder | Problem],
) -> tuple[list[FoundSource], list[FoundFolder], list[ProblemRow]]:
    """Sources, what is beside them, and the problems of both and of paths that are not sources."""
    sources: list[FoundSource] = []
    folders: list[FoundFolder] = []
    problems: list[ProblemRow] = []
    for item in found:
        if isinstance(item, Problem):
            problems.append(problem_row(item.subject, item))
        else:
            if isinstance(item, FoundFolder):
                folders.append(item)
            else:
                sources.append(item)
            problems += [problem_row(item.location, problem) for problem in item.problems]
    return sources, folders, problems


class _LayerReader:
    """Reads claims into the sink, and records what they have shown."""

    def __init__(
        self, sink: Sink, progress: Progress, state: ScanState, problems: list[ProblemRow]
    ) -> None:
        self._sink = sink
        self._progress = progress
        self._state = state
        self._problems = problems
        self._tokens = 0
        #: rows that were kept
        self.entries = 0

    def read(self, layers: list[list[Claim]], workers: int) -> None:
        """Read the first claim of each layer; if it fails or is not what it claims, the next."""
        size = 0 if self._state.quick else sum(claims[0].content.size for claims in layers)
        self._progress.start(len(layers), size)
        while layers:
            proven = self._read_first([claims[0] for claims in layers], workers)
            layers = [
                claims[1:]
                for number, claims in enumerate(layers)
                if number not in proven and len(claims) > 1
            ]

    def read_digests(self, sources: Iterable[FoundSource]) -> None:
        """Find the digests of blobs that were not read, and that their source has no digest of.

        A blob as large as its layer's tar is that tar, whose digest is the diff ID. Any other is
        compressed, and hashed unless the scan is a quick one.
        """
        for location, layer in layers_of(sources):
            diff_id = self._state.unread_blob(location, layer)
            if diff_id is None or layer.blob is None or layer.blob in self._state.digests:
                continue
            if layer.blob.size == self._state.tar_bytes.get(diff_id):
                self._state.digests[layer.blob] = diff_id
                continue
            if self._state.quick:
                continue
            # the reader takes a while to load, and few scans have such a blob
            from dedupe.layers.reader import blob_digest

            # a blob that cannot be hashed is reported once
            self._state.digests[layer.blob] = None
            try:
                self._state.digests[layer.blob] = blob_digest(layer.blob, self._progress.advance)
            except (LayerError, SourceError) as error:
                self._problems.append(
                    ProblemRow(location, diff_id, error.code, error.message, Severity.ERROR)
                )

    def _read_first(self, claims: list[Claim], workers: int) -> set[int]:
        """Read these claims; returns the numbers of those that are what they claim."""
        # processes and the reader take a while to load, and most scans have little to read
        from dedupe.scan.pool import (
            ByteCount,
            LayerEnd,
            LayerFailure,
            RowBatch,
            WorkersStarted,
            read_layers,
        )

        first, proven = self._tokens, set()
        self._tokens += len(claims)
        begun: set[int] = set()
        for event in read_layers([claim.content for claim in claims], min(workers, len(claims))):
            match event:
                case WorkersStarted():
                    self._sink.get_ready()
                case ByteCount(count):
                    self._progress.advance(count)
                case RowBatch(task, columns):
                    if task not in begun:
                        begun.add(task)
                        self._sink.begin_layer(first + task)
                    self._sink.add_rows(first + task, columns)
                case LayerEnd(task, facts):
                    if task not in begun:
                        self._sink.begin_layer(first + task)
                    if self._end_layer(first + task, claims[task], facts):
                        proven.add(task)
                    self._progress.layer_done()
                case LayerFailure(task, code, message):
                    if task in begun:
                        self._sink.drop_layer(first + task)
                    self._report(claims[task], code, message, Severity.ERROR)
                    self._progress.layer_done()
        return proven

    def _end_layer(self, token: int, claim: Claim, facts: LayerFacts) -> bool:
        """Keep the rows under the key that they have proven; whether that is what was claimed."""
        layer, mismatches = check_claim(claim, facts)
        for mismatch in mismatches:
            self._report(claim, mismatch.code, mismatch.message, Severity.ERROR)
        for code, message in facts.notes:
            self._report(claim, code, message, Severity.NOTE)
        if facts.trailing_bytes:
            self._report(
                claim,
                "data-after-end",
                f"{facts.trailing_bytes} bytes that are not zero follow the end of the tar",
                Severity.NOTE,
            )
        self._state.add_read(claim, layer)
        if layer.is_other:
            self._sink.drop_layer(token)
        else:
            self._sink.end_layer(token, layer.key, facts, layer.verified)
            self.entries += facts.entries
        return layer.verified is not Verified.NONE or layer.is_shared

    def _report(self, claim: Claim, code: str, message: str, severity: Severity) -> None:
        # the subject is the source if the layer is a container's or has no claimed digest
        blob = claim.subject if claim.subject != claim.source else None
        self._problems.append(
            ProblemRow(claim.source, claim.subject, code, message, severity, blob)
        )


def _scanned_image(source: str, image: FoundImage, state: ScanState) -> ScannedImage:
    """The image with what became of each of its layers."""
    outcomes = [state.outcome_of(source, layer) for layer in image.layers]
    # a layer without rows is in the chain too, under what is claimed about it
    chains = list(
        chain_ids(
            state.chain_key(source, key, layer) or f"unknown:{position}"
            for position, ((key, _, _), layer) in enumerate(
                zip(outcomes, image.layers, strict=True)
            )
        )
    )
    layers = [
        ScannedImageLayer(
            position=position,
            diff_id=layer.diff_id or (read.facts.diff_id if read else key),
            layer=key,
            chain_id=chain,
            digest=layer.digest or (read.facts.digest if read else state.digest_of(layer)),
            compressed_bytes=_compressed_bytes(layer, layer_state),
            created_by=layer.created_by,
            state=layer_state,
            allocated_bytes=layer.allocated_bytes,
        )
        for position, ((key, layer_state, read), layer, chain) in enumerate(
            zip(outcomes, image.layers, chains, strict=True)
        )
    ]
    image_id = image.image_id or "bare:" + (chains[-1] if chains else "empty")
    return ScannedImage(source, image_id, image, tuple(layers))


def _count_incomplete(images: Iterable[ScannedImage]) -> int:
    """Images with a layer of which no source has rows."""
    known: dict[tuple[str, int], bool] = {}
    for image in images:
        for layer in image.layers:
            place = (image.image_id, layer.position)
            known[place] = known.get(place, False) or layer.layer is not None
    return len({image for (image, _), is_known in known.items() if not is_known})


def _compressed_bytes(layer: FoundLayer, state: LayerState) -> int | None:
    """Size of the layer's blob in its source; None if the source has none."""
    if layer.blob is not None:
        return layer.blob.size
    # the blob is there, but could not be opened: its size is the one that the manifest gives
    return layer.claimed_bytes if state is LayerState.BROKEN else None


def _scanned_container(
    source: str, container: FoundContainer, state: ScanState
) -> ScannedContainer:
    claim = state.container_claim(source, container)
    read = state.read.get(claim) if claim else None
    return ScannedContainer(
        source=source,
        container_id=container.container_id,
        name=container.name,
        image_id=container.image_id,
        image=container.image,
        running=container.running,
        layer=read.key if read else None,
        allocated_bytes=container.allocated_bytes,
    )
