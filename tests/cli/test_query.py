"""Free queries read the tables of the catalog; nothing else is read or written."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import Image, directory, file, tar_of, write_oci_layout
from helpers.scanning import scanned

from dedupe.errors import UsageError
from dedupe.model.tables import SCAN_TABLES, TABLES
from dedupe.store.session import Session
from dedupe.store.sql import relations

IMAGE = Image([tar_of([directory("etc"), file("etc/a", b"x" * 10)])], names=["good:1"])

#: statements that write, or that end in writing; CAT is the catalog, WORK the working folder
WRITING = {
    "copy over a scan": "COPY (SELECT * REPLACE (['evil'] AS names) FROM scan_images)"
    " TO 'CAT/scans/SCAN/images.parquet' (USE_TMP_FILE false)",
    "copy over a scan by a temporary file": "COPY (SELECT * FROM scan_images)"
    " TO 'CAT/scans/SCAN/images.parquet'",
    "copy over a layer": "COPY (SELECT 1 AS layer) TO 'CAT/layers/LAYER' (USE_TMP_FILE false)",
    "copy into the catalog": "COPY (SELECT range FROM range(1000)) TO 'CAT/fill.csv'",
    "copy a table": "COPY layers TO 'CAT/layers.csv'",
    "copy into a folder": "COPY layers TO 'CAT/entries' (FORMAT parquet, PARTITION_BY (layer),"
    " OVERWRITE_OR_IGNORE)",
    "copy and say so": "COPY (SELECT 1) TO 'CAT/said.csv' (RETURN_STATS)",
    "copy into the spill folder": "COPY (SELECT 1) TO 'WORK/.tmp/out.csv'",
    "copy into the working folder": "COPY (SELECT 1) TO 'WORK/out.csv'",
    "insert": "INSERT INTO node SELECT * FROM node RETURNING *",
    "update": "UPDATE image SET os = 'evil' RETURNING *",
    "delete": "DELETE FROM image RETURNING *",
    "truncate": "TRUNCATE image",
}

#: where a statement can be hidden in a query; BODY is the statement
HIDING = {
    "first": "WITH a AS (BODY) SELECT 1",
    "read from": "WITH a AS (BODY) SELECT * FROM a",
    "materialized": "WITH a AS MATERIALIZED (BODY) SELECT 1",
    "second": "WITH a AS (SELECT 1), b AS (BODY) SELECT * FROM a",
    "nested": "WITH a AS (WITH b AS (BODY) SELECT 1) SELECT * FROM a",
    "recursive": "WITH RECURSIVE a(n) AS (WITH b AS (BODY) SELECT 1 UNION ALL SELECT n + 1 FROM a"
    " WHERE n < 3) SELECT * FROM a",
    "recursive, later part": "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL"
    " (WITH b AS (BODY) SELECT 1)) SELECT * FROM a",
    "named case": "wItH A aS (BODY) sElEcT 1",
    "commented": "WITH /* a */ a AS (-- SELECT\nBODY) SELECT 1",
    "set operation": "SELECT 1 UNION ALL (WITH a AS (BODY) SELECT 1)",
    "parentheses": "((WITH a AS (BODY) SELECT 1))",
    "explained": "EXPLAIN ANALYZE WITH a AS (BODY) SELECT 1",
    "prepared": "PREPARE p AS WITH a AS (BODY) SELECT 1",
    "described": "DESCRIBE (WITH a AS (BODY) SELECT 1)",
    "summarized": "SUMMARIZE (WITH a AS (BODY) SELECT 1)",
    "in a view": "CREATE TEMP VIEW v AS WITH a AS (BODY) SELECT 1",
    "in a table": "CREATE TEMP TABLE v AS WITH a AS (BODY) SELECT 1",
    "in a macro": "CREATE TEMP MACRO m() AS TABLE WITH a AS (BODY) SELECT 1",
    "second statement": "SELECT 1; WITH a AS (BODY) SELECT 1",
    "alone": "BODY",
    "in FROM": "FROM (BODY)",
    "body of a subquery": "SELECT (BODY)",
    "as text": "SELECT * FROM query('WITH a AS (QUOTED) SELECT 1')",
    "as a parsed tree": "SELECT * FROM json_execute_serialized_sql(json_serialize_sql("
    "'WITH a AS (QUOTED) SELECT 1'))",
}

#: where a query can be inside a query; each S is a query with a writing part
PLACES = (
    "SELECT S",
    "SELECT * FROM S",
    "SELECT * FROM entries, LATERAL S",
    "SELECT * FROM entries JOIN layers ON 1 = S",
    "SELECT * FROM entries SEMI JOIN S AS x ON true",
    "SELECT * FROM entries POSITIONAL JOIN S",
    "SELECT 2 WHERE EXISTS S",
    "SELECT 2 WHERE 1 IN S",
    "SELECT 2 WHERE 1 = ANY S",
    "SELECT count(*) FROM entries GROUP BY S",
    "SELECT 1 GROUP BY GROUPING SETS ((S), ())",
    "SELECT count(*) FROM entries HAVING 1 = S",
    "SELECT 1 FROM entries QUALIFY 1 = S",
    "FROM entries ORDER BY S",
    "FROM entries LIMIT S",
    "FROM entries LIMIT 1 OFFSET S",
    "SELECT DISTINCT ON (S) 1 FROM entries",
    "SELECT sum(1) OVER (ORDER BY S) FROM entries",
    "SELECT sum(1) OVER (ROWS BETWEEN S PRECEDING AND CURRENT ROW) FROM entries",
    "SELECT sum(1) OVER w FROM entries WINDOW w AS (PARTITION BY S)",
    "SELECT sum(1) FILTER (WHERE 1 = S) FROM entries",
    "SELECT list(1 ORDER BY S) FROM entries",
    "SELECT * REPLACE (S AS path) FROM entries",
    "SELECT COLUMNS(c -> 1 = S) FROM entries",
    "SELECT list_filter([1], lambda x: x = S)",
    "SELECT [x FOR x IN [1] IF x = S]",
    "SELECT CASE WHEN S = 1 THEN 1 END",
    "SELECT {'a': S}",
    "SELECT MAP {'a': S}",
    "SELECT ARRAY S",
    "SELECT [1][S]",
    "SELECT S::VARCHAR",
    "VALUES (S)",
    "FROM range(S)",
    "FROM unnest([S])",
    "FROM (PIVOT entries ON kind IN S USING sum(member))",
    "FROM (PIVOT entries ON kind IN ('file') USING sum(S))",
    "FROM (PIVOT S ON kind IN ('file') USING sum(1))",
    "PIVOT entries ON kind USING sum(S)",
    "UNPIVOT S ON a INTO NAME n VALUE v",
    "FROM entries AT (VERSION => S)",
    "FROM (DESCRIBE S)",
    "WITH a AS NOT MATERIALIZED S SELECT 1",
    "WITH RECURSIVE a(b, c) USING KEY (b) AS (SELECT 1, 2 UNION SELECT 1, S FROM a) FROM a",
)

#: statements that would read other data, write, or change the session
REFUSED = (
    "SELECT * FROM read_csv('WORK/secret.csv')",
    "SELECT * FROM read_text('WORK/.tmp/secret.csv')",
    "SELECT * FROM 'WORK/.tmp/secret.csv'",
    "SELECT * FROM '.tmp/secret.csv'",
    "SELECT * FROM read_blob('CAT/catalog.json')",
    "SELECT * FROM 'CAT/catalog.json'",
    "SELECT * FROM glob('CAT/*')",
    "SELECT * FROM parquet_metadata('CAT/layers/LAYER')",
    "SELECT * FROM sniff_csv('WORK/secret.csv')",
    "SELECT * FROM query_table(['WORK/secret.csv'])",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM seq_scan('entries')",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM import_database('WORK')",
    "DESCRIBE 'WORK/secret.csv'",
    "SUMMARIZE 'WORK/secret.csv'",
    "MERGE INTO node USING node AS other ON false WHEN MATCHED THEN DELETE RETURNING *",
    "WITH a AS (MERGE INTO node USING node AS o ON false WHEN MATCHED THEN DELETE RETURNING *)"
    " SELECT * FROM a",
    "EXPORT DATABASE 'CAT/export'",
    "IMPORT DATABASE 'WORK'",
    "ATTACH 'CAT/new.db'",
    "COPY FROM DATABASE memory TO memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET temp_directory = 'CAT'",
    "RESET allowed_paths",
    "PRAGMA database_list",
    "CALL range(3)",
    "CREATE TABLE t AS SELECT 1",
    "DROP VIEW layers",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN TRANSACTION",
    "SELECT * FROM nowhere",
    "SELECT * FROM files",
    "PIVOT entries ON kind USING count(*)",
    "nonsense",
    "",
    "SELECT 1" + " + (1" * 20_000 + ")" * 20_000,
)


@pytest.fixture(scope="module", autouse=True)
def spill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sessions spill elsewhere: the tests compare all that is in the catalog."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEDUPE_SPILL", str(tmp_path_factory.mktemp("spill")))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog and a working folder, with a link where DuckDB has its temporary files."""
    folder = tmp_path_factory.mktemp("query")
    write_oci_layout(folder / "store", [IMAGE])
    scanned(folder / "catalog", folder / "store")
    work = folder / "work"
    work.mkdir()
    (work / "secret.csv").write_text("a\n1\n")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "secret.csv").write_text("a\n1\n")
    (work / ".tmp").symlink_to(folder / "elsewhere")
    return folder


@pytest.fixture(scope="module")
def session(place: Path) -> Session:
    """A session over the catalog."""
    return Session(place / "catalog")


def state(place: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the bytes of files."""
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else None
        for path in sorted(place.rglob("*"))
    }


def assert_refused(
    session: Session, place: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that a statement is a usage error and changes no byte."""
    monkeypatch.chdir(place / "work")
    catalog = place / "catalog"
    text = (
        text.replace("CAT", str(catalog))
        .replace("WORK", str(place / "work"))
        .replace("SCAN", session.scan)
        .replace("LAYER", next((catalog / "layers").glob("*.parquet")).name)
    )
    before = state(place)
    images = session.rows("images")
    with pytest.raises(UsageError):
        session.ask(text)
    assert state(place) == before
    assert session.rows("images") == images


@pytest.mark.parametrize("hiding", HIDING)
@pytest.mark.parametrize("writing", WRITING)
def test_a_statement_that_writes_is_refused(
    writing: str, hiding: str, session: Session, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that writes is refused wherever a query may have one; no byte changes."""
    body = WRITING[writing]
    text = HIDING[hiding].replace("BODY", body).replace("QUOTED", body.replace("'", "''"))
    assert_refused(session, place, text, monkeypatch)


@pytest.mark.parametrize("where", PLACES)
def test_a_part_of_a_query_that_writes_is_refused(
    where: str, session: Session, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds for a query inside a query, wherever SQL allows one."""
    inner = "(WITH a AS (COPY (SELECT 1) TO 'CAT/fill.csv') SELECT 1)"
    assert_refused(session, place, re.sub(r"\bS\b", lambda _: inner, where), monkeypatch)


@pytest.mark.parametrize("text", REFUSED)
def test_files_settings_and_other_databases_are_refused(
    text: str, session: Session, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files (also behind a link at .tmp), settings, other databases and unknown names."""
    assert_refused(session, place, text, monkeypatch)


@pytest.mark.parametrize("name", [*TABLES, *(f"scan_{table}" for table in SCAN_TABLES)])
def test_every_table_can_be_read(name: str, session: Session) -> None:
    """All tables of the catalog and of the scan can be read."""
    assert session.ask(f"SELECT * FROM {name}").columns == session.ask(f"FROM {name}").columns


@pytest.mark.parametrize("name", relations())
def test_every_relation_can_be_read_first(name: str, place: Path) -> None:
    """All relations can be read, also as the first question of a session."""
    session = Session(place / "catalog")
    assert session.ask(f"SELECT * FROM {name}").columns
    session.close()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT kind, size_bytes FROM entries ORDER BY path", [("directory", 0), ("file", 10)]),
        ("FROM entries SELECT count(*)", [(2,)]),
        ("SELECT count(*) FROM ENTRIES", [(2,)]),
        ('SELECT count(*) FROM main."entries"', [(2,)]),
        ("VALUES (1), (2)", [(1,), (2,)]),
        ("WITH a AS (SELECT 1 AS n), b AS MATERIALIZED (FROM a) SELECT n FROM B", [(1,)]),
        ('WITH "a.csv" AS (SELECT 1) FROM "a.csv"', [(1,)]),
        ("SELECT (WITH a AS (SELECT 7) FROM a)", [(7,)]),
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)"
            " SELECT sum(n)::INT FROM r",
            [(6,)],
        ),
        (
            "WITH RECURSIVE r(a, b) USING KEY (a) AS (SELECT 1, 2 UNION"
            " SELECT r.a, r.b + 1 FROM r WHERE b < 5) FROM r",
            [(1, 5)],
        ),
        ("SELECT row_number() OVER w FROM entries WINDOW w AS (ORDER BY path)", [(1,), (2,)]),
        ("SELECT path FROM entries QUALIFY row_number() OVER (ORDER BY path) = 2", [("etc/a",)]),
        ("SELECT kind FROM entries ORDER BY kind DESC LIMIT 1 OFFSET 0", [("file",)]),
        ("SELECT kind FROM entries ORDER BY kind ASC LIMIT 50%", [("directory",)]),
        ("SELECT count(*) FROM (SELECT DISTINCT ON (layer) * FROM entries)", [(1,)]),
        ("SELECT count(*) FROM entries TABLESAMPLE 100%", [(2,)]),
        (
            "SELECT kind, count(*) FROM entries GROUP BY GROUPING SETS ((kind), ()) ORDER BY ALL",
            [("directory", 1), ("file", 1), (None, 2)],
        ),
        ("SELECT 1 UNION ALL BY NAME SELECT 1 EXCEPT SELECT 2", [(1,)]),
        ("SELECT count(*) FROM entries JOIN layers USING (layer)", [(2,)]),
        ("SELECT count(*) FROM entries, LATERAL (SELECT entries.path)", [(2,)]),
        ("SELECT count(*) FROM scan_images, unnest(names) AS t(name)", [(1,)]),
        ("SELECT unnest(names) FROM scan_images", [("good:1",)]),
        ("SELECT list_filter([1, 2], lambda x: x > 1)", [([2],)]),
        ("SELECT range FROM range(2)", [(0,), (1,)]),
        ("SELECT count(*) FROM json_each('[1, 2]')", [(2,)]),
        (
            "SELECT * FROM (PIVOT (SELECT kind FROM entries) ON kind IN ('file') USING count(*))",
            None,
        ),
        ("UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME n VALUE v", [("a", 1), ("b", 2)]),
        ("SELECT 'COPY x TO y; INSERT' AS \"delete\" -- UPDATE", [("COPY x TO y; INSERT",)]),
        ("SELECT column_name FROM (DESCRIBE layers) LIMIT 1", [("layer",)]),
        ("SHOW TABLES", None),
        ("SUMMARIZE entries", None),
        ("SELECT count(*) > 5 FROM information_schema.tables", [(True,)]),
        ("SELECT parent_of(path) FROM entries WHERE kind = 'file'", [("etc",)]),
        ("SELECT 1;", [(1,)]),
    ],
)
def test_queries_that_only_read_are_answered(
    text: str, rows: list[tuple] | None, session: Session
) -> None:
    """All SQL that only reads works, also after the session was closed to files."""
    answer = session.ask(text)
    assert rows is None or answer.rows == rows
    assert answer.columns
