"""What a scan could not see, in sentences that every form of the report begins with.

Figures of a store that was not read completely are unknown, or lower bounds. A person who reads one
must have read that first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from dedupe.analysis import queries
from dedupe.analysis.overview import Overview, hides_images
from dedupe.model.measures import ImageSizeKey, TotalKey
from dedupe.report.units import at_least, counted, human

_Row = TypeVar("_Row")
#: sources that are named, with why their unreferenced bytes are unknown
_SOURCES = 5
#: images that are named behind a problem
_IMAGES = 4
#: totals that are lower bounds if something was not read; the others are of what is on disk
_BOUNDED: frozenset[TotalKey] = frozenset(
    {
        *("entries", "files", "layers", "compressed_bytes", "layer_bytes", "unpacked_bytes"),
        *("naive_bytes", "live_bytes", "shadowed_bytes", "cow_savings_bytes"),
        *("position_loss_bytes", "unshared_bytes"),
        *("unique_content_bytes", "duplicate_content_bytes", "dead_bytes"),
    }
)
#: what the contents of files decide
_NOT_KNOWN = (
    "duplicates, twins, whether a shadowed file was changed or only its metadata, and verification"
)
#: codes of problems -> what an image with such a layer has
_WORDS = {
    "a missing blob": "blob-missing layer-missing snapshot-missing",
    "a layer that is kept elsewhere": "foreign-layer",
    "an encrypted layer": "encrypted-layer",
    "a layer of a kind that is not read": "unsupported-layer unsupported-store unreadable-driver",
    "a layer that was never completely written": "layer-incomplete",
    "a blob that may not be read": "permission-denied",
    "a blob that a quick scan did not open": "not-opened",
    "a blob that could not be read": (
        "unreadable not-a-regular-file not-a-folder worker-died internal-error layer-too-large"
    ),
}
_WORD = {code: word for word, codes in _WORDS.items() for code in codes.split()}
#: all other codes are those of bytes that are not what they should be
_DAMAGED = "a damaged blob"


def doubts(
    incomplete: Sequence[queries.IncompleteRow],
    sources: Sequence[queries.SourcesRow],
    failed: Sequence[queries.FailedPlacesRow],
    *,
    contents: bool = True,
) -> list[str]:
    """What could not be seen of images, sources and places; empty if all was.

    Without ``contents``, the answer does not depend on what is in the files.
    """
    return [
        *_failed(failed, sources),
        *_stale(sources),
        *_incomplete(incomplete),
        *(_unread(sources) if contents else ()),
        *_unseen(sources),
    ]


def _failed(
    rows: Sequence[queries.FailedPlacesRow], sources: Sequence[queries.SourcesRow]
) -> Iterator[str]:
    """Places at which the last scan found nothing, but those that are stale sources."""
    stale = {row["location"] for row in sources if row["stale_since"] is not None}
    others = [row for row in rows if row["place"] not in stale]
    return _first(
        others,
        # what was looked for is among the problems
        lambda row: (
            f"the last scan found nothing at {row['place']}: {row['message'].partition(';')[0]}"
        ),
        "the last scan found nothing at {} more places",
    )


def _stale(sources: Sequence[queries.SourcesRow]) -> Iterator[str]:
    rows = [row for row in sources if row["stale_since"] is not None]
    return _first(
        rows,
        lambda row: (
            f"{row['location']} is stale: it was read at {row['scanned']}, and could not be read "
            f"at {row['stale_since']}"
        ),
        "{} more sources are stale",
    )


def _incomplete(rows: Sequence[queries.IncompleteRow]) -> Iterator[str]:
    if not rows:
        return
    every = {image for row in rows for image in row["image_ids"]}
    verb = "is" if len(every) == 1 else "are"
    yield (
        f"{len(every):,} of {counted(rows[0]['of_images'], 'image')} {verb} incomplete: "
        f"{reasons(rows)}; figures of these images are unknown, and totals are lower bounds"
    )


def reasons(rows: Sequence[queries.IncompleteRow]) -> str:
    """How many images have which problem: ``2 with a missing blob, 1 with a damaged blob``."""
    grouped: dict[str, set[str]] = {}
    for row in rows:
        grouped.setdefault(_WORD.get(row["code"], _DAMAGED), set()).update(row["image_ids"])
    return ", ".join(f"{len(images):,} with {word}" for word, images in grouped.items())


def _unseen(sources: Sequence[queries.SourcesRow]) -> Iterator[str]:
    rows = [row for row in sources if hides_images(row)]
    return _first(
        rows,
        lambda row: (
            f"{row['location']}: not all references could be read, so images may be missing here, "
            f"and unreferenced bytes are unknown: {row['unseen_references']}"
        ),
        "{} more sources with references that could not be read",
    )


def _unread(sources: Sequence[queries.SourcesRow]) -> Iterator[str]:
    """Sources of which a quick scan left contents unread."""
    rows = [row for row in sources if row["listed_layers"]]
    return _first(
        rows,
        lambda row: (
            f"{row['location']}: quick scan: the contents of "
            f"{counted(row['listed_layers'], 'layer')} were not read, so {_NOT_KNOWN} are not "
            "known; 'dedupe scan' without --quick reads them"
        ),
        "{} more sources with contents that a quick scan did not read",
    )


def _first(rows: Sequence[_Row], sentence: Callable[[_Row], str], more: str) -> Iterator[str]:
    """A sentence for each of the first sources; ``more`` takes the number of the others."""
    yield from map(sentence, rows[:_SOURCES])
    if len(rows) > _SOURCES:
        yield more.format(len(rows) - _SOURCES)


def of_images(
    rows: Sequence[queries.IncompleteRow], sources: Sequence[queries.SourcesRow] = ()
) -> list[str]:
    """What was not read of the images that an answer is about; empty if all was.

    ``sources`` are those of a session about these images alone.
    """
    lines = []
    if rows:
        words = dict.fromkeys(_WORD.get(row["code"], _DAMAGED) for row in rows)
        layers = counted(sum(row["layers"] for row in rows), "layer")
        lines.append(
            f"{layers} could not be read ({', '.join(words)}); what these add, change or delete "
            "is missing here"
        )
    listed = max((row["listed_layers"] for row in sources), default=0)
    if listed:
        lines.append(
            f"quick scan: the contents of {counted(listed, 'layer')} were not read, so files are "
            "compared by size and metadata only"
        )
    return lines


def total_size(found: Overview, key: TotalKey, *, plain: bool = False) -> str:
    """A total; a lower bound if it leaves out what could not be read."""
    size_bytes = found.totals[key]
    # an image that was not seen may show what no other does, so nothing bounds what is dead
    unsure = found.totals["incomplete_images"] if key == "dead_bytes" else found.is_partial
    if unsure and key in _BOUNDED:
        return at_least(size_bytes, plain=plain)
    # efficiency, the only total that is not a whole number, is not a size
    return human(None if size_bytes is None else round(size_bytes), plain=plain)


def image_size(row: queries.ImagesRow, key: ImageSizeKey, *, plain: bool) -> str:
    """A size of an image; content and shadowed of an incomplete one are lower bounds."""
    if key == "content_bytes" and not row["complete"]:
        return at_least(row["read_bytes"], plain=plain)
    if key == "shadowed_bytes" and not row["complete"]:
        return at_least(row["read_shadowed_bytes"], plain=plain)
    return human(row[key], plain=plain)


def known_sum(values: Iterable[int | None], *, plain: bool) -> str:
    """A sum; a lower bound if some of its parts are unknown."""
    parts = list(values)
    known = sum(part or 0 for part in parts)
    return human(known, plain=plain) if None not in parts else at_least(known, plain=plain)


def concerned(images: Sequence[str]) -> str:
    """The images that a problem concerns, behind its message."""
    if not images:
        return ""
    others = len(images) - _IMAGES
    more = f" and {others:,} more" if others > 0 else ""
    return f" (concerns {counted(len(images), 'image')}: {', '.join(images[:_IMAGES])}{more})"


def place_of(source: str, subject: str, message: str) -> str:
    """The source of a problem, and what in it has the problem, unless the message names that."""
    if source == subject or subject.removeprefix("sha256:") in message:
        return source
    return f"{source}: {subject}"


def nothing_to_fix(found: Overview) -> str:
    """The sentence of a report without findings."""
    where = " in what could be read" if found.is_partial or found.is_unread else ""
    return f"Nothing to fix was found{where}."
