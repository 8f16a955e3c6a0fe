"""Versions of derived rows: a change of the SQL that makes them makes them anew."""

import hashlib
import re
from functools import cache

from dedupe.model.tables import DERIVED_TABLES, READER_VERSION
from dedupe.store.derived.groups import GROUPS
from dedupe.store.sql import KEPT, derivations, load_query, needed_relations, relations, tables_read

#: relations that are given to a derivation, and say nothing about its rows
GIVEN = frozenset(("layers", "image", "stack", "node", "new_node", "new_layer", "new_twin"))
_COMMENT = re.compile(r"--[^\n]*")
_SPACE = re.compile(r"\s+")


@cache
def rules_of(group: str) -> str:
    """Version of the rules of a group: a digest of its SQL, its columns and the reader's version.

    Comments and spaces do not count.
    """
    asked = GROUPS[group]
    several = (asked.batch, asked.views, asked.all_new, asked.merged)
    queries = sorted({query for queries in several for query in queries.values()})
    made = [*derivations(group).values(), *map(load_query, queries)]
    texts = [*made, load_query("macros"), *(relations()[name] for name in relations_for(group))]
    parts = [_SPACE.sub(" ", _COMMENT.sub("", text)) for text in texts]
    parts += [repr(DERIVED_TABLES[group]), str(READER_VERSION)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def relations_for(group: str) -> list[str]:
    """Relations that the derivations of a group read, in the order to make them."""
    read = {name for sql in derivations(group).values() for name in tables_read(sql)}
    made = {f"new_{table}" for table in DERIVED_TABLES[group]}
    names = {name for name in read - made if not name.startswith(KEPT)}
    return [name for name in needed_relations(names, without=GIVEN) if name not in GIVEN]
