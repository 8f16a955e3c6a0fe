"""What a quick scan answers is what a full scan answers, or null."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import (
    Image,
    directory,
    file,
    hardlink,
    image,
    opaque,
    raw,
    symlink,
    tar_of,
    whiteout,
)
from builders.storage import ContainersStorage
from headers import name_of, parameters_of, questions_in
from helpers.questions import questions_of
from helpers.scanning import scan_only
from here import PROJECT

from dedupe.model.questions import Question
from dedupe.store.session import Session

QUERIES = PROJECT / "queries"
QUESTIONS = questions_in(QUERIES)
NAMES = [name_of(path, QUERIES) for path in QUESTIONS]

LARGE = b"large" * 300_000
BASE = (
    directory("etc", mtime=5),
    file("etc/os", b"o" * 400),
    file("etc/same", b"s" * 50, mode=0o600),
    file("etc/gone", b"g" * 30),
    file("etc/longer", b"l" * 30),
    file("empty"),
    directory("opt"),
    file("opt/lib", b"l" * 900),
    hardlink("opt/link", "opt/lib"),
    symlink("lib", "/opt/lib"),
    file("var/cache/apt/x", b"a" * 70),
    raw(b"no utf-8 \xff", content=b"x" * 9),
)
#: files over those of BASE: other content of the same size, the same content with another mode or
#: nothing else, another size, and a kind that replaces a file
CHANGES = (
    directory("etc", mtime=6),
    file("etc/os", b"n" * 400),
    file("etc/same", b"s" * 50, mode=0o644),
    file("etc/longer", b"l" * 40),
    file("empty", mode=0o600),
    whiteout("etc/gone"),
    symlink("no utf-8 \\xff", "elsewhere"),
)
AGAIN = (directory("data"), file("data/a", LARGE), file("data/b", b"o" * 400))
CLEAN = (opaque("opt"), directory("opt", mode=0o700))
IMAGES = [
    image(BASE, CHANGES, names="r/app:1.0", history=["ADD", "RUN a"]),
    image(BASE, CHANGES, AGAIN, CLEAN, names="r/app:1.1"),
    image(BASE, AGAIN, names="r/twin:1"),
    image((*BASE, file("own", b"o" * 20)), AGAIN, names="r/twin:2"),
    # the same entries as those of the layer above, but for a content
    image((*BASE, file("own", b"p" * 20)), AGAIN, names="r/twin:3"),
    image(BASE, names="r/base:1"),
    image(BASE, (file("x", b"x" * 80),)),
    Image([], names=["r/scratch:1"]),
]
UPPER = [file("etc/os", b"w" * 400), file("opt/lib", b"w" * 5), file("new", b"n" * 60)]

#: combinations of parameters of a question, spread over all of them
MOST_ASKED = 3
#: columns that say which rows these are, or when they were made
IDENTITIES = frozenset(
    {
        *("scan", "scanned", "started", "finished", "seconds", "layers_read", "layers_reused"),
        *("layer", "chain_id", "base_chain", "other_chain", "below", "above", "key", "id"),
        *("old_layer", "new_layer", "places", "chain", "parent", "listed_layers", "verified"),
        *(
            "look",
            "lower_chain",
            "upper_chain",
            "lower_layer",
            "upper_layer",
            "step_class",
            "state",
            "number",
        ),
    }
)
#: questions of which a quick scan leaves out rows, since contents decide whether there is one
CONTENT_ROWS = frozenset(
    {
        *("duplicates", "duplicate_classes", "duplicate_folders", "findings"),
        *("usage/twins", "usage/twin_groups", "check/duplicates", "check/duplicate_layers"),
        *("diff/source_summary", "reorder/step_repeats", "reorder/relayer_images"),
        *("reorder/movable_images", "reorder/movable_conflicts"),
        *("reorder/relayer_classes", "reorder/relayer_totals", "what_if/units"),
    }
)


def write_store(root: Path, *, split: bool) -> Path:
    """Write a store of podman with a container, with tar-split data or without."""
    store = ContainersStorage(root)
    for each in IMAGES:
        store.add(each)
    store.container("c" * 64, IMAGES[0], tar_of(UPPER))
    store.layer("e" * 64, None, tar_of([file("lost", b"l" * 500)]))
    store.write()
    if not split:
        for each in (root / "overlay-layers").glob("*.tar-split.gz"):
            each.unlink()
    return root


@pytest.fixture(scope="module", params=[True, False], ids=["tar-split", "folders"])
def pair(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Session, Session]]:
    """The answers of a quick scan and of a full scan of one store."""
    folder = tmp_path_factory.mktemp("quick")
    root = write_store(folder / "store", split=request.param)
    for name in ("quick", "full"):
        scan_only(folder / name, root, quick=name == "quick")
    sessions = Session(folder / "quick"), Session(folder / "full")
    yield sessions
    for session in sessions:
        session.close()


def rows(session: Session, question: Question) -> list[dict[str, Any]]:
    """The rows of a question without what identifies them."""
    return [
        {name: value for name, value in row.items() if name not in IDENTITIES}
        for row in session.answer(question).dicts()
    ]


def fits(row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether all that a row says is what the other row says."""
    return all(
        value in (None, "unknown")
        or value == other[name]
        # the key of rows in place of a diff ID, where only a folder was walked
        or str(other[name]).startswith("unverified:")
        for name, value in row.items()
    )


def without_pair(found: Sequence[dict[str, Any]], of: Sequence[dict[str, Any]]) -> list[Any]:
    """Rows that no row of the others fits; each of these is used once."""
    left, alone = list(of), []
    for row in found:
        match = next((other for other in left if fits(row, other)), None)
        if match is None:
            alone.append(row)
        else:
            left.remove(match)
    return alone


@pytest.mark.parametrize("path", QUESTIONS, ids=NAMES)
def test_a_quick_scan_answers_as_a_full_one_or_not_at_all(
    path: Path, pair: tuple[Session, Session]
) -> None:
    """Every figure of every question is that of the full scan or null; rows may be missing."""
    name, (quick, full) = name_of(path, QUERIES), pair
    # the count is that of the rows of duplicates, of which a quick scan leaves out some
    if name in ("problems", "reorder/relayer_totals", "counts/duplicates"):
        return
    if name.startswith("reorder/view_"):
        return
    asked = list(
        zip(
            questions_of(quick, name, parameters_of(path)),
            questions_of(full, name, parameters_of(path)),
            strict=True,
        )
    )
    for question, same in asked[:: max(len(asked) // MOST_ASKED, 1)]:
        found, expected = rows(quick, question), rows(full, same)
        if name == "diff/files":
            # a path that was not compared may be unchanged
            found = [row for row in found if row["change"] is not None]
        assert without_pair(found, expected) == []
        if name not in CONTENT_ROWS | {"diff/files"}:
            assert len(found) == len(expected)
