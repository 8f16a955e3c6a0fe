"""README and docs show what the program really prints."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import commands
import manpage
import pytest
from helpers.commands import run
from here import PROJECT
from typer.testing import CliRunner

from dedupe.cli import app


def test_readme_has_the_report_of_the_sample_store(tmp_path: Path) -> None:
    """The report of the sample store is in README as it is printed."""
    store, catalog = str(tmp_path / "store"), str(tmp_path / "catalog")
    subprocess.run([sys.executable, str(PROJECT / "data/sample.py"), store], check=True)
    assert run(Path(catalog), "scan", "-q", store).returncode == 0
    shown = run(Path(catalog), "report")
    assert shown.returncode == 0
    assert shown.stdout in (PROJECT / "README.md").read_text()


def test_pages_of_commands_have_their_help(tmp_path: Path) -> None:
    """The pages are made from the help, and README has the list of commands."""
    made, kept = tmp_path / "commands", PROJECT / "docs/commands"
    commands.main(made)
    assert {page.name for page in made.iterdir()} == {page.name for page in kept.iterdir()}
    for page in made.iterdir():
        assert page.read_text() == (kept / page.name).read_text(), page.name
    listed = (made / "README.md").read_text().partition("## dedupe\n\n")[2]
    assert listed.strip() in (PROJECT / "README.md").read_text()


def test_manual_page_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The manual page is made from the help, and groff accepts it."""
    manpage.main()
    made = capsys.readouterr().out
    kept = PROJECT / "docs/dedupe.1"
    assert made == kept.read_text()
    for name in ("scan", "report", "catalog forget", "what\\-if"):
        assert f"\n.SS dedupe {name} " in made
    if shutil.which("groff"):
        words = ["groff", "-man", "-ww", "-z", str(kept)]
        assert subprocess.run(words, check=True, capture_output=True).stderr == b""


def test_links_of_the_docs_exist() -> None:
    """Every file that a page links to exists."""
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    ]
    assert len(links) > 20
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_calls_in_the_docs_have_known_options() -> None:
    """Every call on the pages has a command and options that exist."""
    calls = {
        line.removeprefix("$ ").partition(" | ")[0].partition(" >> ")[0]
        for page in (PROJECT / "docs").glob("*.md")
        for block in re.findall(r"^```\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
        if re.match(r"(\$ )?dedupe [a-z]", line)
    }
    assert len(calls) > 30
    for call in calls:
        # --help is only reached if all options before it exist
        done = CliRunner().invoke(app, [*shlex.split(call, comments=True)[1:], "--help"])
        assert done.exit_code == 0, f"{call}: {done.output}"
