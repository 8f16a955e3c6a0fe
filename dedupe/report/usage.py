"""What is attributed to whom, on a screen: one granularity, rows that add up, and their total."""

from collections.abc import Iterable, Mapping
from typing import Any

from dedupe.model.questions import Answer, AnyQuestion
from dedupe.report.text import aligned
from dedupe.report.units import INCOMPLETE, at_least, cut, human, percent

_WIDEST = 56
#: columns of each granularity, and whether they add up
_COLUMNS = {"attributed": True, "exclusive": True, "shared": False, "referenced": False}
_MEANING = {
    "compressed": "blobs as stored, each digest once",
    "unpacked": "layers unpacked, each once per parent",
    "content": "distinct file contents, each once",
}


def to_terminal(question: AnyQuestion, answer: Answer, shown: Answer, *, plain: bool) -> str:
    """The shown rows of ``usage`` at the question's granularity, and the totals of all rows."""
    granularity = question.parameters["granularity"]
    every = answer.dicts()
    columns = [*(f"{name}_{granularity}" for name in _COLUMNS), "dead_bytes"]
    adding = [f"{name}_{granularity}" for name, adds in _COLUMNS.items() if adds] + ["dead_bytes"]
    sums = {name: _total(row[name] for row in every) for name in adding}
    whole = sums[columns[0]]

    def line(
        row: Mapping[str, int | None], name: str, images: object, *, unread: bool
    ) -> list[str]:
        sizes = [_size(row.get(key), unread=unread, plain=plain) for key in columns]
        attributed = row.get(columns[0])
        # the share of a total that is a lower bound is not known
        is_known = attributed is not None and whole is not None and not some_unread
        share = percent(attributed or 0, whole or 0) if is_known else ""
        return [*sizes, share, str(images or ""), cut(name, _WIDEST) + INCOMPLETE * unread]

    some_unread = any(map(_is_unread, every))
    rows = [
        [*_COLUMNS, "dead", "share", "images", "name"],
        *(line(row, row["name"], row["images"], unread=_is_unread(row)) for row in shown.dicts()),
        line(sums, "total", "", unread=some_unread),
    ]
    text = "\n".join(aligned(rows, left={len(rows[0]) - 1}))
    return (
        f"{text}\n\nBytes of {_MEANING[granularity]}. Empty: unknown.\n"
        "attributed: shared bytes divided among their users; exclusive: freed by deleting it "
        "alone;\ndead: shadowed in every image. These three add up; shared and referenced count "
        "a unit in every row\nthat has it.\n"
    )


def _total(values: Iterable[int | None]) -> int | None:
    """The sum of what is known; None if nothing is known of any row."""
    found = list(values)
    known = [value for value in found if value is not None]
    return None if found and not known else sum(known)


def _is_unread(row: Mapping[str, Any]) -> bool:
    """Whether some of the row could not be read, so that its figures are lower bounds."""
    return bool(row.get("incomplete_images") or row.get("unread"))


def _size(size: int | None, *, unread: bool, plain: bool) -> str:
    if unread:
        return at_least(size, plain=plain)
    return "" if size is None else human(size, plain=plain)
