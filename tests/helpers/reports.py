"""A report in every form, and what each form says."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from dedupe.report.forms import FORMS as REGISTRY
from helpers.commands import run

#: forms of the report that need no check
FORMS = [form.value for form, entry in REGISTRY.items() if not entry.needs_check]
HOSTILE = (
    "=HYPERLINK(evil)",
    "+1+cmd|' -C calc'!A0",
    "@team",
    "-2",
    "<script>alert(1)</script>",
    "<!-- hidden",
    "[x](evil.example)",
    "![x](evil.example)",
    "<evil.example>",
    "https:evil.example www.evil.example a@evil.example #1 evil#2",
    "`tick`",
    "``",
    "a|b\\|c",
    "**b** _i_ ~~s~~ {0} ${x}",
    "\x1b[31mred\x1b[0m\x07",
    "line\nbreak\r| cell |",
    'quote"back\\slash',
    "a\u202egnp.exe",
    " ",
    "&amp;&#64;",
    "\uff1d1",
)
Reports = dict[str, str]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def reports(catalog: Path, store: Path) -> Reports:
    """The store's report in every form, as the command writes it."""
    said = run(catalog, "scan", "-q", str(store))
    assert said.returncode == 0, said.stderr
    found = {form: run(catalog, "report", "-f", form, "--bytes") for form in FORMS}
    assert {done.returncode for done in found.values()} == {0}
    return {form: done.stdout for form, done in found.items()}


def figures(text: str) -> dict[tuple[str, str, str], float]:
    """The CSV's values by thing, ID and figure."""
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["thing", "id", "name", "figure", "value"]
    found = {(row["thing"], row["id"], row["figure"]): float(row["value"]) for row in rows}
    assert len(found) == len(rows)
    return found


def samples(text: str) -> Samples:
    """Samples of the metrics, which both parsers read alike."""
    read: list[Samples] = []
    for parse in (openmetrics, prometheus):
        every = [sample for family in parse(text) for sample in family.samples]
        read.append({(each.name, frozenset(each.labels.items())): each.value for each in every})
        assert len(read[-1]) == len(every)
    assert read[0] == read[1]
    return read[0]


def page_rows(text: str, table: str) -> list[dict[str, Any]]:
    """Rows of a table of the page, as its script reads them."""
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert data is not None
    found = json.loads(data[1])[table]
    heads = [column["name"] for column in found["columns"]]
    return [dict(zip(heads, row, strict=True)) for row in found["rows"]]


def tokens(text: str) -> Iterator[Token]:
    """Everything that the Markdown is made of."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def cells(text: str, heading: str) -> list[list[str]]:
    """Texts of the cells of the table below a heading, a list a row."""
    found: list[list[str]] = []
    inside = headed = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if headed:
            inside = token.content == heading
        headed = token.type == "heading_open"
        if inside and token.type == "tr_open":
            found.append([])
        elif inside and token.type == "inline" and token.level > 1:
            found[-1].append("".join(child.content for child in token.children or ()))
    return found[1:]
