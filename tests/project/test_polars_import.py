"""Importing polars must not delete files of the user."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_oci_layout
from here import PROJECT

#: ways in which our code imports polars
IMPORTS = {
    "library": "import dedupe, polars",
    "module": "import dedupe.formats.tar, polars",
    "table": "from dedupe.store import catalog; import polars",
    "worker": """
import multiprocessing

def work() -> None:
    import dedupe.layers.reader
    import polars

if __name__ == "__main__":
    from dedupe.scan import pool
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0
""",
}


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder that polars would delete, and the environment that makes it do so."""
    victim = tmp_path / "victim" / "77777"
    victim.mkdir(parents=True)
    (victim / "file").write_text("kept")
    user = f"dedupe-test-{uuid.uuid4().hex}"
    folder = Path("/var/tmp") / f"polars-{user}"
    folder.mkdir()
    (folder / "spill").symlink_to(victim.parent)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("POLARS_")}
    yield victim, {**environment, "USER": user, "HOME": str(tmp_path)}
    shutil.rmtree(folder)


def python(code: str, folder: Path, environment: dict[str, str]) -> None:
    """Run Python code in a process of its own."""
    script = folder / "script.py"
    script.write_text(code)
    subprocess.run(
        [sys.executable, str(script)],
        check=True,
        env={**environment, "PYTHONPATH": str(PROJECT)},
        cwd=folder,
    )


def test_polars_alone_deletes_the_folder(
    planted: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Without our code polars deletes the folder; otherwise the other tests prove nothing."""
    victim, environment = planted
    python("import polars", tmp_path, environment)
    if victim.exists():
        pytest.skip("this polars leaves folders alone that others lead it to")


@pytest.mark.parametrize("way", IMPORTS)
def test_polars_imported_by_our_code_deletes_nothing(
    way: str, planted: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Imported after any module of ours, here or in a worker, polars deletes nothing."""
    victim, environment = planted
    python(IMPORTS[way], tmp_path, environment)
    assert (victim / "file").read_text() == "kept"


def test_commands_that_use_polars_delete_nothing(
    planted: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """A scan, a table as CSV and as Parquet, and gc delete nothing."""
    victim, environment = planted
    image = Image([tar_of([file("a", b"x" * 10)])], names=["good:1"])
    write_oci_layout(tmp_path / "store", [image])
    catalog = ["--catalog", str(tmp_path / "catalog")]
    for command in (
        ["scan", "-q", str(tmp_path / "store")],
        ["images", "-f", "csv"],
        ["images", "-f", "parquet", "-o", str(tmp_path / "images.parquet")],
        ["catalog", "gc"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "dedupe", *command, *catalog],
            env={**environment, "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
    assert (victim / "file").read_text() == "kept"


def test_a_spill_folder_set_by_the_user_is_kept(tmp_path: Path) -> None:
    """A value that the user set, or that a loaded polars has, is not changed."""
    code = "import os, {}; assert os.environ.get('POLARS_OOC_SPILL_DIR') == {!r}"
    environment = {key: value for key, value in os.environ.items() if key[:7] != "POLARS_"}
    environment["USER"] = f"dedupe-test-{uuid.uuid4().hex}"
    python(code.format("polars, dedupe", None), tmp_path, environment)
    own = {**environment, "POLARS_OOC_SPILL_DIR": str(tmp_path)}
    python(code.format("dedupe", str(tmp_path)), tmp_path, own)


def test_polars_sorts_without_its_spill_folder(
    planted: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """If memory is short and polars cannot spill, it goes on in memory."""
    _, environment = planted
    code = """
import dedupe
import polars as pl
frame = pl.LazyFrame({"a": range(300_000)}).with_columns(b=pl.col("a").hash()).sort("b")
assert frame.collect().height == 300_000
"""
    short = {
        "POLARS_OOC_MEMORY_BUDGET_MB": "1",
        "POLARS_OOC_DRIFT_THRESHOLD": "0",
        "POLARS_OOC_SPILL_MIN_BYTES": "1",
    }
    python(code, tmp_path, {**environment, **short})
