"""The problems of a scan: one row per thing that has one, with the images that it concerns.

A blob that several images need is found missing, or unreadable, once for each of them. That is one
problem with one fix.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dedupe.model.images import LayerState, Severity
from dedupe.model.outcome import ProblemRow
from dedupe.scan.interface import ScannedImage, ScannedImageLayer

#: states of layers without rows -> the code that says why, if no problem does
_CODES = {
    LayerState.ABSENT: "blob-missing",
    LayerState.FOREIGN: "foreign-layer",
    LayerState.ENCRYPTED: "encrypted-layer",
    LayerState.UNSUPPORTED: "unsupported-layer",
    LayerState.MISMATCHED: "digest-mismatch",
    LayerState.UNOPENED: "not-opened",
    LayerState.BROKEN: "unreadable",
}


def merged(problems: Iterable[ProblemRow], images: Iterable[ScannedImage]) -> list[ProblemRow]:
    """Problems of one blob as one row, at the place of the first, with the names of its images."""
    users = _users(images)
    rows: dict[object, ProblemRow] = {}
    for problem in problems:
        if problem.blob is None:
            rows.setdefault(
                (problem.source, problem.code, problem.subject, problem.message), problem
            )
            continue
        key = (problem.source, problem.code, problem.blob)
        names = set(users.get((problem.source, problem.blob), ()))
        if problem.subject != problem.blob:
            names.add(problem.subject)
        before = rows.get(key)
        if before is not None:
            names.update(before.images)
        rows[key] = replace(before or problem, subject=problem.blob, images=tuple(sorted(names)))
    return list(rows.values())


def with_reasons(
    images: Sequence[ScannedImage], problems: Iterable[ProblemRow]
) -> list[ScannedImage]:
    """The images, each layer without rows with the code of the problem that is the reason."""
    codes: dict[tuple[str, str], str] = {}
    for problem in problems:
        if problem.blob is not None and problem.severity is Severity.ERROR:
            codes.setdefault((problem.source, problem.blob), problem.code)

    def reason(source: str, layer: ScannedImageLayer) -> str | None:
        if layer.layer is not None:
            return None
        found = (codes.get((source, thing)) for thing in (layer.digest, layer.diff_id) if thing)
        return next((code for code in found if code), None) or _CODES.get(layer.state)

    return [
        replace(
            image,
            layers=tuple(
                replace(layer, problem=reason(image.source, layer)) for layer in image.layers
            ),
        )
        for image in images
    ]


def _users(images: Iterable[ScannedImage]) -> dict[tuple[str, str], set[str]]:
    """(source, digest of a blob or diff ID) -> the images of that source that need it."""
    users: dict[tuple[str, str], set[str]] = {}
    for image in images:
        name = image.found.names[0] if image.found.names else image.image_id
        for layer in image.layers:
            for thing in (layer.digest, layer.diff_id):
                if thing is not None:
                    users.setdefault((image.source, thing), set()).add(name)
    return users
