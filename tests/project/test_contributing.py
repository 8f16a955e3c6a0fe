"""CONTRIBUTING.md names files that exist, and its recipes name all that have to be edited."""

import re
from collections.abc import Collection

import pytest
from helpers.tracked import tracked_files
from here import PROJECT
from typer.main import get_command

from dedupe.analysis.check.rules import RULES
from dedupe.cli.app import app
from dedupe.model.findings import FindingKind
from dedupe.model.images import SourceKind
from dedupe.model.measures import TOTALS
from dedupe.model.tables import TABLES
from dedupe.report.forms import Form
from dedupe.sources.source_types import SOURCE_TYPES

PAGE = (PROJECT / "CONTRIBUTING.md").read_text()
TRACKED = {path.relative_to(PROJECT).as_posix() for path in tracked_files()}
#: a path, or a file at the root
NAMED = re.compile(r"`((?:[\w.*-]+/)+[\w.*-]*|[\w.*-]+\.(?:md|toml))`")
#: parts of names that the reader chooses
CHOSEN = re.compile(r"NAME|NN")
#: what a reader edits, but for tests
EDITED = ("dedupe/", "queries/", "data/", "docs/")
#: lists the columns of version 1 of the catalog, which never change
FROZEN = {"dedupe/store/versions.py"}


def section(heading: str) -> str:
    """Text below a heading of any level, to the next heading."""
    (text,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return str(text)


def files_in(text: str) -> set[str]:
    """Tracked files that a text names, one by one, by a pattern, or by their folder."""
    patterns = []
    for name in NAMED.findall(text):
        pattern = re.escape(CHOSEN.sub("*", name)).replace(r"\*", "[^/]*")
        patterns.append(f"{pattern}.*" if name.endswith("/") else pattern)
    return {name for name in TRACKED for each in patterns if re.fullmatch(each, name)}


def generated() -> set[str]:
    """Files that are made by `make docs`: the page names them before what they are made from."""
    lines = section("Generated files").splitlines()
    return files_in("".join(line.partition(": ")[0] for line in lines if line.startswith("- ")))


RECIPES = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
GENERATED = generated()


def naming_all(words: Collection[str]) -> set[str]:
    """Files that a reader edits and that have each of these words, also spelt as identifiers."""
    patterns = [
        re.compile(rf"(?<![\w-]){re.sub('[-_]', '[-_]', word)}(?![\w-])", re.IGNORECASE)
        for word in words
    ]
    return {
        name
        for name in TRACKED - GENERATED - FROZEN
        if name.startswith(EDITED)
        and name.endswith((".py", ".sql", ".json", ".md"))
        and all(each.search((PROJECT / name).read_text()) for each in patterns)
    }


@pytest.mark.parametrize("name", sorted(set(NAMED.findall(PAGE))))
def test_every_named_file_exists(name: str) -> None:
    """A path with a name to choose has at least one example."""
    assert files_in(f"`{name}`"), name


def test_links_of_the_page_exist() -> None:
    """Every page that it links to exists."""
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("A source", list(SourceKind)),
        ("A source", [each.name for each in SOURCE_TYPES]),
        ("A kind of finding", list(FindingKind)),
        ("A measure", list(TOTALS)),
        ("A form of the report", list(Form)),
        ("A column of images", [each for each in TABLES["images"] if each != "scan"]),
        ("A rule of check", [rule.name for rule in RULES]),
        ("A command", list(get_command(app).commands)),
    ],
)
def test_recipe_names_each_file_that_lists_all_of_its_kind(
    recipe: str, words: Collection[str]
) -> None:
    """A file that has all members of an enumeration has to get a new one."""
    found = naming_all(words)
    assert found, recipe
    assert found <= files_in(section(recipe))


@pytest.mark.parametrize(
    ("recipe", "most"),
    [
        ("A source", 5),
        ("A kind of finding", 3),
        ("A column of images", 6),
        ("The meaning of a whiteout", 7),
    ],
)
def test_usual_changes_stay_small(recipe: str, most: int) -> None:
    """A seam that breaks shows as one more step."""
    assert len(re.findall(r"^\d+\. ", section(recipe), re.MULTILINE)) <= most


def test_every_recipe_names_files_and_a_test() -> None:
    """No recipe ends without a test to write."""
    assert len(RECIPES) == 8
    for recipe in RECIPES:
        text = section(recipe)
        assert "Test: " in text, recipe
        assert any(name.startswith("tests/") for name in files_in(text)), recipe
