"""The JSON report follows docs/report.schema.json, which describes every key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sample
from builders import Image, empty_step, file, raw, tar_of, whiteout, write_dir, write_oci_layout
from helpers.commands import run
from here import PROJECT
from jsonschema import Draft202012Validator, ValidationError

SCHEMA = json.loads((PROJECT / "docs/report.schema.json").read_bytes())


def report_of(tmp_path: Path, store: Path, *words: str) -> dict[str, Any]:
    """The JSON report of a store."""
    catalog = tmp_path / "catalog"
    run(catalog, "scan", "-q", str(store))
    done = run(catalog, "report", "-f", "json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def objects(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object schema below this one, with its place."""
    if schema.get("type") == "object":
        yield place, schema
    for name, below in schema.get("properties", {}).items():
        yield from objects(below, f"{place}.{name}")
    if "items" in schema:
        yield from objects(schema["items"], f"{place}[]")


def test_the_schema_names_and_describes_every_key() -> None:
    """Each object requires all its keys, allows no others, and describes each."""
    Draft202012Validator.check_schema(SCHEMA)
    found = dict(objects(SCHEMA))
    assert {"", ".totals", ".images[]", ".images[].shadowed", ".layers[].blobs[]"} <= set(found)
    for place, schema in found.items():
        assert schema["additionalProperties"] is False, place
        assert schema["required"] == list(schema["properties"]), place
        for name, below in schema["properties"].items():
            assert below.get("description"), f"{place}.{name}"


def test_the_report_of_the_sample_store_is_valid(tmp_path: Path) -> None:
    """The report, whole and limited, is valid, with its keys in the order of the schema."""
    store = tmp_path / "store"
    sample.main(store)
    validator = Draft202012Validator(SCHEMA)
    for words in ([], ["--limit", "1"]):
        report = report_of(tmp_path, store, *words)
        validator.validate(report)
        assert list(report) == SCHEMA["required"]
        assert report["images"]
        assert report["shadowed_files"]
        assert report["duplicates"]
    assert report["left_out"]["shadowed_files"] > 0
    for name in ("totals", "scan"):
        assert list(report[name]) == SCHEMA["properties"][name]["required"]


def test_the_report_of_a_store_with_problems_is_valid(tmp_path: Path) -> None:
    """So is the report of broken, nameless, empty and hostile images, with many nulls."""
    odd = Image(
        [
            tar_of([raw(b"\xff\\\n", content=b"1" * 9), raw(b".wh..wh.aufs")]),
            tar_of([file("a"), whiteout("a"), file("b", b"1" * 9)]),
        ],
        history=[empty_step("ENV x"), {"created_by": "step \x1b[31m"}],
        platform="windows/amd64",
    )
    liar = Image([tar_of([file("x", b"2")])], claimed_diff_ids=["sha256:" + "0" * 64])
    gone = Image([tar_of([file("gone", b"3" * 50)])], names=["localhost/gone:1"])
    locked = Image([tar_of([file("y", b"4")])], names=["locked"], encrypted=frozenset({0}))
    store = tmp_path / "store"
    contents = write_oci_layout(
        store / "layout", [odd, liar, gone, locked, Image([])], attestation=True, artifact=True
    )
    digest = contents.layers[gone.image_id][0]
    (store / "layout/blobs/sha256" / digest[7:]).unlink()
    write_dir(store / "dir", odd)
    (store / "text.tar").write_bytes(b"")
    (store / "bare.tar").write_bytes(tar_of([file("bare", b"5" * 30)]))
    report = report_of(tmp_path, store)
    Draft202012Validator(SCHEMA).validate(report)
    found = {problem["code"] for problem in report["problems"]}
    assert found >= {"blob-missing", "diff-id-mismatch", "encrypted-layer", "entry-flagged"}
    assert None in {layer["verified"] for layer in report["layers"]}
    report["totals"]["wasted_bytes"] = 1
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(report)
