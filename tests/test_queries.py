"""Every query says in its header what it answers, and the header says what is true."""

import re
from pathlib import Path

import pytest
from builders import Image, tar_of, write_oci_layout
from scanning import scan_only

from dedupe.model.tables import TABLES
from dedupe.store.catalog import scan_ids
from dedupe.store.session import connect

QUERIES = Path(__file__).parents[1] / "queries"
RELATIONS = sorted((QUERIES / "relations").glob("*.sql"))
QUESTIONS = sorted(path for path in QUERIES.glob("*.sql") if path.stem != "macros")
FIELDS = ["Question", "Grain", "Params", "Columns", "Source"]

_FIELD = re.compile(r"-- (\w+): +(\S.*)")
#: ``name  TYPE  meaning``; a line without two wide gaps goes on with the line above
_COLUMN = re.compile(r"(\w+) {2,}([A-Z]\S*(?:\([^)]*\)\S*)?) {2,}\S")


def header_of(path: Path) -> dict[str, list[str]]:
    """Lines of each field of the header, in order."""
    fields: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            break
        found = _FIELD.match(line)
        if found:
            fields[found[1]] = [found[2]]
        else:
            assert fields, f"{path.name}: expected a field, found {line!r}"
            fields[next(reversed(fields))].append(line.removeprefix("--").strip())
    return fields


def columns_of(path: Path) -> dict[str, str]:
    """Name and type of each column that the header names.

    ``as the table NAME, and`` stands for the columns of a table of the catalog, ``as NN_NAME``
    for those of another relation.
    """
    columns: dict[str, str] = {}
    for line in header_of(path)["Columns"]:
        if same := re.match(r"as the table (\w+)", line):
            columns |= TABLES[same[1]]
        elif same := re.match(r"as (\d\d_\w+)", line):
            columns |= columns_of(path.with_name(f"{same[1]}.sql"))
        elif column := _COLUMN.match(line):
            columns[column[1]] = column[2]
    return columns


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[str, str]]:
    """Columns that each query really gives, over the relations of an empty image."""
    folder = tmp_path_factory.mktemp("queries")
    write_oci_layout(folder / "store", [Image([tar_of([])], names=["i"])])
    scan_only(folder / "catalog", folder / "store")
    connection = connect(folder / "catalog", scan_ids(folder / "catalog")[-1])
    found = {}
    for path in (*RELATIONS, *QUESTIONS):
        text = path.read_text()
        parameters = dict.fromkeys(re.findall(r"^--(?: Params:)? +\$(\w+)", text, re.MULTILINE))
        rows = connection.execute(f"DESCRIBE {text}", parameters or None).fetchall()
        found[path] = {row[0]: _short(row[1]) for row in rows}
        if path in RELATIONS:
            connection.execute(f"CREATE TEMP TABLE {path.stem.partition('_')[2]} AS {text}")
    return found


def _short(kind: str) -> str:
    """A type as headers spell it: fields of a STRUCT by name alone."""
    struct = re.fullmatch(r"STRUCT\((.*)\)(.*)", kind)
    if not struct:
        return kind
    names = [field.split()[0].strip('"') for field in struct[1].split(", ")]
    return f"STRUCT({', '.join(names)}){struct[2]}"


@pytest.mark.parametrize("path", [*RELATIONS, *QUESTIONS], ids=lambda path: path.stem)
def test_header(path: Path, described: dict[Path, dict[str, str]]) -> None:
    """All five fields in order; columns and types in order, as the query gives them."""
    fields = header_of(path)
    assert list(fields) == FIELDS
    assert all(lines[0] for lines in fields.values())
    assert fields["Question"][-1].endswith("?")
    assert list(columns_of(path).items()) == list(described[path].items())


@pytest.mark.parametrize("path", [*RELATIONS, *QUESTIONS], ids=lambda path: path.stem)
def test_parameters(path: Path) -> None:
    """The parameters of the header are those of the query."""
    text = path.read_text()
    body = "\n".join(line.partition("--")[0] for line in text.splitlines())
    named = set(re.findall(r"\$(\w+)", " ".join(header_of(path)["Params"])))
    assert named == set(re.findall(r"\$(\w+)", body))
    assert named or header_of(path)["Params"] == ["none"]


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_total_order(path: Path) -> None:
    """Every answer of several rows has an order, so that two runs print the same."""
    if header_of(path)["Grain"] == ["one row"]:
        return
    last = path.read_text().rstrip().rpartition("ORDER BY")[2]
    assert last
    assert last.endswith(";")
    assert "SELECT" not in last


def test_relations_have_a_number_each() -> None:
    """Relations are made in the order of their numbers; each number and name is there once."""
    assert len({path.name[:2] for path in RELATIONS}) == len(RELATIONS)
    assert len({path.stem.partition("_")[2] for path in RELATIONS}) == len(RELATIONS)
