"""Text from images stays text in every form of the report."""

import csv
import io
import json
import re
from collections import Counter

import pytest
from helpers.reports import (
    HOSTILE,
    Reports,
    cells,
    samples,
    tokens,
)

from dedupe.model.paths import printable
from dedupe.report.text import code_span


def test_no_form_has_control_characters_of_an_image(hostile: Reports) -> None:
    """No form has a control character or a direction mark from an image."""
    for form, text in hostile.items():
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text.replace("\r\n", "\n")), form


def test_csv_cells_are_not_formulas(hostile: Reports) -> None:
    """No cell starts like a formula of a spreadsheet, and none breaks its line."""
    rows = list(csv.reader(io.StringIO(hostile["csv"])))
    assert {len(row) for row in rows} == {5}
    for row in rows[1:]:
        for cell in row[:4]:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
        float(row[4])
    names = {row[2] for row in rows if row[0] == "image"}
    assert {"'=HYPERLINK(evil)", "'@team", "'-2"} <= names
    assert any(row[2].endswith("=store|`x`") for row in rows if row[0] == "source")


def test_markdown_has_no_markup_of_an_image(hostile: Reports) -> None:
    """Text of images is in code spans, whole; there is no link, picture or HTML."""
    found = list(tokens(hostile["markdown"]))
    kinds = {token.type for token in found}
    assert kinds <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline"),
        *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
        *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close"),
        *("text", "code_inline", "softbreak"),
    }
    text = "".join(token.content for token in found if token.type == "text")
    assert not re.search(r"[@#<>&\[\]|`=]|evil|www|http", text)
    spans = {token.content for token in found if token.type == "code_inline"}
    shown = [printable(each) for each in HOSTILE if printable(each) in spans]
    assert len(shown) >= 8
    assert len(hostile["markdown"]) < 65_536
    widths = Counter(len(row) for row in cells(hostile["markdown"], "What to fix"))
    assert widths == {5: 10}


@pytest.mark.parametrize(
    "text", [*HOSTILE, "`", "`a", "a`", "  ", " a ", "a``b`", "|", "\\|", "x\\"]
)
def test_code_spans_read_back_as_the_text(text: str) -> None:
    """Any text in a code span of a table cell reads back as the same text."""
    shown = printable(text)
    found = list(tokens(f"| a | b |\n| --- | --- |\n| {code_span(shown)} | {code_span(shown)} |\n"))
    spans = [token.content for token in found if token.type == "code_inline"]
    assert spans == [shown, shown]
    assert sum(token.type == "td_open" for token in found) == 2


def test_long_text_is_cut() -> None:
    """A cell is not longer than a comment can hold, and shows that it was cut."""
    assert len(code_span("x" * 10_000)) < 200
    assert code_span("x" * 10_000).endswith("…`")
    assert code_span("") == ""


def test_metric_labels_read_back_as_the_text(hostile: Reports) -> None:
    """Labels read back as the repositories and sources, whatever text they are."""
    labels = {
        dict(labels)["repository"]
        for name, labels in samples(hostile["openmetrics"])
        if name == "dedupe_repository_images"
    }
    assert {printable('quote"back\\slash'), printable("``"), printable(" ")} <= labels
    report = json.loads(hostile["json"])
    assert sum(
        value
        for (name, _), value in samples(hostile["openmetrics"]).items()
        if name == "dedupe_repository_attributed_bytes"
    ) == sum(image["attributed"]["unpacked"] for image in report["images"])
