"""Write docs/report.schema.json with the program's sentences, kinds and new columns.

A column that a query's header has and the schema lacks is added, with the header's words, and one
that can be null may be null; all else that the schema says already is kept.

python data/report_schema.py > docs/report.schema.json   (by way of another file)
"""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from headers import columns_of

from dedupe.model.findings import FindingKind
from dedupe.model.images import SourceKind
from dedupe.model.measures import CONTAINERS, IMAGES, SOURCES, TOTALS, Cause, Measure
from dedupe.report.json_report import DISK_OWNER, GROUPED

SCHEMA = Path(__file__).parents[1] / "docs" / "report.schema.json"
QUERIES = Path(__file__).parents[1] / "queries"
_TYPES = {
    "VARCHAR": "string",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
    "VARCHAR[]": "array",
}


def main() -> None:
    """Print the schema."""
    schema = json.loads(SCHEMA.read_bytes())
    properties = schema["properties"]
    add_columns(properties["totals"], "totals")
    add_columns(properties["sources"]["items"], "sources")
    add_columns(properties["disk"]["items"], "disk", but={DISK_OWNER})
    add_columns(properties["disk_owners"]["items"], "disk")
    add_columns(properties["containers"]["items"], "containers")
    add_columns(properties["images"]["items"], "images", but=GROUPED)
    add_columns(properties["layers"]["items"], "layers")
    properties["sources"]["items"]["properties"]["kind"]["enum"] = list(SourceKind)
    describe(properties["totals"], TOTALS)
    describe(properties["sources"]["items"], SOURCES)
    describe(properties["containers"]["items"], CONTAINERS)
    images = properties["images"]["items"]
    describe(images, {key: IMAGES[key] for key in IMAGES if key in images["properties"]})
    for key in ("exclusive", "attributed"):
        images["properties"][key]["description"] = IMAGES[f"{key}_unpacked"].sentence
    for cause in Cause:
        images["properties"]["shadowed"]["properties"][cause]["description"] = cause.sentence
    files = properties["shadowed_files"]["items"]["properties"]
    files["cause"]["enum"] = list(Cause)
    properties["findings"]["items"]["properties"]["kind"]["enum"] = list(FindingKind)
    print(json.dumps(schema, indent=2, ensure_ascii=False))


def add_columns(schema: dict[str, Any], query: str, but: Collection[str] = ()) -> None:
    """Require the columns of a query that an object lacks, without those named in ``but``."""
    for name, (kind, meaning) in columns_of(QUERIES / f"{query}.sql").items():
        if name not in schema["properties"] and name not in but:
            typed = _TYPES[kind]
            schema["properties"][name] = {
                "type": [typed, "null"] if re.search(r"\bnull\b", meaning) else typed,
                **({"items": {"type": "string"}} if typed == "array" else {}),
                "description": meaning,
            }
            schema["required"].append(name)
        elif name in schema["properties"] and re.search(r"\bnull\b", meaning):
            allow_null(schema["properties"][name])


def allow_null(schema: dict[str, Any]) -> None:
    """Let a value be null, whose column can be."""
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]


def describe(schema: dict[str, Any], measures: Mapping[Any, Measure]) -> None:
    """Give the keys of an object the sentences of their measures."""
    for key, measure in measures.items():
        schema["properties"][key]["description"] = measure.sentence


if __name__ == "__main__":
    main()
