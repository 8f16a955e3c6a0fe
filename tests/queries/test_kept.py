"""Answers from kept rows are those from entries, whichever rows were kept when."""

import tempfile
from pathlib import Path

from builders import (
    Image,
    directory,
    file,
    hardlink,
    opaque,
    symlink,
    tar_of,
    whiteout,
    write_oci_layout,
)
from headers import name_of, parameters_of, questions_in
from helpers.examples import examples
from helpers.questions import questions_of
from helpers.scanning import scan_only
from helpers.strategies import (
    Layer,
    Store,
    images_of,
    loose_stacks,
    risky_stacks,
    stacks,
    stores,
    wild_stacks,
)
from here import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.from_entries import FILES, NOT_JUDGED, OWN, entries_session, same_rows

from dedupe.model.questions import Question
from dedupe.model.tables import DERIVED_TABLES
from dedupe.store.session import Session

QUERIES = PROJECT / "queries"
#: questions that the judge has; those about two orders of layers are asked in their own tests
NAMES = sorted(name for name in FILES if not name.startswith(("reorder/view_", "reorder/proposed")))
#: questions that read derived rows, few enough to be asked about many stores
OFTEN = [
    *("check/images", "check/layers", "check/store", "duplicate_folders", "duplicates", "findings"),
    *("images", "problems", "shadowed_files", "totals", "treemap", "usage/groups", "usage/layers"),
]

BASE = (
    directory("etc"),
    file("etc/os", b"o" * 400),
    file("etc/same", b"s" * 50, mode=0o600),
    file("opt/lib/x", b"l" * 900),
    file("opt/lib/y", b"l" * 900),
    hardlink("opt/link", "opt/lib/x"),
    symlink("lib", "/opt/lib"),
    file("var/cache/apt/x", b"a" * 70),
)
CHANGES = (
    file("etc/os", b"n" * 400),
    file("etc/same", b"s" * 50, mode=0o644),
    whiteout("opt/lib/x"),
    hardlink("etc/dangling", "etc/nothing"),
    file("lib/z", b"z"),
)
LARGE = b"large" * 300_000
COPIES = (directory("data"), file("data/a", LARGE), file("data/b", b"o" * 400))
AGAIN = (opaque("opt"), file("srv/data/a", LARGE), file("srv/data/b", b"o" * 400))
ZEROS = (file("var/log/lastlog", bytes(1 << 20)), file("etc/os", b"n" * 400))


def differing_questions(catalog: Path, names: list[str]) -> list[str]:
    """Questions whose answer from the catalog is not that from entries."""
    session = Session(catalog)
    asked = [
        _about_all(question)
        for name in names
        for question in questions_of(session, name, parameters_of(QUERIES / f"{name}.sql"))
    ]
    answers = [session.answer(question) for question in asked]
    session.close()
    with entries_session(catalog) as judge:
        return [
            f"{question.name} {question.parameters}"
            for question, answer in zip(asked, answers, strict=True)
            if not same_rows(answer, judge.answer(question))
        ]


def _about_all(question: Question) -> Question:
    """The question about all rows, which is what the judge answers."""
    if "sort" not in question.parameters:
        return question
    return Question(question.name, {**question.parameters, "most": None}, question.images)


def derive(catalog: Path) -> int:
    """Keep all derived rows of a catalog; returns the entries that they were made of."""
    session = Session(catalog)
    try:
        return session.derive()
    finally:
        session.close()


def image_of(name: str, *layers: tuple[object, ...]) -> Image:
    """An image of these layers."""
    return Image([tar_of(list(layer)) for layer in layers], names=[name])


def test_the_judge_has_only_what_must_differ_of_its_own() -> None:
    """A question that is the product's is read from there, so that the two cannot drift apart."""
    own = {name_of(path, OWN): path for path in questions_in(OWN)}
    assert own.keys() <= FILES.keys()
    same = {
        name
        for name, path in own.items()
        if path.read_text() == (QUERIES / f"{name}.sql").read_text()
    }
    assert same == set()
    assert {name_of(path, QUERIES) for path in questions_in(QUERIES)} == FILES.keys() | NOT_JUDGED


def test_every_question_is_answered_alike(tmp_path: Path) -> None:
    """All questions have the same rows from entries, from rows of the session and kept rows."""
    images = [
        image_of("r/web:1", BASE, CHANGES, COPIES),
        image_of("r/web:2", BASE, AGAIN, ZEROS),
        image_of("r/other:1", COPIES, BASE),
    ]
    store, catalog = tmp_path / "store", tmp_path / "catalog"
    write_oci_layout(store, images)
    scan_only(catalog, store)
    assert not differing_questions(catalog, OFTEN)
    assert derive(catalog)
    assert not derive(catalog)
    assert not differing_questions(catalog, NAMES)


def keep_in_turns(catalog: Path, folder: Path, store: Store, turns: int) -> None:
    """Scan an image more in each turn, and keep derived rows after each."""
    names = sorted(store.images)
    for turn in range(1, turns + 1):
        shown = names[: max(1, len(names) * turn // turns)]
        chosen = images_of(store, {name: [name] for name in names})
        write_oci_layout(folder / str(turn), [chosen[name] for name in shown], "none")
        scan_only(catalog, folder / str(turn))
        derive(catalog)


def rows_by_node(catalog: Path, *, keep: bool) -> dict[str, list[tuple[object, ...]]]:
    """The derived rows of all nodes: of kept runs, or as the session makes them of all entries."""
    session = Session(catalog, keep=keep)
    try:
        if keep:
            assert session.derive()
        # of rows that are not kept, a session makes the tables that are asked for
        session._make_relations([f"kept_{table}" for table in DERIVED_TABLES["nodes"]])
        return {
            table: sorted(session._connection.execute(f"FROM kept_{table}").fetchall(), key=repr)
            for table in DERIVED_TABLES["nodes"]
        }
    finally:
        session.close()


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stack=st.one_of(risky_stacks(), wild_stacks(), loose_stacks(), stacks()), again=st.booleans()
)
def test_entries_that_are_left_out_change_no_row(stack: tuple[Layer, ...], again: bool) -> None:
    """Of the entries that can matter, the same rows are made as of all entries."""
    tars = [tar_of(layer) for layer in stack]
    images = [Image(tars, names=["a"])]
    if again:
        images.append(Image([*tars[::-1], tars[-1]], names=["b"]))
    with tempfile.TemporaryDirectory() as folder:
        write_oci_layout(Path(folder) / "store", images, "none")
        scan_only(Path(folder) / "catalog", Path(folder) / "store")
        expected = rows_by_node(Path(folder) / "catalog", keep=False)
        assert rows_by_node(Path(folder) / "catalog", keep=True) == expected


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(store=stores())
def test_rows_that_were_kept_in_turns_give_the_same_answers(store: Store) -> None:
    """Runs that were kept one after another answer like one."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder) / "catalog"
        keep_in_turns(catalog, Path(folder), store, 2)
        assert not differing_questions(catalog, OFTEN)
