"""The wheel has what the program needs, and no tests."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from here import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the working tree, without network access."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_all_code_and_sql_and_no_tests(wheel: Path) -> None:
    """All modules and all SQL are in the package, and no test, bench or sample data."""
    names = set(zipfile.ZipFile(wheel).namelist())
    queries = {
        f"dedupe/{path.relative_to(PROJECT)}" for path in (PROJECT / "queries").rglob("*.sql")
    }
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "dedupe").rglob("*.py")}
    assert "dedupe/queries/relations/01_image.sql" in queries
    assert queries | modules <= names
    assets = {
        str(path.relative_to(PROJECT)) for path in PROJECT.glob("dedupe/report/html/assets/*")
    }
    assert assets <= names
    rest = {name for name in names - queries - modules - assets if ".dist-info/" not in name}
    (manual,) = (name for name in rest if name.endswith(".data/data/share/man/man1/dedupe.1"))
    assert rest <= {"dedupe/py.typed", manual}
    top = {name.split("/")[0] for name in names}
    described = next(name for name in top if name.endswith(".dist-info"))
    assert top == {"dedupe", described, manual.split("/")[0]}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_unpacked_wheel_finds_its_queries(wheel: Path, tmp_path: Path) -> None:
    """The installed program reads the SQL that came with it."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    text = "from dedupe.store.sql import queries_folder; print(queries_folder())"
    found = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(tmp_path / "site/dedupe/queries")
