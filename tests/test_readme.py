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


def test_commands_in_docs() -> None:
    """The page of commands is what the commands say of themselves; README lists them all."""
    made = subprocess.run(
        [sys.executable, str(PROJECT / "data/commands.py")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert made == (PROJECT / "docs/commands.md").read_text()
    listed = made.partition("## dedupe\n\n")[2].partition("\n## ")[0]
    assert listed.strip() in (PROJECT / "README.md").read_text()
