"""A scan: which layers must be read, reading them, and what is said of every image at the end."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from dedupe.errors import Exit, LayerError, SourceError
from dedupe.model.identity import chain_ids
from dedupe.model.images import (
    FoundContainer,
    FoundImage,
    FoundSource,
    LayerState,
    Problem,
    Severity,
)
from dedupe.model.rows import LayerFacts, Verified
from dedupe.scan.claims import Answers, Claim, answer, container_claim, plan
from dedupe.scan.interface import (
    ProblemRow,
    Progress,
    ScannedContainer,
    ScannedImage,
    ScannedImageLayer,
    ScanResult,
    Sink,
    as_row,
)
from dedupe.scan.pool import Done, Failed, Read, Rows, Started, run


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What a scan did, for the person who ran it."""

    scan_id: str
    sources: int
    images: int
    layers_read: int
    layers_reused: int
    entries: int
    errors: int
    problems: tuple[ProblemRow, ...]

    @property
    def exit_code(self) -> int:
        """0, 1 where something was skipped, else the code of the class that all failed with."""
        if not self.errors:
            return Exit.COMPLETE
        if not self.images:
            return SourceError.exit_code
        return Exit.SKIPPED if self.layers_read + self.layers_reused else LayerError.exit_code


def scan(
    found: Iterable[FoundSource | Problem],
    sink: Sink,
    progress: Progress,
    *,
    workers: int | None = None,
    verify: bool = False,
    rehash: bool = False,
) -> ScanOutcome:
    """Read every layer that the sink does not have, and commit what the sources say.

    ``verify`` reads every blob all the same, ``rehash`` every layer, as if the sink had none.
    """
    started = time.time()
    sources: list[FoundSource] = []
    problems: list[ProblemRow] = []
    for item in found:
        if isinstance(item, Problem):
            problems.append(as_row(item.subject, item))
        else:
            sources.append(item)
            problems += [as_row(item.location, problem) for problem in item.problems]
    answers = Answers()
    places = plan(sources, sink, answers, verify=verify, rehash=rehash)
    reading = _Reading(sink, progress, answers, problems)
    reading.read(places, workers or os.cpu_count() or 1)
    images = [
        _finish(source.location, image, answers) for source in sources for image in source.images
    ]
    containers = [
        _finish_container(source.location, container, answers)
        for source in sources
        for container in source.containers
    ]
    named = sum(layer.state is LayerState.REUSED for image in images for layer in image.layers)
    result = ScanResult(
        tuple(sources),
        tuple(images),
        tuple(containers),
        tuple(problems),
        started,
        time.time(),
        len(answers.read),
        named,
    )
    return ScanOutcome(
        # a mistyped path must not hide the report of the scan before
        scan_id=sink.commit(result) if sources else "",
        sources=len(sources),
        images=len({image.image_id for image in images}),
        layers_read=len(answers.read),
        layers_reused=named,
        entries=reading.entries,
        errors=sum(problem.severity is Severity.ERROR for problem in problems),
        problems=tuple(problems),
    )


class _Reading:
    """Reads claims into the sink, and keeps what they have shown."""

    def __init__(
        self, sink: Sink, progress: Progress, answers: Answers, problems: list[ProblemRow]
    ) -> None:
        self._sink = sink
        self._progress = progress
        self._answers = answers
        self._problems = problems
        self._tokens = 0
        #: rows that were kept
        self.entries = 0

    def read(self, places: list[list[Claim]], workers: int) -> None:
        """Read one place of each; where it fails or is not what it claims, the next."""
        self._progress.start(len(places), sum(claims[0].content.size for claims in places))
        while places:
            proven = self._round([claims[0] for claims in places], workers)
            places = [
                claims[1:]
                for number, claims in enumerate(places)
                if number not in proven and len(claims) > 1
            ]

    def _round(self, claims: list[Claim], workers: int) -> set[int]:
        """Read these; returns which of them turned out to be what they claim."""
        first, proven = self._tokens, set()
        self._tokens += len(claims)
        begun: set[int] = set()
        for event in run([claim.content for claim in claims], min(workers, len(claims))):
            match event:
                case Started():
                    self._sink.get_ready()
                case Read(count):
                    self._progress.advance(count)
                case Rows(task, columns):
                    if task not in begun:
                        begun.add(task)
                        self._sink.begin_layer(first + task)
                    self._sink.add_rows(first + task, columns)
                case Done(task, facts):
                    if task not in begun:
                        self._sink.begin_layer(first + task)
                    if self._keep(first + task, claims[task], facts):
                        proven.add(task)
                    self._progress.layer_done()
                case Failed(task, code, message):
                    if task in begun:
                        self._sink.drop_layer(first + task)
                    self._say(claims[task], code, message, Severity.ERROR)
                    self._progress.layer_done()
        return proven

    def _keep(self, token: int, claim: Claim, facts: LayerFacts) -> bool:
        """Store the rows under the right key; whether they are what is claimed."""
        found, wrong = answer(claim, facts)
        for code, message in wrong:
            self._say(claim, code, message, Severity.ERROR)
        for code, message in facts.notes:
            self._say(claim, code, message, Severity.NOTE)
        if facts.trailing_bytes:
            self._say(
                claim,
                "data-after-end",
                f"{facts.trailing_bytes} bytes that are not zero follow the end of the tar",
                Severity.NOTE,
            )
        self._answers.keep(claim, found)
        self._sink.end_layer(token, found.key, facts, found.verified)
        self.entries += facts.entries
        return found.verified is not Verified.NONE

    def _say(self, claim: Claim, code: str, message: str, severity: Severity) -> None:
        self._problems.append(ProblemRow(claim.source, claim.subject, code, message, severity))


def _finish(source: str, image: FoundImage, answers: Answers) -> ScannedImage:
    """The image with what became of each of its layers."""
    states = [answers.of(source, layer) for layer in image.layers]
    # a layer without rows still has its place in the chain, under what is claimed of it
    chains = list(
        chain_ids(
            key or layer.diff_id or layer.digest or f"unknown:{position}"
            for position, ((key, _, _), layer) in enumerate(zip(states, image.layers, strict=True))
        )
    )
    image_id = image.image_id or "bare:" + (chains[-1] if chains else "empty")
    layers = []
    for position, ((key, state, claim), layer, chain) in enumerate(
        zip(states, image.layers, chains, strict=True)
    ):
        read = answers.read.get(claim) if claim else None
        layers.append(
            ScannedImageLayer(
                position=position,
                diff_id=layer.diff_id or (read.facts.diff_id if read else None),
                layer=key,
                chain_id=chain,
                digest=layer.digest or (read.facts.digest if read else None),
                compressed_bytes=layer.blob.size if layer.blob else None,
                created_by=layer.created_by,
                state=state,
                allocated_bytes=layer.allocated_bytes,
            )
        )
    return ScannedImage(
        source=source,
        image_id=image_id,
        digest=image.digest,
        names=image.names,
        platform=str(image.platform),
        created=image.created,
        layers=tuple(layers),
    )


def _finish_container(source: str, container: FoundContainer, answers: Answers) -> ScannedContainer:
    claim = container_claim(source, container)
    read = answers.read.get(claim) if claim else None
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
