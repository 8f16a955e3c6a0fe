"""Benchmarks of scale: the catalogs that they make, and the tables that they print."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from helpers.commands import invoke
from here import PROJECT

from dedupe.store.session import Session


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The folder of benchmarks is searched for modules."""
    monkeypatch.syspath_prepend(PROJECT / "bench")
    return monkeypatch


def imported(name: str) -> ModuleType:
    """A benchmark as a module."""
    return importlib.import_module(name)


def rows(catalog: Path) -> pl.DataFrame:
    """All entries, in an order of their own."""
    with_rows = pl.scan_parquet(catalog / "entries" / "*.parquet")
    return with_rows.sort("layer", "member").collect()


@pytest.mark.usefixtures("bench")
def test_synthetic_catalogs_answer_every_command_that_is_measured(tmp_path: Path) -> None:
    """A catalog has all kinds of rows, the same for the same seed, and no problems."""
    synthetic, scale = imported("synthetic"), imported("scale")
    catalog = tmp_path / "a"
    said = synthetic.write(catalog, 1_000)
    assert said == "50 images, 91 layers, 1,547 entries"
    entries = rows(catalog)
    assert len(entries) == 1_547
    kinds = dict(entries["kind"].value_counts().iter_rows())
    assert kinds.keys() == {"file", "directory", "symlink", "hardlink", "whiteout", "opaque"}
    assert entries.filter(pl.col("size_bytes") > 0)[
        "content_hash"
    ].bin.size().unique().to_list() == [32]
    contents = entries["content_hash"].drop_nulls()
    assert len(contents) / 2 < contents.n_unique() < len(contents)
    synthetic.write(tmp_path / "b", 1_000)
    assert rows(tmp_path / "b").equals(entries)
    synthetic.write(tmp_path / "c", 1_000, 7)
    assert not set(rows(tmp_path / "c")["layer"]) & set(entries["layer"])

    session = Session(catalog)
    totals = session.rows("totals")[0]
    assert (totals["images"], totals["entries"], totals["incomplete_images"]) == (50, 1_547, 0)
    assert session.rows("problems") == []
    assert session.rows("findings")
    session.close()
    for words in scale._COMMANDS.values():
        assert invoke(*words, "--catalog", str(catalog))


def test_scale_prints_one_row_per_command(
    tmp_path: Path, bench: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It makes the catalogs, keeps the run in a file and draws it; a failure has its exit code."""
    scale = imported("scale")

    def run(catalog: Path, *words: str) -> object:
        invoke(*words, "--catalog", str(catalog))
        failed = "findings" in words
        return scale.Run(
            0.5, len(list(catalog.glob("entries/*"))) / 100, 2_000_000, 7 if failed else 0
        )

    bench.setattr(scale, "_dedupe", run)
    results, page = tmp_path / "results.txt", tmp_path / "page.md"
    page.write_text((PROJECT / "docs" / "scale.md").read_text())
    words = ["--only", "open", "--only", "one image more", "--only", "findings"]
    sizes = ["--entries", "1e3", "--entries", "2e3"]
    kept = ["--results", str(results), "--page", str(page)]
    bench.setattr(sys, "argv", ["scale.py", str(tmp_path), *sizes, *words, *kept])
    scale.main()
    table = capsys.readouterr().out
    head, line, *measured = table.split("\n\n")[0].splitlines()
    assert head.startswith("| command | 1,547: cold | warm | memory | ")
    assert line.count("---:") == 7
    assert [each.split(" | ")[:4] for each in measured] == [
        ["| open (query)", "0.50 s", "0.50 s", "2 MB"],
        ["| findings", "exit 7", "exit 7", "2 MB"],
        ["| one image more: scan and report -f json", "1.00 s", "1.00 s", "2 MB"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1e3",
        "2000",
        "page.md",
        "page.svg",
        "results.txt",
    ]
    record = results.read_text()
    assert table.strip() in record
    assert "DuckDB" in record
    assert table.strip() in page.read_text()
    assert page.read_text().count("| command |") == 1
    assert "command: python bench/scale.py" in record
    drawn = ET.parse(tmp_path / "page.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 2


@pytest.mark.usefixtures("bench")
def test_growth_is_the_exponent_of_a_power_law() -> None:
    """Points of 3 * x^1.5 have the exponent 1.5; one point has none."""
    growth = imported("scale").growth
    assert growth((x, 3 * x**1.5) for x in (10, 100, 1000)) == pytest.approx(1.5)
    assert growth([(1, 2)]) is None


@pytest.mark.usefixtures("bench")
def test_relations_names_what_a_command_runs(tmp_path: Path) -> None:
    """Relations and questions have rows; the last line is the whole command."""
    imported("synthetic").write(tmp_path / "catalog", 1_000)
    *lines, last = imported("relations").measure(tmp_path / "catalog", ["images"]).splitlines()
    assert last.endswith(" all")
    assert all(" CPU " in line for line in lines)
    assert any(line.split()[-2:] == ["question", "images"] and " 50 rows" in line for line in lines)
    assert any(line.endswith("table node") and " 91 rows" in line for line in lines)
    assert any(line.endswith(" Python") for line in lines)
