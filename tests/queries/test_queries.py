"""Every query says in its header what it answers, and the header says what is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from builders import Image, tar_of, write_oci_layout
from headers import FIELDS, columns_of, header_of, parameters_of, questions_in
from here import PROJECT
from scanning import scan_only

from dedupe.store.views import connect, scan_ids

QUERIES = PROJECT / "queries"
RELATIONS = sorted((QUERIES / "relations").glob("*.sql"))
QUESTIONS = questions_in(QUERIES)


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
    """A type as headers spell it: names of fields need no quotes."""
    return kind.replace('"', "")


@pytest.mark.parametrize("path", [*RELATIONS, *QUESTIONS], ids=lambda path: path.stem)
def test_header(path: Path, described: dict[Path, dict[str, str]]) -> None:
    """All five fields in order; columns and types in order, as the query gives them."""
    fields = header_of(path)
    assert tuple(fields) == FIELDS
    assert all(lines[0] for lines in fields.values())
    assert fields["Question"][-1].endswith("?")
    kinds = {name: kind for name, (kind, _) in columns_of(path).items()}
    assert list(kinds.items()) == list(described[path].items())
    assert all(meaning for _, meaning in columns_of(path).values())


@pytest.mark.parametrize("path", [*RELATIONS, *QUESTIONS], ids=lambda path: path.stem)
def test_parameters(path: Path) -> None:
    """The parameters of the header are those of the query."""
    text = path.read_text()
    body = "\n".join(line.partition("--")[0] for line in text.splitlines())
    named = set(re.findall(r"\$(\w+)", " ".join(header_of(path)["Params"])))
    assert named == set(re.findall(r"\$(\w+)", body))
    assert named or header_of(path)["Params"] == ["none"]
    assert set(parameters_of(path)) == named


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
