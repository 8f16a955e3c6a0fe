"""Every form of the report has the same figures, and text of an image stays text in all."""

import csv
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from builders import Image, file, raw, tar_of, write_oci_layout
from here import PROJECT
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from markdown_it.token import Token
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from dedupe.model.measures import SHOWN_TOTALS, TOTALS
from dedupe.model.paths import path_text, printable
from dedupe.report.forms import FORMS as REGISTRY
from dedupe.report.text import code_span
from dedupe.report.units import human

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
    command = [sys.executable, "-m", "dedupe"]
    subprocess.run([*command, "scan", "-q", "--catalog", str(catalog), str(store)], check=True)
    return {
        form: subprocess.run(
            [*command, "report", "--catalog", str(catalog), "-f", form, "--bytes"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for form in FORMS
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """The reports of the sample store."""
    folder = tmp_path_factory.mktemp("sample")
    program = [sys.executable, str(PROJECT / "data/sample.py"), str(folder / "store")]
    subprocess.run(program, check=True)
    return reports(folder / "catalog", folder / "store")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """The reports of a store whose names, steps and paths are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    images = []
    for number, text in enumerate(HOSTILE):
        path = text.replace("/", "%").encode()
        layers = [
            tar_of([raw(path, content=bytes([number, layer]) * 700_000), file(f"own{number}")])
            for layer in range(2)
        ]
        images.append(Image(layers, names=[text], history=[f"ADD {text}", text]))
    bad = b"no utf-8 \xff\xfe"
    images.append(Image([tar_of([raw(bad, content=b"1")]), tar_of([raw(bad, content=b"2")])]))
    write_oci_layout(folder / "=store|`x`", images)
    return reports(folder / "catalog", folder / "=store|`x`")


def figures(text: str) -> dict[tuple[str, str, str], float]:
    """The CSV's values by thing, ID and figure."""
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["thing", "id", "name", "figure", "value"]
    found = {(row["thing"], row["id"], row["figure"]): float(row["value"]) for row in rows}
    assert len(found) == len(rows)
    return found


def samples(text: str) -> Samples:
    """Samples of the metrics; the parsers of both formats must agree."""
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
    """All tokens of the Markdown."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def cells(text: str, heading: str) -> list[list[str]]:
    """Texts of the cells of the table below a heading, one list per row."""
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


def test_totals_are_the_same_in_every_form(sample: Reports) -> None:
    """Each total is the same number in every form; people see the seven that matter most."""
    totals = json.loads(sample["json"])["totals"]
    (run,) = json.loads(sample["sarif"])["runs"]
    assert run["properties"]["totals"] == totals
    scan = json.loads(sample["json"])["scan"]["scan"]
    lines = figures(sample["csv"])
    metrics = samples(sample["openmetrics"])
    for key, value in totals.items():
        assert lines["scan", scan, key] == value
        assert metrics[f"dedupe_{key}", frozenset()] == value
    table = {what: size for size, what in cells(sample["markdown"], "Image storage")}
    screen = {
        line.strip().partition("  ")[2]: line.split()[0]
        for line in sample["terminal"].splitlines()
        if re.match(r" +[\d,]+  \w", line)
    }
    assert len(table) == 7
    for what, size in table.items():
        assert screen[what] == size
    assert table == {TOTALS[key].label: f"{totals[key]:,}" for key in SHOWN_TOTALS}
    for key in (
        *("stored_bytes", "cow_savings_bytes", "dead_bytes", "position_loss_bytes"),
        *("duplicate_content_bytes", "unpacked_bytes", "layer_bytes", "naive_bytes"),
    ):
        assert human(totals[key]) in sample["html"]
    share = f"{100 * totals['live_bytes'] / totals['naive_bytes']:.1f} %"
    assert all(share in sample[form] for form in ("terminal", "html", "markdown"))


def test_images_are_the_same_in_every_form(sample: Reports) -> None:
    """The sizes and the efficiency of each image are the same in every form."""
    images = json.loads(sample["json"])["images"]
    assert len(images) == 4
    lines = figures(sample["csv"])
    page = {row["image"]: row for row in page_rows(sample["html"], "images")}
    table = {
        row[0]: row[1:] for row in cells(sample["markdown"], "Images, the most shadowed first")
    }
    metrics = samples(sample["openmetrics"])
    for image in images:
        name = image["name"]
        for key in ("content_bytes", "live_bytes", "shadowed_bytes", "efficiency", "layers"):
            assert lines["image", image["image_id"], key] == image[key]
        for kind in ("exclusive", "attributed"):
            for granularity, value in image[kind].items():
                assert lines["image", image["image_id"], f"{kind}_{granularity}"] == value
        shown = page[name]
        assert [
            shown[key] for key in ("content", "shadowed", "efficiency", "exclusive", "attributed")
        ] == [
            *(image[key] for key in ("content_bytes", "shadowed_bytes", "efficiency")),
            image["exclusive"]["unpacked"],
            image["attributed"]["unpacked"],
        ]
        sizes = (image["content_bytes"], image["shadowed_bytes"], image["exclusive"]["unpacked"])
        words = [f"{100 * image['efficiency']:.1f} %", *(f"{size:,}" for size in sizes)]
        assert table[name] == words
        (line,) = (line for line in sample["terminal"].splitlines() if line.endswith(f"  {name}"))
        assert re.split(r"  +", line.strip())[:-1] == words
    for cause, value in images[0]["shadowed"].items():
        labelled = frozenset({("cause", cause)})
        whole = sum(image["shadowed"][cause] for image in images)
        assert metrics["dedupe_shadowed_by_cause_bytes", labelled] == whole
        assert value <= whole
    for repository in ("base", "web"):
        (image,) = (row for row in images if f"/{repository}:" in row["name"])
        labelled = frozenset({("repository", f"registry.example/{repository}")})
        assert (
            metrics["dedupe_repository_exclusive_bytes", labelled] == image["exclusive"]["unpacked"]
        )
    attributed = [
        value
        for (name, _), value in metrics.items()
        if name == "dedupe_repository_attributed_bytes"
    ]
    assert sum(attributed) == sum(image["attributed"]["unpacked"] for image in images)


def test_findings_and_sources_are_the_same_in_every_form(sample: Reports) -> None:
    """Findings, in the same order, and sources are the same in every form."""
    report = json.loads(sample["json"])
    findings = report["findings"]
    assert len(findings) == 4
    (run,) = json.loads(sample["sarif"])["runs"]
    assert [result["partialFingerprints"]["finding/v1"] for result in run["results"]] == [
        row["id"] for row in findings
    ]
    lines = figures(sample["csv"])
    page = page_rows(sample["html"], "findings")
    table = cells(sample["markdown"], "What to fix")
    for row, result, shown, words in zip(findings, run["results"], page, table, strict=True):
        for key in ("saves_bytes", "size_bytes", "files", "images", "position"):
            assert lines["finding", row["id"], key] == result["properties"][key] == row[key]
        assert (shown["saves"], shown["id"]) == (row["saves_bytes"], row["id"])
        assert words[0] == f"{row['saves_bytes']:,}"
        assert words[1] == result["ruleId"] == row["kind"]
        assert f"{row['saves_bytes']:>,}  {row['kind']}" in sample["terminal"]
    metrics = samples(sample["openmetrics"])
    for kind, count in Counter(row["kind"] for row in findings).items():
        labelled = frozenset({("kind", kind)})
        assert metrics["dedupe_findings", labelled] == count
        assert metrics["dedupe_finding_saves_bytes", labelled] == sum(
            row["saves_bytes"] for row in findings if row["kind"] == kind
        )
    (source,) = report["sources"]
    labelled = frozenset({("source", source["location"]), ("kind", source["kind"])})
    assert metrics["dedupe_source_stored_bytes", labelled] == source["stored_bytes"]
    (cell,) = cells(sample["markdown"], "Sources")
    assert cell == [source["location"], source["kind"], "4", f"{source['stored_bytes']:,}"]


def test_no_form_has_control_characters(hostile: Reports) -> None:
    """No form has a control character or a direction mark of an image."""
    for form, text in hostile.items():
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text.replace("\r\n", "\n")), form


def test_csv_starts_no_formula(hostile: Reports) -> None:
    """No cell begins like a formula of a spreadsheet, and none breaks its line."""
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
    """All foreign text is in code spans, complete; there is no link, picture or HTML."""
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
def test_code_span_reads_back_as_its_text(text: str) -> None:
    """A code span in a cell of a table reads back as the text, whatever it is."""
    shown = printable(text)
    found = list(tokens(f"| a | b |\n| --- | --- |\n| {code_span(shown)} | {code_span(shown)} |\n"))
    spans = [token.content for token in found if token.type == "code_inline"]
    assert spans == [shown, shown]
    assert sum(token.type == "td_open" for token in found) == 2


def test_long_text_is_cut() -> None:
    """A long cell is cut and ends with an ellipsis."""
    assert len(code_span("x" * 10_000)) < 200
    assert code_span("x" * 10_000).endswith("…`")
    assert code_span("") == ""


def test_labels_read_back_as_their_text(hostile: Reports) -> None:
    """Labels of metrics read back as the names of repositories, whatever those are."""
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


#: what code scanning needs in a log; section 3 of the standard
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "additionalProperties": False,
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
            "additionalProperties": False,
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "run": {
            "type": "object",
            "required": ["tool", "results", "invocations"],
            "properties": {
                "tool": {"properties": {"driver": {"$ref": "#/$defs/driver"}}},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                "invocations": {"type": "array", "items": {"$ref": "#/$defs/invocation"}},
                "originalUriBaseIds": {"type": "object"},
                "properties": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "driver": {
            "type": "object",
            "required": ["name", "semanticVersion", "rules"],
            "properties": {
                "name": {"type": "string"},
                "semanticVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
                "rules": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {
                        "type": "object",
                        "required": ["id", "shortDescription", "fullDescription", "help"],
                        "properties": {
                            "id": {"type": "string"},
                            "shortDescription": {"$ref": "#/$defs/text"},
                            "fullDescription": {"$ref": "#/$defs/text"},
                            "help": {"$ref": "#/$defs/text"},
                            "defaultConfiguration": {
                                "properties": {"level": {"$ref": "#/$defs/level"}},
                                "additionalProperties": False,
                            },
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/text"},
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["physicalLocation", "logicalLocations"],
                        "properties": {
                            "physicalLocation": {
                                "properties": {
                                    "artifactLocation": {
                                        "required": ["uri"],
                                        "properties": {
                                            "uri": {
                                                "type": "string",
                                                "pattern": r"^(?:[\w.~/-]|%[0-9A-F]{2})+$",
                                            },
                                            "uriBaseId": {"const": "ROOTFS"},
                                        },
                                        "additionalProperties": False,
                                    },
                                    "region": {"const": {"startLine": 1}},
                                },
                                "additionalProperties": False,
                            },
                            "logicalLocations": {"type": "array", "minItems": 1},
                        },
                        "additionalProperties": False,
                    },
                },
                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                "properties": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "invocation": {
            "type": "object",
            "required": ["executionSuccessful"],
            "properties": {
                "executionSuccessful": {"type": "boolean"},
                "startTimeUtc": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$"},
                "endTimeUtc": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$"},
                "toolExecutionNotifications": {
                    "type": "array",
                    "items": {
                        "required": ["message"],
                        "properties": {
                            "descriptor": {"required": ["id"]},
                            "level": {"$ref": "#/$defs/level"},
                            "message": {"$ref": "#/$defs/text"},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize("store", ["sample", "hostile"])
def test_sarif_is_sarif(store: str, request: pytest.FixtureRequest) -> None:
    """A log has the standard's structure, and each result refers to its rule."""
    log = json.loads(request.getfixturevalue(store)["sarif"])
    Draft202012Validator.check_schema(SARIF)
    Draft202012Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]


def test_sarif_messages_have_no_link_and_places_are_paths(hostile: Reports) -> None:
    """Brackets and braces of an image's text are escaped; artifacts are its paths as bytes."""
    (run,) = json.loads(hostile["sarif"])["runs"]
    for result in run["results"]:
        text = result["message"]["text"]
        assert not re.search(r"(?<!\\)[\[\]]", text)
        assert "{" not in text.replace("{{", "")
        for path, place in zip(result["properties"]["paths"], result["locations"], strict=False):
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert path_text(unquote_to_bytes(uri)) == path
    named = {path for result in run["results"] for path in result["properties"]["paths"]}
    assert {"no utf-8 \\xff\\xfe", "[x](evil.example)"} <= named
