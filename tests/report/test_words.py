"""Labels, sentences and kinds are written once, and are those of the queries and the pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from headers import columns_of
from here import PROJECT

from dedupe.analysis import queries
from dedupe.analysis.overview import shadowed_by_cause
from dedupe.model.disk import PlaceKind
from dedupe.model.findings import FindingKind
from dedupe.model.measures import (
    CONTAINERS,
    DISK,
    IMAGES,
    REPOSITORIES,
    SHOWN_IMAGE_SIZES,
    SHOWN_TOTALS,
    SOURCES,
    TOTALS,
    Cause,
)
from dedupe.report.forms import FORMS, Form
from dedupe.report.units import counted

QUERIES = PROJECT / "queries"
RELATIONS = QUERIES / "relations"


def text_values(path: Path, column: str) -> set[str]:
    """Texts that a relation's SQL can give for a column: literals, and results of its CASE."""
    body = re.sub(r"--.*", "", path.read_text())
    found = set(re.findall(rf"'([\w-]+)' AS {column}\b", body))
    for case in re.findall(rf"\bCASE\b((?:(?!\bCASE\b).)*?)\bEND AS {column}\b", body, re.S):
        found |= set(re.findall(r"\b(?:THEN|ELSE)\s+'([\w-]+)'", case))
    return found


def test_causes_are_those_of_the_sql() -> None:
    """The relation shadow gives these causes and no others, in its header and in its text."""
    (path,) = RELATIONS.glob("??_hiding.sql")
    (kept,) = RELATIONS.glob("??_shadow.sql")
    described = columns_of(path)["cause"][1]
    assert columns_of(kept)["cause"][1] == described
    assert re.split(r", *", described.partition(";")[0]) == list(Cause)
    macros = (RELATIONS.parent / "macros.sql").read_text()
    (rules,) = re.findall(r"MACRO rule_cause\(rule\) AS(.*?)END;", macros, re.S)
    by_rule = set(re.findall(r"\b(?:THEN|ELSE)\s+'([\w-]+)'", rules))
    # members of one layer are not compared by the CASE
    assert text_values(path, "cause") | by_rule | {"superseded"} == set(Cause)
    assert "'superseded'" in path.read_text()


def test_every_cause_is_a_column_of_images() -> None:
    """An image's shadowed bytes are read by cause, each from the column of its name."""
    numbers = {cause.value: number for number, cause in enumerate(Cause)}
    row: queries.ImagesRow = numbers  # type: ignore[assignment]  # other columns are not read
    assert shadowed_by_cause(row) == numbers


def test_kinds_of_findings_are_those_of_the_sql() -> None:
    """Every kind that a relation of findings gives has its words, and no other kind has."""
    # again_finding has the kinds of twin_class
    relations = sorted((*RELATIONS.glob("*_finding.sql"), *RELATIONS.glob("*_twin_class.sql")))
    found = [kind for path in relations for kind in text_values(path, "kind")]
    assert sorted(found) == sorted(FindingKind)


def test_every_relation_of_findings_is_in_the_answer() -> None:
    """The question findings asks all relations whose name ends in _finding."""
    asked = set(re.findall(r"FROM (\w+_finding)\b", (QUERIES / "findings.sql").read_text()))
    assert asked == {path.stem.partition("_")[2] for path in RELATIONS.glob("*_finding.sql")}


@pytest.mark.parametrize(
    ("measures", "query"),
    [
        (IMAGES, "images"),
        (SOURCES, "sources"),
        (CONTAINERS, "containers"),
        (REPOSITORIES, "usage/groups"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_measures_are_columns(measures: dict[str, object], query: str) -> None:
    """Every measure is a column of its query."""
    assert set(measures) <= set(columns_of(QUERIES / f"{query}.sql"))


def test_kinds_on_disk_have_words_and_rows_of_their_page() -> None:
    """Every kind has its words, and docs/disk.md has the same in the same order."""
    assert list(DISK) == list(PlaceKind)
    page = (PROJECT / "docs/disk.md").read_text()
    table = page.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert rows == [[kind, each.label, each.sentence] for kind, each in DISK.items()]


def test_every_total_is_a_measure() -> None:
    """Every column of the totals has its words; those that people see are among them."""
    assert list(TOTALS) == list(columns_of(QUERIES / "totals.sql"))
    assert set(SHOWN_TOTALS) <= set(TOTALS)
    assert set(SHOWN_IMAGE_SIZES) <= set(IMAGES)


@pytest.mark.parametrize(
    ("script", "made"),
    [("findings.py", "docs/findings.md"), ("report_schema.py", "docs/report.schema.json")],
)
def test_pages_made_from_the_words_are_current(script: str, made: str) -> None:
    """The page of findings and the schema have the program's words: run `make docs`."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "data" / script)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == (PROJECT / made).read_text()


def test_every_form_has_an_entry_and_a_row_of_its_page() -> None:
    """The registry has every form once; docs/formats.md lists those of `dedupe report`."""
    assert list(FORMS) == list(Form)
    page = (PROJECT / "docs/formats.md").read_text()
    table = page.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    listed = [line.split(" | ")[0].strip("| ") for line in table.splitlines()]
    assert listed == [form.value for form, entry in FORMS.items() if not entry.needs_check]
    limited = re.search(r"`--limit` limits the (.*?) \(", page.replace("\n", " "))
    assert limited is not None
    for form, entry in FORMS.items():
        assert entry.takes_limit == bool(re.search(rf"\b{form.value}\b", limited[1])), form


def test_names_of_forms_are_cheap() -> None:
    """Importing the registry imports no form and no library that a form needs."""
    program = (
        "import sys, dedupe.report.forms; "
        "print(*sorted(name for name in sys.modules if name.startswith(('dedupe.', 'jinja2'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["dedupe.report", "dedupe.report.forms"]


@pytest.mark.parametrize(
    ("count", "thing", "text"),
    [
        (1, "image", "1 image"),
        (0, "image", "0 images"),
        (2_000, "more image", "2,000 more images"),
        (1, "directory", "1 directory"),
        (2, "directory", "2 directories"),
        (3, "branch", "3 branches"),
    ],
)
def test_nouns_agree_with_their_number(count: int, thing: str, text: str) -> None:
    """One thing is singular, and plurals are spelled correctly."""
    assert counted(count, thing) == text
