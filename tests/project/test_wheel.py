"""The wheel has what the program needs, and nothing of its tests."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from here import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the working tree, without a network."""
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


def test_wheel_has_the_program_and_its_pages(wheel: Path) -> None:
    """The wheel has all modules, queries and pages, but no test, sample or benchmark."""
    names = set(zipfile.ZipFile(wheel).namelist())
    queries = {
        f"dedupe/{path.relative_to(PROJECT)}" for path in (PROJECT / "queries").rglob("*.sql")
    }
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "dedupe").rglob("*.py")}
    assert "dedupe/queries/relations/01_image.sql" in queries
    pages = {
        f"dedupe/{path.relative_to(PROJECT)}"
        for path in (PROJECT / "docs").rglob("*")
        if path.is_file()
    }
    assert {"dedupe/docs/check.md", "dedupe/docs/commands/scan.md"} <= pages
    assert queries | modules | pages <= names
    assets = {
        str(path.relative_to(PROJECT)) for path in PROJECT.glob("dedupe/report/html/assets/*")
    }
    assert assets <= names
    rest = {
        name for name in names - queries - modules - pages - assets if ".dist-info/" not in name
    }
    (manual,) = (name for name in rest if name.endswith(".data/data/share/man/man1/dedupe.1"))
    assert rest <= {"dedupe/py.typed", manual}
    top = {name.split("/")[0] for name in names}
    described = next(name for name in top if name.endswith(".dist-info"))
    assert top == {"dedupe", described, manual.split("/")[0]}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages into which the wheel was unpacked."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def installed(site: Path, text: str) -> str:
    """Output of a piece of Python that finds only the unpacked wheel."""
    return subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_an_installed_program_reads_its_own_queries(site: Path) -> None:
    """The installed program reads the SQL that came with it."""
    text = "from dedupe.installed import queries_folder; print(queries_folder())"
    assert installed(site, text).strip() == str(site / "dedupe/queries")


def test_every_page_that_messages_name_is_installed(site: Path) -> None:
    """Messages, help and the headers of queries name pages that the wheel has."""
    named = set(re.findall(r"docs/[a-z-]+\.md", "".join(_texts(site))))
    assert {"docs/check.md", "docs/sources.md"} <= named
    for page in named:
        text = f"from dedupe.installed import locate_pages as at; print(at('see {page}, too'))"
        shown = installed(site, text).strip()
        assert shown == f"see {site}/dedupe/{page}, too"
        assert (site / "dedupe" / page).is_file(), page
    for page in ("check.md", "audit.md"):
        assert (site / "dedupe/docs" / page).is_file()
    call = "import sys; from dedupe.cli import app; sys.argv = ['dedupe', '--docs-path']; app()"
    assert installed(site, call).strip() == str(site / "dedupe/docs")


def _texts(site: Path) -> Iterator[str]:
    """Strings of the program, and the headers of its queries."""
    for path in (site / "dedupe").rglob("*.sql"):
        yield path.read_text()
    for path in (site / "dedupe").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                # a page of another project is named with its repository
                yield re.sub(r"github\.com/\S+, docs/\S+", "", node.value)
