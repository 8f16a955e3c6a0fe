"""README shows what the program really prints."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_report_in_readme(tmp_path: Path) -> None:
    """The sample store's report stands in README as it is printed."""
    store, catalog = str(tmp_path / "store"), str(tmp_path / "catalog")
    for words in (
        [str(PROJECT / "data/sample.py"), store],
        ["-m", "dedupe", "scan", "-q", "--catalog", catalog, store],
    ):
        subprocess.run([sys.executable, *words], check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "dedupe", "report", "--catalog", catalog],
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout in (PROJECT / "README.md").read_text()
