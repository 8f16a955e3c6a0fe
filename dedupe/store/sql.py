"""The SQL files: queries, macros and relations, and which relations a query reads."""

import re
from collections.abc import Collection, Iterable
from functools import cache

from dedupe.installed import queries_folder
from dedupe.model.tables import DERIVED_TABLES

#: names of the views of derived tables begin so
KEPT = "kept_"
#: relations that would take longer to copy than to read in parts
_VIEWS = frozenset(("item",))

# comments and texts, in which any word may occur
_QUOTED = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
# `a IS DISTINCT FROM b` compares two columns
_READ = re.compile(r"(?<!DISTINCT)\s(?:FROM|JOIN)\s+(?:main\.)?(\w+)\b(?!\()")
# `FROM view_changes('visible', …)`: a table macro reads the relations that it is given by name
_GIVEN = re.compile(r"\s(?:FROM|JOIN)\s+\w+\(((?:'\w+',\s*)+)")
_CTE = re.compile(r"(\w+)\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(")


def load_query(name: str) -> str:
    """Text of ``queries/<name>.sql``."""
    return (queries_folder() / f"{name}.sql").read_text()


@cache
def relations() -> dict[str, str]:
    """Name -> SQL of ``queries/relations/NN_name.sql``, each after the relations that it reads."""
    files = sorted((queries_folder() / "relations").glob("*.sql"))
    return {file.stem.partition("_")[2]: file.read_text() for file in files}


def making(name: str) -> str:
    """The statement that makes a relation."""
    kind = "VIEW" if name in _VIEWS else "TABLE"
    return f"CREATE TEMP {kind} {name} AS {relations()[name]}"


@cache
def derivations(group: str) -> dict[str, str]:
    """Derived table of a group -> SQL of ``queries/derived/<table>.sql``, in the order to run."""
    return {table: load_query(f"derived/{table}") for table in DERIVED_TABLES[group]}


def derivations_needed(group: str, tables: Collection[str]) -> dict[str, str]:
    """The derivations of these tables of a group, and of those that they are made of."""
    needed = set(tables)
    for table, sql in reversed(derivations(group).items()):
        if table in needed:
            needed |= {name.removeprefix("new_") for name in tables_read(sql)}
    return {table: sql for table, sql in derivations(group).items() if table in needed}


def derived_read(tables: Iterable[str]) -> dict[str, set[str]]:
    """Group -> its derived tables among these names, which are ``kept_<table>``."""
    names = {name.removeprefix(KEPT) for name in tables if name.startswith(KEPT)}
    read = {group: names & tables.keys() for group, tables in DERIVED_TABLES.items()}
    return {group: tables for group, tables in read.items() if tables}


@cache
def tables_read(sql: str) -> frozenset[str]:
    """Names that one of our own SQL files reads from, without its own common table expressions."""
    text = _QUOTED.sub(" ", sql)
    given = " ".join(_GIVEN.findall(sql))
    read = {*_READ.findall(text), *re.findall(r"\w+", given)}
    return frozenset(read) - frozenset(_CTE.findall(text))


#: relation that is made of a part of the view -> relation -> query for its rows of that part, which
#: later ones read as ``part_<relation>``; all other relations are made from these
PARTS = {
    "container_view": {"stack": "part/container_stack", "node": "part/nodes"},
    "overlap": {"node": "part/overlap_nodes"},
    "movable_conflict": {
        "stack": "part/movable_stack",
        "node": "part/nodes",
        "layer_rows": "part/layer_rows",
    },
}

#: relation that reads the entries of a few layers only, as ``batch_source`` -> query for the layers
SOURCES = {"again_finding": "part/twin_layers"}
#: name of the view of entries of a few layers
SOURCE = "batch_source"


def reads(relation: str) -> frozenset[str]:
    """Tables that must be there before a relation can be made."""
    parts = PARTS.get(relation)
    if not parts:
        return tables_read(relations()[relation])
    chosen = frozenset[str]().union(*(tables_read(load_query(query)) for query in parts.values()))
    return chosen.union(parts).difference(f"part_{name}" for name in parts)


def needed_relations(tables: Iterable[str], without: Collection[str] = frozenset()) -> list[str]:
    """Relations among these names and those that they read, in the order to make them.

    ``without`` are relations that are there: what they read is not needed.
    """
    needed = set(tables)
    for name in reversed(relations()):
        if name in needed and name not in without:
            needed |= reads(name)
    return [name for name in relations() if name in needed]
