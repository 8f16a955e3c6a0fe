"""Relations that a query reads are found in its text: all of them, and no others."""

import json

import duckdb
import pytest

from dedupe.installed import queries_folder
from dedupe.store.sql import needed_relations, relations, tables_read

QUERIES = sorted(
    path for path in queries_folder().rglob("*.sql") if path.stem not in ("macros", "00_layers")
)


def parsed(sql: str) -> tuple[set[str], set[str]]:
    """Tables and common table expressions of a query, by DuckDB's own parser.

    A table macro reads the tables that it is given by name.
    """
    # a result that is not read to its end keeps the connection from other tests of the process
    (row,) = duckdb.execute("SELECT json_serialize_sql($sql::VARCHAR)", {"sql": sql}).fetchall()
    tables, common = set(), set()
    waiting = [json.loads(row[0])["statements"]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                tables.add(node["qualified_name"]["path"][-1])
            if node.get("type") == "TABLE_FUNCTION":
                given = [each["expression"] for each in node["function"]["arguments"]]
                tables |= {each["literal"]["text"] for each in given if "literal" in each}
            common |= {each["key"] for each in (node.get("cte_map") or {}).get("map", ())}
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return tables, common


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_tables_of_a_query(path) -> None:
    """They are those that DuckDB's parser finds, without the query's own expressions."""
    tables, common = parsed(path.read_text())
    assert tables_read(path.read_text()) == tables - common


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT base FROM layers",
        "WITH base AS (SELECT 1 AS link) SELECT link FROM base",
        "WITH a AS (SELECT 1), base AS MATERIALIZED (SELECT 2) SELECT * FROM a JOIN base ON true",
        "SELECT * FROM layers AS above WHERE above.digest IS DISTINCT FROM above.diff_id",
        "SELECT ' FROM link ' FROM layers -- FROM image",
    ],
)
def test_other_words_make_no_relation(sql: str) -> None:
    """Columns, aliases, texts, comments and expressions of a query may have a relation's name."""
    assert tables_read(sql) == {"layers"} - ({"layers"} - parsed(sql)[0])
    assert needed_relations(tables_read(sql)) == needed_relations({"layers"} & parsed(sql)[0])


def test_relations_come_after_those_that_they_read() -> None:
    """In the order of their numbers, each once."""
    needed = needed_relations(["dead"])
    assert needed == sorted(needed, key=list(relations()).index)
    assert len(needed) == len(set(needed))
