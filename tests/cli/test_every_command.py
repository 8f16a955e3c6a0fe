"""Every command handles unknown names, and every table has all formats and its query."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
from builders import directory, file, image, write_oci_layout
from helpers.commands import run
from helpers.scanning import scan_only

NAME = "{name}"
#: all commands that take the name of an image
NAMED = (
    ("history", NAME),
    ("ls", NAME),
    ("find", NAME, "*"),
    ("which", NAME, "/etc/os"),
    ("diff", NAME, "web:1"),
    ("diff", "web:1", NAME),
    ("what-if", "--delete", NAME),
    ("what-if", "--keep", NAME),
    ("reorder", NAME),
    ("reorder", "explain", NAME),
    ("reorder", "compare", NAME),
)
TABLES = (
    *(("disk", "--by", by) for by in ("kind", "owner", "place")),
    *(("sources",), ("images",), ("layers",), ("tree",), ("shadowed",), ("findings",)),
    *(("duplicates", "--by", by) for by in ("content", "folder", "cache", "extension", "size")),
    *(
        ("usage", "--by", by)
        for by in ("image", "repository", "namespace", "tag-series", "base", "layer")
    ),
    *(("positions",), ("bases",), ("twins",), ("twins", "--groups"), ("containers",), ("trend",)),
    *(("ls", "web:1"), ("find", "web:1", "*"), ("which", "web:1", "/etc/os"), ("history", "web:1")),
    *(("what-if", "--delete", "web:1"), ("artifacts",)),
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalog of three images: two tags of one repository, and another."""
    folder = tmp_path_factory.mktemp("every")
    base = [directory("etc"), file("etc/os", b"o" * 90)]
    tool = [file("opt/lib", b"l" * 2_000)]
    images = [
        image(base, [file("etc/conf", "a")], tool, names="r.example/tool:a"),
        image(base, tool, [file("etc/conf", "b")], names="r.example/tool:b"),
        image(base, [file("etc/os", b"n" * 80)], names="r.example/web:1"),
    ]
    write_oci_layout(folder / "store", images)
    scan_only(folder / "catalog", folder / "store")
    return folder / "catalog"


def error_of(catalog: Path, words: tuple[str, ...], name: str) -> str:
    """Return the one line on standard error of a call with this name, which must fail."""
    done = run(catalog, *(word.format(name=name) for word in words))
    assert (done.stdout, done.returncode != 0) == ("", True)
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_a_wrong_name_gets_the_closest(catalog: Path, words: tuple[str, ...]) -> None:
    """A mistyped name is one error with the closest names."""
    text = error_of(catalog, words, "tol:a")
    assert "tol:a: no such image; the closest are r.example/tool:a" in text


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_an_ambiguous_name_gets_the_candidates(catalog: Path, words: tuple[str, ...]) -> None:
    """A name of several images is one error with all of them."""
    text = error_of(catalog, words, "tool")
    assert "tool: names several images: r.example/tool:a (" in text
    assert ", r.example/tool:b (" in text
    assert text.count(f"in {catalog.parent / 'store'})") == 2


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_a_glob_without_a_match_is_an_error(catalog: Path, words: tuple[str, ...]) -> None:
    """A glob that matches no image is an error, not an empty answer."""
    assert "zzz*: no such image" in error_of(catalog, words, "zzz*")


@pytest.mark.parametrize("words", TABLES, ids=" ".join)
def test_every_table_has_the_same_rows_in_every_format(
    catalog: Path, words: tuple[str, ...], tmp_path: Path
) -> None:
    """JSON, CSV and Parquet have the same rows, and --explain prints their query."""
    explained = run(catalog, *words, "--explain")
    assert explained.returncode == 0
    assert "-- queries/" in explained.stdout
    limit = () if words[0] == "what-if" else ("--limit", "0")
    table = tmp_path / "t.parquet"
    written = run(catalog, *words, *limit, "--format", "parquet", "--output", str(table))
    assert written.returncode == 0, written.stderr
    lines = run(catalog, *words, *limit, "--format", "csv")
    assert lines.returncode == 0, lines.stderr
    frame = pl.read_parquet(table)
    assert pl.read_csv(io.StringIO(lines.stdout), infer_schema=False).columns == frame.columns
    document = run(catalog, *words, *limit, "--format", "json")
    assert document.returncode == 0, document.stderr
    if words[0] != "what-if":
        rows = json.loads(document.stdout)
        assert len(rows) == frame.height
        assert all(list(row) == frame.columns for row in rows)
