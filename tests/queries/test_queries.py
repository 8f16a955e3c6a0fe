"""Every query has a header that says what it answers, and the header is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from builders import Image, tar_of, write_oci_layout
from duckdb import DuckDBPyConnection
from headers import FIELDS, columns_of, header_of, parameters_of, questions_in
from helpers.scanning import scan_only
from helpers.tracked import tracked_files
from here import PROJECT

from dedupe.model.tables import DERIVED_TABLES
from dedupe.store.current import Choice
from dedupe.store.derived.groups import GROUPS
from dedupe.store.layer_views import show_entries
from dedupe.store.opening import connect
from dedupe.store.reading import no_rows

QUERIES = PROJECT / "queries"
RELATIONS = sorted((QUERIES / "relations").glob("*.sql"))
_RELATION_NAMES = {path.stem.partition("_")[2] for path in RELATIONS}
QUESTIONS = questions_in(QUERIES)
DERIVATIONS = [
    QUERIES / "derived" / f"{table}.sql" for tables in DERIVED_TABLES.values() for table in tables
]
PLANS = sorted((QUERIES / "derived" / "plan").glob("*.sql"))
ALL = [*RELATIONS, *QUESTIONS, *DERIVATIONS, *PLANS]

#: documents of others that a header may name as its source, with their sections
OUTSIDE = {
    "OCI image-spec config.md": {"Layer ChainID", "Properties"},
    "OCI image-spec layer.md": {"Applying Changesets", "Whiteouts"},
    "RFC 3339": set(),
}
#: ``FILE`` or ``FILE, "SECTION", "SECTION"``
SOURCE = re.compile(r'([^",;]+?)((?:, "[^"]+")*)')
CITED = re.compile(r'(docs/[\w-]+\.md)((?:,\s+"[^"]+")+)')


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[str, str]]:
    """Columns of each query, over the relations of an empty image."""
    folder = tmp_path_factory.mktemp("queries")
    write_oci_layout(folder / "store", [Image([tar_of([])], names=["i"])])
    scan_only(folder / "catalog", folder / "store")
    connection, _ = connect(folder / "catalog", Choice())
    show_entries(connection, folder / "catalog")
    for tables in DERIVED_TABLES.values():
        for table, columns in tables.items():
            connection.execute(f"CREATE VIEW kept_{table} AS {no_rows(columns)}")
    connection.execute("CREATE VIEW batch_source AS FROM entries")
    connection.execute("CREATE VIEW former_source AS FROM entries")
    found = {}
    for path in (*RELATIONS, *QUESTIONS):
        found[path] = _described(connection, path)
        if path in RELATIONS:
            _make(connection, path.stem.partition("_")[2], path)
    for group in GROUPS.values():
        for name in group.given:
            connection.execute(f"CREATE OR REPLACE TABLE given_{name} AS FROM {name}")
        _make(connection, "derive_plan", QUERIES / f"{group.plan}.sql", entries=1)
        found[QUERIES / f"{group.plan}.sql"] = _described(connection, QUERIES / f"{group.plan}.sql")
        # a batch has relations of its own, in which keys are numbers
        replaced = _RELATION_NAMES.intersection(group.batch)
        for name in replaced:
            connection.execute(f"CREATE TEMP TABLE whole_{name} AS FROM {name}")
        for name, query in (*group.batch.items(), *group.views.items()):
            _describe_and_make(connection, name, QUERIES / f"{query}.sql", found)
        for name in replaced:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM whole_{name}")
            connection.execute(f"DROP TABLE whole_{name}")
        for name, query in group.all_new.items():
            _describe_and_make(connection, name, QUERIES / f"{query}.sql", found)
        for table in group.merged:
            connection.execute(f"CREATE TEMP VIEW several_{table} AS FROM kept_{table}")
        for query in group.merged.values():
            found[QUERIES / f"{query}.sql"] = _described(connection, QUERIES / f"{query}.sql")
        connection.execute("DROP TABLE derive_plan")
    for path in DERIVATIONS:
        found[path] = _described(connection, path)
        _make(connection, f"new_{path.stem}", path)
    return found


def _describe_and_make(
    connection: DuckDBPyConnection, name: str, path: Path, found: dict[Path, dict[str, str]]
) -> None:
    """Note the columns of a query of a batch, and make its table, which later ones read."""
    if path not in RELATIONS:
        found[path] = _described(connection, path)
    if name != "entries":
        _make(connection, name, path, **_batch_of(path))


def _described(connection: DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Columns of a query and their types."""
    text = path.read_text()
    parameters = dict.fromkeys(re.findall(r"^--(?: Params:)? +\$(\w+)", text, re.MULTILINE))
    rows = connection.execute(f"DESCRIBE {text}", parameters or None).fetchall()
    return {row[0]: _short(row[1]) for row in rows}


def _make(connection: DuckDBPyConnection, name: str, path: Path, **parameters: int) -> None:
    """Make the table of a query."""
    made = f"CREATE OR REPLACE TEMP TABLE {name} AS {path.read_text()}"
    connection.execute(made, parameters or None)


def _batch_of(path: Path) -> dict[str, int]:
    """The parameter of a query that is about one batch."""
    return {"batch": 0} if "$batch" in path.read_text() else {}


def _short(kind: str) -> str:
    """A type as headers spell it: field names need no quotes."""
    return kind.replace('"', "")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_header_has_all_fields_and_the_real_columns(
    path: Path, described: dict[Path, dict[str, str]]
) -> None:
    """All five fields are in order; columns and types are those of the query."""
    fields = header_of(path)
    assert tuple(fields) == FIELDS
    assert all(lines[0] for lines in fields.values())
    assert fields["Question"][-1].endswith("?")
    kinds = {name: kind for name, (kind, _) in columns_of(path).items()}
    assert list(kinds.items()) == list(described[path].items())
    assert all(meaning for _, meaning in columns_of(path).values())


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_header_has_the_real_parameters(path: Path) -> None:
    """The parameters of the header are those of the query."""
    text = path.read_text()
    body = "\n".join(line.partition("--")[0] for line in text.splitlines())
    named = set(re.findall(r"\$(\w+)", " ".join(header_of(path)["Params"])))
    assert named == set(re.findall(r"\$(\w+)", body))
    assert named or header_of(path)["Params"] == ["none"]
    assert set(parameters_of(path)) == named


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_an_answer_of_several_rows_has_an_order(path: Path) -> None:
    """Every answer of several rows has an order, so two runs print the same."""
    if header_of(path)["Grain"] == ["one row"]:
        return
    last = path.read_text().rstrip().rpartition("ORDER BY")[2]
    assert last
    assert last.endswith(";")
    assert "SELECT" not in last


@pytest.mark.parametrize("path", DERIVATIONS, ids=lambda path: path.stem)
def test_a_derived_table_has_the_columns_of_its_derivation(path: Path) -> None:
    """What is kept is what the query makes."""
    (columns,) = (tables[path.stem] for tables in DERIVED_TABLES.values() if path.stem in tables)
    assert columns == {name: kind for name, (kind, _) in columns_of(path).items()}


def test_relations_have_numbers_and_names_once() -> None:
    """Relations are made in the order of their numbers; no number or name is used twice."""
    assert len({path.name[:2] for path in RELATIONS}) == len(RELATIONS)
    assert len({path.stem.partition("_")[2] for path in RELATIONS}) == len(RELATIONS)


@pytest.mark.parametrize(
    ("script", "made"),
    [("columns.py", "docs/columns.md"), ("row_types.py", "dedupe/analysis/queries.py")],
)
def test_what_is_made_from_headers_is_current(script: str, made: str) -> None:
    """The page of columns and the typed questions are what the headers say."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "data" / script)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == (PROJECT / made).read_text()


def headings(path: Path) -> list[str]:
    """Headings of a Markdown page; lines of code blocks are not headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)


def unknown_sections(name: str, sections: list[str]) -> list[str]:
    """Sections that a document does not have; the document itself if it is not known."""
    if name in OUTSIDE:
        return [section for section in sections if section not in OUTSIDE[name]]
    if not (PROJECT / name).is_file():
        return [name]
    known = headings(PROJECT / name)
    return [section for section in sections if section not in known]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_header_names_sources_that_exist(path: Path) -> None:
    """A header names documents and their sections; remarks follow after an empty line."""
    lines = header_of(path)["Source"]
    text = " ".join(lines[: lines.index("")] if "" in lines else lines)
    for part in text.split("; "):
        found = SOURCE.fullmatch(part)
        assert found, f"not a source: {part}"
        sections = re.findall(r'"([^"]+)"', found[2])
        assert not unknown_sections(found[1], sections), part


def test_cited_sections_exist() -> None:
    """Every section of docs/ that Python, SQL or a page cites is a heading of that page."""
    wrong = []
    for path in tracked_files():
        if path.suffix not in {".py", ".sql", ".md"}:
            continue
        text = re.sub(r"\s*\n\s*(?:--|#)?\s*", " ", path.read_text())
        for cited in CITED.finditer(text):
            sections = re.findall(r'"([^"]+)"', cited[2])
            wrong += [(path.name, each) for each in unknown_sections(cited[1], sections)]
    assert not wrong


def test_definitions_are_in_the_repository() -> None:
    """Nothing cites a document of definitions other than docs/measures.md."""
    elsewhere = re.compile(rb"MEASURES\.md")
    assert [path for path in tracked_files() if elsewhere.search(path.read_bytes())] == []


def test_headings_of_the_definitions() -> None:
    """Each section of docs/measures.md has a name of its own, and its links lead to sections."""
    page = PROJECT / "docs/measures.md"
    names = headings(page)
    assert len(set(names)) == len(names)
    anchors = {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in names}
    assert set(re.findall(r"\]\(#([^)]+)\)", page.read_text())) <= anchors


def test_glossary_is_in_order() -> None:
    """The glossary has each term once, in alphabetical order."""
    glossary = (PROJECT / "docs/measures.md").read_text().rpartition("## Glossary")[2]
    terms = re.findall(r"^\| `?([^|`]+?)`? \|", glossary, re.MULTILINE)[1:]
    assert len(terms) > 50
    assert terms == sorted(set(terms), key=lambda term: term.lower().replace("_", " "))
