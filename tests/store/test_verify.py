"""``dedupe catalog verify`` reads everything and names what is damaged."""

from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_oci_layout
from helpers.scanning import scan_only
from typer.testing import CliRunner

from dedupe.cli.app import app
from dedupe.store.derived.runs import DERIVED
from dedupe.store.session import Session
from dedupe.store.verify import verify


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog with one image of two layers, and derived rows."""
    layers = [tar_of([file("a", b"1" * 40), file("b", b"2" * 30)]), tar_of([file("a", b"3" * 9)])]
    write_oci_layout(tmp_path / "store", [Image(layers, names=["r/i:1"])])
    scan_only(tmp_path / "catalog", tmp_path / "store")
    session = Session(tmp_path / "catalog")
    assert session.derive()
    session.close()
    return tmp_path / "catalog"


def damaged(catalog: Path) -> list[Path]:
    """Paths of the damaged files, below the catalog."""
    return [found.path.relative_to(catalog) for found in verify(catalog)]


def test_a_whole_catalog_has_no_damage(catalog: Path) -> None:
    """Nothing is named, and the exit code is 0."""
    assert damaged(catalog) == []
    done = CliRunner().invoke(app, ["catalog", "verify", "--catalog", str(catalog)])
    assert done.exit_code == 0
    assert done.stderr == "all files are whole\n"


@pytest.mark.parametrize("place", ["entries/*", "layers/*", "scans/*/images*", "scans/*/disk*"])
def test_a_file_that_ends_early_is_named(catalog: Path, place: str) -> None:
    """It is the only one, with a command that helps, and the exit code is 5."""
    path = next(catalog.glob(place))
    path.write_bytes(path.read_bytes()[:-20])
    assert path.relative_to(catalog) in damaged(catalog)
    done = CliRunner().invoke(app, ["catalog", "verify", "--catalog", str(catalog)])
    assert done.exit_code == 5
    assert str(path) in done.stderr
    assert "'dedupe " in done.stderr


def test_missing_files_are_named(catalog: Path) -> None:
    """Entries of which the layer's row tells, and tables of a scan."""
    gone = [next(catalog.glob("entries/*")), next(catalog.glob("scans/*/problems*"))]
    for path in gone:
        path.unlink()
    assert sorted(damaged(catalog)) == sorted(path.relative_to(catalog) for path in gone)


def test_entries_of_another_layer_are_named(catalog: Path) -> None:
    """A whole file with other rows than its layer says is damage."""
    one, other = sorted(catalog.glob("entries/*"))
    one.write_bytes(other.read_bytes())
    assert one.relative_to(catalog) in damaged(catalog)


def test_damaged_derived_rows_are_removed(catalog: Path) -> None:
    """They are named once, and made again."""
    path = next(catalog.glob(f"{DERIVED}/*/*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    assert damaged(catalog) == [path.relative_to(catalog)]
    assert damaged(catalog) == []
    assert not path.exists()
