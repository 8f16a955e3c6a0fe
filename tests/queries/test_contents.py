"""Contents of layers that are merged in any number of runs and any order are those of one run."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from helpers.examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupe.model.tables import DERIVED_TABLES
from dedupe.store.derived.groups import GROUPS
from dedupe.store.sql import derivations, load_query, relations

GROUP = "contents"
TABLES = DERIVED_TABLES[GROUP]
#: contents of which few copies are many bytes, so that paths are kept, and others
SIZES = (1, 7, 600_000, 1 << 20)


@dataclass(frozen=True)
class File:
    """A file of a layer: its path, and the number of its content."""

    path: str
    content: int

    @property
    def size_bytes(self) -> int:
        """Size of its content."""
        return SIZES[self.content % len(SIZES)]

    @property
    def content_hash(self) -> bytes:
        """Hash of its content."""
        return bytes([self.content]) * 32


FILES = st.builds(File, st.sampled_from("abcdefghijkl"), st.integers(1, 9))
LAYERS = st.lists(st.lists(FILES, max_size=14), min_size=1, max_size=7)


class Contents:
    """The derived tables of contents, and layers that are merged into them run by run."""

    def __init__(self, layers: Sequence[Sequence[File]]) -> None:
        self.connection = duckdb.connect()
        self.connection.execute(load_query("macros"))
        self.connection.execute(
            "CREATE TABLE entries (layer VARCHAR, kind VARCHAR, path VARCHAR, size_bytes BIGINT, "
            "content_hash BLOB)"
        )
        for view in ("batch_source", *GROUPS[GROUP].sources.values()):
            self.connection.execute(f"CREATE VIEW {view} AS FROM entries")
        self.connection.execute("CREATE TABLE given_layers (layer VARCHAR, rows_id UUID)")
        for number, files in enumerate(layers):
            key = str(number)
            self.connection.execute("INSERT INTO given_layers SELECT $1, md5($1)::UUID", [key])
            for each in files:
                self.connection.execute(
                    "INSERT INTO entries VALUES ($1, 'file', $2, $3, $4)",
                    [key, each.path, each.size_bytes, each.content_hash],
                )
        #: number of runs that are kept; each row has that of its run
        self.runs = 0
        for table, columns in TABLES.items():
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            self.connection.execute(f"CREATE TABLE runs_{table} ({listed}, run INTEGER)")
            self.connection.execute(
                f"CREATE VIEW kept_{table} AS SELECT * EXCLUDE (run) FROM runs_{table}"
            )

    def run(self, layers: Sequence[int]) -> None:
        """Merge layers, as a run of the catalog does."""
        execute = self.connection.execute
        keys = [str(layer) for layer in layers]
        execute(
            "CREATE OR REPLACE TABLE derive_plan AS SELECT *, 0 AS batch FROM given_layers "
            "WHERE layer IN (SELECT unnest($1::VARCHAR[]))",
            [keys],
        )
        made = dict(GROUPS[GROUP].batch)
        for name, query in made.items():
            text = load_query(query)
            given_batch = {"batch": 0} if "$batch" in text else {}
            execute(f"CREATE OR REPLACE TABLE {name} AS {text}", given_batch)
        for table, sql in derivations(GROUP).items():
            execute(f"CREATE OR REPLACE TABLE new_{table} AS {sql}")
        for table in TABLES:
            execute(f"INSERT INTO runs_{table} SELECT *, {self.runs} FROM new_{table}")
        self.runs += 1

    def merge(self, first: int) -> None:
        """Make one run of all from this one on, as a catalog with many runs does."""
        execute = self.connection.execute
        for table in TABLES:
            execute(
                f"CREATE OR REPLACE VIEW several_{table} AS "
                f"SELECT * EXCLUDE (run) FROM runs_{table} WHERE run >= {first}"
            )
        for table in TABLES:
            query = GROUPS[GROUP].merged.get(table)
            text = load_query(query) if query else f"FROM several_{table}"
            execute(f"CREATE OR REPLACE TABLE merged_{table} AS {text}")
        for table in TABLES:
            execute(f"DELETE FROM runs_{table} WHERE run >= {first}")
            execute(f"INSERT INTO runs_{table} SELECT *, {first} FROM merged_{table}")
        self.runs = first + 1

    def classes(self) -> dict[frozenset[tuple[str, int]], tuple[int, int]]:
        """Layers with their copies of a content -> number and bytes of the contents that are so."""
        self.connection.execute(
            "CREATE OR REPLACE TABLE numbered_layer AS SELECT number, layer, FALSE AS is_windows "
            "FROM kept_layer_number JOIN given_layers USING (rows_id)"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TABLE class_layer AS {relations()['class_layer']}"
        )
        rows = self.connection.execute(
            """
            SELECT places.layers, sums.contents, sums.bytes
            FROM (
                SELECT class, list((layer, copies)) AS layers
                FROM class_layer
                JOIN numbered_layer USING (number)
                GROUP BY class
            ) AS places
            JOIN (
                SELECT class, sum(contents) AS contents, sum(bytes) AS bytes
                FROM kept_class_change
                GROUP BY class
            ) AS sums USING (class)
            """
        ).fetchall()
        found: dict[frozenset[tuple[str, int]], tuple[int, int]] = {}
        for layers, contents, size_bytes in rows:
            assert len(layers) == len(set(layers))
            before = found.get(frozenset(layers), (0, 0))
            found[frozenset(layers)] = (before[0] + contents, before[1] + size_bytes)
        return found

    def places(self) -> dict[bytes, tuple[bytes | None, list[str] | None]]:
        """Content -> the second half of its hash and the paths that are kept."""
        rows = self.connection.execute(
            """
            SELECT kept.content, kept.rest, kept.paths
            FROM kept_content_place AS kept
            ANTI JOIN kept_content_place AS later
                ON later.former = kept.class AND later.content = kept.content
            """
        ).fetchall()
        assert len(rows) == len({content for content, *_ in rows})
        return {
            content.bytes: (rest.bytes if rest else None, paths) for content, rest, paths in rows
        }


def expected_classes(
    layers: Sequence[Sequence[File]],
) -> dict[frozenset[tuple[str, int]], tuple[int, int]]:
    """The same in plain Python."""
    copies: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for number, files in enumerate(layers):
        for each in files:
            copies[each.content][str(number)] += 1
    found: dict[frozenset[tuple[str, int]], tuple[int, int]] = {}
    for content, held in copies.items():
        contents, size_bytes = found.get(frozenset(held.items()), (0, 0))
        size = File("", content).size_bytes
        found[frozenset(held.items())] = (contents + 1, size_bytes + size)
    return found


def expected_places(
    layers: Sequence[Sequence[File]],
) -> dict[bytes, tuple[bytes | None, list[str] | None]]:
    """The same in plain Python: paths of contents with 1 MiB or more in copies but the first."""
    files: defaultdict[int, list[str]] = defaultdict(list)
    for layer in layers:
        for each in layer:
            files[each.content].append(each.path)
    found: dict[bytes, tuple[bytes | None, list[str] | None]] = {}
    for content, paths in files.items():
        half = bytes([content]) * 16
        is_heavy = File("", content).size_bytes * (len(paths) - 1) >= 1 << 20
        found[half] = (
            half if len(paths) > 1 else None,
            sorted(set(paths))[:10] if is_heavy else None,
        )
    return found


@settings(max_examples=examples(25), deadline=None)
@given(layers=LAYERS, data=st.data())
def test_contents_merged_in_any_runs_are_those_of_all_layers(
    layers: list[list[File]], data: st.DataObject
) -> None:
    """Whatever layers came together, and whenever runs were merged, the classes are the same."""
    contents = Contents(layers)
    waiting = data.draw(st.permutations(range(len(layers))))
    while waiting:
        count = data.draw(st.integers(1, len(waiting)))
        contents.run(waiting[:count])
        waiting = waiting[count:]
        if data.draw(st.booleans()):
            contents.merge(data.draw(st.integers(0, contents.runs - 1)))
    assert contents.classes() == expected_classes(layers)
    assert contents.places() == expected_places(layers)


def test_classes_outnumber_neither_contents_nor_sets_of_layers() -> None:
    """Contents of equal layers are one class, and merged runs have no classes without contents."""
    files = [File(path, content) for content, path in enumerate("abcdef", start=1)]
    contents = Contents([files, files, files[:2]])
    for layer in range(3):
        contents.run([layer])
    contents.merge(0)
    rows = contents.connection.execute(
        "SELECT contents FROM kept_class_change ORDER BY contents"
    ).fetchall()
    assert rows == [(2,), (4,)]
    members = contents.connection.execute("SELECT count(*) FROM kept_class_member").fetchone()
    assert members == (5,)
