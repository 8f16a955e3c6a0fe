"""Every form of the report has the same numbers."""

import json
import re
from collections import Counter

from helpers.reports import Reports, cells, figures, page_rows, samples

from dedupe.model.disk import PlaceKind
from dedupe.model.measures import DISK, SHOWN_TOTALS, TOTALS
from dedupe.report.units import human


def test_totals_are_the_same_in_every_form(sample: Reports) -> None:
    """Each total is the same number in every form; forms for reading have the seven main ones."""
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


def test_figures_of_images_are_the_same_in_every_form(sample: Reports) -> None:
    """Content, shadowed, efficiency and exclusive bytes of each image are the same."""
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


def test_disk_usage_is_the_same_in_every_form(sample: Reports) -> None:
    """Bytes on disk by kind are the same in every form, and their sum is in those for reading."""
    report = json.loads(sample["json"])
    lines, metrics = figures(sample["csv"]), samples(sample["openmetrics"])
    screen = {
        line.strip().partition("  ")[2]: line.split()[0]
        for line in sample["terminal"]
        .partition("On disk: ")[2]
        .partition("\n\n")[0]
        .splitlines()[1:]
    }
    table = {row[2]: row[0] for row in cells(sample["markdown"], "Disk")}
    page = page_rows(sample["html"], "disk")
    assert {row["kind"] for row in report["disk"]} == {"layer", "metadata"}
    for row in report["disk"]:
        size, label = row["allocated_bytes"], DISK[PlaceKind(row["kind"])].label
        labelled = frozenset({("source", row["source"]), ("kind", row["kind"])})
        assert lines["disk", row["kind"], "allocated_bytes"] == size
        assert metrics["dedupe_disk_bytes", labelled] == size
        assert screen[label] == table[label] == f"{size:,}"
        assert sum(each["allocated"] for each in page if each["kind"] == label) == size
    whole = sum(row["allocated_bytes"] for row in report["disk"])
    assert f"On disk: {whole:,}, as du counts" in sample["terminal"]
    assert table["total: what du counts"] == f"{whole:,}"


def test_findings_and_sources_are_the_same_in_every_form(sample: Reports) -> None:
    """Findings are the same in the same order, and so are sources."""
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
