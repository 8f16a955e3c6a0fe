"""The SQL files: queries, macros and relations, and which relations a query reads."""

import re
from collections.abc import Iterable
from functools import cache

from dedupe.installed import queries_folder

# comments and texts, in which any word may occur
_QUOTED = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
# `a IS DISTINCT FROM b` compares two columns
_READ = re.compile(r"(?<!DISTINCT)\s(?:FROM|JOIN)\s+(\w+)\b(?!\()")
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


@cache
def tables_read(sql: str) -> frozenset[str]:
    """Names that one of our own SQL files reads from, without its own common table expressions."""
    text = _QUOTED.sub(" ", sql)
    given = " ".join(_GIVEN.findall(sql))
    read = {*_READ.findall(text), *re.findall(r"\w+", given)}
    return frozenset(read) - frozenset(_CTE.findall(text))


def needed_relations(tables: Iterable[str]) -> list[str]:
    """Relations among these names and those that they read, in the order to make them."""
    needed = set(tables)
    for name in reversed(relations()):
        if name in needed:
            needed |= tables_read(relations()[name])
    return [name for name in relations() if name in needed]
