"""Queries of users: they read the catalog's tables and nothing else.

DuckDB 2 takes COPY, INSERT, UPDATE and DELETE as the body of a CTE and calls the whole statement a
SELECT. Therefore every kind of node in the parse tree must be on a list: a kind that a later DuckDB
adds is refused until it is added here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dedupe.errors import UsageError
from dedupe.installed import locate_pages
from dedupe.model.questions import Answer
from dedupe.model.tables import SCAN_TABLES, TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import duckdb

#: Kinds of queries, of parts of FROM, and of clauses that follow a query. Expressions have no list:
#: none of them writes, and queries inside them are nodes like all others.
_KINDS: Final = frozenset(
    (
        *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"),
        *("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY"),
        *("PIVOT", "SHOW_REF"),
        *("ORDER_MODIFIER", "DISTINCT_MODIFIER", "LIMIT_MODIFIER"),
        *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
    )
)
#: Table functions that only compute. All others read files, run text as SQL or change settings.
_FUNCTIONS: Final = frozenset(
    ("generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest")
)
_TABLES: Final = frozenset((*TABLES, *(f"scan_{table}" for table in SCAN_TABLES)))
#: the schema that lists tables and columns
_SCHEMA: Final = "information_schema"


def require_select(
    connection: duckdb.DuckDBPyConnection, text: str, relations: Collection[str]
) -> frozenset[str]:
    """Names that the query reads from.

    Raises UsageError unless the text is one SELECT over our tables and ``relations``.
    """
    parsed = _parsed(connection, text)
    if parsed["error"]:
        if parsed["error_type"] == "not implemented":
            raise UsageError("expected one SELECT statement", "not-a-select")
        raise UsageError(f"query: {parsed['error_message']}", "bad-query")
    statements = parsed["statements"]
    if len(statements) != 1:
        raise UsageError("expected one SELECT statement", "not-a-select")
    nodes = list(_nodes(statements))
    names = _TABLES.union(relations, *(_common_tables(node) for node in nodes))
    for node in nodes:
        _require_known(node, names)
    read = (_path(node) for node in nodes if node.get("type") in ("BASE_TABLE", "SHOW_REF"))
    return frozenset(path[-1] for path in read if path)


def run_select(connection: duckdb.DuckDBPyConnection, text: str) -> Answer:
    """Answer to a query that ``require_select`` passed; raises duckdb.Error.

    The connection must be locked: that alone stops COPY TO. The transaction alone stops INSERT,
    UPDATE and DELETE.
    """
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        return fetched(connection.execute(text))
    finally:
        connection.execute("ROLLBACK")


def lock(connection: duckdb.DuckDBPyConnection, files: Collection[Path]) -> None:
    """Let the connection open these files and no others, for good."""
    # not their folder: other files could be read and made in it
    connection.execute("SET allowed_paths = $files", {"files": [str(file) for file in files]})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def fetched(cursor: duckdb.DuckDBPyConnection) -> Answer:
    """All rows of a query that was executed."""
    columns = {column[0]: str(column[1]) for column in cursor.description or ()}
    return Answer(columns, cursor.fetchall())


def _parsed(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    sql = "SELECT json_serialize_sql($text::VARCHAR)"
    row = connection.execute(sql, {"text": text}).fetchone()
    try:
        parsed: dict[str, Any] = json.loads(row[0] if row else "")
    except RecursionError as error:
        raise UsageError("query: nested too deeply", "bad-query") from error
    return parsed


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries of the tree, without recursion: the user decides how deep it is."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _common_tables(node: dict[str, Any]) -> list[str]:
    """Names of the common table expressions of a query."""
    return [each["key"].lower() for each in (node.get("cte_map") or {}).get("map", ())]


def _path(node: dict[str, Any]) -> list[str]:
    """Parts of the name of a table that is read."""
    return [part.lower() for part in node["qualified_name"]["path"]]


def _require_known(node: dict[str, Any], names: Collection[str]) -> None:
    kind = node.get("type")
    # expressions have a class; anything else whose kind is missing or not a text is a value
    if not isinstance(kind, str) or "class" in node:
        return
    if kind not in _KINDS:
        found = kind.removesuffix("_QUERY_NODE")
        raise UsageError(f"expected one SELECT that only reads, found {found}", "not-a-select")
    if kind == "TABLE_FUNCTION":
        function = node["function"].get("function_name", "").lower()
        if function not in _FUNCTIONS:
            raise UsageError(f"query: {function}() is not for queries", "bad-query")
    if kind == "BASE_TABLE":
        path = _path(node)
        if path[-1] not in names and path[-2:-1] != [_SCHEMA]:
            raise UsageError(
                f"query: the catalog has no table {'.'.join(path)}: "
                f"{locate_pages('docs/catalog.md')} has the list",
                "bad-query",
            )
